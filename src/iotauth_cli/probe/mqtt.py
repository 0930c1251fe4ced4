"""One MQTT connection, step by step, with paho doing the talking. paho is seen only here.

paho is driven from this side's loop, without its thread: each step waits for one answer, the
hang-up or the end of its time, and Ctrl-C reaches it at once. It never reconnects: a second
try would hide what the first one met.
"""

from __future__ import annotations

import os
import select
import socket
import ssl
import time
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from iotauth_cli.errors import InputError
from iotauth_cli.probe.carriage import headers_of, sent_username
from iotauth_cli.probe.mqtt5 import terms, words
from iotauth_cli.probe.stages import PLAIN, Endpoint, Finding, Login, Manner, Symptom
from iotauth_cli.probe.tls import tls_symptom
from iotauth_cli.probe.websocket import host_header, path_of

if TYPE_CHECKING:
    from paho.mqtt.client import Client
    from paho.mqtt.enums import MQTTErrorCode

WILL = b"iotauth test-connect"  # the will's payload; DISCONNECT drops it
KEEP_ALIVE_S = 30  # the least that AWS IoT accepts without raising it
MAX_FIELD_BYTES = 65_535  # MQTT 3.1.1, section 1.5.3
PING_CHECK_S = 1.0  # how often to see whether a ping is due
REFUSED_SUBSCRIPTION = 0x80  # SUBACK return codes from here on say no


