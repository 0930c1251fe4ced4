"""A conversation: one MQTT connection for as long as somebody listens, or has something to say.

Where `mqtt.Session` takes one step after the other and tells of each, this stays: it pings, takes what
comes, and is opened anew when it was cut. paho is driven from this side's loop, without its thread, so
Ctrl-C reaches every wait at once and nothing piles up while whoever reads is slow.

AWS IoT answers what an MQTT 3.1.1 client may not do by closing the connection. A close where an
acknowledgement was due is therefore told as a refusal, one that is not certain.
"""

from __future__ import annotations

import select
import ssl
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from iotauth_cli.errors import InputError
from iotauth_cli.probe import reach, tls, websocket
from iotauth_cli.probe.message_properties import content, properties_of
from iotauth_cli.probe.mqtt import KEEP_ALIVE_S, REFUSED_SUBSCRIPTION, check_login, send_at_once
from iotauth_cli.probe.mqtt5 import words
from iotauth_cli.probe.stages import Endpoint, Finding, Login, Symptom

if TYPE_CHECKING:
    from paho.mqtt.client import Client

TICK_S = 1.0  # paho looks at its keep-alive at least that often
PINGREQ = b"\xc0\x00"  # MQTT 3.1.1, section 3.12
PINGRESP_SEEN = "Received PINGRESP"  # paho tells of it in its log alone

NOT_AUTHORIZED = 0x87  # MQTT 5, 3.14.2.1

Verb = Literal["subscribe", "publish"]

WORDS = {
    Symptom.PORT_CLOSED: "nothing listens there",
    Symptom.UNREACHABLE: "it cannot be reached",
    Symptom.TIMEOUT: "it gave no answer in time",
    Symptom.NOT_TLS: "what answers there is not TLS",
    Symptom.UNTRUSTED: "its certificate is signed by nobody who is trusted here",
    Symptom.EXPIRED: "its certificate has expired",
    Symptom.NOT_YET_VALID: "its certificate is not valid yet",
    Symptom.WRONG_NAME: "its certificate is for another name",
    Symptom.CLOSED: "it hung up",
}


@dataclass(frozen=True)
class Line:
    """Where to talk, as whom, and how. *path* gives the path of a WebSocket, anew for each connection."""

    endpoint: Endpoint
    login: Login
    is_websocket: bool = False
    is_mqtt5: bool = False
    path: Callable[[], str] = lambda: websocket.PATH
    timeout_s: float = 10.0


@dataclass(frozen=True)
class Message:
    """A message that came. *at* is in epoch seconds, *properties* are those of MQTT 5 by their names."""

    topic: str
    payload: bytes = field(repr=False)
    at: float = 0.0
    qos: int = 0
    retain: bool = False
    properties: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Refused:
    """The broker does not let it be done; where it only hung up, *is_certain* is false."""

    verb: Verb
    topic: str
    reason: str
    is_certain: bool = False


class NotConnected(Exception):
    """No connection came to be. *is_refusal* tells a closed door from a way that leads nowhere."""

    def __init__(self, reason: str, *, is_refusal: bool = False) -> None:
        super().__init__(reason)
        self.reason = reason
        self.is_refusal = is_refusal


class HungUp(Exception):
    """The connection ended, or an answer did not come: *is_silence*. *code* is that of MQTT 5's DISCONNECT."""

    def __init__(self, reason: str, *, code: int | None = None, is_silence: bool = False) -> None:
        super().__init__(reason)
        self.reason = reason
        self.code = code
        self.is_silence = is_silence

    @property
    def may_be_refusal(self) -> bool:
        """Whether this is how AWS IoT refuses: by a close without a word, or with the word for it."""
        return not self.is_silence and self.code in (None, NOT_AUTHORIZED)


