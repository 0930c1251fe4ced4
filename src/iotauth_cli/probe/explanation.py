"""A row of the table of explanations: one symptom as somebody meets it, and what it means with AWS IoT."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Family:
    """Where symptoms of one kind come from. *name* is what narrows a question: `explain tasmota 5`.

    *also* are other words that give the family away, *before* those that stand in front of its
    numbers in logs: ``rc``, ``state``. *in_hex*: it writes its numbers in hexadecimal.
    """

    name: str
    title: str
    also: tuple[str, ...] = ()
    before: tuple[str, ...] = ()
    in_hex: bool = False


@dataclass(frozen=True)
class Explanation:
    """One symptom. *name* is how its source spells it, *texts* are other spellings, found in longer lines too.

    *causes* are names in `probe.causes`, the likely ones first; *next* is what to type or do.
    """

    family: str
    name: str
    means: str
    next: str
    source: str
    codes: tuple[int, ...] = ()
    texts: tuple[str, ...] = ()
    causes: tuple[str, ...] = ()

    @property
    def spellings(self) -> tuple[str, ...]:
        return (self.name, *self.texts)
