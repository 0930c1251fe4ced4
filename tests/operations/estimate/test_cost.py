"""What a fleet uses and costs: figures worked out by hand, and what must hold for any fleet."""

from __future__ import annotations

import re
from dataclasses import replace
from fractions import Fraction
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from iotauth_authorizer.authorize import Settings
from iotauth_authorizer.credential import Slot, hash_secret
from iotauth_authorizer.grants import Grants
from iotauth_authorizer.record import ClientRecord, to_item
from iotauth_cli.errors import InputError
from iotauth_cli.operations.estimate import Fleet, Function, Limits, Question, estimate, prices_for
from iotauth_cli.operations.estimate.cost import bill_of, calls_cost, choices, micro
from iotauth_cli.operations.estimate.load import DAY_S, LOG_BYTES, ROW_BYTES, check, load_of
from iotauth_cli.operations.estimate.prices import FREE, ITEMS, PRICES
from support import REPOSITORY

HOME = prices_for("us-east-1")
THOUSAND = Fleet(1000, refresh_s=300)


def costs(fleet: Fleet, function: Function | None = None, **free: bool) -> dict[str, int]:
    load = load_of(fleet, function or Function())
    return {line.price.key: line.micro_usd for line in bill_of(load, HOME, **free).lines}


def fleets() -> st.SearchStrategy[Fleet]:
    part = st.fractions(0, 50, max_denominator=20)
    timer = st.integers(300, DAY_S)
    return st.builds(
        Fleet,
        devices=st.integers(1, 100_000),
        refresh_s=timer,
        disconnect_s=timer,
        connects_per_day=part,
        connect_hours=st.fractions(Fraction(1, 10), 24, max_denominator=10),
        messages_per_day=st.fractions(0, 1000, max_denominator=10),
        message_bytes=st.integers(0, 128 * 1024),
        receivers=part,
        filters=st.integers(0, 50),
        protocol=st.sampled_from(["mqtt", "http"]),
    )


def test_a_thousand_devices_and_five_minutes_are_8_64_million_calls() -> None:
    """One session a day of 86,400 s, asked about every 300 s: 288 calls of each device, the first at its connect."""
    load = load_of(THOUSAND, Function())
    assert load.calls == 288
    assert load.calls_per_month == 8_640_000
    assert load.calls_per_s == Fraction(100, 30)


def test_the_bill_of_a_thousand_devices_is_the_one_worked_out_by_hand() -> None:
    """Each line in micro-dollars, as the guide works them out."""
    assert costs(THOUSAND) == {
        "iot-connectivity": 3_456_000,  # 1000 × 30 × 1440 minutes
        "iot-messages": 17_340_000,  # 8.64 million sent, as many delivered, 30,000 connects and subscriptions
        "lambda-requests": 1_728_000,
        "lambda-arm64": 331_202,  # 8.64 million × (10 ms + 150 ms / 100) × 0.25 GB = 24,840 GB-s
        "table-reads": 1_080_000,
        "table-writes": 156,  # 250 a month
        "table-storage": 110,  # 441 kB
        "table-recovery": 88,
        "log-ingestion": 2_181_600,  # 505 bytes a call
        "log-storage": 19_634,
    }
    bill = bill_of(load_of(THOUSAND, Function()), HOME)
    assert bill.micro_usd == 26_136_790
    assert bill.authorizer_micro_usd == 26_136_790 - 20_796_000


def test_a_million_calls_cost_what_they_use() -> None:
    """$0.20 requests, 2,875 GB-s, $0.125 reads, 505 MB of log and 75.75 MB of it kept."""
    assert calls_cost(Function(), HOME) == 200_000 + 38_334 + 125_000 + 252_500 + 2_273


