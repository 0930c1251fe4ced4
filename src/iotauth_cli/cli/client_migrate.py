"""`iotauth client migrate`."""

from __future__ import annotations

import time
from typing import Annotated

import typer


def migrate(
    ctx: typer.Context,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be done, and change nothing.")] = False,
) -> int:
    """Replace the plain passwords that older tools left in the table by hashes of them.

    Devices keep their passwords and stay connected. A run that was interrupted goes on with the same command.

    Example: iotauth client migrate --dry-run
    """
    from iotauth_cli.cli import render_migration as render
    from iotauth_cli.operations import migration
    from iotauth_cli.operations.adoption import memory

    context, output, found = ctx.obj, ctx.obj.output, migration.Found()
    with output.progress("reading", unit="clients") as progress:
        for count in migration.look(context.clients, found):
            progress.advance(count)
    output.say(*render.set_aside(found))
    adopted = memory.recall(context.store, context.settings.authorizer)
    if adopted is not None and adopted.table == context.settings.table and found.plain:
        output.say(render.no_way_back(adopted))
    if dry_run or not found.plain:
        context.note_nothing()
        output.result(render.found_document(found), render.found(found, context.settings.table))
        return 1 if found.crowded else 0
    if not output.confirm(render.question(found, context.settings.table)):
        output.say("nothing was changed")
        return 1
    counts = migration.Counts()
    with output.progress("hashing", unit="passwords", total=found.plain) as progress:
        for counts in migration.migrate(context.clients, int(time.time())):
            progress.advance(counts.done - progress.done)
    context.note(migrated=counts.migrated)
    output.result(render.document(found, counts), render.migrated(counts, context.settings.table))
    output.say(*(f"client `{client_id}` was left as it is: {why}" for client_id, why in counts.failed))
    return 1 if counts.failed or found.crowded else 0
