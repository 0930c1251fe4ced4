"""One way out to AWS's APIs: boto3 clients, made when first used, errors translated at the border.

boto3 brings credentials, profiles and SSO and speaks to every service but one: the rows of the
client table go through the kernel's own client (`client_table`), for which this module
lends the keys. Throttling is botocore's: its standard retries with jitter.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import urlsplit

from iotauth_authorizer.aws_credentials import Credentials
from iotauth_authorizer.grants import ArnScope
from iotauth_cli.aws.errors import no_credentials, translated
from iotauth_cli.errors import ConfigError

if TYPE_CHECKING:
    from iotauth_cli.config import Target

ATTEMPTS = 6  # IoT's control plane allows 10 calls/s an account; others may be using them
CONNECT_TIMEOUT_S = 10
LOOPBACK = ("localhost", "127.0.0.1", "::1")
PARTITIONS = {  # by the beginning of the region's name; the rest of the world is `aws`
    "cn-": "aws-cn",
    "us-gov-": "aws-us-gov",
    "us-iso-": "aws-iso",
    "us-isob-": "aws-iso-b",
    "eusc-": "aws-eusc",
}


class Identity(NamedTuple):
    """Whose keys these are, as STS says it."""

    account: str
    arn: str

    @property
    def name(self) -> str:
        """The caller without partition and account: `user/anna`, `assumed-role/Admin/anna@example.com`."""
        return self.arn.rpartition(":")[2]


@dataclass(frozen=True)
class Session:
    """Calls to one target. *sleep* is what waits between attempts; tests give one that does not.

    *attempts* is how often a call is tried that gets no answer or is throttled.
    """

    target: Target
    sleep: Callable[[float], None] = time.sleep
    attempts: int = field(default=ATTEMPTS, kw_only=True)

    def call(self, service: str, operation: str, **parameters: Any) -> dict[str, Any]:
        """Call *operation* (`create_role`) of *service* (`iam`) and return the answer.

        Raises:
            IotauthError: any failure, as `aws.errors` words it.
        """
        with translated(self.target, service, parameters):
            answer: dict[str, Any] = getattr(self.client(service), operation)(**parameters)
            return answer

    def pages(self, service: str, operation: str, **parameters: Any) -> Iterator[dict[str, Any]]:
        """Yield the answers of a call that pages, one after the other."""
        with translated(self.target, service, parameters):
            yield from self.client(service).get_paginator(operation).paginate(**parameters)

    def client(self, service: str) -> Any:
        """Return the boto3 client of *service*, the same one each time."""
        if service not in self._clients:
            from botocore.config import Config

            with translated(self.target, service):
                self._clients[service] = self._boto3.client(
                    service,
                    endpoint_url=self.target.endpoint_url,
                    config=Config(
                        retries={"mode": "standard", "total_max_attempts": self.attempts},
                        connect_timeout=CONNECT_TIMEOUT_S,
                        proxies={} if self._is_loopback else None,
                    ),
                )
        return self._clients[service]

    def close(self) -> None:
        """Close every connection that a call opened."""
        for client in self._clients.values():
            client.close()

    @cached_property
    def identity(self) -> Identity:
        """Whose keys these are.

        Raises:
            ConfigError: they belong to another account than the settings name.
        """
        answer = self.call("sts", "get_caller_identity")
        found = Identity(str(answer["Account"]), str(answer["Arn"]))
        if self.target.account not in (None, found.account):
            raise ConfigError(
                f"these keys belong to account {found.account}, and the settings name {self.target.account}",
                hint="choose the right keys with `--profile`; see `iotauth config show`",
            )
        return found

    @property
    def account(self) -> str:
        """The account that these keys belong to; as `identity`."""
        return self.identity.account

    @property
    def known_account(self) -> str | None:
        """The account, if the settings name it or AWS was asked already."""
        known: Identity | None = self.__dict__.get("identity")
        return known.account if known else self.target.account

    @property
    def known_caller(self) -> str | None:
        """The caller's name without the account, `user/anna`, if AWS was asked already."""
        known: Identity | None = self.__dict__.get("identity")
        return known.name if known else None

    @cached_property
    def scope(self) -> ArnScope:
        """Partition, region and account of every ARN here."""
        return ArnScope(partition(self.target.region), self.target.region, self.account)

    def credentials(self) -> Credentials:
        """Return the keys as they are now; called for each signature, since they may be renewed."""
        known = self.target
        if known.access_key and known.secret_key:
            token = known.session_token.reveal() if known.session_token else None
            return Credentials(known.access_key, known.secret_key.reveal(), token)
        with translated(self.target, "sts"):
            found = self._boto3.get_credentials()
            if found is None:
                raise no_credentials()
            frozen = found.get_frozen_credentials()
            return Credentials(frozen.access_key, frozen.secret_key, frozen.token)

    @cached_property
    def _clients(self) -> dict[str, Any]:
        return {}

    @cached_property
    def _boto3(self) -> Any:
        from boto3.session import Session as Boto3

        known = self.target
        with translated(self.target, "sts"):
            return Boto3(
                profile_name=known.profile,
                region_name=known.region,
                aws_access_key_id=known.access_key,
                aws_secret_access_key=known.secret_key.reveal() if known.secret_key else None,
                aws_session_token=known.session_token.reveal() if known.session_token else None,
            )

    @property
    def _is_loopback(self) -> bool:
        # A company's proxy does not know what listens on this machine.
        return urlsplit(self.target.endpoint_url or "").hostname in LOOPBACK


def partition(region: str) -> str:
    return next((name for start, name in PARTITIONS.items() if region.startswith(start)), "aws")
