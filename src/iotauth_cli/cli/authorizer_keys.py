"""`iotauth authorizer rotate-key`."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from iotauth_cli.cli.authorizer import Name
from iotauth_cli.cli.render import ignored
from iotauth_cli.errors import InputError

if TYPE_CHECKING:
    from iotauth_cli.cli.context import Context
    from iotauth_cli.operations.signing.keyring import Keyring
    from iotauth_cli.operations.signing.resign import Resigned, Totals

TokensOut = Annotated[
    Path | None,
    typer.Option(metavar="FILE.csv", help="Write the user names of clients whose credentials are not kept here."),
]
LAGS = 1


def rotate_key(
    ctx: typer.Context,
    name: Name = None,
    status: Annotated[
        bool, typer.Option("--status", help="Say who still uses the old key, and change nothing.")
    ] = False,
    retire: Annotated[bool, typer.Option("--retire", help="Take the old key away.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Retire it even if clients are locked out.")] = False,
    bits: Annotated[int, typer.Option(metavar="N", help="2048, 3072 or 4096, for a key that is made.")] = 2048,
    key: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Sign with this private key of yours, which is not kept here.")
    ] = None,
    public_key: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Add this public key; its other half signs elsewhere.")
    ] = None,
    tokens_out: TokensOut = None,
) -> int:
    """Change the key that signs tokens, step by step, with no device locked out.

    Without an option: a second key is added, and every client gets a token of it. The
    old tokens work on. When `--status` shows that everybody has moved, `--retire` takes the old
    key away. What was interrupted is finished by the same command.

    Example: iotauth authorizer rotate-key doors --status
    """
    from iotauth_cli.operations.signing.keyring import Keyring

    if status + retire > 1 or (force and not retire) or (key and public_key):
        raise InputError(
            "`--status`, `--retire` and `--key` or `--public-key` exclude each other, and `--force` is for `--retire`",
            hint="see `iotauth authorizer rotate-key --help`",
        )
    context = ctx.obj.with_flags(authorizer=name)
    keyring = Keyring.of(context.store, context.settings.authorizer)
    if status:
        context.note_nothing()
        return show_status(context, keyring)
    if retire:
        return retire_old(context, keyring, force)
    return roll_over(context, keyring, bits, key, public_key, tokens_out)


def roll_over(
    context: Context, keyring: Keyring, bits: int, key: Path | None, public_key: Path | None, out: Path | None
) -> int:
    from iotauth_cli.cli import render_signing as render
    from iotauth_cli.cli.keys import passphrase_file
    from iotauth_cli.operations import keys
    from iotauth_cli.operations.signing import resign, rollover

    now = int(time.time())
    own = key or public_key
    pem = keys.public_of(own, passphrase_file=passphrase_file(context)) if own else None
    if out is not None:
        context.output.say(*ignored(resign.check_out(out), "the user names, which are secrets"))
    begun = rollover.begin(context.session, keyring, now=now, bits=bits, public_key=pem)
    context.note(key=begun.roll_over.new)
    context.output.say(*begun.changes)
    signer = keys.signer_with(key, context.store, keyring.authorizer, passphrase_file(context)) if key else None
    run = resign.prepare(context.clients, context.store, keyring, now=now, out=out, signer=signer)
    totals = total(context, "signing", run.events() if run else iter(()))
    context.output.facts(render.begun_document(begun, totals), render.begun(begun, totals))
    context.output.say(*render.after_beginning(begun, totals, context.command))
    return LAGS if totals.failed else 0


def total(context: Context, doing: str, events: Iterator[Resigned]) -> Totals:
    """Count what comes of each client, and show how far it is."""
    from iotauth_cli.operations.signing.resign import Totals

    totals = Totals()
    with context.output.progress(doing, unit="clients") as progress:
        for each in events:
            totals.count(each)
            progress.advance()
    return totals


def show_status(context: Context, keyring: Keyring) -> int:
    from iotauth_cli.cli import render_signing as render
    from iotauth_cli.operations.signing import rollover

    found = rollover.status(context.session, context.clients, keyring)
    context.output.facts(render.status_document(found), render.status(found))
    if found.ok:
        context.output.say(f"next: {context.command(f'authorizer rotate-key {keyring.authorizer} --retire')}")
    return 0 if found.ok else LAGS


def retire_old(context: Context, keyring: Keyring, force: bool) -> int:
    from iotauth_cli.cli import render_signing as render
    from iotauth_cli.operations.signing import rollover

    found = rollover.status(context.session, context.clients, keyring)
    rollover.check_retirement(found, force=force)
    context.output.say(*render.before_retiring(found))
    if not context.output.confirm(f"retire the old key of authorizer `{keyring.authorizer}`?"):
        context.output.say("nothing was retired")
        return LAGS
    done = rollover.retire(context.session, keyring, found)
    context.output.result(render.retired_document(done), render.retired(done))
    return 0
