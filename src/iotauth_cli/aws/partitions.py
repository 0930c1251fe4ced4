"""The parts of AWS that know nothing of each other, told by a region's name: in ARNs, and at the end of host names.

A table of ours, since botocore takes a quarter of a second to import; a test holds it to botocore's.
"""

from __future__ import annotations

from typing import NamedTuple


class Partition(NamedTuple):
    """*name* is the second part of an ARN, *suffix* the end of a service's host name."""

    name: str
    suffix: str


WORLD = Partition("aws", "amazonaws.com")
OTHERS = {  # by the beginning of the region's name
    "cn-": Partition("aws-cn", "amazonaws.com.cn"),
    "eu-isoe-": Partition("aws-iso-e", "cloud.adc-e.uk"),
    "eusc-": Partition("aws-eusc", "amazonaws.eu"),
    "us-gov-": Partition("aws-us-gov", "amazonaws.com"),
    "us-iso-": Partition("aws-iso", "c2s.ic.gov"),
    "us-isob-": Partition("aws-iso-b", "sc2s.sgov.gov"),
    "us-isof-": Partition("aws-iso-f", "csp.hci.ic.gov"),
}


def of(region: str) -> Partition:
    return next((found for start, found in OTHERS.items() if region.startswith(start)), WORLD)


def partition(region: str) -> str:
    """Return the partition's name as ARNs have it: `aws`, `aws-cn` …"""
    return of(region).name


def endpoint(service: str, region: str) -> str:
    """Return where *service* (`dynamodb`, `sts`) answers in *region*, if nothing else is set."""
    return f"https://{service}.{region}.{of(region).suffix}"