class Session:
    """A device's connection. Every step returns a `Finding`; `close` is safe at any time.

    Raises:
        InputError: *login* does not fit into CONNECT.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        login: Login,
        context: ssl.SSLContext,
        timeout_s: float,
        manner: Manner = PLAIN,
        will: str | None = None,
    ) -> None:
        from paho.mqtt.client import Client
        from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

        check_login(login)
        self.endpoint = endpoint
        self.login = login
        self.timeout_s = timeout_s
        self.manner = manner
        self.will = will
        self.reason: Any = None
        self.terms: list[str] = []
        self.granted: dict[int, tuple[list[Any], Any]] = {}
        self.published: dict[int, tuple[Any, Any]] = {}
        self.messages: list[tuple[str, bytes]] = []
        self.hung_up: Any = None
        self.last_words: tuple[Any, Any] | None = None  # reason and properties of the broker's own DISCONNECT
        self.client = Client(
            CallbackAPIVersion.VERSION2,
            client_id=login.client_id,
            protocol=MQTTProtocolVersion.MQTTv5 if manner.is_mqtt5 else MQTTProtocolVersion.MQTTv311,
            transport="websockets" if manner.transport == "websocket" else "tcp",
            reconnect_on_failure=False,
        )
        self.client.tls_set_context(context)
        if not context.check_hostname:  # what is sent is not the host's name; the chain is verified all the same
            self.client.tls_insecure_set(True)
        self.client.connect_timeout = timeout_s
        if manner.transport == "websocket":
            self.go_through_http(self.client)
        self.listen(self.client)

    def go_through_http(self, client: Client) -> None:
        extra = headers_of(self.login, self.manner)

        def headers(own: dict[str, str]) -> dict[str, str]:
            own.pop("Origin", None)  # a browser's; no device sends one
            return {**own, "Host": host_header(self.endpoint), **extra}

        client.ws_set_options(path=path_of(self.login, self.manner), headers=headers)

    def listen(self, client: Client) -> None:
        """Keep what the broker says where the steps look for it."""

        def on_connect(_client: Client, _data: Any, _flags: Any, reason: Any, properties: Any) -> None:
            self.reason = reason
            self.terms = terms(properties)
            self.last_words = (reason, properties) if self.manner.is_mqtt5 and reason.is_failure else None

        def on_subscribe(_client: Client, _data: Any, mid: int, reasons: list[Any], properties: Any) -> None:
            self.granted[mid] = (reasons, properties)

        def on_publish(_client: Client, _data: Any, mid: int, reason: Any, properties: Any) -> None:
            self.published[mid] = (reason, properties)

        def on_message(_client: Client, _data: Any, message: Any) -> None:
            self.messages.append((message.topic, bytes(message.payload)))

        def on_disconnect(_client: Client, _data: Any, flags: Any, reason: Any, properties: Any) -> None:
            self.hung_up = reason
            if flags.is_disconnect_packet_from_server:
                self.last_words = (reason, properties)

        client.on_socket_open = send_at_once
        client.on_connect = on_connect
        client.on_subscribe = on_subscribe
        client.on_publish = on_publish
        client.on_message = on_message
        client.on_disconnect = on_disconnect

    def connect(self) -> Finding:
        """Send CONNECT and wait for CONNACK. The time told is the broker's, without paho's own handshake."""
        facts = self.connect_facts()
        user = sent_username(self.login, self.manner)
        if user is not None:
            password = self.login.password.reveal() if self.login.password else None
            self.client.username_pw_set(user, password)
        if self.will is not None:
            self.client.will_set(self.will, WILL, qos=1)
        try:
            self.client.connect(self.endpoint.host, self.endpoint.port, keepalive=KEEP_ALIVE_S)
        except OSError as error:  # the handshake by hand went well just before
            return Finding({**facts, "reason": "a second connection failed"}, tls_symptom(error))
        sent = time.perf_counter()
        waited = self.wait(lambda: self.reason is not None)
        ms = (time.perf_counter() - sent) * 1000
        if waited is not None:
            return Finding({**facts, **self.ended(waited, "CONNACK")}, waited, ms)
        if self.reason.is_failure:
            said = words(*self.last_words) if self.last_words else str(self.reason).lower()
            return Finding({**facts, "reason": f"CONNACK: {said}", **self.code()}, Symptom.REFUSED, ms)
        more = {"terms": self.terms} if self.terms else {}
        return Finding({**facts, "reason": "accepted", **more}, None, ms)

    def connect_facts(self) -> dict[str, Any]:
        return {
            "client_id": self.login.client_id,
            "username": shown_username(self.login, self.manner),
            "password": self.login.password is not None,
            "packet_bytes": connect_size(self.login, self.manner, self.will),
            **({"will": self.will} if self.will is not None else {}),
        }

    def subscribe(self, topic_filter: str) -> Finding:
        """Subscribe at QoS 1 and wait for SUBACK."""
        facts: dict[str, Any] = {"filter": topic_filter}
        try:
            _, mid = self.client.subscribe(topic_filter, qos=1)
        except ValueError as error:
            raise InputError(f"`{topic_filter}` is no topic filter: {error}") from None
        waited = self.wait(lambda: mid in self.granted)
        if waited is not None or mid is None:
            symptom = waited or Symptom.CLOSED
            return Finding({**facts, **self.ended(symptom, "SUBACK")}, symptom)
        reasons, properties = self.granted[mid]
        code = reasons[0].value
        if code >= REFUSED_SUBSCRIPTION:
            said = words(reasons[0], properties) if self.manner.is_mqtt5 else f"{code:#04x}"
            return Finding({**facts, "reason": f"SUBACK {said}", "code": code}, Symptom.REFUSED)
        return Finding({**facts, "qos": code})

    def publish(self, topic: str, payload: bytes, *, qos: int = 1, retain: bool = False) -> Finding:
        """Publish at QoS 1, whose PUBACK is the only sign a device gets that it may."""
        facts: dict[str, Any] = {"topic": topic, "bytes": len(payload), "qos": qos, "retain": retain}
        try:
            mid = self.client.publish(topic, payload, qos=qos, retain=retain).mid
        except ValueError as error:
            raise InputError(f"nothing can be published to `{topic}`: {error}") from None
        waited = self.wait(lambda: mid in self.published)
        if waited is not None:
            return Finding({**facts, **self.ended(waited, "PUBACK")}, waited)
        reason, properties = self.published[mid]
        if self.manner.is_mqtt5 and reason.is_failure:
            said = words(reason, properties)
            return Finding({**facts, "reason": f"PUBACK {said}", "code": reason.value}, Symptom.REFUSED)
        return Finding(facts)

    def receive(self, payload: bytes) -> Finding:
        """Wait for the message that carries *payload*; others (retained ones) do not count."""
        waited = self.wait(lambda: any(got == payload for _, got in self.messages))
        if waited is not None:
            return Finding({**self.ended(waited, "the message")}, waited)
        topic = next(topic for topic, got in self.messages if got == payload)
        return Finding({"topic": topic, "bytes": len(payload)})

    def stay(self, seconds: float) -> Finding:
        """Stay connected for *seconds*, pinging as a device does, and see whether the broker ends it."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            self.turn(min(left, PING_CHECK_S))
            self.client.loop_misc()
            if self.client.socket() is None:
                lasted = seconds - (end - time.monotonic())
                return Finding(
                    {**self.ended(Symptom.CLOSED, f"{seconds:g} s were over"), "lasted_s": round(lasted, 1)},
                    Symptom.CLOSED,
                )
        return Finding({"lasted_s": seconds})

    def end(self, retained: str | None = None) -> Finding:
        """Say DISCONNECT, so that no will is published; before it, remove the message *retained* on a topic."""
        if retained is not None:
            self.publish(retained, b"", retain=True)
        self.client.disconnect()
        waited = self.wait(lambda: self.hung_up is not None)
        return Finding({}, waited if waited is Symptom.TIMEOUT else None)

    def wait(self, until: Callable[[], bool]) -> Symptom | None:
        """Let paho read and write until *until* holds; return what came instead, if it never does."""
        from paho.mqtt.enums import MQTTErrorCode

        end = time.monotonic() + self.timeout_s
        while not until():
            left = end - time.monotonic()
            if left <= 0:
                return Symptom.TIMEOUT
            code = self.turn(left)
            if code != MQTTErrorCode.MQTT_ERR_SUCCESS and not until():
                return Symptom.NOT_MQTT if code == MQTTErrorCode.MQTT_ERR_PROTOCOL else Symptom.CLOSED
        return None

    def turn(self, patience_s: float) -> MQTTErrorCode:
        """Wait until the socket has something to do, and let paho do it."""
        from paho.mqtt.enums import MQTTErrorCode

        sock: Any = self.client.socket()
        if sock is None:
            return MQTTErrorCode.MQTT_ERR_CONN_LOST
        wishes = [sock] if self.client.want_write() else []
        # What TLS has decrypted already no longer shows in select.
        decrypted = bool(sock.pending())
        readable, writable, _ = select.select([sock], wishes, [], 0 if decrypted else patience_s)
        code = self.client.loop_read() if readable or decrypted else MQTTErrorCode.MQTT_ERR_SUCCESS
        if writable and code == MQTTErrorCode.MQTT_ERR_SUCCESS:
            code = self.client.loop_write()
        return code

    def ended(self, symptom: Symptom, awaited: str) -> dict[str, Any]:
        """Return the facts of an answer that did not come: what came instead, in the broker's words if it has any."""
        return {"reason": f"{self.how(symptom)} before {awaited}", **self.code()}

    def code(self) -> dict[str, Any]:
        return {"code": self.last_words[0].value} if self.last_words else {}

    def how(self, symptom: Symptom) -> str:
        if self.last_words is not None and symptom is Symptom.CLOSED:
            return f"DISCONNECT {words(*self.last_words)},"
        return {
            Symptom.TIMEOUT: f"no answer within {self.timeout_s:g} s",
            Symptom.NOT_MQTT: "the answer was not MQTT",
        }.get(symptom, "closed")

    def close(self) -> None:
        """Drop whatever is still open, without a word."""
        sock = self.client.socket()
        if sock is not None:
            sock.close()


