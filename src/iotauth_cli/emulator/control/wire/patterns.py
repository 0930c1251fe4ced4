"""The regular expressions of the service models, which are Java's, as Python's.

Three differences matter. Java's ``\\w``, ``\\d`` and ``\\s`` are ASCII, which is why ``é`` is no letter of
an authorizer's name. Java takes a class such as ``[\\w-_]``, in which Python sees a broken range. And Java
knows Unicode categories by name (``\\p{L}``), which Python's ``re`` does not.
"""

from __future__ import annotations

import functools
import re
import warnings
from collections.abc import Iterator

TOKEN = re.compile(r"\\u[Dd]800\\u[Dd][Cc]00-\\u[Dd][Bb][Ff]{2}\\u[Dd][Ff]{3}|\\[pP]\{\w+\}|\\.|.", re.DOTALL)

# Python has no class of letters alone. `\w` is letters, digits and `_`, and every model
# that names {L} names {N} and `_` beside it.
CATEGORIES = {
    r"\p{L}": r"\w",
    r"\p{N}": r"\w",
    r"\p{Z}": r" \xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000",
    r"\p{Print}": r" -~",
    r"\p{Graph}": r"!-~",
}
SUPPLEMENTARY = r"\U00010000-\U0010ffff"  # Java writes it as a range between two surrogate pairs


class UnsupportedCategory(ValueError):
    """A Unicode category that no pattern of an implemented operation uses."""


@functools.cache
def compile_pattern(pattern: str) -> re.Pattern[str] | None:
    """Return *pattern* for `fullmatch`, or None if Python cannot say it.

    A pattern that cannot be said is not checked: refusing what AWS takes would be worse
    than taking what AWS refuses.
    """
    flags = re.RegexFlag(0) if r"\p{" in pattern else re.ASCII
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", FutureWarning)  # set operations, which Java has and Python may get
            return re.compile("".join(_translate(pattern)), flags)
    except (re.error, FutureWarning, UnsupportedCategory):
        return None


def _translate(pattern: str) -> Iterator[str]:
    inside = False  # of a character class
    previous = ""
    for match in TOKEN.finditer(pattern):
        token = match.group()
        if token[:2] in (r"\p", r"\P"):
            yield _category(token) if inside else f"[{_category(token)}]"
        elif inside and token == "-" and previous in (r"\w", r"\d", r"\s"):
            yield r"\-"
        else:
            yield SUPPLEMENTARY if len(token) > 2 else token
            inside = token == "[" or (inside and token != "]")
        previous = token


def _category(token: str) -> str:
    try:
        return CATEGORIES[token]
    except KeyError:
        raise UnsupportedCategory(token) from None
