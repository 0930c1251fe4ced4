"""Device secrets: making them, hashing them, checking them.

A generated secret carries 160 bits, so one salted HMAC keeps it as safe as any slow hash
would: guessing 2^160 values is no nearer at a millionth of a second each. A password that
a person chose is hashed with scrypt instead. Both bind the client id, so that a hash
copied to another device's row lets nobody in. Hashes that other systems made (PBKDF2, Mosquitto's
SHA-512) are checked as they are, without that bond.

This is the only module that names a hash function for secrets.
"""

from __future__ import annotations

import binascii
import hashlib
import hmac
import os
import re
from typing import Literal, NamedTuple

PREFIX = "iota_"
PATTERN = r"\biota_[0-9A-Za-z]{33}\b"  # for scanners: prefix, 27 random letters, 6 of checksum

SlotState = Literal["active", "pending", "retiring", "retired"]

_LETTERS = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_BODY_LETTERS = 27  # log2(62) x 27 = 160.8 bits
_CHECKSUM_LETTERS = 6  # 62^6 > 2^32
_SALT_BYTES = 16
_FAST = "iota-hmac-sha256"
_SLOW = "scrypt"
_PBKDF2 = {"pbkdf2-sha256": "sha256", "pbkdf2-sha512": "sha512"}  # scheme: its hash function
_SALTED = "salted-sha512"  # SHA-512 of password and salt: Mosquitto before 2.0
_MAX_ITERATIONS = 600_000  # of PBKDF2: 0.1 s of a full core, and a row asking for more is malformed, not obeyed
_MIN_DIGEST_BYTES = 20  # a shorter one could be met by chance
_MAX_DIGEST_BYTES = 64
_SCRYPT_MEMORY = 64 * 1024 * 1024  # bytes; a row asking for more is malformed, not obeyed
_SCRYPT_BLOCKS = 16  # highest r and p that a row may ask for, so that it cannot eat the 5 seconds

# Bytes from 248 on are dropped, not wrapped: 248 = 4 x 62, so each letter stays equally likely.
_LETTER_OF_BYTE = bytes(_LETTERS[byte % 62] for byte in range(256))
_DROPPED_BYTES = bytes(range(248, 256))


class Profile(NamedTuple):
    """How dear a hash is. *log2_n*, *r*, *p* are scrypt's, *iterations* PBKDF2's; 0 for the others."""

    scheme: str
    log2_n: int = 0
    r: int = 0
    p: int = 0
    iterations: int = 0


GENERATED = Profile(_FAST)
HUMAN = Profile(_SLOW, log2_n=14, r=8, p=5)  # OWASP's equal of 2^17, 8, 1 in an eighth of its memory
CHEAPEST = Profile(_SLOW, log2_n=1, r=1, p=1)  # for tests: scrypt's code path at no cost

# No secret is known to give this digest. Checked in place of a client's own hash when there is none.
DUMMY = f"${_FAST}$v=1${'A' * 22}${'A' * 43}"


class Slot(NamedTuple):
    """One of a client's two secrets, as stored. Times are epoch seconds.

    `active` and `retiring` authenticate; so does `pending`, whose first use the function
    records in *first_used_at*; `retired` does not. A retiring one without *expires_at* gets it
    at that first use: *grace_s* later.
    """

    hash: str
    created_at: int
    state: SlotState = "active"
    expires_at: int | None = None
    first_used_at: int | None = None
    grace_s: int | None = None

    def __repr__(self) -> str:
        return f"Slot(state={self.state!r}, created_at={self.created_at}, …)"


def new_secret() -> str:
    """Make a device secret: letters, digits and `_` only, 160 bits, with a checksum at its end."""
    body = _random_letters(_BODY_LETTERS)
    return f"{PREFIX}{body}{_checksum(body)}"


def is_intact(text: str) -> bool:
    """Tell whether *text* is a generated secret without a typing mistake. Asks nobody."""
    if not re.fullmatch(PATTERN, text, re.ASCII):
        return False
    body = text[len(PREFIX) : -_CHECKSUM_LETTERS]
    return text.endswith(_checksum(body))


def profile_for(secret: str) -> Profile:
    """Return the profile that *secret* deserves: the fast hash only for what iotauth generated."""
    return GENERATED if is_intact(secret) else HUMAN


def hash_secret(secret: bytes, client_id: str, profile: Profile = GENERATED) -> str:
    """Hash *secret* for the row of *client_id* with a fresh salt; the text tells how it was made.

    `$iota-hmac-sha256$v=1$<salt>$<digest>` or `$scrypt$ln=14,r=8,p=5$<salt>$<digest>`,
    in base64 without padding.
    """
    salt = os.urandom(_SALT_BYTES)
    digest = _digest(profile, salt, _bound(secret, client_id))
    return f"${profile.scheme}${_parameters(profile)}${_encode(salt)}${_encode(digest)}"


def verify(encoded: str, client_id: str, secret: bytes) -> bool:
    """Tell whether *encoded* is the hash of *secret* for *client_id*, in constant time.

    A hash that cannot be read, or that asks for more work than a row may, is no match.
    """
    try:
        profile, salt, expected = _parse(encoded)
        # What another system hashed is the password alone: it knew nothing of client ids.
        message = secret if _is_foreign(profile) else _bound(secret, client_id)
        return hmac.compare_digest(_digest(profile, salt, message, len(expected)), expected)
    except ValueError:
        return False