def test_with_the_free_tier_the_requests_are_a_million_fewer() -> None:
    """7.64 million are left to pay, $1.528; nothing else of the bill changes."""
    lines = bill_of(load_of(THOUSAND, Function()), HOME, with_free_tier=True).lines
    requests = next(line for line in lines if line.price.key == "lambda-requests")
    assert (requests.micro_usd, requests.free_micro_usd) == (1_728_000, 200_000)
    assert all(line.free_micro_usd == 0 for line in bill_of(load_of(THOUSAND, Function()), HOME).lines)


def test_one_connect_a_day_and_no_refresh_are_thirty_thousand_calls() -> None:
    """A refresh as late as the end of the session never comes."""
    load = load_of(Fleet(1000, refresh_s=DAY_S), Function())
    assert load.calls_per_month == 30_000


def test_awss_own_example_gives_awss_own_figures() -> None:
    """100,000 devices in Ireland, always connected, 325 messages of 1 KB a day: $345.60 and $975.00."""
    load = load_of(Fleet(100_000, messages_per_day=Fraction(325), message_bytes=1024), Function())
    ireland = prices_for("eu-west-1")
    assert ireland["iot-connectivity"].usd(load.monthly["iot-connectivity"]) == Fraction("345.60")
    assert ireland["iot-messages"].usd(load.messages["published"]) == 975


@pytest.mark.parametrize(
    ("key", "quantity", "usd"),
    [
        ("iot-messages", 1_000_000_000, "1000"),
        ("iot-messages", 6_500_000_000, "5250"),  # 1000 + 4000 × 0.80 + 1500 × 0.70
        ("log-ingestion", 60_000, "12500"),  # Duckbill's example
        ("lambda-arm64", 20_000_000_000, "248335"),  # 100,000.50 + 135,001.125 + 13,333.375
        ("table-reads", 0, "0"),
    ],
)
def test_each_tier_has_its_price(key: str, quantity: int, usd: str) -> None:
    """Units beyond a tier cost the next one's price, those in it their own."""
    assert HOME[key].usd(Fraction(quantity)) == Fraction(usd)


@pytest.mark.parametrize(
    ("size", "units"), [(0, 1), (1, 1), (5120, 1), (5121, 2), (128 * 1024, 26)], ids=lambda value: str(value)
)
def test_a_message_is_metered_in_units_of_5_kb(size: int, units: int) -> None:
    """An empty one is a unit too."""
    load = load_of(Fleet(1, messages_per_day=Fraction(1), message_bytes=size, receivers=Fraction(3)), Function())
    assert load.messages["published"] == 30 * units
    assert load.messages["delivered"] == 90 * units


def test_over_https_each_message_is_a_call_unless_answers_are_cached() -> None:
    """288 of each; with caching and a kept connection one an hour; minutes of connection are not metered."""
    plain, cached = Fleet(1, protocol="http"), Fleet(1, protocol="http", is_cached=True)
    assert load_of(plain, Function()).calls == 288
    assert load_of(cached, Function()).calls == 24
    assert load_of(replace(cached, messages_per_day=Fraction(5)), Function()).calls == 5
    assert load_of(plain, Function()).monthly["iot-connectivity"] == 0
    assert load_of(plain, Function()).messages["answers"] == 30 * 288


@given(fleets())
def test_calls_lie_between_the_timers_and_one_more_for_each_connect(fleet: Fleet) -> None:
    """A session of L seconds is asked about L / refresh times, rounded up."""
    if fleet.protocol == "mqtt":
        load = load_of(fleet, Function())
        least = fleet.connect_hours * 3600 / fleet.refresh_s
        assert max(least, load.connects) <= load.calls < least + load.connects + 1


