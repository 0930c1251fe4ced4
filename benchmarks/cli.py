"""The command line's own time, beside a bare interpreter and the AWS CLI.

Run `python benchmarks/cli.py [rounds]`. Every round runs every command once, in turn, as a whole
process; a ratio is taken inside a round and the median over the rounds is reported.
"""

from __future__ import annotations

import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from table import Row, not_measured, render

from iotauth_cli.emulator import environment, lifecycle

BARE = "python -c pass"
PUT = "aws dynamodb put-item"
BESIDE_PYTHON = Path(sys.executable).parent
GOALS = {  # what: its peer, and the highest ratio to it that is good enough
    "iotauth --version": (BARE, 1.3),
    "iotauth --help": (BARE, 5.5),
    "iotauth client --help": (BARE, 5.5),
    "iotauth config show": (BARE, 5.5),
    "iotauth client add": (PUT, 0.33),
    "iotauth secrets render": (BARE, 9.0),
}


@dataclass
class Commands:
    """The commands to be timed, in *directory*, a project of the emulator that *environ* leads to."""

    directory: Path
    environ: Mapping[str, str]
    added: int = 0

    def all(self) -> dict[str, list[str]]:
        self.added += 1
        item = f'{{"Client_ID":{{"S":"peer-{self.added}"}},"publish_topics":{{"L":[{{"S":"bench/{self.added}"}}]}}}}'
        put = ["dynamodb", "put-item", "--table-name", "iotauth-clients", "--item", item]
        add = ["client", "add", f"ours-{self.added}", "--topic", f"bench/{self.added}"]
        render = ["secrets", "render", f"ours-{self.added}", "--format", "header", "--force"]
        return {
            BARE: [sys.executable, "-c", "pass"],
            "iotauth --version": self.ours("--version"),
            "iotauth --help": self.ours("--help"),
            "iotauth client --help": self.ours("client", "--help"),
            "iotauth config show": self.ours("config", "show"),
            "iotauth client add": self.ours(*add),
            "iotauth secrets render": self.ours(*render),
            PUT: [str(BESIDE_PYTHON / "aws"), *put, "--condition-expression", "attribute_not_exists(Client_ID)"],
        }

    def ours(self, *arguments: str) -> list[str]:
        return [str(BESIDE_PYTHON / "iotauth"), *arguments]

    def seconds(self, command: Sequence[str]) -> float:
        began = time.perf_counter()
        ran = subprocess.run(command, cwd=self.directory, env=self.environ, capture_output=True)
        took = time.perf_counter() - began
        assert ran.returncode == 0, ran.stderr.decode()
        return took


def measure(rounds: int = 9) -> list[Row]:
    """Measure every command and return the rows. Takes about a second per round."""
    if not shutil.which("aws", path=str(BESIDE_PYTHON)):
        return [not_measured(what, "the AWS CLI is not installed", goal) for what, (_, goal) in GOALS.items()]
    with project() as commands:
        taken = [{what: commands.seconds(words) for what, words in commands.all().items()} for _ in range(rounds + 1)]
    return [row(what, peer, goal, taken[1:]) for what, (peer, goal) in GOALS.items()]


def row(what: str, peer: str, goal: float, rounds: Sequence[Mapping[str, float]]) -> Row:
    ours, theirs = (statistics.median(each[name] for each in rounds) for name in (what, peer))
    ratio = statistics.median(each[what] / each[peer] for each in rounds)
    return Row(f"{what} / {peer}", f"{ours * 1000:.0f} ms", f"{theirs * 1000:.0f} ms", ratio, goal)


@contextmanager
def project() -> Iterator[Commands]:
    """Start an emulator, make a project that uses it, and install an authorizer."""
    with tempfile.TemporaryDirectory() as root:
        directory, state = Path(root) / "project", Path(root) / "state"
        directory.mkdir()
        ready = lifecycle.start(state, port=0, control_port=0)
        kept = {name: os.environ[name] for name in ("PATH", "LANG") if name in os.environ}
        commands = Commands(directory, {**kept, "HOME": root, **environment.variables(ready)})
        try:
            commands.seconds(commands.ours("init", "--emulator"))
            with (directory / "iotauth.yaml").open("a") as settings:
                settings.write(f"state_dir: {state}\n")
            commands.seconds(commands.ours("authorizer", "create"))
            yield commands
        finally:
            lifecycle.stop(state)


if __name__ == "__main__":
    print(render(measure(int(sys.argv[1]) if len(sys.argv) > 1 else 9)))
