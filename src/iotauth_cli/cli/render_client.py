"""What the client commands show. Only `added` and its document hold a password."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from iotauth_cli.cli.render import NOTHING, Facts, moment, several
from iotauth_cli.cli.render_authorizer import statements

if TYPE_CHECKING:
    from iotauth_cli.operations.clients import Added, ClientRecord, Shown

MAX_TOPICS = 3  # in the list; `client show` has them all


def added(found: Added) -> Facts:
    password = [("password", found.credential.password.reveal())] if found.is_generated else []
    return [("client id", found.credential.client_id), ("user name", found.device_username), *password]


def added_document(found: Added) -> dict[str, Any]:
    credential = found.credential
    return {
        "client_id": credential.client_id,
        "username": found.device_username,
        "password": credential.password.reveal() if found.is_generated else None,
        "authorizer": credential.authorizer,
        "table": credential.table,
        "publish": list(credential.publish),
        "subscribe": list(credential.subscribe),
        "kept_at": str(found.kept_at) if found.kept_at else None,
    }


def after_adding(found: Added, kept_at: str | None, next_command: str) -> list[str]:
    """Return what to tell beside the credential."""
    told = [f"added client `{found.credential.client_id}` to table `{found.credential.table}`"]
    if found.is_generated:
        told.append("the password is shown this once" + (f", and kept in `{kept_at}`" if kept_at else ""))
    elif kept_at:
        told.append(f"the password is kept in `{kept_at}`")
    if found.why_not_kept:
        told.append(f"keep the password yourself: {found.why_not_kept}")
    return [*told, f"next: {next_command}"] if kept_at else told


def state(enabled: bool) -> str:
    return "enabled" if enabled else "disabled"


def some(topics: Sequence[str]) -> str:
    more = f" and {len(topics) - MAX_TOPICS} more" if len(topics) > MAX_TOPICS else ""
    return ", ".join(topics[:MAX_TOPICS]) + more or NOTHING


def shown_client(found: Shown, kept_at: str | None) -> Facts:
    record, grants = found.record, found.record.grants
    optional = [
        ("user name", record.username),
        ("expires", moment(record.expires_at) if record.expires_at else None),
        ("note", record.note),
    ]
    return [
        ("client", record.client_id),
        ("state", state(record.enabled)),
        *((name, text) for name, text in optional if text),
        *several("secret", secrets(record)),
        *several("publish", grants.publish),
        *several("subscribe", grants.subscribe),
        *several("retain", grants.retain),
        *several("will", grants.will),
        *several("older read topic", [grants.older_read] if grants.older_read else []),
        *several("older write topic", [grants.older_write] if grants.older_write else []),
        *several("tag", [f"{name}={value}" for name, value in record.tags.items()]),
        ("credential", kept_at or "not kept here"),
        *several("policy", statements(found.policies) or [f"none: {found.problem}"]),
    ]


def secrets(record: ClientRecord) -> list[str]:
    """Describe the secrets of *record* without a letter of them."""
    if record.plain_password is not None:
        return ["plain password in the table; an older tool wrote it"]
    return [f"{name}: {slot.state}, made {moment(slot.created_at)}" for name, slot in record.slots.items()] or ["none"]


def shown_client_document(found: Shown) -> dict[str, Any]:
    record, grants = found.record, found.record.grants
    return {
        "client_id": record.client_id,
        "username": record.username,
        "enabled": record.enabled,
        "secrets": {name: slot_document(slot) for name, slot in record.slots.items()},
        "has_plain_password": record.plain_password is not None,
        "publish": list(grants.publish),
        "subscribe": list(grants.subscribe),
        "retain": list(grants.retain),
        "will": list(grants.will),
        "older_read_topic": grants.older_read,
        "older_write_topic": grants.older_write,
        "expires_at": record.expires_at,
        "tags": dict(record.tags),
        "note": record.note,
        "created_at": record.created_at,
        "updated_at": record.updated_at,
        "kept_at": str(found.credential_at) if found.credential_at else None,
        "policy_documents": [json.loads(document) for document in found.policies],
        "policy_problem": found.problem,
    }


def slot_document(slot: Any) -> Mapping[str, Any]:
    return {
        "state": slot.state,
        "created_at": slot.created_at,
        "expires_at": slot.expires_at,
        "first_used_at": slot.first_used_at,
    }
