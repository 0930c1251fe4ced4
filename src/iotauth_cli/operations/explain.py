"""Find out what a code or a pasted line means, in the table of explanations. Pure, and needs no settings.

A question is read in three ways, the surest first: as the whole name of a symptom, as a line in
which names of symptoms stand, and as a line with a number in it. A number means different things
to different libraries; a library's name in the line, or the word in front of the number, tells
which.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Any

from iotauth_cli.errors import InputError
from iotauth_cli.probe.causes import CAUSES
from iotauth_cli.probe.explanation import Explanation, Family
from iotauth_cli.probe.explanations import EXPLANATIONS, FAMILIES
from iotauth_cli.probe.explanations.ours import in_general

__all__ = [
    "Explanation",
    "Family",
    "Found",
    "answer",
    "explain",
    "families",
    "family_named",
    "rows_of",
    "survey",
    "told_causes",
]

NEAR = 3
LINE = 2000  # characters of a line of a log that are read; a dump in one line says no more by being long
NEAR_ENOUGH = 0.6  # of difflib's ratio; 0.5 finds likenesses where there are none
UNMISTAKABLE = 5  # characters of a negative number, such as -9984, that can be nothing but a code
DISTINCT_LENGTH = 12  # letters from which on a single word stands for itself in a longer line
NUMBER = re.compile(r"(?<![\w.:/])([-−–]?(?:0[xX][0-9a-fA-F]+|\d+))(?![\w:]|\.\d|[-/]\d)")
WORD_BEFORE = re.compile(r"([A-Za-z_/][\w/.]*)[\s=:(\[`'\"]*$")
Words = tuple[str, ...]


@dataclass(frozen=True)
class Found:
    """What a question led to. *near* are names that are spelt alike, where nothing was found."""

    asked: str
    rows: tuple[Explanation, ...] = ()
    near: tuple[str, ...] = ()

    def as_document(self) -> dict[str, Any]:
        return {
            "ok": bool(self.rows),
            "asked": self.asked,
            "explanations": [document(row) for row in self.rows],
            "near": list(self.near),
        }


def document(row: Explanation) -> dict[str, Any]:
    return {
        "family": row.family,
        "name": row.name,
        "codes": list(row.codes),
        "means": row.means,
        "causes": [{"name": name, "sentence": sentence} for name, sentence in told_causes(row)],
        "next": row.next,
        "source": row.source,
    }


def told_causes(row: Explanation) -> list[tuple[str, str]]:
    """Return the row's likely causes, each with what `probe.causes` says about it in general."""
    said = {cause.name: in_general(cause.says) for cause in reversed(CAUSES)}
    return [(name, said[name]) for name in row.causes]


def families() -> Mapping[str, Family]:
    return FAMILIES


def family_named(text: str) -> Family:
    """Return the family that *text* names.

    Raises:
        InputError: it names none.
    """
    wanted = words(text)
    for family in FAMILIES.values():
        if wanted in {words(name) for name in (family.name, *family.also)}:
            return family
    near = difflib.get_close_matches(text.lower(), FAMILIES, 1)
    raise InputError(
        f"there is no family `{text}`",
        hint=f"did you mean `{near[0]}`?" if near else "see them all with `iotauth explain --list`",
    )


def rows_of(family: Family) -> tuple[Explanation, ...]:
    return tuple(row for row in EXPLANATIONS if row.family == family.name)


def explain(asked: str) -> Found:
    """Return what *asked* means, and nothing like it: a code, a name, or a line of a log with one in it."""
    asked = " ".join(asked[:LINE].split())
    return Found(asked, whole(asked) or within(asked) or numbers(asked))


def answer(asked: str) -> Found:
    """Return what *asked* means, or else the names that are spelt like it."""
    found = explain(asked)
    return found if found.rows else Found(found.asked, near=near(found.asked))


def survey(lines: Iterable[str]) -> Iterator[tuple[int, Found]]:
    """Yield what lines of a log mean, each with its number; what was told before is not told again."""
    told: set[Explanation] = set()
    for number, line in enumerate(lines, 1):
        here = explain(line)
        rows = tuple(row for row in here.rows if row not in told)
        told.update(rows)
        if rows:
            yield number, Found(here.asked, rows)


# --- three ways to read a question --------------------------------------------------------------


def whole(asked: str) -> tuple[Explanation, ...]:
    """Return the rows of which *asked* is the whole name, spelt with other signs and letters perhaps."""
    if re.fullmatch(r"[-−–]?\d+", asked):  # a bare number is no name
        return ()
    rest, narrowed = without_families(asked)
    wanted = dict.fromkeys(("".join(words(asked)), "".join(words(rest))))
    rows = dict.fromkeys(row for text in wanted for row in names().get(text, ()))
    return tuple(row for row in rows if row.family in narrowed) or tuple(rows)


@cache
def names() -> Mapping[str, tuple[Explanation, ...]]:
    """Return the rows by each of their spellings, without anything but letters and digits."""
    found: dict[str, tuple[Explanation, ...]] = {}
    for row in EXPLANATIONS:
        for text in row.spellings:
            key = "".join(words(text))
            found[key] = (*found.get(key, ()), row)
    return found


def within(asked: str) -> tuple[Explanation, ...]:
    """Return the rows whose names stand in *asked*; a name inside a longer one does not count."""
    line = words(asked)
    hits = [
        (span, row)
        for first in dict.fromkeys(line)
        for spelt, text, row in by_first_word().get(first, ())
        for span in spans(spelt, line)
        if is_distinct(text, asked)
    ]
    outer = [(span, row) for span, row in hits if not any(is_inside(span, other) for other, _ in hits)]
    narrowed = without_families(asked)[1] if outer else frozenset()
    kept = [(span, row) for span, row in outer if row.family in narrowed] or outer
    longest_first = sorted(kept, key=lambda hit: hit[0][0] - hit[0][1])
    return tuple(dict.fromkeys(row for _, row in longest_first))


