"""What `authorizer create` asks where somebody sits, and how often it asks AWS."""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator

import pytest

from iotauth_cli.__main__ import main
from support_desk import Desk
from support_device import Device, text
from support_emulator import RunningEmulator
from support_recorded import recorded
from support_scenarios import Tape, streams

NAMES = {"IOTAUTH_TABLE": "asked", "IOTAUTH_FUNCTION": "asked-authorizer", "IOTAUTH_AUTHORIZER": "asked"}
# One for the log group, three for the table, two for the role, one for the function, one for the authorizer, one for
# the permission; whose keys these are, and whether the function is a stack's.
CALLS_OF_A_REPEATED_CREATE = [
    "DescribeAuthorizer",
    "DescribeContinuousBackups",
    "DescribeLogGroups",
    "DescribeTable",
    "DescribeTimeToLive",
    "GetCallerIdentity",
    "GetFunctionConfiguration",
    "GetPolicy",
    "GetRole",
    "GetRolePolicy",
    "ListTags",
]


class Person(io.StringIO):
    """Somebody at a terminal who types what was given."""

    def isatty(self) -> bool:
        return True


@pytest.fixture
def desk(at_emulator: Desk, monkeypatch: pytest.MonkeyPatch) -> Iterator[Desk]:
    for name, value in NAMES.items():
        monkeypatch.setenv(name, value)
    assert at_emulator("authorizer", "create").code == 0
    yield at_emulator
    assert at_emulator("authorizer", "delete", "--yes", "--table").code == 0


@pytest.mark.parametrize(("typed", "code", "is_changed"), [("n\n", 1, False), ("", 1, False), ("y\n", 0, True)])
def test_a_person_is_asked_before_what_is_there_changes(desk: Desk, typed: str, code: int, is_changed: bool) -> None:
    """The plan stands above the question; no is an answer, and then nothing was changed."""
    ran, text = at_terminal(typed, "authorizer", "create", "--retention", "90")
    assert ran == code
    assert "update log group `/aws/lambda/asked-authorizer`: logs are kept 30 days, not 90 days" in text
    assert "change this in the emulator? [y/N]" in text
    assert ("nothing was changed" in text) is not is_changed
    plan = desk("authorizer", "create", "--retention", "90", "--dry-run", "--json").document
    assert plan["applied"] is False
    assert plan["steps"][0]["action"] == ("keep" if is_changed else "update")


def at_terminal(typed: str, *words: str) -> tuple[int, str]:
    """Type a command and then *typed* at a terminal; return the exit code and what was seen."""
    tape = Tape()
    with streams(Person(typed), tape.stream(""), tape.stream("! ")):
        code = main(list(words))
    return code, "\n".join(tape.lines())


def test_nobody_is_asked_where_nothing_changes(desk: Desk) -> None:
    """New parts need no question, and a script that changes what is there is not asked either."""
    assert at_terminal("", "authorizer", "create")[0] == 0
    assert desk("authorizer", "create", "--retention", "90").code == 0
    assert desk("authorizer", "create", "--retention", "30", "--yes").code == 0


def test_a_plan_has_the_question_that_would_be_asked(desk: Desk) -> None:
    """For scripts that decide: a default of somebody else's is in the JSON with its question."""
    assert desk("authorizer", "create", "--default").code == 0
    plan = desk("authorizer", "create", "asked-2", "--default", "--dry-run", "--json").document
    assert plan["steps"][-1]["question"] == (
        "devices that name no authorizer are let in by `asked`: let `asked-2` decide about them?"
    )
    assert all("question" not in step for step in plan["steps"][:-1])


def test_a_repeated_create_asks_for_each_fact_once(desk: Desk) -> None:
    """Eleven reads and no change: what it costs to see that all is well."""
    with recorded() as calls:
        assert desk("authorizer", "create").code == 0
    assert sorted(call.operation for call in calls) == CALLS_OF_A_REPEATED_CREATE
    assert not any(call.is_mutating for call in calls)


def test_a_client_without_alpn_gets_in_by_the_endpoint_that_was_made(desk: Desk, emulator: RunningEmulator) -> None:
    """With a plain user name and no ALPN, as an ESP8266 connects; by the account's own endpoint it does not."""
    made = desk("authorizer", "create", "--alpn-free", "--json").document["alpn_free_endpoint"]
    assert made["port"] == emulator.ready.data_endpoint.port
    password = desk("client", "add", "esp-1", "--topic", "esp/1", "--json").document["password"]
    texts = [text(each) for each in ("MQTT", "esp-1", "esp-1", password)]
    connect = texts[0] + bytes([4, 0xC2]) + struct.pack(">H", 60) + b"".join(texts[1:])
    for server_name, is_let_in in ((made["host"], True), ("localhost", False)):
        with Device(emulator, server_name=server_name, alpn=()) as device:
            device.send(0x10, connect)
            answer = device.receive()
            assert (answer is not None and answer[1][1] == 0) is is_let_in
