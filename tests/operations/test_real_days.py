"""AWS as it is on a usual day: what was made is shown late, what is being changed is refused, names are taken anew.

Every case is one that AWS documents or that other tools have met; each is told with its source where it is handled.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from iotauth_cli.aws.lambda_ import FunctionArn
from iotauth_cli.aws.session import Session
from iotauth_cli.errors import AccessDenied, AwsError, Conflict, NotFound
from iotauth_cli.operations import authorizers, removal, templates
from iotauth_cli.operations.adoption import switch
from iotauth_cli.operations.adoption.rows import Login
from iotauth_cli.operations.authorizers import Plan, Wish
from iotauth_cli.operations.installation import FunctionSettings
from iotauth_cli.operations.templates import existing
from iotauth_cli.secret import Secret
from support_aws import Pauses
from support_control import REGION
from support_installation import WISH, Account, Watched

Answers = dict[str, list[Any]]


@dataclass(frozen=True)
class Late(Watched):
    """A session that answers the next calls of an operation with what *answers* has for it, errors among that.

    None is AWS's own answer; a mapping is put into it.
    """

    answers: Answers = field(default_factory=dict)

    def call(self, service: str, operation: str, **parameters: Any) -> dict[str, Any]:
        told = self.take(operation)
        return self.merged(super().call(service, operation, **parameters), told)

    def pages(self, service: str, operation: str, **parameters: Any) -> Iterator[dict[str, Any]]:
        told = self.take(operation)
        for page in super().pages(service, operation, **parameters):
            yield self.merged(page, told)

    def take(self, operation: str) -> Any:
        told = self.answers[operation].pop(0) if self.answers.get(operation) else None
        if isinstance(told, AwsError):
            raise told
        return told

    def merged(self, answer: dict[str, Any], told: Any) -> dict[str, Any]:
        if told is None:
            return answer
        return {
            **answer,
            **{key: {**answer[key], **value} if isinstance(value, dict) else value for key, value in told.items()},
        }


def late(account: Account, **answers: list[Any]) -> Late:
    usual = account.session()
    session = Late(usual.target, usual.sleep, None, False, [], answers)
    session._clients.update(usual._clients)
    return session


def create(session: Session, wish: Wish = WISH) -> Plan:
    plan = authorizers.plan(session, wish)
    list(authorizers.apply(session, plan))
    return plan


def coded(problem: AwsError, code: str) -> AwsError:
    problem.aws_code = code
    return problem


def busy() -> AwsError:
    words = "The operation cannot be performed at this time. An update is in progress for resource: doors-authorizer"
    return coded(Conflict(words), "ResourceConflictException")


def statements(account: Account) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(account.client("lambda").get_policy(FunctionName=WISH.function)["Policy"])[
        "Statement"
    ]
    return found


def test_the_tags_of_a_new_table_may_show_later_than_the_table(account: Account) -> None:
    """Without them it would count as somebody else's, and rows whose time is over would stay forever."""
    making = {"Table": {"TableStatus": "CREATING"}}
    session = late(
        account, describe_table=[None, None, None, making], list_tags_of_resource=[{"Tags": []}, {"Tags": []}]
    )
    create(session)
    expiry = account.client("dynamodb").describe_time_to_live(TableName=WISH.table)["TimeToLiveDescription"]
    assert expiry == {"TimeToLiveStatus": "ENABLED", "AttributeName": "Expires"}
    assert session.answers == {"describe_table": [], "list_tags_of_resource": []}


@pytest.mark.parametrize(
    "problems",
    [
        [busy(), busy()],
        [coded(NotFound("Function not found"), "ResourceNotFoundException")],
    ],
    ids=["being changed", "not known yet"],
)
def test_a_permission_for_a_function_of_a_moment_ago_is_given(account: Account, problems: list[AwsError]) -> None:
    """Lambda may not know it yet, or be busy with it; neither means that the permission is there."""
    session = late(account, add_permission=list(problems))
    create(session)
    assert [each["Sid"] for each in statements(account)] == ["iotauth-doors"]
    assert session.sleep == Pauses([0.25, 0.5][: len(problems)])


def test_a_permission_is_not_lost_while_it_is_given_anew(account: Account) -> None:
    """AWS may go on knowing the old one for a moment, and refuse another of its name: without any nobody gets in."""
    create(account.session())
    functions = account.client("lambda")
    functions.remove_permission(FunctionName=WISH.function, StatementId="iotauth-doors")
    wrong = {"Action": "lambda:InvokeFunction", "Principal": "s3.amazonaws.com"}
    functions.add_permission(FunctionName=WISH.function, StatementId="iotauth-doors", **wrong)
    old = coded(Conflict("The statement id (iotauth-doors) provided already exists"), "ResourceConflictException")
    session = late(account, add_permission=[old, old], remove_permission=[busy()])
    create(session)
    [given] = statements(account)
    assert given["Principal"] == {"Service": "iot.amazonaws.com"}
    assert authorizers.plan(account.session(), WISH).changes == ()


