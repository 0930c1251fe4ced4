"""What is told of an authorizer beside itself, and which of a region's are iotauth's."""

from __future__ import annotations

import time
from dataclasses import replace

from iotauth_cli.cli import render_details
from iotauth_cli.operations import authorizer_details, authorizers
from iotauth_cli.operations.authorizers import Wish
from iotauth_cli.operations.installation import FunctionSettings
from support_control import REGION
from support_installation import WISH, Account

LAMBDA = f"arn:aws:lambda:{REGION}:123456789012:function"


def make(account: Account, wish: Wish = WISH) -> None:
    session = account.session()
    list(authorizers.apply(session, authorizers.plan(session, wish)))


def told(account: Account, name: str = WISH.authorizer) -> list[tuple[str, str]]:
    session = account.session()
    found = authorizer_details.details(session, authorizers.require(session, name))
    assert found.changed_at is not None
    assert abs(found.changed_at - time.time()) < 600
    return render_details.details(replace(found, changed_at=1_800_000_000))


def test_what_was_chosen_is_told(account: Account) -> None:
    """Memory, timers, calls kept, the log, the default, tags and an endpoint without ALPN."""
    settings = FunctionSettings(memory_mb=512, refresh_after_s=900, reserved_concurrency=4, retention_days=90)
    wish = replace(WISH, settings=settings, tags={"site": "north"}, is_default=True, alpn_free="doors-free")
    make(account, wish)
    host = account.client("iot").describe_domain_configuration(domainConfigurationName="doors-free")["domainName"]
    assert told(account) == [
        ("made by", "iotauth"),
        ("default", "it decides about devices that name no authorizer"),
        ("runs with", "512 MB, arm64, python3.13"),
        ("timers", "asked again after 900 s, cut off after 86400 s"),
        ("kept calls", "4 at once, and no more"),
        ("log", "kept 90 days"),
        ("without ALPN", f"{host} (doors-free)"),
        ("tags", "made-by=iotauth, site=north"),
        ("changed", "2027-01-15 08:00 UTC"),
    ]


def test_a_timer_that_is_no_number_is_told_as_the_function_takes_it(account: Account) -> None:
    """The usual one: a mistake in the console refuses nobody."""
    make(account)
    variables = {"IOTAUTH_TABLE": WISH.table, "IOTAUTH_REFRESH_AFTER_S": "soon"}
    account.client("lambda").update_function_configuration(
        FunctionName=WISH.function, Environment={"Variables": variables}
    )
    assert ("timers", "asked again after 3600 s, cut off after 86400 s") in told(account)


def test_a_function_of_somebody_elses_has_timers_of_its_own(account: Account) -> None:
    """What it answers is not in its environment; what Lambda knows of it is told."""
    mine = account.function("def handler(event, context): return {}", "mine")
    make(account, replace(WISH, function_arn=mine))
    found = authorizer_details.details(account.session(), authorizers.require(account.session(), "doors"))
    assert found.is_ours
    assert found.function is not None
    assert (found.function.is_ours, found.function.refresh_after_s, found.function.retention_days) == (
        False,
        None,
        None,
    )


def test_a_list_says_whose_each_is_and_which_is_the_default(account: Account) -> None:
    """By the tag; an older one by its function; whose function is gone or elsewhere is nobody's."""
    make(account, replace(WISH, is_default=True))
    iot = account.client("iot")
    for name, arn in (
        ("older", f"{LAMBDA}:{WISH.function}"),
        ("gone", f"{LAMBDA}:gone"),
        ("elsewhere", "arn:aws:lambda:eu-west-1:123456789012:function:x"),
    ):
        iot.create_authorizer(authorizerName=name, authorizerFunctionArn=arn, signingDisabled=True, status="ACTIVE")
    found = {each.authorizer.name: each for each in authorizer_details.listed(account.session())}
    assert {name: (each.is_ours, each.is_default) for name, each in found.items()} == {
        "doors": (True, True),
        "elsewhere": (False, False),
        "gone": (False, False),
        "older": (True, False),
    }
    _, rows = render_details.listed([found["doors"], found["gone"]])
    assert [row[:3] for row in rows] == [("doors", "active, default", "iotauth"), ("gone", "active", "-")]
