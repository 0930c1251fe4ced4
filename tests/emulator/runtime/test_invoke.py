"""A function really runs: what it sees, what it returns, what its log says."""

from __future__ import annotations

import json
import re
import time
from pathlib import Path

import pytest

from iotauth_cli.emulator.lambda_runtime.pool import FunctionPool
from support_runtime import ARN, ENDPOINT, Log, function, invoke, run


def test_the_handler_gets_the_event_and_its_result_comes_back(tmp_path: Path) -> None:
    """What the handler returns for an event is the payload of the invocation, and nothing is wrong."""
    echo = function(tmp_path, "def handler(event, context):\n    return {'heard': event}\n")
    invocation, _ = invoke(echo, b'{"password": "YQ=="}')
    assert json.loads(invocation.payload) == {"heard": {"password": "YQ=="}}
    assert invocation.function_error is None
    assert not invocation.timed_out
    assert 0 < invocation.duration_s < 1


def test_an_empty_payload_is_an_empty_event(tmp_path: Path) -> None:
    """Invoke without a payload calls the handler with {}, as Lambda does."""
    invocation, _ = invoke(function(tmp_path, "def handler(event, context):\n    return [event]\n"), b"")
    assert invocation.payload == b"[{}]"


def test_a_child_is_kept_for_the_next_call(tmp_path: Path) -> None:
    """Module state survives from one call to the next, and the second call needs no new process."""
    counter = function(tmp_path, "import os\nSEEN = []\ndef handler(e, c):\n    SEEN.append(1)\n    return len(SEEN)\n")

    async def twice(pool: FunctionPool, log: Log) -> list[bytes]:
        return [(await pool.invoke(counter, b"{}")).payload for _ in range(2)]

    assert run(twice) == [b"1", b"2"]


def test_a_warm_call_is_quick(tmp_path: Path) -> None:
    """A fifth of a millisecond is the goal; the limit leaves room for a busy machine."""
    echo = function(tmp_path, "def handler(event, context):\n    return event\n")

    async def hundred(pool: FunctionPool, log: Log) -> float:
        durations = []
        for _ in range(101):
            began = time.perf_counter()
            await pool.invoke(echo, b"{}")
            durations.append(time.perf_counter() - began)
        return sorted(durations)[50]

    assert run(hundred) < 0.005


def test_the_log_reads_as_lambda_writes_it(tmp_path: Path) -> None:
    """START, what the function printed and logged, END and REPORT, in one stream of the function's group."""
    talker = function(
        tmp_path,
        "import logging, sys\n"
        "logging.getLogger().setLevel('INFO')\n"
        "def handler(event, context):\n"
        "    print('printed')\n"
        "    print('to stderr', file=sys.stderr)\n"
        "    logging.info('logged')\n",
    )
    invocation, log = invoke(talker)
    request = re.escape(invocation.request_id)
    expected = [
        r"INIT_START Runtime Version: python:3\.\d+",
        rf"START RequestId: {request} Version: \$LATEST",
        r"printed",
        r"to stderr",
        rf"\[INFO\]\t\d{{4}}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{{3}}Z\t{request}\tlogged",
        rf"END RequestId: {request}",
        rf"REPORT RequestId: {request}\tDuration: [\d.]+ ms\tBilled Duration: \d+ ms\tMemory Size: 256 MB\t"
        r"(Max Memory Used: \d+ MB\t)?Init Duration: [\d.]+ ms",
    ]
    assert len(log.messages) == len(expected)
    for message, pattern in zip(log.messages, expected, strict=True):
        assert re.fullmatch(pattern, message)
    assert invocation.log_tail.splitlines() == log.messages
    assert {line.group for line in log.lines} == {"/aws/lambda/doors"}
    assert len({line.stream for line in log.lines}) == 1
    assert re.fullmatch(r"\d{4}/\d\d/\d\d/\[\$LATEST\][0-9a-f]{32}", log.lines[0].stream)


def test_the_second_report_has_no_init_duration(tmp_path: Path) -> None:
    """Only a cold start tells how long the start took."""
    quiet = function(tmp_path, "def handler(event, context):\n    pass\n")

    async def twice(pool: FunctionPool, log: Log) -> list[str]:
        for _ in range(2):
            await pool.invoke(quiet, b"{}")
        return [message for message in log.messages if message.startswith("REPORT")]

    cold, warm = run(twice)
    assert "Init Duration" in cold
    assert "Init Duration" not in warm


def test_a_traceback_is_one_log_event(tmp_path: Path) -> None:
    """The lines of an error stay together, as CloudWatch shows them."""
    broken = function(tmp_path, "def handler(event, context):\n    raise ValueError('no such door')\n")
    invocation, log = invoke(broken)
    event = next(message for message in log.messages if message.startswith("[ERROR]"))
    assert event.splitlines()[:2] == ["[ERROR] ValueError: no such door", "Traceback (most recent call last):"]
    assert "raise ValueError" in event
    assert invocation.function_error == "Unhandled"


