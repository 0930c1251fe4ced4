"""What the commands show that are about many clients."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from iotauth_cli.cli.render import counted, ignored, moment
from iotauth_cli.cli.render_client import some, state

if TYPE_CHECKING:
    from iotauth_cli.cli.output import Printed
    from iotauth_cli.operations.fleet.lag import Lag
    from iotauth_cli.operations.fleet.listing import Listed
    from iotauth_cli.operations.fleet.outcome import Outcome
    from iotauth_cli.operations.fleet.rotation import Journal
    from iotauth_cli.operations.fleet.selection import Where

NAMED = 10  # clients in a line for people; the JSON document names all of them
LISTED = ("client", "state", "topics", "remark")


def listed(found: Listed) -> Sequence[str]:
    return (found.client_id, state(found.enabled), some(found.topics), remark(found) or "")


def listed_document(found: Listed) -> dict[str, Any]:
    return {
        "client_id": found.client_id,
        "enabled": found.enabled,
        "topics": list(found.topics),
        "tags": dict(found.tags),
        "expires_at": found.expires_at,
        "lag": found.lag and lag_document(found.lag),
        "remark": remark(found),
    }


def lag_document(found: Lag) -> dict[str, Any]:
    return {"kind": found.kind, "since": found.since, "until": found.until}


def remark(found: Listed) -> str | None:
    """Say what is wrong with a row, the worst first; None when nothing is."""
    expired = f"expired {moment(found.expires_at)}" if found.is_expired else None
    said = [each for each in (found.problem, expired, found.lag and lagging(found.lag)) if each]
    return "; ".join(said) or None


def lagging(found: Lag) -> str:
    """Say what a client is behind with, and since when."""
    if found.kind == "unseen":
        return f"new secret of {moment(found.since)} not seen yet"
    if found.kind == "token":
        return f"new token of {moment(found.since)} not seen yet"
    return f"old secret counts until {moment(found.until)}" if found.until else "old secret counts until confirmed"


def after_listing(
    printed: Printed, where: Where, limit: int | None, after: str | None, command: Callable[[str], str]
) -> list[str]:
    """Return what to say below a list: why it is empty, or how to see the rest of it."""
    if printed.rows and printed.rows == limit:
        words = " ".join(["client list", str(where)] if where.terms else ["client list"])
        return [f"next: {command(f'{words} --limit {limit} --after {quoted(printed.last)}')}"]
    if printed.rows:
        return []
    if after:
        return ["there are no more"]
    if "lagging=yes" in str(where).split():
        return ["no client lags"]
    if where.terms:
        return ["no client is selected"]
    return [f"there are none; add one with {command('client add thermo-1 --topic sensors/thermo-1')}"]


def quoted(document: dict[str, Any]) -> str:
    from shlex import quote

    return quote(document["client_id"])


@dataclass
class Tally:
    """What became of many clients: how many of each kind, and the names of those that did not go as was asked."""

    numbers: Counter[str] = field(default_factory=Counter)
    others: dict[tuple[str, str], list[Outcome]] = field(default_factory=dict)

    def add(self, outcome: Outcome) -> None:
        self.numbers[outcome.kind] += 1
        if outcome.kind in ("skipped", "dropped", "open", "failed"):
            why = outcome.error.message if outcome.error else str(outcome.why)
            self.others.setdefault((outcome.kind, why), []).append(outcome)

    def of(self, kind: str) -> int:
        return self.numbers[kind]

    @property
    def counts(self) -> Mapping[str, int]:
        return {kind: number for kind, number in sorted(self.numbers.items()) if number}


WORDS = {
    "unseen": "never showed the secret that was handed out {since}",
    "crowded": "two secrets are in use already",
    "disabled": "disabled",
    "expired": "expired",
    "unreadable": "the row cannot be read",
    "unwritable": "there is a line end in the client id or the user name, which a file of secrets cannot hold",
    "superseded": "rotated by somebody else meanwhile; taken out of the file again",
    "gone": "removed by somebody else meanwhile; taken out of the file again",
}


def reasons(tally: Tally, kind: str) -> list[str]:
    """Return a line for each reason, the commonest first, with some of the names."""
    found: dict[str, list[str]] = {}
    for (a_kind, why), outcomes in tally.others.items():
        for each in outcomes if a_kind == kind else ():
            words = WORDS.get(why, why).format(since=moment(each.since)) if why in WORDS else why
            found.setdefault(words, []).append(each.client_id)
    ranked = sorted(found.items(), key=lambda entry: -len(entry[1]))
    lines = [f"{kind} {counted(len(names), 'client')}: {words}: {some_names(names)}" for words, names in ranked[:NAMED]]
    rest = sum(len(names) for _, names in ranked[NAMED:])
    return (
        [*lines, f"{kind} {counted(rest, 'client')} for more such reasons; `--json` names them all"] if rest else lines
    )


def some_names(names: Sequence[str]) -> str:
    more = f" and {len(names) - NAMED:,} more" if len(names) > NAMED else ""
    return ", ".join(f"`{name}`" for name in sorted(names)[:NAMED]) + more


def before_rotating(journal: Journal, place: str) -> list[str]:
    if not journal.is_resumed:
        return []
    return [f"going on with the rotation into `{place}` that was begun {moment(journal.note.began)}"]


def rotate_again(where: Where, place: str | None, batch: int | None) -> str:
    """Return the command's words, to be typed again."""
    from shlex import quote

    more = [f"--secrets-out {quote(place)}"] if place else []
    return " ".join(["client rotate", str(where) or "--all", *more, *([f"--batch {batch}"] if batch else [])])


