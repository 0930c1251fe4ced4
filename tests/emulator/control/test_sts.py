"""Sessions of roles as STS hands them out: to whom the trust policy names, known by their keys, and only for a time."""

from __future__ import annotations

import json
from typing import Any

import boto3
import pytest
from botocore import UNSIGNED
from botocore.config import Config
from botocore.exceptions import ClientError

from support_control import REGION, Control, code_of, message_of

ACCOUNT = "123456789012"
USER = f"arn:aws:iam::{ACCOUNT}:user/iotauth-emulator"
MFA = {"SerialNumber": f"arn:aws:iam::{ACCOUNT}:mfa/anna", "TokenCode": "123456"}


def role(control: Control, name: str, principal: Any, **more: Any) -> str:
    """Make a role that trusts *principal*; return its ARN."""
    action = more.pop("Action", "sts:AssumeRole")
    statement = {"Effect": "Allow", "Principal": principal, "Action": action, **more}
    document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    made = control.client("iam").create_role(RoleName=name, Path="/team/", AssumeRolePolicyDocument=document)
    return str(made["Role"]["Arn"])


def assumed(control: Control, arn: str, by: Any = None, **more: Any) -> Any:
    """Return the keys of a session of role *arn*."""
    sts = by or control.client("sts")
    return sts.assume_role(RoleArn=arn, RoleSessionName="anna", **more)["Credentials"]


def client(control: Control, keys: Any, service: str = "sts", region: str = REGION) -> Any:
    """Return boto3's client that signs with *keys*."""
    return boto3.client(  # type: ignore[call-overload]
        service,
        endpoint_url=control.server.url,
        region_name=region,
        aws_access_key_id=keys["AccessKeyId"],
        aws_secret_access_key=keys["SecretAccessKey"],
        aws_session_token=keys["SessionToken"],
        config=Config(retries={"total_max_attempts": 1}),
    )


def test_a_session_is_known_by_its_key(control: Control) -> None:
    """Whoever assumed a role is that role's session, and no longer the user; the role's path is left out."""
    session = client(control, assumed(control, role(control, "Ops", {"AWS": ACCOUNT})))
    found = session.get_caller_identity()
    assert found["Arn"] == f"arn:aws:sts::{ACCOUNT}:assumed-role/Ops/anna"
    assert found["Account"] == ACCOUNT
    assert found["UserId"].startswith("AROA")
    assert control.client("sts").get_caller_identity()["Arn"] == USER


@pytest.mark.parametrize(
    "principal",
    [{"AWS": USER}, {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}, {"AWS": [ACCOUNT]}, "*"],
    ids=["user", "root", "account", "anybody"],
)
def test_whom_a_trust_policy_may_name(control: Control, principal: Any) -> None:
    """One user, the account in two ways, or everybody."""
    assert assumed(control, role(control, "Ops", principal))["AccessKeyId"].startswith("ASIA")


@pytest.mark.parametrize(
    ("principal", "more"),
    [
        ({"AWS": "arn:aws:iam::210987654321:root"}, {}),
        ({"Service": "lambda.amazonaws.com"}, {}),
        ({"AWS": ACCOUNT}, {"Effect": "Deny"}),
        ({"AWS": ACCOUNT}, {"Condition": {"Bool": {"aws:MultiFactorAuthPresent": "true"}}}),
        ({"AWS": ACCOUNT}, {"Condition": {"StringEquals": {"sts:ExternalId": "e-7"}}}),
    ],
    ids=["another account", "a service", "denied", "no MFA", "no external id"],
)
def test_a_role_that_does_not_trust_the_caller_is_denied(control: Control, principal: Any, more: Any) -> None:
    """In IAM's words, which are the same for a role that is not there."""
    arn = role(control, "Ops", principal, **more)
    for asked in (arn, arn.replace("Ops", "Nobody")):
        with pytest.raises(ClientError) as error:
            assumed(control, asked)
        assert code_of(error) == ("AccessDenied", 403)
        assert message_of(error) == f"User: {USER} is not authorized to perform: sts:AssumeRole on resource: {asked}"


