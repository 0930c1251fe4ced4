"""How the data port proves who it is: the names it goes by, and the certificate that covers them.

    <prefix>-ats.iot.<region>.localhost        as DescribeEndpoint tells; `.localhost` is this machine (RFC 6761)
    <prefix>-ats.iot.<region>.amazonaws.com    AWS's own form, which leads here through the proxy alone
    names of domain configurations             as they come

The certificate is made anew when a name comes, and shown from the next handshake on.
"""

from __future__ import annotations

import ssl
from datetime import datetime, timezone
from pathlib import Path

from iotauth_cli.emulator import ca
from iotauth_cli.emulator.ca import Certificates
from iotauth_cli.emulator.control.iot.domain_store import DomainStore
from iotauth_cli.emulator.control.iot.service import ENDPOINTS


class Identity:
    """*with_aws_names*: also go by AWS's own names, which the CA must have been made for.

    Raises:
        EmulatorError: as `ca.ensure`.
    """

    def __init__(
        self, directory: Path, prefix: str, region: str, domains: DomainStore, *, with_aws_names: bool
    ) -> None:
        self._directory = directory
        self._region = region
        self._domains = domains
        labels = [f"{prefix}{suffix}.iot.{region}" for suffix in ENDPOINTS.values()]
        self.aws_names = [f"{label}{_aws_suffix(region)}" for label in labels] if with_aws_names else []
        self.names = [*(f"{label}.localhost" for label in labels), *self.aws_names]
        self.certificates = self._certify()
        self.context = ca.server_context(self.certificates)
        domains.on_names = self.renew

    def renew(self) -> None:
        """Cover the names of today, from the next handshake on."""
        ca.load(self.context, self._certify())

    def expired_context(self) -> ssl.SSLContext:
        """Return the same TLS settings with a certificate that was good until yesterday."""
        return ca.expired_context(self._directory, self._all_names(), datetime.now(timezone.utc))

    def _certify(self) -> Certificates:
        now = datetime.now(timezone.utc)
        return ca.ensure(self._directory, self._all_names(), now, foreign_names=self.aws_names)

    def _all_names(self) -> list[str]:
        return [*self.names, *self._domains.names(self._region)]


def _aws_suffix(region: str) -> str:
    return ".amazonaws.com.cn" if region.startswith("cn-") else ".amazonaws.com"
