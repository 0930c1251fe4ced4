"""The three names in iotauth.yaml: changed where they stand, everything else and every comment left as it is."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from iotauth_cli.errors import InputError
from iotauth_cli.files import read_text, remove, write_public
from iotauth_cli.operations import project

NAMES = ("authorizer", "table", "function")
LINE = (
    r"^(?P<key>{key}[ \t]*:)[ \t]*(?P<value>\"(?:[^\"\\]|\\.)*\"|'(?:[^']|'')*'|[^#\s]*)(?P<rest>[ \t]*(?:[ \t]#.*)?)$"
)


def written(text: str, names: Mapping[str, str], path: Path) -> str:
    """Return the settings *text* with *names* in it: each on its own line, where it stands or at the end.

    Raises:
        InputError: the file is written in a way that cannot be changed line by line.
    """
    changed = text
    for key, name in names.items():
        line = f"{key}: {project.scalar(name)}"
        pattern = re.compile(LINE.format(key=key), re.MULTILINE)
        if pattern.search(changed):
            changed = pattern.sub(lambda found, line=line: line + found["rest"], changed, count=1)  # type: ignore[misc]
        else:
            changed += f"{'' if changed.endswith(chr(10)) or not changed else chr(10)}{line}\n"
    if values(changed) != {**(values(text) or {}), **names}:
        lines = ", ".join(f"`{key}: {project.scalar(name)}`" for key, name in names.items())
        raise InputError(f"`{path.name}` cannot be changed line by line", hint=f"write into it: {lines}")
    return changed


def values(text: str) -> dict[str, object] | None:
    """Return what a settings file says; None where it says nothing, or is no mapping."""
    import yaml

    try:
        found = yaml.safe_load(text)
    except yaml.YAMLError:
        return None
    return found if isinstance(found, dict) else None


def planned(
    path: Path, names: Mapping[str, str], *, emulator: bool, region: str | None, profile: str | None
) -> tuple[str | None, str]:
    """Return the text of the settings file at *path*, None where there is none, and that text with *names* in it.

    A new file is what `iotauth init` writes with the other arguments.
    """
    before = read_text(path)
    fresh = project.text(emulator=emulator, region=region, profile=profile)
    return before, written(fresh if before is None else before, names, path)


def write(path: Path, text: str) -> bool:
    """Make *text* the settings file, unless it is already; tell whether it was written."""
    if read_text(path) == text:
        return False
    write_public(path, text, overwrite=True)
    return True


def put_back(path: Path, before: str | None, after: str | None) -> bool:
    """Make the settings file what it was before; tell whether that was done.

    A file that somebody went on editing gets its three names back and keeps the rest.
    """
    now = read_text(path)
    if now is None or after is None:
        return False
    if now == after and before is None:
        remove(path)
        return True
    old = values(before) if before is not None else values(project.text())
    text = before if now == after and before is not None else written(now, names_in(old or {}, now), path)
    write_public(path, text, overwrite=True)
    return True


def names_in(old: Mapping[str, object], now: str) -> dict[str, str]:
    """Return the names of *old*; one that it does not have keeps what *now* says."""
    found = {**(values(now) or {}), **old}
    return {key: str(found[key]) for key in NAMES if found.get(key) is not None}
