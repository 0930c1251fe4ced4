"""What is said of many clients: each row's faults, and how the list goes on."""

from __future__ import annotations

import pytest

from iotauth_cli.cli import render_fleet
from iotauth_cli.cli.output import Printed
from iotauth_cli.cli.render_fleet import Tally
from iotauth_cli.errors import AccessDenied, Conflict
from iotauth_cli.operations.fleet.lag import Lag
from iotauth_cli.operations.fleet.listing import Listed
from iotauth_cli.operations.fleet.outcome import Outcome
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
        (
            Printed(),
            (),
            (None, None),
            ["there are none; add one with `iotauth client add thermo-1 --topic sensors/thermo-1 --emulator`"],
        ),
        (Printed(), ("lagging=yes",), (None, None), ["no client lags"]),
        (Printed(), ("tag=a",), (None, None), ["no client is selected"]),
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


def tally(*outcomes: Outcome) -> Tally:
    found = Tally()
    for each in outcomes:
        found.add(each)
    return found


def test_a_summary_has_a_line_for_each_reason() -> None:
    """The commonest first, with some of the names; the JSON document has all of them."""
    found = tally(
        Outcome("a", "rotated"),
        Outcome("old", "done"),
        *(Outcome(f"late-{number:02}", "skipped", "unseen", NOW) for number in range(12)),
        Outcome("later", "skipped", "unseen", NOW + 3600),
        Outcome("off", "skipped", "disabled"),
        Outcome("lost", "dropped", "superseded"),
        Outcome("torn", "failed", error=Conflict("client `torn` was changed by somebody else meanwhile")),
    )
    late = ", ".join(f"`late-{number:02}`" for number in range(10))
    assert render_fleet.rotated(found, "clients", "out.csv") == [
        "rotated 1 client of table `clients`; the new secrets are in `out.csv`",
        "1 client had been rotated by an earlier run",
        f"skipped 12 clients: never showed the secret that was handed out 2025-11-20 12:00 UTC: {late} and 2 more",
        "skipped 1 client: never showed the secret that was handed out 2025-11-20 13:00 UTC: `later`",
        "skipped 1 client: disabled: `off`",
        "dropped 1 client: rotated by somebody else meanwhile; taken out of the file again: `lost`",
        "failed 1 client: client `torn` was changed by somebody else meanwhile: `torn`",
    ]
    document = render_fleet.others_document(found)
    assert [each["client_id"] for each in document["skipped"]][:12] == [f"late-{number:02}" for number in range(12)]
    assert document["dropped"] == [{"client_id": "lost", "why": "superseded", "since": None}]
    assert found.counts == {"done": 1, "dropped": 1, "failed": 1, "rotated": 1, "skipped": 14}


def test_many_reasons_are_summed_up() -> None:
    """A fleet that was rotated in a hundred parts would fill the screen."""
    found = tally(*(Outcome(str(day), "skipped", "unseen", NOW + 86400 * day) for day in range(13)))
    lines = render_fleet.reasons(found, "skipped")
    assert len(lines) == 11
    assert lines[-1] == "skipped 3 clients for more such reasons; `--json` names them all"


def test_sessions_that_are_left_are_named() -> None:
    """The rows say no all the same."""
    denied = AccessDenied("ann may not call `iot:DeleteConnection`")
    found = tally(Outcome("a", "switched"), Outcome("b", "open", error=denied), Outcome("c", "done"))
    assert render_fleet.switched("disable", found) == [
        "disabled 2 clients",
        "1 client had been disabled before",
        "no session could be ended of 1 client: ann may not call `iot:DeleteConnection`: `b`",
    ]


@pytest.mark.parametrize(
    ("said", "words"),
    [
        (render_fleet.rotate_again(Where(), None, None), "client rotate --all"),
        (
            render_fleet.rotate_again(Where.parse(("tag=a:b c",)), "my file.csv", 5),
            "client rotate --where 'tag=a:b c' --secrets-out 'my file.csv' --batch 5",
        ),
        (render_fleet.confirm_again(Where(), True), "client confirm --all --force"),
        (render_fleet.switch_again("disable", Where(), False), "client disable --all --no-disconnect"),
    ],
)
def test_the_command_that_goes_on_can_be_typed(said: str, words: str) -> None:
    """With whatever was typed, quoted for a shell."""
    assert said == words
