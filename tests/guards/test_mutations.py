"""Every command of the program is known to change something, or known not to."""

from __future__ import annotations

from collections.abc import Iterator

from iotauth_cli.cli import COMMANDS, Root
from iotauth_cli.cli.lazy import MUTATES, LazyGroup

# Commands that change nothing of AWS's, nor of the emulator's in its place; they may write files here.
# `quickstart` plays on the emulator, and so does all of `emulator`.
READING = {
    "audit log",
    "authorizer list",
    "authorizer show",
    "authorizer test-invoke",
    "boards",
    "client audit",
    "client export",
    "client list",
    "client show",
    "config show",
    "estimate",
    "explain",
    "keys generate",
    "keys public",
    "keys sign",
    "keys verify",
    "listen",
    "logs status",
    "policy can",
    "policy function",
    "policy lint",
    "policy operator",
    "policy readonly",
    "policy rules",
    "policy show",
    "publish",
    "quickstart",
    "secrets render",
    "secrets scan",
    "template",
    "test-connect",
}
PLAYING = "emulator "


def commands(group: LazyGroup, path: tuple[str, ...] = ()) -> Iterator[tuple[str, bool]]:
    """Yield every command of *group* with whether its table says that it mutates."""
    for name, entry in group.table.items():
        loaded = group.load(name)
        if isinstance(loaded, LazyGroup):
            assert MUTATES not in entry, f"`{name}` is a group: mark its commands"
            yield from commands(loaded, (*path, name))
        else:
            yield " ".join((*path, name)), MUTATES in entry


def test_every_command_is_known_to_mutate_or_to_read() -> None:
    """A new command declares itself: MUTATES as the third member of its entry, or its name in READING above."""
    assert COMMANDS
    found = dict(commands(Root()))
    undeclared = {
        name for name, mutates in found.items() if not (mutates or name in READING or name.startswith(PLAYING))
    }
    assert not undeclared, f"do they change anything? Then MUTATES; else they belong into READING: {undeclared}"
    both = {name for name, mutates in found.items() if mutates and name in READING}
    assert not both, f"they are marked MUTATES and listed as reading: {both}"


def test_a_mutating_command_knows_it() -> None:
    """The mark in the table reaches the command, which writes the line."""
    group = Root().load("client")
    assert isinstance(group, LazyGroup)
    assert getattr(group.load("add"), "mutates", False)
    assert not getattr(group.load("list"), "mutates", True)
