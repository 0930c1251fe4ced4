"""Roles and their policies, seen through boto3."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

from iotauth_cli.emulator.behaviour import Behaviour
from support_control import TRUST, Control, code_of, message_of

INLINE = json.dumps(
    {"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "dynamodb:GetItem", "Resource": "*"}}
)
BASIC = "arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole"


@pytest.fixture
def iam(control: Control) -> Any:
    return control.client("iam")


def test_a_caller_learns_the_account_of_the_emulator(control: Control) -> None:
    """GetCallerIdentity answers for whatever credentials are shown."""
    identity = control.client("sts").get_caller_identity()
    assert identity["Account"] == "123456789012"
    assert identity["Arn"] == "arn:aws:iam::123456789012:user/iotauth-emulator"


def test_a_role_comes_back_as_it_was_created(iam: Any) -> None:
    """Everything given at CreateRole is in GetRole, the trust policy as a document."""
    created = iam.create_role(
        RoleName="iotauth-doors",
        Path="/service/",
        AssumeRolePolicyDocument=TRUST,
        Description="the <authorizer> & its friends",
        Tags=[{"Key": "team", "Value": "doors"}],
    )["Role"]
    role = iam.get_role(RoleName="iotauth-doors")["Role"]
    assert role["Arn"] == created["Arn"] == "arn:aws:iam::123456789012:role/service/iotauth-doors"
    assert role["AssumeRolePolicyDocument"] == json.loads(TRUST)
    assert role["Description"] == "the <authorizer> & its friends"
    assert role["Tags"] == [{"Key": "team", "Value": "doors"}]
    assert role["MaxSessionDuration"] == 3600
    assert role["RoleId"].startswith("AROA")
    assert len(role["RoleId"]) == 21


def test_a_role_is_created_once(iam: Any) -> None:
    """A second CreateRole of the same name is EntityAlreadyExists, 409."""
    iam.create_role(RoleName="doors", AssumeRolePolicyDocument=TRUST)
    with pytest.raises(ClientError, match=r"Role with name doors already exists\.") as error:
        iam.create_role(RoleName="doors", AssumeRolePolicyDocument=TRUST)
    assert code_of(error) == ("EntityAlreadyExists", 409)


@pytest.mark.parametrize(
    ("operation", "arguments"),
    [
        ("get_role", {}),
        ("delete_role", {}),
        ("put_role_policy", {"PolicyName": "p", "PolicyDocument": INLINE}),
        ("list_role_policies", {}),
        ("attach_role_policy", {"PolicyArn": BASIC}),
        ("update_assume_role_policy", {"PolicyDocument": TRUST}),
        ("tag_role", {"Tags": [{"Key": "a", "Value": "b"}]}),
    ],
)
def test_an_unknown_role_is_no_such_entity(iam: Any, operation: str, arguments: dict[str, Any]) -> None:
    """Every operation on a role that is not there is a 404 that names it."""
    with pytest.raises(ClientError, match=r"The role with name nobody cannot be found\.") as error:
        getattr(iam, operation)(RoleName="nobody", **arguments)
    assert code_of(error) == ("NoSuchEntity", 404)


def test_a_role_with_policies_is_not_deleted(iam: Any) -> None:
    """DeleteRole is a DeleteConflict until attached and inline policies are gone."""
    iam.create_role(RoleName="doors", AssumeRolePolicyDocument=TRUST)
    iam.put_role_policy(RoleName="doors", PolicyName="table", PolicyDocument=INLINE)
    iam.attach_role_policy(RoleName="doors", PolicyArn=BASIC)
    with pytest.raises(ClientError, match="must detach all policies first") as error:
        iam.delete_role(RoleName="doors")
    assert code_of(error) == ("DeleteConflict", 409)
    iam.detach_role_policy(RoleName="doors", PolicyArn=BASIC)
    with pytest.raises(ClientError, match="must delete policies first") as error:
        iam.delete_role(RoleName="doors")
    iam.delete_role_policy(RoleName="doors", PolicyName="table")
    iam.delete_role(RoleName="doors")
    assert iam.list_roles()["Roles"] == []


def test_an_inline_policy_comes_back_and_can_be_replaced(iam: Any) -> None:
    """PutRolePolicy writes over an older document of the same name."""
    iam.create_role(RoleName="doors", AssumeRolePolicyDocument=TRUST)
    iam.put_role_policy(RoleName="doors", PolicyName="table", PolicyDocument=INLINE)
    wider = INLINE.replace("GetItem", "*")
    iam.put_role_policy(RoleName="doors", PolicyName="table", PolicyDocument=wider)
    assert iam.get_role_policy(RoleName="doors", PolicyName="table")["PolicyDocument"] == json.loads(wider)
    assert iam.list_role_policies(RoleName="doors")["PolicyNames"] == ["table"]
    with pytest.raises(ClientError, match="The role policy with name other cannot be found") as error:
        iam.get_role_policy(RoleName="doors", PolicyName="other")
    assert code_of(error) == ("NoSuchEntity", 404)


def test_attached_policies_are_listed_by_name_and_arn(iam: Any) -> None:
    """Attaching twice is one attachment; an account's own policy does not exist here."""
    iam.create_role(RoleName="doors", AssumeRolePolicyDocument=TRUST)
    for _ in range(2):
        iam.attach_role_policy(RoleName="doors", PolicyArn=BASIC)
    attached = iam.list_attached_role_policies(RoleName="doors")["AttachedPolicies"]
    assert attached == [{"PolicyName": "AWSLambdaBasicExecutionRole", "PolicyArn": BASIC}]
    with pytest.raises(ClientError, match="does not exist or is not attachable") as error:
        iam.attach_role_policy(RoleName="doors", PolicyArn="arn:aws:iam::123456789012:policy/own")
    assert code_of(error) == ("NoSuchEntity", 404)


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ("{", "This policy contains invalid Json"),
        ("{}", "Syntax errors in policy."),
        ('{"Version":"2020-01-01","Statement":[]}', "The policy version is not valid."),
        (TRUST, "Policy statement must contain resources."),
        (INLINE.replace("dynamodb:GetItem", "*").replace("Action", "Do"), "Policy statement must contain actions."),
        (INLINE.replace('"Allow"', '"Maybe"'), "Invalid effect: Maybe"),
    ],
    ids=["no-json", "no-statement", "version", "no-resource", "no-action", "effect"],
)
def test_a_broken_policy_document_is_refused(iam: Any, document: str, message: str) -> None:
    """MalformedPolicyDocument says what is wrong with an inline policy."""
    iam.create_role(RoleName="doors", AssumeRolePolicyDocument=TRUST)
    with pytest.raises(ClientError) as error:
        iam.put_role_policy(RoleName="doors", PolicyName="p", PolicyDocument=document)
    assert code_of(error) == ("MalformedPolicyDocument", 400)
    assert message_of(error) == message


