"""What a certificate says of itself, read from a verified handshake or from its bytes."""

from __future__ import annotations

import ipaddress
import ssl
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Certificate:
    """A certificate's names and term; subject and issuer by their common names, times in UTC."""

    subject: str
    issuer: str
    not_before: datetime
    not_after: datetime
    names: tuple[str, ...]

    def facts(self) -> dict[str, Any]:
        return {
            "subject": self.subject,
            "issuer": self.issuer,
            "not_before": stamp(self.not_before),
            "not_after": stamp(self.not_after),
            "names": list(self.names),
        }


def stamp(moment: datetime) -> str:
    return moment.astimezone(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def from_peer(peer: Mapping[str, Any]) -> Certificate:
    """Read what `SSLSocket.getpeercert` gives: free, but only there after a verified handshake."""
    return Certificate(
        subject=flat(peer["subject"]),
        issuer=flat(peer["issuer"]),
        not_before=moment(peer["notBefore"]),
        not_after=moment(peer["notAfter"]),
        names=tuple(spelled(kind, value) for kind, value in peer.get("subjectAltName", ())),
    )


def chain_of(tls: ssl.SSLSocket) -> list[Certificate]:
    """Return the chain that was verified, the server's own certificate first, the root that vouches last.

    Python has a public name for it since 3.13; before, the socket's inner object has it. Empty if neither does.
    """
    inner = getattr(tls, "_sslobj", None)
    give = getattr(tls, "get_verified_chain", None) or getattr(inner, "get_verified_chain", None)
    chain = give() if give is not None else None
    return [from_der(each) if isinstance(each, bytes) else from_peer(each.get_info()) for each in chain or ()]


def root_facts(chain: Sequence[Certificate]) -> dict[str, Any]:
    """Return who signed for whom, up to the root: of a root alone there is nothing to tell."""
    if len(chain) < 2:
        return {}
    return {
        "chain": [each.subject for each in chain[1:-1]],
        "root": chain[-1].subject,
        "root_not_after": stamp(chain[-1].not_after),
    }


def spelled(kind: str, value: str) -> str:
    """Return an alternative name as people write it: ssl gives `::1` in eight groups."""
    return str(ipaddress.ip_address(value)) if kind == "IP Address" else value


def moment(text: str) -> datetime:
    return datetime.fromtimestamp(ssl.cert_time_to_seconds(text), timezone.utc)


def flat(name: Sequence[Sequence[tuple[str, str]]]) -> str:
    parts = {key: value for relative_name in name for key, value in relative_name}
    return parts.get("commonName") or parts.get("organizationName") or ", ".join(parts.values())


def from_der(der: bytes) -> Certificate:
    """Read a certificate that nobody has verified.

    Raises:
        ValueError: *der* is not a certificate.
    """
    from cryptography import x509

    found = x509.load_der_x509_certificate(der)
    try:
        listed = found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        names = tuple(str(name.value) for name in listed)
    except x509.ExtensionNotFound:
        names = ()
    return Certificate(
        subject=short_name(found.subject),
        issuer=short_name(found.issuer),
        not_before=found.not_valid_before_utc,
        not_after=found.not_valid_after_utc,
        names=names,
    )


def short_name(name: Any) -> str:
    from cryptography.x509.oid import NameOID

    for kind in (NameOID.COMMON_NAME, NameOID.ORGANIZATION_NAME):
        if found := name.get_attributes_for_oid(kind):
            return str(found[0].value)
    return str(name.rfc4514_string())


def ca_facts(path: Path) -> dict[str, Any]:
    """Return how many roots a CA file holds and, of a single one, subject and end; {} if it cannot be read."""
    from cryptography import x509

    try:
        pem = path.read_bytes()
        roots = pem.count(b"-----BEGIN CERTIFICATE-----")
        if roots != 1:
            return {"ca_roots": roots}
        ca = x509.load_pem_x509_certificate(pem)
    except (OSError, ValueError):
        return {}
    return {"ca_roots": 1, "ca_subject": short_name(ca.subject), "ca_not_after": stamp(ca.not_valid_after_utc)}
