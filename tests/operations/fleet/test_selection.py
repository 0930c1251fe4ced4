"""Selections: every term, what they mean together, and what is said of a term that is none."""

from __future__ import annotations

import shlex

import pytest
from hypothesis import given
from hypothesis import strategies as st

from iotauth_authorizer.credential import Slot
from iotauth_authorizer.record import ClientRecord, TokenNote
from iotauth_cli.aws.client_table import BrokenRow
from iotauth_cli.errors import InputError
from iotauth_cli.operations.fleet.lag import Lag, lag
from iotauth_cli.operations.fleet.selection import EXAMPLES, MATCHES, Term, Where

NOW = 1763640000
DAY = 86400
PLAIN = ClientRecord("thermo-1", slots={"A": Slot("h", NOW - DAY)}, tags={"site": "berlin", "kind": ""})
UNSEEN = PLAIN._replace(slots={"A": Slot("h", 1, "retiring"), "B": Slot("h", NOW - 180, "pending")})
IN_GRACE = PLAIN._replace(
    slots={"A": Slot("h", 1, "retiring", expires_at=NOW + 60), "B": Slot("h", 2, "pending", first_used_at=NOW - 60)}
)
OVER = PLAIN._replace(
    slots={"A": Slot("h", 1, "retiring", expires_at=NOW), "B": Slot("h", 2, "pending", first_used_at=NOW - DAY)}
)
ENDLESS = IN_GRACE._replace(slots={**IN_GRACE.slots, "A": Slot("h", 1, "retiring")})
BROKEN = BrokenRow("thermo-9", "`Tags` is not of type M")


@pytest.mark.parametrize(
    ("record", "terms", "is_meant"),
    [
        (PLAIN, "", True),
        (PLAIN, "tag=site:berlin", True),
        (PLAIN, "tag=site:paris", False),
        (PLAIN, "tag=site", True),
        (PLAIN, "tag=kind:", True),
        (PLAIN, "tag=site:", False),
        (PLAIN, "tag=floor", False),
        (PLAIN, "prefix=thermo-", True),
        (PLAIN, "prefix=thermo-2", False),
        (PLAIN, "tag=site:berlin prefix=door-", False),
        (PLAIN, "enabled=yes", True),
        (PLAIN._replace(enabled=False), "enabled=no", True),
        (PLAIN, "expired=no", True),
        (PLAIN._replace(expires_at=NOW), "expired=yes", True),
        (PLAIN._replace(expires_at=NOW + 1), "expired=yes", False),
        (PLAIN, "older=1d", True),
        (PLAIN, "older=25h", False),
        (UNSEEN, "older=4m", False),
        (ClientRecord("old", created_at=NOW - DAY), "older=1d", True),
        (ClientRecord("old"), "older=3650d", True),
        (PLAIN, "lagging=yes", False),
        (UNSEEN, "lagging=yes", True),
        (IN_GRACE, "lagging=yes", True),
        (OVER, "lagging=no", True),
        (PLAIN, "broken=no", True),
        (PLAIN, "broken=yes", False),
    ],
)
def test_a_client_is_meant_when_every_term_holds(record: ClientRecord, terms: str, is_meant: bool) -> None:
    """Tags, prefixes and states, alone and together."""
    assert Where.parse(tuple(terms.split())).matches(record, NOW) is is_meant


@pytest.mark.parametrize(
    ("terms", "is_meant"),
    [((), True), (("prefix=thermo-",), True), (("prefix=door-",), False), (("broken=yes",), True), (("tag=a",), False)],
)
def test_an_unreadable_row_is_meant_by_what_is_known_of_it(terms: tuple[str, ...], is_meant: bool) -> None:
    """Its client id is, and that it is unreadable: nothing is done to it by a state that nobody could read."""
    assert Where.parse(terms).matches(BROKEN, NOW) is is_meant


