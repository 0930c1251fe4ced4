"""The roots that devices trust."""

from __future__ import annotations

from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes

from iotauth_cli.device import roots
from iotauth_cli.device.roots import Root
from support_tls import Authority


@pytest.mark.parametrize("root", roots.amazon(), ids=lambda root: root.name)
def test_a_root_is_what_its_line_says(root: Root) -> None:
    """Name, last day and fingerprint stand in the certificate itself."""
    found = x509.load_pem_x509_certificate(root.pem.encode())
    assert f"CN={root.name}" in found.subject.rfc4514_string()
    assert found.not_valid_after_utc.date().isoformat() == root.until
    assert found.fingerprint(hashes.SHA256()).hex() == root.sha256


def test_devices_get_one_root_for_each_kind_of_key() -> None:
    """RSA and ECDSA: an endpoint's certificate chains to one of them. Small boards have no room for five."""
    assert [root.name for root in roots.amazon()] == ["Amazon Root CA 1", "Amazon Root CA 3"]
    assert roots.described(roots.amazon_pem()) == roots.amazon()
    assert len(roots.amazon_pem()) < 2000


def test_another_root_is_told_apart_by_its_fingerprint(tmp_path: Path) -> None:
    """A CA of one's own is none of Amazon's, and stands beside them with what `openssl x509 -fingerprint` says."""
    authority = Authority(tmp_path)
    found, *known = roots.described(authority.file.read_text() + roots.amazon_pem())
    assert found.name == "a CA that is not Amazon's"
    assert found.sha256 == authority.certificate.fingerprint(hashes.SHA256()).hex()
    assert found.line == f"a CA that is not Amazon's, SHA-256 {found.sha256}"
    assert tuple(known) == roots.amazon()
