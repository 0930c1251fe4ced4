"""Pages of a sorted listing, with a marker that says after which name the next one begins.

A marker is base64, because IoT's model allows nothing else in one. Names that come or go
between two pages neither repeat nor hide others.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterable
from typing import TypeVar

from iotauth_cli.emulator.control.service import ServiceError
from iotauth_cli.emulator.control.wire.check import code_of

Item = TypeVar("Item")


def page(
    service: str,
    items: Iterable[Item],
    name: Callable[[Item], str],
    marker: str | None,
    limit: int,
    *,
    descending: bool = False,
) -> tuple[list[Item], str | None]:
    """Return at most *limit* of *items* in the order of their names, and the next page's marker.

    Raises:
        ServiceError: *marker* did not come from here; with *service*'s code for bad parameters.
    """
    ordered = sorted(items, key=name, reverse=descending)
    if marker:
        last = decode(service, marker)
        ordered = [item for item in ordered if (name(item) < last if descending else name(item) > last)]
    found = ordered[:limit]
    return found, encode(name(found[-1])) if len(ordered) > limit else None


def encode(name: str) -> str:
    return base64.b64encode(name.encode()).decode("ascii")


def decode(service: str, marker: str) -> str:
    try:
        return base64.b64decode(marker, validate=True).decode()
    except ValueError as error:
        raise ServiceError(code_of(service), f"Invalid marker: {marker}") from error