def test_a_permission_that_does_not_come_back_is_told(account: Account) -> None:
    """It was taken back for the new one, so this is no small matter; the next run gives it."""
    create(account.session())
    account.client("lambda").remove_permission(FunctionName=WISH.function, StatementId="iotauth-doors")
    account.client("lambda").add_permission(
        FunctionName=WISH.function,
        StatementId="iotauth-doors",
        Action="lambda:InvokeFunction",
        Principal="s3.amazonaws.com",
    )
    old = coded(Conflict("The statement id (iotauth-doors) provided already exists"), "ResourceConflictException")
    with pytest.raises(Conflict, match="AWS does not show it given anew"):
        create(late(account, add_permission=[old] * 100))
    create(account.session())
    assert authorizers.plan(account.session(), WISH).changes == ()


def delete(session: Session, wish: Wish = WISH) -> list[str]:
    plan = removal.plan(session, wish, with_table=True)
    return [f"{step.action} {step.resource}" for step in removal.apply(session, plan)]


def endpoint_of(account: Account, name: str) -> tuple[str, str | None, str]:
    """Return the status of a domain configuration, its authorizer, and its authentication type."""
    found = account.client("iot").describe_domain_configuration(domainConfigurationName=name)
    authorizer = found.get("authorizerConfig", {}).get("defaultAuthorizerName")
    return found["domainConfigurationStatus"], authorizer, found["authenticationType"]


WITH_ENDPOINT = replace(WISH, alpn_free="doors-alpn-free")
WEEK_S = 7 * 86_400


def test_an_endpoint_that_cannot_be_without_an_authorizer_is_put_out_of_service(account: Account) -> None:
    """AWS takes certain pairs of type and protocol; one for custom authentication may need its authorizer."""
    account.behaviour = replace(
        account.behaviour, custom_auth_domains_need_authorizers=True, managed_domain_deletion_wait_s=WEEK_S
    )
    account.restart()
    create(account.session(), WITH_ENDPOINT)
    delete(account.session())
    assert endpoint_of(account, "doors-alpn-free") == ("DISABLED", None, "DEFAULT")
    assert account.client("iot").list_authorizers()["authorizers"] == []
    create(account.session(), WITH_ENDPOINT)
    assert endpoint_of(account, "doors-alpn-free") == ("ENABLED", WISH.authorizer, "CUSTOM_AUTH")


def test_an_endpoint_that_keeps_its_authorizer_is_off_all_the_same(account: Account) -> None:
    """What counts is that nobody gets in by it; the rest goes, and a later run has the endpoint too."""
    account.behaviour = replace(account.behaviour, managed_domain_deletion_wait_s=WEEK_S)
    account.restart()
    create(account.session(), WITH_ENDPOINT)
    no = coded(AwsError("an authorizer is needed"), "InvalidRequestException")
    delete(late(account, update_domain_configuration=[no, None, no]))
    assert endpoint_of(account, "doors-alpn-free") == ("DISABLED", WISH.authorizer, "CUSTOM_AUTH")
    account.behaviour = replace(account.behaviour, managed_domain_deletion_wait_s=0)
    account.restart()
    assert delete(account.session())[-1] == "delete domain configuration"


def test_an_authorizer_with_a_comma_in_its_name_can_be_deleted(account: Account) -> None:
    """AWS IoT takes a comma in the name, and none in a tag; its endpoint is found again by its tag."""
    wish = replace(WITH_ENDPOINT, authorizer="doors,gates=1@2")
    account.behaviour = replace(account.behaviour, managed_domain_deletion_wait_s=WEEK_S)
    account.restart()
    create(account.session(), wish)
    delete(account.session(), wish)
    again = removal.plan(account.session(), wish, with_table=True)
    assert [f"{step.action} {step.name}" for step in again.steps] == ["delete doors-alpn-free"]


def anew(account: Account) -> None:
    """Let the function's role be deleted and made again, a day after the function."""
    name = f"{WISH.function}-{REGION}"
    iam = account.client("iam")
    trust = json.dumps(iam.get_role(RoleName=name)["Role"]["AssumeRolePolicyDocument"])
    policy = json.dumps(iam.get_role_policy(RoleName=name, PolicyName="iotauth")["PolicyDocument"])
    iam.delete_role_policy(RoleName=name, PolicyName="iotauth")
    iam.delete_role(RoleName=name)
    account.iam._clock = lambda: time.time() + 86_400
    words = "Runs doors-authorizer, made by iotauth"
    iam.create_role(RoleName=name, AssumeRolePolicyDocument=trust, Description=words)
    iam.put_role_policy(RoleName=name, PolicyName="iotauth", PolicyDocument=policy)
    account.iam._clock = lambda: time.time() + 90_000


