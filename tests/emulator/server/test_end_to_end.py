"""From an empty emulator to a device that is let in, by boto3 and paho alone, and what a kill does to it."""

from __future__ import annotations

import functools
import http.client
import io
import json
import os
import queue
import signal
import socket
import ssl
import time
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Literal
from urllib.parse import quote

import paho.mqtt.client as mqtt
import pytest
from botocore.exceptions import ClientError
from paho.mqtt.enums import CallbackAPIVersion

from iotauth_authorizer import credential, record
from iotauth_authorizer.grants import Grants
from iotauth_authorizer.record import ClientRecord
from iotauth_cli import bundle
from iotauth_cli.emulator import lifecycle, remote
from support_emulator import RunningEmulator, running_emulator

Transport = Literal["tcp", "websockets"]
PASSWORD = "open sesame"
TRUST = {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}

# Somebody's own authorizer: reads its table with boto3 and compares plain passwords.
SMALL = """
import base64, boto3, os

table = boto3.resource("dynamodb").Table(os.environ["TABLE"])

def handler(event, context):
    print("process", os.getpid())
    mqtt = event["protocolData"]["mqtt"]
    row = table.get_item(Key={"Client_ID": mqtt["clientId"]}).get("Item", {})
    arn = ":".join(context.invoked_function_arn.split(":")[:5]).replace(":lambda:", ":iot:")
    statements = [
        {"Effect": "Allow", "Action": "iot:Connect", "Resource": f"{arn}:client/{mqtt['clientId']}"},
        {"Effect": "Allow", "Action": ["iot:Publish", "iot:Receive"], "Resource": f"{arn}:topic/doors/*"},
        {"Effect": "Allow", "Action": "iot:Subscribe", "Resource": f"{arn}:topicfilter/doors/*"},
    ]
    return {
        "isAuthenticated": base64.b64decode(mqtt.get("password", "")).decode() == row.get("Password"),
        "principalId": "doors",
        "disconnectAfterInSeconds": 86400,
        "refreshAfterInSeconds": 86400,
        "policyDocuments": [{"Version": "2012-10-17", "Statement": statements}],
    }
"""


@dataclass
class Doors:
    """An emulator on which everything a device needs has been created."""

    emulator: RunningEmulator

    def processes(self) -> list[int]:
        """Return the process of each call of the small authorizer, oldest first, from the function's own log."""
        logs = self.emulator.client("logs")
        events = logs.filter_log_events(logGroupName="/aws/lambda/small", filterPattern="process")["events"]
        return [int(event["message"].split()[1]) for event in events]

    def connect(self, authorizer: str, password: str, transport: Transport = "tcp") -> Device:
        return Device(self.emulator, authorizer, password, transport)

    def publish(self, topic: str, payload: bytes, password: str) -> tuple[int, str]:
        """Publish over HTTPS as the kernel's client `door-7`; return status and message."""
        endpoint = self.emulator.ready.data_endpoint
        tls = ssl.create_default_context(cafile=str(self.emulator.ready.ca_file))
        client = http.client.HTTPSConnection(endpoint.host, endpoint.port, context=tls, timeout=10)
        headers = {
            "x-amz-customauthorizer-name": "kernel",
            "x-iotauth-client-id": "door-7",
            "x-iotauth-password": password,
        }
        client.request("POST", f"/topics/{quote(topic, safe='')}?qos=1", payload, headers)
        response = client.getresponse()
        message = json.loads(response.read())["message"]
        client.close()
        return response.status, message


class Device:
    """A paho client: TLS with ALPN `mqtt`, or a WebSocket and no ALPN. It does not try again.

    The authorizer's name is in the user name.
    """

    def __init__(self, emulator: RunningEmulator, authorizer: str, password: str, transport: Transport) -> None:
        self.events: queue.Queue[tuple[str, Any]] = queue.Queue()
        self._client = client = mqtt.Client(
            CallbackAPIVersion.VERSION2,
            client_id="door-7",
            protocol=mqtt.MQTTv311,
            transport=transport,
            reconnect_on_failure=False,
        )
        tls = ssl.create_default_context(cafile=str(emulator.ready.ca_file))
        if transport == "tcp":
            tls.set_alpn_protocols(["mqtt"])
        client.tls_set_context(tls)
        client.username_pw_set(f"door-7?x-amz-customauthorizer-name={authorizer}", password)
        client.on_connect = lambda _c, _u, _f, code, _p: self.events.put(("connected", code.is_failure))
        client.on_subscribe = lambda _c, _u, _m, codes, _p: self.events.put(("subscribed", codes[0].value))
        client.on_message = lambda _c, _u, message: self.events.put((message.topic, message.payload))
        client.on_disconnect = lambda _c, _u, _f, _code, _p: self.events.put(("disconnected", None))
        endpoint = emulator.ready.data_endpoint
        client.connect(endpoint.host, endpoint.port)
        client.loop_start()

    def __enter__(self) -> Device:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def next(self) -> tuple[str, Any]:
        return self.events.get(timeout=10)

    def talks(self) -> bool:
        """Tell whether it is let in, may subscribe, and gets back what it publishes."""
        if self.next() != ("connected", False):
            return False
        self._client.subscribe("doors/7", qos=1)
        if self.next() != ("subscribed", 1):
            return False
        self._client.publish("doors/7", b"open", qos=1)
        return self.next() == ("doors/7", b"open")