class Conversation:
    """One connection. `close` is safe at any time.

    Raises:
        InputError: the login does not fit into CONNECT, or the CA file is none.
    """

    def __init__(self, line: Line) -> None:
        from paho.mqtt.client import Client
        from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

        check_login(line.login)
        self.line = line
        self.inbox: deque[Message] = deque()
        self.reason: Any = None  # CONNACK's
        self.told = ""
        self.granted: dict[int, Any] = {}
        self.acknowledged: dict[int, Any] = {}
        self.pongs = 0
        self.last_words: HungUp | None = None  # the broker's own DISCONNECT, MQTT 5
        self.client = Client(
            CallbackAPIVersion.VERSION2,
            client_id=line.login.client_id,
            protocol=MQTTProtocolVersion.MQTTv5 if line.is_mqtt5 else MQTTProtocolVersion.MQTTv311,
            transport="websockets" if line.is_websocket else "tcp",
            reconnect_on_failure=False,
        )
        self.client.tls_set_context(tls.build_context(line.endpoint))
        self.client.connect_timeout = line.timeout_s
        self._attend(self.client)

    def _attend(self, client: Client) -> None:
        """Keep what the broker says where the steps look for it."""

        def on_connect(_client: Client, _data: Any, _flags: Any, reason: Any, properties: Any) -> None:
            self.reason, self.told = reason, words(reason, properties)

        def on_subscribe(_client: Client, _data: Any, mid: int, reasons: list[Any], properties: Any) -> None:
            self.granted[mid] = (reasons[0], properties)

        def on_publish(_client: Client, _data: Any, mid: int, reason: Any, properties: Any) -> None:
            self.acknowledged[mid] = (reason, properties)

        def on_message(_client: Client, _data: Any, message: Any) -> None:
            found = properties_of(message.properties) if self.line.is_mqtt5 else {}
            payload = bytes(message.payload)
            self.inbox.append(Message(message.topic, payload, time.time(), message.qos, message.retain, found))

        def on_disconnect(_client: Client, _data: Any, flags: Any, reason: Any, properties: Any) -> None:
            if flags.is_disconnect_packet_from_server:
                self.last_words = HungUp(f"DISCONNECT {words(reason, properties)}", code=reason.value)

        def on_log(_client: Client, _data: Any, _level: Any, text: str) -> None:
            self.pongs += text == PINGRESP_SEEN

        client.on_socket_open = send_at_once
        client.on_connect = on_connect
        client.on_subscribe = on_subscribe
        client.on_publish = on_publish
        client.on_message = on_message
        client.on_disconnect = on_disconnect
        client.on_log = on_log

    def open(self) -> None:
        """Connect and be let in.

        Raises:
            NotConnected: it did not come to that.
        """
        endpoint, login = self.line.endpoint, self.line.login
        # paho asks the resolver where neither a time limit nor Ctrl-C reaches it, so the name is looked up before.
        finding, _ = reach.resolve(endpoint, self.line.timeout_s)
        if finding.symptom is not None:
            raise NotConnected(why(finding))
        if self.line.is_websocket:
            self.client.ws_set_options(path=self.line.path(), headers=self._headers)
        if login.username is not None:
            self.client.username_pw_set(login.username, login.password.reveal() if login.password else None)
        try:
            self.client.connect(endpoint.host, endpoint.port, keepalive=KEEP_ALIVE_S)
        except OSError as error:
            raise not_connected(self.line, error) from None
        try:
            self.wait(lambda: self.reason is not None, "CONNACK")
        except HungUp as problem:
            raise NotConnected(problem.reason, is_refusal=not problem.is_silence) from None
        if self.reason.is_failure:
            raise NotConnected(f"CONNACK {self.told}", is_refusal=True)

    def _headers(self, own: dict[str, str]) -> dict[str, str]:
        own.pop("Origin", None)  # a browser's; no device sends one
        return {**own, "Host": websocket.host_header(self.line.endpoint)}

    def subscribe(self, topic_filter: str, qos: int) -> Refused | None:
        """Subscribe to one filter, alone in its packet: if the connection ends, this one was the cause.

        Raises:
            InputError: it is no topic filter.
            HungUp: the connection ended otherwise than AWS IoT refuses, or no answer came.
        """
        try:
            _, mid = self.client.subscribe(topic_filter, qos=qos)
        except ValueError as error:
            raise InputError(f"`{topic_filter}` is no topic filter: {error}") from None
        try:
            self.wait(lambda: mid in self.granted, "SUBACK")
        except HungUp as problem:
            return refused("subscribe", topic_filter, problem)
        reason, properties = self.granted[mid or 0]
        if reason.value < REFUSED_SUBSCRIPTION:
            return None
        return Refused("subscribe", topic_filter, f"SUBACK {words(reason, properties)}", is_certain=True)

    def publish(
        self, topic: str, payload: bytes, *, qos: int, retain: bool, content_type: str | None = None
    ) -> Refused | None:
        """Publish, and wait until it is known to have been taken: PUBACK, or for QoS 0 the answer to a ping.

        Raises:
            InputError: nothing can be published there.
            HungUp: the connection ended otherwise than AWS IoT refuses, or no answer came.
        """
        try:
            properties = content(content_type) if content_type is not None else None
            mid = self.client.publish(topic, payload, qos=qos, retain=retain, properties=properties).mid
        except ValueError as error:
            raise InputError(f"nothing can be published to `{topic}`: {error}") from None
        try:
            if not qos:
                self.ping()
                return None
            self.wait(lambda: mid in self.acknowledged, "PUBACK")
        except HungUp as problem:
            return refused("publish", topic, problem)
        reason, said = self.acknowledged[mid]
        if not reason.is_failure:
            return None
        return Refused("publish", topic, f"PUBACK {words(reason, said)}", is_certain=True)

    def ping(self) -> None:
        """Ask whether the connection still stands, behind all that was sent.

        Raises:
            HungUp: it does not.
        """
        self.wait(lambda: not self.client.want_write(), "room to write")
        sock: Any = self.client.socket()
        seen = self.pongs
        try:
            if sock is not None:
                sock.send(PINGREQ)
        except OSError:
            raise HungUp("closed") from None
        self.wait(lambda: self.pongs > seen, "an answer to a ping")

    def listen(self, end: float) -> Iterator[Message]:
        """Yield what comes until *end* (monotonic).

        Raises:
            HungUp: the connection ended.
        """
        while True:
            while self.inbox:
                yield self.inbox.popleft()
            left = end - time.monotonic()
            if left <= 0:
                return
            try:
                self.turn(left)
            except HungUp:
                yield from self.inbox
                raise

    def rest(self, seconds: float) -> None:
        """Keep the connection alive for so long; what comes meanwhile is not for us.

        Raises:
            HungUp: it ended.
        """
        for _ in self.listen(time.monotonic() + seconds):
            pass

    def wait(self, until: Callable[[], bool], what: str) -> None:
        """Let paho read and write until *until* holds.

        Raises:
            HungUp: the connection ended before, or the time was up.
        """
        end = time.monotonic() + self.line.timeout_s
        while not until():
            left = end - time.monotonic()
            if left <= 0:
                raise HungUp(f"no {what} within {self.line.timeout_s:g} s", is_silence=True)
            try:
                self.turn(left)
            except HungUp as problem:
                if until():
                    return
                if problem.code is not None:
                    raise
                raise HungUp(f"{problem.reason} before {what}") from None

    def turn(self, patience_s: float) -> None:
        """Wait until the socket has something to do, and let paho do it.

        Raises:
            HungUp: the connection ended.
        """
        from paho.mqtt.enums import MQTTErrorCode

        sock: Any = self.client.socket()
        if sock is None:
            raise self.last_words or HungUp("closed")
        # What TLS has decrypted already no longer shows in select.
        decrypted = bool(sock.pending())
        wishes = [sock] if self.client.want_write() else []
        readable, writable, _ = select.select([sock], wishes, [], 0 if decrypted else min(patience_s, TICK_S))
        code = self.client.loop_read() if readable or decrypted else MQTTErrorCode.MQTT_ERR_SUCCESS
        if writable and code == MQTTErrorCode.MQTT_ERR_SUCCESS:
            code = self.client.loop_write()
        if code == MQTTErrorCode.MQTT_ERR_SUCCESS and self.client.socket() is not None:
            code = self.client.loop_misc()
        if code != MQTTErrorCode.MQTT_ERR_SUCCESS:
            raise self.last_words or HungUp("closed")

    def close(self) -> None:
        """Say DISCONNECT, so that the broker knows it for our own wish, and drop the socket."""
        self.client.on_log = None
        self.client.disconnect()
        sock = self.client.socket()
        if sock is not None:
            sock.close()


