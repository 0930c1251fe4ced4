"""The choices of `Behaviour` that the user has made otherwise: typed as ``key=value``, kept in the state.

They are chosen when the emulator starts and hold for every later start, until they are flipped back (to the
default's value, or ``key=default``) or the state is reset.
"""

from __future__ import annotations

import dataclasses
import json
import logging
from collections.abc import Iterable, Mapping
from typing import Any

from iotauth_cli.emulator.behaviour import Behaviour, Value
from iotauth_cli.emulator.state import State
from iotauth_cli.errors import InputError, did_you_mean

DEFAULTS: Mapping[str, Any] = {field.name: getattr(Behaviour, field.name) for field in dataclasses.fields(Behaviour)}
DEFAULT = "default"
SCHEMA = "CREATE TABLE IF NOT EXISTS behaviour (key TEXT PRIMARY KEY, value TEXT NOT NULL);"
TRUE, FALSE = ("true", "yes", "on"), ("false", "no", "off")

Flips = Mapping[str, Any]  # of the kind that the choice's default is

log = logging.getLogger(__name__)


def parse(texts: Iterable[str]) -> Flips:
    """Return what *texts*, each ``key=value``, flip; of two for one key the later counts.

    Raises:
        InputError: there is no such choice, or the value is none for it.
    """
    return dict(_parse_one(text) for text in texts)


def keep(state: State, flips: Flips) -> Flips:
    """Lay *flips* over those kept in *state* and return all that are now in force; defaults are not kept."""
    state.create(SCHEMA)
    with state.transaction() as db:
        for key, value in flips.items():
            db.execute("INSERT OR REPLACE INTO behaviour VALUES (?, ?)", (key, json.dumps(value)))
            db.execute("DELETE FROM behaviour WHERE key = ? AND value = ?", (key, json.dumps(DEFAULTS[key])))
    return kept(state)


def kept(state: State) -> Flips:
    """Return the flips kept in *state*; those of another version, which mean nothing here, are left out."""
    state.create(SCHEMA)
    rows = state.db.execute("SELECT key, value FROM behaviour ORDER BY key")
    found = {row["key"]: json.loads(row["value"]) for row in rows}
    known = {key: value for key, value in found.items() if type(value) is type(DEFAULTS.get(key))}
    for key in found.keys() - known.keys():
        log.warning("the choice `%s` of an earlier version is left out", key)
    return known


def laid_over_defaults(flips: Flips) -> Behaviour:
    return Behaviour(**flips)


def shown(value: Value) -> str:
    """Return *value* as one types it."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def _parse_one(text: str) -> tuple[str, Value]:
    key, equals, value = text.partition("=")
    if not equals:
        raise InputError(f"`{text}` is not of the form `key=value`", hint=f"write `{key}=` and its value")
    if key not in DEFAULTS:
        raise _unknown(key)
    default = DEFAULTS[key]
    return key, default if value == DEFAULT else _value(key, value, default)


def _unknown(key: str) -> InputError:
    hint = did_you_mean(key, DEFAULTS, "`iotauth emulator behaviour` lists them")
    return InputError(f"the emulator has no choice `{key}`", hint)


def _value(key: str, text: str, default: Value) -> Value:
    if isinstance(default, bool):
        if text.lower() not in TRUE + FALSE:
            raise InputError(f"`{key}` is true or false, not `{text}`")
        return text.lower() in TRUE
    if isinstance(default, str):
        return text
    kind = "whole number" if isinstance(default, int) else "number"
    try:
        number = int(text, 0) if isinstance(default, int) else float(text)
    except ValueError as error:
        raise InputError(f"`{key}` is a {kind}, not `{text}`") from error
    if not 0 <= number < float("inf"):
        raise InputError(f"`{key}` is a {kind} from 0 on, not `{text}`")
    return number