@pytest.fixture(scope="module")
def doors(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Doors]:
    with running_emulator(tmp_path_factory.mktemp("doors")) as emulator:
        create_table(emulator)
        source = io.BytesIO()
        with zipfile.ZipFile(source, "w") as archive:
            archive.writestr("app.py", SMALL)
        create_authorizer(emulator, "small", source.getvalue(), "app.handler", {"TABLE": "doors"})
        kernel = bundle.authorizer_zip()
        create_authorizer(
            emulator, "kernel", kernel, "iotauth_authorizer.handler.handler", {"IOTAUTH_TABLE": "clients"}
        )
        yield Doors(emulator)


def create_table(emulator: RunningEmulator) -> None:
    """Two tables: one row as older tools wrote it, and one of ours."""
    dynamodb = emulator.client("dynamodb")
    secret = credential.hash_secret(PASSWORD.encode(), "door-7", credential.CHEAPEST)
    ours = ClientRecord(
        "door-7",
        slots={"A": credential.Slot(secret, int(time.time()), "active")},
        grants=Grants(publish=("doors/7",), subscribe=("doors/7",)),
    )
    rows = {
        "doors": {"Client_ID": {"S": "door-7"}, "Password": {"S": PASSWORD}},
        "clients": record.to_item(ours),
    }
    for table, row in rows.items():
        dynamodb.create_table(
            TableName=table,
            KeySchema=[{"AttributeName": "Client_ID", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "Client_ID", "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
        )
        dynamodb.put_item(TableName=table, Item=row)


def create_authorizer(
    emulator: RunningEmulator, name: str, code: bytes, handler: str, variables: dict[str, str]
) -> None:
    """Role, function, authorizer and permission, as the AWS documentation creates them step by step."""
    document = json.dumps({"Version": "2012-10-17", "Statement": [TRUST]})
    role = emulator.client("iam").create_role(RoleName=name, AssumeRolePolicyDocument=document)["Role"]
    functions = emulator.client("lambda")
    function = functions.create_function(
        FunctionName=name,
        Runtime="python3.13",
        Role=role["Arn"],
        Handler=handler,
        Code={"ZipFile": code},
        Environment={"Variables": variables},
        Timeout=5,
    )
    authorizer = emulator.client("iot").create_authorizer(
        authorizerName=name,
        authorizerFunctionArn=function["FunctionArn"],
        signingDisabled=True,
        status="ACTIVE",
    )
    functions.add_permission(
        FunctionName=name,
        StatementId="aws-iot",
        Action="lambda:InvokeFunction",
        Principal="iot.amazonaws.com",
        SourceArn=authorizer["authorizerArn"],
    )


@pytest.mark.parametrize("authorizer", ["small", "kernel"])
def test_a_device_with_the_right_password_talks(doors: Doors, authorizer: str) -> None:
    """The uploaded code reads the row from the emulator's table, and its policy lets the device talk."""
    with doors.connect(authorizer, PASSWORD) as device:
        assert device.talks()


@pytest.mark.parametrize("authorizer", ["small", "kernel"])
def test_a_device_talks_in_a_websocket(doors: Doors, authorizer: str) -> None:
    """The same function decides, and takes the event with its HTTP part for what it is."""
    with doors.connect(authorizer, PASSWORD, "websockets") as device:
        assert device.talks()
    with doors.connect(authorizer, "wrong", "websockets") as device:
        assert device.next() == ("disconnected", None)


def test_a_device_publishes_over_https(doors: Doors) -> None:
    """The kernel finds client id and password in headers; the message reaches who listens over MQTT."""
    with doors.connect("kernel", PASSWORD) as device:
        assert device.talks()
        assert doors.publish("doors/7", b"shut", PASSWORD) == (200, "OK")
        assert device.next() == ("doors/7", b"shut")
        assert doors.publish("doors/8", b"shut", PASSWORD) == (403, "Forbidden")
        assert doors.publish("doors/7", b"shut", "wrong") == (403, "Forbidden")


def test_the_iot_data_api_reaches_and_ends_a_connection(doors: Doors) -> None:
    """boto3's client, led to the control port, speaks with the broker of the data port."""
    iot_data = doors.emulator.client("iot-data")
    with doors.connect("kernel", PASSWORD) as device:
        assert device.talks()
        iot_data.publish(topic="doors/7", qos=1, payload=b"shut")
        assert device.next() == ("doors/7", b"shut")
        iot_data.delete_connection(clientId="door-7")
        assert device.next() == ("disconnected", None)


def test_a_bad_day_by_order_reaches_real_clients(doors: Doors) -> None:
    """Each fault where it belongs: TLS, the live connection, the function, DynamoDB; and then all is well again."""
    tell, ready = functools.partial(remote.tell, doors.emulator.state_dir, "inject"), doors.emulator.ready
    tell(kind="certificate-expired")
    tls = ssl.create_default_context(cafile=str(ready.ca_file))
    with (
        socket.create_connection(("localhost", ready.data_endpoint.port)) as plain,
        pytest.raises(ssl.SSLCertVerificationError, match="expired"),
    ):
        tls.wrap_socket(plain, server_hostname="localhost")
    with doors.connect("kernel", PASSWORD) as device:
        assert device.talks()
        tell(kind="connection-cut", client_id="door-7")
        assert device.next() == ("disconnected", None)
    tell(kind="function-throttled", client_id="door-7")
    with doors.connect("kernel", PASSWORD) as device:
        assert device.next() == ("disconnected", None)
    tell(kind="dynamodb-throttled")
    with pytest.raises(ClientError, match="ThrottlingException"):
        doors.emulator.client("dynamodb").scan(TableName="doors")
    with doors.connect("kernel", PASSWORD) as device:
        assert device.talks()
    injected = [each for each in lifecycle.attempts(ready.state_dir) if each.outcome == "injected"]
    assert [each.decided_by for each in injected] == [
        "certificate-expired",
        "connection-cut",
        "function-throttled",
        "dynamodb-throttled",
    ]


@pytest.mark.parametrize("authorizer", ["small", "kernel"])
def test_a_wrong_password_is_refused_by_the_function(doors: Doors, authorizer: str) -> None:
    """The connection is closed, and the authorizer log says that the function was asked and said no."""
    with doors.connect(authorizer, "wrong") as device:
        assert device.next() == ("disconnected", None)
    last = lifecycle.attempts(doors.emulator.state_dir)[-1]
    assert (last.outcome, last.decided_by, last.function_called) == ("refused", "authentication", True)
    assert last.authorizer == authorizer


def test_what_the_function_logs_carries_no_secret(doors: Doors) -> None:
    """Our function's log says why a client was refused, and neither password appears in it."""
    with doors.connect("kernel", "wrong-and-secret") as device:
        device.next()
    events = doors.emulator.client("logs").filter_log_events(logGroupName="/aws/lambda/kernel")["events"]
    text = "\n".join(event["message"] for event in events)
    assert '"reason":"wrong-password"' in text
    assert "wrong-and-secret" not in text
    assert PASSWORD not in text


def test_a_killed_function_starts_cold_at_the_next_connect(doors: Doors) -> None:
    """Nothing is canned: with its process gone, the code is loaded again, in a new one."""
    with doors.connect("small", PASSWORD) as device:
        assert device.talks()
    killed = doors.processes()[-1]
    os.kill(killed, signal.SIGKILL)
    time.sleep(0.05)
    with doors.connect("small", PASSWORD) as device:
        assert device.talks()
    assert doors.processes()[-1] != killed


def test_after_kill_9_of_the_emulator_the_device_is_let_in_again(doors: Doors) -> None:
    """Table, function, permission and authorizer are all still there after the next start."""
    with doors.connect("small", PASSWORD) as device:
        assert device.talks()
    function_process = doors.processes()[-1]
    doors.emulator.kill()
    doors.emulator.start()
    for authorizer in ("small", "kernel"):
        with doors.connect(authorizer, PASSWORD) as device:
            assert device.talks()
    assert doors.processes()[-1] != function_process
