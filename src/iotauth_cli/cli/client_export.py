"""`iotauth client export`."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from iotauth_cli.cli.client_options import Shown
from iotauth_cli.cli.output import Output
from iotauth_cli.cli.render import counted

if TYPE_CHECKING:
    from iotauth_cli.operations.clients import BrokenRow, ClientRecord


def export(
    ctx: typer.Context,
    file: Annotated[Path | None, typer.Argument(metavar="[FILE]", help="A .csv or .jsonl file; else stdout.")] = None,
    where: Shown = None,
) -> int:
    """Write what the clients may do into a file that `client import` reads. Never their secrets, nor hashes.

    Example: iotauth client export fleet.csv
    """
    from iotauth_cli.operations import exporting
    from iotauth_cli.operations.fleet import selection

    context, output, now = ctx.obj, ctx.obj.output, int(time.time())
    broken: list[BrokenRow] = []
    found = exporting.rows(context.clients, selection.Where.parse(tuple(where or ())), now)
    records = exporting.readable(found, broken)
    if file is None:
        show(output, records)
    else:
        exporting.check_path(file)
        if file.exists() and not output.confirm(f"replace `{file}`?"):
            output.say("nothing was written")
            return 1
        with output.progress("exporting", unit="clients") as progress:
            for count in exporting.write(records, file):
                progress.advance(count)
        document = {"file": str(file), "clients": progress.done, "unreadable": [row.client_id for row in broken]}
        exported = counted(progress.done, "client")
        output.result(document, f"exported {exported} to `{context.shown(file)}`, without their secrets")
    output.say(*(f"left out `{row.client_id}`, whose row is unreadable: {row.reason}" for row in broken))
    return 1 if broken else 0


def show(output: Output, records: Iterator[ClientRecord]) -> None:
    """Print the file on stdout; under ``--json`` an array with a client on each line."""
    from iotauth_cli.operations import exporting

    if output.as_json:
        output.long_table((), ((exporting.members(record), ()) for record in records))
        return
    output.show(exporting.header())
    for record in records:
        output.show(exporting.csv_line(record))
