"""Compare a policy's patterns with an action or a resource. Nothing else in iotauth may.

``*`` stands for any characters, ``/`` included, and for none; ``?`` for exactly one. Every
other character is itself, MQTT's ``+`` and ``#`` too: ``topicfilter/a/+`` is met by the filter
text ``a/+`` and by no other. Case counts.
Source: AWS IoT developer guide, "Publish/Subscribe policy examples"; case from IAM's ARNs.

Topics are chosen by clients, so nothing here backtracks. A pattern is split at its stars once:
the text begins with the first segment, ends with the last, and holds the others in this order.
Taking each at its leftmost place is enough, because a star after it absorbs whatever an earlier
place leaves over. The work is at most the text's length times the longest segment's, however
many stars there are; a regular expression needs time exponential in them.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


class Literal(str):
    """Text in which ``*`` and ``?`` are plain characters: a variable's value, an escape."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class Segment:
    """What stands between two stars: texts, with exactly one character between neighbours."""

    texts: tuple[str, ...]
    length: int

    def stands_at(self, text: str, position: int) -> bool:
        # A gap past the end needs no check of its own: startswith("", beyond the end) is False.
        for part in self.texts:
            if not text.startswith(part, position):
                return False
            position += len(part) + 1
        return True

    def find(self, text: str, start: int, end: int) -> int:
        """Return the leftmost place from *start* where it stands and is over by *end*, or -1."""
        first = self.texts[0]
        last_start = end - self.length + len(first)
        while True:
            start = text.find(first, start, last_start)
            if start < 0 or self.stands_at(text, start):
                return start
            start += 1


@dataclass(frozen=True, slots=True)
class Pattern:
    """One pattern, split at its stars; a single segment means that there are none."""

    segments: tuple[Segment, ...]

    def matches(self, text: str) -> bool:
        head, *middle = self.segments
        if not middle:
            return len(text) == head.length and head.stands_at(text, 0)
        tail = middle.pop()
        position, end = head.length, len(text) - tail.length
        if position > end or not head.stands_at(text, 0) or not tail.stands_at(text, end):
            return False
        for segment in middle:
            found = segment.find(text, position, end)
            if found < 0:
                return False
            position = found + segment.length
        return True

    @property
    def begins_with(self) -> str:
        """The text before the first wildcard: whatever matches begins with it."""
        return self.segments[0].texts[0]

    @property
    def is_exact(self) -> bool:
        return len(self.segments) == 1 and len(self.segments[0].texts) == 1

    @property
    def is_prefix(self) -> bool:
        """Whether its only wildcard is one star at the end, as in most policies."""
        head, *rest = self.segments
        return len(head.texts) == 1 and len(rest) == 1 and rest[0].length == 0


class Matcher:
    """Many patterns asked at once: does one of them match, or is the text outside an exception?

    A set holds the exact patterns and one ``startswith`` tries all prefixes, both in C; the
    others are tried only when the text begins as one of them does.
    """

    __slots__ = ("_beginnings", "_exact", "_exceptions", "_prefixes", "_rest")

    def __init__(self, patterns: Iterable[Pattern], exceptions: Iterable[Matcher] = ()) -> None:
        patterns = tuple(patterns)
        self._exact = frozenset(p.begins_with for p in patterns if p.is_exact)
        self._prefixes = tuple(p.begins_with for p in patterns if p.is_prefix)
        self._rest = tuple(p for p in patterns if not p.is_exact and not p.is_prefix)
        self._beginnings = tuple(p.begins_with for p in self._rest)
        self._exceptions = tuple(exceptions)

    def matches(self, text: str) -> bool:
        # Plain loops: a generator for any() costs more than all the rest here.
        if text in self._exact or text.startswith(self._prefixes):
            return True
        if text.startswith(self._beginnings):
            for pattern in self._rest:
                if pattern.matches(text):
                    return True
        for exception in self._exceptions:  # noqa: SIM110
            if not exception.matches(text):
                return True
        return False


STAND_INS = ("", "\ue000", "\ue000\ue001")  # for another pattern's star: nothing, one, and two characters


def covers(wider: str, narrower: str) -> bool:
    """Tell whether pattern *wider* matches whatever pattern *narrower* does, as far as texts can tell.

    Never true by mistake for patterns of `*`, `?` and plain text: each wildcard of *narrower* is
    replaced by characters that nobody writes, which only a wildcard of *wider* can meet.
    """
    if "${*}" in wider + narrower or "${?}" in wider + narrower:
        return wider == narrower
    pattern = compile_pattern([wider])
    return all(pattern.matches(narrower.replace("?", "\ue002").replace("*", each)) for each in STAND_INS)


def compile_pattern(pieces: Iterable[str]) -> Pattern:
    """Read a pattern given in pieces; wildcards inside a `Literal` piece are plain text."""
    segments: list[list[str]] = [[""]]
    for piece in pieces:
        if isinstance(piece, Literal):
            segments[-1][-1] += piece
            continue
        for number, part in enumerate(piece.split("*")):
            if number:
                segments.append([""])
            first, *others = part.split("?")
            segments[-1][-1] += first
            segments[-1].extend(others)
    return Pattern(tuple(_segment(texts) for texts in segments))


def _segment(texts: list[str]) -> Segment:
    return Segment(tuple(texts), sum(map(len, texts)) + len(texts) - 1)
