"""Conformance rows 42 to 58: what comes before the function, and what the function is told."""

from __future__ import annotations

import asyncio
import re
import uuid

import pytest

from iotauth_authorizer.username import compose
from iotauth_cli.emulator.gateway import Arrival
from iotauth_cli.emulator.model import Authorizer
from iotauth_cli.emulator.mqtt.packets import Connack, Pingreq, Pingresp
from iotauth_cli.token import generate, load_private_key, public_key_pem, sign
from support_data import FUNCTION_ARN, Plane, in_loop, settle

NAMED = "u?x-amz-customauthorizer-name=doors"
UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


async def refused(plane: Plane, check: str, sentence: str, **connect: object) -> None:
    """Connect and see the close without CONNACK, no call, and the check that decided."""
    plane.clock.now += 1
    device = plane.device()
    await device.connect(**connect)  # type: ignore[arg-type]
    assert device.is_closed
    assert device.received == []
    assert plane.runner.events == []
    assert plane.last.outcome == "refused"
    assert plane.last.decided_by == check
    assert sentence in plane.last.sentence
    assert not plane.last.function_called


async def accepted(plane: Plane, **connect: object) -> dict[str, object]:
    """Connect, see CONNACK 0, and return the event of the only call."""
    device = plane.device()
    await device.connect(**connect)  # type: ignore[arg-type]
    assert device.received == [Connack(0)]
    assert plane.last.outcome == "admitted"
    assert plane.last.function_called
    (event,) = plane.runner.events
    return event


@in_loop
async def test_row_042_no_authorizer_named_and_no_default(plane: Plane) -> None:
    """A user name without `?` is refused when the account has no default, the function not called."""
    await refused(plane, "authorizer", "names no authorizer, and the account has no default", username="u")


@in_loop
async def test_row_042_no_user_name_at_all(plane: Plane) -> None:
    """The same without a user name."""
    await refused(plane, "authorizer", "names no authorizer", username=None, password=None)


@in_loop
async def test_row_043_the_default_authorizer_is_called(plane: Plane) -> None:
    """A user name without `?` goes to the account's default."""
    plane.authorizers.default_name = "doors"
    await accepted(plane, username="u")
    assert plane.last.authorizer == "doors"


@in_loop
async def test_row_044_an_unknown_authorizer(plane: Plane) -> None:
    """A name nobody has is refused before any call, also when there is a default."""
    plane.authorizers.default_name = "doors"
    await refused(plane, "authorizer", "no authorizer `d`", username="u?x-amz-customauthorizer-name=d")


@in_loop
async def test_row_044_an_inactive_authorizer(plane: Plane) -> None:
    """An INACTIVE one is refused, named or by default."""
    plane.authorizers.add(is_active=False)
    plane.authorizers.default_name = "doors"
    await refused(plane, "authorizer", "`doors` is not ACTIVE", username=NAMED)
    await refused(plane, "authorizer", "`doors` is not ACTIVE", username="u")


@in_loop
async def test_row_045_no_permission_to_call_the_function(plane: Plane) -> None:
    """Without the resource permission there is no call; the log names the function and the principal."""
    plane.functions.permissions.clear()
    await refused(plane, "permission", "AWS IoT may not invoke function `iotauth-doors`")


@in_loop
async def test_row_045_a_permission_for_another_authorizer_does_not_count(plane: Plane) -> None:
    """The grant names one authorizer; a second one needs its own."""
    plane.authorizers.add("green")
    await refused(plane, "permission", "with authorizer `green`", username="u?x-amz-customauthorizer-name=green")


@in_loop
async def test_a_function_that_is_not_there_is_refused(plane: Plane) -> None:
    """An authorizer may name a function that was deleted."""
    plane.functions.exists = False
    await refused(plane, "function-missing", "there is no function `iotauth-doors`")


KEYS = [load_private_key(generate(), is_own=True) for _ in range(2)]
TOKEN = "token/with+signs"


@pytest.fixture
def signed(plane: Plane) -> Authorizer:
    """`doors` wants a token under `tok`, signed by the first key or the second."""
    pems = {f"key{number}": public_key_pem(key) for number, key in enumerate(KEYS, 1)}
    return plane.authorizers.add(signing_disabled=False, token_key_name="tok", token_signing_public_keys=pems)


def token_username(signature: str, token: str = TOKEN) -> str:
    return compose(
        "u",
        [
            ("x-amz-customauthorizer-name", "doors"),
            ("tok", token),
            ("x-amz-customauthorizer-signature", signature),
        ],
    )


