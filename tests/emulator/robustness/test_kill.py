"""`kill -9` in the middle of a burst of writes: nothing that was acknowledged is lost, and nothing is half there."""

from __future__ import annotations

import sqlite3
import threading
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import BotoCoreError, ClientError

from iotauth_authorizer.dynamodb import Client, ConnectionLost, Credentials
from iotauth_cli.emulator.state import FILE_NAME
from support_data import ACCOUNT
from support_emulator import RunningEmulator, running_emulator

TABLE = "clients"
BATCH = 5


class Burst(threading.Thread):
    """Writes without a pause until the emulator is gone; *acknowledged* counts the rounds that it confirmed.

    Round n puts item `one-n`, a batch of five, and points the authorizer to version n of its function.
    """

    def __init__(self, emulator: RunningEmulator) -> None:
        super().__init__()
        credentials = Credentials("IOTAUTHEMULATOR", "emulator")
        self._rows = Client(
            emulator.ready.region,
            credentials=lambda: credentials,
            endpoint_url=emulator.ready.control_endpoint,
            budget_s=0.5,  # nobody comes back under this address
        )
        self._iot = emulator.client("iot")
        self.acknowledged = 0
        self.moved = threading.Condition()

    def run(self) -> None:
        with closing(self._rows), closing(self._iot):
            try:
                while True:
                    self._round(self.acknowledged)
                    with self.moved:
                        self.acknowledged += 1
                        self.moved.notify_all()
            except (ConnectionLost, BotoCoreError, ClientError):
                return  # the emulator is gone

    def _round(self, number: int) -> None:
        self._rows.put_item(TABLE, item(f"one-{number}"))
        puts = [{"PutRequest": {"Item": item(f"batch-{number}-{each}")}} for each in range(BATCH)]
        self._rows.call("BatchWriteItem", {"RequestItems": {TABLE: puts}})
        self._iot.update_authorizer(authorizerName="doors", authorizerFunctionArn=function_arn(number))

    def wait_for(self, rounds: int) -> None:
        with self.moved:
            assert self.moved.wait_for(lambda: self.acknowledged >= rounds, timeout=20)


def item(key: str) -> dict[str, dict[str, Any]]:
    return {"Client_ID": {"S": key}, "Note": {"S": key * 20}}


def function_arn(version: int) -> str:
    return f"arn:aws:lambda:us-east-1:{ACCOUNT}:function:doors:{version + 1}"


def prepare(emulator: RunningEmulator) -> None:
    emulator.client("dynamodb").create_table(
        TableName=TABLE,
        KeySchema=[{"AttributeName": "Client_ID", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "Client_ID", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    emulator.client("iot").create_authorizer(
        authorizerName="doors", authorizerFunctionArn=function_arn(-1), signingDisabled=True
    )


def is_whole(state_dir: Path) -> bool:
    with closing(sqlite3.connect(state_dir / FILE_NAME)) as db:
        return list(db.execute("PRAGMA integrity_check")) == [("ok",)] and not list(
            db.execute("PRAGMA foreign_key_check")
        )


@pytest.mark.parametrize("rounds", [1, 7, 40])
def test_a_kill_during_a_write_burst_loses_nothing_that_was_acknowledged(tmp_path: Path, rounds: int) -> None:
    """The file is whole, every confirmed row and update is there, and a batch is there as a whole or not at all."""
    with running_emulator(tmp_path) as emulator:
        prepare(emulator)
        burst = Burst(emulator)
        burst.start()
        burst.wait_for(rounds)
        emulator.kill()  # whatever write it is in
        burst.join(20)
        assert not burst.is_alive()
        assert is_whole(emulator.state_dir)
        emulator.start()
        assert is_whole(emulator.state_dir)
        pages = emulator.client("dynamodb").get_paginator("scan").paginate(TableName=TABLE)
        found = {row["Client_ID"]["S"]: row for page in pages for row in page["Items"]}
        described = emulator.client("iot").describe_authorizer(authorizerName="doors")["authorizerDescription"]
    last = burst.acknowledged  # the round that the kill fell into
    batches = [sum(f"batch-{number}-{each}" in found for each in range(BATCH)) for number in range(last + 1)]
    assert all(found[key] == item(key) for key in found)
    assert all(f"one-{number}" in found for number in range(last))
    assert batches[:last] == [BATCH] * last
    assert batches[last] in (0, BATCH)
    assert described["authorizerFunctionArn"] in (function_arn(last - 1), function_arn(last))
