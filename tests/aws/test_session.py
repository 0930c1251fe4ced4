"""The way out to AWS."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from iotauth_cli.aws.session import Session, partition
from iotauth_cli.errors import ConfigError
from support_aws import ACCOUNT, aws_target, stubbed

IDENTITY = {"Account": ACCOUNT, "Arn": f"arn:aws:iam::{ACCOUNT}:user/ann", "UserId": "AIDAEXAMPLE"}


def test_the_scope_of_arns_comes_from_region_and_caller() -> None:
    """One call tells the account; it is made once."""
    session = Session(aws_target(region="cn-north-1"))
    with stubbed(session, "sts") as stub:
        stub.add_response("get_caller_identity", IDENTITY)
        assert session.scope == ("aws-cn", "cn-north-1", ACCOUNT)
        assert session.scope.account == session.account


def test_keys_of_another_account_are_refused() -> None:
    """`account:` in the settings guards against the wrong profile."""
    session = Session(aws_target(account="999999999999"))
    with stubbed(session, "sts") as stub:
        stub.add_response("get_caller_identity", IDENTITY)
        with pytest.raises(
            ConfigError, match=rf"belong to account {ACCOUNT} \(`user/ann`\), and account 999999999999 is meant"
        ):
            _ = session.account


@pytest.mark.parametrize(
    ("region", "expected"),
    [
        ("eu-west-1", "aws"),
        ("cn-northwest-1", "aws-cn"),
        ("us-gov-east-1", "aws-us-gov"),
        ("us-iso-east-1", "aws-iso"),
        ("us-isob-east-1", "aws-iso-b"),
        ("eusc-de-east-1", "aws-eusc"),
    ],
)
def test_the_partition_is_botocores(region: str, expected: str) -> None:
    """Our table, which needs no botocore, says what botocore says."""
    import botocore.session

    assert partition(region) == expected == botocore.session.get_session().get_partition_for_region(region)


def test_known_keys_are_handed_out_without_boto3(monkeypatch: pytest.MonkeyPatch) -> None:
    """The light client's keys cost no import."""
    monkeypatch.setitem(sys.modules, "boto3", None)
    found = Session(aws_target()).credentials()
    assert found == ("AKIAIOSFODNN7EXAMPLE", "canary-secret-key", None)
    assert "canary" not in repr(found)


def test_keys_of_a_profile_come_through_boto3(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A profile's keys are found where the AWS CLI keeps them."""
    shared = tmp_path / "credentials"
    shared.write_text("[doors]\naws_access_key_id = AKIADOORS\naws_secret_access_key = canary\n")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(shared))
    found = Session(aws_target(access_key=None, secret_key=None, profile="doors")).credentials()
    assert (found.access_key, found.secret_key) == ("AKIADOORS", "canary")


def test_no_keys_at_all_names_both_ways_on() -> None:
    """Neither `aws configure` nor the emulator: the hint has both."""
    with pytest.raises(ConfigError, match="no AWS keys were found") as caught:
        Session(aws_target(access_key=None, secret_key=None)).credentials()
    assert "aws configure" in str(caught.value.hint)
    assert "--emulator" in str(caught.value.hint)


def test_a_profile_without_keys_is_said_by_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A profile that only names a region: the hint fills it."""
    shared = tmp_path / "config"
    shared.write_text("[profile doors]\nregion = eu-west-1\n")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(shared))
    with pytest.raises(ConfigError, match="no AWS keys were found for profile `doors`") as caught:
        Session(aws_target(access_key=None, secret_key=None, profile="doors")).credentials()
    assert "`aws configure --profile doors`" in str(caught.value.hint)


def test_an_unknown_profile_is_said_by_name() -> None:
    """boto3 finds out when it is asked for anything."""
    session = Session(aws_target(access_key=None, secret_key=None, profile="nobody"))
    with pytest.raises(ConfigError, match="there is no AWS profile `nobody`"):
        session.credentials()
    with pytest.raises(ConfigError, match="there is no AWS profile `nobody`"):
        session.client("iot")


def test_a_proxy_is_not_asked_about_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """With a company's proxy set, an address on loopback is still called directly."""
    monkeypatch.setenv("http_proxy", "http://proxy.example.com:3128")
    local = Session(aws_target(endpoint_url="http://127.0.0.1:4588")).client("iot")
    remote = Session(aws_target(endpoint_url="http://example.com")).client("iot")
    assert local.meta.config.proxies == {}
    assert remote.meta.config.proxies is None
