"""Rotating 10,000 clients beside a read-modify-write loop over boto3, and the memory that a long list takes.

Run `python benchmarks/rotation.py [rounds]`. Both rotate against the same stand-in for the table, in turn: a
process of its own on a core of its own that answers Scan, GetItem and UpdateItem over TLS, each after a service
time of 8 ms, which is what DynamoDB takes, or none. Both make, hash and write out a secret for each client;
ours also makes each durable first. The loop does a row at a time, so a part of the rows is enough for its rate.
"""

from __future__ import annotations

import contextlib
import csv
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from stand_in import _make_certificate, free_port, wait_for
from table import Row, render

from iotauth_authorizer.credential import Slot, hash_secret, new_secret
from iotauth_authorizer.grants import Grants
from iotauth_authorizer.record import ClientRecord, to_item

ROWS = 10_000
PEER_ROWS = {8: 200, 0: 1_000}  # by service time in ms: the loop's rate does not change with more
NAME = "iotauth-clients"
PAGE_ROWS = 2_500  # about 1 MB
LISTED = (10_000, 300_000)
NOW = 1763640000
USERNAME = "x-amz-customauthorizer-name=iotauth"

SERVER = """
import asyncio, json, ssl, sys
certificate, key, rows_file, port, service_ms, size = sys.argv[1:7]
rows = json.load(open(rows_file))
by_id = {row["Client_ID"]["S"]: json.dumps({"Item": row}).encode() for row in rows}
size = int(size)
def page(at, total):
    body = {"Items": rows[at % len(rows) : at % len(rows) + size], "Count": size}
    if at + size < total:
        body["LastEvaluatedKey"] = {"Client_ID": {"S": str(at + size)}}
    return json.dumps(body).encode()
class Wire(asyncio.Protocol):
    def connection_made(self, transport):
        self.transport, self.held = transport, b""
    def data_received(self, data):
        self.held += data
        head, blank, body = self.held.partition(b"\\r\\n\\r\\n")
        length = int(head.lower().partition(b"content-length:")[2].split(b"\\r\\n")[0] or 0) if blank else 0
        if blank and len(body) >= length:
            self.held = b""
            operation = head.lower().partition(b"dynamodb_20120810.")[2].split(b"\\r\\n")[0]
            answer = self.answer(operation, body)
            if float(service_ms):
                asyncio.get_running_loop().call_later(float(service_ms) / 1000, self.send, answer)
            else:
                self.send(answer)
    def answer(self, operation, body):
        if operation == b"updateitem":
            return b"{}"
        asked = json.loads(body)
        if operation == b"getitem":
            return by_id[asked["Key"]["Client_ID"]["S"]]
        at = int(asked["ExclusiveStartKey"]["Client_ID"]["S"]) if "ExclusiveStartKey" in asked else 0
        return page(at, int(asked["TableName"].partition(".")[2] or len(rows)))
    def send(self, body):
        head = b"HTTP/1.1 200 OK\\r\\nContent-Type: application/x-amz-json-1.0\\r\\nContent-Length: %d\\r\\n\\r\\n"
        self.transport.write(head % len(body) + body)
async def main():
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    await (await asyncio.get_running_loop().create_server(Wire, "127.0.0.1", int(port), ssl=context)).serve_forever()
asyncio.run(main())
"""

LIST = """
import sys
from iotauth_cli.cli import render_fleet
from iotauth_cli.cli.output import Output
from iotauth_cli.operations.fleet import listing, selection
sys.path.insert(0, sys.argv[1])
from rotation import table_at
table = table_at(sys.argv[2], sys.argv[3], "clients." + sys.argv[4])
found = listing.in_order(listing.every(table, selection.Where(), 0))
rows = ((render_fleet.listed_document(each), render_fleet.listed(each)) for each in found)
Output(as_json=sys.argv[5] == "json").long_table(render_fleet.LISTED, rows)
"""


def measure(rounds: int = 3) -> list[Row]:
    """Measure and return the rows. Takes about half a minute."""
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        certificate, key, rows_file = directory / "server.pem", directory / "key.pem", directory / "rows.json"
        _make_certificate(certificate, key)
        rows_file.write_text(json.dumps([to_item(client(number)) for number in range(ROWS)]))
        rows = []
        for service_ms, goal in ((8, 0.1), (0, None)):
            with stand_in(certificate, key, rows_file, service_ms) as endpoint, pinned():
                pairs = [both(endpoint, certificate, directory, service_ms) for _ in range(rounds + 1)][1:]
            rows.append(row(service_ms, pairs, goal))
        with stand_in(certificate, key, rows_file, 0) as endpoint:
            rows += listed(endpoint, certificate)
        return rows


def client(number: int) -> ClientRecord:
    client_id = f"thermo-{number}"
    slots = {"A": Slot(hash_secret(b"iota_old", client_id), NOW - 86400)}
    topic = f"sensors/{client_id}"
    grants = Grants(publish=(topic, f"{topic}/#"), subscribe=(topic, f"{topic}/#"))
    return ClientRecord(
        client_id, slots=slots, grants=grants, tags={"site": "berlin"}, created_at=NOW, updated_at=NOW, version=1
    )


@contextlib.contextmanager
def stand_in(certificate: Path, key: Path, rows_file: Path, service_ms: int) -> Iterator[str]:
    """Answer for the table, on the last core, each request after *service_ms*."""
    port = free_port()
    words = [sys.executable, "-c", SERVER, certificate, key, rows_file, port, service_ms, PAGE_ROWS]
    with subprocess.Popen([str(word) for word in words], stderr=subprocess.DEVNULL) as process:
        try:
            os.sched_setaffinity(process.pid, {max(os.sched_getaffinity(0))})
            wait_for(port)
            yield f"https://127.0.0.1:{port}"
        finally:
            process.kill()


