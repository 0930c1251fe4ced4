"""Results as text: what is shown, and that nothing is cut off."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from iotauth_authorizer.credential import Slot
from iotauth_authorizer.grants import Grants
from iotauth_authorizer.record import ClientRecord
from iotauth_cli.cli import render_authorizer, render_client
from iotauth_cli.cli.output import aligned, fitted
from iotauth_cli.operations.authorizers import Attempt, InvokeAnswer
from iotauth_cli.operations.clients import Shown

cells = st.text(st.characters(codec="ascii", exclude_categories=["C"]), max_size=12)
HASH = "$iota-hmac-sha256$v=1$c2FsdA$canary"


@given(st.lists(st.tuples(cells, cells, cells), min_size=1, max_size=4), st.integers(10, 60))
def test_a_table_loses_nothing_at_any_width(rows: list[tuple[str, str, str]], width: int) -> None:
    """Fitting or folded, every cell of every row is there whole."""
    lines = fitted(("one", "two", "three"), rows, width)
    text = "\n".join(lines)
    assert all(cell.rstrip() in text for row in rows for cell in row)
    if lines == aligned(("one", "two", "three"), rows):
        assert max(map(len, lines)) <= width


def test_a_folded_table_names_each_cell() -> None:
    """A block for each row, an empty line between them."""
    rows = [("door-7", "enabled"), ("door-8", "disabled")]
    assert fitted(("client", "state"), rows, 12) == [
        "client  door-7",
        "state   enabled",
        "",
        "client  door-8",
        "state   disabled",
    ]


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        (
            {"Statement": {"Effect": "Allow", "Action": "iot:Connect", "Resource": "arn:aws:iot:r:1:client/door-7"}},
            ["allow iot:Connect on client/door-7"],
        ),
        (
            {
                "Statement": [
                    {"Effect": "Deny", "Action": ["iot:Publish", "iot:Receive"], "Resource": ["*", "a:topic/x"]}
                ]
            },
            ["deny iot:Publish, iot:Receive on *, topic/x"],
        ),
        ({"Statement": [{"Effect": "Allow", "NotAction": "iot:*", "Resource": "*"}]}, ["allow NotAction iot:* on *"]),
        (
            {"Statement": [{"Effect": "Allow", "Action": "iot:*", "NotResource": "a:b"}]},
            ["allow iot:* on NotResource b"],
        ),
        ({"Version": "2012-10-17"}, []),
    ],
)
def test_statements_are_lines(document: dict[str, Any], expected: list[str]) -> None:
    """Any authorizer's policies can be shown, not only those of our function."""
    assert render_authorizer.statements([json.dumps(document)]) == expected


RECORD = ClientRecord(
    "door-7",
    username="ann",
    slots={"A": Slot(HASH, 0), "B": Slot(HASH, 60, "pending", first_used_at=120)},
    grants=Grants(publish=("a",), will=("w",), older_read="r/*", older_write="w/*"),
    expires_at=3600,
    tags={"site": "berlin"},
    note="front door",
)


def test_show_tells_all_but_the_secret() -> None:
    """Times, tags, note, older topics; of a secret only which slot, since when, and in which state."""
    facts = render_client.shown_client(Shown(RECORD, (), "grants too wide", None), None, 7000)
    assert facts == [
        ("client", "door-7"),
        ("state", "enabled"),
        ("user name", "ann"),
        ("expires", "1970-01-01 01:00 UTC, it is over"),
        ("note", "front door"),
        ("secret", "A: active, made 1970-01-01 00:00 UTC"),
        ("secret", "B: pending, made 1970-01-01 00:01 UTC, first seen 1970-01-01 00:02 UTC"),
        ("publish", "a"),
        ("will", "w"),
        ("older read topic", "r/*"),
        ("older write topic", "w/*"),
        ("tag", "site:berlin"),
        ("credential", "not kept here"),
        ("policy", "none: grants too wide"),
    ]


@pytest.mark.parametrize(
    ("slot", "line"),
    [
        (Slot(HASH, 0, "pending"), "pending, made 1970-01-01 00:00 UTC, not seen yet"),
        (
            Slot(HASH, 0, "active", first_used_at=60),
            "active, made 1970-01-01 00:00 UTC, first seen 1970-01-01 00:01 UTC",
        ),
        (
            Slot(HASH, 0, "retiring", grace_s=604800),
            "retiring, made 1970-01-01 00:00 UTC, works until 7 days after the first use of the new one",
        ),
        (
            Slot(HASH, 0, "retiring", grace_s=0),
            "retiring, made 1970-01-01 00:00 UTC, works until the first use of the new one",
        ),
        (Slot(HASH, 0, "retiring"), "retiring, made 1970-01-01 00:00 UTC, works until it is confirmed"),
        (
            Slot(HASH, 0, "retiring", 120, None, 60),
            "retiring, made 1970-01-01 00:00 UTC, works until 1970-01-01 00:02 UTC",
        ),
        (
            Slot(HASH, 0, "retiring", 60, None, 60),
            "retiring, made 1970-01-01 00:00 UTC, worked until 1970-01-01 00:01 UTC",
        ),
    ],
    ids=str,
)
def test_a_secret_says_where_it_stands(slot: Slot, line: str) -> None:
    """In which state, whether it was seen in use, and until when it counts; here at second 100."""
    assert render_client.secrets(ClientRecord("door-7", slots={"A": slot}), 100) == [f"A: {line}"]


@pytest.mark.parametrize("record", [RECORD, ClientRecord("old-1", plain_password="canary")], ids=["ours", "older"])
def test_neither_text_nor_json_holds_a_hash_or_a_password(record: ClientRecord) -> None:
    """Whatever a row holds of a secret stays in the row."""
    shown = Shown(record, (), "x", None)
    assert "canary" not in str(render_client.shown_client(shown, None, 0))
    assert "canary" not in json.dumps(render_client.shown_client_document(shown))


def test_a_refusal_shows_nothing_more() -> None:
    """What AWS sends with a refusal means nothing."""
    answer = InvokeAnswer(False, "x", ("not json",), 0, 0)
    facts = render_authorizer.answer("doors", Attempt(username="ann"), answer)
    assert facts == [("answer", "authorizer `doors` refuses `ann`")]
