"""An authorizer that is there is made otherwise: what was said, and nothing else."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from iotauth_cli.aws import iot
from iotauth_cli.errors import Conflict, InputError, IotauthError, NotFound
from iotauth_cli.operations import authorizer_changes as changing
from iotauth_cli.operations import authorizers
from iotauth_cli.operations.authorizer_changes import Changes, Update
from iotauth_cli.operations.authorizers import Wish
from iotauth_cli.operations.installation import FunctionSettings
from support_aws import Pauses
from support_control import REGION, zipped
from support_installation import WISH, Account, Broken, Watched

LAMBDA = f"arn:aws:lambda:{REGION}:123456789012:function"


def make(account: Account, wish: Wish = WISH) -> None:
    session = account.session()
    list(authorizers.apply(session, authorizers.plan(session, wish)))


def update(session: Watched, wish: Wish = WISH, **said: Any) -> Update:
    planned = changing.plan(session, wish, Changes(**said))
    assert tuple(changing.apply(planned)) == planned.changes
    return planned


def configuration(account: Account) -> dict[str, Any]:
    found: dict[str, Any] = account.client("lambda").get_function_configuration(FunctionName=WISH.function)
    return found


def words(planned: Update) -> dict[str, str]:
    return {step.resource: step.reason for step in planned.changes}


def test_each_setting_changes_alone(account: Account) -> None:
    """What was said becomes so, in words that say from what; a second run changes nothing."""
    make(account)
    settings = FunctionSettings(
        memory_mb=512, refresh_after_s=900, disconnect_after_s=43_200, reserved_concurrency=7, retention_days=90
    )
    said: dict[str, Any] = {"settings": settings, "caching_for_http": True}
    assert words(update(account.session(), **said)) == {
        "log group": "logs are kept 90 days, not 30 days",
        "function": "memory becomes 512 MB, from 256 MB; refresh becomes 900 s, from 3600 s; disconnect becomes "
        "43200 s, from 86400 s; reserved concurrency becomes 7 calls at once, from none",
        "authorizer": "AWS IoT keeps answers to HTTPS publishes",
    }
    found = configuration(account)
    assert found["MemorySize"] == 512
    assert found["Environment"]["Variables"] == {
        "IOTAUTH_TABLE": WISH.table,
        "IOTAUTH_REFRESH_AFTER_S": "900",
        "IOTAUTH_DISCONNECT_AFTER_S": "43200",
    }
    concurrency = account.client("lambda").get_function_concurrency(FunctionName=WISH.function)
    assert concurrency["ReservedConcurrentExecutions"] == 7
    assert account.client("logs").describe_log_groups()["logGroups"][0]["retentionInDays"] == 90
    again = account.session()
    assert update(again, **said).changes == ()
    assert again.changes == []


def test_what_was_not_said_stays_as_wrong_as_it_is(account: Account) -> None:
    """Code of another version and a foreign variable are `create`'s to put right, not a new timer's."""
    make(account)
    functions = account.client("lambda")
    functions.update_function_code(FunctionName=WISH.function, ZipFile=zipped({"app.py": ""}))
    functions.update_function_configuration(
        FunctionName=WISH.function, Environment={"Variables": {"IOTAUTH_TABLE": "elsewhere", "MINE": "1"}}
    )
    before = configuration(account)
    session = account.session()
    update(session, settings=FunctionSettings(refresh_after_s=600))
    after = configuration(account)
    assert session.changes == ["lambda:update_function_configuration"]
    assert after["Environment"]["Variables"] == {
        "IOTAUTH_TABLE": "elsewhere",
        "MINE": "1",
        "IOTAUTH_REFRESH_AFTER_S": "600",
    }
    assert after["CodeSha256"] == before["CodeSha256"]


def test_another_architecture_brings_this_versions_code(account: Account) -> None:
    """Lambda takes an architecture with code only; where that differs, the plan says so."""
    make(account)
    settings = FunctionSettings(architecture="x86_64")
    planned = changing.plan(account.session(), WISH, Changes(settings=settings))
    assert words(planned) == {"function": "architecture becomes x86_64, from arm64"}
    account.client("lambda").update_function_code(FunctionName=WISH.function, ZipFile=zipped({"app.py": ""}))
    changed = update(account.session(), settings=settings)
    assert words(changed)["function"].endswith("; with it comes this version's code")
    assert configuration(account)["Architectures"] == ["x86_64"]
    assert authorizers.plan(account.session(), WISH).changes == ()


def test_calls_that_were_kept_are_taken_back(account: Account) -> None:
    """`none`: the function shares the account's calls again."""
    make(account)
    update(account.session(), settings=FunctionSettings(reserved_concurrency=3))
    changed = update(account.session(), unreserve=True)
    assert words(changed) == {"function": "reserved concurrency becomes none, from 3 calls at once"}
    found = account.client("lambda").get_function_concurrency(FunctionName=WISH.function)
    assert "ReservedConcurrentExecutions" not in found
    assert update(account.session(), unreserve=True).changes == ()