@pytest.mark.usefixtures("signed")
@in_loop
async def test_row_046_no_token_or_no_signature(plane: Plane) -> None:
    """A signing authorizer refuses who brings only one of the two, or neither."""
    await refused(plane, "signature", "no token was given", username=NAMED)
    await refused(plane, "signature", "no signature was given", username=f"{NAMED}&tok=t")
    with_signature = f"{NAMED}&x-amz-customauthorizer-signature=s"
    await refused(plane, "signature", "no token was given", username=with_signature)


@pytest.mark.usefixtures("signed")
@in_loop
async def test_row_047_a_valid_signature(plane: Plane) -> None:
    """Percent-encoded it is accepted, and the function learns that it was verified."""
    event = await accepted(plane, username=token_username(sign(TOKEN, KEYS[0])))
    assert event["signatureVerified"] is True
    assert event["token"] == TOKEN


@pytest.mark.usefixtures("signed")
@in_loop
async def test_row_048_a_raw_plus_in_the_signature(plane: Plane) -> None:
    """An unencoded `+` is read as a space, so the signature fails."""
    token = next(each for each in map(str, range(999)) if "+" in sign(each, KEYS[0]))
    raw = f"{NAMED}&tok={token}&x-amz-customauthorizer-signature={sign(token, KEYS[0])}"
    await refused(plane, "signature", "of none of the 2 keys", username=raw)


@pytest.mark.usefixtures("signed")
@in_loop
async def test_row_049_a_signature_over_the_token_and_a_newline(plane: Plane) -> None:
    """What `echo token | openssl dgst` signs is another text."""
    username = token_username(sign(f"{TOKEN}\n", KEYS[0]))
    await refused(plane, "signature", "of none of the 2 keys", username=username)


@pytest.mark.usefixtures("signed")
@in_loop
async def test_row_050_the_second_key_verifies_too(plane: Plane) -> None:
    """Any key of the map will do; the log says which it was."""
    await accepted(plane, username=token_username(sign(TOKEN, KEYS[1])))
    assert "key `key2`" in next(step.sentence for step in plane.last.steps if step.check == "signature")


@in_loop
async def test_row_051_a_key_that_was_removed(plane: Plane, signed: Authorizer) -> None:
    """After the update its signatures are worth nothing."""
    left = {"key1": signed.token_signing_public_keys["key1"]}
    plane.authorizers.add(signing_disabled=False, token_key_name="tok", token_signing_public_keys=left)
    username = token_username(sign(TOKEN, KEYS[1]))
    await refused(plane, "signature", "of none of the 1 keys", username=username)


@in_loop
async def test_row_052_two_question_marks(plane: Plane) -> None:
    """What an SDK makes of it by appending `?SDK=…` to a query is refused."""
    await refused(plane, "user-name", "one `?` at most", username=f"{NAMED}?SDK=PythonV2")


@pytest.mark.parametrize(
    "username",
    [
        "u?SDK=PythonV2&x-amz-customauthorizer-name=doors&Version=1.11.3",
        "u?x-amz-customauthorizer-name=doors&SDK=IoTDeviceSDK/Python&Metadata=(CRTVersion=0.36.1;A=F/3,G/A)",
    ],
)
@in_loop
async def test_row_053_parameters_in_any_order_and_strange_ones(plane: Plane, username: str) -> None:
    """They are accepted, and the function sees the user name as it was sent."""
    event = await accepted(plane, username=username)
    assert event["protocolData"]["mqtt"]["username"] == username  # type: ignore[index]


@in_loop
async def test_row_054_an_empty_user_part(plane: Plane) -> None:
    """The user name may begin with its parameters."""
    event = await accepted(plane, username="?x-amz-customauthorizer-name=doors")
    assert event["protocolData"]["mqtt"]["username"].startswith("?x-amz")  # type: ignore[index]


@in_loop
async def test_row_055_user_and_password_without_signing(plane: Plane) -> None:
    """The whole event, as AWS IoT writes it."""
    event = await accepted(plane, username=NAMED, password=b"secret")
    connection = event.pop("connectionMetadata")
    assert event == {
        "signatureVerified": False,
        "protocols": ["tls", "mqtt"],
        "protocolData": {
            "tls": {"serverName": "localhost"},
            "mqtt": {"username": NAMED, "password": "c2VjcmV0", "clientId": "thermo-1"},
        },
    }
    assert UUID.fullmatch(connection["id"])  # type: ignore[index]
    assert plane.runner.limits == [5.0]


@in_loop
async def test_row_056_no_password(plane: Plane) -> None:
    """The event then has no password member."""
    event = await accepted(plane, username=NAMED, password=None)
    assert "password" not in event["protocolData"]["mqtt"]  # type: ignore[index]


