"""Somebody's own prices: what `--json` prints is read again, and what is no price is refused by its name."""

from __future__ import annotations

import json
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from iotauth_cli.cli.render_estimate import price_document
from iotauth_cli.errors import InputError
from iotauth_cli.operations.estimate import prices_for, read_prices, with_own
from iotauth_cli.operations.estimate.prices import PRICES

SIMPLE = '{"table-reads": {"tiers": [{"up_to": null, "usd": %s}]}}'


@pytest.mark.parametrize("region", sorted(PRICES))
@pytest.mark.parametrize("suffix", ["json", "yaml"])
def test_printed_prices_are_read_again_to_the_last_digit(tmp_path: Path, region: str, suffix: str) -> None:
    """Tiers, units and sources come back as they were, whichever way they are written."""
    known = prices_for(region)
    document = {key: price_document(price) for key, price in known.items()}
    path = tmp_path / f"prices.{suffix}"
    path.write_text(json.dumps(document) if suffix == "json" else yaml.safe_dump(document))
    found = read_prices(path, region)
    assert {key: (price.per, price.tiers, price.source) for key, price in found.items()} == {
        key: (price.per, price.tiers, price.source) for key, price in known.items()
    }
    assert {price.region for price in found.values()} == {region}


def test_one_price_of_ones_own_leaves_the_others(tmp_path: Path) -> None:
    """A contract that names the messages says nothing of the rest; its source is the file."""
    path = tmp_path / "ours.yaml"
    path.write_text("iot-messages:\n  tiers:\n    - {up_to: 1000000, usd: 0.90}\n    - {up_to: null, usd: 0.35}\n")
    known = prices_for("us-east-1")
    found = with_own(known, read_prices(path, "us-east-1"))
    assert found["iot-messages"].usd(Fraction(3_000_000)) == Fraction("1.60")
    assert "ours.yaml" in found["iot-messages"].source.title
    assert {key: found[key] for key in known if key != "iot-messages"} == {
        key: known[key] for key in known if key != "iot-messages"
    }


@given(st.decimals(0, 1000, places=9))
def test_a_price_is_exactly_what_was_written(tmp_path_factory: pytest.TempPathFactory, usd: Decimal) -> None:
    """No float stands between the file and the bill."""
    path = tmp_path_factory.getbasetemp() / "exact.json"
    path.write_text(SIMPLE % format(usd, "f"))
    assert read_prices(path, "us-east-1")["table-reads"].tiers[0].usd == Fraction(str(usd))


@pytest.mark.parametrize(
    ("name", "text", "named"),
    [
        ("a.json", "{", "is not JSON"),
        ("a.json", "[1]", "holds no prices"),
        ("a.yaml", "a: [", "is not YAML"),
        ("a.json", '{"table-read": {}}', "`table-read` is nothing"),
        ("a.json", '{"table-reads": 5}', "`table-reads` has no `tiers`"),
        ("a.json", '{"table-reads": {"tiers": []}}', "has no `tiers`"),
        ("a.json", '{"table-reads": {"tiers": [5]}}', "`up_to` and `usd`"),
        ("a.json", SIMPLE % "-1", "no price: `-1`"),
        ("a.json", SIMPLE % "NaN", "no price: `NaN`"),
        ("a.json", SIMPLE % "Infinity", "no price: `Infinity`"),
        ("a.json", SIMPLE % "1e999999999", "no price"),
        ("a.json", SIMPLE % '"cheap"', "no price: `cheap`"),
        ("a.json", SIMPLE % "null", "no price"),
        ("a.json", '{"table-reads": {"per": 0, "tiers": [{"usd": 1}]}}', "`per` is no whole number"),
        ("a.json", '{"table-reads": {"tiers": [{"up_to": 10, "usd": 1}]}}', "the last one has no end"),
        ("a.json", '{"table-reads": {"tiers": [{"up_to": 9, "usd": 1}, {"up_to": 5, "usd": 1}, {"usd": 1}]}}', "rise"),
        ("a.json", '{"table-reads": {"tiers": [{"usd": 1}, {"usd": 1}]}}', "the tiers must rise"),
    ],
)
def test_what_is_no_price_is_refused_by_its_name(tmp_path: Path, name: str, text: str, named: str) -> None:
    """File, item and value are in the sentence, and a hint says how to begin."""
    path = tmp_path / name
    path.write_text(text)
    with pytest.raises(InputError) as refusal:
        read_prices(path, "us-east-1")
    assert named in refusal.value.message
    assert name in refusal.value.message
    assert refusal.value.hint


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    """With the command that makes one."""
    with pytest.raises(InputError, match="there is no file") as refusal:
        read_prices(tmp_path / "none.json", "us-east-1")
    assert "jq .prices" in str(refusal.value.hint)


@pytest.mark.parametrize(
    "place", ["tiers: [{usd: *bomb}]", "tiers: [{up_to: *bomb, usd: 1}]", "per: *bomb, tiers: [1]"]
)
def test_aliases_that_unfold_without_end_are_not_unfolded(tmp_path: Path, place: str) -> None:
    """Twelve lists of ten of the one before are a terabyte as text; what is said about them is a line."""
    lists = ["&a0 [x]", *(f"&a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 12))]
    last = "&bomb [" + ", ".join(["*a11"] * 10) + "]"
    path = tmp_path / "bomb.yaml"
    path.write_text(f"table-reads: {{x: [{', '.join([*lists, last])}], {place}}}\n")
    with pytest.raises(InputError) as refusal:
        read_prices(path, "us-east-1")
    assert len(refusal.value.message) < 300
    path.write_text(path.read_text().replace(place, "source: {title: *bomb}, tiers: [{usd: 1}]"))
    assert "bomb.yaml" in read_prices(path, "us-east-1")["table-reads"].source.title
