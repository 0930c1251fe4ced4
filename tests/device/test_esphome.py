"""ESPHome itself reads what was rendered for it, and finds every value."""

from __future__ import annotations

import os
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from iotauth_cli.device.formats import render
from iotauth_cli.device.login import DeviceLogin
from iotauth_cli.secret import Secret
from support import REPOSITORY, missing
from support_logins import HOSTILE, LOGIN

OWN_ENVIRONMENT = REPOSITORY / ".venvs" / "esphome" / "bin" / "esphome"  # made by scripts/esphome


@pytest.fixture(scope="module")
def esphome() -> str:
    found = Path(os.environ.get("IOTAUTH_ESPHOME", OWN_ENVIRONMENT))
    if not found.exists():
        missing(f"`{found}` is not there; `scripts/esphome` installs it")
    return str(found)


def validated(esphome: str, folder: Path, login: DeviceLogin) -> dict[str, Any]:
    """Return the configuration as ESPHome understands it, secrets in the open."""
    files = render("esphome", login).files
    for file in files:
        path = folder / file.name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(file.data(path.parent))
    command = [esphome, "config", "--show-secrets", str(folder / files[0].name)]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "INFO Configuration is valid!" in ran.stderr + ran.stdout
    found: dict[str, Any] = yaml.load(ran.stdout.partition("INFO Configuration")[0], Plain)
    return found


class Plain(yaml.SafeLoader):
    """YAML whose unknown tags, such as ESPHome's lambdas, are read as what they stand before."""


def untagged(loader: yaml.SafeLoader, _suffix: str, node: yaml.ScalarNode) -> str:
    return str(loader.construct_scalar(node))


Plain.add_multi_constructor("!", untagged)


def test_esphome_takes_the_device_as_it_is(esphome: str, tmp_path: Path) -> None:
    """Nothing to be filled in but the network; no message is retained that was not granted."""
    found = validated(esphome, tmp_path, LOGIN)
    block = found["mqtt"]
    assert (block["broker"], block["port"]) == (LOGIN.host, LOGIN.port)
    assert block["password"] == LOGIN.password.reveal()
    assert block["certificate_authority"].strip() == LOGIN.ca_pem.strip()
    assert [block[name] for name in ("birth_message", "will_message", "shutdown_message")] == [None, None, None]
    assert block["log_topic"] is None
    assert (block["discovery"], block["discover_ip"]) == (False, False)
    assert found["wifi"]["networks"][0]["ssid"] == "fill-in"


def test_esphome_finds_hostile_texts_unchanged(esphome: str, tmp_path: Path) -> None:
    """Everything at once that YAML could take for something else; what ESPHome replaces was refused before."""
    texts = [text for text in HOSTILE if text and "$" not in text]
    login = replace(
        LOGIN,
        password=Secret("".join(texts)),
        username="yes",
        topic="1e3",
        retain=True,
        will=True,
        wifi_ssid="null",
        wifi_password=Secret("#: correct 'horse\""),
    )
    found = validated(esphome, tmp_path, login)
    block = found["mqtt"]
    assert (block["password"], block["username"]) == (login.password.reveal(), "yes")
    assert block["topic_prefix"] == "1e3"
    assert block["birth_message"] == {"topic": "1e3", "payload": "online", "retain": True, "qos": 0}
    assert block["will_message"] == {"topic": "1e3", "payload": "offline", "retain": True, "qos": 0}
    network = found["wifi"]["networks"][0]
    assert (network["ssid"], network["password"]) == ("null", "#: correct 'horse\"")
