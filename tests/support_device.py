"""A device without a library: MQTT 3.1.1 over a real TLS socket, with any server name and ALPN one likes.

Its packets are put together here by hand, so that the emulator's own codec does not talk to itself. And an
authorizer for it, whose answers the device's password dictates.
"""

from __future__ import annotations

import contextlib
import io
import json
import socket
import ssl
import struct
import sys
import zipfile
from collections.abc import Iterator, Sequence
from types import TracebackType
from typing import Any

from support_emulator import RunningEmulator

CONNACK, PUBLISH, PUBACK, SUBACK, PINGRESP = 0x20, 0x30, 0x40, 0x90, 0xD0
MQTT = ("mqtt",)
TRUST = {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}

# The password is a list of answers: the first for CONNECT, the next for each time that AWS IoT asks again.
# Who has none, an HTTPS request, is let in.
DICTATED = """
import base64, json

calls = {}

def handler(event, context):
    mqtt = event["protocolData"].get("mqtt", {"clientId": "nobody", "password": "W3t9XQ=="})
    client_id = mqtt["clientId"]
    answers = json.loads(base64.b64decode(mqtt["password"]))
    calls[client_id] = calls.get(client_id, -1) + 1
    print("asked about", client_id)
    print(json.dumps(event["protocolData"].get("tls")))
    answer = answers[min(calls[client_id], len(answers) - 1)]
    if answer == "fail":
        raise RuntimeError("as told")
    actions = answer.pop("actions", "iot:*")
    statement = {"Effect": "Allow", "Action": actions, "Resource": "*"}
    return {
        "isAuthenticated": True,
        "principalId": "device",
        "disconnectAfterInSeconds": 86400,
        "refreshAfterInSeconds": 86400,
        "policyDocuments": [{"Version": "2012-10-17", "Statement": [statement]}],
        **answer,
    }
"""


class Device:
    """One connection; a context manager that drops it. Every wait ends after 10 s."""

    def __init__(
        self,
        emulator: RunningEmulator,
        *,
        server_name: str = "localhost",
        alpn: Sequence[str] = MQTT,
        port: int | None = None,
    ) -> None:
        context = ssl.create_default_context(cafile=str(emulator.ready.ca_file))
        if alpn:
            context.set_alpn_protocols(list(alpn))
        address = ("127.0.0.1", port or emulator.ready.data_endpoint.port)
        plain = socket.create_connection(address, timeout=10)
        try:
            self.socket = context.wrap_socket(plain, server_hostname=server_name)
        except BaseException:
            plain.close()
            raise

    def __enter__(self) -> Device:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.socket.close()

    def connect(
        self,
        client_id: str,
        *answers: dict[str, Any] | str,
        username: str | None = "u?x-amz-customauthorizer-name=dictated",
        keep_alive_s: int = 1200,
        clean: bool = True,
    ) -> tuple[int, bool] | None:
        """Return CONNACK's code and whether a session was kept; None when the connection was closed instead."""
        password = json.dumps(answers or [{}])
        flags = 0x02 * clean | (0xC0 if username is not None else 0x40)
        texts = [client_id, *([username] if username is not None else []), password]
        body = text("MQTT") + bytes([4, flags]) + struct.pack(">H", keep_alive_s) + b"".join(map(text, texts))
        self.send(0x10, body)
        answer = self.receive()
        return None if answer is None else (answer[1][1], bool(answer[1][0]))

    def subscribe(self, topic_filter: str, qos: int = 1) -> int | None:
        """Return SUBACK's code, or None when the connection was closed instead."""
        self.send(0x82, b"\0\1" + text(topic_filter) + bytes([qos]))
        answer = self.receive()
        return None if answer is None else answer[1][2]

    def publish(self, topic: str, payload: bytes = b"21.5") -> bool:
        """Publish with QoS 1; tell whether the PUBACK came."""
        self.send(0x32, text(topic) + b"\0\7" + payload)
        while (answer := self.receive()) is not None:
            if answer[0] == PUBACK:
                return True
        return False

    def ping(self) -> bool:
        """Tell whether the emulator still answers."""
        self.send(0xC0, b"")
        return self.receive() == (PINGRESP, b"")

    def is_closed(self) -> bool:
        """Wait for the other side to close; tell whether that was all it did."""
        return self.receive() is None

    def send(self, first: int, body: bytes) -> None:
        size, length = len(body), b""
        while size > 127:
            length, size = length + bytes([size & 127 | 128]), size >> 7
        with contextlib.suppress(ConnectionError, ssl.SSLError):  # `receive` tells that it is closed
            self.socket.sendall(bytes([first]) + length + bytes([size]) + body)

    def receive(self) -> tuple[int, bytes] | None:
        """Return the next packet's kind and body, or None when the connection is closed."""
        head = self._read(1)
        if not head:
            return None
        size = shift = 0
        while True:
            byte = self._read(1)[0]
            size |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return head[0] & 0xF0, self._read(size)

    def _read(self, size: int) -> bytes:
        data = b""
        while len(data) < size:
            try:
                more = self.socket.recv(size - len(data))
            except (ConnectionError, ssl.SSLError):
                more = b""
            if not more:
                return b""
            data += more
        return data


def text(value: str) -> bytes:
    return struct.pack(">H", len(value.encode())) + value.encode()


def create_dictated_authorizer(emulator: RunningEmulator, name: str = "dictated") -> None:
    """Create an active unsigned authorizer *name* with the function above, and AWS IoT's permission to call it."""
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("app.py", DICTATED)
    functions = emulator.client("lambda")
    function = functions.create_function(
        FunctionName=name,
        Runtime=f"python3.{sys.version_info.minor}",
        Role=create_role(emulator, name),
        Handler="app.handler",
        Code={"ZipFile": archive.getvalue()},
    )
    authorizer = emulator.client("iot").create_authorizer(
        authorizerName=name, authorizerFunctionArn=function["FunctionArn"], signingDisabled=True, status="ACTIVE"
    )
    functions.add_permission(
        FunctionName=name,
        StatementId="aws-iot",
        Action="lambda:InvokeFunction",
        Principal="iot.amazonaws.com",
        SourceArn=authorizer["authorizerArn"],
    )


def create_role(emulator: RunningEmulator, name: str) -> str:
    """Create a role that Lambda may assume and return its ARN."""
    document = json.dumps({"Version": "2012-10-17", "Statement": [TRUST]})
    made = emulator.client("iam").create_role(RoleName=name, AssumeRolePolicyDocument=document)
    return str(made["Role"]["Arn"])


def calls_about(emulator: RunningEmulator, client_id: str, name: str = "dictated") -> int:
    """Return how often the function was called about *client_id*, by its own log."""
    logs, group = emulator.client("logs"), f"/aws/lambda/{name}"
    if not logs.describe_log_groups(logGroupNamePrefix=group)["logGroups"]:
        return 0  # it was never called
    pages: Iterator[Any] = logs.get_paginator("filter_log_events").paginate(
        logGroupName=group, filterPattern=f'"asked about {client_id}"'
    )
    return sum(len(page["events"]) for page in pages)
