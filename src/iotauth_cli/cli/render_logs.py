"""What the logs commands show. Pure: values in, lines out, none longer than *width* where words allow."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from iotauth_cli.cli.render import Facts, several
from iotauth_cli.cli.render_connect import INDENT, wrapped

if TYPE_CHECKING:
    from iotauth_cli.operations.iot_logging import Enabled, Status
    from iotauth_cli.operations.log_calls import LoggedCall
    from iotauth_cli.operations.log_entries import IotEntry
    from iotauth_cli.operations.logs import Found, Sources, Story, Told

# AWS CloudWatch pricing, us-east-1, January 2025: $0.50 per GB collected. An entry has some 350 bytes, and
# CloudWatch counts 26 more for each.
COST = "CloudWatch takes $0.50 per GB (us-east-1, January 2025; more elsewhere): $0.20 for a million entries"
OFF = "AWS IoT's own log is off, so what follows the function's answer is not seen"


def story_lines(found: Found, width: int) -> list[str]:
    """Return each story: when, what was decided about whom, and below what is known of it."""
    return [
        line
        for story in found.stories
        for text in told(story, found.sources.function if story.number in found.uncalled else None)
        for line in wrapped(text, width, indent=INDENT if text[:1] != " " else INDENT * 2)
    ]


def told(story: Story, uncalled: str | None) -> Iterator[str]:
    """Yield the lines of a story; *uncalled* is the function that was certainly not called."""
    yield f"{moment(story.at_ms)}  {heading(story)}"
    if story.line is not None:
        yield from quoted(story.line)
    for number, call in enumerate(story.calls):
        again = f"{clock(call.at_ms)}  asked again: " if number else ""
        yield f"{INDENT}{again}{decision(call)}"
        for line in call.lines:
            yield from quoted(line)
        if call.unshown_lines:
            yield f"{INDENT}and {call.unshown_lines} more lines of its own"
    if uncalled is not None:
        look_at = "the authorizer in the user name, signature and permission"
        yield f"{INDENT}function `{uncalled}` was not called: look at {look_at}"
    yield from aftermath(story)


def aftermath(story: Story) -> Iterator[str]:
    """Return what AWS IoT tells, with the messages that went well counted before the end."""
    from iotauth_cli.operations import log_words

    counts = counted(story)
    for entry in story.entries:
        if entry.event == "Disconnect" and counts:
            yield f"{INDENT}{counts}"
            counts = ""
        yield f"{INDENT}{clock(entry.at_ms)}  {log_words.event(entry)}"
    if counts:
        yield f"{INDENT}{counts}"


def counted(story: Story) -> str:
    parts = [
        f"{verb} {count} message{'s' if count != 1 else ''}"
        for verb, count in (("published", story.published), ("got", story.delivered))
        if count
    ]
    return ", ".join(parts)


def quoted(text: str) -> Iterator[str]:
    for line in text.splitlines():
        yield f"{INDENT}| {line}"


def heading(story: Story) -> str:
    who = name(story)
    last = story.calls[-1].call if story.calls else None
    if story.line is not None:
        return "the function printed"
    if last is not None and last.error is not None:
        return f"the function failed{about(story)}"
    if story.connect is not None and not story.connect.ok:
        is_let_in = last is not None and last.allowed is True
        return f"the function let in {who}, and AWS IoT did not" if is_let_in else f"refused {who}"
    if last is None:
        return who if story.client_id else "a message over HTTP" if is_http(story) else who
    return {True: f"let in {who}", False: f"refused {who}", None: f"the function was called{about(story)}"}[
        last.allowed
    ]


def about(story: Story) -> str:
    return f" for client `{story.client_id}`" if story.client_id else ""


def name(story: Story) -> str:
    return f"client `{story.client_id}`" if story.client_id else "somebody"


def is_http(story: Story) -> bool:
    return any(entry.protocol == "HTTP" for entry in story.entries)


def decision(found: LoggedCall) -> str:
    """Return what one call came to, and what it took."""
    from iotauth_cli.operations import log_words

    slot = f"slot {found.slot}" if found.slot and found.call.allowed else None
    said = [log_words.failure(found), log_words.reason(found), slot, log_words.took(found)]
    return "; ".join(text for text in said if text) or "it did not say what it decided"


def line(item: Told) -> list[str]:
    """Return something new in one line, for those who watch; a function's own lines stand below."""
    from iotauth_cli.operations.log_entries import IotEntry

    story, found = item.story, item.item
    if isinstance(found, IotEntry):
        from iotauth_cli.operations import log_words

        return [f"{moment(found.at_ms)}  {name(story)}: {log_words.event(found)}"]
    if story.line is not None:
        return [f"{moment(found.at_ms)}  the function printed", *quoted(story.line)]
    call: LoggedCall = found  # type: ignore[assignment]
    own = [text for each in call.lines for text in quoted(each)]
    return [f"{moment(call.at_ms)}  {verdict(story, call)}: {decision(call)}", *own]


