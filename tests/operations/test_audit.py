"""Each rule of the audit finds what it is for and nothing else; a sound client is left alone."""

from __future__ import annotations

import re
import tracemalloc
from collections.abc import Iterator, Mapping
from typing import Any, cast

import pytest

from iotauth_authorizer.credential import CHEAPEST, GENERATED, HUMAN, Slot, hash_secret
from iotauth_authorizer.grants import Grants
from iotauth_authorizer.record import ClientRecord, TokenNote
from iotauth_cli.aws.client_table import BrokenRow, ClientTable
from iotauth_cli.errors import InputError
from iotauth_cli.operations import audit
from iotauth_cli.operations.audit import Audit, Limits
from iotauth_cli.operations.audit_rules import ALL_RULES, DAY_S, Finding, examine, levels
from iotauth_cli.operations.fleet import listing
from iotauth_cli.operations.fleet.selection import Where
from support import REPOSITORY

NOW = 1_763_640_000
LONG_AGO = NOW - 400 * DAY_S
ASKED = Limits(max_age_s=365 * DAY_S, must_expire=True)
HASH = hash_secret(b"canary", "door-7", GENERATED)
OWN = Grants(publish=("doors/door-7",), subscribe=("doors/door-7/#",))


def slot(**changes: Any) -> Slot:
    return Slot(HASH, NOW - DAY_S)._replace(**changes)


def row(**changes: Any) -> ClientRecord:
    """A sound client, changed."""
    sound = ClientRecord("door-7", slots={"A": slot()}, grants=OWN, created_at=LONG_AGO, updated_at=NOW - DAY_S)
    return sound._replace(**changes)


def slots(**named: Slot) -> Mapping[str, Slot]:
    return named


IN_USE = slot(state="pending", created_at=NOW - 30 * DAY_S, first_used_at=NOW - 20 * DAY_S)

# rule: a row that has this wrong with it, and nothing else
CASES: list[tuple[str, ClientRecord | BrokenRow]] = [
    ("unreadable-row", BrokenRow("door-7", "`Tags` is not of type M")),
    ("plain-password", row(slots={}, plain_password="canary")),
    ("plain-password", row(enabled=False, plain_password="")),
    ("grants-everything", row(grants=Grants(subscribe=("#",)))),
    ("grants-everything", row(grants=Grants(publish=("+",)))),
    ("grants-everything", row(grants=Grants(subscribe=("$share/readers/#",)))),
    ("grants-everything", row(grants=Grants(older_write="*"))),
    ("impossible-client-id", row(client_id="$door")),
    ("impossible-client-id", row(client_id="door*")),
    ("impossible-client-id", row(client_id="door?7")),
    ("impossible-client-id", row(client_id="door${x}")),
    ("impossible-client-id", row(client_id="door\n")),
    ("impossible-client-id", row(client_id="ü" * 65)),
    ("impossible-grants", row(grants=Grants(publish=("doors/a*",)))),
    ("impossible-grants", row(grants=Grants(publish=tuple(f"{n}/{'x' * 200}" for n in range(100))))),
    ("no-secret", row(slots={})),
    ("no-usable-secret", row(slots=slots(A=slot(expires_at=NOW)))),
    ("no-usable-secret", row(slots=slots(A=slot(state="retired")))),
    ("never-seen", row(slots=slots(A=slot(state="retiring"), B=slot(state="pending", created_at=NOW - 8 * DAY_S)))),
    ("token-unseen", row(token=TokenNote(issued_at=NOW - 8 * DAY_S, seen_at=LONG_AGO))),
    ("token-unseen", row(token=TokenNote(issued_at=NOW - 8 * DAY_S, is_required=True))),
    ("token-missing", row(token=TokenNote(is_required=True, seen_at=LONG_AGO))),
    ("first-level", row(grants=Grants(subscribe=("+/state",)))),
    ("first-level", row(grants=Grants(older_read="*/state"))),
    ("reserved-topics", row(grants=Grants(subscribe=("$aws/things/+/shadow/update",)))),
    ("reserved-topics", row(grants=Grants(publish=("$aws/#",)))),
    ("two-secrets", row(slots=slots(A=slot(state="retiring", created_at=LONG_AGO), B=IN_USE))),
    ("unconfirmed", row(slots=slots(A=slot(state="retiring", expires_at=NOW - 1), B=IN_USE))),
    ("outdated-hash", row(slots=slots(A=slot(hash=hash_secret(b"x", "door-7", CHEAPEST))))),
    ("outdated-hash", row(slots=slots(A=slot(hash="nonsense")))),
    ("expired", row(expires_at=NOW)),
    ("long-disabled", row(enabled=False, updated_at=NOW - 91 * DAY_S)),
    ("long-disabled", row(enabled=False, updated_at=None, created_at=LONG_AGO)),
    ("wide-publish", row(grants=Grants(publish=("doors/#",)))),
    ("wide-publish", row(grants=Grants(publish=("doors/door-7",), will=("doors/+/will",)))),
    ("no-grants", row(grants=Grants())),
    ("odd-client-id", row(client_id="door 7")),
    ("odd-client-id", row(client_id="doors/7")),
]
ASKED_FOR: list[tuple[str, ClientRecord]] = [
    ("old-secret", row(slots=slots(A=slot(created_at=LONG_AGO, expires_at=NOW + 1)))),
    ("no-expiry", row()),
]
SOUND = [
    row(),
    row(slots=slots(A=slot(hash=hash_secret(b"x", "door-7", HUMAN)))),
    row(slots=slots(A=slot(state="retiring"), B=slot(state="pending"))),
    row(slots=slots(A=slot(state="retiring", expires_at=NOW + 1), B=slot(state="pending", first_used_at=NOW - 60))),
    row(enabled=False),
    row(enabled=False, slots={}),
    row(grants=Grants(publish=("door-7/#", "a/b/#"), subscribe=("sensors/#", "$aws/things/door-7/shadow/#"))),
    row(grants=Grants(publish=("/x",), subscribe=("/", "a//b"))),
    row(expires_at=NOW + 1),
    row(token=TokenNote(issued_at=LONG_AGO, seen_at=LONG_AGO, is_required=True)),
    row(token=TokenNote(issued_at=NOW - DAY_S, seen_at=LONG_AGO)),
    row(token=TokenNote(unsigned_at=NOW)),
]


