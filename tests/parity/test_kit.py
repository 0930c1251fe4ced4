"""The suite about itself: every row is looked at, nothing is left behind, nothing is told that should not be."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from support import REPOSITORY
from support_parity import cost, installation
from support_parity.installation import Installation
from support_parity.report import Book
from support_parity.rows import NOT_COVERED, table
from support_parity.world import Emulator, World

MARKED = re.compile(r"mark\.rows\(([\d, ]+)\)")
PARAMETRISED = re.compile(r"^ {12}\((\d+), \"", re.MULTILINE)


@pytest.fixture
def emulator(world: World) -> Emulator:
    if not isinstance(world, Emulator):
        pytest.skip("it breaks things on purpose, which is for the emulator")
    return world


def test_every_row_is_looked_at_or_has_a_reason() -> None:
    """A new row of the table wants a parity test, or a sentence on why it cannot be seen from outside."""
    covered = set()
    for path in (REPOSITORY / "tests" / "parity").glob("test_*.py"):
        text = path.read_text(encoding="utf-8")
        covered |= {int(number) for found in MARKED.findall(text) for number in found.split(",")}
        covered |= {int(number) for number in PARAMETRISED.findall(text)}
    assert covered | NOT_COVERED.keys() == table().keys()
    assert not covered & NOT_COVERED.keys()


def names_left(world: World, prefix: str) -> list[str]:
    """Return the parts that carry *prefix*, whatever their tags."""
    found = [what for what, _, _ in installation._candidates(world.boto)]
    return [what for what in found if prefix in what]


class Interrupting:
    """boto3's clients until *calls* of them are made, and Ctrl-C at the next: *before* it or when it was done."""

    def __init__(self, clients: Callable[[str], Any], calls: int, *, before: bool) -> None:
        self._clients, self._left, self._before = clients, calls, before

    def __call__(self, service: str) -> Any:
        outer, client = self, self._clients(service)

        class Client:
            def __getattr__(self, name: str) -> Any:
                found = getattr(client, name)
                return outer._counted(found) if callable(found) and name.startswith(("create", "put", "add")) else found

        return Client()

    def _counted(self, call: Callable[..., Any]) -> Callable[..., Any]:
        def run(**parameters: Any) -> Any:
            self._left -= 1
            if self._left == 0 and self._before:
                raise KeyboardInterrupt
            answer = call(**parameters)
            if self._left == 0:
                raise KeyboardInterrupt
            return answer

        return run


@pytest.mark.parametrize("before", [True, False], ids=["before", "after"])
@pytest.mark.parametrize("calls", range(1, 14))
def test_ctrl_c_at_any_call_leaves_nothing(emulator: Emulator, calls: int, before: bool) -> None:
    """Whether the call was made or not: what there may be is removed."""
    name = emulator.mark("torn")
    clients = Interrupting(emulator.boto, calls, before=before)
    where = ("aws", emulator.region, emulator.account)
    parts = Installation(clients, name, "key", where, emulator.runtime)
    with pytest.raises(KeyboardInterrupt):
        parts.create({"key0": emulator.public_key(0)})
    assert parts.remove() == []
    assert names_left(emulator, name) == []


def test_the_sweep_takes_what_is_old_and_ours(emulator: Emulator) -> None:
    """All five kinds of parts; not what is younger, and not what is called alike and has no tags of ours."""
    where = ("aws", emulator.region, emulator.account)
    old = Installation(emulator.boto, emulator.mark("old"), "key", where, emulator.runtime)
    old._tags[installation.CREATED] = str(int(time.time()) - 7200)
    old.create({"key0": emulator.public_key(0)})
    emulator.boto("dynamodb").update_table(TableName=old.name, DeletionProtectionEnabled=True)  # as our own create does
    alike = f"{emulator.prefix}-alike"
    emulator.boto("logs").create_log_group(logGroupName=f"/aws/lambda/{alike}")
    try:
        swept = list(installation.sweep(emulator.boto, 3600, time.time()))
        assert {line.split()[1] for line in swept} == {"authorizer", "function", "role", "table", "log"}
        assert all(old.name in line for line in swept)
        assert names_left(emulator, old.name) == []
        assert names_left(emulator, alike) == [f"log group /aws/lambda/{alike}"]
        assert emulator.connect(about="alive").outcome == "accepted"
    finally:
        emulator.boto("logs").delete_log_group(logGroupName=f"/aws/lambda/{alike}")


def test_a_part_that_cannot_be_removed_is_told(emulator: Emulator) -> None:
    """The others are removed all the same."""
    where = ("aws", emulator.region, emulator.account)
    pauses: list[float] = []
    parts = Installation(emulator.boto, emulator.mark("stuck"), "key", where, emulator.runtime, pauses.append)
    parts.create({"key0": emulator.public_key(0)})
    parts.later("something", lambda: 1 / 0)
    assert parts.remove() == ["something: division by zero"]
    assert pauses == [installation.RETRY_PAUSE_S]
    assert names_left(emulator, parts.name) == []


