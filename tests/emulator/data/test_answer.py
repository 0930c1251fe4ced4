"""Conformance rows 59 to 75: what becomes of the function's answer, and of its timers."""

from __future__ import annotations

import json
from typing import Any

import pytest

from iotauth_cli.emulator.model import Invocation
from iotauth_cli.emulator.mqtt.packets import Connack, Pingreq, Pingresp, Will
from support_data import (
    CONNECT_ONLY,
    EVERYTHING,
    Plane,
    answer,
    in_loop,
    policy,
    statement,
)


async def refused(plane: Plane, check: str, sentence: str) -> None:
    """Connect; see one call, the close without CONNACK, and the check that decided."""
    device = plane.device()
    await device.connect()
    assert device.is_closed
    assert device.received == []
    assert len(plane.runner.events) == 1
    assert (plane.last.outcome, plane.last.decided_by) == ("refused", check)
    assert sentence in plane.last.sentence
    assert plane.last.function_called


def padded(characters: int) -> dict[str, Any]:
    """A document of exactly *characters* in its compact form."""
    document = policy(statement("iot:Connect", "*", Sid=""))
    missing = characters - len(json.dumps(document, separators=(",", ":")))
    document["Statement"][0]["Sid"] = "x" * missing
    return document


@in_loop
async def test_row_059_not_authenticated(plane: Plane) -> None:
    """The client is closed without CONNACK."""
    plane.runner.reply = answer(isAuthenticated=False)
    await refused(plane, "authentication", "`isAuthenticated: false`")


@in_loop
async def test_row_059_a_connack_5_where_that_behaviour_is_chosen() -> None:
    """The sources disagree, so the other form can be had."""
    plane = Plane(answers_refused_connect=True)
    plane.runner.reply = answer(isAuthenticated=False)
    device = plane.device()
    await device.connect()
    assert device.received == [Connack(5)]
    assert device.is_closed
    plane.close()


async def accepted(plane: Plane, reply: object) -> None:
    plane.runner.reply = reply
    await plane.connected()


@in_loop
async def test_row_060_the_answer_is_a_json_text(plane: Plane) -> None:
    """A function may answer with `json.dumps(…)` as well as with the object."""
    await accepted(plane, json.dumps(answer()))


@in_loop
async def test_row_061_policy_documents_are_json_texts(plane: Plane) -> None:
    """As older functions write them, beside documents as objects."""
    await accepted(plane, answer(json.dumps(EVERYTHING)))


@in_loop
async def test_row_062_further_members_are_ignored(plane: Plane) -> None:
    """AWS's own example answers with a `password`; what is not asked for does not count."""
    await accepted(plane, answer(password="secret", context={"a": 1}))


@pytest.mark.parametrize(
    "reply",
    [
        pytest.param(answer(*[EVERYTHING] * 10), id="ten-documents"),
        pytest.param(answer(padded(2048)), id="document-of-2048-characters"),
    ],
)
@in_loop
async def test_an_answer_may_go_up_to_the_limits(plane: Plane, reply: object) -> None:
    """Ten documents of 2,048 characters are the last that AWS IoT takes."""
    await accepted(plane, reply)


async def broken(plane: Plane, reply: object, sentence: str) -> None:
    plane.runner.reply = reply
    await refused(plane, "answer", sentence)


@in_loop
async def test_row_063_eleven_documents(plane: Plane) -> None:
    """One more than AWS IoT takes refuses the client, and the log counts them."""
    await broken(plane, answer(*[EVERYTHING] * 11), "11 documents")


@in_loop
async def test_row_064_a_document_of_2049_characters(plane: Plane) -> None:
    """Counted as compact JSON; the log says how long it is."""
    await broken(plane, answer(padded(2049)), "2049 characters")


@pytest.mark.parametrize("principal_id", ["", "a" * 129, "a_b"], ids=["empty", "long", "underscore"])
@in_loop
async def test_row_065_a_principal_id_that_is_none(plane: Plane, principal_id: str) -> None:
    """It has 1 to 128 letters and digits, and nothing else."""
    await broken(plane, answer(principalId=principal_id), "`principalId`")


@in_loop
async def test_row_066_a_refresh_after_299_seconds(plane: Plane) -> None:
    """A timer below 300 beside `isAuthenticated: true` refuses the client."""
    await broken(plane, answer(refreshAfterInSeconds=299), "`refreshAfterInSeconds`")


