"""Somebody's own prices, from a file: a contract's, another region's, next year's.

The file is JSON or YAML, and has the shape of `prices` in what `iotauth estimate --json` prints, so
that one is written by taking that and changing it. A price that it does not name stays as known.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from fractions import Fraction
from pathlib import Path
from typing import Any

from iotauth_cli.errors import InputError, did_you_mean
from iotauth_cli.files import read_text
from iotauth_cli.operations.estimate.prices import ITEMS, Price, Source, Tier

MAX_CHARACTERS = 100_000  # eleven prices take two thousand
NUMBER = re.compile(r"[0-9]{1,12}(\.[0-9]{1,15})?(e-[0-9]{1,2})?", re.IGNORECASE)  # dollars
SHOWN = 80  # characters of what is wrong
WHOLE = re.compile("[1-9][0-9]{0,14}")
START = "start from the known ones: `iotauth estimate --devices 1 --json | jq .prices > prices.json`"


def read_prices(path: Path, region: str) -> dict[str, Price]:
    """Return the prices in the file *path*, which hold for *region*.

    Raises:
        InputError: there is no such file, it is no JSON or YAML, or says what cannot be a price.
    """
    text = read_text(path, MAX_CHARACTERS)
    if text is None:
        raise InputError(f"there is no file `{path}`", hint=START)
    document = parse(text, path)
    if not isinstance(document, Mapping):
        raise InputError(f"`{path}` holds no prices", hint=START)
    items = {item[0]: item for item in ITEMS}
    for key in document:
        if key not in items:
            raise InputError(
                f"`{path}`: `{key}` is nothing that is paid for here", hint=did_you_mean(str(key), items, START)
            )
    return {key: price(items[key], value, path, region) for key, value in document.items()}


def parse(text: str, path: Path) -> Any:
    """Return what *text* says; its numbers stay as they are written."""
    if path.suffix.lower() in (".yaml", ".yml"):
        return parse_yaml(text, path)
    try:
        return json.loads(text, parse_float=str, parse_int=str, parse_constant=str)
    except (ValueError, RecursionError) as problem:
        raise InputError(f"`{path}` is not JSON", hint="a YAML file's name ends with `.yaml`") from problem


def parse_yaml(text: str, path: Path) -> Any:
    import yaml

    try:
        return yaml.load(text, Loader=yaml.BaseLoader)
    except (yaml.YAMLError, RecursionError) as problem:
        raise InputError(f"`{path}` is not YAML", hint=START) from problem


def price(item: tuple[str, str, str, int], value: Any, path: Path, region: str) -> Price:
    key, what, unit, known_per = item
    place = f"`{path}`: `{key}`"
    if not isinstance(value, Mapping) or not isinstance(value.get("tiers"), list) or not value["tiers"]:
        raise InputError(f'{place} has no `tiers`, such as `[{{"up_to": null, "usd": 0.08}}]`', hint=START)
    per = whole(value.get("per", known_per), f"{place}: `per`")
    tiers = tuple(tier(each, place) for each in value["tiers"])
    ends = [each.up_to for each in tiers]
    rising = [end for end in ends if end is not None]
    if ends[-1] is not None or len(rising) != len(ends) - 1 or sorted(set(rising)) != rising:
        raise InputError(f"{place}: the tiers must rise, and the last one has no end: `up_to: null`", hint=START)
    return Price(key, what, unit, per, tiers, region, source(value.get("source"), path))


def source(value: Any, path: Path) -> Source:
    """Return what the file says of where its price is from, else the file itself."""
    said = value if isinstance(value, Mapping) else {}
    title, url, date = (words(said.get(name)) for name in ("title", "url", "date"))
    return Source(
        title=title or f"your prices in {path}",
        url=url,
        date=date,
        from_aws=said.get("from_aws") in (True, "true"),
    )


def words(value: Any) -> str:
    """Return a text as it is; nothing for what has parts, which a few aliases of YAML make larger than any memory."""
    return value if isinstance(value, str) else ""


def tier(value: Any, place: str) -> Tier:
    if not isinstance(value, Mapping):
        raise InputError(f"{place}: a tier has `up_to` and `usd`", hint=START)
    end = value.get("up_to")
    return Tier(
        None if end in (None, "", "null", "~") else whole(end, f"{place}: `up_to`"), dollars(value.get("usd"), place)
    )


def dollars(text: Any, place: str) -> Fraction:
    if not isinstance(text, str) or not NUMBER.fullmatch(text):
        raise InputError(f"{place}: `usd` is no price{shown(text)}", hint="write dollars, such as `0.08`")
    return Fraction(text)


def whole(text: Any, place: str) -> int:
    if not isinstance(text, (str, int)) or not WHOLE.fullmatch(str(text)):
        raise InputError(f"{place} is no whole number above nothing{shown(text)}", hint=START)
    return int(text)


def shown(value: Any) -> str:
    return f": `{value}`" if isinstance(value, (str, int)) and len(str(value)) < SHOWN else ""
