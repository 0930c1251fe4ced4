"""Token keys and signatures beside the openssl program, AWS's own recipe.

Run `python benchmarks/signing.py [rounds]`. Ours and the program work in turn. Making a key takes
luck (primes are searched), so its medians need more rounds than the rest.

A fleet is signed twice: in this process with one loaded key, each token and each user name that
carries it included; and by `iotauth authorizer rotate-key` on an emulator, where starting the
program, making the new key, reading the table, a private file and a row for each client come on
top. The peer is what a shell script does: `openssl dgst -sign | openssl base64 -A`, twice the
program for each token.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from table import Row, render

from iotauth_cli import token
from iotauth_cli.aws.client_table import ClientTable
from iotauth_cli.aws.session import Session
from iotauth_cli.config import load
from iotauth_cli.credentials import Store
from iotauth_cli.operations import clients, keys
from iotauth_cli.operations.clients import NewClient
from iotauth_cli.operations.keys import Signer
from iotauth_cli.secret import Secret

DEVICE = b"door-7.2030-01-01"
BULK = 1000  # tokens per round: a fleet is signed with one loaded key
PEER_BULK = 20  # of which the program makes as many a round, one after the other
FLEET = 300  # clients that the command signs for
NOW = 1763640000
GOAL = 1 / 15


def measure(rounds: int = 15) -> list[Row]:
    """Measure everything and return the rows, goals included. Takes about a second per round."""
    with tempfile.TemporaryDirectory() as name:
        path = Path(name, "key.pem")
        path.touch(0o600)
        path.write_text(token.generate().reveal())
        return [_make_a_key(rounds), _sign(path, rounds), _sign_a_fleet(path, max(1, rounds // 5)), _rotate(path)]


def _make_a_key(rounds: int) -> Row:
    def theirs() -> None:
        _openssl("genrsa", "2048")

    return _row("RSA-2048 key / openssl genrsa", lambda: token.generate(), theirs, rounds, 0.5)


def _sign(path: Path, rounds: int) -> Row:
    key = token.load_private_key(Secret(path.read_text()), is_own=True)

    def ours() -> None:
        for _ in range(50):
            token.sign(DEVICE.decode(), key)

    def theirs() -> None:
        _openssl("dgst", "-sha256", "-sign", str(path), stdin=DEVICE)

    return _row("token signature in bulk / openssl dgst -sign", ours, theirs, rounds, GOAL, ours_count=50)


def _sign_a_fleet(path: Path, rounds: int) -> Row:
    """Sign 1,000 tokens, from reading the key to the user names that devices send."""

    def ours() -> None:
        signer = Signer(keys.open_key(path).key, "token")
        for number in range(BULK):
            assert keys.for_client(signer, "doors", f"door-{number}", NOW).device_username

    return _row(
        "1,000 tokens with their user names / openssl in a loop",
        ours,
        lambda: _loop(path),
        rounds,
        GOAL,
        ours_count=BULK,
        theirs_count=PEER_BULK,
    )


def _rotate(path: Path) -> Row:
    """Have the command sign for a fleet: program start, new key, table, store and rows included."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        try:
            _set_up(folder)
            ours = _seconds(lambda: _iotauth(folder, "authorizer", "rotate-key")) / FLEET
        finally:
            _iotauth(folder, "emulator", "stop")
    peer = _seconds(lambda: _loop(path)) / PEER_BULK
    return Row(
        "client re-signed by rotate-key, with store and row / openssl",
        f"{ours * 1e3:.2f} ms",
        f"{peer * 1e3:.2f} ms",
        ours / peer,
        1.0,
    )


def _set_up(folder: Path) -> None:
    """Have an emulator with a signed authorizer and a fleet whose credentials are kept in *folder*."""
    _iotauth(folder, "emulator", "start", "--port", "0", "--control-port", "0")
    _iotauth(folder, "authorizer", "create", "--signed")
    environ = _environment(folder)
    settings = load({}, environ, folder)
    target = settings.target(environ)
    session = Session(target)
    table = ClientTable.open(session, settings.table)
    store = Store(folder / ".iotauth", target.store_name)
    wish = keys.for_clients(store, settings.authorizer)
    for number in range(FLEET):
        new = NewClient(f"door-{number}", settings.authorizer, topics=("doors",), token=wish)
        clients.add(table, store, new, partition="aws", now=NOW)
    table.close()
    session.close()


def _environment(folder: Path) -> dict[str, str]:
    own = {"HOME": str(folder), "IOTAUTH_EMULATOR": "1", "IOTAUTH_STATE_DIR": str(folder / "state")}
    return {"PATH": os.environ["PATH"], **own}


def _iotauth(folder: Path, *arguments: str) -> None:
    command = [sys.executable, "-m", "iotauth_cli", *arguments, "--quiet"]
    subprocess.run(command, cwd=folder, env=_environment(folder), capture_output=True, check=True)


def _loop(path: Path) -> None:
    for _ in range(PEER_BULK):
        raw = _openssl("dgst", "-sha256", "-sign", str(path), stdin=DEVICE)
        _openssl("base64", "-A", stdin=raw)


def _openssl(*arguments: str, stdin: bytes = b"") -> bytes:
    return subprocess.run(["openssl", *arguments], input=stdin, capture_output=True, check=True).stdout


def _row(
    what: str,
    ours: Callable[[], object],
    theirs: Callable[[], object],
    rounds: int,
    goal: float,
    *,
    ours_count: int = 1,
    theirs_count: int = 1,
) -> Row:
    pairs = [(_seconds(ours) / ours_count, _seconds(theirs) / theirs_count) for _ in range(rounds)]
    mine, peer = (statistics.median(side) for side in zip(*pairs, strict=True))
    return Row(what, f"{mine * 1e3:.2f} ms", f"{peer * 1e3:.2f} ms", mine / peer, goal)


def _seconds(action: Callable[[], object]) -> float:
    began = time.perf_counter()
    action()
    return time.perf_counter() - began


if __name__ == "__main__":
    print(render(measure(int(sys.argv[1]) if len(sys.argv) > 1 else 15)))
