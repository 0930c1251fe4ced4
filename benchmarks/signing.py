"""Token keys and signatures beside the openssl program, AWS's own recipe.

Run `python benchmarks/signing.py [rounds]`. Ours and the program work in turn. Making a key takes
luck (primes are searched), so its medians need more rounds than the rest.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from table import Row, render

from iotauth_cli import token
from iotauth_cli.secret import Secret

DEVICE = b"door-7.2030-01-01"
BULK = 50  # signatures of ours per round: a fleet is signed with one loaded key


def measure(rounds: int = 15) -> list[Row]:
    """Measure everything and return the rows, goals included. Takes about a third of a second per round."""
    with tempfile.TemporaryDirectory() as name:
        path = Path(name, "key.pem")
        path.touch(0o600)
        path.write_text(token.generate().reveal())
        return [_make_a_key(rounds), _sign(path, rounds)]


def _make_a_key(rounds: int) -> Row:
    def theirs() -> None:
        _openssl("genrsa", "2048")

    return _row("RSA-2048 key / openssl genrsa", lambda: token.generate(), theirs, rounds, 0.5)


def _sign(path: Path, rounds: int) -> Row:
    key = token.load_private_key(Secret(path.read_text()), is_own=True)

    def ours() -> None:
        for _ in range(BULK):
            token.sign(DEVICE.decode(), key)

    def theirs() -> None:
        _openssl("dgst", "-sha256", "-sign", str(path), stdin=DEVICE)

    return _row("token signature in bulk / openssl dgst -sign", ours, theirs, rounds, 1 / 15, ours_count=BULK)


def _openssl(*arguments: str, stdin: bytes = b"") -> None:
    subprocess.run(["openssl", *arguments], input=stdin, capture_output=True, check=True)


def _row(
    what: str,
    ours: Callable[[], object],
    theirs: Callable[[], object],
    rounds: int,
    goal: float,
    ours_count: int = 1,
) -> Row:
    pairs = [(_seconds(ours) / ours_count, _seconds(theirs)) for _ in range(rounds)]
    mine, peer = (statistics.median(side) for side in zip(*pairs, strict=True))
    return Row(what, f"{mine * 1e3:.2f} ms", f"{peer * 1e3:.2f} ms", mine / peer, goal)


def _seconds(action: Callable[[], object]) -> float:
    began = time.perf_counter()
    action()
    return time.perf_counter() - began


if __name__ == "__main__":
    print(render(measure(int(sys.argv[1]) if len(sys.argv) > 1 else 15)))