def verdict(story: Story, found: LoggedCall) -> str:
    if found.call.error is not None:
        return f"the function failed{about(story)}"
    again = "asked again, " if len(story.calls) > 1 else ""
    if found.call.allowed is None:
        return f"the function was called{about(story)}"
    return f"{again}{'let in' if found.call.allowed else 'refused'} {name(story)}"


def moment(at_ms: int) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(at_ms / 1000))


def clock(at_ms: int) -> str:
    return time.strftime("%H:%M:%S", time.gmtime(at_ms / 1000))


def found_document(found: Found) -> dict[str, Any]:
    return {
        **sources_document(found.sources),
        "left_out": found.left_out,
        "cut": found.is_cut,
        "attempts": [story_document(story, is_uncalled=story.number in found.uncalled) for story in found.stories],
    }


def sources_document(found: Sources) -> dict[str, Any]:
    return {
        "function": found.function,
        "iot_log": {"state": found.iot, "level": found.level.lower() if found.level else None},
        "unseen": list(found.unseen),
    }


def story_document(story: Story, *, is_uncalled: bool) -> dict[str, Any]:
    return {
        "at": story.at_ms / 1000,
        "client_id": story.client_id,
        "connection_id": story.connection_id,
        "trouble": story.is_trouble,
        "function_called": True if story.calls else False if is_uncalled else None,
        "calls": [call_document(call) for call in story.calls],
        "events": [entry_document(entry) for entry in story.entries],
        "published": story.published,
        "delivered": story.delivered,
        "line": story.line,
    }


def call_document(found: LoggedCall) -> dict[str, Any]:
    call = found.call
    return {
        "at": call.at_ms / 1000,
        "allowed": call.allowed,
        "reason": call.reason,
        "cause": call.cause,
        "slot": found.slot,
        "error": call.error,
        "ms": call.duration_ms,
        "cold_start_ms": found.init_ms,
        "request_id": found.request_id,
        "lines": list(found.lines),
        "unshown_lines": found.unshown_lines,
    }


def entry_document(entry: IotEntry) -> dict[str, Any]:
    return {
        "at": entry.at_ms / 1000,
        "event": entry.event,
        "ok": entry.ok,
        "topic": entry.topic,
        "reason": entry.reason,
        "details": entry.details,
        "disconnect_reason": entry.disconnect_reason,
        "protocol": entry.protocol,
        "source_ip": entry.source_ip,
        "principal_id": entry.principal_id,
        "trace_id": entry.trace_id,
    }


def told_document(item: Told) -> dict[str, Any]:
    from iotauth_cli.operations.log_calls import LoggedCall
    from iotauth_cli.operations.log_entries import IotEntry

    story, found = item.story, item.item
    who = {"client_id": story.client_id, "connection_id": story.connection_id, "attempt": story.number}
    if isinstance(found, IotEntry):
        return {"kind": "iot", **who, **entry_document(found)}
    if isinstance(found, LoggedCall):
        return {"kind": "call", **who, **call_document(found)}
    return {"kind": "line", **who, "at": found.at_ms / 1000, "line": found.text}


def status_facts(found: Status) -> Facts:
    if found.logging is None:
        return [("AWS IoT's log", "off; it was never turned on")]
    if not found.is_on:
        return [("AWS IoT's log", f"off; it was at level {found.level}" if found.level != "disabled" else "off")]
    kept = "" if not found.has_group else f", kept {kept_for(found)}"
    return [
        ("AWS IoT's log", f"on, level {found.level}"),
        ("log group", f"`AWSIotLogsV2`{kept or ', not made yet'}"),
        ("role", f"`{found.logging.role_arn}`{', made by iotauth' if found.is_ours else ''}"),
        *several("otherwise", [f"{target}: {level.lower()}" for target, level in found.logging.levels]),
    ]


def kept_for(found: Status) -> str:
    return f"{found.retention_days} days" if found.retention_days else "forever"


def status_document(found: Status) -> dict[str, Any]:
    logging = found.logging
    return {
        "on": found.is_on,
        "level": found.level,
        "role_arn": logging.role_arn if logging else None,
        "made_by_iotauth": found.is_ours,
        "levels": [{"target": target, "level": level.lower()} for target, level in (logging.levels if logging else ())],
        "log_group": "AWSIotLogsV2" if found.has_group else None,
        "retention_days": found.retention_days,
        "unseen": list(found.unseen),
    }


def enabled(found: Enabled) -> str:
    if not found.is_changed:
        return f"AWS IoT's log is on at level {found.level} already"
    if found.before is None:
        return f"turned on AWS IoT's log at level {found.level}"
    if found.before == found.level:
        return f"AWS IoT's log is on at level {found.level}, now under role `{found.role_arn.rpartition('/')[2]}`"
    return f"changed AWS IoT's log from level {found.before} to {found.level}"


def enabled_document(found: Enabled) -> dict[str, Any]:
    return {
        "level": found.level,
        "before": found.before,
        "changed": found.is_changed,
        "role_arn": found.role_arn,
        "role_made": found.is_role_new,
        "log_group_made": found.is_group_new,
    }
