"""`iotauth test-connect`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, get_args

import typer

from iotauth_cli.cli.output import Output, terminal_width
from iotauth_cli.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Generator

    from iotauth_cli.operations.connect import Asking, Report, Stage, Started
    from iotauth_cli.operations.repeat import Try

Slot = Literal["new", "old"]
Client = Literal["paho", "awscrt"]
Carrier = Literal["username", "headers", "query"]
Mistake = Literal[
    "no-alpn",
    "wrong-alpn",
    "mqtt-alpn",
    "no-sni",
    "wrong-sni",
    "port-8883",
    "base64-password",
    "two-question-marks",
    "unencoded-signature",
    "token-newline",
    "qos-2",
    "large-payload",
    "deep-topic",
]

REFUSED, UNKNOWN = 1, 3
FIRST_USE = (
    "the function cannot tell you from the device: this counts as a use of the new secret, and the old one's "
    "grace begins; `--slot old` tries that one"
)
MAX_ALPN_BYTES = 255  # RFC 7301, 3.1


def connect(
    ctx: typer.Context,
    client: Annotated[str | None, typer.Argument(metavar="CLIENT", help="Else the only one with a credential.")] = None,
    publish: Annotated[str | None, typer.Option(metavar="TOPIC", help="Publish there; else where it may.")] = None,
    subscribe: Annotated[str | None, typer.Option(metavar="FILTER", help="Subscribe to it; else what it may.")] = None,
    endpoint: Annotated[str | None, typer.Option(metavar="HOST", help="Connect there; else ask AWS IoT.")] = None,
    port: Annotated[int | None, typer.Option(metavar="N", min=1, max=65535, help="Connect to this port.")] = None,
    ca: Annotated[Path | None, typer.Option(metavar="FILE", help="Trust only the roots in this file.")] = None,
    alpn: Annotated[list[str] | None, typer.Option(metavar="NAME", help="Offer this ALPN, not `mqtt`.")] = None,
    no_alpn: Annotated[bool, typer.Option("--no-alpn", help="Offer no ALPN, as some devices do.")] = False,
    websocket: Annotated[bool, typer.Option("--websocket", help="Speak MQTT in a WebSocket.")] = False,
    http: Annotated[bool, typer.Option("--http", help="Publish with one HTTPS request.")] = False,
    mqtt5: Annotated[bool, typer.Option("--mqtt5", help="Speak MQTT 5, whose broker gives reasons.")] = False,
    library: Annotated[
        Client, typer.Option("--client", metavar="NAME", help="Speak MQTT with `paho`, or AWS's own `awscrt`.")
    ] = "paho",
    credentials_in: Annotated[
        Carrier | None,
        typer.Option(metavar="PLACE", help="Name authorizer and token in `username`, `headers` or `query`."),
    ] = None,
    retain: Annotated[bool, typer.Option("--retain", help="Publish retained, and remove the message again.")] = False,
    will: Annotated[str | None, typer.Option(metavar="TOPIC", help="Leave a will there.")] = None,
    stay: Annotated[
        float | None, typer.Option(metavar="S", min=0, max=86_400, help="Stay connected so long, to see who ends it.")
    ] = None,
    repeat: Annotated[
        int | None, typer.Option(metavar="N", min=1, max=1_000_000, help="Do it N times, and sum it up.")
    ] = None,
    every: Annotated[
        float | None, typer.Option(metavar="S", min=0, max=86_400, help="With `--repeat`: begin a try every S seconds.")
    ] = None,
    mistake: Annotated[
        Mistake | None, typer.Option(metavar="NAME", help=f"Make a device's mistake: {', '.join(get_args(Mistake))}.")
    ] = None,
    username: Annotated[str | None, typer.Option(metavar="NAME", help="Log in under this user name.")] = None,
    password_stdin: Annotated[bool, typer.Option("--password-stdin", help="Read the password from stdin.")] = False,
    authorizer: Annotated[str | None, typer.Option(metavar="NAME", help="Name this authorizer.")] = None,
    slot: Annotated[
        Slot, typer.Option(metavar="new|old", help="In a rotation: log in with the new secret or the old one.")
    ] = "new",
    timeout: Annotated[float, typer.Option(metavar="S", min=0.1, max=600, help="Wait this long for a step.")] = 10.0,
) -> int:
    """Connect as a device would, show each step, and say what is wrong.

    Exits with 0 if the message came back, 1 if the device is refused, 3 if nobody could be asked.

    Example: iotauth test-connect thermo-1
    """
    from iotauth_cli.operations.connect import Visit, knock, manner_of, mistake_words, prepare
    from iotauth_cli.operations.repeat import tries

    context = ctx.obj
    visit = Visit(
        client_id=client,
        endpoint=endpoint,
        port=port,
        ca_file=ca,
        alpn=offered(alpn, no_alpn),
        username=username,
        password=context.output.read_password() if password_stdin else None,
        authorizer=authorizer,
        publish=publish,
        subscribe=subscribe,
        timeout_s=timeout,
        is_old=slot == "old",
        manner=manner_of(is_websocket=websocket, is_http=http, is_mqtt5=mqtt5, carrier=credentials_in, client=library),
        retain=retain,
        will=will,
        stay_s=stay or 0.0,
        mistake=mistake,
    )
    prepared = prepare(context.session, context.store, context.wish(), visit, where=context.places)
    if prepared.is_first_use:
        context.output.say(FIRST_USE)
    if mistake:
        context.output.say(f"on purpose, the device {mistake_words(mistake)}")
    if repeat is not None:
        return tell_all(context.output, tries(context.session, prepared, times=repeat, every_s=every or 0.0), repeat)
    if every is not None:
        raise InputError("`--every` is about tries, and there is one", hint="say how many with `--repeat`")
    report = tell(context.output, knock(context.session, prepared))
    return 0 if report.ok else REFUSED if report.was_refused else UNKNOWN


def offered(alpn: list[str] | None, no_alpn: bool) -> tuple[str, ...] | None:
    if no_alpn and alpn:
        raise InputError("`--alpn` and `--no-alpn` exclude each other", hint="give one of them")
    for name in alpn or ():
        if len(name.encode()) > MAX_ALPN_BYTES:
            raise InputError(
                f"ALPN protocol `{name}` is longer than {MAX_ALPN_BYTES} bytes",
                hint="leave `--alpn` out for `mqtt`, or offer none with `--no-alpn`",
            )
    return () if no_alpn else tuple(alpn) if alpn else None


def tell(output: Output, events: Generator[Started | Stage | Asking, None, Report]) -> Report:
    """Show each step as it ends, name the one under way, and close with the verdict."""
    from iotauth_cli.cli import render_connect as render

    width = terminal_width()
    try:
        while True:
            event = next(events)
            output.waiting(render.waiting(event))
            output.show(*render.stage_lines(event, width))
    except StopIteration as end:
        report: Report = end.value
    finally:
        output.waiting()
    output.result(report.as_document(), render.verdict(report, width))
    return report


def tell_all(output: Output, events: Generator[Started | Stage | Asking | Try, None, None], of: int = 0) -> int:
    """Show each try in a line as it ends, and sum up what was seen, also after Ctrl-C."""
    from iotauth_cli.cli import render_connect as render
    from iotauth_cli.operations.repeat import Summary, Try

    width, seen = terminal_width(), Summary(of=of)
    try:
        for event in events:
            if isinstance(event, Try):
                seen.add(event)
                output.waiting()
                output.show(*render.try_lines(event, width))
            output.waiting(render.progress(seen, event))
    finally:
        output.waiting()
        if seen.count:
            output.result(seen.as_document(), render.summary(seen, width))
    return 0 if seen.ok == seen.count else REFUSED if seen.refused else UNKNOWN
