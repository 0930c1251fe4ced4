"""The AWS SDK as a function meets it: Lambda's own where none is bundled, and always the emulator behind it.

A client made without an address finds the emulator by ``AWS_ENDPOINT_URL``, but only since botocore 1.31; older
ones, which people bundle, would go to AWS. And a client may be given an address of AWS, a regional STS or an IoT
data endpoint. Both are led here where the address is chosen: in ``Session.create_client``, which boto3 calls for
clients and resources alike and whose parameters have been the same in every version.

This file runs in the function's process, like `client`, and keeps to the same rules.
"""

from __future__ import annotations

import functools
import importlib.machinery
import os
import sys
from collections.abc import Sequence
from types import ModuleType
from typing import Any

PACKAGES = frozenset({"boto3", "botocore", "s3transfer", "jmespath", "dateutil", "six", "urllib3"})
KNOWS_THE_VARIABLE = (1, 31)  # the first botocore that reads AWS_ENDPOINT_URL
AWS_HOSTS = (".amazonaws.com", ".amazonaws.com.cn", ".api.aws")
VARIABLE = "AWS_ENDPOINT_URL"


def install(directory: str) -> None:
    """Let imports find the SDK in *directory* last, and lead whichever they find to the emulator."""
    sys.meta_path.insert(0, SessionFinder())
    sys.meta_path.append(SdkFinder(directory))


class SdkFinder:
    """Finds the AWS SDK in *directory* after the function's own path: Lambda's Python runtimes bring it."""

    def __init__(self, directory: str) -> None:
        self._directory = directory

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        if path is not None or name not in PACKAGES:
            return None
        return importlib.machinery.PathFinder.find_spec(name, [self._directory])


class SessionFinder:
    """Changes ``botocore.session``, wherever it comes from, as soon as it is loaded."""

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        if name != "botocore.session":
            return None
        spec = importlib.machinery.PathFinder.find_spec(name, path)
        if spec is not None and spec.loader is not None:
            spec.loader.exec_module = _then_redirect(spec.loader.exec_module)  # type: ignore[method-assign]
        return spec


def _then_redirect(execute: Any) -> Any:
    def exec_module(module: ModuleType) -> None:
        execute(module)
        version = tuple(map(int, sys.modules["botocore"].__version__.split(".")[:2]))
        redirect(module.Session, knows_the_variable=version >= KNOWS_THE_VARIABLE)

    return exec_module


def redirect(session: Any, *, knows_the_variable: bool) -> None:
    """Make every client of *session*, a class, one of the emulator's."""
    create = session.create_client

    @functools.wraps(create)
    def create_client(
        self: Any,
        service_name: str,
        region_name: str | None = None,
        api_version: str | None = None,
        use_ssl: bool = True,
        verify: Any = None,
        endpoint_url: str | None = None,
        *others: Any,
        **named: Any,
    ) -> Any:
        is_left_open = endpoint_url is None and not knows_the_variable
        if is_left_open or is_of_aws(endpoint_url):
            endpoint_url = os.environ.get(VARIABLE)
        return create(self, service_name, region_name, api_version, use_ssl, verify, endpoint_url, *others, **named)

    session.create_client = create_client


def is_of_aws(endpoint_url: str | None) -> bool:
    from urllib.parse import urlsplit

    host = urlsplit(endpoint_url).hostname if endpoint_url else None
    return bool(host) and str(host).endswith(AWS_HOSTS)