@pytest.mark.parametrize(
    ("record", "expected"),
    [
        (PLAIN, None),
        (UNSEEN, Lag("unseen", NOW - 180)),
        (IN_GRACE, Lag("grace", NOW - 60, NOW + 60)),
        (OVER, None),
        (ENDLESS, Lag("grace", NOW - 60)),
        (PLAIN._replace(slots={}), None),
        (PLAIN._replace(token=TokenNote(NOW - 60)), Lag("token", NOW - 60)),
        (PLAIN._replace(token=TokenNote(NOW - 60, NOW - 90)), Lag("token", NOW - 60)),
        (PLAIN._replace(token=TokenNote(NOW - 60, NOW - 60)), None),
        (PLAIN._replace(token=TokenNote(None, None, True)), None),
        (UNSEEN._replace(token=TokenNote(NOW)), Lag("unseen", NOW - 180)),
    ],
    ids=[
        "never rotated",
        "unseen",
        "in grace",
        "grace over",
        "an end that nobody set",
        "no secret",
        "a token",
        "an older token",
        "a token seen",
        "no token yet",
        "a secret and a token",
    ],
)
def test_a_client_lags_until_only_its_new_secret_counts(record: ClientRecord, expected: Lag | None) -> None:
    """First its device must show the new secret, then the old one's grace must end."""
    assert lag(record, NOW) == expected


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        ("colour=red", "clients cannot be selected by `colour`", "select by `tag=site:berlin`, `prefix=thermo-`, "),
        ("id=thermo-*", "clients cannot be selected by `id`", "select by `tag=site:berlin`"),
        ("tags=site:berlin", "clients cannot be selected by `tags`", "did you mean `tag=site:berlin`?"),
        ("lagging", "`--where lagging` lacks its value", "write it as `lagging=yes`"),
        ("tag=", "`--where tag=` lacks its value", "write it as `tag=site:berlin`"),
        ("tag=:berlin", "`--where tag=:berlin` lacks the tag's name", "write it as `tag=site:berlin`"),
        ("enabled=true", "`enabled` is `yes` or `no`, not `true`", "write it as `enabled=yes`"),
        ("older=seven", "`older=seven` is no duration", "write it as `older=90d`"),
        ("broken=1", "`broken` is `yes` or `no`, not `1`", "write it as `broken=yes`"),
    ],
)
def test_a_term_that_is_none_is_refused_with_one_that_is(text: str, message: str, hint: str) -> None:
    """In the words that were typed; a selection that was mistyped must not mean everybody."""
    with pytest.raises(InputError) as caught:
        Where.parse((text,))
    assert caught.value.message == message
    assert str(caught.value.hint).startswith(hint)


def test_every_term_has_an_example_that_can_be_typed() -> None:
    """So a hint never leads to the next refusal."""
    assert EXAMPLES.keys() == MATCHES.keys()
    assert Where.parse(tuple(EXAMPLES.values())).terms


VALUES = st.text(min_size=1).filter(lambda text: not text.startswith(":"))
TERMS = st.one_of(
    st.builds(Term, st.just("older"), st.integers(1, 9).map("{}d".format)),
    st.builds(Term, st.sampled_from(["tag", "prefix"]), VALUES),
    st.builds(Term, st.sampled_from(["enabled", "expired", "lagging", "broken"]), st.sampled_from(["yes", "no"])),
)


@given(st.lists(TERMS).map(tuple))
def test_a_selection_reads_what_it_writes(terms: tuple[Term, ...]) -> None:
    """Typed again from a hint, it means the same clients."""
    words = shlex.split(str(Where(terms)))
    assert set(words[::2]) <= {"--where"}
    assert Where.parse(tuple(words[1::2])) == Where(terms)


@given(TERMS, st.sampled_from([PLAIN, UNSEEN, IN_GRACE, OVER]))
def test_yes_and_no_part_the_clients_in_two(term: Term, record: ClientRecord) -> None:
    """Each client is in exactly one of the halves."""
    if term.value in ("yes", "no") and term.name not in ("tag", "prefix", "older"):
        other = Term(term.name, "no" if term.value == "yes" else "yes")
        assert Where((term,)).matches(record, NOW) is not Where((other,)).matches(record, NOW)
