"""The emulator beside Mosquitto, over TLS, with the authorizer's real function in the way.

Run `python benchmarks/emulator.py [rounds]`. Both brokers run at the same time with the same
certificate, and are measured in turn by the same load client; a ratio is taken round by round and
the median is reported. Mosquitto looks at no password and no policy: it does less. Times are per
connect or per message, so that less is better in every row.
"""

from __future__ import annotations

import asyncio
import contextlib
import io
import json
import shutil
import ssl
import statistics
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import boto3
from mqtt_load import (
    Broker,
    close,
    connect_many,
    seconds_per_connect,
    seconds_per_message_qos_0,
    seconds_per_message_qos_1,
)
from stand_in import free_port
from table import Row, not_measured, render

from iotauth_authorizer import credential, username
from iotauth_authorizer.grants import Grants
from iotauth_authorizer.record import ClientRecord, to_item
from iotauth_cli import bundle
from iotauth_cli.emulator import lifecycle
from iotauth_cli.emulator.mqtt.packets import Connect

DEVICES = 400
MESSAGES = 20_000
FAN_OUT = (500, 50)  # messages, subscribers
IDLE = 300
READY_S = 0.5  # the goals of the project; those below are times the peer's time
MEMORY_KIB = 64
CONNECT_GOAL = 2.0  # with our function and its table in the way
TRIVIAL_CONNECT_GOAL = 1.0  # with a function that lets everybody in
QOS_0_GOAL = 1.0
QOS_1_GOAL = 1 / 1.2  # 1.2 times its rate
FAN_OUT_GOAL = 1.25  # 0.8 of its rate
REGION = "us-east-1"
TABLE = "bench"
TRUST = {
    "Version": "2012-10-17",
    "Statement": {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"},
}

# What a function costs that asks nobody: AWS IoT's answer, written down.
TRIVIAL = """
def handler(event, context):
    region, account = context.invoked_function_arn.split(":")[3:5]
    statement = {"Effect": "Allow", "Action": "iot:*", "Resource": f"arn:aws:iot:{region}:{account}:*"}
    return {
        "isAuthenticated": True,
        "principalId": "everybody",
        "policyDocuments": [{"Version": "2012-10-17", "Statement": [statement]}],
        "disconnectAfterInSeconds": 86400,
        "refreshAfterInSeconds": 86400,
    }
"""

Measure = Callable[[Broker], Awaitable[float]]


class Server(NamedTuple):
    broker: Broker
    pid: int


def measure(rounds: int = 5) -> list[Row]:
    """Measure everything and return the rows, goals included. Takes about five seconds per round."""
    with tempfile.TemporaryDirectory() as directory, emulator(Path(directory) / "state") as (ours, ready_s):
        rows = [Row("emulator, exec to ready / its limit", f"{ready_s:.2f} s", f"{READY_S} s", ready_s / READY_S, 1.0)]
        if (program := shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin")) is None:
            return [*rows, not_measured("emulator / mosquitto", "mosquitto is not installed")]
        with mosquitto(program, Path(directory)) as peer:
            return [*rows, *asyncio.run(_compare(ours, peer, rounds))]


async def _compare(ours: Server, peer: Server, rounds: int) -> list[Row]:
    messages, subscribers = FAN_OUT
    measures: list[tuple[str, Measure, float | None]] = [
        (
            "emulator, connect through our function and its table / mosquitto's bare TLS",
            lambda broker: seconds_per_connect(broker, DEVICES),
            CONNECT_GOAL,
        ),
        (
            "emulator, connect through a trivial function / mosquitto's bare TLS",
            lambda broker: seconds_per_connect(naming(broker, "trivial"), DEVICES),
            TRIVIAL_CONNECT_GOAL,
        ),
        (
            "emulator, message at QoS 0 / mosquitto",
            lambda broker: seconds_per_message_qos_0(broker, MESSAGES),
            QOS_0_GOAL,
        ),
        (
            "emulator, message at QoS 1 / mosquitto",
            lambda broker: seconds_per_message_qos_1(broker, MESSAGES // 2),
            QOS_1_GOAL,
        ),
        (
            f"emulator, delivery to one of {subscribers} subscribers / mosquitto",
            lambda broker: seconds_per_message_qos_0(broker, messages, subscribers),
            FAN_OUT_GOAL,
        ),
    ]
    # Memory first: later a process would only take again what it has already had.
    memory = await _memory(ours, peer)
    return [*[await _row(what, measure, ours, peer, rounds, goal) for what, measure, goal in measures], memory]


def naming(broker: Broker, authorizer: str) -> Broker:
    """Return *broker* with clients that name another authorizer; Mosquitto looks at no name."""
    name = username.compose("", [(username.AUTHORIZER_NAME, authorizer)])
    return replace(broker, connect=lambda number: replace(broker.connect(number), username=name))


async def _row(what: str, measure: Measure, ours: Server, peer: Server, rounds: int, goal: float | None) -> Row:
    pairs = [(await measure(ours.broker), await measure(peer.broker)) for _ in range(rounds + 1)][1:]
    mine, theirs = (statistics.median(side) for side in zip(*pairs, strict=True))
    ratio = statistics.median(ours_s / peer_s for ours_s, peer_s in pairs)
    return Row(what, _rate(mine), _rate(theirs), ratio, goal)


def _rate(seconds: float) -> str:
    return f"{seconds * 1e6:.0f} us ({1 / seconds:,.0f}/s)"


async def _memory(ours: Server, peer: Server) -> Row:
    mine, theirs = await _kib_per_connection(ours), await _kib_per_connection(peer)
    what = f"emulator, memory per idle TLS connection / {MEMORY_KIB} KiB"
    return Row(what, f"{mine:.0f} KiB", f"mosquitto {theirs:.0f} KiB", mine / MEMORY_KIB, 1.0)


async def _kib_per_connection(server: Server) -> float:
    await seconds_per_connect(server.broker, 20)  # what is loaded once is no connection's
    before = resident_kib(server.pid)
    devices = await connect_many(server.broker, range(IDLE), 50)
    await asyncio.sleep(0.5)
    grown = resident_kib(server.pid) - before
    await close(devices)
    return grown / IDLE


def resident_kib(pid: int) -> int:
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.partition("VmRSS:")[2].split()[0])


@contextlib.contextmanager
def emulator(state_dir: Path) -> Iterator[tuple[Server, float]]:
    """Start the emulator with an authorizer and its clients; yield it and the seconds from exec to ready."""
    began = time.perf_counter()
    ready = lifecycle.start(state_dir, port=0, control_port=0)
    ready_s = time.perf_counter() - began
    try:
        secret = deploy(ready.control_endpoint)
        name = username.compose("", [(username.AUTHORIZER_NAME, "bench")])

        def connect(number: int) -> Connect:
            return Connect(f"device-{number}", keep_alive_s=60, username=name, password=secret.encode())

        broker = Broker("emulator", ready.data_endpoint.port, _context(ready.ca_file), connect)
        yield Server(broker, ready.pid), ready_s
    finally:
        lifecycle.stop(state_dir)


def deploy(endpoint: str) -> str:
    """Make the table with its rows, the function, its permission and the authorizer; return everybody's secret."""
    secret = credential.new_secret()

    def client(service: Any) -> Any:
        return boto3.client(
            service,
            endpoint_url=endpoint,
            region_name=REGION,
            aws_access_key_id="IOTAUTHEMULATOR",
            aws_secret_access_key="emulator",
        )

    tables, functions, iot = client("dynamodb"), client("lambda"), client("iot")
    tables.create_table(
        TableName=TABLE,
        KeySchema=[{"AttributeName": "Client_ID", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "Client_ID", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    requests = [{"PutRequest": {"Item": _item(f"device-{number}", secret)}} for number in range(DEVICES)]
    for start in range(0, DEVICES, 25):
        tables.batch_write_item(RequestItems={TABLE: requests[start : start + 25]})
    role = client("iam").create_role(RoleName="bench", AssumeRolePolicyDocument=json.dumps(TRUST))["Role"]["Arn"]
    handler = "iotauth_authorizer.handler.handler"
    ours = function("bench", handler, bundle.authorizer_zip(), role, {"IOTAUTH_TABLE": TABLE})
    trivial = function("trivial", "trivial.handler", zipped("trivial.py", TRIVIAL), role, {})
    for wanted in (ours, trivial):
        make_authorizer(functions, iot, wanted)
    return secret


def function(name: str, handler: str, code: bytes, role: str, environment: dict[str, str]) -> dict[str, Any]:
    """Return the parameters of CreateFunction for the interpreter that runs the emulator."""
    return {
        "FunctionName": name,
        "Runtime": f"python3.{sys.version_info.minor}",
        "Handler": handler,
        "Role": role,
        "Code": {"ZipFile": code},
        "Environment": {"Variables": environment},
    }


def make_authorizer(functions: Any, iot: Any, wanted: dict[str, Any]) -> None:
    """Create a function and an authorizer of the same name that may call it."""
    name = wanted["FunctionName"]
    created = functions.create_function(**wanted)
    authorizer = iot.create_authorizer(
        authorizerName=name, authorizerFunctionArn=created["FunctionArn"], signingDisabled=True, status="ACTIVE"
    )
    functions.add_permission(
        FunctionName=name,
        StatementId="iot",
        Action="lambda:InvokeFunction",
        Principal="iot.amazonaws.com",
        SourceArn=authorizer["authorizerArn"],
    )


def zipped(name: str, text: str) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr(name, text)
    return packed.getvalue()


def _item(client_id: str, secret: str) -> dict[str, dict[str, Any]]:
    hashed = credential.hash_secret(secret.encode(), client_id)
    slot = credential.Slot(hashed, int(time.time()), "active", None, int(time.time()))
    return to_item(ClientRecord(client_id, slots={"A": slot}, grants=Grants.for_topic("bench")))


@contextlib.contextmanager
def mosquitto(program: str, directory: Path) -> Iterator[Server]:
    """Start Mosquitto with the emulator's certificate; it lets everybody in."""
    state = directory / "state"
    port = free_port()
    settings = {
        "listener": f"{port} 127.0.0.1",
        "allow_anonymous": "true",
        "certfile": str(state / "server.pem"),
        "keyfile": str(state / "server-key.pem"),
        "max_queued_messages": "0",
        "log_type": "none",
        "user": "root",
    }
    (directory / "mosquitto.conf").write_text("".join(f"{key} {value}\n" for key, value in settings.items()))
    process = subprocess.Popen([program, "-c", str(directory / "mosquitto.conf")], stderr=subprocess.DEVNULL)
    try:
        broker = Broker(
            "mosquitto", port, _context(state / "ca.pem"), lambda n: Connect(f"device-{n}", keep_alive_s=60)
        )
        _wait_for(broker)
        yield Server(broker, process.pid)
    finally:
        process.terminate()
        process.wait()


def _wait_for(broker: Broker) -> None:
    give_up_at = time.monotonic() + 5
    while True:
        try:
            asyncio.run(seconds_per_connect(broker, 1))
        except OSError:
            if time.monotonic() > give_up_at:
                raise
            time.sleep(0.02)
        else:
            return


def _context(ca_file: Path) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=str(ca_file))
    context.set_alpn_protocols(["mqtt"])
    return context


if __name__ == "__main__":
    print(render(measure(int(sys.argv[1]) if len(sys.argv) > 1 else 5)))
