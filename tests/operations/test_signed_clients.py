"""Clients of a signed authorizer: what they are given lets real devices in, and nobody else."""

from __future__ import annotations

import importlib.util
import queue
import ssl
import subprocess
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from iotauth_authorizer.record import ClientRecord, TokenNote
from iotauth_cli.credentials import Credential
from iotauth_cli.operations import authorizers, client_rotation, connect, keys
from iotauth_cli.operations.client_rotation import RotationWish
from iotauth_cli.operations.clients import Added
from iotauth_cli.operations.connect import Report, Visit
from iotauth_cli.operations.signing.issue import TokenWish
from iotauth_cli.operations.signing.keyring import Keyring
from iotauth_cli.secret import Secret
from support import missing, require_peer
from support_emulator import running_emulator
from support_world import WISH, Place, standing

NOW = 1763640000
SIGNED = replace(WISH, authorizer="signed-doors")


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """An unsigned authorizer `doors` and a signed one beside it, which share function and table."""
    directory = tmp_path_factory.mktemp("signed")
    with running_emulator(directory, proxy_port=0) as emulator, standing(emulator, directory) as plain:
        plain.install()
        place = Place(emulator, directory, SIGNED)
        wish = authorizers.signed(SIGNED, place.store, now=NOW)
        list(authorizers.apply(place.session, authorizers.plan(place.session, wish)))
        yield place
        place.table.close()


def token_of(place: Place) -> TokenWish | None:
    return keys.for_clients(place.store, place.wish.authorizer)


def add(place: Place, client_id: str) -> Added:
    """Add a client of the signed authorizer with a topic of its own."""
    return place.add(client_id, f"sensors/{client_id}", token=token_of(place))


@pytest.fixture(scope="module")
def added(place: Place) -> Added:
    return add(place, "thermo-1")


def knock(place: Place, client_id: str, **members: Any) -> Report:
    return place.knock(Visit(client_id, timeout_s=8), **members)


def cause(report: Report) -> str:
    assert report.diagnosis is not None
    return report.diagnosis.cause


def test_a_client_is_let_in_by_its_signed_token_which_is_noted(place: Place, added: Added) -> None:
    """From the stored credential alone; the row says that the newest token is in use, and wants one."""
    assert knock(place, "thermo-1").ok
    row = place.table.find("thermo-1")
    assert isinstance(row, ClientRecord)
    assert added.record.token is not None
    issued_at, key = added.record.token.issued_at, added.record.token.key
    assert row.token == TokenNote(issued_at, issued_at, is_required=True, key=key)
    assert key


def test_the_store_keeps_the_token_with_the_password(place: Place, added: Added) -> None:
    """What was shown once is what was kept; the key's name came from the authorizer."""
    kept = place.store.load("thermo-1")
    assert kept == added.credential
    assert kept is not None
    assert kept.token_key_name == "token"
    assert kept.device_username == added.device_username


def test_a_token_of_another_client_does_not_help(place: Place, added: Added) -> None:
    """Signed, and with the right password: the function refuses it, and the diagnosis says why."""
    other = add(place, "thermo-2").credential
    stolen = replace(added.credential, token=other.token, signature=other.signature)
    assert cause(knock(place, "thermo-1", username=stolen.device_username)) == "wrong-token"


def test_what_is_not_signed_does_not_reach_the_function(place: Place, added: Added) -> None:
    """No token, a token that was changed, and one of another key: refused before anybody pays for a call."""
    credential = added.credential
    bare = f"thermo-1?x-amz-customauthorizer-name={SIGNED.authorizer}"
    missing_ = knock(place, "thermo-1", username=bare)
    assert cause(missing_) == "signature-missing"
    changed = replace(credential, token=Secret("thermo-1.9999999999"))
    report = knock(place, "thermo-1", username=changed.device_username)
    assert cause(report) == "signature-wrong"
    assert report.was_called is not True


def test_the_unsigned_authorizer_beside_it_is_no_way_around(place: Place, added: Added) -> None:
    """Same function, same table, right password, no token: the row wants one."""
    assert cause(knock(place, "thermo-1", authorizer="doors")) == "signature-required"


def test_a_client_without_a_token_still_uses_the_unsigned_one(place: Place) -> None:
    """One function serves both."""
    with standing(place.emulator, place.project) as plain:
        plain.add("plain-1", "sensors/plain-1")
    assert knock(place, "plain-1").ok


def test_test_invoke_fills_in_token_and_signature(place: Place, added: Added) -> None:
    """From the store, for the authorizer whose key has signed it."""
    attempt = authorizers.attempt(place.store, authorizer=SIGNED.authorizer, client_id="thermo-1")
    assert authorizers.test_invoke(place.session, SIGNED.authorizer, attempt).is_authenticated
    elsewhere = authorizers.attempt(place.store, authorizer="doors", client_id="thermo-1")
    assert (elsewhere.token, elsewhere.signature) == (None, None)