def rotated(tally: Tally, table: str, place: str | None) -> list[str]:
    """Return what a rotation of many clients has done."""
    lines = [f"rotated {counted(tally.of('rotated'), 'client')} of table `{table}`"]
    if place:
        lines[0] += f"; the new secrets are in `{place}`"
    if tally.of("done"):
        lines.append(f"{counted(tally.of('done'), 'client')} had been rotated by an earlier run")
    return [*lines, *(line for kind in ("skipped", "dropped", "failed") for line in reasons(tally, kind))]


def after_rotating(
    tally: Tally, journal: Journal, is_cut: bool, again: str, command: Callable[[str], str]
) -> list[str]:
    told = ignored(journal.ignored)
    if tally.of("failed"):
        return [*told, f"next: mend that, and go on with {again}"]
    if is_cut:
        return [*told, f"next: go on with the others, {again}"]
    if not (tally.of("rotated") or tally.of("done")):
        return told
    return [*told, f"next: give each device its secret, and see who lags with {command('client list --lagging')}"]


def rotated_document(tally: Tally, journal: Journal) -> dict[str, Any]:
    path = journal.path
    return {
        "rotated": tally.of("rotated"),
        "done_before": tally.of("done"),
        **{kind: each for kind, each in others_document(tally).items() if kind != "open"},
        "secrets_in": str(path) if path.exists() else None,
        "is_finished": journal.is_finished,
    }


def others_document(tally: Tally) -> dict[str, Any]:
    found: dict[str, Any] = {"skipped": [], "dropped": [], "open": [], "failed": []}
    for (kind, why), each in tally.others.items():
        found[kind] += [{"client_id": one.client_id, "why": why, "since": one.since} for one in sorted(each)]
    return found


def confirm_again(where: Where, force: bool) -> str:
    return " ".join(["client confirm", str(where) or "--all", *(["--force"] if force else [])])


def confirmed_document(tally: Tally) -> dict[str, Any]:
    return {"confirmed": tally.of("confirmed"), "lagging": others_document(tally)["skipped"]} | {
        "failed": others_document(tally)["failed"]
    }


def confirmed(tally: Tally) -> list[str]:
    """Return what a confirmation of many clients has done, and who lags."""
    if not tally.numbers:
        return ["no rotation is under way"]
    lines = [f"confirmed {counted(tally.of('confirmed'), 'client')}: only the new secret counts"]
    return [*lines, *reasons(tally, "skipped"), *reasons(tally, "failed")]


def after_confirming(tally: Tally, again: str, command: Callable[[str], str]) -> list[str]:
    if tally.of("failed"):
        return [f"next: mend that, and go on with {again}"]
    if tally.of("skipped"):
        return [f"next: see who lags with {command('client list --lagging')}"]
    return []


def switch_again(verb: str, where: Where, disconnect: bool) -> str:
    return " ".join([f"client {verb}", str(where) or "--all", *([] if disconnect else ["--no-disconnect"])])


def switched_document(verb: str, tally: Tally) -> dict[str, Any]:
    others = others_document(tally)
    return {
        f"{verb}d": tally.of("switched") + tally.of("open"),
        "done_before": tally.of("done"),
        "sessions_left": others["open"],
        "failed": others["failed"],
    }


def switched(verb: str, tally: Tally) -> list[str]:
    """Return what disabling or enabling (*verb*) many clients has done."""
    left = [line.replace("open ", "no session could be ended of ", 1) for line in reasons(tally, "open")]
    before = [f"{counted(tally.of('done'), 'client')} had been {verb}d before"] if tally.of("done") else []
    changed = tally.of("switched") + tally.of("open")
    return [f"{verb}d {counted(changed, 'client')}", *before, *left, *reasons(tally, "failed")]
