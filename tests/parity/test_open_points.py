"""The open points: what AWS documents nowhere, looked at, and reported for `emulator behaviour --compare`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from iotauth_cli.emulator import flips as emulators_flips
from iotauth_cli.emulator.behaviour import DOCUMENTED, Behaviour
from iotauth_cli.operations import parity_report
from support_emulator import running_emulator
from support_parity.installation import code_of
from support_parity.probes import NOT_ON_AWS, NOT_PROBED, POINTS, PROBES, CannotTell, Probe, disconnecting, may_run
from support_parity.report import Book
from support_parity.world import Emulator, World

DEFAULTS: Mapping[str, Any] = {**POINTS, **emulators_flips.DEFAULTS}


def named(each: Probe) -> str:
    return each.look.__name__


@pytest.mark.timeout(1200)
@pytest.mark.parametrize("each", PROBES, ids=named)
def test_what_is_left_open(world: World, book: Book, request: pytest.FixtureRequest, each: Probe) -> None:
    """On AWS it is written down; on the emulator it is what the emulator's choice says, or the choice does nothing."""
    why_not = may_run(each, world, request.config.getoption)
    if why_not is not None:
        for key in each.keys:
            book.not_observed(key, NOT_ON_AWS.get(key, why_not))
        pytest.skip(why_not)
    look(world, book, each)
    if world.kind == "emulator":
        for key in each.keys:
            seen = book.observations[key]
            assert same(seen["observed"], DEFAULTS[key], seen.get("tolerance", 0)), seen


def look(world: World, book: Book, each: Probe) -> None:
    try:
        found = each.look(world)
    except (CannotTell, ClientError) as problem:
        why = str(problem) if isinstance(problem, CannotTell) else f"AWS refused: {code_of(problem)}"
        for key in each.keys:
            book.not_observed(key, why)
        if world.kind == "emulator":
            raise
        pytest.skip(why)
    assert found.keys() == set(each.keys)
    for key, sight in found.items():
        book.observe(key, sight.value, DEFAULTS[key], sight.evidence, sight.tolerance)


def same(observed: Any, expected: Any, tolerance: float) -> bool:
    if tolerance:
        return bool(abs(observed - expected) <= tolerance)
    return type(observed) is type(expected) and bool(observed == expected)


@pytest.fixture(autouse=True)
def not_probed(book: Book) -> None:
    for key, why in NOT_PROBED.items():
        book.not_observed(key, why)


def test_every_choice_that_is_not_documented_is_looked_at() -> None:
    """A new choice wants a probe, or a sentence on why there can be none."""
    probed = [key for each in PROBES for key in each.keys]
    assert len(probed) == len(set(probed))
    open_choices = {each.key for each in Behaviour().choices() if each.confidence != DOCUMENTED}
    assert open_choices <= {*probed, *NOT_PROBED}
    assert {*probed, *NOT_PROBED} <= DEFAULTS.keys()
    assert not set(probed) & NOT_PROBED.keys()
    assert NOT_ON_AWS.keys() <= set(probed)


# Every choice that a probe looks at, decided otherwise.
FLIPPED: Mapping[str, Any] = {
    "answers_refused_connect": True,
    "answers_refused_subscribe": True,
    "answers_denied_publish": False,
    "payload_too_large_code": 0x95,
    "packet_too_large_code": 0x97,
    "too_many_filters_code": 0x82,
    "cut_off_code": 0x87,
    "lifecycle_event_qos": 0,
    "shared_filter_alone_allows": False,
    "assigns_client_id": False,
    "refuses_signature_in_upgrade": False,
    "aws_keys_may_do_anything": False,
    "requires_server_name": True,
    "connect_timeout_s": 7,
    "redelivery_interval_s": 11,
    "refresh_checks_connect": False,
    "refresh_denied_code": 0x98,
    "clamps_timers": True,
    "takes_authenticated_as_text": True,
    "http_forbidden_status": 401,
    "http_needs_connect": True,
    "creates_authorizers_active": False,
    "active_delete_error": "InvalidRequestException",
    "deletes_default_authorizer": True,
    "merges_signing_keys": True,
    "signing_keys_per_authorizer": 4,
    "authorizers_per_region": 12,
    "domains_per_region": 3,
    "serves_domains_on_mqtt_port": True,
    "managed_domain_deletion_wait_s": 1200,
    "new_role_unknown_s": 9,
}


@pytest.fixture(scope="module")
def flipped(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    behaviour = [f"{key}={emulators_flips.shown(value)}" for key, value in FLIPPED.items()]
    with running_emulator(tmp_path_factory.mktemp("flipped"), behaviour=behaviour, mqtt_port=0) as running:
        world = Emulator(running)
        try:
            world.install()
            yield world
        finally:
            stayed = world.remove()
    assert stayed == []


def test_an_emulator_that_decides_otherwise_is_seen_to(
    request: pytest.FixtureRequest, tmp_path: Path, world: World
) -> None:
    """The probes observe: with every choice flipped, the report says so, and the flags it leads to are the flips."""
    if world.kind == "aws":
        pytest.skip("AWS cannot be flipped")
    other: World = request.getfixturevalue("flipped")
    probed = {key for each in PROBES for key in each.keys}
    assert probed & emulators_flips.DEFAULTS.keys() == FLIPPED.keys()
    book = Book(other.kind, other.region, other.account)
    for each in PROBES:
        with disconnecting(other):
            look(other, book, each)
    book.write(tmp_path / "report.json")
    report = parity_report.read(tmp_path / "report.json")
    by_default = parity_report.compare(Behaviour().choices(), report)
    assert {each.key for each in by_default if each.verdict == parity_report.DIFFERENT} == FLIPPED.keys()
    typed = emulators_flips.parse(flag.removeprefix("--behaviour ") for flag in parity_report.flags(by_default))
    measured = {each.key for each in report.observations if each.tolerance}
    exact = FLIPPED.keys() - measured
    assert {key: typed[key] for key in exact} == {key: FLIPPED[key] for key in exact}
    as_flipped = parity_report.compare(emulators_flips.laid_over_defaults(FLIPPED).choices(), report)
    assert parity_report.DIFFERENT not in {each.verdict for each in as_flipped}
