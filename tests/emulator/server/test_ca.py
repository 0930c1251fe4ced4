"""The development CA: who accepts its certificates, what it may sign, and what happens as time passes."""

from __future__ import annotations

import ipaddress
import shutil
import socket
import ssl
import stat
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest
from cryptography import x509

from iotauth_cli.emulator import ca
from iotauth_cli.errors import EmulatorError
from support import require_peer

NOW = datetime.now(timezone.utc).replace(microsecond=0)
DAY = timedelta(days=1)


def certificate(path: Path) -> x509.Certificate:
    return x509.load_pem_x509_certificate(path.read_bytes())


@contextmanager
def listening(context: ssl.SSLContext) -> Iterator[int]:
    """Accept TLS connections one after the other, sending each the ALPN name that was agreed."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            while True:
                try:
                    plain, _ = server.accept()
                except OSError:
                    return
                with plain:
                    try:
                        with context.wrap_socket(plain, server_side=True) as secured:
                            secured.sendall(str(secured.selected_alpn_protocol()).encode())
                    except OSError:
                        continue

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield server.getsockname()[1]
        server.shutdown(socket.SHUT_RDWR)
        thread.join(5)


def knock(
    port: int, ca_file: Path, name: str, *, alpn: list[str] | None = None, strict: bool = True
) -> tuple[str, str]:
    """Return the ALPN name and the TLS version that a careful client agrees on with the server."""
    context = ssl.create_default_context(cafile=str(ca_file))
    context.verify_flags |= ssl.VERIFY_X509_STRICT
    if alpn:
        context.set_alpn_protocols(alpn)
    with (
        socket.create_connection(("127.0.0.1", port), timeout=5) as plain,
        context.wrap_socket(plain, server_hostname=name) as secured,
    ):
        return secured.recv(100).decode(), str(secured.version())


@pytest.mark.parametrize("name", ["localhost", "127.0.0.1", "::1", "a1b2-ats.iot.eu-west-1.localhost"])
def test_a_careful_client_accepts_every_name_of_the_server(tmp_path: Path, name: str) -> None:
    """By name and by address, with strict checks and TLS 1.3, the chain holds."""
    made = ca.ensure(tmp_path, ["a1b2-ats.iot.eu-west-1.localhost"], NOW)
    with listening(ca.server_context(made)) as port:
        assert knock(port, made.ca_file, name)[1] == "TLSv1.3"


def test_a_client_refuses_a_name_that_is_not_on_the_certificate(tmp_path: Path) -> None:
    """The certificate is for the names given, not for every name there is."""
    made = ca.ensure(tmp_path, [], NOW)
    with listening(ca.server_context(made)) as port, pytest.raises(ssl.SSLCertVerificationError):
        knock(port, made.ca_file, "door.localhost")


@pytest.mark.parametrize(
    ("offered", "agreed"),
    [
        (["mqtt"], "mqtt"),
        (["x-amzn-mqtt-ca"], "x-amzn-mqtt-ca"),
        (["h2", "http/1.1"], "http/1.1"),
        (["h2"], "None"),
        (None, "None"),
    ],
)
def test_the_server_knows_the_alpn_names_of_aws_iot(tmp_path: Path, offered: list[str] | None, agreed: str) -> None:
    """AWS IoT's names are agreed on; an unknown one, h2 above all, is left aside and the handshake goes on."""
    made = ca.ensure(tmp_path, [], NOW)
    with listening(ca.server_context(made)) as port:
        assert knock(port, made.ca_file, "localhost", alpn=offered)[0] == agreed


def test_openssl_verifies_the_chain(tmp_path: Path) -> None:
    """OpenSSL's own strict check, purpose and name included, has nothing to say against it."""
    openssl = require_peer("openssl")
    made = ca.ensure(tmp_path, [], NOW)
    command = [openssl, "verify", "-x509_strict", "-purpose", "sslserver", "-verify_hostname", "localhost"]
    subprocess.run([*command, "-CAfile", made.ca_file, made.certificate_file], check=True, capture_output=True)


def test_the_ca_can_vouch_for_loopback_only(tmp_path: Path) -> None:
    """A leaked CA key signs nothing that a client would accept for a name of somebody else's."""
    openssl = require_peer("openssl")
    made = ca.ensure(tmp_path, [], NOW)
    pair = ca._load(tmp_path, ca.CA_FILE, ca.CA_KEY_FILE)
    forged = ca._make_leaf(pair, ["iot.eu-west-1.amazonaws.com"], NOW)
    ca._write(tmp_path, "forged.pem", "forged-key.pem", forged)
    refused = subprocess.run(
        [openssl, "verify", "-CAfile", made.ca_file, tmp_path / "forged.pem"], capture_output=True, text=True
    )
    assert refused.returncode != 0
    assert "permitted subtree violation" in refused.stderr


def test_the_certificates_say_what_they_are_for(tmp_path: Path) -> None:
    """Lifetimes, basic constraints, key usage and name constraints are as promised, the last three critical."""
    made = ca.ensure(tmp_path, [], NOW)
    root, leaf = certificate(made.ca_file), certificate(made.certificate_file)
    assert root.not_valid_after_utc - NOW == ca.CA_LIFETIME
    assert leaf.not_valid_after_utc - NOW == ca.LEAF_LIFETIME
    for extension in (x509.BasicConstraints, x509.KeyUsage, x509.NameConstraints):
        assert root.extensions.get_extension_for_class(extension).critical
    names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["localhost"]
    assert names.get_values_for_type(x509.IPAddress) == [
        ipaddress.ip_address("127.0.0.1"),
        ipaddress.ip_address("::1"),
    ]