@pytest.mark.parametrize(
    ("reply", "sentence"),
    [
        pytest.param(answer(disconnectAfterInSeconds=86_401), "`disconnectAfterInSeconds`", id="too-late"),
        pytest.param(answer(isAuthenticated="true"), "`isAuthenticated`", id="text-for-true"),
        pytest.param(b"<html>", "not JSON", id="not-json"),
        pytest.param(b'"text"', "not JSON", id="text-not-json"),
        pytest.param([1], "not a JSON object", id="list"),
        pytest.param(answer({"Statement": [{"Effect": "Perhaps"}]}), "iotauth-doors", id="no-policy"),
    ],
)
@in_loop
async def test_an_answer_that_breaks_a_rule(plane: Plane, reply: object, sentence: str) -> None:
    """It is refused, and the log names the member."""
    await broken(plane, reply, sentence)


@in_loop
async def test_row_067_zero_timers_with_a_refusal(plane: Plane) -> None:
    """0 and 0 beside `isAuthenticated: false` are a plain refusal, not a broken answer."""
    plane.runner.reply = answer(isAuthenticated=False, refreshAfterInSeconds=0, disconnectAfterInSeconds=0)
    await refused(plane, "authentication", "`isAuthenticated: false`")


@in_loop
async def test_row_068_an_answer_later_than_five_seconds(plane: Plane) -> None:
    """The runner gives up at the gateway's limit, whatever the function's own timeout."""
    plane.runner.ended = Invocation("request-1", b"", "Unhandled", timed_out=True)
    await refused(plane, "timeout", "AWS IoT waits 5 s")
    assert plane.runner.limits == [5.0]


@in_loop
async def test_row_069_the_function_raises(plane: Plane) -> None:
    """The log names the exception, but not its message, which may quote a password."""
    error = {"errorType": "KeyError", "errorMessage": "hunter2"}
    plane.runner.ended = Invocation("request-1", json.dumps(error).encode(), "Unhandled")
    await refused(plane, "function-error", "failed with KeyError; its log has the cause")
    assert "hunter2" not in repr(plane.last)
    assert plane.last.request_id == "request-1"


@pytest.mark.parametrize("payload", [b"", b"[]", b'{"errorType": 3}', b'{"errorType": "a b"}'])
@in_loop
async def test_an_error_of_any_shape_is_a_refusal(plane: Plane, payload: bytes) -> None:
    """The error's JSON is the function's to write, so nothing about it is taken for granted."""
    plane.runner.ended = Invocation("request-1", payload, "Unhandled")
    await refused(plane, "function-error", "`iotauth-doors` failed; its log")


@in_loop
async def test_row_070_a_policy_without_connect(plane: Plane) -> None:
    """Authenticated and still refused: the commonest mistake of one's own."""
    plane.runner.reply = answer(policy(statement("iot:Publish", "*")))
    await refused(plane, "iot:Connect", "no statement allows iot:Connect on client/thermo-1")


@in_loop
async def test_row_070_no_documents_at_all(plane: Plane) -> None:
    """An empty list denies everything."""
    plane.runner.reply = answer(policyDocuments=[])
    await refused(plane, "iot:Connect", "no statement allows")


@in_loop
async def test_row_071_connect_allowed_for_another_client_id(plane: Plane) -> None:
    """`client/a` does not let in `thermo-1`."""
    plane.runner.reply = answer(policy(statement("iot:Connect", "client/a")))
    await refused(plane, "iot:Connect", "client/thermo-1")


@in_loop
async def test_row_086_the_client_id_variable(plane: Plane) -> None:
    """`${iot:ClientId}` is the client id of the CONNECT."""
    plane.runner.reply = answer(policy(statement("iot:Connect", "client/${iot:ClientId}")))
    await plane.connected("thermo-1")


@pytest.mark.parametrize(
    ("allowed", "retain", "decided_by"),
    [
        ([], False, "iot:Publish"),
        (["iot:Publish"], True, "iot:RetainPublish"),
        (["iot:RetainPublish"], True, "iot:Publish"),
    ],
)
@in_loop
async def test_row_088_a_will_that_may_not_be_published(
    plane: Plane, allowed: list[str], retain: bool, decided_by: str
) -> None:
    """The CONNECT fails already; a retained will needs iot:RetainPublish beside iot:Publish."""
    plane.lets_in_under(*[statement(action, "topic/will") for action in allowed])
    device = plane.device()
    await device.connect(will=Will("will", b"gone", retain=retain))
    assert device.is_closed
    assert device.received == []
    assert (plane.last.outcome, plane.last.decided_by) == ("refused", decided_by)
    assert "topic/will" in plane.last.sentence