@pytest.mark.parametrize(("rule", "found"), CASES, ids=[rule for rule, _ in CASES])
def test_a_rule_finds_precisely_what_it_is_for(rule: str, found: ClientRecord | BrokenRow) -> None:
    """One thing wrong, one finding, which names the client in a command that mends it."""
    (only,) = examine(found, NOW, Limits())
    assert (only.rule, only.client_id) == (rule, found.client_id)
    assert only.sentence[-1] not in "."
    assert "{id}" not in only.remedy


@pytest.mark.parametrize(("rule", "found"), ASKED_FOR, ids=[rule for rule, _ in ASKED_FOR])
def test_some_rules_count_only_when_asked_for(rule: str, found: ClientRecord) -> None:
    """Whether a secret must age or a client must end is the owner's policy."""
    assert [each.rule for each in examine(found, NOW, ASKED)] == [rule]
    assert list(examine(found, NOW, Limits())) == []


@pytest.mark.parametrize("sound", SOUND, ids=range(len(SOUND)))
def test_a_sound_client_is_left_alone(sound: ClientRecord) -> None:
    """What is as it should be, or may be meant so, is no finding."""
    assert list(examine(sound, NOW, Limits())) == []


def test_every_rule_has_a_case() -> None:
    """A rule without a row that triggers it would be a rule that nobody saw work."""
    cased = {rule for rule, _ in CASES} | {rule for rule, _ in ASKED_FOR} | {"foreign-name"}
    assert cased == {rule.id for rule in ALL_RULES}


def test_a_client_id_with_a_blank_is_quoted_in_the_remedy() -> None:
    """What is shown can be typed."""
    (found,) = examine(row(client_id="door 7", expires_at=None), NOW, Limits())
    assert found.remedy == "client show 'door 7'"


def test_no_sentence_holds_a_password_or_a_hash() -> None:
    """Findings go into tickets."""
    for _, each in [*CASES, *ASKED_FOR]:
        for found in examine(each, NOW, ASKED):
            assert "canary" not in found.sentence
            assert "$" not in found.sentence or found.rule in (
                "impossible-client-id",
                "reserved-topics",
                "grants-everything",
            )


def test_levels_of_a_shared_subscription_begin_behind_its_group() -> None:
    """`$share/group/` is no part of the topics."""
    assert levels("$share/g/doors/#") == ["doors", "#"]


