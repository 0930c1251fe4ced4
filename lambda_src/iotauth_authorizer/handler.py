"""The Lambda entry point: event → row → decision → answer. All of the function's effects are here.

The environment is read, and the connection to the table opened, when the module is loaded:
Lambda gives that phase a full core, and the first device waits for none of it.

==============================  ========================================================
variable                        meaning
==============================  ========================================================
`IOTAUTH_TABLE`                 the table's name; without it everybody is refused
`IOTAUTH_REFRESH_AFTER_S`       when AWS IoT asks again, in seconds; 3600
`IOTAUTH_DISCONNECT_AFTER_S`    when AWS IoT ends the connection, in seconds; 86400
`IOTAUTH_REQUIRE_SIGNATURE`     `1`: refuse a request whose token signature was not verified
`AWS_REGION`, `AWS_…`           region, credentials, endpoint and CA as the AWS SDKs read them
==============================  ========================================================

Each call writes one line of JSON: who, what was decided and why. A failure names its kind
and nothing of its text, because the text of an exception may quote what a device sent.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
import time
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from iotauth_authorizer.authorize import Decision, Settings, client_id_of, examine, judge, refuse
from iotauth_authorizer.credential import DUMMY, Slot
from iotauth_authorizer.dynamodb import (
    Client,
    ConnectionLost,
    DynamoDBError,
    NoCredentials,
    environment_credentials,
)
from iotauth_authorizer.event import ConnectRequest, MalformedEvent, build_answer, parse_event
from iotauth_authorizer.grants import ArnScope, Grants
from iotauth_authorizer.record import ClientRecord, Item, MalformedRecord, from_item, key, retirement, to_item

# How long the table may take, retries included; together well under the 5 seconds that AWS IoT waits.
READ_BUDGET_S = 3.0
RECORD_BUDGET_S = 0.5  # for noting a first use

_compact = json.JSONEncoder(separators=(",", ":")).encode
_scope = lru_cache(maxsize=1)(ArnScope.parse)  # a function is invoked under one ARN
_OFF = ("", "0", "false", "no", "off")


class Misconfigured(Exception):
    """The function's environment lacks something without which nothing can be decided."""


# A row as most are, of nobody.
_NOBODY = _compact(
    to_item(
        ClientRecord(
            "thermo-1",
            slots={"A": Slot(DUMMY, 0)},
            grants=Grants.for_topic("sensors/thermo-1"),
            created_at=0,
            updated_at=0,
            version=1,
        )
    )
)

# Why nobody was let in, when it was not the client's fault. An exception not listed is a bug in here.
_FAILURES: tuple[tuple[type[Exception], str], ...] = (
    (MalformedEvent, "malformed-event"),
    (MalformedRecord, "malformed-record"),
    (Misconfigured, "misconfigured"),
    (DynamoDBError, "table-unavailable"),
    (ConnectionLost, "table-unavailable"),
    (NoCredentials, "table-unavailable"),
)


class Table:
    """The clients' rows, as far as the function may touch them."""

    def __init__(self, name: str, client: Client) -> None:
        self._name = name
        self._client = client

    def connect(self) -> None:
        """Open the connection early. Never fails: a call tries again."""
        with contextlib.suppress(Exception):
            self._client.connect()

    def close(self) -> None:
        self._client.close()

    def find(self, client_id: str) -> ClientRecord | None:
        """Return a client's row. The read is consistent, so that a client just disabled is out at once."""
        item = self._client.get_item(self._name, key(client_id))
        if item is None:
            # Reading a row takes a seventh of a call: without it, time would tell which client ids exist.
            from_item(json.loads(_NOBODY))
            return None
        return from_item(item)

    def record_first_use(self, record: ClientRecord, slot: str, now: int) -> None:
        """Note in the row that a pending secret was seen; from now on the grace of the retiring one runs.

        One write. A failure costs the note, not the connection, and the next connection tries again.
        """
        update = "SET #slot.First_used = :now"
        # The slot may have been filled anew since it was read; then this was not its use.
        condition = "#slot.#hash = :hash AND attribute_not_exists(#slot.First_used)"
        names = {"#slot": f"Secret_{slot}", "#hash": "Hash"}
        values = {":now": {"N": str(now)}, ":hash": {"S": record.slots[slot].hash}}
        if old := retirement(record, slot, now):
            other, end = old
            update += ", #old.Expires = :end"
            condition += " AND #old.#hash = :old"
            names["#old"] = f"Secret_{other}"
            values |= {":end": {"N": str(end)}, ":old": {"S": record.slots[other].hash}}
        self._note(record, update, condition, names, values)

    def record_token(self, record: ClientRecord, member: str, time: int) -> None:
        """Note a time in the row's `Token`, unless a later one stands there. Fails as above."""
        value: dict[str, Any] = {"N": str(time)}
        update = "SET #token.#member = :value"
        names = {"#token": "Token", "#member": member}
        if record.token is None:
            update, value = "SET #token = :value", {"M": {member: value}}
            condition = "attribute_exists(Client_ID) AND attribute_not_exists(#token)"
            del names["#member"]
        else:
            condition = "attribute_exists(#token) AND (attribute_not_exists(#token.#member) OR #token.#member < :value)"
        self._note(record, update, condition, names, {":value": value})

    def _note(self, record: ClientRecord, update: str, condition: str, names: dict[str, str], values: Item) -> None:
        with contextlib.suppress(Exception):
            self._client.update_item(
                self._name,
                key(record.client_id),
                update,
                condition=condition,
                names=names,
                values=values,
                budget_s=RECORD_BUDGET_S,
            )


