"""A command that a hint names means the place that was given by flags."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

import pytest

from iotauth_cli.cli.context import Context
from iotauth_cli.cli.output import Output


@pytest.mark.parametrize(
    ("hint", "placed"),
    [
        ("see `iotauth client list`", "see `iotauth client list --emulator --config a.yaml`"),
        ("`iotauth client show a` and `--force`", "`iotauth client show a --emulator --config a.yaml` and `--force`"),
        ("start it with `iotauth emulator start`", "start it with `iotauth emulator start --config a.yaml`"),
        ("see `iotauth client add --help`", "see `iotauth client add --help`"),
        ("see `iotauth client list --config a.yaml`", "see `iotauth client list --config a.yaml`"),
        ("write one with `iotauth init`", "write one with `iotauth init`"),
    ],
)
def test_commands_in_hints_go_where_this_one_went(hint: str, placed: str) -> None:
    """What says a place itself, and what needs none, stays as it is."""
    flags = {"emulator": True, "config": "a.yaml"}
    assert Context(flags, Output(), {}, Path(), ExitStack()).placed(hint) == placed
    assert Context({}, Output(), {}, Path(), ExitStack()).placed(hint) == hint


@pytest.mark.parametrize(
    ("hint", "placed"),
    [
        ("start it with `iotauth emulator start`", "start it with `iotauth emulator start --state-dir 'my emulator'`"),
        ("see `iotauth client list`", "see `iotauth client list --profile work`"),
    ],
)
def test_the_emulator_s_own_commands_find_its_folder_again(hint: str, placed: str) -> None:
    """Other commands have no `--state-dir`."""
    flags = {"profile": "work" if "client" in hint else None, "state_dir": Path("my emulator")}
    assert Context(flags, Output(), {}, Path(), ExitStack()).placed(hint) == placed
