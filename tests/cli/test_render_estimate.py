"""How an estimate looks: every number in its place, eighty columns, and a document of numbers."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from iotauth_cli.cli import render_estimate as render
from iotauth_cli.operations.estimate import Estimate, Fleet, Function, Limits, Question, estimate, prices_for
from support_shell import Shell


def answer(fleet: Fleet, region: str = "us-east-1", *, free: bool = False) -> Estimate:
    return estimate(Question(fleet, Function(), Limits(), prices_for(region), region, with_free_tier=free))


@pytest.mark.parametrize(
    ("devices", "refresh_s", "region"),
    [
        (1, 86_400, "us-east-1"),
        (10_000, 300, "eu-central-1"),
        (900_000, 3600, "ap-northeast-1"),
        (10_000_000, 300, "sa-east-1"),
    ],
)
def test_it_fits_a_terminal_of_eighty_columns(
    monkeypatch: pytest.MonkeyPatch, devices: int, refresh_s: int, region: str
) -> None:
    """Tables, reasons and addresses, for a device or ten million."""
    monkeypatch.setenv("COLUMNS", "80")
    lines = render.lines(answer(Fleet(devices, refresh_s=refresh_s, filters=3), region, free=True))
    assert [line for line in lines if len(line) > 80] == []


def test_another_regions_prices_are_marked() -> None:
    """With a star at the line and a sentence at the head."""
    lines = render.lines(answer(Fleet(1000), "eu-central-1"))
    assert lines[1] == "* no source gives this price for eu-central-1: us-east-1's is used"
    starred = [line.split("  ")[0] for line in lines if line.endswith("*")]
    assert "table reads" in starred
    assert "connection minutes" not in starred
    assert not any(line.endswith("*") for line in render.lines(answer(Fleet(1000))))


@pytest.mark.parametrize(
    ("micro_usd", "shown"),
    [(0, "$0.00"), (1, "<$0.01"), (9_999, "<$0.01"), (10_000, "$0.01"), (1_005_000, "$1.01"), (10**10, "$10,000.00")],
)
def test_dollars_are_rounded_to_cents(micro_usd: int, shown: str) -> None:
    """And what is less than one is not nothing."""
    assert render.dollars(micro_usd) == shown


@pytest.mark.parametrize(
    ("value", "shown"), [(0, "0"), (0.004, "<0.01"), (0.5, "0.5"), (9.876, "9.88"), (10.4, "10"), (12_345.6, "12,346")]
)
def test_amounts_have_the_digits_that_matter(value: float, shown: str) -> None:
    """Two decimals below ten, none above."""
    assert render.amount(value) == shown


def test_the_document_is_numbers_and_adds_up() -> None:
    """Money in dollars to the micro-dollar; the lines are the total; everything assumed is in it."""
    document = json.loads(json.dumps(render.document(answer(Fleet(1000, refresh_s=300), free=True))))
    bill = document["monthly"]
    assert bill["usd"] == 26.13679
    assert round(sum(line["usd"] for line in bill["lines"]), 6) == bill["usd"]
    assert bill["authorizer_usd"] == 5.34079
    assert next(line for line in bill["lines"] if line["key"] == "lambda-requests")["quantity"] == 8_640_000
    assert document["device_day"] == {"connects": 1, "calls": 288, "session_s": 86_400}
    assert [each["refresh_s"] for each in document["refresh_timers"]] == [300, 3600, 86_400]
    assert document["quotas"][0].keys() >= {"what", "limit", "usual", "return", "share", "code", "source"}
    assert all(price["source"]["url"] and price["source"]["date"] for price in document["prices"].values())
    assert document["fleet"]["messages_per_day"] == 288
    assert {"a device", "the function", "the account", "not counted"} <= document["assumptions"].keys()


def test_it_needs_neither_aws_nor_what_takes_long_to_import() -> None:
    """The standard library and typer are enough."""
    heavy = {"boto3", "botocore", "cryptography", "paho", "yaml", "rich", "sqlite3", "asyncio"}
    code = (
        "import sys; from iotauth_cli.cli import run; "
        "assert run(['estimate', '--devices', '1000', '--json', '--quiet']) == 0; "
        f"print(sorted({heavy!r} & set(sys.modules)), file=sys.stderr)"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stderr == "[]\n"
    assert json.loads(ran.stdout)["region"]


def test_printed_prices_are_prices_to_give(tmp_path: Path) -> None:
    """What `jq .prices` takes out of one estimate makes the same bill in the next."""
    (tmp_path / "work").mkdir()
    shell = Shell(cwd=tmp_path / "work", home=tmp_path)
    first = json.loads(shell.run("estimate", "--devices", "5000", "--json").out)
    (tmp_path / "work" / "prices.json").write_text(json.dumps(first["prices"]))
    again = json.loads(shell.run("estimate", "--devices", "5000", "--prices", "prices.json", "--json").out)
    assert again["monthly"] == first["monthly"]
    china = shell.run("estimate", "--devices", "5000", "--prices", "prices.json", "--region", "cn-north-1", "--json")
    assert json.loads(china.out)["monthly"]["usd"] == first["monthly"]["usd"]


def test_the_next_step_sets_what_is_suggested() -> None:
    """With the options of `authorizer update`; nothing that is so already."""
    assert render.next_step(answer(Fleet(10_000))) == (
        "authorizer update --refresh-after 15m --reserved-concurrency 200"
    )
    assert render.next_step(answer(Fleet(10_000, refresh_s=900, disconnect_s=3600))) == (
        "authorizer update --disconnect-after 24h --reserved-concurrency 200"
    )
    assert render.next_step(answer(Fleet(10, protocol="http"))) == "authorizer update --caching"
    assert render.next_step(answer(Fleet(10, protocol="http", is_cached=True))) is None
