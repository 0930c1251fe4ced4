"""Tokens for clients: which text, which key, and what the device has to send."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

from iotauth_authorizer.record import ClientRecord, TokenNote
from iotauth_authorizer.username import build_token, parse_token
from iotauth_cli import token as tokens
from iotauth_cli.credentials import Credential, Store
from iotauth_cli.errors import InputError
from iotauth_cli.operations.signing.keyring import Keyring
from iotauth_cli.secret import Secret

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

MAX_TOKEN = 6144  # characters; TestInvokeAuthorizer's `token`


@dataclass(frozen=True)
class Signed:
    """A token and its signature: together a password that ends only with the key."""

    token: Secret
    signature: str
    token_key_name: str
    issued_at: int


@dataclass(frozen=True)
class Signer:
    """A loaded key, which signs at a hundredth of what loading it took."""

    key: RSAPrivateKey
    token_key_name: str

    @cached_property
    def public_pem(self) -> str:
        """The public half, as AWS IoT takes it."""
        return tokens.public_key_pem(self.key)

    @cached_property
    def fingerprint(self) -> str:
        """How a client's row names the key."""
        return tokens.short_fingerprint(self.public_pem)

    def issue(self, client_id: str, now: int) -> Signed:
        """Return a token that is good for *client_id* alone, issued *now*, with its signature."""
        token = build_token(client_id, now)
        return Signed(Secret(token), tokens.sign(token, self.key), self.token_key_name, now)


@dataclass(frozen=True)
class TokenWish:
    """That a client gets a signed token. Without a *signer* it is signed, and handed out, elsewhere."""

    signer: Signer | None = None

    def note(self, now: int) -> TokenNote:
        """Return what the client's row holds of it: that nobody gets in without, by whichever authorizer."""
        if self.signer is None:
            return TokenNote(is_required=True)
        return TokenNote(issued_at=now, is_required=True, key=self.signer.fingerprint)

    def renewed(self, record: ClientRecord) -> ClientRecord:
        """Return what *record* has to say before `complete` makes its token again.

        The key that signed it makes the very same. Another key's is another token, and gets a time of its own.
        """
        note = record.token
        if self.signer is None or note is None or note.issued_at is None:
            return record
        if note.key in (None, self.signer.fingerprint):
            return record
        issued_at = max(note.issued_at, note.seen_at or 0) + 1
        return noted(record, issued_at=issued_at, key=self.signer.fingerprint)

    def complete(self, credential: Credential, record: ClientRecord) -> Credential:
        """Return *credential* with the token that *record* says was handed out."""
        issued_at = record.token.issued_at if record.token else None
        if self.signer is None or issued_at is None:
            return credential
        return with_token(credential, self.signer.issue(record.client_id, issued_at))


def token_wish(store: Store, authorizer: str, key: RSAPrivateKey | None, passphrase: Secret | None) -> TokenWish | None:
    """Return what clients of *authorizer* get; None where this project knows of no signing.

    *key* signs in place of the one that is kept; *passphrase* opens that, should it want one.

    Raises:
        InputError: a key was given, and the authorizer wants no signed tokens.
    """
    keyring = Keyring.of(store, authorizer)
    signing = keyring.signing
    if signing is None and key is not None:
        raise InputError(
            f"authorizer `{authorizer}` asks for no signed tokens, as far as this project knows",
            hint=f"leave `--key` out, or tell it: `iotauth authorizer create {authorizer} --signed`",
        )
    if signing is None:
        return None
    if key is not None:
        return TokenWish(Signer(key, signing.token_key_name))
    return TokenWish(signer_of(keyring, passphrase) if signing.signer is not None else None)


def known_tokens(store: Store, authorizer: str) -> TokenWish | None:
    """Return who makes a client's token again, as far as the key is kept here and needs no passphrase; else None."""
    with suppress(InputError):
        return token_wish(store, authorizer, None, None)
    return None


def with_token(credential: Credential, signed: Signed) -> Credential:
    return replace(credential, token=signed.token, signature=signed.signature, token_key_name=signed.token_key_name)


def without_secret(client_id: str, username: str | None, authorizer: str) -> Credential:
    """Return the credential of a client whose password is kept elsewhere: enough to compose its user name."""
    return Credential(client_id, username or client_id, Secret(""), authorizer, "", (), (), 0)


def issued_by(kept: Credential, public_pem: str) -> int | None:
    """Return when the token in *kept* was issued, if that key has signed it; else None."""
    if kept.token is None or kept.signature is None:
        return None
    found = parse_token(kept.token.reveal())
    return found[1] if found is not None and tokens.verify(kept.token.reveal(), kept.signature, public_pem) else None


def noted(row: ClientRecord, **members: Any) -> ClientRecord:
    """Return *row* with these members of its token's note, the others as they are."""
    return row._replace(token=(row.token or TokenNote())._replace(**members))


def signer_of(keyring: Keyring, passphrase: Secret | None = None) -> Signer | None:
    """Return who signs for the keyring's authorizer; None where this project knows of no signing.

    Raises:
        InputError: tokens are wanted, and the key that signs them is not kept here, or about to change.
    """
    signing = keyring.signing
    if signing is None:
        return None
    if signing.signer is None:
        raise InputError(
            f"the key that signs for authorizer `{keyring.authorizer}` is kept elsewhere, "
            f"and not in `{keyring.folder}`",
            hint="sign with it where it is: `iotauth keys sign --for-client ID --key FILE`",
        )
    if signing.is_half_begun:
        # Its token would be younger than the roll-over and signed by the old key: it would pass for a new one.
        raise InputError(
            f"authorizer `{keyring.authorizer}` is only half way to another key",
            hint=f"finish that first: `iotauth authorizer rotate-key {keyring.authorizer}`",
        )
    return Signer(keyring.load(signing.signer, passphrase), signing.token_key_name)


def check_token(token: str) -> str:
    """Return *token*, or refuse one that would not arrive as it is signed.

    Raises:
        InputError: it is empty, too long, or has a line end or another control character in it.
    """
    if not token:
        raise InputError("the token is empty", hint="write it behind `keys sign`, or pipe it in with `--token-stdin`")
    if len(token) > MAX_TOKEN:
        raise InputError(f"the token is longer than {MAX_TOKEN} characters", hint="AWS IoT takes no longer one")
    if any(ord(letter) < 32 or ord(letter) == 127 for letter in token):
        raise InputError(
            "the token has a line end or another control character in it",
            hint="leave it out; `--token-stdin` takes off one line end that `echo` adds",
        )
    return token