class Function:
    """The authorizer with its settings and its table, as an environment describes them."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._settings = _settings(environ)
        self._table = _table(environ)
        if self._table is not None:
            self._table.connect()

    def close(self) -> None:
        """Close the connection to the table; the next call opens it again. Lambda itself never does."""
        if self._table is not None:
            self._table.close()

    def __call__(self, event: object, context: object) -> dict[str, Any]:
        """Answer one event of AWS IoT. Never raises; whatever goes wrong is a refusal."""
        started = time.perf_counter()
        request: ConnectRequest | None = None
        cause: str | None = None
        try:
            request = parse_event(event)
            decision = self._decide(request, context)
        except Exception as error:
            decision = refuse(next((slug for kind, slug in _FAILURES if isinstance(error, kind)), "internal-error"))
            cause = error.code if isinstance(error, DynamoDBError) else type(error).__name__
        _log(request, decision, cause, time.perf_counter() - started)
        return build_answer(decision.answer)

    def _decide(self, request: ConnectRequest, context: object) -> Decision:
        credentials = examine(request, self._settings)
        if isinstance(credentials, Decision):
            return credentials
        if self._table is None:
            raise Misconfigured("IOTAUTH_TABLE is not set, or the endpoint is no address")
        scope = _scope(getattr(context, "invoked_function_arn", ""))
        now = int(time.time())
        record = self._table.find(credentials.client_id)
        decision = judge(credentials, record, now=now, scope=scope, settings=self._settings)
        if record is not None and decision.first_use and decision.slot is not None:
            self._table.record_first_use(record, decision.slot, now)
        if record is not None and decision.token_note is not None:
            self._table.record_token(record, *decision.token_note)
        return decision


def handler(event: object, context: object) -> dict[str, Any]:
    """Answer one event of AWS IoT: what Lambda calls, `iotauth_authorizer.handler.handler`."""
    return _FUNCTION(event, context)


def _settings(environ: Mapping[str, str]) -> Settings:
    defaults = Settings()
    return Settings(
        refresh_after_s=_seconds(environ, "IOTAUTH_REFRESH_AFTER_S", defaults.refresh_after_s),
        disconnect_after_s=_seconds(environ, "IOTAUTH_DISCONNECT_AFTER_S", defaults.disconnect_after_s),
        # What is neither on nor off is on: a typing mistake must not open the door.
        require_signature=environ.get("IOTAUTH_REQUIRE_SIGNATURE", "").strip().lower() not in _OFF,
    )


def _seconds(environ: Mapping[str, str], name: str, default: int) -> int:
    try:
        return int(environ.get(name, default))
    except ValueError:
        return default  # a timer that cannot be read is no reason to refuse a whole fleet


def _table(environ: Mapping[str, str]) -> Table | None:
    name = environ.get("IOTAUTH_TABLE")
    if not name:
        return None
    try:
        client = Client(
            environ.get("AWS_REGION") or environ.get("AWS_DEFAULT_REGION") or "us-east-1",
            credentials=environment_credentials(environ),
            endpoint_url=environ.get("AWS_ENDPOINT_URL_DYNAMODB") or environ.get("AWS_ENDPOINT_URL"),
            ca_file=environ.get("AWS_CA_BUNDLE") or None,
            budget_s=READ_BUDGET_S,
        )
    except ValueError:
        return None
    return Table(name, client)


def _log(request: ConnectRequest | None, decision: Decision, cause: str | None, duration_s: float) -> None:
    line: dict[str, Any] = {
        "iotauth": 1,
        "connection": request and request.connection_id,
        "client": request and client_id_of(request),
        "allowed": decision.allowed,
        "reason": decision.reason,
        "slot": decision.slot,
        "ms": round(duration_s * 1000, 1),
    }
    if cause is not None:
        line["cause"] = cause
    # A log that cannot be written must not keep a device out.
    with contextlib.suppress(Exception):
        sys.stdout.write(_compact(line) + "\n")
        sys.stdout.flush()


_FUNCTION = Function(os.environ)
