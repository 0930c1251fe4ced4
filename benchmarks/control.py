"""The control plane beside moto's server, and the Runtime API's warm call beside AWS's runtime client.

Run `python benchmarks/control.py [rounds]`. The function's own light client sends the same requests
to both servers in turn, because through boto3 half of each time would be boto3's; a ratio is taken
round by round and the median is reported. moto keeps its tables in memory, the emulator in a file.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib.util
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from stand_in import free_port, wait_for
from table import Row, not_measured, render

from iotauth_authorizer.dynamodb import Client, Credentials
from iotauth_cli.emulator import environment, lifecycle
from iotauth_cli.emulator.lambda_runtime.api import Event, RuntimeApi
from iotauth_cli.emulator.lambda_runtime.process import CLIENT, sdk_directory

TABLE = "bench"
REQUESTS = 100  # of each kind, in each round
BATCH = 25  # items; the most that BatchWriteItem takes
INVOCATIONS = 400
OUR_CLIENT = (sys.executable, "-S", "-s", str(CLIENT), sdk_directory())
AWS_CLIENT = (sys.executable, "-m", "awslambdaric", "app.handler")
HANDLER = "def handler(event, context):\n    return {'isAuthenticated': True}\n"
ARN = "arn:aws:lambda:us-east-1:123456789012:function:bench"
FAR_AWAY_MS = 4_000_000_000_000

Request = Callable[[Client, int], object]


class Server(NamedTuple):
    client: Client
    ready_s: float


class Kind(NamedTuple):
    """A kind of request, how many items it concerns, and the highest ratio that is good enough."""

    what: str
    request: Request
    items: int
    goal: float | None


def measure(rounds: int = 7) -> list[Row]:
    """Measure everything and return the rows, goals included. Takes about two seconds per round."""
    return [*_beside_moto(rounds), _invocation(rounds)]


def _beside_moto(rounds: int) -> list[Row]:
    kinds = [
        Kind("put", lambda client, n: client.put_item(TABLE, item(n)), 1, 0.5),
        Kind("conditional put", _put_conditionally, 1, None),
        Kind("get", lambda client, n: client.get_item(TABLE, key(n)), 1, None),
        Kind(f"item in batches of {BATCH}", _put_batch, BATCH, 0.5),
    ]
    if importlib.util.find_spec("flask") is None:  # what the extra adds
        why = "moto[server] is not installed"
        return [not_measured(f"DynamoDB, {kind.what} / moto server", why, kind.goal) for kind in kinds]
    with tempfile.TemporaryDirectory() as name, emulator(Path(name) / "state") as ours, moto(Path(name)) as peer:
        for server in (ours, peer):
            create_table(server.client)
        ready = Row(
            "control port, exec to ready / moto server",
            f"{ours.ready_s:.2f} s",
            f"{peer.ready_s:.2f} s",
            ours.ready_s / peer.ready_s,
            None,
        )
        return [ready, *(_row(kind, ours, peer, rounds) for kind in kinds)]


def _put_conditionally(client: Client, number: int) -> None:
    client.put_item(TABLE, item(number), condition="attribute_exists(Client_ID)")


def _put_batch(client: Client, number: int) -> None:
    puts = [{"PutRequest": {"Item": item(number * BATCH + index)}} for index in range(BATCH)]
    client.call("BatchWriteItem", {"RequestItems": {TABLE: puts}})


def _row(kind: Kind, ours: Server, peer: Server, rounds: int) -> Row:
    pairs = [(_seconds(kind, ours), _seconds(kind, peer)) for _ in range(rounds + 1)][1:]
    return _compared(f"DynamoDB, {kind.what} / moto server", pairs, kind.goal)


def _seconds(kind: Kind, server: Server) -> float:
    began = time.perf_counter()
    for number in range(REQUESTS):
        kind.request(server.client, number)
    return (time.perf_counter() - began) / (REQUESTS * kind.items)


def _compared(what: str, pairs: Sequence[tuple[float, float]], goal: float | None) -> Row:
    mine, theirs = (statistics.median(side) for side in zip(*pairs, strict=True))
    ratio = statistics.median(ours_s / peer_s for ours_s, peer_s in pairs)
    return Row(what, f"{mine * 1e6:.0f} us", f"{theirs * 1e6:.0f} us", ratio, goal)


def item(number: int) -> dict[str, Any]:
    """Return a client's row of the usual size."""
    return {
        **key(number),
        "allow_connect": {"BOOL": True},
        "Secret_A": {"M": {"Hash": {"S": "h" * 80}, "Created": {"N": "1800000000"}, "State": {"S": "active"}}},
        "publish_topics": {"L": [{"S": f"sensors/{number}"}, {"S": f"sensors/{number}/#"}]},
        "subscribe_topics": {"L": [{"S": f"sensors/{number}"}]},
    }


