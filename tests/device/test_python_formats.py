"""What is rendered as Python, read by Python."""

from __future__ import annotations

import ast
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given

from iotauth_cli.device.formats import render
from iotauth_cli.device.login import DeviceLogin
from support_logins import LOGIN, logins


def constants(text: str) -> dict[str, Any]:
    """Return what a module's own lines assign, without running it."""
    found = {}
    for node in ast.parse(text).body:
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name) and node.targets[0].id.isupper():
            found[node.targets[0].id] = ast.literal_eval(node.value)
    return found


def text_of(name: str, login: DeviceLogin) -> str:
    return render(name, login).files[0].data(Path()).decode()


@pytest.mark.parametrize("name", ["paho", "awsiotsdk"])
@given(login=logins())
def test_a_script_holds_every_value(name: str, login: DeviceLogin) -> None:
    """It compiles, and what it would connect with is what was given."""
    text = text_of(name, replace(login, wifi_ssid=None, wifi_password=None))
    compile(text, name, "exec", dont_inherit=True)
    assert constants(text) == {
        "HOST": login.host,
        "PORT": login.port,
        "ALPN": list(login.alpn),
        "CLIENT_ID": login.client_id,
        "USERNAME": login.username,
        "PASSWORD": login.password.reveal(),
        "TOPIC": login.topic,
        "FILTERS": list(login.subscribe),
        "CA": login.ca_pem,
    }


@given(login=logins())
def test_micropython_gets_every_value(login: DeviceLogin) -> None:
    """Constants alone, in ASCII and in what Python 3.4 had: MicroPython has no more."""
    text = text_of("micropython", login)
    ast.parse(text, feature_version=(3, 4))
    assert text.isascii()
    found = constants(text)
    assert found["PASSWORD"] == login.password.reveal()
    assert found["USERNAME"] == login.username
    assert found["CLIENT_ID"] == login.client_id
    assert found["TOPIC"] == login.topic
    assert found["SUBSCRIBE"] == login.inbox
    assert found["WIFI_SSID"] == (login.wifi_ssid or "")
    assert found["ROOT_CA"] == login.ca_pem
    assert (found["RETAIN"], found["WILL"]) == (login.retain, login.will)
    assert "IOTAUTH_EMULATOR" not in found


def test_the_emulators_constants_say_so() -> None:
    """A program can refuse to start with them."""
    assert constants(text_of("micropython", replace(LOGIN, is_emulator=True)))["IOTAUTH_EMULATOR"] is True