def foreign_hash(scheme: str, salt: bytes, digest: bytes, iterations: int = 0) -> str:
    """Return a hash that another system made, in the form that a row holds.

    *scheme* is `pbkdf2-sha256`, `pbkdf2-sha512` or `salted-sha512`:
    `$pbkdf2-sha512$i=101$<salt>$<digest>`, in base64 without padding.

    Raises:
        ValueError: the function would not check it: another scheme, too many iterations, too short.
    """
    parameters = f"i={iterations}" if scheme in _PBKDF2 else "v=1"
    encoded = f"${scheme}${parameters}${_encode(salt)}${_encode(digest)}"
    profile, _, _ = _parse(encoded)
    if not _is_foreign(profile):
        raise ValueError("a hash of ours is bound to its client id")
    return encoded


def needs_rehash(encoded: str, profile: Profile) -> bool:
    """Tell whether *encoded* was made otherwise than *profile* would make it today."""
    try:
        return _parse(encoded)[0] != profile
    except ValueError:
        return True


def equal(left: bytes, right: bytes) -> bool:
    """Compare two secrets in constant time; not even their lengths show."""
    return hmac.compare_digest(hashlib.sha256(left).digest(), hashlib.sha256(right).digest())


def fingerprint(text: str) -> str:
    """Return 20 hexadecimal digits that stand for *text*. For names; not for secrets."""
    return hashlib.sha256(text.encode()).hexdigest()[:20]


def _random_letters(count: int) -> str:
    letters = b""
    while len(letters) < count:
        letters += os.urandom(2 * count).translate(_LETTER_OF_BYTE, _DROPPED_BYTES)
    return letters[:count].decode()


def _checksum(body: str) -> str:
    rest = binascii.crc32(body.encode())
    letters = bytearray()
    for _ in range(_CHECKSUM_LETTERS):
        rest, digit = divmod(rest, 62)
        letters.append(_LETTERS[digit])
    letters.reverse()
    return letters.decode()


def _bound(secret: bytes, client_id: str) -> bytes:
    # The length in front keeps ("a", "bc") and ("ab", "c") apart.
    name = client_id.encode()
    return b"%d:%s:%s" % (len(name), name, secret)


def _is_foreign(profile: Profile) -> bool:
    return profile.scheme in _PBKDF2 or profile.scheme == _SALTED


def _digest(profile: Profile, salt: bytes, message: bytes, size: int = 32) -> bytes:
    if profile.scheme == _FAST:
        return hmac.digest(salt, message, "sha256")
    if profile.scheme == _SALTED:
        return hashlib.sha512(message + salt).digest()
    if profile.scheme in _PBKDF2:
        return hashlib.pbkdf2_hmac(_PBKDF2[profile.scheme], message, salt, profile.iterations, size)
    return hashlib.scrypt(
        message, salt=salt, n=1 << profile.log2_n, r=profile.r, p=profile.p, maxmem=_SCRYPT_MEMORY, dklen=32
    )


def _parameters(profile: Profile) -> str:
    return "v=1" if profile.scheme == _FAST else f"ln={profile.log2_n},r={profile.r},p={profile.p}"


def _parse(encoded: str) -> tuple[Profile, bytes, bytes]:
    """Take an encoded hash apart: its profile, its salt, its digest. ValueError when it is not one."""
    empty, scheme, parameters, salt, digest = encoded.split("$")
    if empty:
        raise ValueError("a hash begins with `$`")
    profile, raw = _parse_profile(scheme, parameters), _decode(digest)
    shortest = _MAX_DIGEST_BYTES if scheme == _SALTED else _MIN_DIGEST_BYTES  # only PBKDF2 makes any length
    if _is_foreign(profile) and not shortest <= len(raw) <= _MAX_DIGEST_BYTES:
        raise ValueError("a digest of this length is none of ours")
    return profile, _decode(salt), raw


def _parse_profile(scheme: str, parameters: str) -> Profile:
    if (scheme, parameters) == (_FAST, "v=1"):
        return GENERATED
    if (scheme, parameters) == (_SALTED, "v=1"):
        return Profile(_SALTED)
    if scheme in _PBKDF2:
        return _parse_iterations(scheme, parameters)
    costs = re.fullmatch(r"ln=(\d{1,2}),r=(\d{1,2}),p=(\d{1,2})", parameters, re.ASCII)
    if scheme != _SLOW or costs is None:
        raise ValueError("unknown hash scheme")
    log2_n, r, p = map(int, costs.groups())
    if not (1 <= log2_n <= 17 and 1 <= r <= _SCRYPT_BLOCKS and 1 <= p <= _SCRYPT_BLOCKS):
        raise ValueError("scrypt costs out of range")
    return Profile(_SLOW, log2_n, r, p)


def _parse_iterations(scheme: str, parameters: str) -> Profile:
    found = re.fullmatch(r"i=(\d{1,7})", parameters, re.ASCII)
    if found is None or not 1 <= int(found[1]) <= _MAX_ITERATIONS:
        raise ValueError("PBKDF2's iterations are out of range")
    return Profile(scheme, iterations=int(found[1]))


def _encode(data: bytes) -> str:
    return binascii.b2a_base64(data, newline=False).rstrip(b"=").decode()


def _decode(text: str) -> bytes:
    return binascii.a2b_base64(text + "=" * (-len(text) % 4))
