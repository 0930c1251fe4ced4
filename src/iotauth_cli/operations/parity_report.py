"""What a run of `tests/parity` has observed, read from its report, and laid beside the emulator's choices.

The report is written by whoever has an AWS account, and may come by mail: it is read as something that
strangers wrote. Its format is described in docs/guides/parity.md.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from iotauth_cli.emulator.behaviour import DOCUMENTED, Choice, Value
from iotauth_cli.emulator.flips import shown
from iotauth_cli.errors import InputError
from iotauth_cli.files import read_text

FORMAT = "iotauth-parity/1"
MAX_CHARACTERS = 1_000_000  # a hundred times what a run writes
HINT = "`pytest tests/parity --aws --parity-report FILE` writes one"
KEY = re.compile(r"[a-z][a-z0-9_]{0,63}")

SAME, DIFFERENT, NOT_OBSERVED = "same", "different", "not observed"


@dataclass(frozen=True)
class Observation:
    """What was seen of *key*; None if nothing was, and *why_not* says why.

    *expected* is what the emulator did when the run was made; *tolerance* belongs to what was measured in time.
    """

    key: str
    observed: Value | None
    expected: Value | None = None
    tolerance: float = 0.0
    why_not: str = ""


@dataclass(frozen=True)
class Report:
    """*otherwise* are the rows of the conformance table that came out otherwise than the table says."""

    world: str
    when: str
    region: str
    observations: tuple[Observation, ...]
    otherwise: tuple[Observation, ...] = ()


@dataclass(frozen=True)
class Compared:
    """One line: *flag* starts the emulator with what was observed, where it has a choice of that kind."""

    key: str
    choice: Value | None
    observed: Value | None
    verdict: str
    flag: str = ""
    why_not: str = ""


def read(path: Path) -> Report:
    """Read the report at *path*.

    Raises:
        InputError: there is none, or what is there is not a report of this format.
    """
    text = read_text(path, MAX_CHARACTERS)
    if text is None:
        raise InputError(f"there is no report `{path}`", HINT)
    try:
        return _report(json.loads(text))
    except _NoReport as problem:
        raise InputError(f"`{path}` is not a parity report: {problem}", HINT) from problem
    except (ValueError, RecursionError) as problem:
        raise InputError(f"`{path}` is not a parity report: it is not JSON", HINT) from problem


def compare(choices: Sequence[Choice], report: Report) -> tuple[Compared, ...]:
    """Lay *report* beside *choices*: what is documented only where it was observed, all else in any case.

    What the report knows and the emulator has no choice for comes last, beside what the run expected, and so do
    the rows of the conformance table that came out otherwise.
    """
    seen = {each.key: each for each in report.observations}
    known = [
        _beside(choice, seen.get(choice.key, Observation(choice.key, None)))
        for choice in choices
        if choice.confidence != DOCUMENTED or choice.key in seen
    ]
    mine = {choice.key for choice in choices}
    others = [each for key, each in seen.items() if key not in mine]
    return (*known, *map(_without_choice, (*others, *report.otherwise)))


def flags(compared: Sequence[Compared]) -> tuple[str, ...]:
    """Return what starts the emulator with all that was observed otherwise."""
    return tuple(each.flag for each in compared if each.flag)


def _beside(choice: Choice, seen: Observation) -> Compared:
    verdict = _verdict(choice.value, seen)
    can_be_flipped = verdict == DIFFERENT and seen.observed is not None and _fits(choice.default, seen.observed)
    flag = f"--behaviour {choice.key}={shown(seen.observed)}" if can_be_flipped and seen.observed is not None else ""
    return Compared(choice.key, choice.value, seen.observed, verdict, flag, seen.why_not)


def _without_choice(seen: Observation) -> Compared:
    return Compared(seen.key, seen.expected, seen.observed, _verdict(seen.expected, seen), why_not=seen.why_not)


def _verdict(choice: Value | None, seen: Observation) -> str:
    if seen.observed is None or choice is None:
        return NOT_OBSERVED
    return SAME if _equal(choice, seen.observed, seen.tolerance) else DIFFERENT


def _equal(one: Value, other: Value, tolerance: float) -> bool:
    if _is_number(one) and _is_number(other):
        return abs(float(one) - float(other)) <= tolerance
    return type(one) is type(other) and one == other  # True is 1 to Python, and not to us


def _fits(default: Value, value: Value) -> bool:
    """Tell whether *value* can be typed for a choice whose default is *default*."""
    if _is_number(default) and _is_number(value):
        return float(value) >= 0 and (isinstance(default, float) or float(value).is_integer())
    return type(default) is type(value) and (not isinstance(value, str) or re.fullmatch(r"[\w.:-]+", value) is not None)


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


class _NoReport(ValueError):
    pass


def _report(document: Any) -> Report:
    if not isinstance(document, dict):
        raise _NoReport("it is no JSON object")
    found = document.get("format")
    if found != FORMAT:
        raise _NoReport(f"its format is not `{FORMAT}`" if isinstance(found, str) else "it names no format")
    listed = document.get("observations")
    if not isinstance(listed, list):
        raise _NoReport("it has no list of observations")
    observations = tuple(_observation(number, each) for number, each in enumerate(listed, 1))
    if len({each.key for each in observations}) < len(observations):
        raise _NoReport("it has two observations of one key")
    rows = document.get("rows", [])
    if not isinstance(rows, list):
        raise _NoReport("it has no list of rows")
    otherwise = tuple(found for each in rows if (found := _row(each)) is not None)
    world, when, region = (_word(document, name) for name in ("world", "when", "region"))
    return Report(world, when, region, observations, otherwise)


def _row(entry: Any) -> Observation | None:
    """Return a row that came out otherwise; None for one that did not."""
    if not isinstance(entry, dict) or type(number := entry.get("row")) is not int or not 0 < number < 1000:
        raise _NoReport("one of its rows has no number")
    if entry.get("same") is not False:
        return None
    key = f"row_{number:03}"
    observed, expected = (_value(entry, name, key) for name in ("observed", "expected"))
    return Observation(key, observed, expected)


def _observation(number: int, entry: Any) -> Observation:
    if not isinstance(entry, dict):
        raise _NoReport(f"observation {number} is no JSON object")
    key = entry.get("key")
    if not isinstance(key, str) or not KEY.fullmatch(key):
        raise _NoReport(f"observation {number} has no key")
    tolerance = entry.get("tolerance", 0)
    if not _is_number(tolerance) or not 0 <= tolerance < float("inf"):
        raise _NoReport(f"the tolerance of `{key}` is no number")
    observed, expected = (_value(entry, name, key) for name in ("observed", "expected"))
    return Observation(key, observed, expected, float(tolerance), _word(entry, "why_not") if observed is None else "")


def _value(entry: Mapping[str, Any], name: str, key: str) -> Value | None:
    value: Any = entry.get(name)
    is_plain = value is None or isinstance(value, bool) or (_is_number(value) and abs(value) < 1e15)
    if not is_plain and not (isinstance(value, str) and len(value) <= 200 and value.isprintable()):
        raise _NoReport(f"what is `{name}` of `{key}` is no plain value")
    found: Value | None = value
    return found


def _word(entry: Mapping[str, Any], name: str) -> str:
    value = entry.get(name, "")
    if not isinstance(value, str) or len(value) > 500 or not value.isprintable():
        raise _NoReport(f"its `{name}` is no plain text")
    return value