def refused(verb: Verb, topic: str, problem: HungUp) -> Refused:
    """Return *problem* as the refusal that it may be.

    Raises:
        HungUp: it is none.
    """
    if not problem.may_be_refusal:
        raise problem
    return Refused(verb, topic, problem.reason, is_certain=problem.code is not None)


def not_connected(line: Line, error: OSError) -> NotConnected:
    """Say what a connection that failed looks like."""
    if type(error).__name__ == "WebsocketConnectionError":
        return not_upgraded(line)
    is_tls = isinstance(error, (ssl.SSLError, ConnectionResetError, BrokenPipeError))
    symptom = tls.tls_symptom(error) if is_tls else reach.tcp_symptom(error)
    return NotConnected(WORDS.get(symptom, "the TLS handshake failed"))


def not_upgraded(line: Line) -> NotConnected:
    """Ask for the WebSocket once more by hand: paho only knows that there was none."""
    try:
        with open_tls(line.endpoint, line.timeout_s) as secured:
            events = websocket.exchange(secured, line.endpoint, line.path(), {})
    except (OSError, NotConnected):
        return NotConnected("no WebSocket was to be had")
    finding = websocket.conclude({}, events, line.login)
    return NotConnected(f"the WebSocket was answered with {finding.facts.get('reason', '101')}", is_refusal=True)


def open_tls(endpoint: Endpoint, timeout_s: float) -> ssl.SSLSocket:
    """Return an encrypted socket, which the caller closes.

    Raises:
        NotConnected: there is none to be had.
    """
    finding, addresses = reach.resolve(endpoint, timeout_s)
    sock = None
    if finding.symptom is None:
        finding, sock = reach.reach(addresses, timeout_s)
    if sock is not None:
        finding, secured = tls.shake_hands(endpoint, tls.build_context(endpoint), sock, timeout_s)
        if secured is not None:
            secured.settimeout(timeout_s)
            return secured
    raise NotConnected(why(finding))


def why(finding: Finding) -> str:
    known = WORDS.get(finding.symptom) if finding.symptom else None
    return known or str(finding.facts.get("error", finding.symptom))