def key(number: int) -> dict[str, Any]:
    return {"Client_ID": {"S": f"thermo-{number}"}}


def create_table(client: Client) -> None:
    settings = {
        "TableName": TABLE,
        "KeySchema": [{"AttributeName": "Client_ID", "KeyType": "HASH"}],
        "AttributeDefinitions": [{"AttributeName": "Client_ID", "AttributeType": "S"}],
        "BillingMode": "PAY_PER_REQUEST",
    }
    client.call("CreateTable", settings)


@contextlib.contextmanager
def emulator(state_dir: Path) -> Iterator[Server]:
    began = time.perf_counter()
    ready = lifecycle.start(state_dir, port=0, control_port=0)
    ready_s = time.perf_counter() - began
    try:
        yield Server(_client(ready.control_endpoint), ready_s)
    finally:
        lifecycle.stop(state_dir)


@contextlib.contextmanager
def moto(directory: Path) -> Iterator[Server]:
    port = free_port()
    began = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)],
        cwd=directory,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    with process:
        try:
            wait_for(port)
            yield Server(_client(f"http://127.0.0.1:{port}"), time.perf_counter() - began)
        finally:
            process.kill()


def _client(endpoint: str) -> Client:
    credentials = Credentials(environment.ACCESS_KEY_ID, environment.SECRET_ACCESS_KEY)
    return Client("us-east-1", credentials=lambda: credentials, endpoint_url=endpoint)


def _invocation(rounds: int) -> Row:
    what = "warm invocation p50 through the Runtime API / awslambdaric"
    if importlib.util.find_spec("awslambdaric") is None:
        return not_measured(what, "awslambdaric is not installed", 1.3)
    with tempfile.TemporaryDirectory() as name:
        (Path(name) / "app.py").write_text(HANDLER)
        return _compared(what, asyncio.run(_invocations(Path(name), rounds)), 1.3)


async def _invocations(directory: Path, rounds: int) -> list[tuple[float, float]]:
    async with runtime(OUR_CLIENT, directory) as ours, runtime(AWS_CLIENT, directory) as peer:
        return [(await _seconds_per_call(ours), await _seconds_per_call(peer)) for _ in range(rounds + 1)][1:]


async def _seconds_per_call(api: RuntimeApi) -> float:
    taken = []
    for number in range(INVOCATIONS):
        began = time.perf_counter()
        await api.call(Event(f"request-{number}", ARN, FAR_AWAY_MS, b'{"token":"abc"}'))
        taken.append(time.perf_counter() - began)
    return statistics.median(taken)


@contextlib.asynccontextmanager
async def runtime(command: Sequence[str], directory: Path) -> AsyncIterator[RuntimeApi]:
    """Let *command*, a runtime client, serve the function in *directory*."""
    api = RuntimeApi(lambda: None)
    variables = {
        "AWS_LAMBDA_RUNTIME_API": await api.listen(),
        "LAMBDA_TASK_ROOT": str(directory),
        "_HANDLER": "app.handler",
        "AWS_EXECUTION_ENV": "AWS_Lambda_python3.13",
        "PYTHONPATH": os.pathsep.join([str(directory), *sys.path]),
    }
    process = subprocess.Popen(
        command, env=variables, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    with process:
        try:
            await asyncio.wait_for(api.initialised, 10)
            yield api
        finally:
            process.kill()
            api.close()


if __name__ == "__main__":
    print(render(measure(int(sys.argv[1]) if len(sys.argv) > 1 else 7)))
