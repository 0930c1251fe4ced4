"""`iotauth init --from-stack`: a project for a stack that is there."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

from iotauth_cli.cli.render import Facts, several

if TYPE_CHECKING:
    from iotauth_cli.cli.context import Context
    from iotauth_cli.operations.adoption_of_stack import Adopted


def from_stack(context: Context, path: Path, stack: str, *, force: bool) -> None:
    """Write the settings file at *path* for *stack*, and note how tokens for its signed authorizer are made."""
    from iotauth_cli.operations import adoption_of_stack as operation
    from iotauth_cli.operations.project import refuse_existing

    refuse_existing(path, force=force)
    there = context if path.exists() else context.without_config()
    adopted = operation.read(there.session, stack)
    settings = there.settings
    operation.write(
        path, adopted, emulator=settings.emulator, region=settings.region, profile=context.flags.get("profile")
    )
    store = context.with_flags().store  # the new file's, which may begin a project of its own
    output = context.output
    output.facts({"file": str(path), **document(adopted)}, facts(adopted))
    output.say(f"wrote `{context.shown(path)}`")
    for keyring in operation.remember_signing(adopted, store):
        place = context.shown(operation.place_for_key(adopted, keyring))
        output.say(
            f"to sign tokens for `{keyring.authorizer}` here, copy its private key to `{place}` and run this again"
        )
    named = context.flags.get("config")
    config = f" --config {shlex.quote(named)}" if named else ""
    output.say(f"next: `iotauth client add thermo-1 --topic sensors/thermo-1{config}`")


def document(adopted: Adopted) -> dict[str, Any]:
    both = [each for each in (adopted.authorizer, adopted.other) if each is not None]
    return {
        "stack": adopted.stack,
        "authorizers": [{"name": each.name, "signing_disabled": each.signing_disabled} for each in both],
        "table": adopted.table,
        "function": adopted.function.name,
    }


def facts(adopted: Adopted) -> Facts:
    from iotauth_cli.operations.adoption_of_stack import kind

    both = [each for each in (adopted.authorizer, adopted.other) if each is not None]
    return [
        ("stack", adopted.stack),
        *several("authorizer", [f"{each.name}  for devices with {kind(each)}" for each in both]),
        ("table", adopted.table),
        ("function", adopted.function.name),
    ]
