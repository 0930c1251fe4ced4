"""Functions in JavaScript: what they say is what AWS's runtime says, and they live and end as Python ones do."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from iotauth_cli.emulator.lambda_runtime.interpreter import Interpreter, Interpreters, UnknownRuntime
from iotauth_cli.emulator.lambda_runtime.pool import FunctionPool
from support import REPOSITORY
from support_node import node_function, our_command, said_by_node, write
from support_runtime import ENDPOINT, Log, Said, ask, function, invoke, is_alive, run, wait_until

VECTORS = json.loads((REPOSITORY / "tests/vectors/lambda_runtime/aws-lambda-ric.json").read_text(encoding="utf-8"))
ECHO = "exports.handler = async (event) => event;\n"


@pytest.mark.parametrize("case", [pytest.param(case, id=case["name"]) for case in VECTORS["cases"]])
def test_our_node_client_says_what_aws_lambda_ric_says(case: dict[str, Any], tmp_path: Path) -> None:
    """Answers, errors, stack traces and log lines equal those of AWS's runtime for Node.js, word for word."""
    write(tmp_path, case["files"])
    said = asyncio.run(ask(our_command(), tmp_path, case["handler"], case["event"], said_by_node))
    assert said == Said(case["answer"], case["is_error"], case["log"])


def test_the_log_reads_as_lambda_writes_it(tmp_path: Path) -> None:
    """The runtime is named as in AWS, what is printed while loading comes before START, and REPORT ends it."""
    _, log = invoke(node_function(tmp_path, "console.log('loading');\n" + ECHO))
    first, loading, start, end, report = log.messages
    assert first == "INIT_START Runtime Version: nodejs:20"
    assert loading.endswith("\tundefined\tINFO\tloading")
    assert start.startswith("START RequestId: ")
    assert end.startswith("END RequestId: ")
    assert "\tInit Duration: " in report


def test_a_child_is_kept_for_the_next_call(tmp_path: Path) -> None:
    """Module state survives, and so does a timer that nobody waited for."""
    source = """
    let calls = 0;
    let ticks = 0;
    setInterval(() => { ticks += 1; }, 5).unref();
    exports.handler = async () => {
      const before = ticks;
      while (ticks === before) await new Promise((resolve) => setTimeout(resolve, 5));
      calls += 1;
      return calls;
    };
    """
    counter = node_function(tmp_path, source)

    async def thrice(pool: FunctionPool, log: Log) -> list[bytes]:
        return [(await pool.invoke(counter, b"{}")).payload for _ in range(3)]

    assert run(thrice) == [b"1", b"2", b"3"]


def test_the_function_finds_its_files_and_its_environment(tmp_path: Path) -> None:
    """Beside its code, from the working directory and in LAMBDA_TASK_ROOT; the variables are its own and Lambda's."""
    source = """
    const fs = require("fs");
    const path = require("path");
    exports.handler = async () => [
      fs.readFileSync(path.join(__dirname, "door.txt"), "utf8"),
      fs.readFileSync("door.txt", "utf8"),
      process.env.LAMBDA_TASK_ROOT,
      process.env.COLOUR,
      process.env.AWS_ENDPOINT_URL,
      process.env.AWS_EXECUTION_ENV,
    ];
    """
    wanted = node_function(tmp_path, {"app.js": source, "door.txt": "door-7"}, environment={"COLOUR": "red"})
    expected = ["door-7", "door-7", str(tmp_path), "red", ENDPOINT, "AWS_Lambda_nodejs20.x"]
    assert json.loads(invoke(wanted)[0].payload) == expected


@pytest.mark.parametrize(
    "source",
    [
        pytest.param("exports.handler = () => { for (;;); };\n", id="endless-loop"),
        pytest.param("exports.handler = () => { setInterval(() => {}, 10); };\n", id="event-loop-never-empty"),
    ],
)
def test_a_call_that_overruns_is_killed(tmp_path: Path, source: str) -> None:
    """At its caller's limit, with Lambda's error; a handler that never calls back while a timer runs overruns too."""
    invocation, log = invoke(node_function(tmp_path, source), limit_s=0.5)
    assert invocation.timed_out
    assert json.loads(invocation.payload)["errorType"] == "Sandbox.Timedout"
    assert log.messages[-1].endswith("\tStatus: timeout")


