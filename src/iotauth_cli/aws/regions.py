"""What is wrong with a region where nobody answers: a typing error, or one without AWS IoT.

A region that this botocore does not know may be new. So none is refused for that: it is when nobody answers
there, or no host has its name, that botocore's list is looked at for what was meant.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from iotauth_cli.errors import ConfigError, did_you_mean

if TYPE_CHECKING:
    from iotauth_cli.config import Target

IOT = ("iot", "iot-data")


def mistake(target: Target, service: str) -> ConfigError | None:
    """Return what is wrong with the region of *target* for a *service* that does not answer there, if that is known."""
    if target.endpoint_url or target.table_url or target.has_own_endpoints:  # somebody else's world
        return None
    known = by_service("sts")
    if target.region not in known:
        return ConfigError(
            f"nobody answers in AWS region `{target.region}`, and this boto3 knows none of that name",
            hint=did_you_mean(target.region, known, "choose one with `--region eu-west-1`"),
        )
    if service in IOT and target.region not in by_service("iot"):
        return ConfigError(
            f"AWS IoT is not offered in `{target.region}`, as far as this boto3 knows, and nobody answers there",
            hint="choose a region that has it with `--region`; devices may be anywhere",
        )
    return None


def refuse(client: Any, service: str, target: Target) -> None:
    """Find a mistake in the region before the first call: boto3 would try for a quarter of a minute.

    Raises:
        ConfigError: the region is unknown, or has no AWS IoT, and no host has the name that a call would go to.
    """
    from urllib.request import getproxies  # it brings the half of http with it

    problem = mistake(target, service)
    if problem is not None and not getproxies() and not has_address(client.meta.endpoint_url):
        raise problem


def has_address(url: str) -> bool:
    import socket
    from urllib.parse import urlsplit

    try:
        socket.getaddrinfo(urlsplit(url).hostname, 443)
    except socket.gaierror:
        return False
    return True


def by_service(service: str) -> list[str]:
    """Return the regions that have *service*, in every partition."""
    import botocore.session

    session = botocore.session.get_session()
    return [
        region
        for partition in session.get_available_partitions()
        for region in session.get_available_regions(service, partition_name=partition)
    ]