def test_an_unfinished_line_is_logged_with_its_call(tmp_path: Path) -> None:
    """What a handler prints without a line end does not wait for the next call's output."""
    dots = function(tmp_path, "def handler(event, context):\n    print('waiting', end='')\n")

    async def closed_after(pool: FunctionPool, log: Log) -> Log:
        await pool.invoke(dots, b"{}")
        return log

    assert "waiting" in run(closed_after).messages


def test_a_line_without_end_is_cut_into_events(tmp_path: Path) -> None:
    """A megabyte without a line end becomes several events, none over CloudWatch's 256 KiB and a pipe's worth."""
    flood = function(tmp_path, "def handler(event, context):\n    print('x' * 1_000_000)\n")
    _, log = invoke(flood)
    sizes = [len(message) for message in log.messages if message.startswith("x")]
    assert sum(sizes) == 1_000_000
    assert max(sizes) <= 262_144 + 65_536


def test_the_environment_is_lambdas_and_nobody_elses(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The child has the function's variables, the emulator's address and Lambda's names, and none of ours."""
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy.example.com")
    monkeypatch.setenv("AWS_PROFILE", "production")
    monkeypatch.setenv("DOOR_SECRET", "of the developer")
    shown = function(
        tmp_path,
        "import os\ndef handler(event, context):\n    return dict(os.environ)\n",
        environment={"IOTAUTH_TABLE": "doors", "AWS_REGION": "mars-north-1"},
    )
    seen = json.loads(invoke(shown)[0].payload)
    expected = {
        "IOTAUTH_TABLE": "doors",
        "AWS_REGION": "eu-west-1",
        "AWS_DEFAULT_REGION": "eu-west-1",
        "AWS_ACCESS_KEY_ID": "IOTAUTHEMULATOR",
        "AWS_SECRET_ACCESS_KEY": "emulator",
        "AWS_ENDPOINT_URL": ENDPOINT,
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_CONFIG_FILE": "/dev/null",
        "AWS_LAMBDA_FUNCTION_NAME": "doors",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "256",
        "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
        "LAMBDA_TASK_ROOT": str(tmp_path),
        "_HANDLER": "app.handler",
    }
    assert {name: seen.get(name) for name in expected} == expected
    assert not {"HTTPS_PROXY", "AWS_PROFILE", "DOOR_SECRET", "HOME"} & set(seen)


def test_the_context_knows_the_call(tmp_path: Path) -> None:
    """ARN, request id, names and the time that is left are where Lambda puts them."""
    curious = function(
        tmp_path,
        "def handler(event, c):\n"
        "    return [c.invoked_function_arn, c.aws_request_id, c.function_name, c.function_version,\n"
        "            c.memory_limit_in_mb, c.log_group_name, c.get_remaining_time_in_millis()]\n",
        timeout_s=3,
    )
    invocation, _ = invoke(curious, limit_s=2.0)
    *names, remaining_ms = json.loads(invocation.payload)
    assert names == [ARN, invocation.request_id, "doors", "$LATEST", "256", "/aws/lambda/doors"]
    assert 1000 < remaining_ms <= 2000


def test_the_code_directory_is_where_the_function_stands(tmp_path: Path) -> None:
    """Files of the bundle open by relative path, and the bundle comes first on the import path."""
    (tmp_path / "roots.pem").write_text("PEM")
    (tmp_path / "json_schema.py").write_text("NAME = 'bundled'")
    reader = function(
        tmp_path,
        "import sys, json_schema\n"
        "def handler(event, context):\n"
        "    return [open('roots.pem').read(), json_schema.NAME, sys.path[0], sys.argv[1:]]\n",
    )
    assert json.loads(invoke(reader)[0].payload) == ["PEM", "bundled", str(tmp_path), []]


def test_the_aws_sdk_is_there_and_other_packages_are_not(tmp_path: Path) -> None:
    """boto3 comes with Lambda's Python; a package that was not bundled is missing here as it would be there."""
    importer = function(
        tmp_path,
        "import importlib.util as util\n"
        "NAMES = 'boto3', 'botocore', 'cryptography', 'iotauth_cli', 'pytest'\n"
        "def handler(event, context):\n    return [bool(util.find_spec(name)) for name in NAMES]\n",
    )
    assert json.loads(invoke(importer)[0].payload) == [True, True, False, False, False]


def test_boto3_in_a_function_finds_the_emulator(tmp_path: Path) -> None:
    """A client made without arguments signs with the emulator's key and calls the control port."""
    client = function(
        tmp_path,
        "import boto3\n"
        "dynamodb = boto3.client('dynamodb')\n"
        "def handler(event, context):\n    return [dynamodb.meta.endpoint_url, dynamodb.meta.region_name]\n",
    )
    assert json.loads(invoke(client, limit_s=10)[0].payload) == [ENDPOINT, "eu-west-1"]
