"""A kept credential becomes a login: where, as whom, trusting whom."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from iotauth_cli.aws.session import Session
from iotauth_cli.config import Target
from iotauth_cli.credentials import Credential, Store
from iotauth_cli.device import roots
from iotauth_cli.errors import InputError
from iotauth_cli.operations import device_secrets
from iotauth_cli.operations.device_secrets import login_for
from iotauth_cli.secret import Secret

KEPT = Credential(
    client_id="thermo-1",
    username="thermo-1",
    password=Secret("horse"),
    authorizer="doors",
    table="clients",
    publish=("logs/+/x", "sensors/thermo-1"),
    subscribe=("sensors/thermo-1",),
    created_at=1763640000,
)
AWS = Session(Target(label="AWS eu-west-1", region="eu-west-1", store_name="aws-eu-west-1"))
ENDPOINT = "a1b2c3-ats.iot.eu-west-1.amazonaws.com"


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    monkeypatch.setattr("iotauth_cli.aws.iot.data_endpoint", lambda _session: ENDPOINT)
    store = Store(tmp_path / ".iotauth", "aws-eu-west-1")
    store.save(KEPT)
    return store


def test_a_login_for_aws_trusts_amazon(store: Store) -> None:
    """The endpoint is asked for, port 443 with ALPN; nothing says emulator."""
    login = login_for(AWS, store, None)
    assert (login.host, login.port, login.alpn) == (ENDPOINT, 443, ("mqtt",))
    assert login.username == "thermo-1?x-amz-customauthorizer-name=doors"
    assert login.ca_pem == roots.amazon_pem()
    assert login.marks == ()
    assert device_secrets.rendered("header", login).notes[1:] == ()


def test_an_endpoint_that_is_named_is_not_asked_for(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """With `--endpoint` everything is known here, and no key to AWS is needed."""
    monkeypatch.delattr("iotauth_cli.aws.iot.data_endpoint")
    login = login_for(AWS, store, "thermo-1", endpoint="iot.example.com", port=8883, alpn=())
    assert (login.host, login.port, login.alpn) == ("iot.example.com", 8883, ())


def test_the_first_topic_is_one_that_the_device_hears_itself(store: Store) -> None:
    """Where there is none, the first that it may publish to, with a name for an open level; else nothing."""
    assert login_for(AWS, store, "thermo-1").topic == "sensors/thermo-1"
    store.save(replace(KEPT, subscribe=()))
    assert login_for(AWS, store, "thermo-1").topic == "logs/test/x"
    store.save(replace(KEPT, publish=()))
    assert login_for(AWS, store, "thermo-1").topic == ""


@pytest.mark.parametrize("password", ["x" * 8, "x" * 63, "0aF9" * 16], ids=["8", "63", "key"])
def test_a_network_is_guarded_as_wpa_allows(store: Store, password: str) -> None:
    """8 to 63 bytes, or 64 hexadecimal digits, which are the key itself."""
    login = login_for(AWS, store, "thermo-1", wifi_ssid="barn", wifi_password=Secret(password))
    assert login.wifi_password == Secret(password)


@pytest.mark.parametrize("password", ["x" * 7, "x" * 64, "ž" * 32], ids=["7", "64", "64 in UTF-8"])
def test_what_wpa_does_not_allow_is_refused(store: Store, password: str) -> None:
    """The length is told, and the password is not."""
    with pytest.raises(InputError, match="characters, and WPA takes 8 to 63") as refusal:
        login_for(AWS, store, "thermo-1", wifi_ssid="barn", wifi_password=Secret(password))
    assert password not in refusal.value.message


def test_a_client_that_is_not_kept_has_ways_out(store: Store) -> None:
    """Its password cannot be had again, so the hint says what can be."""
    with pytest.raises(InputError, match="no credential of client `door-7` is kept") as refusal:
        login_for(AWS, store, "door-7")
    assert refusal.value.hint is not None
    assert "iotauth client rotate door-7" in refusal.value.hint


def test_several_clients_have_to_be_told_apart(store: Store) -> None:
    """Without a name only a single one is meant."""
    store.save(replace(KEPT, client_id="door-7"))
    with pytest.raises(InputError, match="there are 2 clients here: `door-7`, `thermo-1`"):
        login_for(AWS, store, None)