def test_a_process_that_exits_is_a_runtime_exit_error_and_is_replaced(tmp_path: Path) -> None:
    """Also after an error that nobody caught, whose answer still comes; the next call starts afresh."""
    source = """
    exports.handler = (event, context, callback) => {
      if (event.exit) process.exit(event.exit);
      if (event.raise) setImmediate(() => { throw new Error("nobody listens"); });
      else callback(null, process.pid);
    };
    """
    fragile = node_function(tmp_path, source)

    async def calls(pool: FunctionPool, log: Log) -> list[Any]:
        events = (b'{"exit": 3}', b'{"raise": true}', b"{}")
        return [json.loads((await pool.invoke(fragile, event)).payload) for event in events]

    exited, raised, answered = run(calls)
    assert exited["errorType"] == "Runtime.ExitError"
    assert exited["errorMessage"].endswith("Runtime exited with error: exit status 3")
    assert (raised["errorType"], raised["errorMessage"]) == ("Error", "nobody listens")
    assert isinstance(answered, int)


def test_an_answer_over_six_megabytes_is_an_error(tmp_path: Path) -> None:
    """Lambda's own, and the next call is answered; one just below the limit passes whole."""
    large = node_function(tmp_path, "exports.handler = async (size) => 'ü'.repeat(size / 2);\n")

    async def calls(pool: FunctionPool, log: Log) -> list[bytes]:
        return [(await pool.invoke(large, str(size).encode())).payload for size in (7_000_000, 6_000_000, 2)]

    too_large, whole, small = run(calls)
    assert json.loads(too_large)["errorType"] == "Function.ResponseSizeTooLarge"
    assert len(whole) == 6_000_002
    assert json.loads(small) == "ü"


EMULATOR = """
import asyncio, sys
from pathlib import Path
from iotauth_cli.emulator.lambda_runtime.pool import FunctionPool
from support_node import node_function
from support_runtime import Log

async def main():
    pool = FunctionPool(Log(), endpoint_url="http://127.0.0.1:1")
    wanted = node_function(Path({directory!r}), {source!r})
    await asyncio.gather(pool.invoke(wanted, b'{{}}'), pool.invoke(wanted, b'{{"spin": 1}}', limit_s=60))

asyncio.run(main())
"""


def test_children_do_not_outlive_an_emulator_that_is_killed(tmp_path: Path) -> None:
    """After kill -9 of the emulator its children end, the idle one and the one in an endless loop."""
    source = """
    exports.handler = async (event) => {
      require("fs").writeFileSync(event.spin ? "spinning" : "idle", String(process.pid));
      while (event.spin);
    };
    """
    node_function(tmp_path, source)  # here, so that a missing node skips the test
    script = EMULATOR.format(directory=str(tmp_path), source=source)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    emulator = subprocess.Popen([sys.executable, "-c", script], env=environment)
    files = [tmp_path / "idle", tmp_path / "spinning"]
    try:
        wait_until(lambda: all(file.exists() and file.read_text() for file in files))
    finally:
        emulator.send_signal(signal.SIGKILL)
        emulator.wait()
    for file in files:
        pid = int(file.read_text())
        wait_until(lambda pid=pid: not is_alive(pid))  # type: ignore[misc]


