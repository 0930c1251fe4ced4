"""The development CA: what lets a device check that it talks to this emulator and nothing else.

Made once per state directory and kept, because devices and test suites are given ``ca.pem`` and must not be
given another one at every start. Its key is worth little when it leaks: critical name constraints hold it to
``localhost`` and loopback addresses. Only a CA that is made for the proxy may also sign for the endpoint's own
two names at AWS, which nobody else's devices ask for. The server's certificate is renewed without asking.
"""

from __future__ import annotations

import ipaddress
import ssl
import tempfile
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import TypeVar

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from iotauth_cli import files
from iotauth_cli.errors import EmulatorError

CA_LIFETIME = timedelta(days=3653)
LEAF_LIFETIME = timedelta(days=397)  # the most that Apple's TLS accepts is 398
RENEW_BEFORE_END = timedelta(days=30)
CLOCK_SKEW = timedelta(hours=1)  # a board that has just got the time may be a little behind
ALPN_MQTT = "mqtt"
ALPN_CERTIFICATE = "x-amzn-mqtt-ca"
ALPN = (ALPN_MQTT, ALPN_CERTIFICATE, "http/1.1")

CA_FILE, CA_KEY_FILE = "ca.pem", "ca-key.pem"
CERTIFICATE_FILE, KEY_FILE = "server.pem", "server-key.pem"
FILE_NAMES = (CA_FILE, CA_KEY_FILE, CERTIFICATE_FILE, KEY_FILE)
LOOPBACK_NETWORKS = (ipaddress.ip_network("127.0.0.0/8"), ipaddress.ip_network("::1/128"))
LOOPBACK_ADDRESSES = (ipaddress.ip_address("127.0.0.1"), ipaddress.ip_address("::1"))

_Address = ipaddress.IPv4Address | ipaddress.IPv6Address | ipaddress.IPv4Network | ipaddress.IPv6Network
T = TypeVar("T")


@dataclass(frozen=True)
class Certificates:
    """Where the CA certificate and the server's certificate and key lie, as PEM."""

    ca_file: Path
    certificate_file: Path
    key_file: Path


@dataclass(frozen=True)
class _Pair:
    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey


def ensure(
    directory: Path, host_names: Sequence[str], now: datetime, *, foreign_names: Sequence[str] = ()
) -> Certificates:
    """Make or renew what is missing in *directory* and return where it lies.

    *host_names* are the names beside ``localhost`` that the server answers to; each ends in ``.localhost`` or
    is among *foreign_names*, for which a CA that is made now may sign as well. *now* has a time zone.

    Raises:
        EmulatorError: a file is not what this function wrote, the CA is past its end, or may not sign for a name.
    """
    names = sorted({"localhost", *host_names})
    for name in names:
        _check_name(name, foreign_names)
    ca = _load_or_make_ca(directory, now, foreign_names)
    _check_permission(directory, ca.certificate, foreign_names)
    leaf = _load_leaf(directory, ca)
    if leaf is None or not _serves(leaf.certificate, names, now):
        _write(directory, CERTIFICATE_FILE, KEY_FILE, _make_leaf(ca, names, now))
    return Certificates(directory / CA_FILE, directory / CERTIFICATE_FILE, directory / KEY_FILE)


def server_context(certificates: Certificates) -> ssl.SSLContext:
    """Return the TLS settings of the data port: TLS 1.2 and newer, AWS IoT's ALPN names.

    No session tickets: a resumed session would skip the handshake that devices are tested for.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.options |= ssl.OP_NO_TICKET
    context.num_tickets = 0  # TLS 1.3's, which the option above does not cover
    context.set_alpn_protocols(list(ALPN))
    load(context, certificates)
    return context


def expired_context(directory: Path, host_names: Sequence[str], now: datetime) -> ssl.SSLContext:
    """Return the same settings with a certificate of *directory*'s CA that was good until yesterday.

    Raises:
        EmulatorError: the CA cannot be read.
    """
    ca = _load(directory, CA_FILE, CA_KEY_FILE)
    names = sorted({"localhost", *host_names})
    with tempfile.TemporaryDirectory() as folder:  # TLS takes keys from files only
        _write(Path(folder), CERTIFICATE_FILE, KEY_FILE, _make_leaf(ca, names, now - LEAF_LIFETIME - timedelta(days=1)))
        return server_context(Certificates(directory / CA_FILE, Path(folder, CERTIFICATE_FILE), Path(folder, KEY_FILE)))


def load(context: ssl.SSLContext, certificates: Certificates) -> None:
    """Let *context* show the server's certificate as it is now to those who connect from now on."""
    context.load_cert_chain(certificates.certificate_file, certificates.key_file)


def _check_name(name: str, foreign_names: Sequence[str]) -> None:
    if name != "localhost" and not name.endswith(".localhost") and name not in foreign_names:
        raise EmulatorError(
            f"the emulator's certificate may not name `{name}`: its CA is held to localhost",
            "use a name that ends in `.localhost`",
        )


def _check_permission(directory: Path, ca: x509.Certificate, foreign_names: Sequence[str]) -> None:
    permitted = ca.extensions.get_extension_for_class(x509.NameConstraints).value.permitted_subtrees or []
    if any(x509.DNSName(name) not in permitted for name in foreign_names):
        raise EmulatorError(
            f"the emulator's CA `{directory / CA_FILE}` may not sign for `{foreign_names[0]}`: "
            "it was not made for this proxy",
            _new_ca_hint(directory),
        )


