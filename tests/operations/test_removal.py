"""An authorizer goes, with all that was made for it, from whatever is left of it."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from iotauth_cli.credentials import Store
from iotauth_cli.errors import AwsError, Conflict, NotFound
from iotauth_cli.operations import authorizers, removal
from iotauth_cli.operations.authorizers import Plan, Step, Wish
from iotauth_cli.operations.signing.keyring import Keyring
from support_aws import Pauses
from support_control import REGION
from support_installation import WISH, Account, Broken, Watched

ENDPOINT = "doors-without-alpn"
WEEK_S = 7 * 86_400
OURS = [{"Key": "made-by", "Value": "iotauth"}]


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "project" / ".iotauth", "aws")


def make(account: Account, store: Store | None = None) -> None:
    """Make the default authorizer, with an endpoint of its own that iotauth made; signed if there is a *store*.

    A key takes longer to make than all the rest.
    """
    session = account.session()
    wish = authorizers.signed(WISH, store, now=1_700_000_000) if store else WISH
    list(authorizers.apply(session, authorizers.plan(session, wish)))
    account.client("iot").set_default_authorizer(authorizerName=WISH.authorizer)
    endpoint(account, ENDPOINT, tags=OURS)


def endpoint(account: Account, name: str, tags: list[dict[str, str]]) -> None:
    config = {"defaultAuthorizerName": WISH.authorizer, "allowAuthorizerOverride": False}
    account.client("iot").create_domain_configuration(
        domainConfigurationName=name, authorizerConfig=config, serviceType="DATA", tags=tags
    )


def delete(session: Watched, wish: Wish = WISH, *, with_table: bool = True) -> Plan:
    plan = removal.plan(session, wish, with_table=with_table)
    assert tuple(removal.apply(session, plan)) == plan.changes
    return plan


def words(plan: Plan) -> list[str]:
    return [f"{step.action} {step.resource} {step.name}" for step in plan.steps]


def what_is_left(account: Account) -> list[str]:
    """Return everything that stands in the account, whoever made it."""
    iot = account.client("iot")
    groups = account.client("logs").describe_log_groups()["logGroups"]
    domains = iot.list_domain_configurations()["domainConfigurations"]
    return [
        *(each["authorizerName"] for each in iot.list_authorizers()["authorizers"]),
        *(each["domainConfigurationName"] for each in domains if each["domainConfigurationName"] != "iot:Data-ATS"),
        *(each["FunctionName"] for each in account.client("lambda").list_functions()["Functions"]),
        *(each["RoleName"] for each in account.client("iam").list_roles()["Roles"]),
        *(each["logGroupName"] for each in groups),
        *account.client("dynamodb").list_tables()["TableNames"],
    ]


def test_everything_goes_in_an_order_that_lets_nobody_in_meanwhile(account: Account, store: Store) -> None:
    """The doors are closed before anything is taken away, and nothing is left: keys are files, and named."""
    make(account, store)
    session = account.session()
    plan = removal.plan(session, WISH, with_table=True, keyring=Keyring.of(store, WISH.authorizer))
    assert words(plan) == [
        "clear default authorizer doors",
        f"disable domain configuration {ENDPOINT}",
        "deactivate authorizer doors",
        "delete permission iotauth-doors",
        "delete authorizer doors",
        "delete function doors-authorizer",
        f"delete role doors-authorizer-{REGION}",
        "delete log group /aws/lambda/doors-authorizer",
        "delete table doors-clients",
        f"delete domain configuration {ENDPOINT}",
        "keep signing key 2023-11-14",
    ]
    assert session.changes == []
    assert tuple(removal.apply(session, plan)) == plan.changes
    assert what_is_left(account) == []
    assert session.changes[:4] == [
        "iot:clear_default_authorizer",
        "iot:tag_resource",
        "iot:update_domain_configuration",
        "iot:update_authorizer",
    ]


@pytest.mark.parametrize("after", [False, True], ids=["before it", "after it"])
def test_a_run_that_breaks_at_any_call_is_finished_by_the_next(account: Account, store: Store, after: bool) -> None:
    """Delete breaks at its first change, its second …: the same command again leaves nothing."""
    make(account, store)
    whole = account.session()
    delete(whole)
    for number in range(1, len(whole.changes) + 1):
        make(account, store)
        with pytest.raises(Broken):
            delete(account.session(fail_at=number, after=after))
        if after and number == len(whole.changes):  # nothing was left to do
            with pytest.raises(NotFound):
                delete(account.session())
        else:
            delete(account.session())
        assert what_is_left(account) == [], number


def test_the_table_stays_unless_told(account: Account) -> None:
    """Clients survive, and the plan says how to be rid of them."""
    make(account)
    plan = delete(account.session(), with_table=False)
    assert what_is_left(account) == [WISH.table]
    assert Step("keep", "table", WISH.table, "add `--table` to delete it and every client in it") in plan.steps


def test_a_table_that_another_function_reads_stays(account: Account) -> None:
    """`--table` or not: another authorizer's clients are in it."""
    make(account)
    other = replace(WISH, authorizer="gates", function="gates-authorizer")
    session = account.session()
    list(authorizers.apply(session, authorizers.plan(session, other)))
    plan = delete(account.session())
    assert Step("keep", "table", WISH.table, "authorizer `gates` needs it") in plan.steps
    assert authorizers.plan(account.session(), other).changes == ()


