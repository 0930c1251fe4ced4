"""The walk itself: one step after the other, until one fails or the last is done."""

from __future__ import annotations

import importlib
import json
import secrets
import socket
import ssl
import time
from collections.abc import Callable, Generator, Iterator

from iotauth_cli.probe import http_publish, reach, tls, websocket
from iotauth_cli.probe.awscrt import CrtSession
from iotauth_cli.probe.carriage import headers_of
from iotauth_cli.probe.mqtt import Session
from iotauth_cli.probe.stages import PLAIN, Endpoint, Errand, Finding, Login, Manner, Stage, StageName, Started

NEEDED = {"http": ("http.client",), "websocket": ("wsproto",)}

Step = tuple[StageName, Callable[[], Finding]]


def walk(
    endpoint: Endpoint, login: Login, errand: Errand, *, timeout_s: float, manner: Manner = PLAIN
) -> Generator[Started | Stage, None, None]:
    """Knock as a device would; yield each step as it begins and as it ends, up to the first that fails.

    *timeout_s* is the longest that any one step may take. Leaving the generator early closes
    every socket.

    Raises:
        InputError: the CA file holds no certificate, a topic cannot be sent in MQTT, or the login not in HTTP.
    """
    way = Way(endpoint, login, errand, timeout_s, manner)
    try:
        for name, step in way.steps():
            yield Started(name)
            stage = timed(name, step)
            yield stage
            if not stage.ok:
                return
    finally:
        way.close()


def timed(name: StageName, step: Callable[[], Finding]) -> Stage:
    started_at, began = time.time(), time.perf_counter()
    finding = step()
    took_ms = (time.perf_counter() - began) * 1000
    ms = took_ms if finding.ms is None else finding.ms
    return Stage(name, ms, started_at, finding.facts, finding.symptom)


class Way:
    """What one step leaves for the next: addresses, a socket, a session."""

    def __init__(self, endpoint: Endpoint, login: Login, errand: Errand, timeout_s: float, manner: Manner) -> None:
        self.endpoint = endpoint
        self.login = login
        self.errand = errand
        self.timeout_s = timeout_s
        self.manner = manner
        headers_of(login, manner)  # refused before anything is sent
        for name in NEEDED.get(manner.transport, ()):
            importlib.import_module(name)  # now, so that it is not told as the server's time
        self.context = tls.build_context(endpoint)
        self.session: Session | CrtSession = (
            CrtSession(endpoint, login, timeout_s, errand.will)
            if manner.client == "awscrt"
            else Session(endpoint, login, self.context, timeout_s, manner, errand.will)
        )
        self.payload = payload_of(errand)
        self.addresses: tuple[reach.Address, ...] = ()
        self.socket: socket.socket | None = None
        self.tls: ssl.SSLSocket | None = None

    def steps(self) -> Iterator[Step]:
        """Yield the steps that this errand needs."""
        yield "dns", self.resolve
        yield "tcp", self.reach
        yield "tls", self.shake_hands
        yield "alpn", self.agree
        if self.manner.transport == "http":
            yield "request", self.request
            return
        if self.manner.transport == "websocket":
            yield "upgrade", self.upgrade
        yield "connect", self.session.connect
        publish, subscribe = self.errand.publish, self.errand.subscribe
        if subscribe is not None:
            yield "subscribe", lambda: self.session.subscribe(subscribe)
        if publish is not None:
            qos, retain = self.errand.qos, self.errand.retain
            yield "publish", lambda: self.session.publish(publish, self.payload, qos=qos, retain=retain)
        if publish is not None and subscribe is not None and topic_matches(subscribe, publish):
            yield "receive", lambda: self.session.receive(self.payload)
        if self.errand.stay_s:
            yield "stay", lambda: self.session.stay(self.errand.stay_s)
        retained = publish if self.errand.retain else None
        yield "end", lambda: self.session.end(retained)

    def resolve(self) -> Finding:
        finding, self.addresses = reach.resolve(self.endpoint, self.timeout_s)
        return finding

    def reach(self) -> Finding:
        finding, self.socket = reach.reach(self.addresses, self.timeout_s)
        return finding

    def shake_hands(self) -> Finding:
        assert self.socket is not None
        taken, self.socket = self.socket, None
        finding, self.tls = tls.shake_hands(self.endpoint, self.context, taken, self.timeout_s)
        return finding

    def agree(self) -> Finding:
        """Tell what ALPN came to. No choice is no failure here: a server may ignore ALPN and still serve MQTT."""
        assert self.tls is not None
        finding = Finding({"offered": list(self.endpoint.alpn), "selected": self.tls.selected_alpn_protocol()})
        if not self.manner.speaks_http:
            self.tls.close()
        return finding

    def upgrade(self) -> Finding:
        assert self.tls is not None
        finding = websocket.upgrade(self.tls, self.endpoint, self.login, self.manner, self.timeout_s)
        self.tls.close()
        return finding

    def request(self) -> Finding:
        finding = self.post(self.payload)
        if finding.symptom is None and self.errand.retain:
            self.post(b"")  # removes the retained message
        return finding

    def post(self, payload: bytes) -> Finding:
        assert self.tls is not None
        return http_publish.publish(
            *(self.tls, self.endpoint, self.login, self.errand, self.manner), payload=payload, timeout_s=self.timeout_s
        )

    def close(self) -> None:
        for open_socket in (self.socket, self.tls):
            if open_socket is not None:
                open_socket.close()
        self.session.close()


def payload_of(errand: Errand) -> bytes:
    """Return a message that no other is like, as long as *errand* wants it."""
    payload = json.dumps({"iotauth": "test-connect", "nonce": secrets.token_hex(8)}).encode()
    return payload if errand.payload_bytes is None else payload.ljust(errand.payload_bytes)


def topic_matches(topic_filter: str, topic: str) -> bool:
    """Tell whether a subscription to *topic_filter* gets what is published to *topic*.

    AWS IoT's one difference to MQTT: `a/#` does not match `a` itself.
    Source: AWS IoT developer guide, "MQTT topics", "Topic filters".
    """
    from paho.mqtt.client import topic_matches_sub

    parent_only = topic_filter.endswith("/#") and topic == topic_filter[:-2]
    return not parent_only and topic_matches_sub(topic_filter, topic)