def test_a_client_whose_key_is_elsewhere_is_added_without_its_token(place: Place, tmp_path: Path) -> None:
    """Its row wants one; a key file of the user's own gives it one at once."""
    elsewhere = replace(place.store, directory=tmp_path / ".iotauth")
    wish = authorizers.signed(SIGNED, elsewhere, now=NOW)
    list(authorizers.apply(place.session, authorizers.plan(place.session, wish)))
    added = place.add("thermo-3", "sensors/thermo-3", token=keys.for_clients(elsewhere, SIGNED.authorizer))
    assert added.lacks_token
    assert added.record.token is not None
    assert (added.record.token.issued_at, added.record.token.is_required) == (None, True)
    keyring = Keyring.of(place.store, SIGNED.authorizer)
    file = keyring.path(keyring.names()[0])
    token = keys.for_clients(elsewhere, SIGNED.authorizer, key=file)
    assert place.add("thermo-4", "sensors/thermo-4", token=token).credential.token is not None
    assert knock(place, "thermo-4").ok


@pytest.mark.parametrize("is_kept", [True, False], ids=["kept here", "kept elsewhere"])
def test_a_rotated_client_keeps_its_token(place: Place, is_kept: bool) -> None:
    """What is handed out lets it in: the token that is kept, or the same one made again."""
    before = add(place, f"turned-{is_kept}").credential
    if not is_kept:
        place.store.remove(before.client_id)
    wish = RotationWish(before.client_id, SIGNED.authorizer)
    rotated = client_rotation.rotate(place.table, place.store, wish, now=int(time.time())).credential
    assert (rotated.token, rotated.signature) == (before.token, before.signature)
    assert rotated.password != before.password
    assert knock(place, before.client_id).ok


# --- real devices -------------------------------------------------------------------------------


def last_outcome(place: Place, client_id: str) -> str:
    from iotauth_cli.emulator import lifecycle

    return str(lifecycle.attempts(place.emulator.state_dir, client_id=client_id)[-1].outcome)


@pytest.mark.parametrize("version", ["mqttv311", "mqttv5"])
def test_mosquitto_connects_with_what_was_printed(place: Place, added: Added, version: str) -> None:
    """User name and password, pasted as they are."""
    ready = place.emulator.ready
    command = [
        *(require_peer("mosquitto_pub"), "-h", "localhost", "-p", str(ready.data_endpoint.port), "-V", version),
        *("--cafile", str(ready.ca_file), "--tls-alpn", "mqtt", "-i", "thermo-1", "-q", "1"),
        *("-u", added.device_username, "-P", added.credential.password.reveal()),
        *("-t", "sensors/thermo-1", "-m", "21.5"),
    ]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)
    assert ran.returncode == 0, ran.stderr


@pytest.mark.parametrize("is_right", [True, False], ids=["right", "changed"])
def test_paho_connects_with_what_was_printed(place: Place, added: Added, is_right: bool) -> None:
    """And with one letter of the signature changed it does not."""
    import paho.mqtt.client as mqtt
    from paho.mqtt.enums import CallbackAPIVersion

    username = added.device_username if is_right else flipped(added.credential).device_username
    answers: queue.Queue[bool] = queue.Queue()
    client = mqtt.Client(CallbackAPIVersion.VERSION2, "thermo-1", reconnect_on_failure=False)
    tls = ssl.create_default_context(cafile=str(place.emulator.ready.ca_file))
    tls.set_alpn_protocols(["mqtt"])
    client.tls_set_context(tls)
    client.username_pw_set(username, added.credential.password.reveal())
    client.on_connect = lambda *arguments: answers.put(not arguments[3].is_failure)
    client.on_disconnect = lambda *_: answers.put(False)
    client.connect("localhost", place.emulator.ready.data_endpoint.port)
    client.loop_start()
    try:
        assert answers.get(timeout=20) is is_right
    finally:
        client.disconnect()
        client.loop_stop()


def flipped(credential: Credential) -> Credential:
    signature = str(credential.signature)
    return replace(credential, signature=("B" if signature[0] == "A" else "A") + signature[1:])


@pytest.mark.parametrize("how", ["parts", "user name"])
def test_awss_own_sdk_connects(place: Place, added: Added, how: str) -> None:
    """With the parts, as `client add --json` gives them, and with the whole user name."""
    if importlib.util.find_spec("awsiot") is None:
        missing("awsiotsdk is not installed")
    from awscrt import http
    from awsiot import mqtt_connection_builder

    proxy = place.emulator.ready.proxy
    assert proxy is not None
    credential = added.credential
    assert credential.token is not None
    parts = {
        "auth_username": "thermo-1",
        "auth_authorizer_name": credential.authorizer,
        "auth_authorizer_signature": credential.signature,
        "auth_token_key_name": credential.token_key_name,
        "auth_token_value": credential.token.reveal(),
    }
    connection = mqtt_connection_builder.direct_with_custom_authorizer(
        endpoint=proxy.endpoint,
        client_id="thermo-1",
        auth_password=credential.password.reveal(),
        **(parts if how == "parts" else {"auth_username": added.device_username}),
        ca_filepath=str(place.emulator.ready.ca_file),
        http_proxy_options=http.HttpProxyOptions("127.0.0.1", proxy.port),
        clean_session=True,
        keep_alive_secs=60,
    )
    connection.connect().result(timeout=20)
    connection.disconnect().result(timeout=20)
    assert last_outcome(place, "thermo-1") == "admitted"


def test_prepare_sends_a_token_to_its_own_authorizer_only(place: Place, added: Added) -> None:
    """Nobody else is shown a credential that is not theirs."""
    visit = Visit("thermo-1", authorizer="doors", endpoint="localhost", port=1)
    knock = connect.prepare(place.session, place.store, place.wish, visit)
    assert knock.login.username == "thermo-1?x-amz-customauthorizer-name=doors"
