"""What `iotauth logs` looks like at 60, 80 and 120 columns, and what it makes of what devices and functions wrote."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest

from iotauth_cli.cli import render_logs as render
from iotauth_cli.cli.output import harmless
from iotauth_cli.operations.log_calls import LoggedCall
from iotauth_cli.operations.log_entries import IotEntry
from iotauth_cli.operations.log_stories import Story
from iotauth_cli.operations.logs import Found, Sources, Told
from iotauth_cli.probe.evidence import Call
from support_emulator import RunningEmulator

AT = 1_795_195_715_000  # 2026-11-20 17:28:35 UTC


def entry(event: str, *, ok: bool = True, after_s: int = 0, **members: str) -> IotEntry:
    return IotEntry(AT + after_s * 1000, event, ok, client_id="thermo-1", **members)


def asked(allowed: bool | None, reason: str | None = None, **members: object) -> LoggedCall:
    known = {name: members.pop(name) for name in ("error", "cause") if name in members}
    call = Call(AT, "thermo-1", allowed, reason, duration_ms=3.0, **known)  # type: ignore[arg-type]
    return LoggedCall("s", call, connection_id="c", is_over=True, **members)  # type: ignore[arg-type]


def shown(story: Story, width: int = 80, *, uncalled: bool = False) -> list[str]:
    numbers = frozenset([story.number]) if uncalled else frozenset()
    return render.story_lines(Found(Sources("doors-authorizer", "on"), (story,), uncalled=numbers), width)


LET_IN = Story(
    1,
    AT,
    "thermo-1",
    "c",
    (asked(True, "ok", slot="A", init_ms=72.4), asked(True, "ok", slot="A")),
    (
        entry("Connect", source_ip="192.0.2.7"),
        entry("Subscribe", topic="sensors/thermo-1"),
        entry("Publish-In", ok=False, after_s=9, topic="secret", reason="AUTHORIZATION_FAILURE"),
        entry("Disconnect", after_s=9, disconnect_reason="AUTH_ERROR"),
    ),
    published=1,
    delivered=12,
)


def test_a_story_from_the_call_to_its_end() -> None:
    """One look tells who, what was decided, what it took, what happened next and why it ended."""
    assert shown(LET_IN) == [
        "2026-11-20 17:28:35 UTC  let in client `thermo-1`",
        "    slot A; 3 ms, after a cold start of 72 ms",
        "    17:28:35  asked again: slot A; 3 ms",
        "    17:28:35  connected from 192.0.2.7",
        "    17:28:35  subscribed to `sensors/thermo-1`",
        "    17:28:44  refused publish to `secret` (`AUTHORIZATION_FAILURE`)",
        "    published 1 message, got 12 messages",
        "    17:28:44  disconnected: the client could not be authenticated or may not do",
        "        what it did (`AUTH_ERROR`)",
    ]


@pytest.mark.parametrize("width", [60, 80, 120])
def test_no_line_is_wider_than_the_terminal(width: int) -> None:
    """Words are wrapped, and what belongs to a line stands below it."""
    assert max(map(len, shown(LET_IN, width))) <= width


@pytest.mark.parametrize(
    ("story", "lines"),
    [
        (
            Story(1, AT, "thermo-1", calls=(asked(False, "table-unavailable", cause="ConnectionLost"),)),
            [
                "refused client `thermo-1`",
                "    the function cannot read the table of clients (`table-unavailable`, ConnectionLost); 3 ms",
            ],
        ),
        (
            Story(1, AT, None, calls=(asked(None, error="Task timed out after 5.00 seconds"),)),
            [
                "the function failed",
                "    it took too long: Task timed out after 5.00 seconds; AWS IoT waits 5 s and then lets nobody in;",
                "        3 ms",
            ],
        ),
        (
            Story(1, AT, None, calls=(asked(None, lines=("hello", "two\nlines"), unshown_lines=3),)),
            [
                "the function was called",
                "    3 ms",
                *("    | hello", "    | two", "    | lines"),
                "    and 3 more lines of its own",
            ],
        ),
        (
            Story(1, AT, "thermo-1", calls=(asked(True, "ok"),), entries=(entry("Connect", ok=False),)),
            [
                "the function let in client `thermo-1`, and AWS IoT did not",
                "    3 ms",
                "    17:28:35  AWS IoT refused the connection",
            ],
        ),
        (
            Story(1, AT, "thermo-1", calls=(asked(False, "a-newer-reason"),)),
            ["refused client `thermo-1`", "    `a-newer-reason`; 3 ms"],
        ),
        (Story(1, AT, None, line="hello"), ["the function printed", "    | hello"]),
    ],
    ids=["table", "timeout", "foreign", "policy", "unknown reason", "line"],
)
def test_what_went_wrong_is_told_in_words(story: Story, lines: list[str]) -> None:
    """The slug stands beside, for whoever looks it up."""
    assert shown(story, 120) == [f"2026-11-20 17:28:35 UTC  {lines[0]}", *lines[1:]]


def test_a_refusal_before_the_function_names_what_to_look_at() -> None:
    """Only where it is certain that there was no call."""
    story = Story(1, AT, "thermo-1", entries=(entry("Connect", ok=False, reason="AUTHORIZATION_FAILURE"),))
    certain, uncertain = (shown(story, 120, uncalled=known) for known in (True, False))
    assert certain[1].startswith(
        "    function `doors-authorizer` was not called: look at the authorizer in the user name"
    )
    assert not any("not called" in line for line in uncertain)


def test_one_line_for_those_who_watch() -> None:
    """Each names its client; a function's own lines stand below."""
    foreign = asked(None, lines=("hello",))
    told = [
        Told(LET_IN, LET_IN.entries[2]),
        Told(Story(2, AT, "thermo-1", calls=(foreign,)), foreign),
        Told(LET_IN, LET_IN.calls[1]),
    ]
    assert [line for each in told for line in render.line(each)] == [
        "2026-11-20 17:28:44 UTC  client `thermo-1`: refused publish to `secret` (`AUTHORIZATION_FAILURE`)",
        "2026-11-20 17:28:35 UTC  the function was called for client `thermo-1`: 3 ms",
        "    | hello",
        "2026-11-20 17:28:35 UTC  asked again, let in client `thermo-1`: slot A; 3 ms",
    ]


def test_what_a_device_wrote_does_not_steer_the_terminal() -> None:
    """A client id and a topic are a stranger's text."""
    evil = "\x1b[2J\rthermo"
    story = Story(1, AT, evil, entries=(IotEntry(AT, "Subscribe", False, client_id=evil, topic=evil),))
    assert "\x1b" not in harmless("\n".join(shown(story)))


def test_ctrl_c_ends_following(emulator: RunningEmulator) -> None:
    """With 130 and no traceback, also while it waits for the next look."""
    environment = {**os.environ, "IOTAUTH_EMULATOR": "1", "IOTAUTH_STATE_DIR": str(emulator.state_dir)}
    command = [sys.executable, "-m", "iotauth_cli", "logs", "--follow", "--since", "1s"]
    process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    assert process.stderr.readline() == "following from 1s ago; Ctrl-C ends it\n"
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=10)
    assert process.returncode == 130
    assert "Traceback" not in said
