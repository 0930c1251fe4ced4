"""Password hashes of other systems, as their files have them.

====================================================  ==================================================
`$7$101$<salt>$<digest>`                              `mosquitto_passwd`: PBKDF2-SHA512, its form since 2.0
`$6$<salt>$<digest>`                                  `mosquitto_passwd -H sha512`: SHA-512 of password, salt
`$pbkdf2-sha256$29000$<salt>$<digest>`, also sha512   passlib, in its own base64 (`.` for `+`)
`$pbkdf2-sha256$i=600000,l=32$<salt>$<digest>`        the PHC string format
`pbkdf2_sha256$600000$<salt>$<digest>`                Django; the salt is text
====================================================  ==================================================

What the function cannot check, because Python's standard library cannot, is refused with what to do.
"""

from __future__ import annotations

import base64
import binascii
import re

from iotauth_authorizer.credential import foreign_hash

BASE64 = r"[A-Za-z0-9+/.]+={0,2}"
FORMS = (
    ("mosquitto", re.compile(rf"\$7\$(\d+)\$({BASE64})\$({BASE64})", re.ASCII)),
    ("salted", re.compile(rf"\$6\$({BASE64})\$({BASE64})", re.ASCII)),
    ("pbkdf2", re.compile(rf"\$pbkdf2-(sha256|sha512)\$(?:i=)?(\d+)(?:,l=\d+)?\$({BASE64})\$({BASE64})", re.ASCII)),
    ("django", re.compile(rf"pbkdf2_(sha256)\$(\d+)\$([^$]+)\$({BASE64})", re.ASCII)),
)
UNCHECKABLE = (
    (re.compile(r"\$2[abxy]?\$"), "bcrypt"),
    (re.compile(r"\$argon2"), "Argon2"),
    (re.compile(r"\$y\$|\$gy\$"), "yescrypt"),
    (re.compile(r"\$5\$|\$1\$|\$apr1\$|\$sha1\$|\{"), "this kind of"),
)
RULE = "leave its hash empty and the client gets a new secret, or give its password in a column `password`"


def read_hash(text: str) -> str:
    """Return a foreign hash as a row of the table holds it.

    Raises:
        ValueError: with the sentence to show: it is none, or none that the function can check.
    """
    for name, form in FORMS:
        if found := form.fullmatch(text):
            return checked(name, found.groups())
    kind = next((name for start, name in UNCHECKABLE if start.match(text)), None)
    if kind is not None:
        raise ValueError(f"the function cannot check {kind} hashes: {RULE}")
    # The text is not repeated: it may be a password in the wrong column.
    raise ValueError("its hash is in no form that is known: Mosquitto's, passlib's, PHC's or Django's PBKDF2")


def checked(form: str, parts: tuple[str, ...]) -> str:
    """Put the *parts* of a hash together as the function reads them, within its bounds."""
    try:
        scheme, salt, digest, iterations = taken_apart(form, parts)
    except (ValueError, binascii.Error):
        # `from None`: the cause may quote the hash.
        raise ValueError("its hash is damaged: salt or digest is not base64") from None
    try:
        return foreign_hash(scheme, salt, digest, iterations)
    except ValueError as problem:
        raise ValueError(f"the function does not check its hash: {problem}") from problem


def taken_apart(form: str, parts: tuple[str, ...]) -> tuple[str, bytes, bytes, int]:
    """Return scheme, salt, digest and iterations."""
    if form == "salted":
        return "salted-sha512", decoded(parts[0]), decoded(parts[1]), 0
    if form == "mosquitto":
        return "pbkdf2-sha512", decoded(parts[1]), decoded(parts[2]), int(parts[0])
    function, iterations, salt, digest = parts
    raw_salt = salt.encode() if form == "django" else decoded(salt)
    return f"pbkdf2-{function}", raw_salt, decoded(digest), int(iterations)


def decoded(text: str) -> bytes:
    plain = text.rstrip("=").replace(".", "+")  # passlib's dot
    return base64.b64decode(plain + "=" * (-len(plain) % 4), validate=True)
