"""`iotauth publish`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from iotauth_cli.cli.output import Output
from iotauth_cli.errors import InputError

REFUSED = 1
MOST = 128 * 1024 + 1  # bytes that are read: one more than AWS IoT carries


def publish(
    ctx: typer.Context,
    topic: Annotated[str, typer.Argument(metavar="TOPIC", help="Where to publish.")],
    message: Annotated[str | None, typer.Argument(metavar="[MESSAGE]", help="What to publish; `-` is stdin.")] = None,
    file: Annotated[Path | None, typer.Option(metavar="FILE", help="Publish what this file holds.")] = None,
    client: Annotated[str | None, typer.Option("--as", metavar="CLIENT", help="Publish as this client.")] = None,
    operator: Annotated[bool, typer.Option("--operator", help="Publish with your AWS keys.")] = False,
    qos: Annotated[int, typer.Option(metavar="0|1", min=0, max=1, help="Publish at this QoS.")] = 1,
    retain: Annotated[bool, typer.Option("--retain", help="Keep it for those who subscribe later.")] = False,
    http: Annotated[bool, typer.Option("--http", help="With one HTTPS request, without MQTT.")] = False,
    websocket: Annotated[bool, typer.Option("--websocket", help="Go through a WebSocket.")] = False,
    mqtt5: Annotated[bool, typer.Option("--mqtt5", help="Speak MQTT 5.")] = False,
    content_type: Annotated[
        str | None, typer.Option(metavar="TYPE", help="Name the payload's type; needs MQTT 5.")
    ] = None,
    count: Annotated[int, typer.Option(metavar="N", min=1, help="Publish it so many times.")] = 1,
    every: Annotated[float, typer.Option(metavar="S", min=0, max=86400, help="Seconds between two.")] = 1.0,
    timeout: Annotated[float, typer.Option(metavar="S", min=0.1, max=600, help="Wait this long for a step.")] = 10.0,
) -> int:
    """Publish a message, as a client or with your own AWS keys. What was published is never shown.

    Whoever publishes over MQTT as a client throws out the device that is connected as this client.
    Exits with 0 if AWS IoT took it, 1 if it refused it.

    Example: iotauth publish sensors/thermo-1 '{"celsius": 21.5}'
    """
    from iotauth_cli.cli import render_messages as render
    from iotauth_cli.cli.listen import FIRST_USE, tell_refusal, watched
    from iotauth_cli.operations import messages

    context = ctx.obj
    payload = content(context.output, message, file)
    how = messages.Sending(qos, retain, content_type, count, every, is_http=http)
    wanted = messages.Wanted(client, operator, websocket, mqtt5 or content_type is not None, timeout, context.places)
    messages.check_sending(topic, payload, how, wanted)
    who = messages.take_part(context.session, context.store, wanted)
    if who.is_first_use:
        context.output.say(FIRST_USE)
    sent = []
    for event in watched(context.output, who, messages.publish(context.session, who, topic, payload, how)):
        if isinstance(event, messages.Refused):
            tell_refusal(context, event, who, retain=retain)
            return REFUSED
        sent.append(event)
        context.output.show(render.published(topic, event, how, who))
    context.output.result(render.published_document(topic, sent, how, who))
    return 0


def content(output: Output, message: str | None, file: Path | None) -> bytes:
    """Return the message from where it was given, or what is too much of it: a pipe may have no end.

    Raises:
        InputError: it was given nowhere, or twice.
    """
    if (message is None) == (file is None):
        raise InputError(
            "there is no message to publish" if message is None else "a message and `--file` exclude each other",
            hint="give it as an argument, with `--file FILE`, or pipe it in and give `-`",
        )
    if file is not None:
        try:
            with file.open("rb") as opened:
                return opened.read(MOST)
        except OSError as problem:
            raise InputError(f"the file `{file}` cannot be read: {(problem.strerror or 'unknown').lower()}") from None
    assert message is not None
    return output.read_bytes(MOST) if message == "-" else message.encode(errors="surrogateescape")
