"""`iotauth explain`."""

from __future__ import annotations

import re
import sys
from typing import TYPE_CHECKING, Annotated

import typer

from iotauth_cli.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from iotauth_cli.cli.output import Output
    from iotauth_cli.operations.explain import Found


def explain(
    ctx: typer.Context,
    words: Annotated[
        list[str] | None,
        typer.Argument(metavar="[WORDS]...", help="A code, a name or a line of a log; `-` reads lines from stdin."),
    ] = None,
    list_all: Annotated[
        bool, typer.Option("--list", help="List what can be explained: the families, or one with all its rows.")
    ] = False,
) -> int:
    """Say what a code or a message means, what is likely wrong, and what to do next. Works offline.

    Knows PubSubClient, Tasmota, ESP-IDF, BearSSL, the AWS SDKs, paho, mosquitto, MQTT's own codes, AWS IoT's events
    and logs, and iotauth's own words. Exits with 1 if it knows nothing of it.

    Example: iotauth explain tasmota -1002
    """
    from iotauth_cli.cli import render_explain as render
    from iotauth_cli.operations import explain as operation

    output = ctx.obj.output
    asked = " ".join(words or [])
    if unknown := re.search(r"(?:^| )(--[a-z][\w-]*)(?: |$)", asked):  # all that begins with `-` arrives as a word
        raise InputError(f"no such option `{unknown[1]}`", hint="see `iotauth explain --help`")
    if list_all:
        shown = render.family(operation.family_named(asked)) if asked else render.families()
        output.result(*shown)
        return 0
    if not asked and sys.stdin.isatty():
        raise InputError("there is nothing to explain", hint="give it a code: `iotauth explain -4`")
    if asked in ("", "-"):
        return explain_lines(output)
    answer = operation.answer(asked)
    output.result(answer.as_document(), render.found(answer))
    if not answer.rows:
        output.say(render.unknown(answer))
    return 0 if answer.rows else 1


def explain_lines(output: Output) -> int:
    """Explain what comes in on stdin, as it comes: a log may have no end."""
    from iotauth_cli.cli import render_explain as render
    from iotauth_cli.operations import explain as operation

    told: list[tuple[int, Found]] = []
    for number, found in operation.survey(lines_of_stdin()):
        output.show(*([""] if told else []), *render.line(number, found))
        told.append((number, found))
    if output.as_json:
        output.result(render.lines_document(told))
    if not told:
        output.say("nothing in these lines is known; give the code alone: `iotauth explain CODE`")
    return 0 if told else 1


def lines_of_stdin() -> Iterator[str]:
    """Yield lines of text; what a serial port made of some of them is no text, and does no harm."""
    if hasattr(sys.stdin, "buffer"):
        for line in sys.stdin.buffer:
            yield line.decode("utf-8", "replace")
    else:  # a test's
        yield from sys.stdin


# A code may begin with a minus sign: `explain -4` is no option.
explain.context_settings = {"ignore_unknown_options": True}  # type: ignore[attr-defined]
