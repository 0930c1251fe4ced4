"""The front desk: parse, call one operation, show the result.

Every command does three things and is about fifteen lines. Importing this module imports
typer and nothing else; see `lazy` for why.
"""

from __future__ import annotations

import os
import re
import sys
from typing import Any

import typer
from typer import _click
from typer.core import TyperOption

from iotauth_cli import __version__
from iotauth_cli.cli.lazy import MUTATES, Commands, LazyGroup
from iotauth_cli.cli.options import COMMON, collect, common_options
from iotauth_cli.errors import InputError, IotauthError

COMMANDS: Commands = {
    "quickstart": ("iotauth_cli.cli.quickstart:quickstart", "Run the whole story on the emulator."),
    "init": ("iotauth_cli.cli.init:init", "Write a commented iotauth.yaml, or adopt an authorizer.", MUTATES),
    "authorizer": ("iotauth_cli.cli.authorizer:group", "Create and inspect custom authorizers."),
    "client": ("iotauth_cli.cli.client:group", "Add, list and remove clients."),
    "keys": ("iotauth_cli.cli.keys:group", "Make keys, sign tokens, check signatures."),
    "boards": ("iotauth_cli.cli.boards:boards", "List boards and serial ports."),
    "secrets": ("iotauth_cli.cli.secrets:group", "Write credentials for devices, find leaked ones."),
    "flash": ("iotauth_cli.cli.flash:flash", "Put a client's credential on a board.", MUTATES),
    "test-connect": ("iotauth_cli.cli.test_connect:connect", "Connect as a device would."),
    "explain": ("iotauth_cli.cli.explain:explain", "Say what a code or a message means."),
    "doctor": ("iotauth_cli.cli.doctor:doctor", "Check the whole installation.", MUTATES),
    "logs": ("iotauth_cli.cli.logs:group", "See who tried to connect, and what happened."),
    "policy": ("iotauth_cli.cli.policy:group", "Ask what policies allow."),
    "estimate": ("iotauth_cli.cli.estimate:estimate", "Say what a fleet costs, and which quotas it meets."),
    "listen": ("iotauth_cli.cli.listen:listen", "Show messages as they come."),
    "publish": ("iotauth_cli.cli.publish:publish", "Publish a message."),
    "emulator": ("iotauth_cli.cli.emulator:group", "Run AWS IoT custom authentication locally."),
    "audit": ("iotauth_cli.cli.audit:group", "See what was changed from this project."),
    "template": ("iotauth_cli.cli.template:template", "Write what is installed as infrastructure code."),
    "config": ("iotauth_cli.cli.config:group", "Show settings and where they come from."),
}

INTERRUPTED = 130
BUG = 70

HELP = """User names and passwords for AWS IoT devices.

Example: iotauth quickstart
"""


class Root(LazyGroup):
    """The program itself: the common flags, then a command."""

    def __init__(self) -> None:
        version = TyperOption(
            param_decls=["--version", "-V"],
            is_flag=True,
            is_eager=True,
            expose_value=False,
            callback=show_version,
            help="Print the version.",
        )
        super().__init__("iotauth", COMMANDS, help=HELP, rich_markup_mode=markup_mode())
        self.params = [version, *common_options()]

    def invoke(self, ctx: _click.Context) -> Any:
        collect(ctx)
        return super().invoke(ctx)


def markup_mode() -> Any:
    """Rich help costs twice a plain page: only where somebody sees it."""
    return "rich" if sys.stdout.isatty() and not os.environ.get("NO_COLOR") else None


def show_version(ctx: _click.Context, _parameter: object, wanted: bool) -> None:
    if wanted:
        from iotauth_cli.cli.output import write_line

        write_line(f"iotauth {__version__}")
        ctx.exit()