@pytest.mark.parametrize(
    ("statement", "host"),
    [
        ("await fetch('http://example.com/')", "example.com"),
        ("await fetch('https://192.0.2.1/')", "192.0.2.1"),
        ("await met(require('net').connect(443, 'example.com'))", "example.com"),
        ("await met(require('net').connect({ host: '192.0.2.1', port: 443 }))", "192.0.2.1"),
        ("await met(new (require('net').Socket)().connect(443, '2001:db8::1'))", "2001:db8::1"),
        ("await met(require('tls').connect(443, 'example.com'))", "example.com"),
        ("await met(require('https').get('https://example.com/'))", "example.com"),
        ("require('dgram').createSocket('udp4').send('door', 53, '192.0.2.1')", "192.0.2.1"),
    ],
)
def test_a_connection_elsewhere_fails_at_once(tmp_path: Path, statement: str, host: str) -> None:
    """The same sentence as for Python functions, in the log and in the error."""
    source = f"""
    const met = (socket) => new Promise((_, reject) => socket.on("error", reject));
    exports.handler = async () => {{
      try {{
        {statement};
      }} catch (error) {{
        throw error.cause ?? error;
      }}
    }};
    """
    began = time.monotonic()
    invocation, log = invoke(node_function(tmp_path, source))
    sentence = f"the iotauth emulator keeps functions on this machine: {host} was not reached"
    assert f"[ERROR] {sentence}" in log.messages
    assert json.loads(invocation.payload)["errorMessage"] == sentence
    assert time.monotonic() - began < 3


def test_a_function_may_talk_to_this_machine(tmp_path: Path) -> None:
    """By name, by number and over a Unix socket."""
    source = """
    const net = require("net");
    const meet = (listen, connect) => new Promise((resolve, reject) => {
      const server = net.createServer((socket) => socket.end("open")).listen(...listen, () => {
        const client = net.connect(...connect(server.address())).on("error", reject);
        client.on("data", (data) => resolve(String(data))).on("close", () => server.close());
      });
    });
    exports.handler = async () => [
      await meet([0, "127.0.0.1"], ({ port }) => [port, "127.0.0.1"]),
      await meet([0, "localhost"], ({ port }) => [{ port, host: "localhost" }]),
      await meet([0], ({ port }) => [port]),
      await meet(["door.sock"], () => ["door.sock"]),
    ];
    """
    assert json.loads(invoke(node_function(tmp_path, source))[0].payload) == ["open"] * 4


def stand_in(path: Path, version: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\necho '{version} {path}'\n")
    path.chmod(0o755)


@pytest.fixture
def bare_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine without Node.js: an empty PATH and an empty nvm."""
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.setenv("NVM_DIR", str(tmp_path / "nvm"))
    return tmp_path


def find(runtime: str) -> Interpreter:
    return asyncio.run(Interpreters().find(runtime))


def test_the_node_of_the_version_asked_for_is_used(bare_machine: Path) -> None:
    """The one on the PATH if it fits, else the newest that fits among nvm's."""
    stand_in(bare_machine / "bin/node", "20.20.2")
    for version in ("22.9.0", "22.10.1"):
        stand_in(bare_machine / f"nvm/versions/node/v{version}/bin/node", version)
    assert find("nodejs20.x") == Interpreter(str(bare_machine / "bin/node"))
    assert find("nodejs22.x") == Interpreter(str(bare_machine / "nvm/versions/node/v22.10.1/bin/node"))


def test_another_version_runs_with_a_note(bare_machine: Path) -> None:
    """The note names what was asked for and what runs instead."""
    stand_in(bare_machine / "bin/node", "20.20.2")
    note = "Node.js 24 is not on this machine; this function runs on Node.js 20.20.2"
    assert find("nodejs24.x") == Interpreter(str(bare_machine / "bin/node"), note)


def test_without_node_the_call_and_the_log_say_what_is_missing(bare_machine: Path, tmp_path: Path) -> None:
    """A function in JavaScript can be created anywhere; calling it needs Node.js."""
    with pytest.raises(UnknownRuntime, match=r"needs Node\.js 20, and there is no `node`"):
        find("nodejs20.x")
    invocation, log = invoke(function(tmp_path, "", runtime="nodejs20.x"))
    sentence = "this function needs Node.js 20, and there is no `node` on this machine's PATH"
    assert json.loads(invocation.payload)["errorType"] == "Runtime.InvalidEntrypoint"
    assert sentence in json.loads(invocation.payload)["errorMessage"]
    assert log.messages == [f"[ERROR] {sentence}"]
