"""Which clients a command means: `--where tag=site:berlin --where lagging=yes`. Pure.

A selection is a list of terms, and a client is meant when all of them hold. There are no wildcards:
a prefix is what a fleet's client ids have in common, and a tag is what their owner wrote down.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from iotauth_authorizer.record import ClientRecord
from iotauth_cli.aws.client_table import BrokenRow
from iotauth_cli.errors import InputError
from iotauth_cli.operations.durations import parse_duration
from iotauth_cli.operations.fleet.lag import lag

YES_OR_NO = ("yes", "no")


@dataclass(frozen=True)
class Term:
    """One condition: `prefix=thermo-`."""

    name: str
    value: str

    def __str__(self) -> str:
        return f"{self.name}={self.value}"


@dataclass(frozen=True)
class Where:
    """The terms that a client has to meet. Without any, every client is meant."""

    terms: tuple[Term, ...] = ()

    @classmethod
    def parse(cls, texts: tuple[str, ...]) -> Where:
        """Read what was typed behind each `--where`.

        Raises:
            InputError: a term is none, or nothing could ever meet it.
        """
        return cls(tuple(map(parse_term, texts)))

    def __str__(self) -> str:
        """Return the selection as options of a command."""
        from shlex import quote

        return " ".join(f"--where {quote(str(term))}" for term in self.terms)

    def names(self, name: str) -> bool:
        """Tell whether any term is about *name*."""
        return any(term.name == name for term in self.terms)

    def matches(self, row: ClientRecord | BrokenRow, now: int) -> bool:
        """Tell whether *row* is meant at *now*, in epoch seconds. Of an unreadable row only the client id is known."""
        if isinstance(row, BrokenRow):
            return all(broken_matches(term, row.client_id) for term in self.terms)
        return all(MATCHES[term.name](row, term.value, now) for term in self.terms)


def parse_term(text: str) -> Term:
    name, equals, value = text.partition("=")
    if name not in MATCHES:
        raise InputError(f"clients cannot be selected by `{name}`", hint=hint_for(name))
    if not (equals and value):
        raise InputError(f"`--where {text}` lacks its value", hint=f"write it as `{EXAMPLES[name]}`")
    if name in (*IS_TRUE, "broken") and value not in YES_OR_NO:
        raise InputError(f"`{name}` is `yes` or `no`, not `{value}`", hint=f"write it as `{EXAMPLES[name]}`")
    if name == "tag" and value.startswith(":"):
        raise InputError(f"`--where {text}` lacks the tag's name", hint=f"write it as `{EXAMPLES[name]}`")
    if name == "older":
        check_duration(value)
    return Term(name, value)


def check_duration(value: str) -> None:
    try:
        parse_duration(value)
    except InputError as problem:
        raise InputError(f"`older={value}` is no duration", hint=f"write it as `{EXAMPLES['older']}`") from problem


def hint_for(name: str) -> str:
    from difflib import get_close_matches

    near = get_close_matches(name, MATCHES, n=1)
    if near:
        return f"did you mean `{EXAMPLES[near[0]]}`?"
    return "select by " + ", ".join(f"`{example}`" for example in EXAMPLES.values())


def has_tag(record: ClientRecord, value: str, _now: int) -> bool:
    """`site:berlin` is that tag with that value; `site` the tag with any."""
    name, colon, wanted = value.partition(":")
    return name in record.tags and (not colon or record.tags[name] == wanted)


def is_expired(record: ClientRecord, now: int) -> bool:
    return record.expires_at is not None and record.expires_at <= now


def is_older(record: ClientRecord, value: str, now: int) -> bool:
    """Its newest secret was made that long ago. A row of an older tool, which does not say when, is older."""
    made = max((slot.created_at for slot in record.slots.values()), default=record.created_at or 0)
    return made <= now - parse_duration(value)


IS_TRUE: Mapping[str, Callable[[ClientRecord, int], bool]] = {
    "enabled": lambda record, _now: record.enabled,
    "expired": is_expired,
    "lagging": lambda record, now: lag(record, now) is not None,
}


def yes_or_no(holds: Callable[[ClientRecord, int], bool]) -> Callable[[ClientRecord, str, int], bool]:
    return lambda record, value, now: holds(record, now) is (value == "yes")


MATCHES: Mapping[str, Callable[[ClientRecord, str, int], bool]] = {
    "tag": has_tag,
    "prefix": lambda record, value, _now: record.client_id.startswith(value),
    "older": is_older,
    **{name: yes_or_no(holds) for name, holds in IS_TRUE.items()},
    "broken": lambda _record, value, _now: value == "no",
}
EXAMPLES = {
    "tag": "tag=site:berlin",
    "prefix": "prefix=thermo-",
    "older": "older=90d",
    **{name: f"{name}=yes" for name in (*IS_TRUE, "broken")},
}


def broken_matches(term: Term, client_id: str) -> bool:
    if term.name == "prefix":
        return client_id.startswith(term.value)
    return term == Term("broken", "yes")
