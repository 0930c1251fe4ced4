"""The authorizer function beside the same decision over boto3: cold start, warm call, CPU, size.

Run `python benchmarks/function.py [rounds]`. The table is a static stand-in that answers over
TLS from a process of its own (`stand_in`), so it is the clients that are timed. Each round starts every
variant once, in random order and at a random call depth (from CPython 3.11 on, where in the
stack a module is imported moves the time by up to a quarter); a ratio is taken round by
round, and the median is reported. Our code lies unpacked without bytecode, as in Lambda.

What Lambda's own runtime client imports before any function is imported first by all.
"""

from __future__ import annotations

import compileall
import importlib.util
import io
import json
import os
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from cpu_share import cpu_share
from stand_in import StandIn, stand_in
from table import Row, not_measured, render

REPOSITORY = Path(__file__).resolve().parent.parent
KERNEL = REPOSITORY / "lambda_src" / "iotauth_authorizer"
FUNCTION_ARN = "arn:aws:lambda:us-east-1:123456789012:function:iotauth"
WARM_CALLS = 1500
SECRET = "iota_benchmark"

# One process: imports, answers once, says when; then answers again and again if asked to.
DRIVER = """
import sys, time
import decimal, json, logging, os, traceback  # what Lambda's runtime client loads before the function
variant, event, depth, calls = sys.argv[1], json.loads(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])
sys.path[:0] = json.loads(sys.argv[5])
if hasattr(os, "sched_setaffinity"):
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})  # the stand-in has another core to itself
class context: invoked_function_arn = sys.argv[6]
out, sys.stdout = sys.stdout, open(os.devnull, "w")
def deep(n):
    return deep(n - 1) if n else first()
def first():
    global call, first_s
    call = __import__(variant, fromlist=["handler"]).handler
    if "CPU_SHARE" in os.environ:  # only now: Lambda loads a function at full speed
        open(os.environ["CPU_SHARE"] + "/cgroup.procs", "w").write("0")
    first_s = time.perf_counter()
    assert call(event, context)["isAuthenticated"]
    first_s = time.perf_counter() - first_s
    print("answered", file=out, flush=True)
deep(depth)
wall, cpu = [], time.process_time()
for _ in range(calls):
    at = time.perf_counter()
    call(event, context)
    wall.append(time.perf_counter() - at)
cpu = time.process_time() - cpu
wall.sort()
p50, cpu = (wall[calls // 2], cpu / calls) if calls else (0, 0)
try:  # not getrusage: its peak begins with that of the process that forked us
    peak = int(open("/proc/self/status").read().partition("VmHWM:")[2].split()[0])
except OSError:
    peak = 0
print(json.dumps({"p50": p50, "cpu": cpu, "peak": peak, "first": first_s}), file=out)
"""

PUT_OVER_BOTO3 = """
import json, os
import boto3
client = boto3.client("dynamodb")
item = json.loads(os.environ["ITEM"])
def handler(event, context):
    client.put_item(TableName="clients", Item=item)
    return {"isAuthenticated": True}
"""

OVER_BOTO3 = """
import json, sys, time
import boto3
from iotauth_authorizer.authorize import Settings, decide
from iotauth_authorizer.event import build_answer, parse_event
from iotauth_authorizer.grants import ArnScope
from iotauth_authorizer.record import from_item, key
client = boto3.client("dynamodb")
settings = Settings()
def handler(event, context):
    request = parse_event(event)
    item = client.get_item(TableName="clients", Key=key(request.client_id), ConsistentRead=True).get("Item")
    scope = ArnScope.parse(context.invoked_function_arn)
    record = from_item(item) if item else None
    decision = decide(request, record, now=int(time.time()), scope=scope, settings=settings)
    sys.stdout.write(json.dumps({"reason": decision.reason}) + chr(10))
    return build_answer(decision.answer)
"""

