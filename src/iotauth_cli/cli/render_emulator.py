"""What the emulator commands show."""

from __future__ import annotations

import shlex
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from iotauth_cli.cli.render import Facts, Table, several
from iotauth_cli.cli.render import shown as shown_value
from iotauth_cli.cli.render_connect import INDENT, wrapped

if TYPE_CHECKING:
    from iotauth_cli.operations.emulator import Attempt, Choice, Passed, ProxyEndpoint, Ready, Running, Status, Time

Shown = Callable[[Path], str]
VERBS = {
    "admitted": "let in",
    "cut-off": "cut off",
    "injected": "injected a fault for",
    "published": "took a message of",
    "refreshed": "asked again about",
}


def started(found: Running) -> str:
    pid = found.ready.pid
    return f"started the emulator, process {pid}" if found.is_new else f"the emulator already runs, process {pid}"


def ready(found: Ready | Status, shown: Shown) -> Facts:
    """Return where a running emulator is; *shown* writes a path as a person would."""
    devices = found.data_endpoint
    return [
        ("APIs", str(found.control_endpoint)),
        ("page", f"{found.control_endpoint}/"),
        ("devices", f"{devices.host}:{devices.port}, TLS with ALPN `mqtt`" if devices else ""),
        ("CA", shown(found.ca_file) if found.ca_file else ""),
        ("state", shown(found.state_dir)),
        *further_ports(found),
        *several("flipped", [f"{key}={shown_value(value)}" for key, value in found.behaviour.items()]),
    ]


def further_ports(found: Ready | Status) -> Facts:
    """Return the ports that are there on demand."""
    proxy, mqtt_port = found.proxy, found.mqtt_port
    return [
        *([("proxy", f"{proxy.host}:{proxy.port} leads to {proxy.endpoint}:443")] if proxy else []),
        *([("no certificate", f"localhost:{mqtt_port} resets devices, as AWS's 8883 does")] if mqtt_port else []),
    ]


def ready_document(found: Ready) -> dict[str, Any]:
    return document(True, found)


def status(found: Status, shown: Shown) -> Facts:
    if found.ready:
        return [("emulator", f"running, process {found.pid}"), *ready(found, shown)]
    left = "not running; it did not end in order" if found.stale else "not running"
    return [("emulator", left), ("state", shown(found.state_dir))]


def status_document(found: Status) -> dict[str, Any]:
    return document(found.ready, found)


def document(is_ready: bool, found: Ready | Status) -> dict[str, Any]:
    devices = found.data_endpoint
    return {
        "ready": is_ready,
        "pid": found.pid,
        "control_endpoint": found.control_endpoint,
        "data_endpoint": {"host": devices.host, "port": devices.port} if devices else None,
        "ca_file": str(found.ca_file) if found.ca_file else None,
        "state_dir": str(found.state_dir),
        "behaviour": dict(found.behaviour),
        "proxy": proxy_document(found.proxy) if found.proxy else None,
        "mqtt_port": found.mqtt_port,
    }


def proxy_document(found: ProxyEndpoint) -> dict[str, Any]:
    return {"host": found.host, "port": found.port, "endpoint": found.endpoint}


def choices(found: Sequence[Choice]) -> Table:
    """Return every choice as a row; one that is flipped says what it is not."""
    rows: list[Sequence[str]] = [
        (choice.key, chosen(choice), choice.meaning, choice.confidence, choice.source) for choice in found
    ]
    return ("choice", "value", "meaning", "confidence", "source"), rows


def chosen(choice: Choice) -> str:
    value = shown_value(choice.value)
    return value if choice.value == choice.default else f"{value}, not {shown_value(choice.default)}"


def choices_document(found: Sequence[Choice]) -> list[dict[str, Any]]:
    return [
        {
            "key": choice.key,
            "value": choice.value,
            "default": choice.default,
            "meaning": choice.meaning,
            "confidence": choice.confidence,
            "source": choice.source,
        }
        for choice in found
    ]


def clock(found: Time) -> Facts:
    return [("time", moment(found.now)), ("ahead", f"{found.ahead_s:g} s")]


def clock_document(found: Time) -> dict[str, Any]:
    return {"now": found.now, "ahead_s": found.ahead_s}


def advanced(found: Passed) -> list[str]:
    ended = [f"the connection of client `{client_id}` ended meanwhile" for client_id in found.disconnected]
    return [f"moved the clock by {found.seconds:g} s; it is {moment(found.time.now)} in the emulator", *ended]


def advanced_document(found: Passed) -> dict[str, Any]:
    return {**clock_document(found.time), "disconnected": list(found.disconnected)}


def exports(variables: Mapping[str, str]) -> list[str]:
    """Return the variables as a POSIX shell reads them."""
    return [f"export {name}={shlex.quote(value)}" for name, value in variables.items()]


def attempts(found: Sequence[Attempt], width: int) -> list[str]:
    """Return each attempt as a line, with the reason below."""
    return [line for attempt in found for text in attempt_lines(attempt) for line in wrapped(text, width)]


def attempt_lines(attempt: Attempt) -> Iterator[str]:
    yield f"{moment(attempt.at)}  {decision(attempt)}{repeated(attempt)}"
    yield f"{INDENT}{reason(attempt)}"


def attempt_line(attempt: Attempt) -> str:
    """Return an attempt as one line, for those who watch."""
    return f"{moment(attempt.last_at)}  {decision(attempt)}: {reason(attempt)}{repeated(attempt)}"


def decision(attempt: Attempt) -> str:
    by = f", authorizer `{attempt.authorizer}`" if attempt.authorizer else ""
    return f"{VERBS.get(attempt.outcome, attempt.outcome)} {who(attempt)}{by}"


def who(attempt: Attempt) -> str:
    if attempt.client_id:
        return f"client `{attempt.client_id}`"
    return f"somebody at {attempt.peer}" if attempt.peer else "somebody"


def reason(attempt: Attempt) -> str:
    if attempt.outcome != "refused":
        return attempt.sentence
    # Whoever is refused asks this first: without a call the cause lies before the function.
    return f"{attempt.sentence}; the function was {'' if attempt.function_called else 'not '}called"


def repeated(attempt: Attempt) -> str:
    if attempt.repeats == 0:
        return ""
    again = "once more" if attempt.repeats == 1 else f"{attempt.repeats} times more"
    return f", and {again} until {moment(attempt.last_at)[11:]}"


def moment(epoch_s: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(epoch_s))


def attempt_document(attempt: Attempt) -> dict[str, Any]:
    return {
        "at": attempt.at,
        "outcome": attempt.outcome,
        "decided_by": attempt.decided_by,
        "sentence": attempt.sentence,
        "client_id": attempt.client_id,
        "authorizer": attempt.authorizer,
        "peer": attempt.peer,
        "connection_id": attempt.connection_id,
        "function_called": attempt.function_called,
        "request_id": attempt.request_id,
        "ms": None if attempt.duration_ms is None else round(attempt.duration_ms, 1),
        "repeats": attempt.repeats,
        "last_at": attempt.last_at,
        "steps": [{"check": step.check, "ok": step.passed, "sentence": step.sentence} for step in attempt.steps],
    }
