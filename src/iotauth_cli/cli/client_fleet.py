"""`iotauth client rotate` and `confirm` for many clients: `--all` and `--where`."""

from __future__ import annotations

import time
from collections.abc import Generator, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

from iotauth_cli.cli.render import counted
from iotauth_cli.errors import InputError, IotauthError

if TYPE_CHECKING:
    from iotauth_cli.cli.context import Context
    from iotauth_cli.cli.render_fleet import Tally
    from iotauth_cli.operations.fleet.outcome import Outcome
    from iotauth_cli.operations.fleet.selection import Where

FAILED = 3


def selected(
    verb: str,
    client_id: str | None,
    everyone: bool,
    where: Sequence[str] | None,
    *,
    for_one: Mapping[str, Any],
    for_many: Mapping[str, Any],
) -> str | Where:
    """Return the client that is named, or which clients are meant.

    *for_one* and *for_many* are the options, with what was given, that make sense for those only.

    Raises:
        InputError: nobody is meant, or it is not clear who.
    """
    from iotauth_cli.operations.fleet.selection import Where

    meant = {f"client `{client_id}`": client_id, "`--all`": everyone, "`--where`": where}
    given = [name for name, value in meant.items() if value]
    if not given:
        raise InputError(
            f"no client to {verb} was named",
            hint=f"name one: `iotauth client {verb} thermo-1`, or select: `--where tag=site:berlin`, `--all`",
        )
    if len(given) > 1:
        raise InputError(f"both {given[0]} and {given[1]} were given", hint="leave one of them out")
    others, who = (for_many, "many clients") if client_id else (for_one, "one client")
    for option, value in others.items():
        if value:
            raise InputError(f"`{option}` is for {who}", hint=f"leave it out; see `iotauth client {verb} --help`")
    return client_id or Where.parse(tuple(where or ()))


def rotate(context: Context, where: Where, *, grace_s: int, path: Path | None, batch: int | None) -> int:
    """Rotate the clients that *where* selects; return the exit code."""
    from iotauth_cli.cli import render_fleet as render
    from iotauth_cli.operations.fleet import listing
    from iotauth_cli.operations.fleet.rotation import Journal, Order, Rotation

    now, table = int(time.time()), context.clients
    journal = Journal.open(path, context.store, table.name, where, now)
    context.opened.callback(journal.close)
    total = listing.count(table, where, now)
    nothing = render.rotated_document(render.Tally(), journal)
    if not (total or journal.is_resumed):
        return unchanged(context, nothing, "no client is selected")
    context.output.say(*render.before_rotating(journal, context.shown(journal.path)))
    count = min(total, batch or total)
    if not context.output.confirm(f"rotate {counted(count, 'client')} of table `{table.name}`?"):
        return unchanged(context, nothing, "nothing was rotated")
    rotation = Rotation(table, context.store, journal, Order(where, context.settings.authorizer, grace_s, batch), now)
    again = context.command(render.rotate_again(where, context.shown(path) if path else None, batch))
    tally = carried_out(context, rotation.outcomes(), "rotating", count, "rotated", again)
    place = context.shown(journal.path) if journal.path.exists() else None
    context.note(selection=str(where) or "--all", **tally.counts)
    context.output.result(render.rotated_document(tally, journal), render.rotated(tally, table.name, place))
    context.output.say(*render.after_rotating(tally, journal, rotation.is_cut, again, context.command))
    return FAILED if tally.of("failed") else int(not (tally.of("rotated") or tally.of("done")))


def confirm(context: Context, where: Where, *, force: bool) -> int:
    """Confirm the rotations under way of the clients that *where* selects; return the exit code."""
    from iotauth_cli.cli import render_fleet as render
    from iotauth_cli.operations.fleet.confirmation import Confirmation

    confirmation = Confirmation(context.clients, context.store, where, force, int(time.time()))
    lost = sum(confirmation.is_unseen(each) for each in confirmation.under_way()) if force else 0
    if lost and not context.output.confirm(f"lock out {counted(lost, 'client')} that never showed a new secret?"):
        context.output.say("nothing was confirmed")
        return 1
    again = context.command(render.confirm_again(where, force))
    tally = carried_out(context, confirmation.outcomes(), "confirming", None, "confirmed", again)
    context.note(selection=str(where) or "--all", **tally.counts)
    context.output.result(render.confirmed_document(tally), render.confirmed(tally))
    context.output.say(*render.after_confirming(tally, again, context.command))
    return FAILED if tally.of("failed") else int(bool(tally.of("skipped")))


def switch(context: Context, verb: str, where: Where, *, disconnect: bool) -> int:
    """Disable or enable (*verb*) the clients that *where* selects; return the exit code."""
    from iotauth_cli.cli import render_fleet as render
    from iotauth_cli.operations.fleet import listing
    from iotauth_cli.operations.fleet.access import Switch

    now, table = int(time.time()), context.clients
    total = listing.count(table, where, now)
    nothing = render.switched_document(verb, render.Tally())
    if not total:
        return unchanged(context, nothing, "no client is selected")
    ending = " and end their sessions" if disconnect else ""
    if not context.output.confirm(f"{verb} {counted(total, 'client')} of table `{table.name}`{ending}?"):
        return unchanged(context, nothing, "nothing was changed")
    run = Switch(context.session, table, where, verb == "enable", disconnect, now)
    again = context.command(render.switch_again(verb, where, disconnect or verb == "enable"))
    tally = carried_out(context, run.outcomes(), f"{verb[:-1]}ing", total, "switched", again)
    context.note(selection=str(where) or "--all", **tally.counts)
    context.output.result(render.switched_document(verb, tally), render.switched(verb, tally))
    if tally.of("failed") or tally.of("open"):
        context.output.say(f"next: mend that, and go on with {again}")
    return FAILED if tally.of("failed") else int(bool(tally.of("open")))


def unchanged(context: Context, document: dict[str, Any], why: str) -> int:
    """Say *why* nothing was done, with a *document* that says so too; return the exit code."""
    context.output.result(document)
    context.output.say(why)
    return 1


def carried_out(
    context: Context, outcomes: Generator[Outcome, None, None], doing: str, total: int | None, done: str, again: str
) -> Tally:
    """Pull *outcomes* and count them; whatever ends it before its end, say what is *done* and how it goes on."""
    from iotauth_cli.cli.render_fleet import Tally

    tally = Tally()
    try:
        with closing(outcomes) as told, context.output.progress(doing, unit="clients", total=total) as progress:
            for outcome in told:
                tally.add(outcome)
                progress.advance()
    except (IotauthError, KeyboardInterrupt):
        context.note(**tally.counts)
        said = "changed" if done == "switched" else done
        context.output.say(f"{said} {counted(tally.of(done), 'client')} so far; go on with {again}")
        raise
    return tally
