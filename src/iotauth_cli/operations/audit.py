"""A walk over a client table that looks for what is wrong: row by row, so that memory stays flat."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache

from iotauth_authorizer.record import ClientRecord
from iotauth_cli.aws.client_table import BrokenRow, ClientTable
from iotauth_cli.errors import InputError, did_you_mean
from iotauth_cli.operations.audit_rules import (
    ALL_RULES,
    FOREIGN,
    NOTES,
    SEVERITIES,
    WILD,
    Finding,
    Limits,
    examine,
    filters,
    finding,
    levels,
    some,
)
from iotauth_cli.operations.fleet.listing import sorted_if_short
from iotauth_cli.operations.fleet.selection import Where

__all__ = ["Audit", "Finding", "Limits", "check_ignored", "in_order"]

MOST_NAMES = 10_000  # remembered of those that were looked up, and looked up at all


@dataclass
class Audit:
    """One walk over a table. *clients* and *counts* (findings by rule) are right when it is over."""

    table: ClientTable
    where: Where
    limits: Limits
    now: int
    ignored: frozenset[str] = frozenset()
    clients: int = 0
    counts: Counter[str] = field(default_factory=Counter)
    was_cut_short: bool = False

    @property
    def notes(self) -> tuple[str, ...]:
        """What the audit cannot tell, and why."""
        cut = (f"of the names in topics, {MOST_NAMES} were looked up and the others were not",)
        return (*NOTES, *(cut if self.was_cut_short else ()))

    def findings(self) -> Iterator[Finding]:
        """Yield every finding, row by row as the table gives them."""
        names = Names(self.table)
        for row in self.table.rows():
            if not self.where.matches(row, self.now):
                continue
            self.clients += 1
            for found in self._about(row, names):
                if found.rule not in self.ignored:
                    self.counts[found.rule] += 1
                    yield found
        self.was_cut_short = names.was_cut_short

    def _about(self, row: ClientRecord | BrokenRow, names: Names) -> Iterator[Finding]:
        yield from examine(row, self.now, self.limits)
        if isinstance(row, ClientRecord) and FOREIGN.id not in self.ignored:
            sentence = foreign(row, names)
            if sentence:
                yield finding(FOREIGN, row.client_id, sentence)


class Names:
    """Which names are clients of the table: looked up by key, so that memory stays flat at a million rows."""

    def __init__(self, table: ClientTable) -> None:
        self._is_client = lru_cache(MOST_NAMES)(lambda name: table.find(name) is not None)
        self._asked = 0

    @property
    def was_cut_short(self) -> bool:
        return self._asked > MOST_NAMES

    def is_client(self, name: str) -> bool:
        before = self._is_client.cache_info().misses
        self._asked = max(self._asked, before + 1)
        return before < MOST_NAMES and self._is_client(name)


def foreign(record: ClientRecord, names: Names) -> str | None:
    """Say which other client's name stands in the topics of *record*."""
    found = [
        (level, topic)
        for topic in filters(record.grants)
        for level in levels(topic)
        if level and level != record.client_id and not level.startswith((*WILD, "$")) and names.is_client(level)
    ]
    if not found:
        return None
    others = some([level for level, _ in found])
    return f"its topics {some([topic for _, topic in found])} carry the name of another client, {others}"


def in_order(found: Iterator[Finding]) -> Iterator[Finding]:
    """Sort a short list by severity, rule and client; let a long one pass as it comes."""
    return sorted_if_short(found, lambda each: (SEVERITIES.index(each.severity), each.rule, each.client_id))


def check_ignored(names: tuple[str, ...]) -> frozenset[str]:
    """Return the rules to leave out.

    Raises:
        InputError: there is no such rule.
    """
    known = [rule.id for rule in ALL_RULES]
    for name in names:
        if name not in known:
            hint = did_you_mean(name, known, f"the rules are {', '.join(known)}")
            raise InputError(f"there is no rule `{name}`", hint=hint)
    return frozenset(names)
