"""What is said of many clients: each row's faults, and how the list goes on."""

from __future__ import annotations

import pytest

from iotauth_cli.cli import render_fleet
from iotauth_cli.cli.output import Printed
from iotauth_cli.operations.fleet.lag import Lag
from iotauth_cli.operations.fleet.listing import Listed
from iotauth_cli.operations.fleet.selection import Where

NOW = 1763640000


@pytest.mark.parametrize(
    ("found", "cells"),
    [
        (Listed("door-7", True, ("a", "b", "c", "d", "e")), ("enabled", "a, b, c and 2 more", "")),
        (Listed("old-1", False, (), "plain password, migrate"), ("disabled", "-", "plain password, migrate")),
        (Listed("x", True, expires_at=NOW), ("enabled", "-", "")),
        (
            Listed("x", True, ("a",), "no secret", expires_at=NOW, is_expired=True),
            ("enabled", "a", "no secret; expired 2025-11-20 12:00 UTC"),
        ),
        (
            Listed("x", True, ("a",), lag=Lag("unseen", NOW)),
            ("enabled", "a", "new secret of 2025-11-20 12:00 UTC not seen yet"),
        ),
        (
            Listed("x", True, ("a",), lag=Lag("token", NOW)),
            ("enabled", "a", "new token of 2025-11-20 12:00 UTC not seen yet"),
        ),
        (
            Listed("x", True, ("a",), lag=Lag("grace", NOW, NOW + 3600)),
            ("enabled", "a", "old secret counts until 2025-11-20 13:00 UTC"),
        ),
        (
            Listed("x", True, ("a",), lag=Lag("grace", NOW)),
            ("enabled", "a", "old secret counts until confirmed"),
        ),
    ],
)
def test_the_list_says_what_is_wrong_with_a_row(found: Listed, cells: tuple[str, ...]) -> None:
    """Marked in the last column; many topics are counted, and `client show` has them all."""
    assert render_fleet.listed(found) == (found.client_id, *cells)
    assert render_fleet.listed_document(found)["remark"] == (cells[-1] or None)


def command(words: str) -> str:
    return f"`iotauth {words} --emulator`"


@pytest.mark.parametrize(
    ("printed", "terms", "part", "said"),
    [
        (Printed(), (), (None, None), ["there are none; add one with `iotauth client add --emulator`"]),
        (Printed(), ("lagging=yes",), (None, None), ["no client is selected"]),
        (Printed(), (), (2, "a"), ["there are no more"]),
        (Printed(7, {"client_id": "a"}), (), (None, None), []),
        (Printed(7, {"client_id": "a"}), (), (8, None), []),
        (
            Printed(2, {"client_id": "a b"}),
            (),
            (2, None),
            ["next: `iotauth client list --limit 2 --after 'a b' --emulator`"],
        ),
        (
            Printed(2, {"client_id": "b"}),
            ("tag=site:st. ives",),
            (2, "a"),
            ["next: `iotauth client list --where 'tag=site:st. ives' --limit 2 --after b --emulator`"],
        ),
    ],
)
def test_a_list_says_how_it_goes_on(
    printed: Printed, terms: tuple[str, ...], part: tuple[int | None, str | None], said: list[str]
) -> None:
    """A part of a list names the command for the next; an empty one says why it is empty."""
    assert render_fleet.after_listing(printed, Where.parse(terms), *part, command) == said