# How such functions are usually written: a model per message, the resource made in the call.
OVER_PYDANTIC = """
import base64, typing
import boto3, pydantic
class Mqtt(pydantic.BaseModel):
    username: str
    password: str
    clientId: str
class Data(pydantic.BaseModel):
    mqtt: Mqtt
class Event(pydantic.BaseModel):
    protocolData: Data
class Answer(pydantic.BaseModel):
    isAuthenticated: bool
    principalId: str
    policyDocuments: typing.List[dict]
    disconnectAfterInSeconds: int = 86400
    refreshAfterInSeconds: int = 3600
def handler(event, context):
    mqtt = Event(**event).protocolData.mqtt
    row = boto3.resource("dynamodb").Table("clients").get_item(Key={"Client_ID": mqtt.clientId})["Item"]
    same = base64.b64decode(mqtt.password).decode() == row["Plain"]
    statement = {"Effect": "Allow", "Action": "iot:Connect", "Resource": "arn:aws:iot:::client/" + mqtt.clientId}
    document = {"Version": "2012-10-17", "Statement": [statement]}
    answer = Answer(isAuthenticated=same, principalId="x", policyDocuments=[document])
    return answer.dict()
"""

# The floor: one prepared request on one raw TLS connection.
RAW = """
import os, socket, ssl
from urllib.parse import urlsplit
url = urlsplit(os.environ["AWS_ENDPOINT_URL_DYNAMODB"])
wire = ssl.create_default_context(cafile=os.environ["AWS_CA_BUNDLE"]).wrap_socket(
    socket.create_connection((url.hostname, url.port)), server_hostname=url.hostname)
wire.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
body = b'{"TableName":"clients","Key":{"Client_ID":{"S":"thermo-1"}},"ConsistentRead":true}'
request = b"POST / HTTP/1.1\\r\\nHost: x\\r\\nContent-Length: %d\\r\\n\\r\\n" % len(body) + body
def handler(event, context):
    wire.sendall(request)
    wire.recv(65536)
    return {"isAuthenticated": True}
"""

HANDLERS = {
    "over_boto3": OVER_BOTO3,
    "put_over_boto3": PUT_OVER_BOTO3,
    "over_pydantic": OVER_PYDANTIC,
    "raw": RAW,
}


class Sample(NamedTuple):
    """One process: seconds from its start to its first answer, of its first call; per warm call; its peak memory."""

    cold_s: float
    first_s: float
    warm_p50_s: float
    warm_cpu_s: float
    peak_kib: int


class Variant(NamedTuple):
    module: str
    paths: tuple[str, ...]
    environ: dict[str, str]


class Bench:
    """A directory with everything packed, and a table that answers."""

    def __init__(self, directory: Path, table: StandIn) -> None:
        self.directory = directory
        self.table = table
        self.package = directory / "package"
        self.zip_bytes = _pack(self.package)
        (directory / "handlers").mkdir()
        for name, source in HANDLERS.items():
            (directory / "handlers" / f"{name}.py").write_text(source)
        compileall.compile_dir(directory / "handlers", quiet=1)

    def variant(self, module: str, *extra: Path) -> Variant:
        """Describe a process that calls `<module>.handler`, our package first on its path, then *extra*."""
        paths = (str(self.package), str(self.directory / "handlers"), *map(str, extra))
        roots = (KERNEL / "roots.pem").read_text() if module in ("iotauth_authorizer.handler", "raw") else _all_roots()
        bundle = self.directory / f"{module}.pem"
        bundle.write_text(roots + self.table.ca_file.read_text())
        return Variant(module, paths, self._environ(bundle))

    def _environ(self, bundle: Path) -> dict[str, str]:
        return {
            "PATH": os.environ.get("PATH", ""),
            "PYTHONDONTWRITEBYTECODE": "1",
            "IOTAUTH_TABLE": "clients",
            "AWS_REGION": "us-east-1",
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_ACCESS_KEY_ID": "AKIDEXAMPLE",
            "AWS_SECRET_ACCESS_KEY": "wJalrXUtnFEMI",
            "AWS_SESSION_TOKEN": "token" * 100,
            "AWS_ENDPOINT_URL_DYNAMODB": self.table.endpoint,
            "AWS_CA_BUNDLE": str(bundle),
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
            "AWS_EC2_METADATA_DISABLED": "true",
            "ITEM": json.dumps(_item()),
        }


