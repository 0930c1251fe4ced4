"""The only voice: colour where somebody sees it, silence where it was asked for, no values in a bug's report."""

from __future__ import annotations

import getpass
import io
import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from iotauth_authorizer.credential import new_secret
from iotauth_cli.cli import output
from iotauth_cli.cli.output import Output, as_text, emphasise, harmless
from iotauth_cli.errors import InputError
from support_desk import Desk
from support_scenarios import Tape, streams


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@contextmanager
def recorded(stdin: io.TextIOBase | None = None) -> Iterator[Tape]:
    """Record what a program says that nobody watches, unless *stdin* is a terminal."""
    tape = Tape()
    with streams(stdin or io.StringIO(), tape.stream(""), tape.stream("! ")):
        yield tape


def test_what_is_in_backticks_is_bold_at_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing depends on it: elsewhere, under NO_COLOR and where they do not pair, the backticks stay."""
    assert emphasise("run `a` or `b`", Terminal()) == "run \x1b[1ma\x1b[22m or \x1b[1mb\x1b[22m"
    assert emphasise("run `a`", io.StringIO()) == "run `a`"
    assert emphasise("one ` alone", Terminal()) == "one ` alone"
    monkeypatch.setenv("NO_COLOR", "1")
    assert emphasise("run `a`", Terminal()) == "run `a`"


def test_quiet_keeps_results_and_drops_talk() -> None:
    """--quiet: what was asked for still comes."""
    with recorded() as tape:
        Output(quiet=True).say("talk")
        Output(quiet=True).result({}, "result")
    assert tape.lines() == ["result"]


def test_a_question_cannot_steer_the_terminal() -> None:
    """The names in it come from somebody's iotauth.yaml, and must not hide what is about to be removed."""
    with recorded(Terminal("n\n")) as tape:
        assert not Output().confirm("remove `all\x1b[2K\rnothing`?")
    assert tape.pieces == [("! ", "remove `all\\x1b[2K\\rnothing`? [y/N] ")]


def test_bytes_that_are_no_text_can_be_shown() -> None:
    """A file name that is not UTF-8 comes in as half characters, which no stream would take."""
    assert harmless("a\udcff.bin") == r"a\udcff.bin"
    assert json.loads(as_text({"path": "a\udcff"})) == {"path": "a\udcff"}


def test_an_empty_table_is_talk() -> None:
    """A script that counts lines of stdout counts none; JSON is an empty list."""
    with recorded() as tape:
        Output().table([], ("client",), [], empty="there are none")
        Output(as_json=True).table([], ("client",), [], empty="there are none")
    assert tape.lines() == ["! there are none", "[]"]


def test_a_fact_of_several_lines_is_named_once() -> None:
    """The name stands before the first."""
    with recorded() as tape:
        Output().facts({}, [("topic", "a"), ("topic", "b"), ("state", "on")])
    assert tape.lines() == ["topic  a", "       b", "state  on"]


def test_a_password_is_typed_unseen(monkeypatch: pytest.MonkeyPatch) -> None:
    """At a terminal it is asked for on stderr without an echo; with --no-input nobody is asked."""

    def unseen(prompt: str, stream: Any) -> str:
        stream.write(prompt)
        return "canary"

    monkeypatch.setattr(getpass, "getpass", unseen)
    with recorded(Terminal()) as tape:
        assert Output().read_password().reveal() == "canary"
        with pytest.raises(InputError, match="a password was expected on stdin"):
            Output(may_ask=False).read_password()
    assert tape.lines() == ["! password:"]


def test_a_password_that_is_no_text_is_not_quoted() -> None:
    """Neither the error nor its cause holds what was read."""
    piped = io.TextIOWrapper(io.BytesIO(b"canary\xff"), "utf-8")
    with recorded(piped), pytest.raises(InputError, match="is not UTF-8 text") as caught:
        Output().read_password()
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__


def test_waiting_shows_at_a_terminal_only() -> None:
    """A status line in a log file would be noise."""
    with recorded() as tape:
        Output().waiting("creating")
    assert tape.lines() == []


def test_an_error_is_not_written_behind_what_was_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """The status line goes away first, for Ctrl-C too."""
    shown = Terminal()
    monkeypatch.setattr(sys, "stderr", shown)
    Output().waiting("disabling `door-1`")
    output.show_error(InputError("no"), as_json=False, debug=False)
    assert "\x1b[1mdoor-1\x1b[22m\r\x1b[Kerror: no" in shown.getvalue()
    Output().waiting("looking")
    output.say_interrupted()
    assert "looking\r\x1b[Kinterrupted" in shown.getvalue()


def test_a_bug_is_admitted_without_its_values(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """Exit code 70, kind and place; the text of the exception only when --debug asks for it."""

    def broken(*_: object) -> None:
        raise LookupError("canary")

    monkeypatch.setattr("iotauth_cli.cli.render.settings", broken)
    told = desk("config", "show")
    assert told.code == 70
    assert told.lines[0].startswith("! error: iotauth has a bug: LookupError in config.py:")
    assert "canary" not in told.text
    assert "! LookupError: canary" in desk("config", "show", "--debug").lines


def test_streams_that_were_closed_are_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    """`>&-` gives a program no stdout at all."""
    for name in ("stdin", "stdout", "stderr"):
        monkeypatch.setattr(f"sys.{name}", None)
    output.replace_closed_streams()
    assert sys.stdin.read() == ""
    sys.stdout.write("nowhere")
    for stream in (sys.stdin, sys.stdout, sys.stderr):
        stream.close()


STEERING = "a\x1b[2Jb\rc\x9bd\u202ee"  # clears the screen, goes back, begins a sequence, turns the text around


def test_what_devices_and_rows_say_does_not_steer_the_terminal() -> None:
    """A client id or topic with an escape sequence is spelled out, in text and in tables, at a terminal too."""
    spelled = r"a\x1b[2Jb\rc\x9bd\u202ee"
    assert emphasise(STEERING, Terminal()) == spelled
    with recorded() as tape:
        Output().say(STEERING)
        Output().result({}, STEERING)
        Output().table([], ("client",), [(STEERING,)], empty="")
    assert tape.lines() == [f"! {spelled}", spelled, "client", spelled]


def test_json_is_harmless_to_look_at_and_still_the_same() -> None:
    """JSON need not escape the upper control characters; ours does, and reads back as it was."""
    text = output.as_text({"client": STEERING})
    assert text.isascii()
    assert "\x1b" not in text
    assert json.loads(text) == {"client": STEERING}


def test_a_traceback_neither_steers_the_terminal_nor_tells_a_generated_secret() -> None:
    """The messages in it are also other people's, who quote what they were given."""
    secret = new_secret()
    with recorded() as tape:
        output.show_bug(ValueError(f"cannot read x{secret}\x1b[2J"), as_json=False, debug=True)
    text = "".join(piece for _, piece in tape.pieces)
    assert secret not in text
    assert "\x1b" not in text
    assert f"ValueError: cannot read xiota_…{secret[-4:]}\\x1b[2J" in text
