"""The process in which AWS's own client runs: orders come in as lines of JSON, answers go out the same way.

Its threads are native and cannot be stopped from Python; the process can. It ends with its stdin.
The one who orders is `probe.awscrt`. Nothing here is logged, and a password is only ever read from stdin.
"""

from __future__ import annotations

import base64
import json
import os
import queue
import signal
import sys
import time
from collections.abc import Callable
from typing import Any

CANCELLED = "AWS_ERROR_MQTT_CANCELLED_FOR_CLEAN_SESSION"

Answer = dict[str, Any]


class Device:
    """One connection of AWS's client, MQTT 3.1.1; it is told what *order* says of endpoint and login."""

    def __init__(self, order: dict[str, Any]) -> None:
        from awscrt import io, mqtt

        group = io.EventLoopGroup(1)
        options = io.TlsContextOptions()
        options.override_default_trust_store_from_path(ca_filepath=order["ca_file"])
        if order["alpn"]:
            options.alpn_list = order["alpn"]
        self.timeout_s: float = order["timeout_s"]
        self.interrupted: queue.Queue[str] = queue.Queue()
        self.messages: queue.Queue[bytes] = queue.Queue()
        will = order["will"]
        bootstrap = io.ClientBootstrap(group, io.DefaultHostResolver(group))
        self.connection = mqtt.Connection(
            mqtt.Client(bootstrap, io.ClientTlsContext(options)),
            host_name=order["host"],
            port=order["port"],
            client_id=order["client_id"],
            clean_session=True,
            keep_alive_secs=order["keep_alive_s"],
            username=order["username"],
            password=order["password"],
            will=mqtt.Will(will, mqtt.QoS.AT_LEAST_ONCE, base64.b64decode(order["will_payload"]), False)
            if will
            else None,
            on_connection_interrupted=self.on_interrupted,
        )

    def on_interrupted(self, connection: Any, error: Any, **_more: Any) -> None:
        self.interrupted.put(name_of(error))

    def connect(self, _order: dict[str, Any]) -> Answer:
        return self.settle(self.connection.connect())

    def subscribe(self, order: dict[str, Any]) -> Answer:
        from awscrt import mqtt

        def on_message(topic: str, payload: bytes, **_more: Any) -> None:
            self.messages.put(bytes(payload))

        future, _ = self.connection.subscribe(order["filter"], mqtt.QoS.AT_LEAST_ONCE, on_message)
        answer = self.settle(future)
        granted = answer.pop("result", None)
        return {**answer, "qos": int(granted["qos"])} if granted and granted.get("qos") is not None else answer

    def publish(self, order: dict[str, Any]) -> Answer:
        from awscrt import mqtt

        qos = mqtt.QoS(order["qos"])
        future, _ = self.connection.publish(order["topic"], base64.b64decode(order["payload"]), qos, order["retain"])
        answer = self.settle(future)
        answer.pop("result", None)
        return answer

    def receive(self, order: dict[str, Any]) -> Answer:
        wanted, end = base64.b64decode(order["payload"]), time.monotonic() + self.timeout_s
        while (left := end - time.monotonic()) > 0:
            if not self.interrupted.empty():
                return {"error": self.interrupted.get()}
            try:
                if self.messages.get(timeout=min(left, 0.05)) == wanted:
                    return {}
            except queue.Empty:
                continue
        return {"error": "timeout"}

    def stay(self, order: dict[str, Any]) -> Answer:
        parent, end = os.getppid(), time.monotonic() + order["seconds"]
        while (left := end - time.monotonic()) > 0 and os.getppid() == parent:
            try:
                return {"error": self.interrupted.get(timeout=min(left, 1.0))}
            except queue.Empty:
                continue
        return {}

    def end(self, _order: dict[str, Any]) -> Answer:
        answer = self.settle(self.connection.disconnect())
        answer.pop("result", None)
        return answer

    def settle(self, future: Any) -> Answer:
        """Wait for *future*, the hang-up, or the end of the time: the client itself would try again for ever."""
        end = time.monotonic() + self.timeout_s
        while time.monotonic() < end:
            if not self.interrupted.empty():
                return {"error": self.interrupted.get()}
            try:
                found = future.result(timeout=0.02)
            except TimeoutError:
                continue
            except Exception as error:
                # Of 3.10's TimeoutError of futures, which is another class, only the name is known.
                if type(error).__name__ == "TimeoutError":
                    continue
                return {"error": self.behind(name_of(error))}
            return {"result": found if isinstance(found, dict) else None}
        return {"error": "timeout"}

    def behind(self, error: str) -> str:
        """Return what ended the connection where *error* is only what became of the packets on it."""
        if error != CANCELLED:
            return error
        try:
            return self.interrupted.get(timeout=0.2)
        except queue.Empty:
            return error


def name_of(error: BaseException) -> str:
    """Return the client's own name of *error*: ``AWS_ERROR_MQTT_UNEXPECTED_HANGUP``."""
    return str(getattr(error, "name", None) or type(error).__name__)


def serve(read: Callable[[], str], write: Callable[[str], None]) -> None:
    """Carry out orders until there are no more; the first says where and as whom to connect."""
    device: Device | None = None
    while line := read():
        order = json.loads(line)
        try:
            if device is None:
                device = Device(order)
                answer: Answer = {}
            else:
                answer = getattr(device, order["step"])(order)
        except Exception as error:  # the name alone: a message may quote what nobody may see
            answer = {"error": name_of(error)}
        answer.pop("result", None)
        write(json.dumps(answer) + "\n")


def main() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # whoever started this process ends it

    def write(text: str) -> None:
        os.write(1, text.encode())

    serve(sys.stdin.readline, write)
    os._exit(0)  # without waiting for threads that may hang


if __name__ == "__main__":
    main()
