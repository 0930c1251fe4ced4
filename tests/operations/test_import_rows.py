"""Rows of a fleet file: read as `client add` would read them, and as fast as a format string allows."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from iotauth_authorizer.credential import Slot
from iotauth_authorizer.grants import ArnScope, Grants
from iotauth_authorizer.record import to_item
from iotauth_cli.aws import bulk
from iotauth_cli.errors import InputError
from iotauth_cli.operations.importing import rows
from iotauth_cli.operations.importing.rows import Parser

SCOPE = ArnScope("aws", "eu-west-1", "0" * 12)
NOW = 1_763_640_000


def parser(*columns: str, template: str | None = None, hashed: bool = False) -> Parser:
    return Parser(columns, table="clients", scope=SCOPE, template=template, hashed=hashed, now=NOW)


def grants(**named: Any) -> Grants:
    reader = parser("client_id", *named)
    wanted = reader.parse(("a", *named.values()))
    return reader.record("a", wanted.cells).grants


def test_columns_grant_what_the_options_of_client_add_grant() -> None:
    """A topic with everything below it, exact filters, and retain and will on what may be published."""
    assert grants(topic="x") == Grants(("x", "x/#"), ("x", "x/#"))
    assert grants(publish="x;y/+", subscribe='["z;1"]', retain="yes", will="y/+") == Grants(
        ("x", "y/+"), ("z;1",), ("x", "y/+"), ("y/+",)
    )
    assert grants(topic=("x", "y/#"), retain=True) == Grants(every := ("x", "x/#", "y/#"), every, every)


def test_the_template_is_for_rows_that_name_no_topic() -> None:
    """And the client id stands where it says."""
    reader = parser("client_id", "publish", template="sensors/{client_id}/#")
    topics = [reader.record(name, reader.parse((name, cell)).cells).grants for name, cell in (("a", ""), ("b", "x"))]
    assert topics == [Grants(("sensors/a/#",), ("sensors/a/#",)), Grants(("x",))]


@pytest.mark.parametrize(
    ("named", "said"),
    [
        ({}, "the row has no topic"),
        ({"topic": "a b/#c"}, "has a `#` that is not the whole last level"),
        ({"topic": "x*"}, r"contains `\*`"),
        ({"topic": 7}, "`topic` is no topic and no list"),
        ({"publish": "[x"}, "is no JSON list"),
        ({"subscribe": "x", "retain": "true"}, "may publish nothing, so `retain` means nothing"),
        ({"topic": "x", "enabled": "maybe"}, "`enabled` is neither `true` nor `false`"),
        ({"topic": "x", "expires": "31.1.2027"}, "`expires` is no date"),
        ({"topic": "x", "tags": "berlin"}, "tags are not written as"),
        ({"topic": "x", "tags": '{"a": 1}'}, "something else than texts"),
        ({"topic": "x", "note": "n" * 3000}, "longer than 2048 bytes"),
        ({"topic": "x", "username": "a\nb"}, "user name has a line end"),
        ({"topic": "x", "note": "\ud800"}, "half a character"),
        ({"topic": "x", "username": "a?b"}, "has a `\\?`"),
        ({"topic": "x", "password": 12345}, "password is no text"),
        ({"topic": "x", "password": "p", "hash": "$7$"}, "a password and a hash"),
        ({"topic": "x", "hash": "$7$101$AAAA$AAAA"}, "meant with `--hashed`"),
        ({"topic": ";".join(f"{number}/{'x' * 200}" for number in range(100))}, "too many for AWS IoT"),
    ],
)
def test_a_row_is_refused_as_client_add_refuses(named: dict[str, Any], said: str) -> None:
    """In a sentence that names the cell."""
    reader = parser("client_id", *named)
    with pytest.raises(ValueError, match=said):
        reader.parse(("a", *named.values()))


@pytest.mark.parametrize("client_id", ["", "door 7", "door/7", "$x", "x" * 129, 7])
def test_a_client_id_is_held_to_its_rules(client_id: Any) -> None:
    """The same as everywhere."""
    with pytest.raises(ValueError, match="client id"):
        parser("client_id", template="x").parse((client_id,))


def test_dates_and_tags_are_read() -> None:
    """Days, moments and epoch seconds; tags in a cell or an object."""
    reader = parser("client_id", "topic", "expires", "tags")
    for expires, at in (("2027-01-31", 1801440000), ("2027-01-31T12:00Z", 1801396800), (1801440000, 1801440000)):
        wanted = reader.parse(("a", "x", expires, "site:berlin; floor:3"))
        record = reader.record("a", wanted.cells)
        assert (record.expires_at, record.tags) == (at, {"site": "berlin", "floor": "3"})


IDS = st.text("ab1._-", min_size=1, max_size=4) | st.text(min_size=1, max_size=4)
CELLS = st.text("ab1/+#$;{", max_size=6) | st.builds("{}/{}".format, IDS, IDS) | st.text(max_size=6)


@given(st.lists(st.tuples(IDS, CELLS, CELLS, CELLS), max_size=8))
def test_a_row_that_is_like_another_is_made_as_if_it_were_alone(fleet: list[tuple[str, str, str, str]]) -> None:
    """What was learnt from rows before it changes neither whether a row is refused nor what is sent for it."""
    columns = ("client_id", "publish", "username", "note")
    shared = parser(*columns)
    for cells in fleet:
        assert outcome(shared, columns, cells) == outcome(parser(*columns), columns, cells, is_alone=True)


def outcome(reader: Parser, columns: tuple[str, ...], cells: tuple[str, ...], *, is_alone: bool = False) -> Any:
    """Return the statement that is sent for a row, or why it is refused; *is_alone*: without any form."""
    try:
        wanted = reader.parse(cells)
    except ValueError as problem:
        return str(problem)
    if not is_alone:
        return reader.row(wanted, "$h$")
    record = reader.record(cells[0], dict(zip(columns, cells, strict=True)))
    reader.check(record)
    return bulk.row("clients", to_item(record._replace(slots={"A": Slot("$h$", NOW)})))


@pytest.mark.parametrize("template", ["sensors/{client}/#", "sensors/{client_id}/#/x", "a*"])
def test_a_template_is_checked_before_the_file(template: str) -> None:
    """Whatever is in the file, such a template gives nobody a topic."""
    with pytest.raises(InputError, match="--template"):
        rows.check_template(template)
