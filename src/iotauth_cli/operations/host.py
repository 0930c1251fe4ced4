"""The name of a host, as people type it."""

from __future__ import annotations

from iotauth_cli.errors import InputError


def check_host(text: str) -> None:
    """Refuse an address or a port that came with the name.

    Raises:
        InputError: it is no name; nothing is looked up.
    """
    if "/" in text or text.count(":") == 1:  # more colons: IPv6
        raise InputError(
            f"`{text}` is not the name of a host",
            hint="give `--endpoint` the name alone, without `https://`, and the port with `--port`",
        )
