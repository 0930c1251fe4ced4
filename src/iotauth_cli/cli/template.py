"""`iotauth template`."""

from __future__ import annotations

from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING, Annotated, Any

import typer

from iotauth_cli.errors import InputError

if TYPE_CHECKING:
    from iotauth_cli.cli.context import Context
    from iotauth_cli.operations.templates import Existing, Written

NAMES = ("sam", "cloudformation", "terraform")
# How each is deployed from the folder that it was written to.
FIRST = "sam build && sam deploy --guided"
NEXT = {
    "sam": f"{FIRST} --capabilities CAPABILITY_NAMED_IAM",
    "cloudformation": "head template.yaml import.yaml",
    "terraform": "terraform init && terraform plan",
}


def template(
    ctx: typer.Context,
    name: Annotated[str | None, typer.Argument(metavar="NAME", help="The authorizer; else the settings' own.")] = None,
    format_: Annotated[
        str, typer.Option("--format", metavar="FORMAT", help="sam, cloudformation or terraform.")
    ] = "sam",
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="PATH", help="Write it into this folder with the code; or this file."),
    ] = None,
    new: Annotated[bool, typer.Option("--new", help="The SAM template of a new stack, with its parameters.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Replace files that are there.")] = False,
) -> None:
    """Write what is installed as infrastructure code: names, settings, keys, tags, permissions.

    A folder gets the function's code too, so that the template can be deployed from there. No
    password, no private key and no account number is in it.

    Example: iotauth template --format terraform -o infrastructure
    """
    from iotauth_cli.operations import templates

    if format_ not in NAMES:
        raise InputError(f"there is no format `{format_}`", hint=f"the formats are {', '.join(NAMES)}")
    if new and (format_ != "sam" or name is not None):
        raise InputError("`--new` is a SAM template for any authorizer", hint="leave `--format` and the name out")
    context = ctx.obj.with_flags(authorizer=name)
    voice = context.output
    if new:
        written = templates.blank()
    else:
        found = templates.read(context.session, context.settings.authorizer)
        written = templates.write(found, format_)
        voice.say(*beside(context, found))
    voice.say(*written.notes)
    if output is None:
        voice.result(document(format_, written, ()), written.text.rstrip("\n"))
        paths: tuple[Path, ...] = ()
    else:
        paths = templates.save(written, output, force=force)
        voice.result(document(format_, written, paths), [f"wrote `{context.shown(path)}`" for path in shown(paths)])
    if len(paths) > 1:
        voice.say(f"next: `cd {quote(context.shown(paths[0].parent))} && {FIRST if new else NEXT[format_]}`")
    elif len(written.files) > 1:
        again = "template --new" if new else f"template {f'{quote(name)} ' if name else ''}--format {format_}"
        voice.say(f"next: {context.command(f'{again} -o infrastructure')} writes the function's code beside it")


def beside(context: Context, found: Existing) -> list[str]:
    """Return what no template can say: which is the default authorizer, and that a stack has all of this already."""
    from iotauth_cli.operations.installation.stack import stack_of

    lines = []
    if found.default:
        again = context.command(f"authorizer set-default {quote(found.default)}")
        lines.append(f"left out: `{found.default}` is the default authorizer; where you deploy this, {again}")
    stack = stack_of(context.session, found.function.name) if found.function else None
    if stack and found.function:
        lines.append(
            f"stack `{stack}` owns function `{found.function.name}` already: deploy this in another region or account, "
            "or take the function out of that stack first"
        )
    return lines


def shown(paths: tuple[Path, ...]) -> list[Path]:
    """Return *paths*, those of the function's code as their folder."""
    here = paths[0].parent
    return list(dict.fromkeys(here / path.relative_to(here).parts[0] for path in paths))


def document(format_: str, written: Written, paths: tuple[Path, ...]) -> dict[str, Any]:
    return {
        "format": format_,
        "template": written.text,
        "files": [str(path) for path in paths],
        "left_out": [note.removeprefix("left out: ") for note in written.notes],
    }
