"""Rows 38 to 58: what must be right before the function is called, and what it is told."""

from __future__ import annotations

import base64
import uuid
from typing import Any
from urllib.parse import quote

import pytest

from iotauth_cli import token as tokens
from support_parity.asking import has_default
from support_parity.world import CLOSED, MQTT, NAME, REFUSED, SIGNATURE, World

NOT_REACHED = (REFUSED, 0)
CLOSED_AT_ONCE = (CLOSED, 0)


def knocked(world: World, about: str, **options: Any) -> tuple[str, int]:
    """Return whether a device was let in, and how often the function was called for it."""
    mark = world.mark(about)
    return world.connect(mark=mark, **options).verdict, world.calls(mark)


def knocked_at(world: World, about: str, **way: Any) -> tuple[str, int]:
    """Return how it ended for a device with a TLS connection of another kind, and the function's calls."""
    mark = world.mark(about)
    try:
        return world.connect(mark=mark, pipe=world.pipe(**way)).outcome, world.calls(mark)
    except OSError:
        return CLOSED, world.calls(mark)


def signed_name(world: World, mark: str, key: int = 0, *, raw: bool = False, end: str = "") -> str:
    """Return the user name of a device with a signed token, which is its order."""
    token = f"order:{world.order(mark)}"
    signature = tokens.sign(token + end, world.keys[key])
    if raw:
        signature = signature.replace("=", "%3D").replace("/", "%2F")
    parts = [f"{NAME}={world.parts.signed}", f"token={quote(token, safe='')}"]
    return f"u?{'&'.join(parts)}&{SIGNATURE}={signature if raw else quote(signature, safe='')}"


@pytest.mark.rows(38, 39, 40, 41)
def test_the_way_to_the_door(world: World, rows: Any) -> None:
    """Without ALPN, with the one for certificates, at the port for them, under a wrong name: nobody is asked."""
    rows.check(38, knocked_at(world, "38", alpn=()), CLOSED_AT_ONCE)
    rows.check(39, knocked_at(world, "39", alpn=("x-amzn-mqtt-ca",)), CLOSED_AT_ONCE)
    rows.check(40, knocked_at(world, "40", alpn=(), port=world.mqtt_port), CLOSED_AT_ONCE)
    rows.check(41, knocked_at(world, "41", server_name="example.com"), CLOSED_AT_ONCE)


@pytest.mark.rows(42)
def test_no_authorizer_is_named(world: World, rows: Any) -> None:
    """Without a default nobody can be asked."""
    if has_default(world):
        pytest.skip("the account has a default authorizer")
    rows.check(42, knocked(world, "42", username="u"), NOT_REACHED)


@pytest.mark.rows(44, 45, 52)
def test_the_authorizer_that_is_named(world: World, rows: Any) -> None:
    """An unknown one, one that is INACTIVE, one that may not call the function, a name with two `?`."""
    named = f"u?{NAME}={world.parts.name}"
    rows.check(44, knocked(world, "44", authorizer=f"{world.prefix}-nobody"), NOT_REACHED)
    with world.parts.scratch("idle", status="INACTIVE") as name:
        rows.check(44, knocked(world, "44", authorizer=name), NOT_REACHED)
    rows.check(45, knocked(world, "45", authorizer=world.parts.mute), NOT_REACHED)
    rows.check(52, knocked(world, "52", username=f"{named}?SDK=x"), NOT_REACHED)


@pytest.mark.rows(46, 47, 48, 49, 50)
def test_signed_tokens(world: World, rows: Any) -> None:
    """None is refused, percent-encoded by either key is let in; a raw `+` and a newline that was signed are not."""
    rows.check(46, knocked(world, "46", authorizer=world.parts.signed), NOT_REACHED)
    for number, row in ((0, 47), (1, 50)):
        mark = world.mark(str(row))
        device = world.connect(mark=mark, username=signed_name(world, mark, number), password=None)
        rows.check(row, (device.outcome, world.event(mark)["signatureVerified"]), ("accepted", True))
    plus = next(mark for mark in (world.mark("48") for _ in range(1000)) if "+" in signed_name(world, mark, raw=True))
    refused = world.connect(mark=plus, username=signed_name(world, plus, raw=True), password=None)
    rows.check(48, (refused.verdict, world.calls(plus)), NOT_REACHED)
    newline = world.mark("49")
    refused = world.connect(mark=newline, username=signed_name(world, newline, end="\n"), password=None)
    rows.check(49, (refused.verdict, world.calls(newline)), NOT_REACHED)


@pytest.mark.rows(51)
def test_a_key_that_was_removed(world: World, rows: Any) -> None:
    """Its signature counts no more, once AWS IoT has heard of it."""

    def knock() -> str:
        mark = world.mark("51")
        return world.connect(mark=mark, username=signed_name(world, mark, 1), password=None).verdict

    keys = {f"key{number}": world.public_key(number) for number in (0, 1)}
    update = world.boto("iot").update_authorizer
    assert knock() == "accepted"
    try:
        update(authorizerName=world.parts.signed, tokenSigningPublicKeys={"key0": keys["key0"]})
        rows.check(51, world.eventually(knock, REFUSED), REFUSED)
    finally:
        update(authorizerName=world.parts.signed, tokenSigningPublicKeys=keys)


@pytest.mark.rows(53, 54, 56)
def test_user_names_that_are_taken(world: World, rows: Any) -> None:
    """Parameters in any order, with strange ones; nobody before the `?`; no password. The function sees it all."""
    mark = world.mark("53")
    strange = f"u?SDK=PythonV2&order={world.order(mark)}&{NAME}={world.parts.name}&Version=1.0"
    device = world.connect(mark=mark, username=strange, password=None)
    mqtt = world.event(mark)["protocolData"]["mqtt"]
    rows.check(53, (device.outcome, mqtt["username"]), ("accepted", strange))
    rows.check(56, "password" in mqtt, False)
    mark = world.mark("54")
    device = world.connect(mark=mark, username=f"?{NAME}={world.parts.name}")
    seen = world.event(mark)["protocolData"]["mqtt"]["username"]
    rows.check(54, (device.outcome, seen[:1]), ("accepted", "?"))


@pytest.mark.rows(55, 57, 58)
def test_what_the_function_is_told(world: World, rows: Any) -> None:
    """User name with its suffix, password as base64 of its bytes, and an id that is new each time."""
    ids = set()
    for _ in range(2):
        mark = world.mark("55")
        password = f"order:{world.order(mark)}".encode() + b";\xff\xfe\x00"
        assert world.connect(mark=mark, password=password).outcome == "accepted"
        event = world.event(mark)
        mqtt = event["protocolData"]["mqtt"]
        wanted = (False, f"u?{NAME}={world.parts.name}", mark)
        rows.check(55, (event["signatureVerified"], mqtt["username"], mqtt["clientId"]), wanted)
        rows.check(57, base64.b64decode(mqtt["password"], validate=True) == password, True)
        ids.add(uuid.UUID(event["connectionMetadata"]["id"]))
    rows.check(58, len(ids), 2)


def test_mqtt_is_what_alpn_says(world: World) -> None:
    """The way that all the tests above go wrong on purpose: with ALPN `mqtt` one is let in."""
    assert knocked_at(world, "alpn", alpn=MQTT) == ("accepted", 1)