def test_tags_come_and_go_on_every_part(account: Account) -> None:
    """Function, role, table, log group and authorizer; iotauth's own tag stays."""
    make(account, replace(WISH, tags={"site": "north", "old": "1"}))
    planned = update(account.session(), tags={"site": "south"}, untag=("old",))
    parts = ["log group", "table", "role", "function", "authorizer"]
    assert words(planned) == dict.fromkeys([f"tags of {part}" for part in parts], "`site` becomes `south`; `old` goes")
    wanted = {"made-by": "iotauth", "site": "south"}
    arn = iot.arn(account.session().scope, WISH.authorizer)
    assert {t["Key"]: t["Value"] for t in account.client("iot").list_tags_for_resource(resourceArn=arn)["tags"]} == (
        wanted
    )
    assert account.client("lambda").list_tags(Resource=f"{LAMBDA}:{WISH.function}")["Tags"] == wanted
    role = account.client("iam").get_role(RoleName=f"{WISH.function}-{REGION}")["Role"]
    assert {tag["Key"]: tag["Value"] for tag in role["Tags"]} == wanted
    table = account.client("dynamodb").list_tags_of_resource(
        ResourceArn=f"arn:aws:dynamodb:{REGION}:123456789012:table/{WISH.table}"
    )
    assert {tag["Key"]: tag["Value"] for tag in table["Tags"]} == wanted
    group = f"arn:aws:logs:{REGION}:123456789012:log-group:/aws/lambda/{WISH.function}"
    assert account.client("logs").list_tags_for_resource(resourceArn=group)["tags"] == wanted
    assert update(account.session(), tags={"site": "south"}, untag=("old",)).changes == ()


def permissions(account: Account, function: str) -> list[str]:
    functions = account.client("lambda")
    try:
        found = json.loads(functions.get_policy(FunctionName=function)["Policy"])["Statement"]
    except functions.exceptions.ResourceNotFoundException:
        return []
    return [str(each["Sid"]) for each in found]


def called(account: Account) -> str:
    found = account.client("iot").describe_authorizer(authorizerName=WISH.authorizer)["authorizerDescription"]
    return str(found["authorizerFunctionArn"])


def test_another_function_is_permitted_before_it_is_called(account: Account) -> None:
    """And the old one is called no more before its permission goes; it stays, for the way back."""
    make(account)
    mine = account.function("def handler(event, context): return {}", "mine")
    session = account.session()
    planned = update(session, function_arn=mine)
    assert [(step.action, step.resource, step.name) for step in planned.steps] == [
        ("create", "permission", "iotauth-doors"),
        ("update", "authorizer", "doors"),
        ("delete", "permission", "iotauth-doors"),
        ("keep", "function", WISH.function),
    ]
    assert session.changes == ["lambda:add_permission", "iot:update_authorizer", "lambda:remove_permission"]
    assert session.sleep == Pauses([changing.SPREADING_S])
    assert called(account) == mine
    assert planned.left == f"{LAMBDA}:{WISH.function}"
    assert update(account.session(), function_arn=mine).left is None
    assert (permissions(account, "mine"), permissions(account, WISH.function)) == (["iotauth-doors"], [])
    back = update(account.session(), function_arn=f"{LAMBDA}:{WISH.function}")
    assert [step.action for step in back.steps] == ["create", "update", "delete", "keep"]
    assert authorizers.plan(account.session(), WISH).changes == ()


