"""What AWS IoT asks of an authorizer's signing keys, and of a signed token."""

from __future__ import annotations

from iotauth_cli import token as tokens
from iotauth_cli.emulator.control.iot.errors import invalid
from iotauth_cli.emulator.model import Authorizer
from iotauth_cli.errors import InputError


def check_signing(authorizer: Authorizer, max_keys: int) -> None:
    """Hold keys and key name to each other, to the signing switch and to *max_keys*.

    Raises:
        ServiceError: InvalidRequestException.
    """
    keys, name = authorizer.token_signing_public_keys, authorizer.name
    if authorizer.signing_disabled:
        if keys:  # UNCONFIRMED at create; at update AWS refuses it
            raise invalid(f"Token signing is disabled for authorizer {name}; it takes no signing keys.")
        return
    if not keys:
        raise invalid(f"Token signing keys map for authorizer {name} cannot be null or empty.")
    if not authorizer.token_key_name:
        raise invalid(f"Token key name for authorizer {name} cannot be null or empty.")
    if len(keys) > max_keys:
        raise invalid(f"Token signing keys map for authorizer {name} holds more than {max_keys} keys.")
    for key_name, pem in keys.items():
        _check_key(key_name, pem)


def _check_key(key_name: str, pem: str) -> None:
    try:
        tokens.load_public_key(pem)
    except InputError as error:
        raise invalid(f"Token signing key {key_name}: {error.message}.") from error


def check_token(authorizer: Authorizer, token: str | None, signature: str | None) -> bool:
    """Verify a token's signature where signing is on; return whether it was verified.

    Any key of the map may have signed. Source: the map has no order and a request no key's name.

    Raises:
        ServiceError: InvalidRequestException; the function must then not be called.
    """
    if authorizer.signing_disabled:
        return False
    if token is None or signature is None:
        raise invalid(f"authorizer {authorizer.name} wants a token and its signature.")
    keys = authorizer.token_signing_public_keys.values()
    if not any(tokens.verify(token, signature, pem) for pem in keys):
        raise invalid(f"the signature is not that of the token under any key of authorizer {authorizer.name}.")
    return True
