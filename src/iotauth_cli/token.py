"""Keys that sign device tokens, and the signatures that AWS IoT checks before it calls the function.

The signature is RSASSA-PKCS1-v1_5 with SHA-256 over the exact bytes of the token, written as
standard base64 on one line; the key is RSA of 2,048 bits or more. AWS IoT keeps the public keys
and tries each. Without a valid signature the function is never called, so strangers cost nothing.
The padding is deterministic: a token and its signature together are a password that never ends.
Source: AWS IoT developer guide, "Custom authentication" (its OpenSSL and Node recipes) and
"Creating and managing custom authorizers" for the key.
"""

from __future__ import annotations

import base64
from functools import lru_cache
from typing import TYPE_CHECKING

from iotauth_cli.errors import InputError
from iotauth_cli.secret import Secret

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey
    from cryptography.hazmat.primitives.serialization import Encoding

MIN_BITS = 2048  # AWS IoT refuses less
SIZES = (2048, 3072, 4096)  # bits; at 4,096 a signature costs six times as much as at 2,048
PUBLIC_EXPONENT = 65537
MAKE_A_KEY = "make one with `iotauth keys generate FILE`"
MAX_PASSPHRASE = 1023  # bytes; OpenSSL's PEM_BUFSIZE, less the end
SHORT = 16  # letters of a digest: 96 bits
CACHED_KEYS = 32  # public keys kept parsed: more than authorizers have in rotation


def generate(bits: int = MIN_BITS, passphrase: Secret | None = None) -> Secret:
    """Return a new private key of *bits*, one of `SIZES`, as PEM (PKCS #8), encrypted if there is a *passphrase*.

    Raises:
        InputError: *bits* is another size, or the passphrase is empty or longer than OpenSSL reads.
    """
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import rsa

    if bits not in SIZES:
        raise InputError(f"a key of {bits} bits is not made here", f"use one of {', '.join(map(str, SIZES))}")
    encryption: serialization.KeySerializationEncryption = serialization.NoEncryption()
    if passphrase is not None:
        encryption = serialization.BestAvailableEncryption(_checked(passphrase))
    key = rsa.generate_private_key(PUBLIC_EXPONENT, bits)
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, encryption)
    return Secret(pem.decode("ascii"))


def is_encrypted(pem: Secret) -> bool:
    """Tell whether *pem* wants a passphrase, in either of the two forms that OpenSSL writes."""
    text = pem.reveal()
    return "BEGIN ENCRYPTED PRIVATE KEY" in text or "Proc-Type: 4,ENCRYPTED" in text


def load_private_key(pem: Secret, passphrase: Secret | None = None, *, is_own: bool = False) -> RSAPrivateKey:
    """Return the private key in *pem*, decrypted with *passphrase* if it is encrypted.

    *is_own* says that this tool made the key and has guarded it since: its primes are then not
    checked again, which would take a hundred times as long as a signature.

    Raises:
        InputError: not a private key, not RSA, too short, or the passphrase does not fit.
    """
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import rsa

    password = passphrase.reveal().encode() if passphrase is not None else None
    try:
        key = serialization.load_pem_private_key(pem.reveal().encode(), password, unsafe_skip_rsa_key_validation=is_own)
    except TypeError as error:
        raise _passphrase_error(passphrase) from error
    except (ValueError, UnsupportedAlgorithm) as error:
        raise _unreadable(passphrase) from error
    if not isinstance(key, rsa.RSAPrivateKey):
        raise InputError("the private key is not an RSA key", MAKE_A_KEY)
    _check_size(key.key_size, "the private key")
    return key


def load_public_key(pem: str) -> RSAPublicKey:
    """Return the public key in *pem*, which begins with ``-----BEGIN PUBLIC KEY-----``.

    Raises:
        InputError: not a public key, not RSA, or too short.
    """
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import rsa

    try:
        key = serialization.load_pem_public_key(pem.encode())
    except (ValueError, UnsupportedAlgorithm) as error:
        raise InputError(
            "the public key is not a PEM public key",
            "make one from the private key with `openssl pkey -in KEY -pubout`",
        ) from error
    if not isinstance(key, rsa.RSAPublicKey):
        raise InputError("the public key is not an RSA key", "AWS IoT verifies tokens with RSA only")
    _check_size(key.key_size, "the public key")
    return key