def test_who_has_no_key_is_refused_and_leaves_no_trace(emulator: Emulator) -> None:
    """The authorizer stands open on the internet: without this run's key the function is of no use to anybody."""
    mark = emulator.mark("stranger")
    wrong = emulator.order(mark)
    order = json.dumps({"key": "guessed", "mark": mark, "answers": [{}]}).encode()
    import base64

    forged = base64.urlsafe_b64encode(order).rstrip(b"=")
    assert len(forged) < len(wrong)
    for password in (b"order:" + forged, b"order:nonsense", b"", None):
        assert emulator.connect(mark=mark, password=password).verdict == "refused"
    assert emulator.calls(mark) == 0


def test_the_report_tells_no_secret() -> None:
    """The account's number and whatever is named a secret are masked wherever they stand."""
    book = Book("aws", "eu-west-1", "123456789012", secrets=["a1b2-ats.iot.eu-west-1.amazonaws.com"])
    book.observe("key", "arn:aws:iot:eu-west-1:123456789012:x", True, "at a1b2-ats.iot.eu-west-1.amazonaws.com")
    book.note_row(3, ("123456789012",), ("x",), is_settled=True)
    text = book.text()
    assert "12345678" not in text
    assert "a1b2" not in text
    assert json.loads(text)["account"] == "********9012"


def test_of_several_cases_of_a_row_the_one_that_is_otherwise_counts() -> None:
    """It is neither hidden by those after it nor by those before."""
    book = Book()
    for observed in (1, 2, 1):
        book.note_row(59, observed, 1, is_settled=True)
    assert (book.rows[59]["same"], book.rows[59]["observed"]) == (False, "2")


def test_the_estimate_adds_up() -> None:
    """Units times prices; a test that was not measured counts for something, too."""
    assert cost.Usage(calls=1_000_000).dollars == pytest.approx(0.20 + 1e6 * 0.5 * 0.0000166667)
    assert cost.Usage(messages=2_000_000).dollars == pytest.approx(2.0)
    assert cost.estimate(["nobody"]) == cost.UNMEASURED
    whole = cost.estimate(cost.recorded())
    assert whole.calls > 100
    assert 0 < whole.dollars < 0.01


def start_on_aws(emulator: Emulator, *arguments: str, directory: Path) -> subprocess.Popen[str]:
    """Start one test with `--aws` where AWS's control plane is the emulator's, and no device gets through."""
    paths = os.pathsep.join([str(directory.parent), str(REPOSITORY / "tests")])
    environment = {**os.environ, **emulator.running.variables, "PYTHONPATH": paths}
    chosen = "tests/parity/test_control_plane.py::test_listing"
    fixed = ["-q", "-p", "no:cacheprovider", "--aws", f"--basetemp={directory}", f"--parity-report={directory}.json"]
    return subprocess.Popen(
        [sys.executable, "-m", "pytest", chosen, *fixed, *arguments],
        cwd=REPOSITORY,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def on_aws(emulator: Emulator, *arguments: str, directory: Path) -> tuple[int, str]:
    """Run it; return the exit code, and what it said."""
    with start_on_aws(emulator, *arguments, directory=directory) as process:
        said, _ = process.communicate(timeout=90)
    return process.returncode, said


def test_on_aws_nothing_is_created_before_somebody_agrees(emulator: Emulator, tmp_path: Path) -> None:
    """Account, region and costs come first; nobody there to ask is no yes."""
    before = names_left(emulator, "")
    code, said = on_aws(emulator, directory=tmp_path / "run")
    assert code == 2, said
    assert f"account {emulator.account}, region {emulator.region}" in said
    assert "together" in said
    assert "nothing was created" in said
    assert names_left(emulator, "") == before


def test_on_aws_a_failure_is_cleaned_up_after(emulator: Emulator, tmp_path: Path) -> None:
    """No device gets through, so the run fails when all is there; and then nothing is."""
    before = names_left(emulator, "")
    code, said = on_aws(emulator, "--aws-yes", "--aws-sweep", "24", directory=tmp_path / "run")
    assert code == 1, said
    assert "1 error" in said
    assert "still there" not in said
    assert names_left(emulator, "") == before
    assert emulator.connect(about="alive").outcome == "accepted"


# Where a run stands when all is made and the first device knocks.
HELD_UP = """
import pathlib, time
from support_parity.world import World

def connect(self, *answers, **options):
    pathlib.Path(__file__).with_name("knocking").touch()
    time.sleep(60)

World.connect = connect
"""


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP"])
def test_on_aws_ctrl_c_and_a_kill_clean_up(emulator: Emulator, tmp_path: Path, name: str) -> None:
    """With everything made: the run ends as interrupted, and nothing is left."""
    before = names_left(emulator, "")
    (tmp_path / "held_up.py").write_text(HELD_UP, encoding="utf-8")
    with start_on_aws(emulator, "--aws-yes", "-p", "held_up", directory=tmp_path / "run") as process:
        while not (tmp_path / "knocking").exists() and process.poll() is None:
            time.sleep(0.05)
        assert len(names_left(emulator, "")) == len(before) + 8
        process.send_signal(getattr(signal, name))
        said, _ = process.communicate(timeout=60)
    assert process.returncode == 2, said
    assert names_left(emulator, "") == before
