"""What the function refuses, and how it fails to answer."""

from __future__ import annotations

import base64
import json

import pytest

from iotauth_cli.operations.connect import Report, Visit
from iotauth_cli.probe.stages import Manner
from iotauth_cli.secret import Secret
from support_causes import SIGNED_CLIENT, Breakage, World
from support_world import Closed, answering, document

THROWS = "def handler(event, context):\n    return event['password']\n"
REFUSES = "def handler(event, context):\n    return {'isAuthenticated': False}\n"
SLEEPS = "import time\ndef handler(event, context):\n    time.sleep(30)\n"
ALLOW_ALL = [document(("Allow", "iot:*", "*"))]


def retired(world: World) -> Report:
    """A slot that a rotation has retired, and the device still has it."""
    added = world.place.add("secret-retired")
    hashed = added.record.slots["A"].hash
    slot = {"Hash": {"S": hashed}, "Created": {"N": "1"}, "State": {"S": "retired"}}
    return world.row("secret-retired", Secret_A={"M": slot})


def outdated(world: World) -> Report:
    """A password whose grace period is over."""
    added = world.place.add("secret-expired")
    hashed = added.record.slots["A"].hash
    slot = {"Hash": {"S": hashed}, "Created": {"N": "1"}, "State": {"S": "retiring"}, "Expires": {"N": "1000"}}
    return world.row("secret-expired", Secret_A={"M": slot})


def in_base64(world: World) -> Report:
    kept = world.place.store.load("thermo-1")
    assert kept is not None
    return world.knock(password=Secret(base64.b64encode(kept.password.reveal().encode()).decode()))


def with_anothers_token(world: World) -> Report:
    """Two boards whose settings were mixed up: the token is signed, and for the other one."""
    other = world.signed.store.load("signed-2")
    assert other is not None
    return world.knock_signed(username=other.device_username.replace("signed-2?", f"{SIGNED_CLIENT}?", 1))


def told(world: World, **variables: str) -> Report:
    with world.function_told(**variables):
        return world.knock()


def slow(world: World) -> Report:
    with world.place.deployed("slow", SLEEPS, timeout_s=1):
        return world.knock(authorizer="slow")


def logging(reason: str) -> str:
    """Return a function that logs as iotauth's does, with a reason of its own."""
    line = json.dumps({"iotauth": 1, "client": "thermo-1", "allowed": False, "reason": reason}, separators=(",", ":"))
    return f"def handler(event, context):\n    print({line!r})\n    return {{'isAuthenticated': False}}\n"


def closed_to(world: World, *calls: str) -> Closed:
    return Closed(world.place.target, closed=frozenset(calls))


def unseen(world: World, source: str) -> Report:
    """A function that may be asked through AWS IoT alone, and whose log is closed."""
    session = closed_to(world, "lambda:invoke", "logs:filter_log_events")
    with world.place.deployed("unseen", source):
        return world.knock(session=session, authorizer="unseen")


def answer(**members: object) -> str:
    return answering(ALLOW_ALL, **members)


LONG = document(*(("Allow", "iot:Publish", f"arn:aws:iot:us-east-1:1:topic/{'x' * 90}/{n}") for n in range(20)))
TOO_MANY_TOPICS = {"L": [{"S": f"{'x' * 200}/{n}"} for n in range(120)]}
ANSWERS = {  # of each limit, one answer beyond it
    "answer-not-json": "def handler(event, context):\n    return 'no'\n",
    "is-authenticated": answer(isAuthenticated="true"),
    "principal-id": answer(principalId="door-7"),
    "principal-id-too-long": answer(principalId="x" * 129),
    "policy-documents": answer(policyDocuments="all"),
    "too-many-documents": answer(policyDocuments=ALLOW_ALL * 11),
    "document-not-json": answer(policyDocuments=["allow"]),
    "document-too-long": answer(policyDocuments=[LONG]),
    "disconnect-after": answer(disconnectAfterInSeconds=86_401),
    "refresh-after": answer(refreshAfterInSeconds=299),
}

BREAKAGES = (
    Breakage("wrong-password", "mistyped", lambda world: world.knock(password=Secret("wrong"))),
    Breakage(
        "wrong-password",
        "over HTTPS",
        lambda world: world.knock(password=Secret("wrong"), manner=Manner("http", "headers")),
    ),
    Breakage("password-in-base64", "encoded twice", in_base64),
    Breakage("unknown-client", "never added", lambda world: world.knock(Visit("thermo-99", password=Secret("any")))),
    Breakage("wrong-username", "somebody else's", lambda world: world.knock(username="somebody-else")),
    Breakage("no-password", "empty", lambda world: world.knock(password=Secret(""))),
    Breakage("disabled", "locked out", lambda world: world.row("disabled", allow_connect={"BOOL": False})),
    Breakage("expired", "its time is over", lambda world: world.row("expired", Expires={"N": "1000"})),
    Breakage("secret-retired", "a retired slot", retired),
    Breakage("secret-expired", "a slot whose time is over", outdated),
    Breakage("malformed-record", "a text for a list", lambda world: world.row("bad", publish_topics={"S": "no list"})),
    Breakage("policy-too-large", "too many topics", lambda world: world.row("large", publish_topics=TOO_MANY_TOPICS)),
    Breakage(
        "signature-required",
        "by the unsigned authorizer",
        lambda world: world.row("must-sign", Token={"M": {"Required": {"BOOL": True}}}),
    ),
    Breakage("wrong-token", "another client's", with_anothers_token),
    Breakage("misconfigured", "no table named", told),
    Breakage("table-unavailable", "another table named", lambda world: told(world, IOTAUTH_TABLE="gone")),
    Breakage("refused-by-function", "a reason of its own", lambda world: world.answered("late", logging("too-late"))),
    Breakage("refused", "without a word", lambda world: world.answered("refuses", REFUSES)),
    Breakage("function-timeout", "too slow", slow),
    Breakage("function-error", "throws", lambda world: world.answered("throws", THROWS)),
    Breakage("function-error", "no Python", lambda world: world.answered("broken", "def handler(:\n")),
    Breakage("no-valid-answer", "and nobody may look", lambda world: unseen(world, answer(principalId="door-7"))),
    Breakage(
        "connect-refused",
        "and nobody may look",
        lambda world: world.knock(session=closed_to(world, "*"), password=Secret("wrong")),
    ),
    *(
        Breakage("invalid-answer", rule, lambda world, rule=rule, source=source: world.answered(rule, source))  # type: ignore[misc]
        for rule, source in ANSWERS.items()
    ),
)


@pytest.mark.parametrize("breakage", BREAKAGES, ids=str)
def test_what_the_function_does_is_found_out(breakage: Breakage, broken_world: World) -> None:
    """Precisely this is wrong, and precisely this is said."""
    breakage.is_found_out_in(broken_world)