CHOSEN = replace(WISH, settings=FunctionSettings(512, "x86_64", 20, 90, 7200, 43_200), tags={"team": "energy"})


def test_a_function_whose_role_was_made_anew_is_made_anew_too(account: Account) -> None:
    """Lambda sealed its variables for the role that is gone: it would fail before its code runs, and log nothing."""
    create(account.session(), CHOSEN)
    create(account.session(), replace(WISH, authorizer="gates"))
    functions = account.client("lambda")
    before, before_given = functions.get_function(FunctionName=WISH.function), statements(account)
    anew(account)
    [step] = authorizers.plan(account.session(), WISH).changes
    assert (step.resource, step.reason) == ("function", "its role was made anew since, and cannot open its variables")
    assert step.asks == "function `doors-authorizer` has to be deleted and made anew, with what it has: do it?"
    session = account.session()
    create(session)
    assert "lambda:delete_function" in session.changes
    after = functions.get_function(FunctionName=WISH.function)
    assert statements(account) == before_given
    for found in (before, after):
        for member in ("RevisionId", "LastModified"):
            del found["Configuration"][member]
    assert (after["Configuration"], after["Tags"], after["Concurrency"]) == (
        before["Configuration"],
        before["Tags"],
        before["Concurrency"],
    )


def test_a_role_that_is_gone_takes_its_function_with_it(account: Account) -> None:
    """It is said with the plan, before the new role is there."""
    create(account.session())
    iam, name = account.client("iam"), f"{WISH.function}-{REGION}"
    iam.delete_role_policy(RoleName=name, PolicyName="iotauth")
    iam.delete_role(RoleName=name)
    assert {step.resource: step.reason for step in authorizers.plan(account.session(), WISH).changes} == {
        "role": "there is none",
        "function": "its role is gone, and one made anew cannot open its variables",
    }
    account.iam._clock = lambda: time.time() + 86_400
    session = account.session()
    create(session)
    assert "lambda:delete_function" in session.changes
    assert [each["Sid"] for each in statements(account)] == ["iotauth-doors"]


def test_a_function_that_could_not_be_made_is_told_at_once(account: Account) -> None:
    """It does not become ready by waiting."""
    failed = {"State": "Failed", "StateReason": "The function could not be created due to an internal error"}
    session = late(account, get_function_configuration=[None] * 3 + [failed])
    with pytest.raises(AwsError, match="`doors-authorizer` could not be made: The function could not be created"):
        create(session)
    assert session.sleep == Pauses([])


def test_variables_that_are_not_shown_are_not_lost(account: Account) -> None:
    """With a key of one's own Lambda shows them to whoever may use it; a change names all of them, or they are gone."""
    create(account.session(), CHOSEN)
    sealed = {"Environment": {"Error": {"ErrorCode": "AccessDeniedException", "Message": "KMS access was denied"}}}
    session = late(account, get_function_configuration=[sealed] * 5)
    with pytest.raises(Conflict, match="are not shown, and a change would lose them: KMS access was denied"):
        authorizers.plan(session, replace(WISH, settings=FunctionSettings(memory_mb=1024)))
    variables = account.client("lambda").get_function_configuration(FunctionName=WISH.function)["Environment"]
    assert variables["Variables"]["IOTAUTH_REFRESH_AFTER_S"] == "7200"


@pytest.mark.parametrize(
    "problem",
    [
        busy(),
        coded(AccessDenied("The role defined for the function cannot be assumed by Lambda."), "AccessDeniedException"),
    ],
    ids=["being changed", "new role"],
)
def test_a_function_that_cannot_be_called_yet_is_asked_again(account: Account, problem: AwsError) -> None:
    """Ours is tried before the switch; that its role is new is no reason to give up."""
    function = FunctionArn.parse(f"arn:aws:lambda:{REGION}:123456789012:function:doors-authorizer")
    login = Login("thermo-1", "thermo-1", Secret("x"), None)
    found = switch.called(late(account, invoke=[problem]), function, login, WISH.authorizer)
    assert found.fault == "it is not ready yet"


@pytest.mark.parametrize("format_", templates.FORMATS)
def test_a_template_says_that_an_endpoint_of_awss_naming_takes_a_week_to_go(account: Account, format_: str) -> None:
    """Deleting the stack fails until then, and that is no fault of the stack."""
    create(account.session())
    assert "DISABLED for 7 days" not in templates.write(existing.read(account.session(), WISH.authorizer), format_).text
    create(account.session(), WITH_ENDPOINT)
    assert "DISABLED for 7 days" in templates.write(existing.read(account.session(), WISH.authorizer), format_).text
