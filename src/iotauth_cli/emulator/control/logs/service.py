"""CloudWatch Logs: groups, streams and events, and the sink that functions print into."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from sqlite3 import IntegrityError, Row
from typing import Any

from iotauth_cli.emulator.control import arns
from iotauth_cli.emulator.control.logs.events import LogEvents
from iotauth_cli.emulator.control.logs.groups import already_exists, find_group, not_found
from iotauth_cli.emulator.control.logs.store import LogStore
from iotauth_cli.emulator.control.paging import page
from iotauth_cli.emulator.control.service import Context, Handler, Parameters, Result, ServiceError
from iotauth_cli.emulator.model import LogLine
from iotauth_cli.emulator.state import State

PAGE = 50  # items; CloudWatch Logs' default for both listings
# fmt: off
RETENTION_DAYS = (
    1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653,
)
# fmt: on
SETTINGS = ("kmsKeyId", "logGroupClass", "deletionProtectionEnabled")  # kept and shown, without effect
STREAMS = """
SELECT s.name, s.created_ms, min(e.timestamp_ms) AS first_ms, max(e.timestamp_ms) AS last_ms,
       max(e.ingested_ms) AS ingested_ms
FROM logs_stream AS s LEFT JOIN logs_event AS e
  ON e.region = s.region AND e.group_name = s.group_name AND e.stream = s.name