def measure(rounds: int = 9) -> list[Row]:
    """Measure everything and return the rows, goals included. Takes about a second per round."""
    answer = json.dumps({"Item": _item()})
    with tempfile.TemporaryDirectory() as name, stand_in(Path(name), answer) as table:
        bench = Bench(Path(name), table)
        site = Path(importlib.util.find_spec("boto3").origin).parent.parent  # type: ignore[union-attr, arg-type]
        ours, raw = bench.variant("iotauth_authorizer.handler"), bench.variant("raw")
        boto3, put = bench.variant("over_boto3", site), bench.variant("put_over_boto3", site)
        cold = _interleaved([ours, boto3], rounds, calls=0)
        warm = _interleaved([ours, boto3, raw, put], max(rounds // 2, 3), calls=WARM_CALLS)
        return [
            _row("cold start to first answer / boto3.client", cold[0], cold[1], "cold_s", 0.25),
            _cold_beside_pydantic(bench, ours, site, rounds),
            _row(f"warm call p50 / one raw round trip to {table.name}", warm[0], warm[2], "warm_p50_s", 2.0),
            _row("warm call p50 / boto3.client", warm[0], warm[1], "warm_p50_s", None),
            _row("CPU per warm call / boto3.client", warm[0], warm[1], "warm_cpu_s", 0.25),
            Row("zip / 40 kB", f"{bench.zip_bytes / 1000:.1f} kB", "40 kB", bench.zip_bytes / 40_000, 1.0),
            _hash_row(warm[0]),
            _credential_row(warm[3]),
            _memory_row(cold[0], cold[1]),
            _first_call_row(ours, boto3, rounds),
        ]


def _cold_beside_pydantic(bench: Bench, ours: Variant, site: Path, rounds: int) -> Row:
    what = "cold start to first answer / pydantic + boto3.resource"
    if importlib.util.find_spec("pydantic") is None:
        return not_measured(what, "pydantic is not installed", 0.12)
    unpacked = bench.directory / "site"
    shutil.copytree(site, unpacked, ignore=shutil.ignore_patterns("__pycache__", "awscli", "awscrt", "platformio"))
    theirs = bench.variant("over_pydantic", unpacked)
    samples = _interleaved([ours, theirs], max(rounds // 2, 3), calls=0)
    return _row(what, samples[0], samples[1], "cold_s", 0.12)


def _first_call_row(ours: Variant, boto3: Variant, rounds: int) -> Row:
    what = "first call at 128 MB's CPU share / boto3.client"
    with cpu_share(128) as group:
        if group is None:
            return not_measured(what, "needs a CPU cgroup, so root", 0.02)
        throttled = [variant._replace(environ=variant.environ | {"CPU_SHARE": str(group)}) for variant in (ours, boto3)]
        samples = _interleaved(throttled, rounds, calls=0)
    return _row(what, samples[0], samples[1], "first_s", 0.02)


def _hash_row(ours: Sequence[Sample]) -> Row:
    from iotauth_authorizer.credential import hash_secret, verify

    encoded = hash_secret(SECRET.encode(), "thermo-1")
    check_s = _per_call(lambda: verify(encoded, "thermo-1", SECRET.encode()))
    warm_s = statistics.median(sample.warm_p50_s for sample in ours)
    return Row("checking one secret / a warm call", _time(check_s), _time(warm_s), check_s / warm_s, 0.02)


def _memory_row(ours: Sequence[Sample], boto3: Sequence[Sample]) -> Row:
    what = "peak memory / boto3.client"
    mine, theirs = (statistics.median(sample.peak_kib for sample in samples) for samples in (ours, boto3))
    if not theirs:
        return not_measured(what, "needs /proc", 0.5)
    return Row(what, f"{mine / 1024:.0f} MiB", f"{theirs / 1024:.0f} MiB", mine / theirs, 0.5)


def _credential_row(put: Sequence[Sample]) -> Row:
    from iotauth_authorizer.credential import Slot, hash_secret, new_secret
    from iotauth_authorizer.grants import Grants
    from iotauth_authorizer.record import ClientRecord, to_item

    grants = Grants.for_topic("sensors/thermo-1")

    def provision() -> Any:
        slot = Slot(hash_secret(new_secret().encode(), "thermo-1"), 1_800_000_000)
        return to_item(ClientRecord("thermo-1", slots={"A": slot}, grants=grants))

    made_s = _per_call(provision)
    call_s = statistics.median(sample.warm_p50_s for sample in put)
    what = "secret, hash and row of one client / its put_item over boto3"
    return Row(what, _time(made_s), _time(call_s), made_s / call_s, 0.01)


def _per_call(function: Any, calls: int = 100, batches: int = 50) -> float:
    """Return the seconds of one call: the median over batches, so that a pause in one does not count."""
    taken = []
    for _ in range(batches):
        at = time.perf_counter()
        for _ in range(calls):
            function()
        taken.append((time.perf_counter() - at) / calls)
    return statistics.median(taken)


def _row(what: str, ours: Sequence[Sample], peer: Sequence[Sample], figure: str, goal: float | None) -> Row:
    mine, theirs = ([getattr(sample, figure) for sample in samples] for samples in (ours, peer))
    ratio = statistics.median(a / b for a, b in zip(mine, theirs, strict=True))
    return Row(what, _time(statistics.median(mine)), _time(statistics.median(theirs)), ratio, goal)


def _time(seconds: float) -> str:
    return f"{seconds * 1000:.1f} ms" if seconds >= 0.001 else f"{seconds * 1e6:.1f} us"


def _interleaved(variants: Sequence[Variant], rounds: int, *, calls: int) -> list[list[Sample]]:
    """Run each variant once a round, in random order; the first round warms the disk and is dropped."""
    samples: list[list[Sample]] = [[] for _ in variants]
    for _ in range(rounds + 1):
        depth = random.randrange(40)
        for index in random.sample(range(len(variants)), len(variants)):
            samples[index].append(_run(variants[index], depth, calls))
    return [column[1:] for column in samples]


def _run(variant: Variant, depth: int, calls: int) -> Sample:
    arguments = [variant.module, json.dumps(_event()), str(depth), str(calls), json.dumps(variant.paths), FUNCTION_ARN]
    at = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "-E", "-s", "-S", "-B", "-c", DRIVER, *arguments],
        env=variant.environ,
        stdout=subprocess.PIPE,
        text=True,
    )
    with process:
        assert process.stdout is not None
        if process.stdout.readline() != "answered\n":
            raise RuntimeError(f"{variant.module} did not answer")
        cold_s = time.perf_counter() - at
        warm = json.loads(process.stdout.read())
    return Sample(cold_s, warm["first"], warm["p50"], warm["cpu"], warm["peak"])


def _event() -> dict[str, Any]:
    from iotauth_authorizer.event import ConnectRequest, build_event

    return build_event(
        ConnectRequest(
            protocols=("tls", "mqtt"),
            connection_id="10a5c4e8-0000-4000-8000-2d7d2c2d2d2d",
            client_id="thermo-1",
            username="thermo-1?x-amz-customauthorizer-name=iotauth",
            password=SECRET.encode(),
            server_name="a1b2-ats.iot.us-east-1.amazonaws.com",
        )
    )


def _item() -> dict[str, Any]:
    from iotauth_authorizer.credential import Slot, hash_secret
    from iotauth_authorizer.grants import Grants
    from iotauth_authorizer.record import ClientRecord, to_item

    slot = Slot(hash_secret(SECRET.encode(), "thermo-1"), 1_800_000_000)
    record = ClientRecord("thermo-1", slots={"A": slot}, grants=Grants.for_topic("sensors/thermo-1"))
    return to_item(record) | {"Plain": {"S": SECRET}}


def _pack(package: Path) -> int:
    """Unpack the zip that is deployed, as Lambda would, and return its size."""
    from iotauth_cli.bundle import authorizer_zip

    packed = authorizer_zip()
    with zipfile.ZipFile(io.BytesIO(packed)) as file:
        file.extractall(package)
    return len(packed)


def _all_roots() -> str:
    import certifi

    return Path(certifi.where()).read_text()


if __name__ == "__main__":
    print(render(measure(int(sys.argv[1]) if len(sys.argv) > 1 else 9)))
