"""Whether a refusal's time tells why it was refused: the real handler before a local table.

Run `python benchmarks/refusals.py [rounds]`. The table is a process of its own that answers GetItem
by client id over a kept-alive connection. Every round asks every refusal once, in random order;
reported is how far its median lies from that of a wrong password, in units of the latter's
own spread (the middle half of its times). Below 1 one call tells nothing.
"""

from __future__ import annotations

import base64
import json
import os
import random
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from stand_in import free_port, wait_for
from table import Row, render

from iotauth_authorizer.credential import GENERATED, Slot, hash_secret, new_secret
from iotauth_authorizer.grants import Grants
from iotauth_authorizer.handler import Function
from iotauth_authorizer.record import ClientRecord, to_item

FUNCTION_ARN = "arn:aws:lambda:us-east-1:123456789012:function:iotauth"
AGAINST = "wrong password"
GOAL = 1.0
SECRET = new_secret()
OTHER = new_secret()
REFUSALS = {  # what: the client id, and the password that is given
    AGAINST: ("enabled", OTHER),
    "wrong password again": ("enabled", OTHER),  # how far apart two medians of the same thing lie
    "unknown client": ("nobody", SECRET),
    "disabled": ("disabled", SECRET),
    "expired": ("expired", SECRET),
    "expired secret": ("old", SECRET),
    "retired secret": ("retired", SECRET),
}

TABLE = """
import json, re, socket, sys, threading
answers = {name: json.dumps(body).encode() for name, body in json.load(sys.stdin).items()}
listener = socket.create_server(("127.0.0.1", int(sys.argv[1])), backlog=8)
def serve(wire):
    wire.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    held = b""
    while chunk := wire.recv(65536):
        held += chunk
        head, blank, body = held.partition(b"\\r\\n\\r\\n")
        if blank and len(body) >= int(re.search(rb"content-length: (\\d+)", head)[1]):
            held = b""
            body = answers.get(json.loads(body)["Key"]["Client_ID"]["S"], b"{}")
            wire.sendall(b"HTTP/1.1 200 OK\\r\\ncontent-length: %d\\r\\n\\r\\n" % len(body) + body)
while True:
    threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()
"""


class Context:
    invoked_function_arn = FUNCTION_ARN


def measure(rounds: int = 3000) -> list[Row]:
    """Measure every refusal and return the rows. Takes about a millisecond for each refusal and round."""
    with function() as call:
        times = timed(call, rounds)
    peer = times[AGAINST]
    middle, spread = statistics.median(peer), interquartile(peer)
    return [
        Row(
            f"refusal: {what} / {AGAINST}, apart in spreads",
            microseconds(statistics.median(taken)),
            f"{microseconds(middle)} ± {microseconds(spread / 2)}",
            abs(statistics.median(taken) - middle) / spread,
            GOAL,
        )
        for what, taken in times.items()
        if what != AGAINST
    ]


def timed(call: Callable[[dict[str, Any]], dict[str, Any]], rounds: int) -> dict[str, list[float]]:
    events = {what: event(client_id, password) for what, (client_id, password) in REFUSALS.items()}
    times: dict[str, list[float]] = {what: [] for what in events}
    order = list(events)
    for index in range(rounds + rounds // 10):
        random.shuffle(order)
        for what in order:
            at = time.perf_counter()
            answer = call(events[what])
            took = time.perf_counter() - at
            assert not answer["isAuthenticated"]
            if index >= rounds // 10:  # the first tenth warms up
                times[what].append(took)
    return times


@contextmanager
def function() -> Iterator[Callable[[dict[str, Any]], dict[str, Any]]]:
    """Start the table, and yield the function before it. What it logs is thrown away."""
    port = free_port()
    table = subprocess.Popen([sys.executable, "-S", "-c", TABLE, str(port)], stdin=subprocess.PIPE, text=True)
    with table, open(os.devnull, "w") as nowhere:
        try:
            assert table.stdin is not None
            json.dump({name: {"Item": to_item(row)} for name, row in rows().items()}, table.stdin)
            table.stdin.close()
            wait_for(port)
            ours = Function(
                {
                    "IOTAUTH_TABLE": "clients",
                    "AWS_REGION": "us-east-1",
                    "AWS_ACCESS_KEY_ID": "x",
                    "AWS_SECRET_ACCESS_KEY": "x",
                    "AWS_ENDPOINT_URL_DYNAMODB": f"http://127.0.0.1:{port}",
                }
            )
            stdout, sys.stdout = sys.stdout, nowhere
            try:
                yield lambda sent: ours(sent, Context())
            finally:
                sys.stdout = stdout
                ours.close()
        finally:
            table.kill()


def rows() -> Mapping[str, ClientRecord]:
    now = int(time.time())

    def row(client_id: str, *, slot: Mapping[str, Any] | None = None, **changes: Any) -> ClientRecord:
        kept = Slot(hash_secret(SECRET.encode(), client_id, GENERATED), now)._replace(**(slot or {}))
        topics = (f"sensors/{client_id}", f"sensors/{client_id}/#")
        record = ClientRecord(client_id, slots={"A": kept}, grants=Grants(topics, topics), created_at=now)
        return record._replace(**changes)

    return {
        "enabled": row("enabled"),
        "disabled": row("disabled", enabled=False),
        "expired": row("expired", expires_at=now - 60),
        "old": row("old", slot={"expires_at": now - 60}),
        "retired": row("retired", slot={"state": "retired"}),
    }


def event(client_id: str, password: str) -> dict[str, Any]:
    mqtt = {"clientId": client_id, "username": client_id, "password": base64.b64encode(password.encode()).decode()}
    return {
        "signatureVerified": False,
        "protocols": ["tls", "mqtt"],
        "protocolData": {"tls": {"serverName": "x"}, "mqtt": mqtt},
        "connectionMetadata": {"id": "b0e0dd4c-7a73-44b9-a2d5-0ae1fa1e4a55"},
    }


def interquartile(times: list[float]) -> float:
    low, _, high = statistics.quantiles(times, n=4)
    return high - low


def microseconds(seconds: float) -> str:
    return f"{seconds * 1e6:.0f} µs"


if __name__ == "__main__":
    print(render(measure(int(sys.argv[1]) if len(sys.argv) > 1 else 3000)))
