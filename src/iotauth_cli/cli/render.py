"""Results as text and as JSON documents: what several commands share, and the settings.

Pure: values in, lines and documents out. What they say is shown by `output`.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from iotauth_cli.config import Settings

Facts = list[tuple[str, str]]  # name and value; a name that repeats is shown once
Table = tuple[Sequence[str], list[Sequence[str]]]
NOTHING = "-"


def moment(epoch_s: int | None) -> str:
    """Return a point in time for people, to the minute, in UTC."""
    return NOTHING if epoch_s is None else time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(epoch_s))


def counted(count: int, noun: str) -> str:
    """Return `1 client`, `2 clients`."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def ignored(line: str | None, what: str = "the file") -> list[str]:
    """Say that git passes over *what* from now on, because .gitignore got *line*; nothing where it got none."""
    return [f"git now ignores {what}: `.gitignore` has `{line}`"] if line else []


def several(name: str, values: Sequence[str]) -> Facts:
    """Return one fact for each value, or nothing."""
    return [(name, value) for value in values]


def settings(found: Settings, state_dir: str) -> Table:
    """Return every setting with its source; *state_dir* is the folder as it is to be shown."""
    values = settings_values(found) | {"state_dir": state_dir}
    rows: list[Sequence[str]] = [(name, shown(value), found.sources[name]) for name, value in values.items()]
    return ("setting", "value", "source"), rows


def settings_document(found: Settings) -> dict[str, Any]:
    return {name: {"value": value, "source": found.sources[name]} for name, value in settings_values(found).items()}


def settings_values(found: Settings) -> dict[str, Any]:
    values = {name: getattr(found, name) for name in found.sources}
    return {name: value if isinstance(value, bool | int | None) else str(value) for name, value in values.items()}


def shown(value: object) -> str:
    return NOTHING if value is None else str(value).lower() if isinstance(value, bool) else str(value)
