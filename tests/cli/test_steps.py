"""A plan being carried out: what a person at a terminal sees, and what a log gets."""

from __future__ import annotations

import io
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import get_args

import pytest

from iotauth_cli.cli.output import Output
from iotauth_cli.cli.steps import DOING, DONE, Screen, carry_out
from iotauth_cli.errors import AccessDenied
from iotauth_cli.operations.installation.part import Action, Step
from support_terminal import run, watched

KEPT = Step("keep", "log group", "/aws/lambda/doors", "it is as it should be")
TABLE = Step("create", "table", "doors", "there is none")
ROLE = Step("update", "role", "doors-eu-west-1", "its policy allows something else")
PLANNED = (KEPT, TABLE, ROLE)
SLOW = """
import sys, time
from iotauth_cli.cli.output import Output
from iotauth_cli.cli.steps import carry_out
from iotauth_cli.operations.installation.part import Step
planned = [Step("create", "table", "doors", "there is none"), Step("create", "role", "doors", "there is none")]
def steps():
    yield planned[0]
    open(sys.argv[1], "w").close()
    time.sleep(20)
try:
    carry_out(Output(), steps(), planned, "plan for here:")
except KeyboardInterrupt:
    sys.exit(130)
"""


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def breaking(steps: Sequence[Step], problem: BaseException) -> Iterator[Step]:
    yield from steps
    raise problem


def test_a_terminal_shows_the_plan_and_changes_it_in_place(monkeypatch: pytest.MonkeyPatch) -> None:
    """In the end each part stands there once, with what became of it and how long that took."""
    terminal = watched(monkeypatch)
    carry_out(Output(), iter([TABLE, ROLE]), PLANNED, "plan for the account:")
    lines = terminal.lines()
    assert lines[:2] == ["plan for the account:", "  = keep log group /aws/lambda/doors: it is as it should be"]
    assert lines[2].startswith("  ✓ created table doors ")
    assert lines[3].startswith("  ✓ updated role doors-eu-west-1 ")
    assert [line.endswith(" 0.0 s") for line in lines] == [False, False, True, True]


