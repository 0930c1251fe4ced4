"""Times as people write them: `30d` and `2027-01-31`. Pure; the answers are seconds and epoch seconds, UTC."""

from __future__ import annotations

import calendar
import re
import time

from iotauth_cli.errors import InputError

SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 7 * 86400}
NAMES = {"s": "s", "m": "min", "h": "h", "d": "days"}
LATEST = calendar.timegm((9999, 12, 31, 23, 59, 59))  # the last moment that a date has a name for


def parse_duration(text: str, option: str = "--ttl") -> int:
    """Return `90s`, `15m`, `12h`, `7d`, `2w` or several of them, `1d12h`, in seconds; `0` is none.

    Raises:
        InputError: it is no duration, or longer than any date reaches. *option* is named as its place.
    """
    parts = re.findall(r"(\d{1,12})([smhdw])", text, re.ASCII)
    if (text != "0" and "".join(map("".join, parts)) != text) or not text:
        raise InputError(f"`{option} {text}` is no duration", hint=f"write it as `{option} 7d`, `12h` or `90m`")
    seconds = sum(int(count) * SECONDS[unit] for count, unit in parts)
    if seconds > LATEST:
        raise InputError(f"`{option} {text}` is longer than any date reaches", hint=f"`{option} 3650d` is ten years")
    return seconds


def parse_date(text: str, option: str = "--expires") -> int:
    """Return the end of the day `2027-01-31` in UTC: the first second that no longer belongs to it.

    `2027-01-31T12:00Z` is that minute.

    Raises:
        InputError: it is no such date. *option* is named as its place.
    """
    for form, length_s in (("%Y-%m-%d", SECONDS["d"]), ("%Y-%m-%dT%H:%MZ", 0)):
        try:
            return calendar.timegm(time.strptime(text, form)) + length_s
        except ValueError:
            continue
    raise InputError(
        f"`{option} {text}` is no date",
        hint=f"write it as `{option} 2027-01-31`, which is valid to the end of that day UTC, or `2027-01-31T12:00Z`",
    )


def in_words(seconds: float) -> str:
    """Return a duration as people say it, in its largest unit: `3 min`, `2 days`."""
    unit = next((unit for unit in "dhm" if abs(seconds) >= 2 * SECONDS[unit]), None)
    if unit is None:
        unit = "m" if abs(seconds) >= SECONDS["m"] else "s"
    return f"{int(seconds // SECONDS[unit])} {NAMES[unit]}"