def _load_or_make_ca(directory: Path, now: datetime, foreign_names: Sequence[str]) -> _Pair:
    if not (directory / CA_FILE).exists() and not (directory / CA_KEY_FILE).exists():
        ca = _make_ca(now, foreign_names)
        _write(directory, CA_FILE, CA_KEY_FILE, ca)
        return ca
    ca = _load(directory, CA_FILE, CA_KEY_FILE)
    if not _is_ca(ca.certificate):
        raise EmulatorError(f"`{directory / CA_FILE}` is not the emulator's CA", _new_ca_hint(directory))
    if now > ca.certificate.not_valid_after_utc:
        end = f"{ca.certificate.not_valid_after_utc:%Y-%m-%d}"
        raise EmulatorError(f"the emulator's CA `{directory / CA_FILE}` expired on {end}", _new_ca_hint(directory))
    return ca


def _is_ca(certificate: x509.Certificate) -> bool:
    try:
        constraints = certificate.extensions.get_extension_for_class(x509.BasicConstraints)
        certificate.extensions.get_extension_for_class(x509.NameConstraints)  # foreign CAs have none
    except x509.ExtensionNotFound:
        return False
    return constraints.value.ca


def _load_leaf(directory: Path, ca: _Pair) -> _Pair | None:
    """Return the server's certificate, or None when there is none yet."""
    if not (directory / CERTIFICATE_FILE).exists() and not (directory / KEY_FILE).exists():
        return None
    leaf = _load(directory, CERTIFICATE_FILE, KEY_FILE)
    try:
        leaf.certificate.verify_directly_issued_by(ca.certificate)
    except (ValueError, TypeError, InvalidSignature) as error:
        raise EmulatorError(
            f"`{directory / CERTIFICATE_FILE}` was not issued by the emulator's CA `{CA_FILE}` beside it",
            f"remove `{CERTIFICATE_FILE}` and `{KEY_FILE}` there and start again; new ones are made",
        ) from error
    return leaf


def _serves(leaf: x509.Certificate, names: Sequence[str], now: datetime) -> bool:
    """Tell whether *leaf* is good for *names* for some time yet."""
    if not leaf.not_valid_before_utc <= now <= leaf.not_valid_after_utc - RENEW_BEFORE_END:
        return False
    alternative = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    return set(names) <= set(alternative.get_values_for_type(x509.DNSName))


def _make_ca(now: datetime, foreign_names: Sequence[str]) -> _Pair:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "iotauth emulator development CA")])
    builder = (
        _builder(name, name, key, now, CA_LIFETIME)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_key_usage(signs_certificates=True), critical=True)
        .add_extension(x509.NameConstraints(_permitted(foreign_names), excluded_subtrees=None), critical=True)
    )
    return _Pair(builder.sign(key, hashes.SHA256()), key)


def _make_leaf(ca: _Pair, names: Sequence[str], now: datetime) -> _Pair:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "iotauth emulator")])
    lifetime = min(LEAF_LIFETIME, ca.certificate.not_valid_after_utc - now)
    builder = (
        _builder(subject, ca.certificate.subject, key, now, lifetime)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_key_usage(signs_certificates=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(ca.key.public_key()), critical=False)
        .add_extension(x509.SubjectAlternativeName(_general_names(names, LOOPBACK_ADDRESSES)), critical=False)
    )
    return _Pair(builder.sign(ca.key, hashes.SHA256()), key)


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey, now: datetime, lifetime: timedelta
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - CLOCK_SKEW)
        .not_valid_after(now + lifetime)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )


def _permitted(foreign_names: Sequence[str]) -> list[x509.GeneralName]:
    return _general_names(["localhost", *foreign_names], LOOPBACK_NETWORKS)


def _general_names(names: Iterable[str], addresses: Iterable[_Address]) -> list[x509.GeneralName]:
    return [*map(x509.DNSName, names), *map(x509.IPAddress, addresses)]


def _key_usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _load(directory: Path, certificate_name: str, key_name: str) -> _Pair:
    """Read a certificate and its key, and make sure that they belong together."""
    certificate = _parse(directory / certificate_name, "certificate", x509.load_pem_x509_certificate)
    key = _parse(directory / key_name, "private key", lambda pem: serialization.load_pem_private_key(pem, None))
    if not isinstance(key, ec.EllipticCurvePrivateKey) or certificate.public_key() != key.public_key():
        raise EmulatorError(
            f"`{directory / key_name}` is not the key of `{certificate_name}` beside it",
            f"remove both and start again; clients of a new CA need its `{CA_FILE}`",
        )
    return _Pair(certificate, key)


def _parse(path: Path, kind: str, parse: Callable[[bytes], T]) -> T:
    try:
        return parse(path.read_bytes())
    except (OSError, ValueError, TypeError, UnsupportedAlgorithm) as error:
        missing = isinstance(error, FileNotFoundError)
        problem = f"`{path}` is missing" if missing else f"`{path}` is not a {kind} that can be read"
        raise EmulatorError(problem, _new_ca_hint(path.parent)) from error


def _new_ca_hint(directory: Path) -> str:
    return f"remove the `*.pem` files in `{directory}` and start again; clients then need the new `{CA_FILE}`"


def _write(directory: Path, certificate_name: str, key_name: str, pair: _Pair) -> None:
    key = pair.key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    files.write_private(directory / key_name, key)
    files.write_private(directory / certificate_name, pair.certificate.public_bytes(serialization.Encoding.PEM))
