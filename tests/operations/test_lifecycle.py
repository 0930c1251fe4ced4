"""Lifecycle events as sentences: what each says, and that what repeats is counted."""

from __future__ import annotations

import json
from typing import Any

import pytest

from iotauth_cli.emulator.mqtt.session import DisconnectReason
from iotauth_cli.operations.lifecycle import LEFT, MAX_FOLLOWED, Feed


def event(kind: str, client_id: str = "door-7", *, at: float = 0, **members: Any) -> bytes:
    return json.dumps(
        {"clientId": client_id, "timestamp": int(at * 1000), "eventType": kind, "ipAddress": "127.0.0.1", **members}
    ).encode()


def left(reason: str, *, at: float = 0) -> bytes:
    return event("disconnected", at=at, disconnectReason=reason)


def told(*events: bytes, own: str = "") -> list[str | None]:
    feed = Feed(own)
    return [feed.tell("$aws/events/x", each) for each in events]


@pytest.mark.parametrize(
    ("found", "sentence"),
    [
        (event("connected"), "`door-7` connected from 127.0.0.1"),
        (left("CLIENT_INITIATED_DISCONNECT"), "`door-7` left: CLIENT_INITIATED_DISCONNECT, it said goodbye"),
        (left("CONNECTION_LOST"), "`door-7` left: CONNECTION_LOST, the line broke, without a goodbye"),
        (left("SOMETHING_NEW"), "`door-7` left: SOMETHING_NEW"),
        (
            event("connect_failed", connectFailureReason="AUTHORIZATION_FAILED"),
            "`door-7` was refused from 127.0.0.1: AUTHORIZATION_FAILED, the authorizer said no, or its policy does "
            "not allow the connection or its will",
        ),
        (event("subscribed", topics=["a/b", "c"]), "`door-7` subscribed to `a/b`, `c`"),
        (event("unsubscribed", topics=list("abcdef")), "`door-7` unsubscribed from `a`, `b`, `c`, `d` and 2 more"),
        (event("moved"), "`door-7`: moved"),
        (b"no JSON", "an event on `$aws/events/x` cannot be read"),
        (b"[]", "an event on `$aws/events/x` cannot be read"),
        (b"[" * 100_000, "an event on `$aws/events/x` cannot be read"),
        (b'{"clientId": "a", "timestamp": "x", "eventType": "connected"}', "`a` connected"),
    ],
    ids=["in", "goodbye", "lost", "unknown", "refused", "subscribed", "many", "new", "text", "list", "deep", "time"],
)
def test_an_event_is_a_sentence(found: bytes, sentence: str) -> None:
    """Who, what, from where, and the reason with its meaning."""
    assert told(found) == [sentence]


def test_every_reason_that_the_emulator_gives_is_explained() -> None:
    """A reason without a word for it would be no sentence."""
    assert {reason.value for reason in DisconnectReason} <= LEFT.keys()


def test_whoever_listens_is_no_news() -> None:
    """One's own connection and subscriptions are left out."""
    assert told(event("connected", "iotauth-1"), event("connected"), own="iotauth-1") == [
        None,
        "`door-7` connected from 127.0.0.1",
    ]


def test_two_with_one_client_id_are_named_once() -> None:
    """From the third time on it is no hand-over; the coming and going is then left out, and counted again later."""
    fight = []
    for number in range(12):
        fight += [event("connected", at=number), left("DUPLICATE_CLIENTID", at=number)]
    sentences = [sentence for sentence in told(*fight) if sentence]
    assert sentences == [
        "`door-7` connected from 127.0.0.1",
        "`door-7` was thrown out: DUPLICATE_CLIENTID, another connection with its client id took its place",
        "`door-7` connected from 127.0.0.1",
        "`door-7` was thrown out: DUPLICATE_CLIENTID, another connection with its client id took its place",
        "`door-7` connected from 127.0.0.1",
        "`door-7` and another with its client id throw each other out (3 times in 10 s)",
    ]
    later = [sentence for sentence in told(*fight, left("DUPLICATE_CLIENTID", at=12)) if sentence]
    assert later[-1] == "`door-7` and another with its client id throw each other out (11 times in 10 s)"


def test_a_single_hand_over_later_is_told_as_one() -> None:
    """What was long ago does not count."""
    fight = [left("DUPLICATE_CLIENTID", at=number * 11) for number in range(5)]
    assert all(sentence and "was thrown out" in sentence for sentence in told(*fight))


def test_a_client_that_tries_again_and_again_is_counted() -> None:
    """The first refusal is told, and then every ten seconds how many there were."""
    refused = [event("connect_failed", at=n, connectFailureReason="AUTHORIZATION_FAILED") for n in range(25)]
    sentences = [sentence for sentence in told(*refused) if sentence]
    assert len(sentences) == 3
    assert sentences[1].endswith("(11 times in 10 s)")


def test_strangers_who_invent_names_take_no_memory() -> None:
    """What is remembered of client ids has an end."""
    feed = Feed()
    for number in range(MAX_FOLLOWED + 10):
        feed.tell("t", event("connect_failed", f"x-{number}", connectFailureReason="AUTHORIZATION_FAILED"))
    assert len(feed._recent) <= MAX_FOLLOWED
