"""Flags that every command has, defined once.

They may stand before or behind the command: ``iotauth --emulator client list`` and
``iotauth client list --emulator`` are the same. The nearer one wins.
"""

from __future__ import annotations

from typing import Any

from typer import _click
from typer.core import TyperCommand, TyperOption

from iotauth_cli.errors import InputError, IotauthError

COMMON = "iotauth_cli.common_flags"  # the key under which a click context carries them
COMMON_TITLE = "Common options"


def common_options() -> list[_click.Parameter]:
    """Return fresh parameters; click ties a parameter to one command."""

    def flag(*names: str, help: str) -> TyperOption:
        return TyperOption(
            param_decls=list(names),
            is_flag=True,
            default=None,
            help=help,
            show_default=False,
            rich_help_panel=COMMON_TITLE,
        )

    def text(*names: str, metavar: str, help: str) -> TyperOption:
        return TyperOption(
            param_decls=list(names), type=str, default=None, metavar=metavar, help=help, rich_help_panel=COMMON_TITLE
        )

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


def refuse_nothing(command: _click.Command, ctx: _click.Context) -> None:
    """Refuse an option with no value in it: `--client "$ID"` of a forgotten ID must not mean every client.

    Devices may log in under an empty user name, so that one is a value. Arguments have checks of their own.

    Raises:
        InputError: an option is empty, or not a number where one is wanted.
    """
    for parameter in command.params:
        value, name = ctx.params.get(str(parameter.name)), parameter.opts[0]
        is_empty = value == "" or (isinstance(value, (list, tuple)) and "" in value)
        if is_empty and parameter.param_type_name == "option" and name != "--username":
            raise InputError(f"`{name}` is empty", hint="give it a value, or leave it out")
        if value != value:  # NaN, which no range excludes
            raise InputError(
                f"invalid value for `{name}`: `nan` is not a number", hint=f"see `{ctx.command_path} --help`"
            )


def write_options(command: _click.Command, ctx: _click.Context, formatter: _click.HelpFormatter, title: str) -> None:
    """Write one section of a plain help page: a command's own arguments or options, or the common ones."""
    records = [param.get_help_record(ctx) for param in command.get_params(ctx) if section_of(param) == title]
    shown = [record for record in records if record is not None]  # None: hidden
    if shown:
        with formatter.section(title):
            formatter.write_dl(shown)


def section_of(parameter: Any) -> str:
    if parameter.param_type_name == "argument":
        return "Arguments"
    return COMMON_TITLE if getattr(parameter, "rich_help_panel", None) == COMMON_TITLE else "Options"


class Command(TyperCommand):
    """A command with the common flags; its function gets a `Context` as `ctx.obj`.

    One that *mutates* leaves a line in the audit log, however it ends.
    """

    mutates = False

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.params = [*self.params, *common_options()]

    def format_options(self, ctx: _click.Context, formatter: _click.HelpFormatter) -> None:
        for title in ("Arguments", "Options", COMMON_TITLE):
            write_options(self, ctx, formatter, title)

    def invoke(self, ctx: _click.Context) -> Any:
        from iotauth_cli.cli.context import Context

        refuse_nothing(self, ctx)
        collect(ctx)
        ctx.obj = Context.from_flags(ctx.meta[COMMON])
        try:
            with ctx.obj.opened:
                if not self.mutates:
                    return super().invoke(ctx)
                from iotauth_cli.cli.recording import recorded

                return recorded(ctx, lambda: super(Command, self).invoke(ctx))
        except IotauthError as problem:
            problem.hint = problem.hint and ctx.obj.notes.places[-1].placed(problem.hint)
            raise
