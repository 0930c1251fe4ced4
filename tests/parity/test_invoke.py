"""Rows 29 to 37: TestInvokeAuthorizer."""

from __future__ import annotations

import base64
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from iotauth_cli import token as tokens
from support_parity.asking import refused
from support_parity.world import World

BAD_ANSWER = ("InvalidResponseException", 400)
INVALID = ("InvalidRequestException", 400)


def signed_order(world: World, mark: str) -> dict[str, str]:
    token = f"order:{world.order(mark)}"
    return {"token": token, "tokenSignature": tokens.sign(token, world.keys[0])}


@pytest.mark.rows(29, 31, 32)
def test_a_token_and_its_signature(world: World, rows: Any) -> None:
    """The right one reaches the function alone; a wrong one is an error, and one that is no base64 too."""
    mark, wrong = world.mark("29"), world.mark("31")
    world.invoke(authorizer=world.parts.signed, **signed_order(world, mark))
    event = world.event(mark)
    seen = event["token"].startswith("order:"), event["signatureVerified"], event.get("protocolData")
    rows.check(29, seen, (True, True, None))
    bad = {"token": f"order:{world.order(wrong)}", "tokenSignature": signed_order(world, mark)["tokenSignature"]}
    _, status = refused(lambda: world.invoke(authorizer=world.parts.signed, **bad))
    rows.check(31, (status, world.calls(wrong)), (400, 0))
    for end in ("%3D", "\n"):
        request = {**bad, "tokenSignature": bad["tokenSignature"][:40] + end}
        rows.check(32, refused(lambda request=request: world.invoke(authorizer=world.parts.signed, **request)), INVALID)  # type: ignore[misc]


@pytest.mark.rows(30, 33, 36)
def test_what_goes_in_and_out(world: World, rows: Any) -> None:
    """Raw bytes go in and are base64 to the function; policies come out as texts; a refusal is an answer."""
    mark = world.mark("30")
    found = world.invoke(mark=mark)
    password = base64.b64decode(world.event(mark)["protocolData"]["mqtt"]["password"])
    rows.check(30, password.startswith(b"order:"), True)
    rows.check(33, {type(each) for each in found["policyDocuments"]}, {str})
    rows.check(36, world.invoke({"members": {"isAuthenticated": False}})["isAuthenticated"], False)


@pytest.mark.rows(34, 37)
def test_what_is_not_taken(world: World, rows: Any) -> None:
    """A principal with a hyphen, and a token of 6145 characters."""
    rows.check(34, refused(lambda: world.invoke({"members": {"principalId": "a-b"}})), BAD_ANSWER)
    rows.check(37, refused(lambda: world.invoke(token="a" * 6145)), INVALID)


@pytest.mark.rows(35, 68)
def test_a_function_that_fails_or_is_late(world: World, rows: Any) -> None:
    """An exception, and an answer after 6 s, for which AWS IoT does not wait; a device is refused then, too."""

    def late() -> tuple[str, float]:
        began = world.now()
        return world.connect({"sleep": 6}, about="68").verdict, world.now() - began

    with ThreadPoolExecutor(2) as pool:
        device, invoked = pool.submit(late), pool.submit(refused, lambda: world.invoke({"sleep": 6}))
        outcome, took_s = device.result()
        rows.check(35, invoked.result(), BAD_ANSWER)
    # The answer would let the device in: that it is refused says that nobody waited. How long they did is for AWS.
    is_about_5_s = world.kind == "emulator" or 4 < took_s < 7
    rows.check(68, (outcome, is_about_5_s), ("refused", True))
    rows.check(35, refused(lambda: world.invoke({"fail": True})), BAD_ANSWER)
