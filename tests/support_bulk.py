"""A table in memory that takes inserts, reads and changes as DynamoDB does, and fails when it is told to."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from typing import Any

from iotauth_authorizer.record import Item
from support_table import HANG_UP, Asked, answer


class Table:
    """A table in memory that answers inserts and reads as DynamoDB does. *faults* come first, in turn."""

    def __init__(self, *faults: Any) -> None:
        self.items: dict[str, Item] = {}
        self.faults: Iterator[Any] = iter(faults)
        self.batches: list[int] = []
        self._lock = threading.Lock()

    def __call__(self, asked: Asked) -> bytes:
        with self._lock:
            return self.answer(asked)

    def answer(self, asked: Asked) -> bytes:
        body = json.loads(asked.body)
        if asked.operation == "BatchGetItem":
            wanted = [key["Client_ID"]["S"] for key in body["RequestItems"]["clients"]["Keys"]]
            return answer({"Responses": {"clients": [self.items[name] for name in wanted if name in self.items]}})
        assert body["Statements"], "AWS refuses an empty batch"
        self.batches.append(len(body["Statements"]))
        fault = next(self.faults, None)
        if isinstance(fault, bytes) and fault != HANG_UP:
            return fault
        responses = [self.insert(statement, fault) for statement in body["Statements"]]
        return HANG_UP if fault == HANG_UP else answer({"Responses": responses})

    def insert(self, statement: dict[str, Any], fault: Any) -> dict[str, Any]:
        names = [part.split("'")[1] for part in statement["Statement"].partition("{")[2].split(",")]
        new = dict(zip(names, statement["Parameters"], strict=True))
        client_id = new["Client_ID"]["S"]
        if isinstance(fault, dict) and client_id in fault:
            return {"Error": {"Code": fault[client_id], "Message": "no"}, "TableName": "clients"}
        if client_id in self.items:
            return {"Error": {"Code": "DuplicateItem", "Message": "Duplicate primary key"}, "TableName": "clients"}
        self.items[client_id] = new
        return {"TableName": "clients"}
