"""Finding a log group or a stream by whatever names it: a plain name, or an ARN with or without ``:*``."""

from __future__ import annotations

from sqlite3 import Row

from iotauth_cli.emulator.control.service import Context, ServiceError
from iotauth_cli.emulator.state import State


def find_group(state: State, name_or_arn: str, context: Context) -> Row:
    """Return the group's row.

    Raises:
        ServiceError: ResourceNotFoundException.
    """
    name = name_or_arn.partition(":log-group:")[2].removesuffix(":*") or name_or_arn
    row: Row | None = state.db.execute(
        "SELECT * FROM logs_group WHERE region = ? AND name = ?", (context.region, name)
    ).fetchone()
    if row is None:
        raise not_found("group")
    return row


def require_stream(state: State, group: Row, name: str) -> None:
    """Raise ResourceNotFoundException unless *group* has a stream of that *name*."""
    key = (group["region"], group["name"], name)
    query = "SELECT 1 FROM logs_stream WHERE region = ? AND group_name = ? AND name = ?"
    if state.db.execute(query, key).fetchone() is None:
        raise not_found("stream")


def not_found(what: str) -> ServiceError:
    return ServiceError("ResourceNotFoundException", f"The specified log {what} does not exist.")


def already_exists(what: str) -> ServiceError:
    return ServiceError("ResourceAlreadyExistsException", f"The specified log {what} already exists")