@pytest.mark.parametrize("after", [False, True], ids=["before it", "after it"])
@pytest.mark.parametrize("number", [1, 2, 3])
def test_a_switch_that_breaks_is_finished_by_the_next(account: Account, number: int, after: bool) -> None:
    """At any of its three calls AWS IoT may call the function that it calls; the next run does the rest."""
    make(account)
    mine = account.function("def handler(event, context): return {}", "mine")
    with pytest.raises(Broken):
        update(account.session(fail_at=number, after=after), function_arn=mine)
    function = called(account).rpartition(":")[2]
    assert permissions(account, function) == ["iotauth-doors"]
    update(account.session(), function_arn=mine)
    assert (permissions(account, "mine"), permissions(account, WISH.function)) == (["iotauth-doors"], [])
    assert called(account) == mine


@pytest.mark.parametrize(
    ("said", "problem", "words"),
    [
        ({}, InputError, "not said what to change"),
        ({"settings": FunctionSettings(memory_mb=64)}, InputError, "`--memory` is 64 MB"),
        ({"settings": FunctionSettings(refresh_after_s=60)}, InputError, "`--refresh-after` is 60 s"),
        ({"settings": FunctionSettings(retention_days=31)}, InputError, "keeps nothing for 31 days"),
        ({"settings": FunctionSettings(reserved_concurrency=5000)}, InputError, "leaves too few calls"),
        ({"untag": ("made-by",)}, InputError, "tag `made-by` is iotauth's own"),
        ({"tags": {"a": "1"}, "untag": ("a",)}, InputError, "put on and taken away at once"),
        ({"function_arn": "mine"}, InputError, "is not the ARN of a function"),
        ({"function_arn": f"{LAMBDA}:gone"}, NotFound, "there is no function"),
        ({"function_arn": f"{LAMBDA}:x", "settings": FunctionSettings(memory_mb=512)}, InputError, "is your own"),
        ({"unreserve": True, "settings": FunctionSettings(reserved_concurrency=1)}, InputError, "at once"),
    ],
    ids=str,
)
def test_what_aws_would_refuse_is_refused_before_anything_changes(
    account: Account, said: dict[str, Any], problem: type[IotauthError], words: str
) -> None:
    """In our words, and nothing was changed."""
    make(account)
    session = account.session()
    with pytest.raises(problem, match=words):
        update(session, **said)
    assert session.changes == []


def test_a_function_of_somebody_elses_is_not_changed(account: Account) -> None:
    """Neither under our name, nor one that the authorizer calls."""
    make(account)
    account.client("lambda").update_function_configuration(FunctionName=WISH.function, Description="mine now")
    with pytest.raises(Conflict, match="was not made by iotauth"):
        update(account.session(), settings=FunctionSettings(memory_mb=512))
    mine = account.function("def handler(event, context): return {}", "mine")
    account.client("iot").update_authorizer(authorizerName=WISH.authorizer, authorizerFunctionArn=mine)
    with pytest.raises(InputError, match=r"authorizer `doors` calls .*:mine`, whose memory") as caught:
        update(account.session(), settings=FunctionSettings(memory_mb=512))
    assert "`function: mine`" in str(caught.value.hint)


def test_what_a_stack_has_made_is_its_templates_to_change(account: Account) -> None:
    """Function, authorizer and tags alike; another update of the stack would undo it."""
    make(account)
    functions = account.client("lambda")
    functions.tag_resource(Resource=f"{LAMBDA}:{WISH.function}", Tags={"aws:cloudformation:stack-name": "gate"})
    functions.remove_permission(FunctionName=WISH.function, StatementId="iotauth-doors")
    for said in ({"caching_for_http": True}, {"tags": {"a": "1"}}, {"settings": FunctionSettings(memory_mb=512)}):
        with pytest.raises(Conflict, match="belongs to stack `gate`"):
            update(account.session(), **said)


def test_only_what_is_there_can_be_changed(account: Account) -> None:
    """No authorizer, and one whose function somebody deleted."""
    with pytest.raises(NotFound, match="there is no authorizer `doors`"):
        update(account.session(), caching_for_http=True)
    make(account)
    account.client("lambda").delete_function(FunctionName=WISH.function)
    with pytest.raises(NotFound, match="there is no function `doors-authorizer`") as caught:
        update(account.session(), settings=FunctionSettings(memory_mb=512))
    assert "authorizer create doors" in str(caught.value.hint)