@given(fleets(), st.integers(1, 100_000), st.fractions(0, 100, max_denominator=7), st.integers(0, 10_000))
def test_more_of_anything_never_costs_less(fleet: Fleet, devices: int, messages: Fraction, size: int) -> None:
    """More devices, more messages, larger ones, more receivers: no line of the bill falls."""
    before = costs(fleet)
    larger = min(fleet.message_bytes + size, 128 * 1024)
    for more in (
        replace(fleet, devices=fleet.devices + devices),
        replace(fleet, messages_per_day=fleet.messages_per_day + messages),
        replace(fleet, message_bytes=larger),
        replace(fleet, receivers=fleet.receivers + messages),
    ):
        after = costs(more)
        assert all(after[key] >= cost for key, cost in before.items())


@given(fleets(), st.integers(300, DAY_S))
def test_a_shorter_refresh_never_costs_less(fleet: Fleet, other: int) -> None:
    """Who wants changes seen sooner pays for more calls."""
    shorter, longer = sorted((fleet.refresh_s, other))
    asked = choices(replace(fleet, refresh_s=shorter), Function(), HOME, (longer,))
    found = {each.refresh_s: each.micro_usd for each in asked}
    assert found[shorter] >= found[longer]


@given(fleets())
def test_the_free_tier_takes_off_no_more_than_there_is(fleet: Fleet) -> None:
    """Each line keeps a price of nothing or more, and the sums are those of the lines."""
    bill = bill_of(load_of(fleet, Function()), HOME, with_free_tier=True)
    assert all(0 <= line.free_micro_usd <= line.micro_usd for line in bill.lines)
    assert bill.micro_usd == sum(line.micro_usd for line in bill.lines)
    others = sum(line.micro_usd for line in bill.lines if not line.is_authorizer)
    assert bill.authorizer_micro_usd + others == bill.micro_usd


@given(st.sampled_from(sorted(HOME)), st.fractions(0, 10**12), st.fractions(0, 10**12))
def test_tiers_only_ever_make_units_cheaper(key: str, some: Fraction, more: Fraction) -> None:
    """Two quantities together cost no more than apart, and no less than the larger alone."""
    price = HOME[key]
    assert max(price.usd(some), price.usd(more)) <= price.usd(some + more) <= price.usd(some) + price.usd(more)


def test_a_micro_dollar_is_rounded_once_and_half_of_it_up() -> None:
    """No float takes part: 0.0000005 dollars is half a micro-dollar."""
    assert [micro(Fraction(text)) for text in ("0", "0.00000049", "0.0000005", "0.1234565")] == [0, 0, 1, 123_457]


def test_every_price_names_its_source_and_every_region_its_own() -> None:
    """us-east-1 is complete; what another region has no source for says that it is us-east-1's."""
    keys = {item[0] for item in ITEMS}
    assert set(PRICES["us-east-1"]) == keys
    for region, own in PRICES.items():
        assert set(own) <= keys
        for key, price in prices_for(region).items():
            assert price.source.url.startswith("https://")
            assert price.source.title
            assert price.source.date
            assert price.region == (region if key in own else "us-east-1")
            assert [tier.up_to is None for tier in price.tiers].index(True) == len(price.tiers) - 1
    assert {price.region for price in prices_for("sa-east-1").values()} == {"us-east-1"}
    assert set(FREE) < keys


def test_china_pays_by_another_list() -> None:
    """Dollars would be wrong there."""
    with pytest.raises(InputError, match="cn-north-1"):
        prices_for("cn-north-1")


def test_the_assumptions_are_what_this_project_makes() -> None:
    """Timers and memory of the template, the size of a row and of the log's line."""
    fleet, function = Fleet(1), Function()
    assert (fleet.refresh_s, fleet.disconnect_s) == (Settings().refresh_after_s, Settings().disconnect_after_s)
    text = (REPOSITORY / "lambda_src" / "template.yaml").read_text()
    parameters = re.search(r"^Parameters:\n(?:(?: .*)?\n)+", text, re.MULTILINE)
    assert parameters, "the template's parameters have moved"
    template = yaml.load(parameters[0], Loader=yaml.BaseLoader)["Parameters"]
    assert function.memory_mb == int(template["MemorySize"]["Default"])
    assert function.retention_days == int(template["LogRetentionDays"]["Default"])
    assert fleet.refresh_s == int(template["RefreshAfterSeconds"]["Default"])
    assert row_bytes(to_item(client())) == ROW_BYTES
    line = '{"iotauth":1,"connection":"8b6a1f6e-7b1e-4f0c-9f57-2d1f1a1c0d3e","client":"thermo-0001","allowed":true,'
    assert LOG_BYTES[0] == len(line + '"reason":"ok","slot":"A","ms":4.2}\n')


