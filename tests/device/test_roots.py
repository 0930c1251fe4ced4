"""The roots that devices trust."""

from __future__ import annotations

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes

from iotauth_cli.device import roots
from iotauth_cli.device.roots import Root


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


def test_another_root_is_described_by_what_it_says_of_itself() -> None:
    """A certificate of one's own, read instead of looked up, gives the same line."""
    known = roots.amazon()[0]
    assert roots.foreign(known.pem) == known