WHERE s.region = ? AND s.group_name = ? AND substr(s.name, 1, length(?)) = ?
GROUP BY s.name
"""


class LogsService:
    """The service, and the `LogSink` for whatever runs functions."""

    name = "logs"

    def __init__(self, state: State, clock: Callable[[], float] = time.time) -> None:
        self._state = state
        self._store = LogStore(state, clock)
        events = LogEvents(state, self._store)
        self.operations: Mapping[str, Handler] = {
            "CreateLogGroup": self.create_log_group,
            "DeleteLogGroup": self.delete_log_group,
            "DescribeLogGroups": self.describe_log_groups,
            "PutRetentionPolicy": self.put_retention_policy,
            "DeleteRetentionPolicy": self.delete_retention_policy,
            "CreateLogStream": self.create_log_stream,
            "DeleteLogStream": self.delete_log_stream,
            "DescribeLogStreams": self.describe_log_streams,
            "TagResource": self.tag_resource,
            "UntagResource": self.untag_resource,
            "ListTagsForResource": self.list_tags_for_resource,
            **events.operations,
        }

    def write(self, line: LogLine) -> None:
        self._store.write(line)

    def flush(self) -> None:
        """Write what still waits; to be called before the state is closed."""
        self._store.flush()

    def create_log_group(self, parameters: Parameters, context: Context) -> Result:
        settings = {name: parameters[name] for name in SETTINGS if name in parameters}
        name, tags = parameters["logGroupName"], parameters.get("tags", {})
        values = (context.region, name, self._store.now_ms(), json.dumps(tags), json.dumps(settings))
        try:
            self._state.db.execute("INSERT INTO logs_group VALUES (?, ?, ?, NULL, ?, ?)", values)
        except IntegrityError as error:
            raise already_exists("group") from error
        return {}

    def delete_log_group(self, parameters: Parameters, context: Context) -> Result:
        row = self._group(parameters["logGroupName"], context)
        with self._state.transaction() as db:
            for table in ("logs_event", "logs_stream"):
                db.execute(f"DELETE FROM {table} WHERE region = ? AND group_name = ?", (row["region"], row["name"]))
            db.execute("DELETE FROM logs_group WHERE region = ? AND name = ?", (row["region"], row["name"]))
        return {}

    def describe_log_groups(self, parameters: Parameters, context: Context) -> Result:
        self._store.flush()
        prefix, fragment = parameters.get("logGroupNamePrefix", ""), parameters.get("logGroupNamePattern", "")
        rows = self._state.db.execute("SELECT * FROM logs_group WHERE region = ?", (context.region,))
        fitting = (row for row in rows if row["name"].startswith(prefix) and fragment in row["name"])
        found, token = page(self.name, fitting, _name, parameters.get("nextToken"), parameters.get("limit", PAGE))
        return {"logGroups": [_shown_group(row, context) for row in found], "nextToken": token}

    def put_retention_policy(self, parameters: Parameters, context: Context) -> Result:
        days = parameters["retentionInDays"]
        if days not in RETENTION_DAYS:
            allowed = ", ".join(map(str, RETENTION_DAYS))
            message = (
                f"1 validation error detected: Value '{days}' at 'retentionInDays' failed to satisfy constraint: "
                f"Member must satisfy enum value set: [{allowed}]"
            )
            raise ServiceError("InvalidParameterException", message)
        return self._set_retention(parameters, context, days)

    def delete_retention_policy(self, parameters: Parameters, context: Context) -> Result:
        return self._set_retention(parameters, context, None)

    def create_log_stream(self, parameters: Parameters, context: Context) -> Result:
        group = self._group(parameters["logGroupName"], context)["name"]
        values = (context.region, group, parameters["logStreamName"], self._store.now_ms())
        try:
            self._state.db.execute("INSERT INTO logs_stream VALUES (?, ?, ?, ?)", values)
        except IntegrityError as error:
            raise already_exists("stream") from error
        return {}

    def delete_log_stream(self, parameters: Parameters, context: Context) -> Result:
        group, stream = self._group(parameters["logGroupName"], context)["name"], parameters["logStreamName"]
        key = (context.region, group, stream)
        with self._state.transaction() as db:
            if not db.execute("DELETE FROM logs_stream WHERE region = ? AND group_name = ? AND name = ?", key).rowcount:
                raise not_found("stream")
            db.execute("DELETE FROM logs_event WHERE region = ? AND group_name = ? AND stream = ?", key)
        return {}

    def describe_log_streams(self, parameters: Parameters, context: Context) -> Result:
        group = self._group(parameters.get("logGroupName") or parameters.get("logGroupIdentifier", ""), context)
        prefix = parameters.get("logStreamNamePrefix", "")
        rows = self._state.db.execute(STREAMS, (context.region, group["name"], prefix, prefix)).fetchall()
        by_time = parameters.get("orderBy") == "LastEventTime"
        rows.sort(key=lambda row: (row["last_ms"] or 0, row["name"]) if by_time else row["name"])
        if parameters.get("descending"):
            rows.reverse()
        # The order may be any of four, so a page is found by its place and not by a name.
        numbered = [(f"{number:08}", row) for number, row in enumerate(rows)]
        limit = parameters.get("limit", PAGE)
        found, token = page(self.name, numbered, lambda pair: pair[0], parameters.get("nextToken"), limit)
        shown = [_shown_stream(row, group, context) for _, row in found]
        return {"logStreams": shown, "nextToken": token}

    def tag_resource(self, parameters: Parameters, context: Context) -> Result:
        row = self._group(parameters["resourceArn"], context)
        return self._save_tags(row, {**json.loads(row["tags"]), **parameters["tags"]})

    def untag_resource(self, parameters: Parameters, context: Context) -> Result:
        row = self._group(parameters["resourceArn"], context)
        tags = json.loads(row["tags"])
        return self._save_tags(row, {key: tags[key] for key in tags if key not in parameters["tagKeys"]})

    def list_tags_for_resource(self, parameters: Parameters, context: Context) -> Result:
        return {"tags": json.loads(self._group(parameters["resourceArn"], context)["tags"])}

    def _group(self, name_or_arn: str, context: Context) -> Row:
        self._store.flush()
        return find_group(self._state, name_or_arn, context)

    def _set_retention(self, parameters: Parameters, context: Context, days: int | None) -> Result:
        row = self._group(parameters["logGroupName"], context)
        self._state.db.execute(
            "UPDATE logs_group SET retention_days = ? WHERE region = ? AND name = ?",
            (days, row["region"], row["name"]),
        )
        return {}

    def _save_tags(self, row: Row, tags: Mapping[str, str]) -> Result:
        self._state.db.execute(
            "UPDATE logs_group SET tags = ? WHERE region = ? AND name = ?",
            (json.dumps(tags), row["region"], row["name"]),
        )
        return {}


def _name(row: Row) -> str:
    name: str = row["name"]
    return name


def _group_arn(name: str, context: Context) -> str:
    return arns.build("logs", context.region, context.account, f"log-group:{name}")


def _shown_group(row: Row, context: Context) -> dict[str, Any]:
    arn = _group_arn(row["name"], context)
    return {
        "logGroupName": row["name"],
        "creationTime": row["created_ms"],
        "retentionInDays": row["retention_days"],
        "metricFilterCount": 0,
        "arn": f"{arn}:*",
        "logGroupArn": arn,
        "storedBytes": 0,
        "logGroupClass": "STANDARD",
        **json.loads(row["settings"]),
    }


def _shown_stream(row: Row, group: Row, context: Context) -> dict[str, Any]:
    return {
        "logStreamName": row["name"],
        "creationTime": row["created_ms"],
        "firstEventTimestamp": row["first_ms"],
        "lastEventTimestamp": row["last_ms"],
        "lastIngestionTime": row["ingested_ms"],
        "arn": f"{_group_arn(group['name'], context)}:log-stream:{row['name']}",
        "storedBytes": 0,
    }