def test_the_step_at_work_is_named_with_its_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is done, what is being done, and what still waits with its reason."""
    terminal, clock = watched(monkeypatch, columns=60), Clock()
    shown = Screen([TABLE, ROLE], None, clock)
    clock.now += 12
    shown._live.stop()  # as somebody sees it in the middle
    doing, *waiting = terminal.lines()
    assert doing.split()[1:] == ["creating", "table", "doors", "12", "s"]
    assert waiting == ["  · update role doors-eu-west-1: its policy allows", "    something else"]


def test_a_plan_that_was_shown_is_not_shown_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """After a question: the changes alone, for what is kept needs nothing."""
    terminal = watched(monkeypatch)
    carry_out(Output(), iter([TABLE, ROLE]), PLANNED)
    assert [line.split()[1:3] for line in terminal.lines()] == [["created", "table"], ["updated", "role"]]


def test_a_step_that_came_to_nothing_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    """AWS may not let a part go yet: then it is kept, in the place where its deletion was planned."""
    terminal = watched(monkeypatch)
    planned = [Step("delete", "domain configuration", "doors", "nothing else needs it"), TABLE]
    kept = Step("keep", "domain configuration", "doors", "AWS lets it go in a week")
    assert carry_out(Output(), iter([kept, TABLE]), planned) == [kept, TABLE]
    first, second = terminal.lines()
    assert first == "  = kept domain configuration doors: AWS lets it go in a week"
    assert second.startswith("  ✓ created table doors ")


@pytest.mark.parametrize(
    ("problem", "state"), [(AccessDenied("no"), "failed"), (KeyboardInterrupt(), "stopped")], ids=["failure", "Ctrl-C"]
)
def test_what_broke_stays_on_the_screen(monkeypatch: pytest.MonkeyPatch, problem: BaseException, state: str) -> None:
    """The part where it broke, those that still wait, the sentence how to go on, and the cursor back."""
    terminal = watched(monkeypatch, columns=120)
    with pytest.raises(type(problem)):
        carry_out(Output(), breaking([TABLE], problem), PLANNED, "plan for the account:")
    _, _, done, broken, said = terminal.lines()
    assert done.startswith("  ✓ created table doors ")
    assert broken.startswith(f"  ✗ {state}: update role doors-eu-west-1 ")
    assert said == "done so far: table doors; run the same command again and it finishes the rest"
    assert terminal.sent.rindex(b"\x1b[?25h") > terminal.sent.rindex(b"\x1b[?25l")


def test_a_small_terminal_has_the_whole_plan_in_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """Three rows are too few for it while it changes; what scrolled away is complete."""
    terminal = watched(monkeypatch, columns=80, rows=3)
    planned = [Step("create", "table", f"doors-{number}", "there is none") for number in range(9)]
    carry_out(Output(), iter(planned), planned, "plan for the account:")
    done = [line.split()[3] for line in terminal.lines() if "✓" in line]
    assert done[-9:] == [step.name for step in planned]


PLAIN = [
    "plan for the account:",
    "  keep log group `/aws/lambda/doors`: it is as it should be",
    "  create table `doors`: there is none",
    "  update role `doors-eu-west-1`: its policy allows something else",
    "created table `doors`",
    "updated role `doors-eu-west-1`",
]


def test_a_pipe_gets_a_line_for_each_step(monkeypatch: pytest.MonkeyPatch) -> None:
    """The plan, then what is done as it is done; no control sequence."""
    said = io.StringIO()
    monkeypatch.setattr(sys, "stderr", said)
    carry_out(Output(), iter([TABLE, ROLE]), PLANNED, "plan for the account:")
    assert said.getvalue().splitlines() == PLAIN


@pytest.mark.parametrize(("name", "value"), [("NO_COLOR", "1"), ("TERM", "dumb")])
def test_a_terminal_that_wants_it_plain_gets_the_same_lines(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    """A screen reader, a log of a build."""
    terminal = watched(monkeypatch)
    monkeypatch.setenv(name, value)
    carry_out(Output(), iter([TABLE, ROLE]), PLANNED, "plan for the account:")
    assert [line.replace("`", "") for line in terminal.lines()] == [line.replace("`", "") for line in PLAIN]
    assert b"\x1b[?25l" not in terminal.sent


def test_quiet_says_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither the plan nor its steps."""
    terminal = watched(monkeypatch)
    carry_out(Output(quiet=True), iter([TABLE, ROLE]), PLANNED, "plan for the account:")
    assert terminal.lines() == []


def test_names_do_not_steer_the_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """What stands in AWS under a name of somebody else's is text, neither markup nor control."""
    terminal = watched(monkeypatch)
    step = Step("create", "table", "[red]\x1b[2J", "there is none")
    carry_out(Output(), iter([step]), [step], "plan for the account:")
    assert r"created table [red]\x1b[2J" in terminal.lines()[1]


def test_every_action_has_its_words() -> None:
    """A new action cannot be planned before it can be told."""
    assert set(DONE) == set(get_args(Action))
    assert set(DOING) == set(DONE) - {"keep"}


def test_a_pipe_does_not_load_what_draws() -> None:
    """rich takes longer to import than the rest of a command."""
    script = (
        "import sys; from iotauth_cli.cli.output import Output; from iotauth_cli.cli.steps import carry_out; "
        "carry_out(Output(), iter(()), [], 'plan:'); sys.exit('rich' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", script], stderr=subprocess.DEVNULL, timeout=60).returncode == 0


def test_a_real_ctrl_c_leaves_a_screen_that_can_be_read(tmp_path: Path) -> None:
    """Typed at the keyboard in the middle of a step: no traceback, no half line, the sentence below."""
    code, lines = run([sys.executable, "-c", SLOW, f"{tmp_path}/begun"], press=("\x03", f"{tmp_path}/begun"))
    assert code == 130
    assert lines[0] == "plan for here:"
    assert lines[1].startswith("  ✓ created table doors ")
    assert lines[2].startswith("  ✗ stopped: create role doors ")
    assert "done so far: table doors; run the same command again and it finishes the rest" in lines[3:]
