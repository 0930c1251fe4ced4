"""A fleet's import beside boto3's `batch_writer`: CPU a row, memory, and rows a second against a slow table.

Run `python benchmarks/fleet.py [rounds]`. Ours is the whole command: it reads the lines, checks
them, makes, hashes and hands out the secrets and writes the rows. The peer writes rows that lie
ready in memory. CPU a row is what a larger import takes more than a small one, so that neither
pays for its start. `million.py` does it once with a million rows.
"""

from __future__ import annotations

import contextlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from stand_in import StandIn, free_port, stand_in, wait_for
from table import Row, render

BATCH = 25
SMALL, LARGE = 2_500, 27_500
MEMORY_ROWS = 100_000
SERVICE_S = 0.008
SLOW_ROWS = 150_000
GOAL_RATE = 40_000  # rows a second: the default quota of a table
QUOTA = 400  # requests a second that the throttling table takes: 10,000 rows
ANSWER = json.dumps({"Responses": [{"TableName": "clients"}] * BATCH, "UnprocessedItems": {}})

OURS = """
import json, sys, time
from iotauth_cli.__main__ import main
began = time.perf_counter()
out = ["--secrets-out", sys.argv[2], "--quiet"]
code = main(["client", "import", sys.argv[1], "--template", "sensors/{client_id}/#", *out])
"""
PEER = """
import json, os, sys, time
import boto3
from botocore.config import Config
rows = int(sys.argv[1])
hashed = "$iota-hmac-sha256$v=1$" + "A" * 22 + "$" + "A" * 43
items = [
    {"Client_ID": f"thermo-{n:07}", "allow_connect": True, "Created": 1763640000, "Updated": 1763640000, "Version": 1,
     "Secret_A": {"Hash": hashed, "Created": 1763640000, "State": "active"},
     "publish_topics": [f"sensors/thermo-{n:07}/#"], "subscribe_topics": [f"sensors/thermo-{n:07}/#"]}
    for n in range(rows)
]
table = boto3.resource("dynamodb", endpoint_url=os.environ["AWS_ENDPOINT_URL_DYNAMODB"]).Table("clients")
began = time.perf_counter()
with table.batch_writer() as batch:
    for item in items:
        batch.put_item(Item=item)
code = 0
"""
TAIL = """
took = time.perf_counter() - began
peak = next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith("VmHWM"))
print(json.dumps({"wall": took, "cpu": time.process_time(), "peak": peak}), file=sys.stderr)
sys.exit(code)
"""

# A table with a service time: each request is answered after it, and those above a quota are refused.
SLOW = """
import asyncio, json, sys, time
service_s, quota, answer = float(sys.argv[2]), int(sys.argv[3]), open(sys.argv[4], "rb").read()
def reply(status, body):
    return b"HTTP/1.1 %s\\r\\nContent-Length: %d\\r\\n\\r\\n%s" % (status, len(body), body)
good = reply(b"200 OK", answer)
bad = reply(b"400 Bad", b'{"__type": "ThrottlingException", "message": "slow down"}')
second, taken = 0, 0
class Table(asyncio.Protocol):
    def connection_made(self, transport):
        self.transport, self.held, self.need = transport, [], 0
    def data_received(self, data):
        if not self.held:
            head, _, rest = data.partition(b"\\r\\n\\r\\n")
            self.need = len(head) + 4 + int(head.lower().rpartition(b"content-length:")[2].split(b"\\r\\n")[0])
        self.held.append(data)
        self.need -= len(data)
        if self.need <= 0:
            self.held.clear()
            asyncio.get_running_loop().call_later(service_s, self.send, decide())
    def send(self, what):
        if not self.transport.is_closing():
            self.transport.write(what)
def decide():
    global second, taken
    now = int(time.monotonic() * 10)
    if now != second:
        second, taken = now, 0
    taken += 1
    return bad if quota and taken > quota / 10 else good
async def main():
    server = await asyncio.get_running_loop().create_server(Table, "127.0.0.1", int(sys.argv[1]), backlog=128)
    await server.serve_forever()
asyncio.run(main())
"""


class Ran(NamedTuple):
    """What a process took: seconds, CPU seconds, and its highest memory in KiB."""

    wall: float
    cpu: float
    peak: int


def write_fleet(path: Path, rows: int) -> Path:
    with path.open("w") as file:
        file.write("client_id\n")
        file.writelines(f"thermo-{number:07}\n" for number in range(rows))
    return path


