"""`secrets scan` beside grep, which looks for the same beginnings and checks nothing.

Run `python benchmarks/scan.py [rounds]`. Both look through the interpreter's site-packages, code and
binaries, in turn; CPU seconds of the whole process count, since the disk is the same for both. grep
gets the plain prefix and the three that base64 makes of it; UTF-16, which it cannot look for in the
same go, only we do. git's history is beside `git log -p` into grep, which sees no message,
no stash and no binary file.
"""

from __future__ import annotations

import os
import resource
import shutil
import statistics
import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path

from table import Row, not_measured, render

from iotauth_cli.operations.secret_scan import NEEDLES, PLAIN

IOTAUTH = Path(sys.executable).parent / "iotauth"
GREP = "|".join(text.decode() for text in (PLAIN, *(needle.text for needle in NEEDLES)))
FILES, HISTORY = "secrets scan, CPU / grep -rE", "secrets scan --history, CPU / git log -p | grep"
GOALS = {FILES: 3.0, HISTORY: 3.0}
COMMITS = 400
LINES = 2000


def measure(rounds: int = 5) -> list[Row]:
    """Measure both and return the rows. Takes some seconds for a round."""
    if not (shutil.which("grep") and shutil.which("git")):
        return [not_measured(what, "grep or git is not installed", goal) for what, goal in GOALS.items()]
    packages = sysconfig.get_path("purelib")
    with tempfile.TemporaryDirectory() as root:
        repository = made_repository(Path(root))
        rows = [
            compare(FILES, [str(IOTAUTH), "secrets", "scan", packages], f"grep -rcaE '{GREP}' {packages}", rounds),
            compare(
                HISTORY,
                [str(IOTAUTH), "secrets", "scan", "--history", str(repository)],
                f"git -C {repository} log -p --all | grep -acE '{GREP}'",
                rounds,
            ),
        ]
    size = sum(file.stat().st_size for file in Path(packages).rglob("*") if file.is_file() and not file.is_symlink())
    speed = size / 1e6 / float(rows[0].ours.split()[0])
    return [rows[0]._replace(ours=f"{rows[0].ours}, {speed:.0f} MB/s"), rows[1]]


def compare(what: str, ours: list[str], theirs: str, rounds: int) -> Row:
    taken = [(seconds(ours), seconds(["sh", "-c", theirs])) for _ in range(rounds + 1)][1:]
    ratio = statistics.median(one / other for one, other in taken)
    mine, peer = (statistics.median(column) for column in zip(*taken, strict=True))
    return Row(what, f"{mine:.2f} s", f"{peer:.2f} s", ratio, GOALS[what])


def seconds(command: list[str]) -> float:
    """Return the CPU time of *command* and all its children."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    ran = subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    assert ran.returncode in (0, 1), ran.stderr.decode()  # both say by 1 what they found
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def made_repository(root: Path) -> Path:
    """Return a repository in which each of many commits changes a line of one file and adds another file."""
    stream = []
    for number in range(COMMITS):
        changed = "".join(f"line {line} {'changed' if line == number else ''}\n" for line in range(LINES))
        files = f"M 100644 inline changed.txt\ndata {len(changed)}\n{changed}"
        files += f"M 100644 inline f{number}.txt\ndata {len(changed)}\n{changed}"
        stream.append(f"commit refs/heads/main\ncommitter a <a@example.com> {1763640000 + number} +0000\n")
        stream.append(f"data 4\nnext\n{files}\n")
    environment = {**os.environ, "GIT_CONFIG_GLOBAL": os.devnull}
    subprocess.run(["git", "init", "-q", "-b", "main", str(root)], check=True, env=environment)
    subprocess.run(["git", "-C", str(root), "fast-import", "--quiet"], input="".join(stream).encode(), check=True)
    return root


if __name__ == "__main__":
    print(render(measure(int(sys.argv[1]) if len(sys.argv) > 1 else 5)))