@in_loop
async def test_the_condition_keys_of_connect_are_filled_in(plane: Plane) -> None:
    """A policy may forbid persistent sessions, or wills."""
    condition = {"ForAllValues:StringEquals": {"iot:ConnectAttributes": ["LastWill"]}}
    plane.runner.reply = answer(
        policy(statement("iot:Connect", "*", Condition=condition), statement("iot:Publish", "*"))
    )
    await plane.connected(will=Will("will", b"gone"))
    device = plane.device()
    await device.connect(clean=False)
    assert device.is_closed


@in_loop
async def test_row_072_disconnect_after(plane: Plane) -> None:
    """At the cut-off the connection is closed, however lively, and its will is published."""
    watcher = await plane.connected("watcher", keep_alive_s=1200)
    await watcher.subscribe("will")
    plane.runner.reply = answer(disconnectAfterInSeconds=300)
    device = await plane.connected(keep_alive_s=1200, will=Will("will", b"gone"))
    await plane.advance(299)
    await device.send(Pingreq())
    assert device.received == [Pingresp()]
    await plane.advance(1)
    assert device.is_closed
    assert plane.last.decided_by == "CUSTOMAUTH_TTL_EXPIRATION"
    assert plane.last.outcome == "cut-off"
    assert watcher.messages == [("will", b"gone")]


@in_loop
async def test_row_073_refresh_after(plane: Plane) -> None:
    """The function is called again with the same credentials, and its new policy is in force."""
    plane.runner.reply = answer(refreshAfterInSeconds=300)
    device = await plane.connected(keep_alive_s=1200)
    await device.publish("a", qos=1)
    assert device.pubacks == [7]
    plane.runner.reply = answer(policy(CONNECT_ONLY), refreshAfterInSeconds=300)
    await plane.advance(299)
    assert len(plane.runner.events) == 1
    await plane.advance(1)
    first, second = plane.runner.events
    assert first == second
    assert plane.last.outcome == "refreshed"
    await device.publish("a", qos=1)
    assert device.is_closed
    assert plane.last.decided_by == "iot:Publish"


@in_loop
async def test_a_refresh_is_asked_for_again_after_each_interval(plane: Plane) -> None:
    """Three intervals, three more calls."""
    plane.runner.reply = answer(refreshAfterInSeconds=300)
    await plane.connected(keep_alive_s=1200)
    for _ in range(3):
        await plane.advance(300)
    assert len(plane.runner.events) == 4


@in_loop
async def test_row_074_a_refresh_does_not_move_the_cut_off(plane: Plane) -> None:
    """The first answer's disconnectAfterInSeconds counts from the CONNECT, for good."""
    plane.runner.reply = answer(refreshAfterInSeconds=300, disconnectAfterInSeconds=600)
    device = await plane.connected(keep_alive_s=1200)
    plane.runner.reply = answer(disconnectAfterInSeconds=86_400)
    await plane.advance(300)
    assert len(plane.runner.events) == 2
    await plane.advance(300)
    assert device.is_closed
    assert plane.last.decided_by == "CUSTOMAUTH_TTL_EXPIRATION"


@pytest.mark.parametrize(
    "reply", [answer(isAuthenticated=False), answer(policy(statement("iot:Publish", "*"))), b"broken"]
)
@in_loop
async def test_row_075_a_refresh_that_denies_or_fails(plane: Plane, reply: object) -> None:
    """The connection is closed at once, and the log says which check it was."""
    plane.runner.reply = answer(refreshAfterInSeconds=300)
    device = await plane.connected(keep_alive_s=1200)
    plane.runner.reply = reply
    await plane.advance(300)
    assert device.is_closed
    assert plane.last.outcome == "cut-off"
    assert plane.last.decided_by in ("authentication", "iot:Connect", "answer")


@in_loop
async def test_row_076_a_credential_that_was_deleted(plane: Plane) -> None:
    """The live session goes on until its refresh; a new connection is refused."""
    device = await plane.connected("thermo-1", keep_alive_s=1200)
    plane.runner.reply = answer(isAuthenticated=False)
    newcomer = plane.device()
    await newcomer.connect("thermo-2")
    assert newcomer.is_closed
    await device.publish("a", qos=1)
    assert device.pubacks == [7]


@in_loop
async def test_an_authorizer_that_becomes_inactive_ends_its_connections_at_the_refresh(plane: Plane) -> None:
    """A refresh walks through every check again, not the function alone."""
    plane.runner.reply = answer(refreshAfterInSeconds=300)
    device = await plane.connected(keep_alive_s=1200)
    plane.authorizers.add(is_active=False)
    await plane.advance(300)
    assert device.is_closed
    assert plane.last.decided_by == "authorizer"