@cache
def by_first_word() -> Mapping[str, tuple[tuple[Words, str, Explanation], ...]]:
    """Return every spelling by its first word: a line has few words, and the table many spellings."""
    found: dict[str, tuple[tuple[Words, str, Explanation], ...]] = {}
    for row in EXPLANATIONS:
        for text in row.spellings:
            spelt = words(text)
            found[spelt[0]] = (*found.get(spelt[0], ()), (spelt, text, row))
    return found


def numbers(asked: str) -> tuple[Explanation, ...]:
    """Return the rows of numbers in *asked*: a bare number's of every library, else of those that write it so."""
    rest, narrowed = without_families(asked)
    matches = list(NUMBER.finditer(rest))
    is_bare = len(matches) == 1 and is_bare_number(rest, matches[0])
    rows: list[Explanation] = []
    for match in matches:
        text = match[1].replace("−", "-").replace("–", "-")
        before = WORD_BEFORE.search(rest[: match.start()])
        rows += rows_of_number(text, before[1].lower() if before else "", narrowed, is_bare)
    return tuple(dict.fromkeys(rows))


def is_bare_number(rest: str, match: re.Match[str]) -> bool:
    """Tell whether nothing stands beside the number but the word that libraries put in front of theirs."""
    beside = " ".join(words(rest[: match.start()] + rest[match.end() :]))
    return not beside or any(beside in family.before for family in FAMILIES.values())


def rows_of_number(text: str, before: str, narrowed: frozenset[str], is_bare: bool) -> tuple[Explanation, ...]:
    """Return the rows of one number: of families that are named, else that write it behind this word, else of all."""
    meant = frozenset(family.name for family in FAMILIES.values() if before in family.before)
    if is_bare and (narrowed or meant):
        return having(text, narrowed or meant)
    if "0x" in text.lower() or (text.startswith("-") and len(text) >= UNMISTAKABLE):
        return having(text, narrowed) or having(text, meant) or having(text, frozenset(FAMILIES))
    return having(text, narrowed & meant) or having(text, frozenset(FAMILIES) if is_bare else meant)


def having(text: str, among: frozenset[str]) -> tuple[Explanation, ...]:
    """Return the rows *among* these families that have the number *text*.

    In hexadecimal, those that write it so come first, and a minus sign may have been lost.
    """
    is_hex = "0x" in text.lower()
    value = int(text, 16 if is_hex else 10)
    rows = tuple(row for row in EXPLANATIONS if row.family in among)
    in_hex = tuple(row for row in rows if is_hex and FAMILIES[row.family].in_hex and {value, -value} & set(row.codes))
    return in_hex or tuple(row for row in rows if value in row.codes)


def near(asked: str) -> tuple[str, ...]:
    """Return the names that are spelt most like *asked*."""
    spelt: dict[str, str] = {}
    for row in EXPLANATIONS:
        for text in row.spellings:
            spelt.setdefault(" ".join(words(text)), row.name)
    rest = without_families(asked)[0]
    close = difflib.get_close_matches(" ".join(words(rest)), spelt, NEAR, NEAR_ENOUGH)
    return tuple(dict.fromkeys(spelt[text] for text in close))


# --- words --------------------------------------------------------------------------------------


def words(text: str) -> Words:
    """Return the words of *text* in lower case, numbers with their sign: `AWS_ERROR -4` is three."""
    return tuple(re.findall(r"(?<![a-z0-9])-\d[a-z0-9]*|[a-z0-9]+", text.lower()))


def spans(wanted: Words, line: Words) -> Iterator[tuple[int, int]]:
    """Yield where *wanted* stands in *line*, from and up to which word."""
    for at in range(len(line) - len(wanted) + 1):
        if line[at : at + len(wanted)] == wanted:
            yield at, at + len(wanted)


def is_inside(span: tuple[int, int], other: tuple[int, int]) -> bool:
    return span != other and other[0] <= span[0] and span[1] <= other[1]


def is_distinct(text: str, asked: str) -> bool:
    """Tell whether the name *text* may be looked for in a line: not if it is a word of everyday language.

    One without spaces, `connect_failed`, must stand there as it is.
    """
    if text.startswith("alert "):
        return False
    if " " in text:
        return True
    is_literal = re.search(rf"(?<!\w){re.escape(text)}(?!\w)", asked, re.IGNORECASE) is not None
    if len(words(text)) > 1 or len(text) >= DISTINCT_LENGTH:
        return is_literal
    if text.isupper():
        return re.search(rf"(?<!\w){re.escape(text)}(?!\w)", asked) is not None
    return re.search(rf"\breason\W{{1,4}}{re.escape(text)}\b", asked) is not None


@lru_cache(maxsize=2)  # a line is looked at in three ways, one after the other
def without_families(asked: str) -> tuple[str, frozenset[str]]:
    """Return *asked* without the names of families in it, and the families that they mean."""
    meant = [(family, pattern) for family, pattern in family_patterns() if pattern.search(asked)]
    for _, pattern in meant:
        asked = pattern.sub(" ", asked)
    return " ".join(asked.split()), frozenset(family for family, _ in meant)


@cache
def family_patterns() -> tuple[tuple[str, re.Pattern[str]], ...]:
    """Return what finds each family's names in a line."""
    return tuple(
        (family.name, re.compile(rf"(?<![\w-]){'[ _-]?'.join(words(name))}(?![\w-])", re.IGNORECASE))
        for family in FAMILIES.values()
        for name in (family.name, *family.also)
    )
