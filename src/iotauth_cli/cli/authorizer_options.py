"""What can be chosen about an authorizer and its function: the options, and what they say."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

from iotauth_cli.errors import InputError

if TYPE_CHECKING:
    from iotauth_cli.operations.installation import FunctionSettings

Memory = Annotated[int | None, typer.Option(metavar="MB", help="The function's memory, and CPU with it; else 256.")]
Architecture = Annotated[
    str | None, typer.Option("--arch", metavar="ARCH", help="`arm64`, the usual one, or `x86_64`.")
]
Reserved = Annotated[
    int | None, typer.Option(metavar="N", help="Keep N calls at once for the function, and no more; 0 turns it off.")
]
Retention = Annotated[int | None, typer.Option(metavar="DAYS", help="Keep its log so long; else 30 days.")]
Refresh = Annotated[
    str | None, typer.Option(metavar="TIME", help="Ask about a device again after this: `5m` to `24h`; else `1h`.")
]
Disconnect = Annotated[
    str | None, typer.Option(metavar="TIME", help="End a connection after this: `5m` to `24h`; else `24h`.")
]
Tag = Annotated[
    list[str] | None, typer.Option(metavar="KEY=VALUE", help="Put a tag on every part; may be given several times.")
]
Caching = Annotated[
    bool | None,
    typer.Option("--caching/--no-caching", help="Let AWS IoT keep answers to HTTPS publishes; else it keeps none."),
]


def settings_of(
    memory: int | None,
    arch: str | None,
    reserved_concurrency: int | None,
    retention: int | None,
    refresh_after: str | None,
    disconnect_after: str | None,
) -> FunctionSettings:
    """Return what was typed about the function.

    Raises:
        InputError: a time is none, or the architecture is not one.
    """
    from iotauth_cli.operations.installation import FunctionSettings

    return FunctionSettings(
        memory_mb=memory,
        architecture=cast(Any, arch),  # what it may be is checked with all the rest
        reserved_concurrency=reserved_concurrency,
        retention_days=retention,
        refresh_after_s=seconds(refresh_after, "--refresh-after"),
        disconnect_after_s=seconds(disconnect_after, "--disconnect-after"),
    )


def seconds(text: str | None, option: str) -> int | None:
    """Return a timer in seconds: `15m`, or `900` as `iotauth estimate` and AWS say it.

    Raises:
        InputError: it is neither.
    """
    from iotauth_cli.operations.durations import parse_duration

    if text is None:
        return None
    try:
        return parse_duration(f"{text}s" if text.isascii() and text.isdigit() and text != "0" else text, option)
    except InputError as problem:  # whose hint knows of days and weeks
        raise InputError(problem.message, hint=f"write it as `{option} 15m`, `2h` or `900`, in seconds") from problem


def tags_of(given: Sequence[str] | None) -> dict[str, str]:
    """Return the tags of `--tag KEY=VALUE`.

    Raises:
        InputError: one is no pair, or a key is given twice.
    """
    found: dict[str, str] = {}
    for text in given or ():
        key, equals, value = text.partition("=")
        if not equals:
            raise InputError(f"`--tag {text}` is no pair", hint=f"write it as `--tag {text}=VALUE`")
        if found.setdefault(key, value) != value:
            raise InputError(f"`--tag {key}` is given twice, as `{found[key]}` and `{value}`", hint="give one of them")
    return found