def run_driver(source: str, *arguments: str, endpoint: str, ca_file: Path | None, cwd: Path) -> Ran:
    """Run a driver in a process of its own and return what it took."""
    environ = {
        **os.environ,
        "AWS_ACCESS_KEY_ID": "AKIDEXAMPLE",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_DEFAULT_REGION": "eu-west-1",
        "AWS_ENDPOINT_URL_DYNAMODB": endpoint,
        "HOME": str(cwd),
        **({"AWS_CA_BUNDLE": str(ca_file)} if ca_file else {}),
    }
    environ.pop("IOTAUTH_EMULATOR", None)
    command = [sys.executable, "-c", source + TAIL, *arguments]
    ran = subprocess.run(command, capture_output=True, text=True, cwd=cwd, env=environ)
    if ran.returncode:
        raise RuntimeError(ran.stderr)
    return Ran(**json.loads(ran.stderr.splitlines()[-1]))


def ours(directory: Path, rows: int, endpoint: str, ca_file: Path | None = None) -> Ran:
    fleet, out = write_fleet(directory / "fleet.csv", rows), directory / "secrets.csv"
    out.unlink(missing_ok=True)
    (directory / "iotauth.yaml").write_text("table: clients\n")
    return run_driver(OURS, str(fleet), str(out), endpoint=endpoint, ca_file=ca_file, cwd=directory)


def peer(directory: Path, rows: int, endpoint: str, ca_file: Path | None = None) -> Ran:
    return run_driver(PEER, str(rows), endpoint=endpoint, ca_file=ca_file, cwd=directory)


@contextlib.contextmanager
def slow_table(directory: Path, quota: int = 0) -> Iterator[str]:
    """Serve a table that takes `SERVICE_S` for each request, and *quota* requests a second if that is given."""
    answer = directory / "answer.json"
    answer.write_text(ANSWER)
    port = free_port()
    command = [sys.executable, "-S", "-c", SLOW, str(port), str(SERVICE_S), str(quota), str(answer)]
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    with process:
        try:
            wait_for(port)
            yield f"http://127.0.0.1:{port}"
        finally:
            process.kill()


def cpu_per_row(directory: Path, table: StandIn, rounds: int) -> Row:
    pairs = []
    for _ in range(rounds):
        per_row = [
            (make(directory, LARGE, table.endpoint, table.ca_file).cpu
             - make(directory, SMALL, table.endpoint, table.ca_file).cpu) / (LARGE - SMALL)
            for make in (ours, peer)
        ]  # fmt: skip
        pairs.append(per_row)
    mine, theirs = (statistics.median(column) * 1e6 for column in zip(*pairs, strict=True))
    ratio = statistics.median(a / b for a, b in pairs)
    return Row(
        "client import: CPU a row, secrets and hand-out included",
        f"{mine:.1f} us",
        f"{theirs:.1f} us, batch_writer of ready-made rows",
        ratio,
        0.15,
    )


def memory(directory: Path, table: StandIn) -> Row:
    small, large = (ours(directory, rows, table.endpoint, table.ca_file).peak for rows in (10_000, MEMORY_ROWS))
    return Row(
        f"client import: peak memory of {MEMORY_ROWS:,} rows",
        f"{large / 1024:.1f} MiB",
        f"{small / 1024:.1f} MiB, 10,000 rows",
        large / small,
        1.1,
    )


def rate(directory: Path) -> Iterator[Row]:
    with slow_table(directory) as endpoint:
        mine = SLOW_ROWS / ours(directory, SLOW_ROWS, endpoint).wall
        theirs = 5_000 / peer(directory, 5_000, endpoint).wall
    yield Row(
        "client import: rows a second, table with 8 ms of service time",
        f"{mine:,.0f}/s from the first row, checking included",
        f"{GOAL_RATE:,}/s, a table's quota; batch_writer {theirs:,.0f}/s",
        GOAL_RATE / mine,
        1.0,
    )
    with slow_table(directory, QUOTA) as endpoint:
        taken = 60_000 / ours(directory, 60_000, endpoint).wall
    yield Row(
        "client import: rows a second, throttled table",
        f"{taken:,.0f}/s",
        f"{QUOTA * BATCH:,}/s, what it takes",
        QUOTA * BATCH / taken,
        1.5,
    )


def measure(rounds: int = 3) -> list[Row]:
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        with stand_in(directory, ANSWER) as table:
            rows = [cpu_per_row(directory, table, rounds), memory(directory, table)]
        return [*rows, *rate(directory)]


if __name__ == "__main__":
    print(render(measure(int(sys.argv[1]) if len(sys.argv) > 1 else 3)))
