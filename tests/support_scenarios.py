"""Transcripts that are tests: what a person types and what they see, replayed and compared.

A scenario is a text file, read from top to bottom::

    # Comments and empty lines are for the reader.
    needs: emulator      (first, if at all: one that runs, with an authorizer; shared, so leave nothing behind)

    $ iotauth client add door-7 --topic doors/7
    client id  door-7
    password   <secret>
    ! next: `iotauth test-connect door-7`
    $ iotauth client list --region nowhere
    ! error: …
    [exit 2]

- ``$ iotauth …`` runs in this process, with its own home and working directory. So does
  ``$ … | iotauth …``, with what the left side prints on stdin.
- ``$ export NAME=value`` counts for the rest of the scenario.
- Any other command runs in a real shell, which finds `iotauth` too: for files and real pipes.
- Lines of stdout stand as they are, lines of stderr behind ``! ``; in the order in which they came.
- ``[exit N]`` ends a command that does not exit with 0.
- ``<secret>``, ``<number>`` … stand for what changes: see `PLACEHOLDERS`. ``...`` alone on a line
  stands for any number of lines.

A failing scenario prints what it saw in the same notation, ready to be read and, if it is right, pasted.
"""

from __future__ import annotations

import io
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from iotauth_cli.__main__ import main

PLACEHOLDERS = {
    "secret": r"iota_[0-9A-Za-z]{33}",
    "number": r"\d+",
    "time": r"\d{4}-\d\d-\d\d \d\d:\d\d UTC",
    "seconds": r"[\d.]+ m?s",
    "took": r" *[\d.]+ m?s",
    "path": r"/[^\s`,]*",
    "id": r"[0-9A-Za-z]+",
    "text": r".+",
}
ANY_LINES = "..."


@dataclass
class Command:
    """A command line and what is expected of it."""

    line: str
    expected: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Scenario:
    needs_emulator: bool
    commands: tuple[Command, ...]

    @classmethod
    def parse(cls, text: str) -> Scenario:
        lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
        needs_emulator = lines[0] == "needs: emulator"
        commands: list[Command] = []
        for line in lines[1:] if needs_emulator else lines:
            if line.startswith("$ "):
                commands.append(Command(line[2:]))
            else:
                assert commands, f"before the first command: {line}"
                commands[-1].expected.append(line)
        return cls(needs_emulator, tuple(commands))


class Tape:
    """Takes what goes to stdout and stderr, in order, and gives it back as a transcript's lines."""

    def __init__(self) -> None:
        self.pieces: list[tuple[str, str]] = []

    def stream(self, mark: str) -> io.TextIOBase:
        tape = self

        class Stream(io.TextIOBase):
            def write(self, text: str) -> int:
                if not isinstance(text, str):  # typer asks a stream what it is by trying
                    raise TypeError("a stream of text")
                tape.pieces.append((mark, text))
                return len(text)

            def writable(self) -> bool:
                return True

        return Stream()

    def lines(self) -> list[str]:
        found: list[str] = []
        rest = {"": "", "! ": ""}
        for mark, text in self.pieces:
            *whole, rest[mark] = (rest[mark] + text).split("\n")
            found += [(mark + line).rstrip() for line in whole]
        return found + [(mark + line).rstrip() for mark, line in rest.items() if line]


def replay(scenario: Scenario, directory: Path, export: Callable[[str, str], None]) -> tuple[str, str]:
    """Run every command in *directory*; return what was expected and what was seen, as texts to compare.

    Where a line is as expected, the expected text stands in both. *export* sets a variable.
    """
    expected, seen = [], []
    for command in scenario.commands:
        expected += [f"$ {command.line}", *command.expected]
        seen += [f"$ {command.line}", *settled(command.expected, run(command.line, directory, export))]
    return "\n".join(expected), "\n".join(seen)


def run(line: str, directory: Path, export: Callable[[str, str], None]) -> list[str]:
    if line.startswith("export "):
        for word in shlex.split(line)[1:]:
            export(*word.split("=", 1))
        return []
    left, pipe, right = line.rpartition(" | ")
    words = shlex.split(right)
    if words[0] != "iotauth" or re.search(r"[<>&;]|\$\(", right):
        return shell(line, directory)
    stdin = subprocess.run(["sh", "-c", left], cwd=directory, capture_output=True, check=True).stdout if pipe else b""
    return in_process(words[1:], stdin)


def in_process(arguments: list[str], stdin: bytes) -> list[str]:
    tape = Tape()
    with streams(io.TextIOWrapper(io.BytesIO(stdin), "utf-8"), tape.stream(""), tape.stream("! ")):
        code = main(arguments)
    return ended(tape.lines(), code)


@contextmanager
def streams(stdin: object, stdout: object, stderr: object) -> Iterator[None]:
    before = sys.stdin, sys.stdout, sys.stderr
    sys.stdin, sys.stdout, sys.stderr = stdin, stdout, stderr
    try:
        yield
    finally:
        sys.stdin, sys.stdout, sys.stderr = before


def shell(line: str, directory: Path) -> list[str]:
    beside_python = str(Path(sys.executable).parent)
    environment = {**os.environ, "PATH": f"{beside_python}{os.pathsep}{os.environ['PATH']}"}
    ran = subprocess.run(["sh", "-c", line], cwd=directory, env=environment, capture_output=True, text=True, timeout=60)
    return ended([*ran.stdout.splitlines(), *(f"! {each}" for each in ran.stderr.splitlines())], ran.returncode)


def ended(lines: list[str], code: int) -> list[str]:
    return [line for line in lines if line.strip("! ")] + ([f"[exit {code}]"] if code else [])


def settled(expected: list[str], seen: list[str]) -> list[str]:
    """Return *expected* where *seen* is what it means, else *seen* with the lines that match as expected."""
    if ANY_LINES in expected:
        at = expected.index(ANY_LINES)
        tail = len(expected) - at - 1
        middle = seen[at : len(seen) - tail]
        if len(seen) < at + tail:
            return seen
        head = settled(expected[:at], seen[:at])
        return [*head, ANY_LINES, *settled(expected[at + 1 :], seen[at + len(middle) :])]
    same = [wanted if matches(wanted, line) else line for wanted, line in zip(expected, seen, strict=False)]
    return same + seen[len(same) :]


def matches(wanted: str, line: str) -> bool:
    parts = re.split(r"<(\w+)>", wanted)
    pattern = "".join(PLACEHOLDERS[part] if index % 2 else re.escape(part) for index, part in enumerate(parts))
    return re.fullmatch(pattern, line) is not None
