"""A fleet rotated by real processes that are killed, interrupted, slowed down and run side by side."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from iotauth_authorizer.credential import Slot, hash_secret
from iotauth_authorizer.record import ClientRecord, from_item, to_item
from iotauth_cli.operations.fleet import handout
from iotauth_cli.operations.fleet.journal import note_path
from support_desk import Desk
from support_emulator import RunningEmulator
from support_fleet import OLD, state_of

pytestmark = pytest.mark.skipif(os.name != "posix", reason="sends signals")

COUNT = 520  # more than two flushes
TABLE = "fleet-processes"


@pytest.fixture
def names(at_emulator: Desk, emulator: RunningEmulator, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """The ids of the clients in a table of their own."""
    monkeypatch.setenv("IOTAUTH_TABLE", TABLE)
    dynamodb = emulator.client("dynamodb")
    dynamodb.create_table(
        TableName=TABLE,
        AttributeDefinitions=[{"AttributeName": "Client_ID", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "Client_ID", "KeyType": "HASH"}],
        BillingMode="PAY_PER_REQUEST",
    )
    names = [f"client-{number}" for number in range(COUNT)]
    rows = [
        to_item(ClientRecord(name, slots={"A": Slot(hash_secret(OLD.encode(), name), 1)}, version=1)) for name in names
    ]
    for at in range(0, COUNT, 25):
        puts = [{"PutRequest": {"Item": row}} for row in rows[at : at + 25]]
        dynamodb.batch_write_item(RequestItems={TABLE: puts})
    yield names
    dynamodb.delete_table(TableName=TABLE)


def rotating(path: Path) -> subprocess.Popen[str]:
    words = [sys.executable, "-m", "iotauth_cli", "client", "rotate", "--all", "--yes", "--secrets-out", str(path)]
    return subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def wait_for_secrets(process: subprocess.Popen[str], path: Path, more_than: int) -> None:
    """Return when the file has grown by a flush, or the process has ended."""
    while process.poll() is None and len(handed(path)) <= more_than:
        time.sleep(0.002)


def handed(path: Path) -> dict[str, str]:
    """Return the passwords that are whole in a hand-out; none, where there is no such file yet."""
    if not path.exists() or b"\n" not in path.read_bytes():
        return {}
    found = [(each.client_id, each.password.reveal()) for each in handout.read(path)]
    assert len(found) == len(dict(found))
    return dict(found)


def rows(emulator: RunningEmulator) -> dict[str, ClientRecord]:
    pages = emulator.client("dynamodb").get_paginator("scan").paginate(TableName=TABLE)
    found = [from_item(item) for page in pages for item in page["Items"]]
    return {row.client_id: row for row in found}


def test_killed_again_and_again_it_ends_with_every_secret(
    names: list[str], emulator: RunningEmulator, tmp_path: Path
) -> None:
    """`kill -9` at moments of chance: what was handed out before is what counts in the end, for every client."""
    out, chance, known = tmp_path / "fleet.csv", random.Random(4), dict[str, str]()
    for _ in range(4):
        process = rotating(out)
        wait_for_secrets(process, out, len(known))
        time.sleep(chance.random() * 0.05)
        process.kill()
        process.communicate()
        assert known.items() <= handed(out).items()
        known = handed(out)
    assert known
    if note_path(out).exists():
        last = rotating(out)
        _, told = last.communicate()
        assert last.returncode == 0, told
    passwords = handed(out)
    assert known.items() <= passwords.items()
    assert {name: state_of(row, passwords[name]) for name, row in rows(emulator).items()} == dict.fromkeys(
        names, "pending"
    )
    assert {state_of(row, OLD) for row in rows(emulator).values()} == {"retiring"}


def test_ctrl_c_says_how_to_go_on(names: list[str], emulator: RunningEmulator, tmp_path: Path) -> None:
    """Exit code 130, how many are done, and the command that does the rest; no traceback."""
    out = tmp_path / "fleet.csv"
    process = rotating(out)
    wait_for_secrets(process, out, 0)
    process.send_signal(signal.SIGINT)
    _, told = process.communicate(timeout=30)
    assert process.returncode in (130, 0)  # 0: it was faster
    assert "Traceback" not in told
    if process.returncode == 130:
        assert f"so far; go on with `iotauth client rotate --all --secrets-out {out}`" in told
        known = handed(out)
        rotating(out).communicate()
        assert known.items() <= handed(out).items()
    assert handed(out).keys() == set(names)


def test_two_at_once_lose_nothing(names: list[str], emulator: RunningEmulator, tmp_path: Path) -> None:
    """Each client is rotated by one of them, and its secret stands in that one's file alone."""
    files = [tmp_path / "one.csv", tmp_path / "two.csv"]
    processes = [rotating(path) for path in files]
    for process in processes:
        process.communicate()
        assert process.returncode in (0, 1)  # 1: the other one was there first, everywhere
    one, two = map(handed, files)
    assert not one.keys() & two.keys()
    passwords = one | two
    assert {name: state_of(row, passwords[name]) for name, row in rows(emulator).items()} == dict.fromkeys(
        names, "pending"
    )


def test_throttling_is_waited_out(names: list[str], at_emulator: Desk, tmp_path: Path) -> None:
    """DynamoDB asks for patience now and then; every client is rotated all the same."""
    out = tmp_path / "fleet.csv"
    process = rotating(out)
    wait_for_secrets(process, out, 0)
    assert at_emulator("emulator", "inject", "dynamodb-throttled", "--count", "20").code == 0
    _, told = process.communicate()
    at_emulator("emulator", "inject", "clear")
    assert process.returncode == 0, told
    assert handed(out).keys() == set(names)
