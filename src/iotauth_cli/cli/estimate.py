"""`iotauth estimate`: what a fleet costs and which quotas it meets, without asking AWS."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from iotauth_cli.errors import InputError

if TYPE_CHECKING:
    from fractions import Fraction

    from iotauth_cli.operations.estimate import Price

Devices = Annotated[int, typer.Option("--devices", metavar="N", help="How many devices.")]
Refresh = Annotated[str, typer.Option(metavar="TIME", help="How soon AWS IoT asks the function again: 5m, 3600.")]
Disconnect = Annotated[str, typer.Option(metavar="TIME", help="How long a connection may live.")]
Reconnects = Annotated[str, typer.Option("--reconnects-per-day", metavar="R", help="How often a device connects.")]
Hours = Annotated[str, typer.Option("--connect-hours-per-day", metavar="H", help="How long it is connected.")]
Messages = Annotated[str, typer.Option("--messages-per-day", metavar="M", help="What a device publishes.")]
Size = Annotated[int, typer.Option("--message-size", metavar="BYTES", help="Payload and topic of a message.")]
Receivers = Annotated[str, typer.Option("--receivers", metavar="R", help="Clients that get each message.")]
Filters = Annotated[int, typer.Option("--subscriptions", metavar="F", help="What a device subscribes to.")]
Protocol = Annotated[Literal["mqtt", "http"], typer.Option("--protocol", help="How devices publish.")]
Caching = Annotated[bool, typer.Option("--http-caching", help="HTTP answers are cached, and connections kept.")]
Memory = Annotated[int, typer.Option("--memory", metavar="MB", help="The function's memory.")]
Architecture = Annotated[Literal["arm64", "x86_64"], typer.Option("--arch", help="The function's architecture.")]
Duration = Annotated[int, typer.Option("--duration-ms", metavar="MS", help="How long a call takes.")]
Init = Annotated[int, typer.Option("--init-ms", metavar="MS", help="How long a new environment takes to start.")]
Retention = Annotated[int, typer.Option("--retention-days", metavar="DAYS", help="How long the log is kept.")]
Jitter = Annotated[
    str | None, typer.Option("--jitter", metavar="TIME", help="Random wait before devices reconnect; else suggested.")
]
Connects = Annotated[int, typer.Option("--connects-per-second", metavar="N", help="The account's quota of connects.")]
Concurrency = Annotated[
    int, typer.Option("--concurrency", metavar="N", help="Calls at a time: the account's, or reserved.")
]
Free = Annotated[bool, typer.Option("--free-tier", help="Take the free tier off.")]
Prices = Annotated[Path | None, typer.Option("--prices", metavar="FILE", help="Your own prices, JSON or YAML.")]


def estimate(
    ctx: typer.Context,
    devices: Devices,
    refresh: Refresh = "3600",
    messages_per_day: Messages = "288",
    disconnect: Disconnect = "24h",
    reconnects_per_day: Reconnects = "1",
    connect_hours_per_day: Hours = "24",
    message_size: Size = 256,
    receivers: Receivers = "1",
    subscriptions: Filters = 1,
    protocol: Protocol = "mqtt",
    http_caching: Caching = False,
    memory: Memory = 256,
    arch: Architecture = "arm64",
    duration_ms: Duration = 10,
    init_ms: Init = 150,
    retention_days: Retention = 30,
    jitter: Jitter = None,
    connects_per_second: Connects = 500,
    concurrency: Concurrency = 1000,
    free_tier: Free = False,
    prices: Prices = None,
) -> None:
    """Say what a fleet costs a month, what its return after an outage does, and which quotas it meets.

    AWS is not asked. Every price and quota is shown with its source; the maths are in the guide.

    Example: iotauth estimate --devices 10000 --refresh 300 --messages-per-day 288
    """
    from iotauth_cli.cli import render_estimate as render
    from iotauth_cli.operations import estimate as operation

    place = region(ctx.obj)
    found = operation.estimate(
        operation.Question(
            fleet=operation.Fleet(
                devices=devices,
                refresh_s=seconds("--refresh", refresh),
                disconnect_s=seconds("--disconnect", disconnect),
                connects_per_day=number("--reconnects-per-day", reconnects_per_day),
                connect_hours=number("--connect-hours-per-day", connect_hours_per_day),
                messages_per_day=number("--messages-per-day", messages_per_day),
                message_bytes=message_size,
                receivers=number("--receivers", receivers),
                filters=subscriptions,
                protocol=protocol,
                is_cached=http_caching,
            ),
            function=operation.Function(memory, arch, duration_ms, init_ms, retention_days),
            limits=operation.Limits(connects_per_second, concurrency),
            prices=price_list(place, prices),
            region=place,
            jitter_s=None if jitter is None else seconds("--jitter", jitter),
            with_free_tier=free_tier,
        )
    )
    ctx.obj.output.result(render.document(found), render.lines(found))
    if words := render.next_step(found):
        ctx.obj.output.say(f"next: {ctx.obj.command(words)}")


def region(context: Any) -> str:
    """Return the region whose prices are meant: where this project works, else where all prices are known."""
    from iotauth_cli.operations.estimate import HOME

    return context.settings.region or HOME


def price_list(region: str, file: Path | None) -> dict[str, Price]:
    from iotauth_cli.operations import estimate as operation

    if file is None:
        return operation.prices_for(region)
    own = operation.read_prices(file, region)
    is_complete = set(own) == set(operation.prices_for(operation.HOME))
    return own if is_complete else operation.with_own(operation.prices_for(region), own)


def seconds(option: str, text: str) -> int:
    """Return a time in seconds: `300`, or `5m` and `24h` as elsewhere."""
    from iotauth_cli.operations.durations import parse_duration

    return parse_duration(f"{text}s" if text.isascii() and text.isdigit() and text != "0" else text, option)


def number(option: str, text: str) -> Fraction:
    """Return a number that is written out, `0.5`, exactly."""
    from fractions import Fraction

    digits = text.replace(".", "", 1).removeprefix("-")
    if not (digits.isascii() and digits.isdigit() and len(digits) <= 20):
        raise InputError(f"`{option} {text}` is not a number", hint=f"write it out, such as `{option} 12` or `0.5`")
    return Fraction(text)