def test_a_trust_policy_needs_a_principal(iam: Any) -> None:
    """A document without Principal cannot say who may take the role."""
    with pytest.raises(ClientError, match="Missing required field Principal") as error:
        iam.create_role(RoleName="doors", AssumeRolePolicyDocument=INLINE)
    assert code_of(error) == ("MalformedPolicyDocument", 400)


def test_the_inline_policies_of_a_role_stay_under_ten_kilobytes(iam: Any) -> None:
    """LimitExceeded counts all inline policies of the role, but not the one that is replaced."""
    iam.create_role(RoleName="doors", AssumeRolePolicyDocument=TRUST)
    long = INLINE.replace("*", "*" * 6000)
    iam.put_role_policy(RoleName="doors", PolicyName="a", PolicyDocument=long)
    iam.put_role_policy(RoleName="doors", PolicyName="a", PolicyDocument=long)
    with pytest.raises(ClientError, match="Maximum policy size of 10240 bytes exceeded for role doors") as error:
        iam.put_role_policy(RoleName="doors", PolicyName="b", PolicyDocument=long)
    assert code_of(error) == ("LimitExceeded", 409)


def test_tags_of_a_role_are_merged_and_removed(iam: Any) -> None:
    """TagRole adds and replaces, UntagRole removes."""
    iam.create_role(RoleName="doors", AssumeRolePolicyDocument=TRUST, Tags=[{"Key": "a", "Value": "1"}])
    iam.tag_role(RoleName="doors", Tags=[{"Key": "a", "Value": "2"}, {"Key": "b", "Value": ""}])
    iam.untag_role(RoleName="doors", TagKeys=["a"])
    assert iam.list_role_tags(RoleName="doors")["Tags"] == [{"Key": "b", "Value": ""}]