def client() -> ClientRecord:
    created = 1_700_000_000
    return ClientRecord(
        "thermo-0001",
        username="thermo-0001",
        slots={"A": Slot(hash_secret(b"x" * 40, "thermo-0001"), created)},
        grants=Grants.for_topic("sensors/thermo-0001"),
        created_at=created,
        updated_at=created,
        version=1,
    )


def row_bytes(item: dict[str, Any]) -> int:
    return sum(len(name) + value_bytes(value) for name, value in item.items())


def value_bytes(value: dict[str, Any]) -> int:
    """Return a value's size by the DynamoDB developer guide, "Item sizes and formats"."""
    ((kind, held),) = value.items()
    if kind == "M":
        return 3 + sum(len(name) + value_bytes(each) + 1 for name, each in held.items())
    if kind == "L":
        return 3 + sum(value_bytes(each) + 1 for each in held)
    return {"S": len(str(held)), "N": len(str(held)) // 2 + 2, "BOOL": 1}[kind]


@pytest.mark.parametrize(
    ("fleet", "function", "named"),
    [
        (Fleet(0), Function(), "`--devices 0`"),
        (Fleet(-5), Function(), "`--devices -5`"),
        (Fleet(10_000_001), Function(), "`--devices 10000001`"),
        (Fleet(1, refresh_s=10), Function(), "`--refresh 10`"),
        (Fleet(1, refresh_s=86_401), Function(), "`--refresh 86401`"),
        (Fleet(1, disconnect_s=299), Function(), "`--disconnect 299`"),
        (Fleet(1, connect_hours=Fraction(25)), Function(), "`--connect-hours-per-day 25`"),
        (Fleet(1, connect_hours=Fraction(0)), Function(), "never connects"),
        (Fleet(1, connects_per_day=Fraction(-1)), Function(), "`--reconnects-per-day -1`"),
        (Fleet(1, messages_per_day=Fraction(-1, 2)), Function(), "`--messages-per-day -0.5`"),
        (Fleet(1, messages_per_day=Fraction(8_640_001)), Function(), "`--messages-per-day 8640001`"),
        (Fleet(1, message_bytes=131_073), Function(), "`--message-size 131073`"),
        (Fleet(1, filters=51), Function(), "`--subscriptions 51`"),
        (Fleet(1), Function(memory_mb=64), "`--memory 64`"),
        (Fleet(1), Function(warm_ms=0), "`--duration-ms 0`"),
        (Fleet(1), Function(warm_ms=5001), "`--duration-ms 5001`"),
        (Fleet(1, is_cached=True), Function(), "no effect on MQTT"),
    ],
)
def test_a_fleet_that_cannot_be_is_refused_by_its_option(fleet: Fleet, function: Function, named: str) -> None:
    """One sentence with the option and what was typed, and a hint."""
    with pytest.raises(InputError, match=named) as refusal:
        check(fleet, function)
    assert refusal.value.hint


@pytest.mark.parametrize(("limits", "jitter_s"), [(Limits(0), None), (Limits(500, 0), None), (Limits(), 86_401)])
def test_limits_and_jitters_that_cannot_be_are_refused(limits: Limits, jitter_s: int | None) -> None:
    """No account lets nobody in, and no device waits for more than a day."""
    with pytest.raises(InputError):
        estimate(Question(Fleet(1), Function(), limits, HOME, "us-east-1", jitter_s))