@contextlib.contextmanager
def pinned() -> Iterator[None]:
    """Keep this process off the stand-in's core."""
    cores = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cores - {max(cores)} or cores)
    try:
        yield
    finally:
        os.sched_setaffinity(0, cores)


def both(endpoint: str, certificate: Path, directory: Path, service_ms: int) -> tuple[float, float]:
    """Return the seconds a row takes us, and the loop."""
    return ours(endpoint, certificate, directory), peer(endpoint, certificate, directory, PEER_ROWS[service_ms])


def ours(endpoint: str, certificate: Path, directory: Path) -> float:
    from iotauth_cli.credentials import Store
    from iotauth_cli.operations.fleet.rotation import Journal, Order, Rotation
    from iotauth_cli.operations.fleet.selection import Where

    table, store = table_at(endpoint, str(certificate), NAME), Store(directory / ".iotauth", "aws")
    out = directory / "ours.csv"
    out.unlink(missing_ok=True)
    began = time.perf_counter()
    journal = Journal.open(out, store, NAME, Where(), NOW)
    run = Rotation(table, store, journal, Order(Where(), "iotauth", 7 * 86400), NOW)
    done = sum(outcome.kind == "rotated" for outcome in run.outcomes())
    took = time.perf_counter() - began
    table.close()
    assert done == ROWS
    assert out.read_text().count("\n") == ROWS + 1
    return took / done


def peer(endpoint: str, certificate: Path, directory: Path, count: int) -> float:
    """Rotate as a careful script over boto3 does: get, change, conditional update, a line in a CSV."""
    import boto3

    dynamodb = boto3.client(  # type: ignore[call-overload]
        "dynamodb",
        endpoint_url=endpoint,
        region_name="eu-west-1",
        verify=str(certificate),
        aws_access_key_id="AKIDEXAMPLE",
        aws_secret_access_key="x",
    )
    dynamodb.get_item(TableName=NAME, Key={"Client_ID": {"S": "thermo-0"}})  # connects
    with (directory / "peer.csv").open("w", newline="") as file:
        lines = csv.writer(file)
        began = time.perf_counter()
        for number in range(count):
            rotate_with_boto3(dynamodb, lines, f"thermo-{number}")
        took = time.perf_counter() - began
    dynamodb.close()
    return took / count


def rotate_with_boto3(dynamodb: Any, lines: Any, client_id: str) -> None:
    key = {"Client_ID": {"S": client_id}}
    row = dynamodb.get_item(TableName=NAME, Key=key, ConsistentRead=True)["Item"]
    secret = new_secret()
    lines.writerow([client_id, f"{client_id}?{USERNAME}", secret])
    new = {"Hash": {"S": hash_secret(secret.encode(), client_id)}, "Created": {"N": str(NOW)}}
    dynamodb.update_item(
        TableName=NAME,
        Key=key,
        UpdateExpression="SET Secret_B = :new, Secret_A.#state = :old, Secret_A.Grace = :grace, Version = :next",
        ConditionExpression="Version = :version",
        ExpressionAttributeNames={"#state": "State"},
        ExpressionAttributeValues={
            ":new": {"M": {**new, "State": {"S": "pending"}}},
            ":old": {"S": "retiring"},
            ":grace": {"N": "604800"},
            ":next": {"N": str(int(row["Version"]["N"]) + 1)},
            ":version": row["Version"],
        },
    )


def table_at(endpoint: str, certificate: str, name: str) -> Any:
    from iotauth_cli.aws.client_table import ClientTable
    from iotauth_cli.aws.session import Session
    from iotauth_cli.config import Target
    from iotauth_cli.secret import Secret

    target = Target(
        "the stand-in",
        "eu-west-1",
        "aws",
        table_url=endpoint,
        table_ca=certificate,
        access_key="AKIDEXAMPLE",
        secret_key=Secret("x"),
    )
    return ClientTable.open(Session(target), name)


def row(service_ms: int, pairs: list[tuple[float, float]], goal: float | None) -> Row:
    mine, theirs = (statistics.median(side) for side in zip(*pairs, strict=True))
    ratio = statistics.median(ours_s / peer_s for ours_s, peer_s in pairs)
    what = f"rotate {ROWS:,} clients, {service_ms} ms a request / boto3 loop, time a client"
    return Row(what, f"{1 / mine:,.0f}/s", f"{1 / theirs:,.0f}/s", ratio, goal)


def listed(endpoint: str, certificate: Path) -> list[Row]:
    """Return the peak memory and the rate of `client list` for many rows, beside those for few."""
    rows = []
    for form in ("text", "json"):
        (few_mb, _), (many_mb, took) = (list_process(endpoint, certificate, count, form) for count in LISTED)
        what = f"client list, {form}, {LISTED[1]:,} clients / {LISTED[0]:,}, peak memory"
        rows.append(
            Row(what, f"{many_mb:.0f} MB, {LISTED[1] / took:,.0f}/s", f"{few_mb:.0f} MB", many_mb / few_mb, 1.1)
        )
    return rows


def list_process(endpoint: str, certificate: Path, count: int, form: str) -> tuple[float, float]:
    """Return the peak memory in MB and the seconds of a process that lists *count* clients."""
    here = str(Path(__file__).parent)
    words = [sys.executable, "-c", LIST, here, endpoint, str(certificate), str(count), form]
    began = time.perf_counter()
    process = subprocess.Popen(words, stdout=subprocess.DEVNULL)
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0
    return used.ru_maxrss / 1024, time.perf_counter() - began


if __name__ == "__main__":
    print(render(measure(int(sys.argv[1]) if len(sys.argv) > 1 else 3)))
