"""The roots that devices trust: Amazon's, with what their own page says about them.

The certificates are the function's (`iotauth_authorizer/roots.pem`), so there is one copy to keep.
Each stands there behind two lines of comment: its name and last day, then its fingerprint.
"""

from __future__ import annotations

import base64
import hashlib
import re
from typing import NamedTuple

from iotauth_cli.bundle import authorizer_package

# AWS IoT's ATS endpoints chain to one of these, by the kind of key: RSA and ECDSA.
# Source: AWS IoT developer guide, "Server authentication", CA certificates for server authentication.
FOR_DEVICES = ("Amazon Root CA 1", "Amazon Root CA 3")
FOREIGN = "a CA that is not Amazon's"

BLOCK = re.compile(r"-----BEGIN CERTIFICATE-----\n[A-Za-z0-9+/=\n]+-----END CERTIFICATE-----\n?")
COMMENTED = re.compile(
    r"# (?P<name>.+), until (?P<until>[0-9-]{10})\n# SHA-256 (?P<sha256>[0-9a-f]{64})\n" + f"(?P<pem>{BLOCK.pattern})"
)


class Root(NamedTuple):
    """A certificate; *until* is its last day as written in the file it came from, if it was."""

    name: str
    until: str | None
    sha256: str
    pem: str

    @property
    def line(self) -> str:
        """The root in a line, for people who compare."""
        return ", ".join([self.name, *([f"until {self.until}"] if self.until else []), f"SHA-256 {self.sha256}"])


def amazon() -> tuple[Root, ...]:
    """Return the roots that a device needs for AWS IoT."""
    text = (authorizer_package() / "roots.pem").read_text(encoding="ascii")
    found = {match["name"]: Root(**match.groupdict()) for match in COMMENTED.finditer(text)}
    return tuple(found[name] for name in FOR_DEVICES)


def amazon_pem() -> str:
    return "".join(root.pem for root in amazon())


def described(ca_pem: str) -> tuple[Root, ...]:
    """Return each certificate of *ca_pem*, Amazon's own by name.

    Others are not read: that takes longer than everything else here, and their fingerprint tells them apart.
    """
    known = {root.sha256: root for root in amazon()}
    found = ((fingerprint(pem), pem) for pem in BLOCK.findall(ca_pem))
    return tuple(known.get(sha256) or Root(FOREIGN, None, sha256, pem) for sha256, pem in found)


def fingerprint(pem: str) -> str:
    """Return the SHA-256 of the certificate's DER, as `openssl x509 -fingerprint -sha256` has it, in lower case."""
    body = "".join(pem.strip().splitlines()[1:-1])
    return hashlib.sha256(base64.b64decode(body)).hexdigest()
