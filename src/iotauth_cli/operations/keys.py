"""Keys that sign tokens, as files: made, used to sign, and asked whether a signature is theirs."""

from __future__ import annotations

import re
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote, unquote

from iotauth_cli import token as tokens
from iotauth_cli.aws import iot
from iotauth_cli.aws.session import Session
from iotauth_cli.credentials import Store
from iotauth_cli.errors import InputError, NotFound
from iotauth_cli.files import read_text, write_private, write_public
from iotauth_cli.operations import git
from iotauth_cli.operations.signing.issue import (
    Signed,
    Signer,
    TokenWish,
    check_token,
    signer_of,
    token_wish,
    with_token,
    without_secret,
)
from iotauth_cli.operations.signing.keyring import TOKEN_KEY_NAME, Keyring
from iotauth_cli.secret import Secret

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

__all__ = ["TOKEN_KEY_NAME", "ForClient", "Made", "Opened", "Signature", "Signer", "Verdict"]

BY_OTHERS = stat.S_IRWXG | stat.S_IRWXO
OPEN_IT = "pipe its passphrase in with `--passphrase-stdin`, or name a file: `IOTAUTH_KEY_PASSPHRASE_FILE=FILE`"


@dataclass(frozen=True)
class Made:
    """A key pair that was written: the private key and, beside it, its public half.

    *ignored* is the line that .gitignore got for the private one.
    """

    private_at: Path
    public_at: Path
    public_pem: str
    bits: int
    fingerprint: str
    is_encrypted: bool
    ignored: str | None = None


@dataclass(frozen=True)
class Opened:
    """A private key. *warning* says what is wrong with its file, if anything is."""

    key: RSAPrivateKey
    warning: str | None = None


@dataclass(frozen=True)
class Signature:
    """What a token was signed with: as TestInvokeAuthorizer takes it, and as a user name has to carry it."""

    token: Secret
    signature: str

    @property
    def encoded(self) -> str:
        return quote(self.signature, safe="")


@dataclass(frozen=True)
class ForClient:
    """A token for one client, and the user name that carries it to *authorizer*."""

    client_id: str
    authorizer: str
    signed: Signed

    @property
    def device_username(self) -> str:
        return with_token(without_secret(self.client_id, None, self.authorizer), self.signed).device_username


@dataclass(frozen=True)
class Verdict:
    """Whether a signature is one of the token. *key_name* is whose, *why_not* what was done wrong, if that shows."""

    ok: bool
    of: str
    key_name: str | None = None
    why_not: str | None = None


def generate(path: Path, *, bits: int = tokens.MIN_BITS, passphrase: Secret | None = None) -> Made:
    """Write a new private key to *path*, for its owner alone, and its public half beside it.

    Raises:
        InputError: one of the two files is there already, or cannot be written; or *bits* or
            *passphrase* cannot be used.
    """
    public_at = public_path(path)
    if not path.parent.is_dir():
        raise InputError(f"there is no directory `{path.parent}`", hint=f"make it: `mkdir -p {path.parent}`")
    for taken in (path, public_at):
        if taken.exists():
            raise InputError(
                f"`{taken}` exists already",
                hint="a key is never overwritten; give another name: `iotauth keys generate FILE`",
            )
    pem = tokens.generate(bits, passphrase)
    public_pem = tokens.public_key_pem(tokens.load_private_key(pem, passphrase, is_own=True))
    ignored = git.keep_out(path, "give another name: `iotauth keys generate FILE`")
    write_private(path, pem.reveal(), overwrite=False)
    write_public(public_at, public_pem)
    return Made(path, public_at, public_pem, bits, tokens.fingerprint(public_pem), passphrase is not None, ignored)


def public_path(path: Path) -> Path:
    """Return where the public half of the key at *path* lies: `doors.pub.pem` beside `doors.pem`."""
    return path.with_name(f"{path.stem}.pub{path.suffix}")


def open_key(path: Path, passphrase: Secret | None = None, passphrase_file: Path | None = None) -> Opened:
    """Read a private key. *passphrase_file* is read only if the key wants a passphrase and none was given.

    Raises:
        InputError: there is no such file, or it holds no key that can sign for AWS IoT.
    """
    pem = Secret(require_text(path))
    if tokens.is_encrypted(pem) and passphrase is None and passphrase_file is not None:
        passphrase = read_passphrase(passphrase_file)
    try:
        key = tokens.load_private_key(pem, passphrase)
    except InputError as problem:
        if "BEGIN PUBLIC KEY" in pem.reveal():
            raise InputError(f"`{path}` is the public half of a key", "sign with the private one") from problem
        needs_one = tokens.is_encrypted(pem) and passphrase is None
        raise InputError(f"`{path}`: {problem.message}", OPEN_IT if needs_one else problem.hint) from problem
    return Opened(key, wider_than_it_should_be(path))


def wider_than_it_should_be(path: Path) -> str | None:
    """Say so if others can read the private key at *path*. Secrets that a system hands in are often so, and needed."""
    mode = path.stat().st_mode
    return f"`{path}` can be read by others; close it: `chmod 600 {path}`" if mode & BY_OTHERS else None


def read_passphrase(path: Path) -> Secret:
    """Return the passphrase in a file, without the line end that an editor adds."""
    return Secret(re.sub(r"\r?\n\Z", "", require_text(path)))


