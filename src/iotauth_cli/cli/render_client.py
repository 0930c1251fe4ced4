"""What the client commands show. Only `added` and its document hold a password."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from iotauth_cli.cli.render import NOTHING, Facts, moment, several
from iotauth_cli.cli.render_authorizer import statements
from iotauth_cli.cli.render_rotation import signed_document, works
from iotauth_cli.cli.render_signing import token, token_document

if TYPE_CHECKING:
    from iotauth_cli.operations.clients import Added, ClientRecord, Shown, Slot
    from iotauth_cli.operations.updating import Updated

MAX_TOPICS = 3  # in the list; `client show` has them all


def added(found: Added) -> Facts:
    password = [("password", found.credential.password.reveal())] if found.is_generated else []
    # It may hold a signed token, which is secret too and belongs into the device with the password.
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
        **signed_document(credential),
    }


def after_adding(found: Added, kept_at: str | None, next_command: str) -> list[str]:
    """Return what to tell beside the credential."""
    told = [f"added client `{found.credential.client_id}` to table `{found.credential.table}`"]
    if found.record.expires_at is not None:
        told.append(f"it is let in until {moment(found.record.expires_at)}")
    if "#" in (*found.credential.publish, *found.credential.subscribe):
        told.append("it is granted `#`: every topic of the account")
    if found.credential.token is not None:
        told.append("the user name holds a signed token: treat it as a password")
    if found.lacks_token:
        told.append("its token is signed elsewhere, with `keys sign --for-client` or openssl")
    if found.is_generated:
        told.append("the password is shown this once" + (f", and kept in `{kept_at}`" if kept_at else ""))
    elif kept_at:
        told.append(f"the password is kept in `{kept_at}`")
    if found.why_not_kept:
        told.append(f"keep the password yourself: {found.why_not_kept}")
    return [*told, f"next: {next_command}"] if kept_at else told


def updated(found: Updated) -> list[str]:
    """Say what is different now, by name."""
    after = found.after
    if not found.is_changed:
        return [f"client `{after.client_id}` is so already; nothing was changed"]
    before = found.before
    changes = {
        "grants": after.grants != before.grants,
        f"expiry ({moment(after.expires_at) if after.expires_at else 'none'})": after.expires_at != before.expires_at,
        "tags": after.tags != before.tags,
        "note": after.note != before.note,
    }
    return [f"changed client `{after.client_id}`: {', '.join(name for name, is_new in changes.items() if is_new)}"]


def updated_document(found: Updated) -> dict[str, Any]:
    return {"changed": found.is_changed, **row_document(found.after)}


def after_updating(found: Updated, command: Callable[[str], str]) -> list[str]:
    if not found.has_new_grants:
        return []
    client_id = found.after.client_id
    return [
        "an open session keeps what it was granted until AWS IoT asks the function again",
        f"next: {command(f'client show {client_id}')}",
    ]


def state(enabled: bool) -> str:
    return "enabled" if enabled else "disabled"


def some(topics: Sequence[str]) -> str:
    more = f" and {len(topics) - MAX_TOPICS} more" if len(topics) > MAX_TOPICS else ""
    return ", ".join(topics[:MAX_TOPICS]) + more or NOTHING


def shown_client(found: Shown, kept_at: str | None, now: int) -> Facts:
    record, grants = found.record, found.record.grants
    optional = [
        ("user name", record.username),
        ("expires", expires(record.expires_at, now)),
        ("note", record.note),
    ]
    return [
        ("client", record.client_id),
        ("state", state(record.enabled)),
        *((name, text) for name, text in optional if text),
        *several("secret", secrets(record, now)),
        *several("token", token(record.token)),
        *several("publish", grants.publish),
        *several("subscribe", grants.subscribe),
        *several("retain", grants.retain),
        *several("will", grants.will),
        *several("older read topic", [grants.older_read] if grants.older_read else []),
        *several("older write topic", [grants.older_write] if grants.older_write else []),
        *several("tag", [f"{name}:{value}" for name, value in record.tags.items()]),
        ("credential", kept_at or "not kept here"),
        *several("policy", statements(found.policies) or [f"none: {found.problem}"]),
    ]


def expires(at: int | None, now: int) -> str | None:
    return None if at is None else moment(at) + (", it is over" if at <= now else "")


def secrets(record: ClientRecord, now: int) -> list[str]:
    """Describe the secrets of *record* without a letter of them."""
    if record.plain_password is not None:
        return ["plain password in the table; an older tool wrote it"]
    return [
        f"{name}: {slot.state}, made {moment(slot.created_at)}{use(slot, now)}" for name, slot in record.slots.items()
    ] or ["none"]


def use(slot: Slot, now: int) -> str:
    """Say whether a secret was seen in use, and how long it works; nothing where there is nothing to say."""
    seen = "not seen yet" if slot.state == "pending" else None
    if slot.first_used_at is not None:
        seen = f"first seen {moment(slot.first_used_at)}"
    has_end = slot.state == "retiring" or slot.expires_at is not None
    return "".join(f", {each}" for each in (seen, works(slot, now) if has_end else None) if each)


def after_showing(found: Shown, command: Callable[[str], str]) -> list[str]:
    """Return the next step of a rotation that the device has gone along with."""
    pending = [slot for slot in found.record.slots.values() if slot.state == "pending"]
    if not any(slot.first_used_at is not None for slot in pending):
        return []
    return [f"next: {command(f'client confirm {found.record.client_id}')}"]


def shown_client_document(found: Shown) -> dict[str, Any]:
    return {
        **row_document(found.record),
        "kept_at": str(found.credential_at) if found.credential_at else None,
        "policy_documents": [json.loads(document) for document in found.policies],
        "policy_problem": found.problem,
    }


def row_document(record: ClientRecord) -> dict[str, Any]:
    """Return a row without its hashes."""
    grants = record.grants
    return {
        "client_id": record.client_id,
        "username": record.username,
        "enabled": record.enabled,
        "secrets": {name: slot_document(slot) for name, slot in record.slots.items()},
        "has_plain_password": record.plain_password is not None,
        "token": token_document(record.token),
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
    }


def slot_document(slot: Any) -> Mapping[str, Any]:
    return {
        "state": slot.state,
        "created_at": slot.created_at,
        "expires_at": slot.expires_at,
        "first_used_at": slot.first_used_at,
        "grace_s": slot.grace_s,
    }