def test_listing_roles_pages_by_name(iam: Any) -> None:
    """boto3's paginator follows the markers to the end."""
    for number in range(5):
        iam.create_role(RoleName=f"role-{number}", AssumeRolePolicyDocument=TRUST)
    pages = list(iam.get_paginator("list_roles").paginate(PaginationConfig={"PageSize": 2}))
    assert [len(page["Roles"]) for page in pages] == [2, 2, 1]
    assert [role["RoleName"] for page in pages for role in page["Roles"]] == [f"role-{n}" for n in range(5)]


def test_a_role_name_is_held_to_iams_pattern(iam: Any) -> None:
    """A broken name is a ValidationError in AWS's wording."""
    with pytest.raises(ClientError) as error:
        iam.create_role(RoleName="a role", AssumeRolePolicyDocument=TRUST)
    assert code_of(error) == ("ValidationError", 400)
    assert message_of(error) == (
        "1 validation error detected: Value 'a role' at 'roleName' failed to satisfy constraint: "
        r"Member must satisfy regular expression pattern: [\w+=,.@-]+"
    )


def test_lambda_may_assume_only_a_role_that_trusts_it(control: Control, iam: Any) -> None:
    """The question that CreateFunction asks: is the role there, and does it trust the service?"""
    iam.create_role(RoleName="for-lambda", AssumeRolePolicyDocument=TRUST)
    iam.create_role(RoleName="for-iot", AssumeRolePolicyDocument=TRUST.replace("lambda.", "iot."))

    def may(role: str) -> bool:
        arn = f"arn:aws:iam::123456789012:role/{role}"
        return control.server.call(lambda: control.iam.may_be_assumed(arn, "lambda.amazonaws.com"))

    assert may("for-lambda")
    assert not may("for-iot")
    assert not may("nobody")
    iam.update_assume_role_policy(RoleName="for-iot", PolicyDocument=TRUST)
    assert may("for-iot")


def test_with_awss_slowness_a_new_role_is_unknown_to_lambda_for_a_while(control: Control, iam: Any) -> None:
    """The choice flipped: IAM shows the role at once, and Lambda says what AWS's does until it has heard of it."""
    control.behaviour = dataclasses.replace(Behaviour(), new_role_unknown_s=3600)
    control.restart()
    role = control.role("young")
    assert iam.get_role(RoleName="young")["Role"]["Arn"] == role
    with pytest.raises(ClientError) as refused:
        control.function("", role=role)
    assert message_of(refused) == "The role defined for the function cannot be assumed by Lambda."
    control.behaviour = Behaviour()
    control.restart()
    control.function("", role=role)


def test_roles_survive_a_restart(control: Control, iam: Any) -> None:
    """What was created is there when the state is opened again."""
    iam.create_role(RoleName="doors", AssumeRolePolicyDocument=TRUST)
    control.restart()
    assert iam.get_role(RoleName="doors")["Role"]["RoleName"] == "doors"
