"""An authorizer with all that it needs: made, finished, corrected, shown and taken away."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from iotauth_cli import bundle
from iotauth_cli.credentials import Store
from iotauth_cli.errors import Conflict, InputError, NotFound
from iotauth_cli.operations import authorizers, removal
from iotauth_cli.operations.authorizers import Plan, Step, Wish
from iotauth_cli.operations.installation.authorizer import statement_id
from support_control import REGION, zipped
from support_installation import WISH, Account, Broken, Watched

PARTS = ["log group", "table", "role", "function", "authorizer", "permission"]
LAMBDA = f"arn:aws:lambda:{REGION}:123456789012:function"


def create(session: Watched, wish: Wish = WISH) -> Plan:
    plan = authorizers.plan(session, wish)
    assert tuple(authorizers.apply(session, plan)) == plan.changes
    return plan


def delete(session: Watched, wish: Wish = WISH, *, with_table: bool = True) -> Plan:
    plan = removal.plan(session, wish, with_table=with_table)
    assert tuple(removal.apply(session, plan)) == plan.changes
    return plan


def actions(plan: Plan) -> dict[str, str]:
    return {step.resource: step.action for step in plan.steps}


def replanned(account: Account, wish: Wish = WISH) -> dict[str, str]:
    """Say for each part that is not as it should be what a new plan finds wrong with it."""
    return {step.resource: step.reason for step in authorizers.plan(account.session(), wish).changes}


def test_create_makes_every_part_as_promised(account: Account) -> None:
    """What stands in the account afterwards, read with boto3 as anybody would."""
    create(account.session())
    table = account.client("dynamodb").describe_table(TableName=WISH.table)["Table"]
    assert table["BillingModeSummary"]["BillingMode"] == "PAY_PER_REQUEST"
    assert table["DeletionProtectionEnabled"] is True
    assert table["KeySchema"] == [{"AttributeName": "Client_ID", "KeyType": "HASH"}]
    backups = account.client("dynamodb").describe_continuous_backups(TableName=WISH.table)
    recovery = backups["ContinuousBackupsDescription"]["PointInTimeRecoveryDescription"]
    assert recovery["PointInTimeRecoveryStatus"] == "ENABLED"
    function = account.client("lambda").get_function_configuration(FunctionName=WISH.function)
    assert function["CodeSha256"] == bundle.code_sha256(bundle.authorizer_zip())
    assert (function["Runtime"], function["Architectures"], function["MemorySize"], function["Timeout"]) == (
        "python3.13",
        ["arm64"],
        256,
        5,
    )
    assert function["Environment"]["Variables"] == {"IOTAUTH_TABLE": WISH.table}
    [group] = account.client("logs").describe_log_groups()["logGroups"]
    assert (group["logGroupName"], group["retentionInDays"]) == (f"/aws/lambda/{WISH.function}", 30)
    authorizer = account.client("iot").describe_authorizer(authorizerName=WISH.authorizer)["authorizerDescription"]
    assert (authorizer["status"], authorizer["signingDisabled"]) == ("ACTIVE", True)
    assert authorizer["authorizerFunctionArn"] == function["FunctionArn"]


def test_the_role_may_do_two_things_on_one_table_and_write_its_log(account: Account) -> None:
    """Least privilege, and only Lambda may take the role on."""
    create(account.session())
    iam = account.client("iam")
    role = iam.get_role(RoleName=f"{WISH.function}-{REGION}")["Role"]
    [trusted] = role["AssumeRolePolicyDocument"]["Statement"]
    assert trusted["Principal"] == {"Service": "lambda.amazonaws.com"}
    policy = iam.get_role_policy(RoleName=role["RoleName"], PolicyName="iotauth")["PolicyDocument"]
    assert {tuple(statement["Action"]): statement["Resource"] for statement in policy["Statement"]} == {
        ("dynamodb:GetItem", "dynamodb:UpdateItem"): f"arn:aws:dynamodb:{REGION}:123456789012:table/{WISH.table}",
        (
            "logs:CreateLogStream",
            "logs:PutLogEvents",
        ): f"arn:aws:logs:{REGION}:123456789012:log-group:/aws/lambda/{WISH.function}:*",
    }


def test_the_permission_is_bound_to_authorizer_and_account(account: Account) -> None:
    """AWS IoT may call the function for this authorizer of this account and for nobody else."""
    create(account.session())
    policy = json.loads(account.client("lambda").get_policy(FunctionName=WISH.function)["Policy"])
    [statement] = policy["Statement"]
    assert statement["Principal"] == {"Service": "iot.amazonaws.com"}
    assert statement["Condition"] == {
        "ArnLike": {"AWS:SourceArn": f"arn:aws:iot:{REGION}:123456789012:authorizer/doors"},
        "StringEquals": {"AWS:SourceAccount": "123456789012"},
    }


def test_a_plan_changes_nothing(account: Account) -> None:
    """--dry-run stops here: reading calls only, and every part would be created, in order."""
    session = account.session()
    plan = authorizers.plan(session, WISH)
    assert [step.resource for step in plan.steps] == PARTS
    assert {step.action for step in plan.steps} == {"create"}
    assert session.changes == []


def test_a_second_run_changes_nothing(account: Account) -> None:
    """Every part is as it should be; not one call writes."""
    create(account.session())
    again = account.session()
    assert actions(create(again)) == dict.fromkeys(PARTS, "keep")
    assert again.changes == []


@pytest.mark.parametrize("after", [False, True], ids=["before it", "after it"])
def test_a_run_that_breaks_at_any_change_is_finished_by_the_next(account: Account, after: bool) -> None:
    """Create breaks at its first change, its second …: the same command again completes it. Delete likewise.

    Before the change AWS has done nothing of it; after it, AWS has done it and the answer was lost.
    """
    whole, gone = account.session(), account.session()
    create(whole)
    delete(gone)
    for number in range(1, max(len(whole.changes), len(gone.changes)) + 1):
        if number <= len(whole.changes):
            with pytest.raises(Broken):
                create(account.session(fail_at=number, after=after))
        create(account.session())
        assert replanned(account) == {}
        if number > len(gone.changes):
            continue
        with pytest.raises(Broken):
            delete(account.session(fail_at=number, after=after))
        if after and number == len(gone.changes):  # nothing was left to do
            with pytest.raises(NotFound):
                delete(account.session())
        else:
            delete(account.session())
        assert set(replanned(account)) == set(PARTS)


def breaks(account: Account) -> dict[str, tuple[Callable[[], object], str]]:
    """Return ways in which somebody changes a part, and what a plan then says of it."""
    functions, tables, iot = account.client("lambda"), account.client("dynamodb"), account.client("iot")
    iam = account.client("iam")
    role = f"{WISH.function}-{REGION}"
    denied = json.dumps({"Version": "2012-10-17", "Statement": []})
    trusting = json.dumps(
        {
            "Version": "2012-10-17",
            "Statement": [{"Effect": "Allow", "Principal": {"AWS": "123456789012"}, "Action": "sts:AssumeRole"}],
        }
    )
    return {
        "table": (
            lambda: tables.update_table(TableName=WISH.table, DeletionProtectionEnabled=False),
            "it can be deleted by accident",
        ),
        "table backups": (
            lambda: tables.update_continuous_backups(
                TableName=WISH.table, PointInTimeRecoverySpecification={"PointInTimeRecoveryEnabled": False}
            ),
            "point-in-time recovery is off",
        ),
        "role": (
            lambda: iam.put_role_policy(RoleName=role, PolicyName="iotauth", PolicyDocument=denied),
            "its policy allows something else",
        ),
        "role policy": (lambda: iam.delete_role_policy(RoleName=role, PolicyName="iotauth"), "it has no policy"),
        "role trust": (
            lambda: iam.update_assume_role_policy(RoleName=role, PolicyDocument=trusting),
            "Lambda may not assume it",
        ),
        "function": (
            lambda: functions.update_function_code(
                FunctionName=WISH.function, ZipFile=zipped({"app.py": ""}), Architectures=["x86_64"]
            ),
            "function code differs from this version's",
        ),
        "function time limit": (
            lambda: functions.update_function_configuration(FunctionName=WISH.function, Timeout=3),
            "its time limit in s is `3`, not `5`",
        ),
        "function table": (
            lambda: functions.update_function_configuration(FunctionName=WISH.function, Environment={"Variables": {}}),
            "`IOTAUTH_TABLE` is not set",
        ),
        "authorizer": (
            lambda: iot.update_authorizer(authorizerName=WISH.authorizer, status="INACTIVE"),
            "it is not active",
        ),
        "authorizer function": (
            lambda: iot.update_authorizer(authorizerName=WISH.authorizer, authorizerFunctionArn=f"{LAMBDA}:x"),
            f"it calls `{LAMBDA}:x`",
        ),
        "permission": (
            lambda: (
                functions.remove_permission(FunctionName=WISH.function, StatementId="iotauth-doors"),
                functions.add_permission(
                    FunctionName=WISH.function,
                    StatementId="iotauth-doors",
                    Action="lambda:InvokeFunction",
                    Principal="iot.amazonaws.com",
                ),
            ),
            "permission is for every authorizer; permission names no account",
        ),
    }


def test_what_somebody_changed_is_said_in_words_and_put_right(account: Account, tmp_path: Path) -> None:
    """Drift of any part shows in the plan and in `show`, and the next create corrects it."""
    create(account.session())
    for name, (change, words) in breaks(account).items():
        change()
        part = next(part for part in PARTS if name.startswith(part))
        assert replanned(account) == {part: words}, name
        shown = authorizers.show(account.session(), WISH, Store(tmp_path, "aws"))
        if name == "authorizer function":  # the authorizer is then one that calls a function of somebody else's
            assert shown.drift[0] == Step("create", "function", f"{LAMBDA}:x", "there is none")
        else:
            [drift] = shown.drift
            assert replace(drift, asks=None) == Step("update", part, drift.name, words)
        create(account.session())
        assert replanned(account) == {}, name


def test_variables_that_somebody_added_survive_an_update(account: Account) -> None:
    """A timer set in the console is not undone by a create that corrects something else."""
    create(account.session())
    functions = account.client("lambda")
    variables = {"IOTAUTH_TABLE": "wrong", "IOTAUTH_REFRESH_AFTER_S": "600"}
    functions.update_function_configuration(FunctionName=WISH.function, Environment={"Variables": variables})
    create(account.session())
    found = functions.get_function_configuration(FunctionName=WISH.function)["Environment"]["Variables"]
    assert found == {"IOTAUTH_TABLE": WISH.table, "IOTAUTH_REFRESH_AFTER_S": "600"}


def test_a_function_of_somebody_else_is_not_taken_over(account: Account) -> None:
    """The same name and no sign of ours: refused, with the way to use it as it is."""
    account.function("def handler(event, context): return {}", WISH.function)
    with pytest.raises(Conflict, match="function `doors-authorizer` exists and was not made by iotauth") as caught:
        authorizers.plan(account.session(), WISH)
    assert "--function ARN" in str(caught.value.hint)


def test_a_table_with_another_key_is_refused(account: Account) -> None:
    """Rows would not fit; nothing was made yet."""
    account.client("dynamodb").create_table(
        TableName=WISH.table,
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    session = account.session()
    with pytest.raises(Conflict, match="has the key `id`, and clients need `Client_ID` alone"):
        authorizers.plan(session, WISH)
    assert session.changes == []


def test_a_table_that_older_tools_filled_is_kept(account: Account) -> None:
    """Its rows and its billing stay; it is only made safe."""
    tables = account.client("dynamodb")
    tables.create_table(
        TableName=WISH.table,
        KeySchema=[{"AttributeName": "Client_ID", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "Client_ID", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    tables.put_item(TableName=WISH.table, Item={"Client_ID": {"S": "old"}, "Password": {"S": "canary"}})
    assert actions(create(account.session()))["table"] == "update"
    assert tables.get_item(TableName=WISH.table, Key={"Client_ID": {"S": "old"}})["Item"]["Password"]


def test_an_existing_function_gets_an_authorizer_and_nothing_else(account: Account) -> None:
    """--function ARN: two parts, the function itself untouched; delete leaves it too."""
    arn = account.function("def handler(event, context): return {}", "mine")
    wish = replace(WISH, function_arn=arn)
    assert actions(create(account.session(), wish)) == {"authorizer": "create", "permission": "create"}
    assert actions(create(account.session(), wish)) == {"authorizer": "keep", "permission": "keep"}
    assert actions(delete(account.session())) == {"authorizer": "delete", "permission": "delete"}
    assert account.client("lambda").get_function_configuration(FunctionName="mine")
    with pytest.raises(account.client("lambda").exceptions.ResourceNotFoundException):
        account.client("lambda").get_policy(FunctionName="mine")


@pytest.mark.parametrize(
    ("arn", "kind", "words"),
    [
        (f"{LAMBDA}:gone", NotFound, "there is no function"),
        ("arn:aws:lambda:eu-west-1:123456789012:function:mine", InputError, "is not in region"),
        ("mine", InputError, "is not the ARN of a function"),
    ],
)
def test_a_function_that_cannot_be_called_is_refused(
    account: Account, arn: str, kind: type[Exception], words: str
) -> None:
    """Missing, elsewhere, or no ARN: said before anything is made."""
    session = account.session()
    with pytest.raises(kind, match=words):
        authorizers.plan(session, replace(WISH, function_arn=arn))
    assert session.changes == []


def test_what_another_authorizer_uses_is_kept(account: Account) -> None:
    """Two authorizers share function and table; the first to go takes only itself, --table or not."""
    create(account.session())
    second = replace(WISH, authorizer="doors-2")
    assert actions(create(account.session(), second)) == {
        **dict.fromkeys(PARTS, "keep"),
        "authorizer": "create",
        "permission": "create",
    }
    plan = delete(account.session(), with_table=True)
    kept = {step.resource: step.reason for step in plan.steps if step.action == "keep"}
    assert kept == dict.fromkeys(["function", "role", "log group", "table"], "authorizer `doors-2` needs it")
    assert replanned(account, second) == {}
    assert "delete" in actions(delete(account.session(), second))["function"]


def test_delete_keeps_the_table_unless_told(account: Account) -> None:
    """Clients survive; a new create finds them again."""
    create(account.session())
    assert actions(delete(account.session(), with_table=False))["table"] == "keep"
    assert set(replanned(account)) == set(PARTS) - {"table"}


def test_delete_deactivates_before_anything_else(account: Account) -> None:
    """From the first change on nobody new is let in."""
    create(account.session())
    session = account.session()
    delete(session)
    assert session.changes[0] == "iot:update_authorizer"


def test_delete_leaves_what_somebody_else_made(account: Account) -> None:
    """A function of the same name that is not ours stays, and with it all that it may need."""
    create(account.session())
    account.client("lambda").update_function_configuration(FunctionName=WISH.function, Description="mine now")
    plan = delete(account.session(), with_table=True)
    assert actions(plan) == {
        "permission": "delete",
        "authorizer": "delete",
        **dict.fromkeys(["function", "role", "log group", "table"], "keep"),
    }
    reasons = {step.resource: step.reason for step in plan.steps}
    assert reasons["function"] == "it was not made by iotauth"
    assert reasons["table"] == "function `doors-authorizer` was not made by iotauth"


def test_deleting_what_is_not_there_is_an_error(account: Account) -> None:
    """With the command that lists what there is."""
    with pytest.raises(NotFound, match="there is no authorizer `doors` in the account") as caught:
        removal.plan(account.session(), WISH, with_table=True)
    assert "authorizer list" in str(caught.value.hint)


@pytest.mark.parametrize(
    "change",
    [
        {"authorizer": "my.doors"},
        {"authorizer": ""},
        {"authorizer": "x" * 129},
        {"authorizer": "doors\n"},
        {"table": "ab"},
        {"function": "f" * 46},
    ],
    ids=str,
)
def test_names_that_aws_would_refuse_are_refused_here(account: Account, change: dict[str, Any]) -> None:
    """In our words, before any call."""
    session = account.session()
    with pytest.raises(InputError, match="cannot name"):
        authorizers.plan(session, replace(WISH, **change))
    assert session.calls == []


def test_every_name_that_aws_takes_has_a_statement_of_its_own() -> None:
    """A permission's id has fewer letters than an authorizer's name; what is lost, a checksum keeps apart."""
    names = ["doors", "doors=1", "doors,1", "doors@1", "doors-1", "x" * 128, "x" * 127 + "y"]
    found = [statement_id(name) for name in names]
    assert found[0] == "iotauth-doors"
    assert len(set(found)) == len(names)
    assert all(len(each) <= 100 and each.replace("-", "").replace("_", "").isalnum() for each in found)


def test_list_yields_every_authorizer_of_the_region(account: Account) -> None:
    """Ours or not."""
    assert list(authorizers.every(account.session())) == []
    create(account.session())
    account.client("iot").create_authorizer(
        authorizerName="other", authorizerFunctionArn=f"{LAMBDA}:x", signingDisabled=True, status="INACTIVE"
    )
    found = {each.name: each.is_active for each in authorizers.every(account.session())}
    assert found == {"doors": True, "other": False}
