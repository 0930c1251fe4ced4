"""A disk that is full: what cannot be stored is refused, the rest goes on, and room makes all well again."""

from __future__ import annotations

import resource
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from iotauth_cli.emulator.state import FILE_NAME
from support_device import Device, create_dictated_authorizer
from support_emulator import RunningEmulator, running_emulator

TABLE = "clients"
BIG = "x" * 10_000
MOST_PUTS = 2000  # 20 MB: the limit comes long before


def item(number: int) -> dict[str, Any]:
    return {"Client_ID": {"S": f"thermo-{number}"}, "Note": {"S": BIG}}


def put(rows: Any, number: int) -> bool:
    """Put a row; tell whether it was confirmed."""
    try:
        rows.put_item(TableName=TABLE, Item=item(number))
    except ClientError as refused:
        return refused.response["Error"]["Code"] != "InternalFailure"
    return True


def create_table(rows: Any) -> None:
    rows.create_table(
        TableName=TABLE,
        KeySchema=[{"AttributeName": "Client_ID", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "Client_ID", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )


def largest_file(emulator: RunningEmulator) -> int:
    return max(file.stat().st_size for file in emulator.state_dir.glob(f"{FILE_NAME}*"))


def file_size_limit(emulator: RunningEmulator, size: int) -> int:
    """Let none of the emulator's files grow beyond *size*, as a full disk does; return the limit before."""
    pid, which = emulator.ready.pid, resource.RLIMIT_FSIZE
    before, hard = resource.prlimit(pid, which)
    resource.prlimit(pid, which, (size, hard))
    return before


@pytest.mark.skipif(not hasattr(resource, "prlimit"), reason="needs prlimit")
def test_a_full_disk_refuses_writes_and_loses_none(tmp_path: Path) -> None:
    """Nothing of the emulator may grow beyond 300 kB more: rows are refused, read and, with room again, written."""
    with running_emulator(tmp_path) as emulator:
        create_dictated_authorizer(emulator)
        rows = emulator.client("dynamodb")
        create_table(rows)
        room = file_size_limit(emulator, largest_file(emulator) + 300_000)
        stored = next(number for number in range(MOST_PUTS) if not put(rows, number))
        assert stored
        assert rows.get_item(TableName=TABLE, Key={"Client_ID": {"S": "thermo-0"}})["Item"] == item(0)
        with Device(emulator) as device:
            assert device.connect("let-in-all-the-same") == (0, False)
        file_size_limit(emulator, room)
        assert put(rows, stored)
        found = [row for page in rows.get_paginator("scan").paginate(TableName=TABLE) for row in page["Items"]]
        assert sorted(found, key=str) == sorted(map(item, range(stored + 1)), key=str)
        with Device(emulator) as device:
            assert device.connect("and-afterwards") == (0, False)