def test_what_conditions_ask_for_can_be_brought(control: Control) -> None:
    """An MFA code, which stays with the session, and an external id."""
    condition = {"Bool": {"aws:MultiFactorAuthPresent": "true"}, "StringEquals": {"sts:ExternalId": "e-7"}}
    arn = role(control, "Careful", {"AWS": ACCOUNT}, Condition=condition)
    assert assumed(control, arn, ExternalId="e-7", **MFA)
    by_mfa = client(control, control.client("sts").get_session_token(**MFA)["Credentials"])
    assert by_mfa.get_caller_identity()["Arn"] == USER
    assert assumed(control, arn, by_mfa, ExternalId="e-7")


def test_another_condition_is_not_passed_over(control: Control) -> None:
    """What cannot be judged is refused as not implemented, and never taken for met."""
    condition = {"IpAddress": {"aws:SourceIp": "192.0.2.0/24"}}
    with pytest.raises(ClientError, match="does not implement the condition IpAddress") as error:
        assumed(control, role(control, "Odd", {"AWS": ACCOUNT}, Condition=condition))
    assert code_of(error)[1] == 501


def test_a_role_of_a_role_lasts_an_hour_at_most(control: Control) -> None:
    """Chained roles, whatever their own limit."""
    first = role(control, "First", {"AWS": ACCOUNT})
    second = role(control, "Second", {"AWS": first.replace("role/team/", "role/")})
    chained = client(control, assumed(control, first))
    assert assumed(control, second, chained, DurationSeconds=3600)
    with pytest.raises(ClientError, match="exceeds the MaxSessionDuration"):
        assumed(control, second, chained, DurationSeconds=3601)


def test_a_web_identity_needs_no_keys(control: Control) -> None:
    """The one call that nobody signs."""
    federated = {"Federated": f"arn:aws:iam::{ACCOUNT}:oidc-provider/token.example.com"}
    arn = role(control, "Web", federated, Action="sts:AssumeRoleWithWebIdentity")
    sts = boto3.client(
        "sts", endpoint_url=control.server.url, region_name=REGION, config=Config(signature_version=UNSIGNED)
    )
    found = sts.assume_role_with_web_identity(RoleArn=arn, RoleSessionName="ci", WebIdentityToken="a-token")
    assert client(control, found["Credentials"]).get_caller_identity()["Arn"].endswith("assumed-role/Web/ci")
    with pytest.raises(ClientError) as error:
        sts.assume_role_with_web_identity(RoleArn=f"{arn}2", RoleSessionName="ci", WebIdentityToken="a-token")
    assert code_of(error) == ("AccessDenied", 403)


@pytest.mark.parametrize(
    ("service", "operation", "code"),
    [
        ("sts", "get_caller_identity", ("ExpiredToken", 403)),
        ("logs", "describe_log_groups", ("ExpiredTokenException", 400)),
        ("iot", "list_authorizers", ("ExpiredTokenException", 403)),
    ],
)
def test_a_session_that_is_over_is_refused_everywhere(
    control: Control, service: str, operation: str, code: tuple[str, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each protocol in its own words."""
    keys = assumed(control, role(control, "Ops", {"AWS": ACCOUNT}), DurationSeconds=900)
    sts: Any = control.server._plane._services["sts"]
    now = sts._clock()
    monkeypatch.setattr(sts, "_clock", lambda: now + 901)
    with pytest.raises(ClientError, match="expired") as error:
        getattr(client(control, keys, service), operation)()
    assert code_of(error) == code


def test_arns_are_of_the_regions_partition(control: Control) -> None:
    """In China and in GovCloud roles, sessions and users have other ARNs."""
    for region, partition in (("cn-north-1", "aws-cn"), ("us-gov-west-1", "aws-us-gov")):
        iam, sts = control.client("iam", region), control.client("sts", region)
        document = {"Effect": "Allow", "Principal": {"AWS": f"arn:{partition}:iam::{ACCOUNT}:root"}}
        text = json.dumps({"Version": "2012-10-17", "Statement": [{**document, "Action": "sts:AssumeRole"}]})
        arn = iam.create_role(RoleName=partition, AssumeRolePolicyDocument=text)["Role"]["Arn"]
        assert arn == f"arn:{partition}:iam::{ACCOUNT}:role/{partition}"
        session = client(control, assumed(control, arn, sts), region=region)
        assert session.get_caller_identity()["Arn"].startswith(f"arn:{partition}:sts::{ACCOUNT}:assumed-role/")
