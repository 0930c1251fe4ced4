"""What an item of a log says, in words. Pure; what devices and functions wrote is quoted as it is."""

from __future__ import annotations

from iotauth_cli.operations.log_calls import LoggedCall
from iotauth_cli.operations.log_entries import CONNECT, DISCONNECT, PUBLISH_IN, PUBLISH_OUT, SUBSCRIBE, IotEntry
from iotauth_cli.probe.explanations.amazon import ROWS
from iotauth_cli.probe.explanations.ours import REASONS

_ENDS = {row.name: row.means for row in ROWS if row.family == "lifecycle"}
_VERBS = {PUBLISH_IN: "publish to", PUBLISH_OUT: "delivery from", SUBSCRIBE: "subscribe to"}
_DONE = {PUBLISH_IN: "published to", PUBLISH_OUT: "got a message on", SUBSCRIBE: "subscribed to"}


def clause(sentence: str) -> str:
    """Return the first sentence of a text as part of one of ours."""
    first = sentence.partition(". ")[0].rstrip(".")
    return first[:1].lower() + first[1:]


def reason(found: LoggedCall) -> str | None:
    """Return why the function decided so; None where it was let in, or did not say."""
    slug = found.call.reason
    if slug in (None, "ok"):
        return None
    known = REASONS.get(str(slug))
    cause = f", {found.call.cause}" if found.call.cause else ""
    return f"{clause(known)} (`{slug}`{cause})" if known else f"`{slug}`{cause}"


def failure(found: LoggedCall) -> str | None:
    """Return how the function itself failed, in Lambda's words and what follows from them."""
    error = found.call.error
    if error is None:
        return None
    if "timed out" in error:
        return f"it took too long: {error}; AWS IoT waits 5 s and then lets nobody in"
    return f"{error}; AWS IoT then lets nobody in"


def took(found: LoggedCall) -> str | None:
    if found.call.duration_ms is None:
        return None if found.is_over else "no end of the call was logged"
    cold = f", after a cold start of {found.init_ms:.0f} ms" if found.init_ms is not None else ""
    return f"{found.call.duration_ms:.0f} ms{cold}"


def event(entry: IotEntry) -> str:
    """Return what AWS IoT says happened, without a time."""
    if entry.event == CONNECT:
        return connect(entry)
    if entry.event == DISCONNECT:
        return disconnect(entry)
    topic = f" `{entry.topic}`" if entry.topic else ""
    if entry.ok:
        return f"{_DONE.get(entry.event, entry.event)}{topic}"
    return f"refused {_VERBS.get(entry.event, entry.event)}{topic}{stated(entry)}"


def connect(entry: IotEntry) -> str:
    if entry.ok:
        return f"connected from {entry.source_ip}" if entry.source_ip else "connected"
    return f"AWS IoT refused the connection{stated(entry)}"


def disconnect(entry: IotEntry) -> str:
    slug = entry.disconnect_reason or entry.reason
    if slug is None:
        return "disconnected"
    means = _ENDS.get(slug)
    return f"disconnected: {clause(means)} (`{slug}`)" if means else f"disconnected: `{slug}`"


def stated(entry: IotEntry) -> str:
    """Return AWS IoT's own word for a failure; its details mostly repeat it."""
    return f" (`{entry.reason}`)" if entry.reason else f" ({entry.details})" if entry.details else ""
