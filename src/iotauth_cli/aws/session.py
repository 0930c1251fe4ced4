"""One way out to AWS's APIs: boto3 clients, made when first used, errors translated at the border.

boto3 brings credentials, profiles and SSO and speaks to every service but one: the rows of the
client table go through the kernel's own client (`client_table`), for which this module
lends the keys. Throttling is botocore's: its standard retries with jitter.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from iotauth_authorizer.aws_credentials import Credentials
from iotauth_authorizer.grants import ArnScope
from iotauth_cli.aws import caller, endpoints, login, regions
from iotauth_cli.aws.caller import Callers, Endpoint, Identity
from iotauth_cli.aws.endpoints import plain
from iotauth_cli.aws.errors import no_credentials, translated
from iotauth_cli.aws.partitions import partition
from iotauth_cli.errors import AwsError, ConfigError

if TYPE_CHECKING:
    from iotauth_cli.config import Target

__all__ = ["Session", "partition"]

ATTEMPTS = 6  # IoT's control plane allows 10 calls/s an account; others may be using them
CONNECT_TIMEOUT_S = 10
LOOPBACK = ("localhost", "127.0.0.1", "::1")


@dataclass(frozen=True)
class Session:
    """Calls to one target. *sleep* is what waits between attempts; tests give one that does not.

    *attempts* is how often a call is tried that gets no answer or is throttled. *callers* knows whose keys these
    are, once that was asked. *ask* asks whoever sits there for a code; where it is None, nobody does.
    """

    target: Target
    sleep: Callable[[float], None] = time.sleep
    attempts: int = field(default=ATTEMPTS, kw_only=True)
    callers: Callers = field(default_factory=Callers, kw_only=True, compare=False, repr=False)
    ask: Callable[[str], str] | None = field(default=None, kw_only=True, compare=False, repr=False)

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
        """Return the boto3 client of *service*, the same one each time.

        Raises:
            ConfigError: the keys belong to another account than the one that is meant. Only STS may then be asked.
        """
        if service != "sts":
            self.hold_to_account()
        if service not in self._clients:
            from botocore.config import Config

            with translated(self.target, service):
                client = self._boto3.client(
                    service,
                    endpoint_url=self.target.endpoint_url,
                    config=Config(
                        retries={"mode": "standard", "total_max_attempts": self.attempts},
                        connect_timeout=CONNECT_TIMEOUT_S,
                        proxies={} if self._is_loopback else None,
                    ),
                )
            regions.refuse(client, service, self.target)
            self._clients[service] = client
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
        known = self.hold_to_account()
        if known is not None:
            return known
        answer = self.call("sts", "get_caller_identity")
        found = Identity(str(answer["Account"]), str(answer["Arn"]))
        if self.target.account not in (None, found.account):
            raise wrong_account(self.target, found)
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

    def hold_to_account(self, credentials: Credentials | None = None) -> Identity | None:
        """Make sure that the keys belong to the account that is meant; None where none was named.

        Every door comes by here before its first call: boto3's clients, and whoever gets the keys to sign with. Keys
        that were renewed meanwhile are looked at like the first.

        Raises:
            ConfigError: they belong to another one.
            AwsError: that could not be found out, which is not good enough.
        """
        target = self.target
        if target.account_source is None:
            return None
        credentials = credentials or self.keys()
        with self.callers.lock:
            known = self.callers.found.get(credentials.access_key) or self._identify(credentials)
        if known.account != target.account:
            raise wrong_account(target, known)
        return known

    def _identify(self, credentials: Credentials) -> Identity:
        name = self.caller_name(credentials.access_key)
        kept = self.callers.kept(name)
        try:
            found = (Identity.of(kept) if isinstance(kept, str) else None) or self._told(credentials)
        except AwsError as problem:
            raise AwsError(f"{unsure(self.target)}: {problem.message}", hint=problem.hint) from problem
        self.callers.found[credentials.access_key] = found
        if found.arn != kept:
            self.callers.keep(name, found.arn)
        return found

    def _told(self, credentials: Credentials) -> Identity:
        """Ask STS by whatever way leads there: the light client knows nothing of proxies."""
        if not is_proxied(self.endpoint("sts").url):
            return self.ask_identity(credentials)
        answer = self.call("sts", "get_caller_identity")
        return Identity(str(answer["Account"]), str(answer["Arn"]))

    def caller_name(self, access_key: str) -> str:
        """Return what is known of a key's owner is kept under."""
        return caller.name_of(access_key, self.target, self.endpoint("sts"))

    def ask_identity(self, credentials: Credentials | None = None, **patience: Any) -> Identity:
        """Ask STS whose keys these are, without boto3; *patience* is that of `caller.identity`."""
        return caller.identity(
            self.target,
            credentials or self.keys(),
            self.endpoint("sts"),
            ca_file=self.ca_file,
            sleep=self.sleep,
            **patience,
        )

    @cached_property
    def scope(self) -> ArnScope:
        """Partition, region and account of every ARN here."""
        return ArnScope(partition(self.target.region), self.target.region, self.account)

    def credentials(self) -> Credentials:
        """Return the keys as they are now; called for each signature, since they may be renewed.

        Raises:
            ConfigError: there are none, or they belong to another account than the one that is meant.
        """
        found = self.keys()
        self.hold_to_account(found)
        return found

    def keys(self) -> Credentials:
        """Return the keys as they are now, whoever they belong to: for nothing but the question whose they are."""
        known = self.target
        if known.access_key and known.secret_key:
            token = known.session_token.reveal() if known.session_token else None
            return Credentials(known.access_key, known.secret_key.reveal(), token)
        with translated(self.target, "sts"):
            found = self._boto3.get_credentials()
            if found is None:
                raise no_credentials(known)
            frozen = found.get_frozen_credentials()
            return Credentials(frozen.access_key, frozen.secret_key, frozen.token)

    def endpoint(self, service: str) -> Endpoint:
        """Return where *service*, `dynamodb` or `sts`, answers, for the light clients.

        Variables that name an address were read with the settings. Whatever else is set (FIPS, dual stack, sections of
        `~/.aws/config`) only boto3 knows to turn into one, which is paid only by whoever has set it.
        """
        target = self.target
        url = {"dynamodb": target.table_url, "sts": target.identity_url}[service]
        if url is not None:
            return Endpoint(url, target.region)
        return self._resolved(service) if target.has_own_endpoints else plain(service, target.region)

    @cached_property
    def ca_file(self) -> str | None:
        """The roots to trust, if not Amazon's and the system's."""
        if self.target.table_ca or not self.target.has_own_endpoints:
            return self.target.table_ca
        with translated(self.target, "sts"):
            found: str | None = self._core.get_config_variable("ca_bundle")
            return found

    def _resolved(self, service: str) -> Endpoint:
        if service not in self._endpoints:
            self._endpoints[service] = endpoints.resolved(self._boto3, service, self.target)
        return self._endpoints[service]

    @cached_property
    def _endpoints(self) -> dict[str, Endpoint]:
        return {}

    @cached_property
    def _clients(self) -> dict[str, Any]:
        return {}

    @cached_property
    def _boto3(self) -> Any:
        from boto3.session import Session as Boto3

        known = self.target
        with translated(self.target, "sts"):
            return Boto3(
                botocore_session=self._core,
                profile_name=known.profile,
                region_name=known.region,
                aws_access_key_id=known.access_key,
                aws_secret_access_key=known.secret_key.reveal() if known.secret_key else None,
                aws_session_token=known.session_token.reveal() if known.session_token else None,
            )

    @cached_property
    def _core(self) -> Any:
        return login.botocore_session(self.target, self.ask)

    @property
    def _is_loopback(self) -> bool:
        # A company's proxy does not know what listens on this machine.
        return urlsplit(self.target.endpoint_url or "").hostname in LOOPBACK


def is_proxied(url: str) -> bool:
    """Tell whether boto3 would go to *url* by a proxy of the environment."""
    name = f"{urlsplit(url).scheme}_proxy"
    if not any(os.environ.get(each) for each in (name, name.upper(), "all_proxy", "ALL_PROXY")):
        return False
    from botocore.utils import get_environ_proxies

    return bool(get_environ_proxies(url))


def wrong_account(target: Target, found: Identity) -> ConfigError:
    keys = f"these keys ({target.keys_from})" if target.keys_from else "these keys"
    source = f" ({target.account_source})" if target.account_source else ""
    return ConfigError(
        f"{keys} belong to account {found.account} (`{found.name}`), and account {target.account} is meant{source}",
        hint="nothing was called there; choose other keys with `--profile`, or correct `account`",
    )


def unsure(target: Target) -> str:
    return f"it could not be checked that these keys belong to account {target.account} ({target.account_source})"