def send_at_once(_client: Client, _data: Any, sock: Any) -> None:
    # Behind the handshake's last flight a small CONNECT waits 40 ms for the server's delayed
    # acknowledgement, and that time would be told as the broker's.
    # paho's WebSocket hides its socket, so the option is set through a second descriptor of the same one.
    with socket.socket(fileno=os.dup(sock.fileno())) as same:
        same.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


def check_login(login: Login) -> None:
    """Refuse what CONNECT cannot carry, without repeating it: it may be a password."""
    for name, text in fields_of(login).items():
        try:
            size = len(text.encode())
        except UnicodeEncodeError:
            raise InputError(f"the {name} is not UTF-8 text") from None
        if size > MAX_FIELD_BYTES:
            raise InputError(f"the {name} has {size} bytes, and MQTT carries {MAX_FIELD_BYTES}")


def shown_username(login: Login, manner: Manner) -> str | None:
    """Return CONNECT's user name as it may be shown."""
    return login.shown_username if manner.carrier == "username" else sent_username(login, manner)


def connect_size(login: Login, manner: Manner = PLAIN, will: str | None = None) -> int:
    """Return the length of the CONNECT packet in bytes (MQTT 3.1.1 and 5, section 3.1)."""
    fields = fields_of(replace(login, username=sent_username(login, manner)))
    remaining = 10 + sum(2 + len(text.encode()) for text in fields.values())
    if will is not None:
        remaining += 2 + len(will.encode()) + 2 + len(WILL)
    if manner.is_mqtt5:  # an empty list of properties is one byte
        remaining += 1 if will is None else 2
    length_bytes = 1 + sum(remaining >= limit for limit in (128, 16_384, 2_097_152))
    return 1 + length_bytes + remaining


def fields_of(login: Login) -> dict[str, str]:
    """Return what CONNECT carries. Without a user name there is no password either (section 3.1.2.9)."""
    password = login.password.reveal() if login.password and login.username is not None else None
    fields = {"client id": login.client_id, "user name": login.username, "password": password}
    return {name: text for name, text in fields.items() if text is not None}
