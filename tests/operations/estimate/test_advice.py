"""Which quotas are met first, and what to set: each figure against the rule that it states."""

from __future__ import annotations

import re
from dataclasses import replace
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from iotauth_cli.operations.estimate import Estimate, Fleet, Function, Limits, Question, estimate, prices_for
from iotauth_cli.operations.estimate.advice import CANDIDATES_S
from iotauth_cli.operations.estimate.cost import choices

HOME = prices_for("us-east-1")
TEN_THOUSAND = Fleet(10_000)


def answer(fleet: Fleet, limits: Limits | None = None, jitter_s: int | None = None) -> Estimate:
    return estimate(Question(fleet, Function(), limits or Limits(), HOME, "us-east-1", jitter_s))


def used(found: Estimate, what: str) -> tuple[Any, Any]:
    headroom = next(each for each in found.headrooms if each.quota.what == what)
    return headroom.usual, headroom.storm


def advised(found: Estimate) -> dict[str, int]:
    return {each.topic: each.value for each in found.suggestions}


def test_quotas_are_in_the_order_in_which_they_fill() -> None:
    """The connects of a return come first, by far; what is used of each is worked out by hand."""
    found = answer(TEN_THOUSAND)
    assert [each.share for each in found.headrooms] == sorted((each.share for each in found.headrooms), reverse=True)
    assert found.headrooms[0].quota.what == "AWS IoT: connects/s"
    assert used(found, "AWS IoT: connects/s") == (pytest.approx(10_000 / 86_400), 10_000)
    assert used(found, "AWS IoT: connections") == (10_000, None)
    assert used(found, "AWS IoT: publishes in/s") == (pytest.approx(10_000 * 288 / 86_400), None)
    assert used(found, "AWS IoT: publishes/s/device") == (pytest.approx(1 / 300), None)
    assert used(found, "AWS IoT: bytes/s/device") == (pytest.approx(256 / 300), None)
    assert used(found, "Lambda: calls at a time") == (pytest.approx(10_000 / 3600 * 0.01), 500)
    assert used(found, "DynamoDB: reads/s (new)") == (pytest.approx(10_000 / 3600), 500)
    assert used(found, "DynamoDB: writes/s (new)") == (0, 500)


def test_two_subscriptions_at_each_connect_are_too_many_a_second() -> None:
    """500 connects a second with two filters each are a thousand subscriptions, where 500 are taken."""
    found = answer(replace(TEN_THOUSAND, filters=2))
    assert used(found, "AWS IoT: subscriptions/s")[1] == 1000


def test_jitter_relieves_the_quotas() -> None:
    """What is asked with a jitter is answered for that return."""
    found = answer(TEN_THOUSAND, jitter_s=100)
    assert used(found, "AWS IoT: connects/s")[1] == 100
    assert used(found, "DynamoDB: reads/s (new)")[1] == 100


def test_every_quota_has_a_source_and_says_how_it_is_raised() -> None:
    """By its code, where it has one."""
    for each in answer(TEN_THOUSAND).headrooms:
        assert each.quota.source.startswith("https://docs.aws.amazon.com/")
        assert each.quota.code is None or re.fullmatch(r"L-[0-9A-F]{8}", each.quota.code)
        assert each.quota.raised_by in (each.quota.code, "L-B99A9384", "itself", "nothing")
        assert each.quota.is_adjustable == (each.quota.raised_by not in ("itself", "nothing"))


def test_over_https_nothing_reconnects() -> None:
    """There is no storm and no connection, and caching is what to set."""
    found = answer(Fleet(1000, protocol="http"))
    assert found.storms == ()
    assert not any("connect" in each.quota.what for each in found.headrooms)
    assert advised(found) == {"http caching": 1}
    assert advised(answer(Fleet(1000, protocol="http", is_cached=True))) == {}


def test_ten_thousand_devices_are_told_to_wait_up_to_25_seconds() -> None:
    """400 a second is four fifths of what is let in; the wave needs 97 at a time, and twice that is reserved."""
    assert advised(answer(TEN_THOUSAND)) == {
        "refresh": 900, "disconnect": 86_400, "jitter": 25, "reserved concurrency": 200,
    }  # fmt: skip


def test_a_fleet_that_needs_longer_than_ten_minutes_should_ask_for_more_connects() -> None:
    """A million in ten minutes are 1,667 a second, 1,700 in hundreds."""
    assert advised(answer(Fleet(1_000_000)))["connects per second"] == 1700
    assert "connects per second" not in advised(answer(TEN_THOUSAND))


def test_a_reservation_allows_the_calls_of_a_second_too() -> None:
    """A million devices every five minutes are 3,333 calls a second, 400 more in a return: at ten each, 374 units."""
    assert advised(answer(Fleet(1_000_000, refresh_s=300)))["reserved concurrency"] == 750


def test_no_reservation_is_suggested_that_lambda_would_refuse() -> None:
    """It keeps a hundred for the other functions."""
    assert "reserved concurrency" not in advised(answer(TEN_THOUSAND, Limits(500, 250)))
    assert "reserved concurrency" in advised(answer(TEN_THOUSAND, Limits(500, 300)))


@settings(max_examples=40)
@given(st.integers(1, 1_000_000), st.fractions(0, 2000, max_denominator=2), st.fractions(0, 5, max_denominator=2))
def test_the_suggested_refresh_is_the_shortest_that_costs_a_tenth(
    devices: int, messages: Fraction, receivers: Fraction
) -> None:
    """A shorter one of those in question costs more than a tenth of AWS IoT's part of the bill."""
    fleet = Fleet(devices, messages_per_day=messages, receivers=receivers)
    value = advised(answer(fleet))["refresh"]
    shares = {
        each.refresh_s: Fraction(each.authorizer_micro_usd, each.micro_usd - each.authorizer_micro_usd)
        for each in choices(fleet, Function(), HOME, CANDIDATES_S)
    }
    assert all(shares[each] > Fraction(1, 10) for each in CANDIDATES_S if each < value)
    assert shares[value] <= Fraction(1, 10) or value == max(CANDIDATES_S)


@settings(max_examples=40)
@given(st.integers(1, 50_000), st.integers(100, 5000), st.integers(150, 20_000))
def test_a_suggested_reservation_carries_the_return_and_a_usual_second(
    devices: int, connects: int, concurrency: int
) -> None:
    """With it in place, the suggested jitter still lets everybody in."""
    limits = Limits(connects, concurrency)
    found = answer(Fleet(devices), limits)
    advice = advised(found)
    if "reserved concurrency" in advice and "jitter" in advice:
        reserved = Limits(connects, advice["reserved concurrency"])
        assert answer(Fleet(devices), reserved, advice["jitter"]).storms[-1].throttled == 0
        usual = float(found.load.calls_per_s)
        assert reserved.concurrency * 10 >= usual + found.storms[-1].peak_calls