def public_key_pem(key: RSAPrivateKey) -> str:
    """Return the public half of *key* as AWS IoT takes it among ``tokenSigningPublicKeys``."""
    from cryptography.hazmat.primitives.serialization import Encoding

    return _public_bytes(key.public_key(), Encoding.PEM).decode("ascii")


def fingerprint(public_pem: str) -> str:
    """Return a short name for a public key, the same for every way to write its PEM.

    It is ``SHA256:`` and the base64 of the SHA-256 of the key's DER (SubjectPublicKeyInfo),
    without padding.

    Raises:
        InputError: as `load_public_key`.
    """
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.serialization import Encoding

    digest = hashes.Hash(hashes.SHA256())
    digest.update(_public_bytes(load_public_key(public_pem), Encoding.DER))
    return "SHA256:" + base64.b64encode(digest.finalize()).decode("ascii").rstrip("=")


def short_fingerprint(public_pem: str) -> str:
    """Return the beginning of the key's digest, by which a client's row says who signed its token.

    Raises:
        InputError: as `load_public_key`.
    """
    return fingerprint(public_pem).removeprefix("SHA256:")[:SHORT]


def sign(token: str, key: RSAPrivateKey) -> str:
    """Return the signature of *token*'s UTF-8 bytes: base64, one line, as TestInvokeAuthorizer takes it.

    In a user name or a query string it must still be percent-encoded.

    Raises:
        InputError: *token* cannot be written as UTF-8.
    """
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import padding

    try:
        message = token.encode()
    except UnicodeEncodeError as error:
        raise InputError("the token is not text that UTF-8 can carry") from error
    return base64.b64encode(key.sign(message, padding.PKCS1v15(), hashes.SHA256())).decode("ascii")


def verify(token: str, signature: str, public_pem: str) -> bool:
    """Tell whether *signature* (standard base64 on one line) is that of *token* under the key.

    Whatever is malformed, the key included, verifies nothing; nothing is raised.
    """
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import padding

    try:
        key = _cached_public_key(public_pem)
        raw = base64.b64decode(signature, validate=True)
        key.verify(raw, token.encode(), padding.PKCS1v15(), hashes.SHA256())
    except (InputError, InvalidSignature, ValueError):
        return False
    return True


_cached_public_key = lru_cache(CACHED_KEYS)(load_public_key)


def _public_bytes(key: RSAPublicKey, encoding: Encoding) -> bytes:
    from cryptography.hazmat.primitives.serialization import PublicFormat

    return key.public_bytes(encoding, PublicFormat.SubjectPublicKeyInfo)


def _checked(passphrase: Secret) -> bytes:
    data = passphrase.reveal().encode()
    if not 1 <= len(data) <= MAX_PASSPHRASE:
        problem = "is empty" if not data else f"is longer than {MAX_PASSPHRASE} bytes"
        raise InputError(f"the passphrase {problem}", "choose another, or leave it out")
    return data


def _check_size(bits: int, what: str) -> None:
    if bits < MIN_BITS:
        raise InputError(
            f"{what} has {bits} bits; AWS IoT wants {MIN_BITS} or more",
            MAKE_A_KEY,
        )


def _passphrase_error(passphrase: Secret | None) -> InputError:
    if passphrase is None:
        return InputError("the private key is encrypted and no passphrase was given", "give its passphrase")
    return InputError("the private key is not encrypted but a passphrase was given", "leave the passphrase out")


def _unreadable(passphrase: Secret | None) -> InputError:
    if passphrase is not None:
        return InputError("the private key does not open with this passphrase", "check the passphrase and the file")
    return InputError("this is not an intact private key in PEM", "it begins with `-----BEGIN PRIVATE KEY-----`")
