"""`iotauth client import`."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated, Literal

import typer

from iotauth_cli.cli.render import ignored


def import_(
    ctx: typer.Context,
    file: Annotated[str, typer.Argument(metavar="FILE", help="A .csv or .jsonl file; `-` reads stdin.")],
    template: Annotated[
        str | None,
        typer.Option(metavar="TOPIC", help="The topic of rows that name none: `sensors/{client_id}/#`."),
    ] = None,
    secrets_out: Annotated[
        Path | None, typer.Option("--secrets-out", metavar="FILE", help="Write the new secrets to this private file.")
    ] = None,
    recipient: Annotated[
        str | None, typer.Option(metavar="KEY", help="Encrypt that file to this key, with `age` or `gpg`.")
    ] = None,
    existing: Annotated[
        Literal["fail", "skip", "update"], typer.Option(help="What to do about clients that exist already.")
    ] = "fail",
    hashed: Annotated[bool, typer.Option("--hashed", help="Take password hashes of another system.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Check every row, and write nothing.")] = False,
) -> int:
    """Add the clients of a file, and hand their new secrets out in another.

    Every row is checked before any is written. A run that was interrupted goes on with the same command.

    Example: iotauth client import fleet.csv --template 'sensors/{client_id}/#' --secrets-out secrets.csv
    """
    from iotauth_cli.cli import render_import as render
    from iotauth_cli.cli.keys import passphrase_file
    from iotauth_cli.operations import keys
    from iotauth_cli.operations.importing import errand

    context, output = ctx.obj, ctx.obj.output
    wish = errand.Wish(
        file=file,
        authorizer=context.settings.authorizer,
        partition=context.partition,
        now=int(time.time()),
        template=template,
        secrets_out=secrets_out,
        recipient=recipient,
        existing=existing,
        hashed=hashed,
        token=keys.for_clients(context.store, context.settings.authorizer, None, passphrase_file(context)),
    )
    with errand.opened(context.clients, context.store, wish) as job:
        with output.progress("checking", unit="rows") as progress:
            for count in job.check():
                progress.advance(count)
        output.say(*render.problems(job.source.name, job.checked))
        job.refuse_bad_rows()
        if dry_run:
            context.note_nothing()
            output.result(render.plan_document(job.checked), render.plan(job.source.name, job.checked))
            return 0
        counts = None
        try:
            with output.progress("importing", unit="clients", total=job.checked.rows) as progress:
                for counts in job.write():
                    progress.advance(counts.done - progress.done)
        except KeyboardInterrupt:
            output.say(render.interrupted(counts))
            raise
    assert counts is not None, "a file without rows is refused"
    context.note(added=counts.added, updated=counts.updated, existing=counts.existing)
    place = context.shown(secrets_out) if secrets_out else None
    output.result(render.document(counts, place), render.imported(counts, context.settings.table))
    output.say(*ignored(job.ignored))
    output.say(*render.afterwards(counts, job.checked, place, recipient, context.command("client list --count")))
    return 1 if counts.existing and existing == "fail" else 0
