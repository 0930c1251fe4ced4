"""Log events: put into a stream, read from a stream, filtered over a group."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from sqlite3 import Row
from typing import Any

from iotauth_cli.emulator.control import paging
from iotauth_cli.emulator.control.logs import filter_pattern
from iotauth_cli.emulator.control.logs.groups import find_group, require_stream
from iotauth_cli.emulator.control.logs.store import AFTER_ALL, BEFORE_ALL, DAY_MS, LogStore, Position, Window
from iotauth_cli.emulator.control.service import Context, Handler, Parameters, Result, ServiceError
from iotauth_cli.emulator.model import LogLine
from iotauth_cli.emulator.state import State

PAGE = 10_000  # events; CloudWatch Logs' default and maximum
PAGE_BYTES = 1 << 20  # of messages, at which a page ends early
OLDEST_MS = 14 * DAY_MS  # an event may be put so much later than it happened
NEWEST_MS = 2 * 3_600_000  # or so much earlier
STREAM_TOKEN = re.compile(r"([fb])/(-?\d+)\.(\d+)/s")
EVENT_TOKEN = re.compile(r"(-?\d+)\.(\d+)")


class LogEvents:
    def __init__(self, state: State, store: LogStore) -> None:
        self._state = state
        self._store = store
        self.operations: Mapping[str, Handler] = {
            "PutLogEvents": self.put_log_events,
            "GetLogEvents": self.get_log_events,
            "FilterLogEvents": self.filter_log_events,
        }

    def put_log_events(self, parameters: Parameters, context: Context) -> Result:
        group, stream = self._group(parameters, context), parameters["logStreamName"]
        require_stream(self._state, group, stream)
        events = parameters["logEvents"]
        _require_order([event["timestamp"] for event in events])
        now = self._store.now_ms()
        kept = [event for event in events if now - OLDEST_MS <= event["timestamp"] <= now + NEWEST_MS]
        for event in kept:
            line = LogLine(group["name"], stream, context.region, event["timestamp"], event["message"])
            self._store.write(line)
        return {"nextSequenceToken": paging.encode(context.request_id), "rejectedLogEventsInfo": _rejected(events, now)}

    def get_log_events(self, parameters: Parameters, context: Context) -> Result:
        """Return a page of one stream. Tokens go both ways, and at an end the same token comes back."""
        group, stream = self._group(parameters, context), parameters["logStreamName"]
        require_stream(self._state, group, stream)
        after, before = _span(parameters)
        token = _stream_token(parameters.get("nextToken"))
        forwards = token[0] == "f" if token else parameters.get("startFromHead", False)
        if token and forwards:
            after = max(after, token[1])
        elif token:
            before = min(before, token[1])
        window = Window(context.region, group["name"], (stream,), after, before)
        found, _ = _take(self._store.read(window, backwards=not forwards), parameters.get("limit", PAGE))
        found = found if forwards else found[::-1]
        edge = token[1] if token else BEFORE_ALL
        first, last = (Position.of(found[0]), Position.of(found[-1])) if found else (edge, edge)
        return {
            "events": [_shown(row) for row in found],
            "nextForwardToken": f"f/{last.timestamp_ms}.{last.id}/s",
            "nextBackwardToken": f"b/{first.timestamp_ms}.{first.id}/s",
        }

    def filter_log_events(self, parameters: Parameters, context: Context) -> Result:
        group = self._group(parameters, context)
        wanted = filter_pattern.parse(parameters.get("filterPattern", ""))
        after, before = _span(parameters, is_end_included=True)
        token = parameters.get("nextToken")
        if token:
            after = max(after, _event_token(token))
        window = Window(context.region, group["name"], self._streams(parameters, group), after, before)
        fitting = (row for row in self._store.read(window) if wanted.matches(row["message"]))
        found, has_more = _take(fitting, parameters.get("limit", PAGE))
        last = Position.of(found[-1]) if found else BEFORE_ALL
        return {
            "events": [_shown_with_stream(row) for row in found],
            "searchedLogStreams": [],
            "nextToken": paging.encode(f"{last.timestamp_ms}.{last.id}") if has_more else None,
        }

    def _group(self, parameters: Parameters, context: Context) -> Row:
        self._store.flush()
        name = parameters.get("logGroupName") or parameters.get("logGroupIdentifier")
        if not name:
            raise invalid("logGroupName or logGroupIdentifier must be given.")
        return find_group(self._state, name, context)

    def _streams(self, parameters: Parameters, group: Row) -> tuple[str, ...] | None:
        """Return the streams to search: those named, those with the prefix, or None for all."""
        names, prefix = parameters.get("logStreamNames"), parameters.get("logStreamNamePrefix")
        if names is not None and prefix is not None:
            raise invalid("LogStreamNames and LogStreamNamePrefix cannot be specified together.")
        if prefix is not None:
            rows = self._state.db.execute(
                "SELECT name FROM logs_stream WHERE region = ? AND group_name = ?", (group["region"], group["name"])
            )
            return tuple(row["name"] for row in rows if row["name"].startswith(prefix))
        for name in names or ():
            require_stream(self._state, group, name)
        return tuple(names) if names is not None else None


def invalid(message: str) -> ServiceError:
    return ServiceError("InvalidParameterException", message)


def _require_order(timestamps: list[int]) -> None:
    if timestamps != sorted(timestamps):
        raise invalid("Log events in a single PutLogEvents request must be in chronological order.")
    if timestamps[-1] - timestamps[0] > DAY_MS:
        message = "The batch of log events in a single PutLogEvents request cannot span more than 24 hours."
        raise invalid(message)


def _rejected(events: list[dict[str, Any]], now: int) -> dict[str, int] | None:
    too_old = sum(event["timestamp"] < now - OLDEST_MS for event in events)
    too_new = sum(event["timestamp"] > now + NEWEST_MS for event in events)
    info: dict[str, int] = {}
    if too_old:
        info["tooOldLogEventEndIndex"] = too_old
    if too_new:
        info["tooNewLogEventStartIndex"] = len(events) - too_new
    return info or None


def _span(parameters: Parameters, *, is_end_included: bool = False) -> tuple[Position, Position]:
    """Return the positions between which events of the asked time lie.

    GetLogEvents leaves the end out, FilterLogEvents takes it in; both take the start in.
    Source: their reference pages.
    """
    start, end = parameters.get("startTime"), parameters.get("endTime")
    after = BEFORE_ALL if start is None else Position(start, 0)  # ids begin at 1
    before = AFTER_ALL if end is None else Position(end + is_end_included, 0)
    return after, before


def _take(rows: Iterable[Row], limit: int) -> tuple[list[Row], bool]:
    """Return a page of *rows*, and whether there are more."""
    found: list[Row] = []
    size = 0
    for row in rows:
        if len(found) == limit or size >= PAGE_BYTES:
            return found, True
        found.append(row)
        size += len(row["message"])
    return found, False


def _stream_token(token: str | None) -> tuple[str, Position] | None:
    if token is None:
        return None
    parts = STREAM_TOKEN.fullmatch(token)
    if parts is None:
        raise invalid("The specified nextToken is invalid.")
    return parts[1], Position(int(parts[2]), int(parts[3]))


def _event_token(token: str) -> Position:
    parts = EVENT_TOKEN.fullmatch(paging.decode("logs", token))
    if parts is None:
        raise invalid("The specified nextToken is invalid.")
    return Position(int(parts[1]), int(parts[2]))


def _shown(row: Row) -> dict[str, Any]:
    return {"timestamp": row["timestamp_ms"], "message": row["message"], "ingestionTime": row["ingested_ms"]}


def _shown_with_stream(row: Row) -> dict[str, Any]:
    # AWS's event ids are 56 digits; nobody reads them, but they must differ and sort.
    return {**_shown(row), "logStreamName": row["stream"], "eventId": f"{row['id']:056}"}
