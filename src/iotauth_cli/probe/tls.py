"""The way to an encrypted socket. ssl's exceptions are seen only here and in `mqtt`.

The handshake is made once by hand before paho makes its own: paho reports every trouble as
"connection lost" or as a bare exception, this one knows the chain, the names and the reason.
paho's public interface takes no finished socket, and a second handshake costs milliseconds.
"""

from __future__ import annotations

import ipaddress
import socket
import ssl
from pathlib import Path
from typing import Any

import iotauth_authorizer
from iotauth_cli.errors import InputError
from iotauth_cli.probe.certificates import ca_facts, chain_of, from_der, from_peer, root_facts
from iotauth_cli.probe.stages import Endpoint, Finding, Symptom

AMAZON_ROOTS = Path(iotauth_authorizer.__file__).with_name("roots.pem")

# OpenSSL's X509_V_ERR_… (x509_vfy.h), as `SSLCertVerificationError.verify_code`.
VERIFY_SYMPTOMS = {
    2: Symptom.UNTRUSTED,  # unable to get issuer certificate
    9: Symptom.NOT_YET_VALID,
    10: Symptom.EXPIRED,
    18: Symptom.UNTRUSTED,  # self-signed leaf
    19: Symptom.UNTRUSTED,  # self-signed certificate in the chain
    20: Symptom.UNTRUSTED,  # unable to get local issuer certificate
    21: Symptom.UNTRUSTED,  # unable to verify the first certificate
    62: Symptom.WRONG_NAME,
    64: Symptom.WRONG_NAME,  # the same for an IP address
}
# `SSLError.reason`: OpenSSL's names for a first record that is no TLS …
NOT_TLS = {"WRONG_VERSION_NUMBER", "UNKNOWN_PROTOCOL", "HTTP_REQUEST", "PACKET_LENGTH_TOO_LONG"}
# … and for alert 120 (RFC 7301, section 3.2).
NO_COMMON_PROTOCOL = {"TLSV1_ALERT_NO_APPLICATION_PROTOCOL", "NO_APPLICATION_PROTOCOL"}


def build_context(endpoint: Endpoint) -> ssl.SSLContext:
    """Trust the endpoint's CA file, or Amazon's roots and the system's; offer its ALPN protocols in TLS 1.2 or newer.

    Raises:
        InputError: the CA file cannot be read or holds no certificate.
    """
    try:
        context = new_context(endpoint)
    except ssl.SSLError as error:
        raise InputError(
            f"`{endpoint.ca_file}` holds no certificate in PEM form",
            hint="give `--ca` a file that holds -----BEGIN CERTIFICATE-----",
        ) from error
    except OSError as error:
        raise InputError(
            f"the CA file `{endpoint.ca_file}` cannot be read: {(error.strerror or 'unknown').lower()}",
            hint="give another file with `--ca`, or leave it out",
        ) from error
    if endpoint.ca_file is None:
        context.load_verify_locations(AMAZON_ROOTS)  # a slim container has no roots of its own
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if endpoint.alpn:
        context.set_alpn_protocols(list(endpoint.alpn))
    return context


class Misnaming(ssl.SSLContext):
    """Send *server_name*, or none if it is empty, whoever is connected to; the chain is verified all the same."""

    server_name: str = ""

    def wrap_socket(self, *args: Any, **options: Any) -> ssl.SSLSocket:
        return super().wrap_socket(*args, **{**options, "server_hostname": self.server_name or None})


def new_context(endpoint: Endpoint) -> ssl.SSLContext:
    if endpoint.server_name is None:
        return ssl.create_default_context(cafile=endpoint.ca_file)
    context = Misnaming(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.server_name = endpoint.server_name
    context.load_verify_locations(endpoint.ca_file) if endpoint.ca_file else context.load_default_certs()
    return context


def shake_hands(
    endpoint: Endpoint, context: ssl.SSLContext, sock: socket.socket, timeout_s: float
) -> tuple[Finding, ssl.SSLSocket | None]:
    """Make the handshake over *sock*, which belongs to the result or is closed. The caller closes the result."""
    where = sock.getpeername()
    tls = context.wrap_socket(sock, server_hostname=endpoint.host, do_handshake_on_connect=False)
    try:
        tls.settimeout(timeout_s)
        tls.do_handshake()
    except BaseException as error:
        tls.close()
        if not isinstance(error, OSError):  # every ssl error is one
            raise
        facts = failure_facts(endpoint, error)
        if isinstance(error, ssl.SSLCertVerificationError):
            facts.update(presented(endpoint, where, timeout_s))
        return Finding(facts, tls_symptom(error)), None
    return Finding(success_facts(endpoint, tls)), tls


def success_facts(endpoint: Endpoint, tls: ssl.SSLSocket) -> dict[str, Any]:
    cipher = tls.cipher()
    peer = tls.getpeercert()
    return {
        "version": tls.version(),
        "cipher": cipher[0] if cipher else None,
        "server_name": sent_name(endpoint),
        **(from_peer(peer).facts() if peer else {}),
        **root_facts(chain_of(tls)),
    }


def failure_facts(endpoint: Endpoint, error: OSError) -> dict[str, Any]:
    told = getattr(error, "verify_message", "") or getattr(error, "reason", "") or error.strerror
    silence = "no answer in time" if isinstance(error, TimeoutError) else "closed"
    facts = {"error": (told or silence).lower().replace("_", " "), "server_name": sent_name(endpoint)}
    if isinstance(error, ssl.SSLCertVerificationError) and endpoint.ca_file:
        facts.update(ca_file=str(endpoint.ca_file), **ca_facts(endpoint.ca_file))
    return facts


def sent_name(endpoint: Endpoint) -> str | None:
    """Return what goes out as SNI: TLS has no server name for an address (RFC 6066, section 3)."""
    if endpoint.server_name is not None:
        return endpoint.server_name or None
    try:
        ipaddress.ip_address(endpoint.host)
    except ValueError:
        return endpoint.host
    return None


def tls_symptom(error: OSError) -> Symptom:
    """Say what a failed handshake looks like."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return VERIFY_SYMPTOMS.get(error.verify_code, Symptom.INVALID_CERTIFICATE)
    if isinstance(error, TimeoutError):
        return Symptom.TIMEOUT
    if isinstance(error, (ConnectionError, ssl.SSLEOFError, ssl.SSLZeroReturnError)):
        return Symptom.CLOSED
    reason = getattr(error, "reason", None)
    if reason in NOT_TLS:
        return Symptom.NOT_TLS
    return Symptom.NO_COMMON_PROTOCOL if reason in NO_COMMON_PROTOCOL else Symptom.TLS_FAILED


def presented(endpoint: Endpoint, where: Any, timeout_s: float) -> dict[str, Any]:
    """Return the facts of the certificate that the server shows, trusted or not; {} if it shows none.

    A failed verification leaves no certificate behind, so it is asked for once more, unverified.
    Nothing else is said over that connection.
    """
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.set_alpn_protocols(list(endpoint.alpn))
    try:
        with (
            socket.create_connection(where[:2], timeout=timeout_s) as sock,
            context.wrap_socket(sock, server_hostname=endpoint.host) as tls,
        ):
            shown = tls.getpeercert(binary_form=True)
        return from_der(shown).facts() if shown else {}
    except (OSError, ValueError):
        return {}
