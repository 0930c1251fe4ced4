"""What rotating and confirming show. Only `rotated` and its document hold a password."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from iotauth_cli.cli.render import Facts, moment
from iotauth_cli.cli.render_access import revocation, revocation_document

if TYPE_CHECKING:
    from iotauth_cli.operations.access import Revocation
    from iotauth_cli.operations.client_rotation import Confirmed, Credential, Rotated, Slot

Shown = Callable[[Path], str]
Command = Callable[[str], str]


def rotated(found: Rotated, revoked: Revocation | None = None) -> Facts:
    credential = found.credential
    password = [("password", credential.password.reveal())] if found.is_generated else []
    return [
        ("client id", credential.client_id),
        ("user name", credential.device_username),
        *password,
        *(revocation(revoked) if revoked else []),
    ]


def rotated_document(found: Rotated, revoked: Revocation | None = None) -> dict[str, Any]:
    credential = found.credential
    return {
        "client_id": credential.client_id,
        "username": credential.device_username,
        "password": credential.password.reveal() if found.is_generated else None,
        "authorizer": credential.authorizer,
        "slot": found.slot,
        "state": found.record.slots[found.slot].state,
        "old_secret": {"grace_s": found.old.grace_s, "expires_at": found.old.expires_at} if found.old else None,
        "was_begun": found.was_begun,
        "kept_at": str(found.kept_at) if found.kept_at else None,
        **signed_document(credential),
        **({"session": revocation_document(revoked)} if revoked else {}),
    }


def signed_document(credential: Credential) -> dict[str, Any]:
    """Return the parts of a signed user name, for who sends them as headers."""
    if credential.token is None:
        return {}
    return {
        "token_key_name": credential.token_key_name,
        "token": credential.token.reveal(),
        "signature": credential.signature,
    }


def after_rotating(found: Rotated, now: int, shown: Shown, command: Command) -> list[str]:
    """Return what to tell beside the credential."""
    client_id = found.credential.client_id
    verb = "finished rotating" if found.was_begun else "rotated"
    old = f"the old secret {works(found.old, now)}" if found.old else "the new secret is the only one"
    told = [f"{verb} client `{client_id}`: {old}"]
    if found.is_generated:
        told.append(
            "the password is shown this once" + (f", and kept in `{shown(found.kept_at)}`" if found.kept_at else "")
        )
    elif found.kept_at:
        told.append(f"the password is kept in `{shown(found.kept_at)}`")
    if found.credential.token is not None:
        told.append("the user name holds a signed token: treat it as a password")
    if found.why_not_kept:
        told.append(f"keep the password yourself: {found.why_not_kept}")
    if found.outdated_at:
        told.append(f"the credential in `{shown(found.outdated_at)}` is the old one")
    if not found.is_pending:
        told.append("next: give it to the device, which is out until it has it")
    else:
        told.append(f"next: give it to the device, and see with {command(f'client show {client_id}')} when it is used")
    return told


def works(slot: Slot, now: int) -> str:
    """Say how long a secret works that will not for ever."""
    if slot.expires_at is not None:
        return f"{'works' if slot.expires_at > now else 'worked'} until {moment(slot.expires_at)}"
    if slot.grace_s is None:
        return "works until it is confirmed"
    from iotauth_cli.operations.durations import in_words

    grace = f"{in_words(slot.grace_s)} after " if slot.grace_s else ""
    return f"works until {grace}the first use of the new one"


def confirmed(found: Confirmed) -> str:
    seen = "" if found.was_seen else "; it was never seen in use"
    return f"confirmed client `{found.record.client_id}`: only its new secret works now{seen}"


def confirmed_document(found: Confirmed) -> dict[str, Any]:
    return {"client_id": found.record.client_id, "slot": found.slot, "was_seen": found.was_seen}


def after_confirming(found: Confirmed, shown: Shown) -> list[str]:
    if found.outdated_at is None:
        return []
    return [f"the credential in `{shown(found.outdated_at)}` lets nobody in any more"]
