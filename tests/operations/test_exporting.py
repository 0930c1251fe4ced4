"""Exports: what is written is read back as the same clients, and no secret is in it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from iotauth_authorizer.credential import Slot
from iotauth_authorizer.grants import ArnScope, Grants
from iotauth_authorizer.record import ClientRecord
from iotauth_cli.aws.client_table import BrokenRow
from iotauth_cli.errors import InputError
from iotauth_cli.operations import exporting
from iotauth_cli.operations.importing import source
from iotauth_cli.operations.importing.rows import Parser

TEXT = st.text(st.characters(blacklist_characters="\0", blacklist_categories=["Cs"]), min_size=1, max_size=8)
TOPIC = st.from_regex(r"\A[a-z;:\[\] ,\"]{1,6}(/[a-z+]){0,2}(/#)?\Z").filter(lambda topic: topic.strip() == topic)
TOPICS = st.lists(st.sampled_from(["yes", "1", "a/b", "x;y", "[z", "#", "a b"]) | TOPIC, max_size=3, unique=True)


@st.composite
def records(draw: st.DrawFn) -> ClientRecord:
    """Clients as any tool may have made them, but for what only their secrets would say."""
    published = tuple(draw(TOPICS))
    subscribed = tuple(draw(TOPICS)) or ("inbox",)
    retain = draw(st.sampled_from([(), published, ("yes",), ("a;b", "c")]))
    return ClientRecord(
        draw(st.from_regex(r"\A[a-zA-Z0-9_.,;\"=-]{1,12}\Z")),
        username=draw(st.none() | TEXT.filter(lambda text: "?" not in text)),
        enabled=draw(st.booleans()),
        grants=Grants(published, subscribed, retain, draw(st.sampled_from([(), published]))),
        expires_at=draw(st.none() | st.integers(100_000_000, 10_000_000_000)),
        tags=draw(st.dictionaries(TEXT, TEXT | st.just(""), max_size=2)),
        note=draw(st.none() | TEXT),
    )


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(
    found=st.lists(records(), max_size=4, unique_by=lambda record: record.client_id),
    kind=st.sampled_from(["csv", "jsonl"]),
)
def test_what_is_exported_can_be_imported(tmp_path: Path, found: list[ClientRecord], kind: str) -> None:
    """The same clients come back: user names, topics, tags, notes, dates and whether they are enabled."""
    path = tmp_path / f"fleet.{kind}"
    assert sum(exporting.write(found, path)) == len(found)
    if not found:
        return
    with source.opened(str(path)) as opened:
        parser = Parser(
            opened.columns,
            table="clients",
            scope=ArnScope("aws", "eu-west-1", "0" * 12),
            template=None,
            hashed=False,
            now=1,
        )
        read = []
        for raw in opened.rows():
            assert raw.problem is None
            named = dict(zip(opened.columns, raw.cells, strict=True))
            read.append(parser.record(str(named["client_id"]), named))
    assert read == [record._replace(created_at=1, updated_at=1, version=1) for record in found]


def test_rows_of_older_tools_keep_their_topics() -> None:
    """They are AWS's wildcards, and come under the names of their attributes."""
    record = ClientRecord("a", plain_password="canary", grants=Grants(older_read="x/*", older_write="y/?"))
    assert exporting.members(record) == {"client_id": "a", "read_topic": "x/*", "write_topic": "y/?"}


def test_no_secret_and_no_hash_is_exported() -> None:
    """Neither a plain password of an older tool nor what was made of one."""
    record = ClientRecord("a", plain_password="canary", slots={"A": Slot("$canary", 1)}, grants=Grants(("x",)))
    assert "canary" not in exporting.csv_line(record) + exporting.json_line(record)
    assert set(exporting.COLUMNS) == set(source.COLUMNS) - {"password", "hash", "topic"}


def test_a_failure_leaves_the_old_file(tmp_path: Path) -> None:
    """An export is whole or not there."""
    path = tmp_path / "fleet.csv"
    path.write_text("before")

    def failing() -> object:
        yield ClientRecord("a", grants=Grants(("x",)))
        raise InputError("the table is gone")

    with pytest.raises(InputError, match="is gone"):
        list(exporting.write(failing(), path))  # type: ignore[arg-type]
    assert path.read_text() == "before"
    assert [each.name for each in tmp_path.iterdir()] == ["fleet.csv"]


def test_unreadable_rows_are_set_aside() -> None:
    """One bad row does not hide the others."""
    broken: list[BrokenRow] = []
    good, bad = ClientRecord("a"), BrokenRow("b", "`Tags` is not of type M")
    assert list(exporting.readable([good, bad], broken)) == [good]
    assert broken == [bad]


def test_json_lines_hold_what_is_there_and_no_more() -> None:
    """Empty members are left out."""
    record = ClientRecord("a", enabled=False, grants=Grants(("x",), retain=("x",)), tags={"site": "berlin"})
    assert json.loads(exporting.json_line(record)) == {
        "client_id": "a",
        "publish": ["x"],
        "retain": True,
        "tags": {"site": "berlin"},
        "enabled": False,
    }