def test_policies_that_were_added_to_the_role_go_with_it(account: Account) -> None:
    """IAM deletes no role that has any; the plan names them, and one that is attached stays for others."""
    make(account)
    iam, role = account.client("iam"), f"{WISH.function}-{REGION}"
    iam.put_role_policy(RoleName=role, PolicyName="more", PolicyDocument='{"Version": "2012-10-17", "Statement": []}')
    iam.attach_role_policy(RoleName=role, PolicyArn="arn:aws:iam::aws:policy/AWSXRayDaemonWriteAccess")
    plan = delete(account.session())
    reasons = {step.resource: step.reason for step in plan.steps}
    assert reasons["role"] == "with what was added to it: `more`, `AWSXRayDaemonWriteAccess`"
    assert what_is_left(account) == []


@pytest.mark.parametrize("after", [False, True], ids=["before it", "after it"])
def test_an_heir_gets_the_ways_in(account: Account, after: bool) -> None:
    """A fleet that has moved to a second authorizer keeps the default and the endpoint, wherever a run breaks."""
    heir = replace(WISH, authorizer="gates")

    def begin() -> None:
        make(account)
        session = account.session()
        list(authorizers.apply(session, authorizers.plan(session, heir)))
        endpoint(account, "off", tags=OURS)
        account.client("iot").update_domain_configuration(
            domainConfigurationName="off", domainConfigurationStatus="DISABLED"
        )

    def retire(session: Watched) -> Plan:
        plan = removal.plan(session, WISH, with_table=False, heir="gates")
        assert tuple(removal.apply(session, plan)) == plan.changes
        return plan

    begin()
    session = account.session()
    assert words(retire(session))[:4] == [
        "update default authorizer gates",
        f"update domain configuration {ENDPOINT}",
        "disable domain configuration off",
        "deactivate authorizer doors",
    ]
    for number in range(1, session.changes.index("iot:update_authorizer") + 1):  # from there on it is as without
        account.client("iot").delete_domain_configuration(domainConfigurationName="off")
        account.client("iot").clear_default_authorizer()
        take_back(account)
        begin()
        # The first attempt to set the default is refused, and there is no answer to lose.
        is_refused = after and session.changes[number] == "iot:clear_default_authorizer"
        with contextlib.nullcontext() if is_refused else pytest.raises(Broken):
            retire(account.session(fail_at=number, after=after))
        if is_refused:
            continue
        retire(account.session())
        found = account.client("iot").describe_domain_configuration(domainConfigurationName=ENDPOINT)
        assert (found["authorizerConfig"]["defaultAuthorizerName"], found["domainConfigurationStatus"]) == (
            "gates",
            "ENABLED",
        )
        default = account.client("iot").describe_default_authorizer()["authorizerDescription"]
        assert default["authorizerName"] == "gates"
        assert authorizers.plan(account.session(), heir).changes == ()


def take_back(account: Account) -> None:
    """Take the endpoint from whoever has it, so that it can be made anew."""
    iot = account.client("iot")
    iot.update_domain_configuration(
        domainConfigurationName=ENDPOINT, domainConfigurationStatus="DISABLED", removeAuthorizerConfig=True
    )
    iot.delete_domain_configuration(domainConfigurationName=ENDPOINT)


def test_what_a_stack_has_made_is_the_stacks_to_delete(account: Account) -> None:
    """Its authorizer stays; one that iotauth added to its function may go, without the function."""
    make(account)
    functions, arn = account.client("lambda"), f"arn:aws:lambda:{REGION}:123456789012:function:{WISH.function}"
    functions.tag_resource(Resource=arn, Tags={"aws:cloudformation:stack-name": "gate"})
    functions.remove_permission(FunctionName=WISH.function, StatementId="iotauth-doors")
    session = account.session()
    with pytest.raises(Conflict, match="belongs to stack `gate`") as caught:
        removal.plan(session, WISH, with_table=True)
    assert "delete-stack --stack-name gate" in str(caught.value.hint)
    assert session.changes == []
    added = replace(WISH, authorizer="added")
    arn = account.client("lambda").get_function_configuration(FunctionName=WISH.function)["FunctionArn"]
    list(authorizers.apply(session, authorizers.plan(session, replace(added, function_arn=arn))))
    kept = {step.resource: step.reason for step in removal.plan(session, added, with_table=True).steps}
    assert kept["function"] == kept["table"] == "it belongs to stack `gate`"


