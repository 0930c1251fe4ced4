"""A region that is mistyped, or has no AWS IoT, is told at once; one that is only new is not refused."""

from __future__ import annotations

from typing import Any

import pytest

from iotauth_cli.aws import regions
from iotauth_cli.aws.client_table import ClientTable
from iotauth_cli.aws.session import Session
from iotauth_cli.errors import AwsError, ConfigError
from support_aws import Pauses, aws_target


@pytest.fixture
def no_such_host(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(regions, "has_address", lambda _url: False)


def session(region: str, **changes: Any) -> Session:
    return Session(aws_target(region=region, label=f"AWS {region}", **changes), Pauses())


@pytest.mark.parametrize(
    ("region", "hint"),
    [
        ("eu-wst-1", "did you mean `eu-west-1`?"),
        ("us-east1", "did you mean `us-east-1`?"),
        ("cn-nort-1", "did you mean `cn-north-1`?"),
        ("us-gov-wast-1", "did you mean `us-gov-west-1`?"),
    ],
)
def test_a_typing_error_says_what_was_meant(region: str, hint: str, no_such_host: None) -> None:
    """Before the first call, which boto3 would try for a quarter of a minute."""
    with pytest.raises(ConfigError, match=f"nobody answers in AWS region `{region}`") as caught:
        session(region).call("iot", "list_authorizers")
    assert caught.value.hint == hint


def test_a_region_without_aws_iot_is_named(no_such_host: None) -> None:
    """Its tables and functions may be used all the same."""
    with pytest.raises(ConfigError, match="AWS IoT is not offered in `af-south-1`"):
        session("af-south-1").client("iot")
    session("af-south-1").client("dynamodb").close()


def test_a_new_region_is_as_good_as_any(monkeypatch: pytest.MonkeyPatch) -> None:
    """AWS opens regions faster than boto3 is updated: where the host has an address, it is asked."""
    monkeypatch.setattr(regions, "has_address", lambda _url: True)
    session("eu-west-9").client("iot").close()


def test_a_proxy_may_know_what_this_machine_does_not(no_such_host: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Behind one, names of the world need not be known here."""
    monkeypatch.setenv("https_proxy", "http://proxy.example.com:3128")
    session("eu-west-9").client("iot").close()


def test_another_world_has_regions_of_its_own(no_such_host: None) -> None:
    """Whoever names an endpoint may call its region anything."""
    session("local-1", endpoint_url="http://127.0.0.1:1").client("iot").close()


def test_the_light_client_finds_the_mistake_when_nobody_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    """It tries what it was told, and looks at the list only then."""

    def nobody(*_: Any, **__: Any) -> Any:
        raise OSError("Name or service not known")

    monkeypatch.setattr("socket.create_connection", nobody)
    with pytest.raises(ConfigError, match="nobody answers in AWS region `eu-wst-1`"):
        ClientTable.open(session("eu-wst-1"), "doors").count()
    with pytest.raises(AwsError, match="AWS eu-west-1 gave no answer"):
        ClientTable.open(session("eu-west-1"), "doors").count()


def test_every_region_of_aws_iot_is_told_from_the_rest() -> None:
    """botocore's list has all three partitions."""
    found = regions.by_service("iot")
    assert {"eu-west-1", "cn-north-1", "us-gov-west-1"} <= set(found)
    assert "af-south-1" not in found
