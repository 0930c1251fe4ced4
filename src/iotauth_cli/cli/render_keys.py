"""What the key commands show. `signature` and `for_client` hold what lets a device through."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from iotauth_cli.cli.render import Facts

if TYPE_CHECKING:
    from iotauth_cli.operations.keys import ForClient, Made, Signature, Verdict


def made(found: Made, shown: Callable[[Path], str]) -> Facts:
    return [
        ("private key", shown(found.private_at)),
        ("public key", shown(found.public_at)),
        ("bits", str(found.bits)),
        ("passphrase", "yes" if found.is_encrypted else "none"),
        ("fingerprint", found.fingerprint),
    ]


def made_document(found: Made) -> dict[str, Any]:
    return {
        "private_key": str(found.private_at),
        "public_key": str(found.public_at),
        "bits": found.bits,
        "is_encrypted": found.is_encrypted,
        "fingerprint": found.fingerprint,
        "public_key_pem": found.public_pem,
    }


def signature_document(found: Signature) -> dict[str, Any]:
    return {"token": found.token.reveal(), "signature": found.signature, "encoded_signature": found.encoded}


def for_client(found: ForClient) -> Facts:
    return [
        ("client id", found.client_id),
        ("token", found.signed.token.reveal()),
        ("signature", found.signed.signature),
        ("user name", found.device_username),
    ]


def for_client_document(found: ForClient) -> dict[str, Any]:
    return {
        "client_id": found.client_id,
        "authorizer": found.authorizer,
        "token_key_name": found.signed.token_key_name,
        "token": found.signed.token.reveal(),
        "signature": found.signed.signature,
        "issued_at": found.signed.issued_at,
        "username": found.device_username,
    }


def verdict(found: Verdict) -> str:
    if found.ok:
        return f"the signature is the token's under {found.of}" + (f", by `{found.key_name}`" if found.key_name else "")
    because = f": {found.why_not}" if found.why_not else ""
    return f"the signature is not the token's under {found.of}{because}"


def verdict_document(found: Verdict) -> dict[str, Any]:
    return {"ok": found.ok, "key_name": found.key_name or None, "why_not": found.why_not}


def public_document(pem: str) -> dict[str, Any]:
    return {"public_key_pem": pem}
