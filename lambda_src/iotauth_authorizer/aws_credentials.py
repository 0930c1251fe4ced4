"""AWS credentials for a signature: from the environment, or from the container's endpoint.

Lambda puts them into variables. Under SnapStart, and in containers, it names an HTTP
endpoint instead, whose answer holds until the `Expiration` that it carries.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from iotauth_authorizer.http1 import Broken, Connection

_CONTAINER_HOST = "http://169.254.170.2"  # where a *_RELATIVE_URI lives: ECS's own address
# The hosts that may be asked without TLS; as the AWS SDKs do, lest a variable leak the token.
_PLAIN_HOSTS = {"localhost", "127.0.0.1", "::1", "169.254.170.2", "169.254.170.23", "fd00:ec2::23"}
_TIMEOUT_S = 1.0  # the endpoint is on the same machine
_RENEW_BEFORE_S = 300  # renewed this long before they expire; AWS hands out new ones by then


class NoCredentials(Exception):
    """The environment names no AWS credentials, or those that it names cannot be had."""


class Credentials(NamedTuple):
    access_key: str
    secret_key: str
    session_token: str | None = None

    def __repr__(self) -> str:
        return f"Credentials(access_key={self.access_key!r}, …)"


def environment_credentials(
    environ: Mapping[str, str], *, clock: Callable[[], float] = time.time
) -> Callable[[], Credentials]:
    """Return a function that gives the credentials of the moment; variables first, read at each call.

    It raises `NoCredentials`.
    """
    container = _Container(environ, clock)

    def current() -> Credentials:
        access_key, secret_key = environ.get("AWS_ACCESS_KEY_ID"), environ.get("AWS_SECRET_ACCESS_KEY")
        if access_key and secret_key:
            return Credentials(access_key, secret_key, environ.get("AWS_SESSION_TOKEN") or None)
        return container.credentials()

    return current


class _Container:
    """The container credential endpoint; keeps its answer until shortly before it expires."""

    def __init__(self, environ: Mapping[str, str], clock: Callable[[], float]) -> None:
        self._environ = environ
        self._clock = clock
        self._credentials: Credentials | None = None
        self._renew_at = 0.0

    def credentials(self) -> Credentials:
        if self._credentials is None or self._clock() >= self._renew_at:
            answer = _fetch(_address(self._environ), _token(self._environ))
            try:
                self._renew_at = _epoch(answer["Expiration"]) - _RENEW_BEFORE_S
                self._credentials = Credentials(answer["AccessKeyId"], answer["SecretAccessKey"], answer.get("Token"))
            except (KeyError, TypeError, ValueError) as error:
                raise NoCredentials("the container's credential endpoint answered something else") from error
        return self._credentials


def _address(environ: Mapping[str, str]) -> str:
    if relative := environ.get("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"):
        return _CONTAINER_HOST + relative
    full = environ.get("AWS_CONTAINER_CREDENTIALS_FULL_URI")
    if not full:
        raise NoCredentials("neither AWS_ACCESS_KEY_ID nor a container's credential endpoint is set")
    return full


def _token(environ: Mapping[str, str]) -> str | None:
    path = environ.get("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE")
    if not path:
        return environ.get("AWS_CONTAINER_AUTHORIZATION_TOKEN")
    try:
        with open(path, encoding="utf-8") as file:  # read each time: it is replaced while we run
            return file.read().strip()
    except OSError as error:
        raise NoCredentials("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE cannot be read") from error


def _fetch(address: str, token: str | None) -> dict[str, Any]:
    try:
        connection = Connection(address)
    except ValueError as error:
        raise NoCredentials("the container's credential endpoint has no address") from error
    if not connection.is_tls and connection.hostname not in _PLAIN_HOSTS:
        raise NoCredentials("the container's credential endpoint is neither https nor on this machine")
    try:
        headers = {"authorization": token} if token else {}
        response = connection.request("GET", connection.path, headers, timeout_s=_TIMEOUT_S)
        answer = json.loads(response.body)
    except (Broken, ValueError) as error:
        raise NoCredentials("the container's credential endpoint could not be asked") from error
    finally:
        connection.close()
    if response.status != 200 or not isinstance(answer, dict):
        raise NoCredentials(f"the container's credential endpoint answered {response.status}")
    return answer


def _epoch(text: str) -> int:
    """Turn `2026-11-20T13:00:00Z` into epoch seconds."""
    # Imported here because a function whose variables are set never comes this way.
    import calendar

    return calendar.timegm(time.strptime(text[:19], "%Y-%m-%dT%H:%M:%S"))
