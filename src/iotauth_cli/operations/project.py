"""A project's settings file, written once with every setting explained."""

from __future__ import annotations

import json
import re
from pathlib import Path

from iotauth_cli.errors import InputError
from iotauth_cli.files import write_public

NOT_TEXT = {"y", "n", "yes", "no", "on", "off", "true", "false", "null"}  # YAML 1.1

TEMPLATE = """\
# Settings of this project. A flag or an IOTAUTH_* variable beats a line here;
# `iotauth config show` tells where each value comes from. No secret belongs here.

# What `iotauth authorizer create` makes and the other commands use.
authorizer: iotauth
table: iotauth-clients
function: iotauth-authorizer

# Where on AWS; without these, as in `aws configure`.
{region}
{profile}
# Refuse to work with the keys of any other account:
# account: "123456789012"

# true: the emulator on this machine in AWS's place. Start it with `iotauth emulator start`.
emulator: {emulator}

# Where the emulator keeps its state, and its ports for devices and for the APIs:
# state_dir: ~/.local/state/iotauth/emulator
# port: 8443
# control_port: 4588
"""


def init(
    path: Path, *, emulator: bool = False, region: str | None = None, profile: str | None = None, force: bool = False
) -> Path:
    """Write a commented settings file to *path*; an existing one only if *force*.

    Raises:
        InputError: there is one already, or it cannot be written.
    """
    refuse_existing(path, force=force)
    write_public(path, text(emulator=emulator, region=region, profile=profile), overwrite=force)
    return path


def refuse_existing(path: Path, *, force: bool) -> None:
    """Refuse to write over the settings at *path*, unless *force*."""
    if path.exists() and not force:
        raise InputError(f"`{path.name}` exists already", hint="keep it, or add `--force` to write it anew")


def text(*, emulator: bool = False, region: str | None = None, profile: str | None = None) -> str:
    """Return a commented settings file."""
    return TEMPLATE.format(
        region=f"region: {scalar(region)}" if region else "# region: eu-west-1",
        profile=f"profile: {scalar(profile)}" if profile else "# profile: default",
        emulator=str(emulator).lower(),
    )


def scalar(text: str) -> str:
    """Return *text* as YAML that means this text: ``42``, ``no`` and ``a: b`` would mean something else."""
    is_plain = re.fullmatch(r"[A-Za-z][\w-]*", text) and text.lower() not in NOT_TEXT
    return text if is_plain else json.dumps(text)