def test_another_default_and_other_endpoints_are_let_be(account: Account) -> None:
    """Only what is this authorizer's is touched; what somebody else made for it is named."""
    make(account)
    iot = account.client("iot")
    endpoint(account, "hand-made", tags=[])
    iot.create_domain_configuration(domainConfigurationName="nobodys", serviceType="DATA")
    iot.create_authorizer(
        authorizerName="gates",
        authorizerFunctionArn=f"arn:aws:lambda:{REGION}:123456789012:function:x",
        signingDisabled=True,
        status="ACTIVE",
    )
    iot.clear_default_authorizer()
    iot.set_default_authorizer(authorizerName="gates")
    plan = delete(account.session())
    assert "keep domain configuration hand-made" in words(plan)
    assert iot.describe_default_authorizer()["authorizerDescription"]["authorizerName"] == "gates"
    assert sorted(what_is_left(account)) == ["gates", "hand-made", "nobodys"]
    assert iot.describe_domain_configuration(domainConfigurationName="hand-made")["domainConfigurationStatus"] == (
        "ENABLED"
    )


def test_an_endpoint_that_aws_keeps_for_a_week_is_finished_by_a_later_run(account: Account) -> None:
    """Off at once, kept with the time until which; found again when all else is gone, and deleted when it may be."""
    account.behaviour = replace(account.behaviour, managed_domain_deletion_wait_s=WEEK_S)
    account.restart()
    make(account)
    session = account.session()
    plan = removal.plan(session, WISH, with_table=True)
    *_, last = removal.apply(session, plan)
    assert (last.action, last.name) == ("keep", ENDPOINT)
    assert last.reason.startswith("it is off, and AWS lets it go on 20")
    assert what_is_left(account) == [ENDPOINT]
    again = removal.plan(account.session(), WISH, with_table=True)
    assert words(again) == [f"delete domain configuration {ENDPOINT}"]
    account.behaviour = replace(account.behaviour, managed_domain_deletion_wait_s=0)
    account.restart()
    delete(account.session())
    assert what_is_left(account) == []


@pytest.fixture
def refusing(monkeypatch: pytest.MonkeyPatch) -> Callable[[str, str, int], list[int]]:
    """Let an operation be refused so many times with a code of AWS's."""

    def refuse(operation: str, code: str, times: int) -> list[int]:
        call, left = Watched.call, [times]

        def refused(self: Watched, service: str, name: str, **parameters: Any) -> dict[str, Any]:
            if name == operation and left[0]:
                left[0] -= 1
                problem = AwsError(f"`{service}:{name}` failed")
                problem.aws_code = code
                raise problem
            return call(self, service, name, **parameters)

        monkeypatch.setattr(Watched, "call", refused)
        return left

    return refuse


@pytest.mark.parametrize(
    ("operation", "code"),
    [
        ("remove_permission", "ResourceConflictException"),
        ("delete_authorizer", "DeleteConflictException"),
        ("delete_authorizer", "InvalidRequestException"),
        ("delete_function", "ResourceConflictException"),
        ("delete_role", "ConcurrentModification"),
        ("delete_log_group", "OperationAbortedException"),
        ("delete_table", "ResourceInUseException"),
        ("update_table", "LimitExceededException"),
    ],
)
def test_what_passes_by_itself_is_waited_out(
    account: Account, refusing: Callable[[str, str, int], list[int]], operation: str, code: str
) -> None:
    """A deactivation that still spreads, an update under way: asked again, with pauses."""
    make(account)
    left = refusing(operation, code, 3)
    session = account.session()
    delete(session)
    assert left == [0]
    assert session.sleep == Pauses([0.25, 0.5, 1.0])
    assert what_is_left(account) == []


def test_what_does_not_pass_is_told(account: Account, refusing: Callable[[str, str, int], list[int]]) -> None:
    """Another refusal is no "not now", and the run ends at once."""
    make(account)
    refusing("delete_function", "InvalidParameterValueException", 1)
    session = account.session()
    with pytest.raises(AwsError, match="lambda:delete_function"):
        delete(session)
    assert session.sleep == Pauses()


def test_what_somebody_else_deleted_meanwhile_is_no_failure(account: Account) -> None:
    """Between the plan and its end a colleague has been faster."""
    make(account)
    session = account.session()
    plan = removal.plan(session, WISH, with_table=True)
    delete(account.session())
    assert tuple(removal.apply(session, plan)) == plan.changes
