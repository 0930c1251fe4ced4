"""No cause that can be diagnosed goes without somebody who has broken it."""

from __future__ import annotations

import re

from iotauth_cli.probe.causes import CAUSES
from iotauth_cli.probe.explanations.ours import in_general
from support import REPOSITORY
from support_causes import assert_typable

NAMED = re.compile(r'Breakage\(\s*"([a-z0-9-]+)"')
NOT_BROKEN = {
    "function-not-ready": "the emulator's functions are ready as soon as they are made; tests/probe has the row",
    "port-for-certificates": "the emulator listens on one port, whose number is not 8883; tests/probe has the row",
    "no-client-id": "no device gets so far: AWS IoT and the emulator refuse such a client id before the function",
    "no-mqtt-in-websocket": "it takes a server that opens a WebSocket and speaks something else in it; tests/probe",
}


def broken() -> set[str]:
    tests = (path.read_text(encoding="utf-8") for path in (REPOSITORY / "tests" / "causes").glob("test_*.py"))
    return {name for text in tests for name in NAMED.findall(text)}


def test_every_cause_is_broken_or_there_is_a_reason_why_not() -> None:
    """A new row of the table needs a breakage here, and a row that is gone takes its own with it."""
    known = {cause.name for cause in CAUSES}
    assert known - broken() - set(NOT_BROKEN) == set()
    assert (broken() | set(NOT_BROKEN)) - known == set()
    assert broken() & set(NOT_BROKEN) == set()


def test_at_least_45_causes_are_broken_for_real() -> None:
    assert len(broken()) >= 45


def test_every_command_in_a_remedy_can_be_typed() -> None:
    """A remedy that the program refuses would be worse than none."""
    for cause in CAUSES:
        for line in re.findall(r"`iotauth ([^`]+)`", in_general(cause.remedy)):
            assert_typable(line)


def test_no_command_is_left_to_be_guessed() -> None:
    """In general too a command begins with its program, and not with a name to be filled in."""
    for cause in CAUSES:
        for line in re.findall(r"`([^`]+ [^`]+)`", in_general(cause.remedy)):
            assert not line.split()[0].isupper(), line