@in_loop
async def test_row_057_a_password_that_is_not_utf_8(plane: Plane) -> None:
    """It arrives as base64 of the raw bytes."""
    event = await accepted(plane, password=b"\xff\x00\xfe")
    assert event["protocolData"]["mqtt"]["password"] == "/wD+"  # type: ignore[index]


@in_loop
async def test_row_058_each_connection_has_its_own_id(plane: Plane) -> None:
    """`connectionMetadata.id` is a new UUID each time, and the log has it too."""
    for client_id in ("thermo-1", "thermo-2"):
        await plane.connected(client_id)
    first, second = (uuid.UUID(event["connectionMetadata"]["id"]) for event in plane.runner.events)
    assert first != second
    assert plane.last.connection_id == str(second)


@in_loop
async def test_row_100_a_client_id_of_aws_iots_own(plane: Plane) -> None:
    """A client id that begins with `$` is refused, the function not called."""
    await refused(plane, "client-id", "begins with `$`", client_id="$thermo")


@in_loop
async def test_a_client_id_over_128_bytes_is_refused(plane: Plane) -> None:
    """The limit counts bytes, not characters."""
    await refused(plane, "client-id", "130 bytes; the limit is 128", client_id="ü" * 65)


@in_loop
async def test_a_client_without_an_id_gets_one_and_the_function_sees_none(plane: Plane) -> None:
    """AWS IoT names such clients `$GEN/…`."""
    event = await accepted(plane, client_id="")
    assert "clientId" not in event["protocolData"]["mqtt"]  # type: ignore[index]
    assert str(plane.last.client_id).startswith("$GEN/")


@in_loop
async def test_a_client_without_a_server_name_has_no_server_name_in_its_event(plane: Plane) -> None:
    """`tls` is announced and empty; nothing is null."""
    device = plane.device(Arrival("127.0.0.1"))
    await device.connect()
    assert plane.runner.events[0]["protocolData"]["tls"] == {}


@in_loop
async def test_packets_sent_before_the_connack_are_handled_after_it_in_order(plane: Plane) -> None:
    """Applications publish straight after connect(); nothing is lost or answered early."""
    plane.runner.gate = asyncio.Event()
    device = plane.device()
    await device.connect()
    await device.send(Pingreq())
    await device.publish("a", qos=1)
    assert device.received == []
    plane.runner.gate.set()
    await settle()
    assert [type(packet).__name__ for packet in device.received] == ["Connack", "Pingresp", "Puback"]
    assert device.received[1] == Pingresp()


@in_loop
async def test_a_client_that_does_not_wait_is_not_let_in_behind_its_back(plane: Plane) -> None:
    """When the answer comes and the client is gone, nobody has joined."""
    plane.runner.gate = asyncio.Event()
    device = plane.device()
    await device.connect()
    await device.vanish()
    plane.runner.gate.set()
    await settle()
    assert plane.broker.clients == {}


@in_loop
async def test_a_client_that_talks_on_and_on_before_its_connack_is_not_read_further(plane: Plane) -> None:
    """The memory kept for an undecided client is bounded; reading goes on once it is in."""
    plane.runner.gate = asyncio.Event()
    device = plane.device()
    await device.connect()
    await device.publish("a", b"x" * 100_000)
    assert device.transport.is_reading()
    await device.publish("a", b"x" * 100_000)
    await device.publish("a", b"x" * 100_000)
    assert not device.transport.is_reading()
    plane.runner.gate.set()
    await settle()
    assert device.transport.is_reading()


@in_loop
async def test_a_fault_of_the_emulators_own_lets_nobody_in(
    plane: Plane, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Whatever is not a clear yes is a refusal, also an exception in the directory.

    The log has the way to it, and not its message, which may quote what a device sent.
    """

    def fails(name: str) -> Authorizer:
        raise RuntimeError("hunter2 on fire")

    monkeypatch.setattr(plane.authorizers, "find", fails)
    await refused(plane, "emulator", "its log has the cause")
    assert "RuntimeError in test_reaching_the_function.py" in caplog.text
    assert "(fails)" in caplog.text
    assert "hunter2" not in caplog.text


@in_loop
async def test_the_log_says_each_step_and_no_secret(plane: Plane) -> None:
    """From the client id to iot:Connect every check has its line; nothing secret is in any."""
    username = f"{NAMED}&token=hunter2"
    await plane.connected(username=username, password=b"hunter3")
    checks = [step.check for step in plane.last.steps]
    assert checks == [
        "client-id",
        "user-name",
        "authorizer",
        "signature",
        "function",
        "authentication",
        "iot:Connect",
    ]
    assert all(step.passed for step in plane.last.steps)
    assert "hunter" not in repr(plane.last)
    assert FUNCTION_ARN.rpartition(":")[2] in plane.last.steps[4].sentence