class Rows:
    """A table of *rows*, by client id; counts its look-ups."""

    def __init__(self, rows: Iterator[ClientRecord | BrokenRow], ids: set[str]) -> None:
        self._rows = rows
        self._ids = ids
        self.asked: list[str] = []

    def rows(self) -> Iterator[ClientRecord | BrokenRow]:
        return self._rows

    def find(self, client_id: str) -> ClientRecord | None:
        self.asked.append(client_id)
        return row() if client_id in self._ids else None


def walk(rows: Rows, **options: Any) -> Audit:
    return Audit(cast(ClientTable, rows), Where(), Limits(), NOW, **options)


def door(number: int, *more: str) -> ClientRecord:
    return row(client_id=f"door-{number}", grants=Grants(publish=(f"doors/door-{number}/#", *more)))


def test_another_clients_name_in_the_topics_is_found() -> None:
    """The table itself says which names are clients; each name is looked up once."""
    doors = [door(1), door(2, "doors/door-1/open"), door(3)]
    rows = Rows(iter(doors), {each.client_id for each in doors})
    (found,) = walk(rows).findings()
    assert (found.client_id, found.rule) == ("door-2", "foreign-name")
    assert found.sentence == "its topics `doors/door-1/open` carry the name of another client, `door-1`"
    assert rows.asked == ["doors", "door-1", "open"]


def test_only_so_many_names_are_looked_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """A fleet whose topics are all different does not double the reading; that some were left out is said."""
    monkeypatch.setattr(audit, "MOST_NAMES", 5)
    rows = Rows((door(n, f"x/{n}") for n in range(20)), set())
    audited = walk(rows)
    assert list(audited.findings()) == []
    assert len(rows.asked) == 5
    assert "names in topics" in audited.notes[-1]


def test_a_rule_that_is_ignored_is_neither_shown_nor_counted() -> None:
    """`--ignore` also for the rule that reads more of the table."""
    rows = Rows(iter([door(2, "doors/door-1/open"), row(expires_at=NOW)]), {"door-1"})
    audited = walk(rows, ignored=frozenset({"foreign-name", "expired"}))
    assert list(audited.findings()) == []
    assert (audited.clients, audited.counts, rows.asked) == (2, {}, [])


def test_an_unknown_rule_is_refused() -> None:
    """A rule that was mistyped would silently not be ignored."""
    assert audit.check_ignored(("expired",)) == {"expired"}
    with pytest.raises(InputError, match="no rule `expird`") as refused:
        audit.check_ignored(("expird",))
    assert refused.value.hint == "did you mean `expired`?"


def test_a_short_list_is_sorted_by_severity_and_a_long_one_passes(monkeypatch: pytest.MonkeyPatch) -> None:
    """High before low, as far as that can be held in memory."""
    low, high = (Finding("a", "expired", "low", "", ""), Finding("b", "plain-password", "high", "", ""))
    assert list(audit.in_order(iter([low, high]))) == [high, low]
    monkeypatch.setattr(listing, "SORTED_UP_TO", 1)
    assert list(audit.in_order(iter([low, high]))) == [low, high]


def test_memory_does_not_grow_with_the_table() -> None:
    """Thousands of rows, each with a finding, pass through a fraction of what they would fill."""
    audited = walk(Rows((door(n)._replace(expires_at=NOW) for n in range(5000)), set()))
    tracemalloc.start()
    held = list(audited.findings())
    all_at_once, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    del held
    again = walk(Rows((door(n)._replace(expires_at=NOW) for n in range(5000)), set()))
    tracemalloc.start()
    for _ in again.findings():
        pass
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < all_at_once / 2


def test_the_guide_lists_every_rule() -> None:
    """The table in the guide is this one."""
    guide = (REPOSITORY / "docs" / "guides" / "audit.md").read_text()
    listed = [line for line in guide.splitlines() if re.match(r"\| `[a-z-]+` \| (high|medium|low) \|", line)]
    assert sorted(listed) == sorted(f"| `{rule.id}` | {rule.severity} | {rule.meaning} |" for rule in ALL_RULES)


def test_a_policy_has_the_length_that_it_has_in_its_region() -> None:
    """A partition's longer name in every resource may be what is too much."""
    wide = {
        count: row(grants=Grants(publish=tuple(f"{number}/{'x' * 60}" for number in range(count))))
        for count in range(1, 200)
    }

    def fitting(region: str) -> int:
        limits = Limits(region=region)
        return max(count for count, each in wide.items() if not list(examine(each, NOW, limits)))

    assert fitting("us-gov-west-1") < fitting("eu-west-1")
