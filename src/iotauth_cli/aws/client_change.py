"""One change of one row, as one conditional UpdateItem.

Only what differs is sent, inside the slots too: the function writes `First_used` and `Expires`
there on its own, and a change of something else must neither overwrite nor collide with that.
A slot that gets another secret, or goes, is another matter: whoever decided so has seen whether
it was in use, so that this must still be as it was.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from iotauth_authorizer.record import KEY, SLOT_NAMES, ClientRecord, Item, to_item

Path = tuple[str, ...]  # an attribute, or a member of one: ("Secret_A", "State")
Attribute = dict[str, Any]

SLOTS = tuple(f"Secret_{name}" for name in SLOT_NAMES)
SHARED = (*SLOTS, "Token")  # maps that the function writes into as well
PLAIN = "Password"  # older tools change it and count no version; what was hashed must still be so
DECIDED_ON = ("Hash", "First_used")  # what somebody saw who replaces a slot or takes it away


@dataclass(frozen=True)
class Change:
    """What to set, what to remove (None) and what must still be so, each by its path."""

    after: ClientRecord
    writes: Mapping[Path, Attribute | None]
    condition: Mapping[Path, Attribute | None]

    @classmethod
    def between(cls, before: ClientRecord, after: ClientRecord) -> Change:
        """Return the change from *before*, as it was read, to *after* as its next version."""
        after = after._replace(version=(before.version or 0) + 1)
        old, new = to_item(before), to_item(after)
        writes = dict(_differences(old, new))
        condition: dict[Path, Attribute | None] = {("Version",): old.get("Version")}
        for name, *rest in writes:
            if name == PLAIN:
                condition[(name,)] = old.get(name)
            if name in SLOTS and not rest:
                members = old.get(name, {}).get("M", {})
                condition |= {(name, member): members.get(member) for member in DECIDED_ON}
        return cls(after, writes, condition)

    @property
    def expression(self) -> str:
        sets = [f"{_alias(path)} = {_value_name(path)}" for path, value in self.writes.items() if value is not None]
        removes = [_alias(path) for path, value in self.writes.items() if value is None]
        parts = [("SET", sets), ("REMOVE", removes)]
        return " ".join(f"{word} {', '.join(clauses)}" for word, clauses in parts if clauses)

    @property
    def condition_expression(self) -> str:
        tests = [
            f"attribute_not_exists({_alias(path)})" if value is None else f"{_alias(path)} = {_value_name(path, 'was')}"
            for path, value in self.condition.items()
        ]
        return " AND ".join([f"attribute_exists({_alias((KEY,))})", *tests])

    @property
    def names(self) -> dict[str, str]:
        paths = [(KEY,), *self.writes, *self.condition]
        return {f"#{name}": name for path in paths for name in path}

    @property
    def values(self) -> Item:
        new = {_value_name(path): value for path, value in self.writes.items() if value is not None}
        old = {_value_name(path, "was"): value for path, value in self.condition.items() if value is not None}
        return new | old

    def is_made(self, item: Item) -> bool:
        """Tell whether *item* is the row as this change left it; the function may have noted more since."""
        return all(_covers(_at(item, path), value) for path, value in self.writes.items())


def _differences(old: Item, new: Item) -> Iterator[tuple[Path, Attribute | None]]:
    for name in sorted({*old, *new}):
        before, after = old.get(name), new.get(name)
        if before == after:
            continue
        if before is None or after is None or name not in SHARED or _is_another_secret(name, before, after):
            yield (name,), after
        else:
            for member in sorted({*before["M"], *after["M"]}):
                if before["M"].get(member) != after["M"].get(member):
                    yield (name, member), after["M"].get(member)


def _is_another_secret(name: str, before: Attribute, after: Attribute) -> bool:
    return name in SLOTS and before["M"].get("Hash") != after["M"].get("Hash")


def _alias(path: Path) -> str:
    return ".".join(f"#{name}" for name in path)


def _value_name(path: Path, prefix: str = "new") -> str:
    return f":{prefix}_{'_'.join(path)}"


def _at(item: Item, path: Path) -> Attribute | None:
    found: Attribute | None = item.get(path[0])
    for member in path[1:]:
        found = (found or {}).get("M", {}).get(member)
    return found


def _covers(found: Attribute | None, ours: Attribute | None) -> bool:
    if found is None or ours is None or "M" not in ours:
        return found == ours
    return all(found.get("M", {}).get(member) == value for member, value in ours["M"].items())
