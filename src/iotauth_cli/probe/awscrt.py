"""The same steps with AWS's own client, `awscrt`, which the device SDKs of Python, C++, Java and Node are made of.

It runs in a process of its own (`crt_child`), which is killed when its time is over: a native thread
that hangs cannot be ended otherwise. Its error names are what users of those SDKs see, so they are told as they are.
"""

from __future__ import annotations

import base64
import importlib.util
import json
import select
import subprocess
import sys
import time
from typing import Any

from iotauth_cli.errors import DeviceError
from iotauth_cli.probe.mqtt import KEEP_ALIVE_S, WILL, check_login
from iotauth_cli.probe.stages import Endpoint, Finding, Login, Symptom
from iotauth_cli.probe.tls import AMAZON_ROOTS

START_PATIENCE_S = 15.0  # for a process to start and to load the library
GRACE_S = 1.0  # that the child may take longer than the step it waits for

SYMPTOMS = {
    "timeout": Symptom.TIMEOUT,
    "AWS_ERROR_MQTT_TIMEOUT": Symptom.TIMEOUT,
    "AWS_IO_SOCKET_TIMEOUT": Symptom.TIMEOUT,
    "AWS_IO_TLS_NEGOTIATION_TIMEOUT": Symptom.TIMEOUT,
    "AWS_IO_TLS_ERROR_NEGOTIATION_FAILURE": Symptom.TLS_FAILED,
    "AWS_ERROR_MQTT_PROTOCOL_ERROR": Symptom.NOT_MQTT,
    "AWS_ERROR_MQTT_INVALID_PACKET_TYPE": Symptom.NOT_MQTT,
    "AWS_ERROR_MQTT_UNSUPPORTED_PROTOCOL_VERSION": Symptom.NOT_MQTT,
    "AWS_ERROR_MQTT_CONNECTION_REFUSED": Symptom.REFUSED,
}  # whatever else it names ends the connection


def check_installed() -> None:
    """Raises:
    DeviceError: AWS's client is not installed.
    """
    if importlib.util.find_spec("awscrt") is None:
        raise DeviceError("AWS's client `awscrt` is not installed", hint="install it: `pip install awscrt`")


class CrtSession:
    """What `mqtt.Session` is for paho."""

    def __init__(self, endpoint: Endpoint, login: Login, timeout_s: float, will: str | None = None) -> None:
        check_login(login)
        check_installed()
        self.login = login
        self.timeout_s = timeout_s
        self.will = will
        self.order = {
            "host": endpoint.host,
            "port": endpoint.port,
            "ca_file": str(endpoint.ca_file or AMAZON_ROOTS),
            "alpn": list(endpoint.alpn),
            "timeout_s": timeout_s,
            "keep_alive_s": KEEP_ALIVE_S,
            "client_id": login.client_id,
            "username": login.username,
            "will": will,
            "will_payload": base64.b64encode(WILL).decode(),
        }
        self.child: subprocess.Popen[bytes] | None = None

    def connect(self) -> Finding:
        """Start the process, then have it connect; only the connection is timed, which includes its own TLS.

        The client adds parameters of its own to the user name (`SDK=…`), so the packet's size is not known here.
        """
        facts = {
            "client_id": self.login.client_id,
            "username": self.login.shown_username,
            "password": self.login.password is not None,
            "client": "awscrt",
            **({"will": self.will} if self.will is not None else {}),
        }
        started = self.start()
        if "error" in started:
            return self.conclude(started, facts, "CONNACK")
        began = time.perf_counter()
        answer = self.ask("connect", self.timeout_s)
        ms = (time.perf_counter() - began) * 1000
        found = self.conclude(answer, {**facts, "reason": "accepted"}, "CONNACK")
        return Finding(found.facts, found.symptom, ms)

    def subscribe(self, topic_filter: str) -> Finding:
        answer = self.ask("subscribe", self.timeout_s, filter=topic_filter)
        qos = {"qos": answer["qos"]} if "qos" in answer else {}
        return self.conclude(answer, {"filter": topic_filter, **qos}, "SUBACK")

    def publish(self, topic: str, payload: bytes, *, qos: int = 1, retain: bool = False) -> Finding:
        message = {"topic": topic, "payload": base64.b64encode(payload).decode(), "qos": qos, "retain": retain}
        answer = self.ask("publish", self.timeout_s, **message)
        facts = {"topic": topic, "bytes": len(payload), "qos": qos, "retain": retain}
        return self.conclude(answer, facts, "PUBACK")

    def receive(self, payload: bytes) -> Finding:
        answer = self.ask("receive", self.timeout_s, payload=base64.b64encode(payload).decode())
        return self.conclude(answer, {"bytes": len(payload)}, "the message")

    def stay(self, seconds: float) -> Finding:
        began = time.monotonic()
        answer = self.ask("stay", seconds, seconds=seconds)
        return self.conclude(answer, {"lasted_s": round(time.monotonic() - began, 1)}, f"{seconds:g} s were over")

    def end(self, retained: str | None = None) -> Finding:
        if retained is not None:
            self.publish(retained, b"", retain=True)
        answer = self.ask("end", self.timeout_s)
        return Finding({}, Symptom.TIMEOUT if answer.get("error") == "timeout" else None)

    def close(self) -> None:
        """Kill the process: whatever its threads do, they do it no longer."""
        if self.child is not None:
            self.child.kill()
            self.child.communicate()
            self.child = None

    def conclude(self, answer: dict[str, Any], facts: dict[str, Any], awaited: str) -> Finding:
        error = answer.get("error")
        if error is None:
            return Finding(facts)
        told = f"no answer within {self.timeout_s:g} s" if error == "timeout" else error
        reason = f"{told} before {awaited}"
        return Finding({**facts, "reason": reason, "error_name": error}, SYMPTOMS.get(error, Symptom.CLOSED))

    def start(self) -> dict[str, Any]:
        self.child = subprocess.Popen(
            [sys.executable, "-m", "iotauth_cli.probe.crt_child"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        password = self.login.password.reveal() if self.login.password and self.login.username is not None else None
        return self.exchange({**self.order, "password": password}, START_PATIENCE_S)

    def ask(self, step: str, patience_s: float, **order: Any) -> dict[str, Any]:
        return self.exchange({"step": step, **order}, patience_s + GRACE_S)

    def exchange(self, order: dict[str, Any], patience_s: float) -> dict[str, Any]:
        """Send an order and wait for its answer; a process that is gone, or silent, is one that hung up."""
        assert self.child is not None
        assert self.child.stdin is not None
        assert self.child.stdout is not None
        try:
            self.child.stdin.write(json.dumps(order).encode() + b"\n")
            self.child.stdin.flush()
            if not select.select([self.child.stdout], [], [], patience_s)[0]:
                return {"error": "timeout"}
            line = self.child.stdout.readline()
        except OSError:
            return {"error": "the client's process ended"}
        answer: dict[str, Any] = json.loads(line) if line else {"error": "the client's process ended"}
        return answer
