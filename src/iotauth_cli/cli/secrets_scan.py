"""`iotauth secrets scan`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from iotauth_cli.errors import InputError

FOUND = 1


def scan(
    ctx: typer.Context,
    paths: Annotated[
        list[Path] | None, typer.Argument(metavar="[PATH]...", help="Files and folders; else this folder.")
    ] = None,
    history: Annotated[
        bool, typer.Option("--history", help="Every version of every file in the git repository.")
    ] = False,
    staged: Annotated[bool, typer.Option("--staged", help="What the next commit would bring.")] = False,
    skip_ignored: Annotated[bool, typer.Option("--skip-ignored", help="Leave out what git ignores.")] = False,
) -> int:
    """Find generated secrets in files, in what is staged, or in all of git's history.

    A secret is told by its checksum, so nothing else is found. It is never printed whole.
    Exits with 1 when one was found.

    Example: iotauth secrets scan --history
    """
    from iotauth_cli.cli import render_scan as render
    from iotauth_cli.operations import secret_history
    from iotauth_cli.operations.secret_scan import Scan

    if history + staged + skip_ignored > 1:
        raise InputError("`--history`, `--staged` and `--skip-ignored` exclude each other", hint="give one of them")
    if (history or staged) and len(paths or ()) > 1:
        raise InputError("one repository is read at a time", hint="name one folder, or none for this one")
    found = Scan()
    places = paths or [Path()]
    if history:
        seen = secret_history.history(found, places[0])
    elif staged:
        seen = secret_history.staged(found, places[0])
    elif skip_ignored:
        seen = (each for place in places for each in found.listed(secret_history.not_ignored(place)))
    else:
        seen = found.files_below(places)
    output, documents = ctx.obj.output, []
    for each in seen:
        output.show(render.line(each))
        if output.as_json:
            documents.append(render.document(each))
    if output.as_json:
        output.result({"ok": not found.found, "found": documents, **render.totals(found)})
    place: render.Place = "history" if history else "staged" if staged else "files"
    output.say(*render.unreadable(found), *render.summary(found, ctx.obj.command, place))
    if found.found:
        return FOUND
    found.check_readable()
    return 0