def run(arguments: list[str]) -> int:
    """Run one command line; say what went wrong; return the exit code."""
    from iotauth_cli.cli import output

    flags: dict[str, Any] = {"debug": "--debug" in arguments, "as_json": "--json" in arguments}
    output.replace_closed_streams()
    try:
        code = Root().main(args=arguments, prog_name="iotauth", standalone_mode=False)
        if code == INTERRUPTED:  # typer has made that of Ctrl-C, in silence
            output.say_interrupted()
        sys.stdout.flush()  # here, where a full disk or a reader that left can still be told
        return code if isinstance(code, int) else 0
    except BaseException as problem:  # one place where every way to fail becomes an exit code
        return report(problem, flags)


def report(problem: BaseException, flags: dict[str, Any]) -> int:
    """Tell *problem* in a sentence and a hint; return its exit code."""
    from iotauth_cli.cli import output

    # typer turns a broken pipe into an exit of its own, with the pipe's error as its context.
    if isinstance(problem, BrokenPipeError) or isinstance(problem.__context__, BrokenPipeError):
        return output.give_up_stdout()
    if isinstance(problem, OSError) and problem.errno in output.UNWRITABLE:
        flags = {**flags, "as_json": False}
        output.give_up_stdout()
        problem = IotauthError(f"the result cannot be written: {(problem.strerror or '').lower()}")
    if isinstance(problem, (KeyboardInterrupt, typer.Abort)):
        output.say_interrupted()
        return INTERRUPTED
    if isinstance(problem, SystemExit):
        return problem.code if isinstance(problem.code, int) else 0
    if isinstance(problem, _click.exceptions.NoArgsIsHelpError):
        output.write_line(problem.ctx.get_help() if problem.ctx else "")
        return 0
    if isinstance(problem, _click.exceptions.ClickException):
        problem = usage_error(problem)
    if isinstance(problem, IotauthError):
        output.show_error(problem, as_json=flags["as_json"], debug=flags["debug"])
        return problem.exit_code
    output.show_bug(problem, as_json=flags["as_json"], debug=flags["debug"])
    return BUG


PLAINLY = (  # click's wording, and ours
    (r"'([^']*)'", r"`\1`"),
    (r"^Got unexpected extra argument\(s\) \((.*)\)$", r"unexpected argument `\1`"),
    (r"^No such option: ([^ ]+)", r"no such option `\1`"),
    (r" \(Possible options: (.*)\)$", r"; did you mean \1?"),
    (r"\. Did you mean ", "; did you mean "),
    (r"is not a valid int(eger)?( range)?$", "is not a whole number"),
    (r"is not a valid float( range)?$", "is not a number"),
    (r"([^ ]+) is not in the range ([^ <]+)<=x<=([^ ]+)$", r"`\1` is not between \2 and \3"),
    (r"([^ ]+) is not in the range x>=([^ ]+)$", r"`\1` is less than \2"),
)


ELSEWHERE = {  # other tools' words, and ours
    **dict.fromkeys(("delete", "del", "rm"), "remove"),
    **dict.fromkeys(("create", "new"), "add"),
    **dict.fromkeys(("edit", "set", "tag"), "update"),
    **dict.fromkeys(("block", "revoke"), "disable"),
    "get": "show",
    "ls": "list",
    "remove": "delete",
}


def usage_error(problem: _click.exceptions.ClickException) -> InputError:
    """Word click's refusals as ours: one sentence, lower case, no full stop, a hint that can be typed."""
    message = problem.format_message().rstrip(".")
    for theirs, ours in PLAINLY:
        message = re.sub(theirs, ours, message)
    context = getattr(problem, "ctx", None)
    unknown = re.fullmatch("No such command `(.*)`", message)
    if unknown and (meant := ELSEWHERE.get(unknown[1])) in getattr(context and context.command, "commands", ()):
        message += f"; did you mean `{meant}`?"
    path = context.command_path if context else "iotauth"
    return InputError(message[:1].lower() + message[1:], hint=f"see `{path} --help`")


__all__ = ["COMMON", "run"]