def require_text(path: Path) -> str:
    text = read_text(path)
    if text is None:
        raise InputError(f"there is no file `{path}`", hint="see which keys there are with `ls`")
    return text


def sign(token: Secret, key: RSAPrivateKey) -> Signature:
    """Sign *token* as it is.

    Raises:
        InputError: the token would not arrive as it is signed.
    """
    return Signature(token, tokens.sign(check_token(token.reveal()), key))


def kept_signer(store: Store, authorizer: str, passphrase_file: Path | None = None) -> Signer:
    """Return who signs for *authorizer* with the key that this project keeps.

    Raises:
        InputError: it keeps none.
    """
    keyring = Keyring.of(store, authorizer)
    passphrase = read_passphrase(passphrase_file) if passphrase_file is not None else None
    found = signer_of(keyring, passphrase)
    if found is None:
        raise InputError(
            f"no key of authorizer `{authorizer}` is kept in `{keyring.folder}`",
            hint="name one: `--key FILE`; make one with `iotauth keys generate FILE`",
        )
    return found


def for_clients(
    store: Store, authorizer: str, key: Path | None = None, passphrase_file: Path | None = None
) -> TokenWish | None:
    """Return what clients of *authorizer* get of signed tokens, and None if nothing.

    The key of the user's own in file *key* signs, else the one that is kept.

    Raises:
        InputError: as `open_key`; or a key was given, and the authorizer wants no signed tokens.
    """
    if key is not None:
        return token_wish(store, authorizer, open_key(key, None, passphrase_file).key, None)
    passphrase = read_passphrase(passphrase_file) if passphrase_file is not None else None
    return token_wish(store, authorizer, None, passphrase)


def token_key_name(store: Store, authorizer: str) -> str:
    """Return under which name devices send their token to *authorizer*, as far as this project knows."""
    signing = Keyring.of(store, authorizer).signing
    return signing.token_key_name if signing else TOKEN_KEY_NAME


def signer_with(path: Path, store: Store, authorizer: str, passphrase_file: Path | None = None) -> Signer:
    """Return who signs for *authorizer* with the private key in a file of the user's own."""
    return Signer(open_key(path, None, passphrase_file).key, token_key_name(store, authorizer))


def for_client(signer: Signer, authorizer: str, client_id: str, now: int) -> ForClient:
    return ForClient(client_id, authorizer, signer.issue(client_id, now))


def public_of(path: Path, passphrase: Secret | None = None, passphrase_file: Path | None = None) -> str:
    """Return the public key in *path*, or the public half of the private one there."""
    text = require_text(path)
    if "PRIVATE KEY" in text:
        return tokens.public_key_pem(open_key(path, passphrase, passphrase_file).key)
    try:
        tokens.load_public_key(text)
    except InputError as problem:
        raise InputError(f"`{path}`: {problem.message}", problem.hint) from problem
    return text


def keys_of(session: Session, authorizer: str) -> Mapping[str, str]:
    """Return the public keys that AWS IoT has of *authorizer*, by name.

    Raises:
        NotFound: there is no such authorizer.
        InputError: it asks for no signed token.
    """
    found = iot.find(session, authorizer)
    if found is None:
        raise NotFound(
            f"there is no authorizer `{authorizer}` in {session.target.label}",
            hint="give the public key itself: `iotauth keys verify TOKEN --key FILE`",
        )
    if found.signing_disabled:
        raise InputError(
            f"authorizer `{authorizer}` asks for no signed token, and has no key",
            hint="give the public key itself: `iotauth keys verify TOKEN --key FILE`",
        )
    return found.token_signing_public_keys


def verify(token: str, signature: str, keys: Mapping[str, str], of: str) -> Verdict:
    """Tell whether *signature* is that of *token* under one of *keys*; where not, whether a usual mistake explains it.

    *of* says in words whose keys they are.
    """
    signed_by = whose(token, signature, keys)
    if signed_by is not None:
        return Verdict(True, of, signed_by)
    return Verdict(False, of, why_not=next(mistakes(token, signature, keys), None))


def whose(token: str, signature: str, keys: Mapping[str, str]) -> str | None:
    return next((name for name, pem in keys.items() if tokens.verify(token, signature, pem)), None)


def mistakes(token: str, signature: str, keys: Mapping[str, str]) -> Iterator[str]:
    """Yield which mistake would explain a signature that is none of *token*'s."""
    plain = unquote(signature)
    if plain != signature and is_by_one(token, plain, keys):
        yield "it is percent-encoded, as a user name carries it; give it as `openssl base64 -A` prints it"
    if is_by_one(token, signature.replace(" ", "+"), keys):
        yield "each `+` of it has become a space; percent-encode it where it stands in a user name or a query string"
    standard = signature.translate(str.maketrans("-_", "+/"))
    if is_by_one(token, standard + "=" * (-len(standard) % 4), keys):
        yield "it is written in base64url, and AWS IoT takes standard Base64"
    if is_by_one(token + "\n", signature, keys):
        yield "a line end was signed with the token; use `printf %s TOKEN`, which adds none"


def is_by_one(token: str, signature: str, keys: Mapping[str, str]) -> bool:
    return whose(token, signature, keys) is not None
