"""Flags that every command has, defined once.

They may stand before or behind the command: ``iotauth --emulator client list`` and
``iotauth client list --emulator`` are the same. The nearer one wins.
"""

from __future__ import annotations

from typing import Any

from typer import _click
from typer.core import TyperCommand, TyperOption

COMMON = "iotauth_cli.common_flags"  # the key under which a click context carries them


def common_options() -> list[_click.Parameter]:
    """Return fresh parameters; click ties a parameter to one command."""

    def flag(*names: str, help: str) -> TyperOption:
        return TyperOption(param_decls=list(names), is_flag=True, default=None, help=help, show_default=False)

    def text(*names: str, metavar: str, help: str) -> TyperOption:
        return TyperOption(param_decls=list(names), type=str, default=None, metavar=metavar, help=help)

    return [
        flag("--emulator/--no-emulator", help="Talk to the local emulator instead of AWS."),
        text("--profile", metavar="NAME", help="AWS profile."),
        text("--region", metavar="REGION", help="AWS region."),
        text("--config", metavar="FILE", help="Read this iotauth.yaml."),
        flag("--json", "as_json", help="Print one JSON document on stdout."),
        flag("--quiet", "-q", help="Print results only."),
        flag("--yes", "-y", help="Answer yes to every question."),
        flag("--no-input", help="Never ask; fail instead."),
        flag("--debug", help="Show the cause of an error."),
    ]


NAMES = ("emulator", "profile", "region", "config", "as_json", "quiet", "yes", "no_input", "debug")


def collect(ctx: _click.Context) -> None:
    """Move the common flags out of *ctx*'s parameters and lay them over the parent's."""
    inherited = ctx.parent.meta.get(COMMON, {}) if ctx.parent else {}
    own = {name: ctx.params.pop(name, None) for name in NAMES}
    ctx.meta[COMMON] = {**inherited, **{name: value for name, value in own.items() if value is not None}}


class Command(TyperCommand):
    """A command with the common flags; its function gets a `Context` as `ctx.obj`."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.params = [*self.params, *common_options()]

    def invoke(self, ctx: _click.Context) -> Any:
        from iotauth_cli.cli.context import Context

        collect(ctx)
        ctx.obj = Context.from_flags(ctx.meta[COMMON])
        with ctx.obj.opened:
            return super().invoke(ctx)
