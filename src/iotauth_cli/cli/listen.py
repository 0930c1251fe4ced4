"""`iotauth listen`."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from iotauth_cli.cli.output import Output, terminal_width
from iotauth_cli.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from iotauth_cli.operations.messages import Connected, Cut, Explained, Message, Participant, Refused

Event = TypeVar("Event")

TOO_FEW, REFUSED = 1, 1
FIRST_USE = (
    "the function cannot tell you from the device: this counts as a use of the new secret, and the old one's "
    "grace begins"
)


def listen(
    ctx: typer.Context,
    topics: Annotated[
        list[str] | None, typer.Argument(metavar="[TOPIC]...", help="Topics or filters; else all that it may.")
    ] = None,
    client: Annotated[str | None, typer.Option("--as", metavar="CLIENT", help="Listen as this client.")] = None,
    operator: Annotated[bool, typer.Option("--operator", help="Listen with your AWS keys, to everything.")] = False,
    lifecycle: Annotated[bool, typer.Option("--lifecycle", help="Tell who connects, leaves and is refused.")] = False,
    count: Annotated[int | None, typer.Option(metavar="N", min=1, help="End after so many messages.")] = None,
    for_: Annotated[str | None, typer.Option("--for", metavar="TIME", help="End after this time: 30s, 5m.")] = None,
    qos: Annotated[int, typer.Option(metavar="0|1", min=0, max=1, help="Subscribe at this QoS.")] = 1,
    raw: Annotated[bool, typer.Option("--raw", help="Print payloads alone, as they came.")] = False,
    websocket: Annotated[bool, typer.Option("--websocket", help="Go through a WebSocket.")] = False,
    mqtt5: Annotated[bool, typer.Option("--mqtt5", help="Speak MQTT 5, and show its properties.")] = False,
    timeout: Annotated[float, typer.Option(metavar="S", min=0.1, max=600, help="Wait this long for a step.")] = 10.0,
) -> int:
    """Show messages as they come, as a client or with your own AWS keys, until Ctrl-C.

    Whoever listens as a client throws out the device that is connected as this client; `--operator` disturbs nobody.
    Exits with 1 if a subscription is refused, or if `--for` ends before `--count` messages have come.

    Example: iotauth listen 'sensors/#' --as thermo-1
    """
    from iotauth_cli.operations import messages

    context = ctx.obj
    if raw and (lifecycle or context.output.as_json):
        raise InputError(f"`--raw` and `--{'lifecycle' if lifecycle else 'json'}` exclude each other")
    wanted = messages.Wanted(
        client, operator or (lifecycle and client is None), websocket, mqtt5, timeout, context.places
    )
    who = messages.take_part(context.session, context.store, wanted)
    filters = messages.filters_for(who, topics or (), lifecycle=lifecycle)
    for_s = messages.parse_time(for_) if for_ is not None else messages.FOREVER
    if who.is_first_use:
        context.output.say(FIRST_USE)
    show = teller(context.output, who, is_lifecycle=lifecycle, is_raw=raw, is_one=count == 1)
    seen, refused = 0, None
    for event in watched(context.output, who, messages.listen(who, filters, qos=qos, for_s=for_s)):
        if isinstance(event, messages.Refused):
            refused = event
            tell_refusal(context, event, who)
        elif isinstance(event, messages.Message):
            seen += show(event)
            if seen == count:
                return 0
        else:
            tell_line(context, event, who, filters)
    if refused is not None:
        return REFUSED
    if count is not None:
        context.output.say(f"{seen} of {count} messages came within {for_}")
    return TOO_FEW if count is not None else 0


def watched(output: Output, who: Participant, events: Iterator[Event]) -> Iterator[Event]:
    """Pass *events* on; name what is waited for until the first of them."""
    output.waiting(f"connecting to {who.line.endpoint} …")
    try:
        first = next(events, None)
    finally:
        output.waiting()
    if first is not None:
        yield first
        yield from events


def teller(
    output: Output, who: Participant, *, is_lifecycle: bool, is_raw: bool, is_one: bool
) -> Callable[[Message], bool]:
    """Return what shows a message, and says whether there was something to show."""
    from iotauth_cli.cli import render_messages as render
    from iotauth_cli.operations.lifecycle import Feed

    feed = Feed(own=who.client_id)

    def show(found: Message) -> bool:
        if is_raw:
            output.payload(found.payload if is_one else found.payload + b"\n")
        elif not is_lifecycle:
            output.stream(render.message_document(found), *render.message(found))
        else:
            sentence = feed.tell(found.topic, found.payload)
            if sentence is None and not output.as_json:
                return False
            output.stream(render.message_document(found), f"{render.clock(found.at)}  {sentence}")
        return True

    return show


def tell_line(context: Any, event: Connected | Cut, who: Participant, filters: Iterable[str]) -> None:
    """Say on stderr how the connection is."""
    from iotauth_cli.cli import render_messages as render
    from iotauth_cli.operations.messages import Cut

    if isinstance(event, Cut):
        context.output.say(*render.cut(event, who, context.command))
    else:
        context.output.say(*render.connected(who, list(filters), again=event.again))


def tell_refusal(context: Any, event: Refused, who: Participant, *, retain: bool = False) -> None:
    """Say what was refused and why: on stderr, and as a document under `--json`."""
    from iotauth_cli.cli import render_messages as render
    from iotauth_cli.operations import messages

    explained: Explained = messages.explain(event, who, lambda: context.clients, lambda: context.scope, retain=retain)
    if context.output.as_json:
        context.output.stream(render.refusal_document(event, explained), "")
        return
    flag = "--subscribe" if event.verb == "subscribe" else "--publish"
    hint = context.command(f"test-connect {shlex.quote(who.client_id)} {flag} {shlex.quote(event.topic)}")
    for line in render.refusal(event, explained, hint, terminal_width()):
        context.output.warn(line)