def test_keys_are_private(tmp_path: Path) -> None:
    """Nobody else on the machine reads a key."""
    ca.ensure(tmp_path, [], NOW)
    for name in (ca.CA_KEY_FILE, ca.KEY_FILE):
        assert stat.S_IMODE((tmp_path / name).stat().st_mode) == 0o600


def test_a_second_start_changes_nothing(tmp_path: Path) -> None:
    """Clients that were given the CA's certificate yesterday still trust the emulator today."""
    ca.ensure(tmp_path, [], NOW)
    before = {name: (tmp_path / name).read_bytes() for name in ca.FILE_NAMES}
    ca.ensure(tmp_path, [], NOW + 30 * DAY)
    assert {name: (tmp_path / name).read_bytes() for name in ca.FILE_NAMES} == before


@pytest.mark.parametrize(
    ("names", "later"),
    [
        pytest.param([], ca.LEAF_LIFETIME - 29 * DAY, id="it ends within a month"),
        pytest.param([], ca.LEAF_LIFETIME + 100 * DAY, id="it has ended"),
        pytest.param(["doors.localhost"], DAY, id="a name is missing"),
    ],
)
def test_the_servers_certificate_is_renewed_under_the_same_ca(
    tmp_path: Path, names: list[str], later: timedelta
) -> None:
    """Renewal needs no new trust: the CA's certificate stays as it is."""
    made = ca.ensure(tmp_path, [], NOW)
    root, leaf = made.ca_file.read_bytes(), made.certificate_file.read_bytes()
    ca.ensure(tmp_path, names, NOW + later)
    assert made.ca_file.read_bytes() == root
    assert made.certificate_file.read_bytes() != leaf
    assert certificate(made.certificate_file).not_valid_after_utc > NOW + later + 200 * DAY


def test_a_renewed_certificate_does_not_outlive_its_ca(tmp_path: Path) -> None:
    """In the CA's last year the server's certificate ends with it."""
    made = ca.ensure(tmp_path, [], NOW)
    ca.ensure(tmp_path, [], NOW + ca.CA_LIFETIME - 100 * DAY)
    assert certificate(made.certificate_file).not_valid_after_utc == NOW + ca.CA_LIFETIME


def test_an_expired_ca_is_named_with_its_date(tmp_path: Path) -> None:
    """The CA is not replaced behind its clients' backs: the error says what to do and what follows from it."""
    ca.ensure(tmp_path, [], NOW)
    with pytest.raises(EmulatorError) as refused:
        ca.ensure(tmp_path, [], NOW + ca.CA_LIFETIME + DAY)
    assert f"expired on {NOW + ca.CA_LIFETIME:%Y-%m-%d}" in refused.value.message
    assert "clients then need the new `ca.pem`" in str(refused.value.hint)


@pytest.mark.parametrize("name", ca.FILE_NAMES)
@pytest.mark.parametrize("damage", ["removed", "overwritten", "cut short", "somebody else's"])
def test_a_file_that_is_not_ours_is_named(tmp_path: Path, name: str, damage: str) -> None:
    """Whatever happened to one of the four files, the error names a file and how to go on."""
    ca.ensure(tmp_path, [], NOW)
    (tmp_path / "other").mkdir()
    ca.ensure(tmp_path / "other", [], NOW)
    path = tmp_path / name
    if damage == "removed":
        path.unlink()
    elif damage == "overwritten":
        path.write_text("not PEM")
    elif damage == "cut short":
        path.write_bytes(path.read_bytes()[:-40])
    else:
        shutil.copy(tmp_path / "other" / name, path)
    with pytest.raises(EmulatorError) as refused:
        ca.ensure(tmp_path, [], NOW)
    assert str(tmp_path) in refused.value.message
    assert "start again" in str(refused.value.hint)


def test_a_pair_of_another_ca_is_foreign(tmp_path: Path) -> None:
    """A server certificate with its matching key, but from another CA, is not served."""
    ca.ensure(tmp_path, [], NOW)
    (tmp_path / "other").mkdir()
    ca.ensure(tmp_path / "other", [], NOW)
    for name in (ca.CERTIFICATE_FILE, ca.KEY_FILE):
        shutil.copy(tmp_path / "other" / name, tmp_path / name)
    with pytest.raises(EmulatorError, match="was not issued by the emulator's CA"):
        ca.ensure(tmp_path, [], NOW)


def test_a_certificate_without_constraints_is_no_ca_of_ours(tmp_path: Path) -> None:
    """Somebody's general CA put in the place of ours would make the emulator sign with it: refused."""
    made = ca.ensure(tmp_path, [], NOW)
    shutil.copy(made.certificate_file, made.ca_file)
    shutil.copy(made.key_file, tmp_path / ca.CA_KEY_FILE)
    with pytest.raises(EmulatorError, match="is not the emulator's CA"):
        ca.ensure(tmp_path, [], NOW)


def test_names_outside_localhost_are_refused(tmp_path: Path) -> None:
    """A name that the constraints forbid would give a certificate that nobody accepts."""
    with pytest.raises(EmulatorError, match="may not name `iot"):
        ca.ensure(tmp_path, ["iot.example.com"], NOW)
    assert list(tmp_path.iterdir()) == []
