"""Everything that can be chosen about an authorizer: made, finished after any break, left alone, put right, refused."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError
from hypothesis import given
from hypothesis import strategies as st

from iotauth_cli.aws.session import Session
from iotauth_cli.credentials import Store
from iotauth_cli.emulator.behaviour import Behaviour
from iotauth_cli.emulator.control.wire.patterns import compile_pattern
from iotauth_cli.errors import AccessDenied, AwsError, Conflict, InputError, IotauthError, NotFound
from iotauth_cli.operations import authorizers
from iotauth_cli.operations.authorizers import Plan, Wish
from iotauth_cli.operations.installation import FunctionSettings
from iotauth_cli.operations.installation.names import may_be_in_tag, validate
from support_aws import Pauses
from support_control import REGION, zipped
from support_installation import WISH, Account, Broken, Watched

ACCOUNT = "123456789012"
LAMBDA = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function"
GROUP = f"/aws/lambda/{WISH.function}"
ROLE = f"{WISH.function}-{REGION}"
FULL = replace(
    WISH,
    settings=FunctionSettings(512, "x86_64", 20, 90, 7200, 43_200),
    tags={"team": "energy", "cost centre": "4711"},
    caching_for_http=True,
    is_default=True,
    alpn_free="doors-alpn-free",
)
TAGS = {"made-by": "iotauth", "team": "energy", "cost centre": "4711"}


def create(session: Session, wish: Wish = WISH) -> Plan:
    plan = authorizers.plan(session, wish)
    list(authorizers.apply(session, plan))
    return plan


def reasons(account: Account, wish: Wish = WISH) -> dict[str, str]:
    """Return what a new plan finds wrong, part by part."""
    return {step.resource: step.reason for step in authorizers.plan(account.session(), wish).changes}


def signed(wish: Wish, folder: Path) -> Wish:
    store = Store(folder, "aws")
    store.prepare()
    return authorizers.signed(wish, store, now=0)


def listed(tags: list[dict[str, str]]) -> dict[str, str]:
    return {tag["Key"]: tag["Value"] for tag in tags}


def seen(account: Account) -> dict[str, Any]:
    """Return what was chosen, as it is in the account, read with boto3 as anybody would."""
    logs, tables, functions, iot = (account.client(name) for name in ("logs", "dynamodb", "lambda", "iot"))
    [group] = logs.describe_log_groups()["logGroups"]
    function = functions.get_function(FunctionName=WISH.function)
    configuration = function["Configuration"]
    authorizer = iot.describe_authorizer(authorizerName=WISH.authorizer)["authorizerDescription"]
    recovery = tables.describe_continuous_backups(TableName=WISH.table)["ContinuousBackupsDescription"]
    table = tables.describe_table(TableName=WISH.table)["Table"]
    arns = [authorizer["authorizerArn"]]
    found: dict[str, Any] = {
        "retention": group.get("retentionInDays"),
        "expiry": tables.describe_time_to_live(TableName=WISH.table)["TimeToLiveDescription"],
        "recovery": recovery["PointInTimeRecoveryDescription"]["PointInTimeRecoveryStatus"],
        "protected": table["DeletionProtectionEnabled"],
        "memory": configuration["MemorySize"],
        "architecture": configuration["Architectures"],
        "variables": configuration["Environment"]["Variables"],
        "reserved": function.get("Concurrency", {}).get("ReservedConcurrentExecutions"),
        "signed": not authorizer["signingDisabled"],
        "caching": authorizer["enableCachingForHttp"],
        "status": authorizer["status"],
    }
    names = [each["domainConfigurationName"] for each in iot.list_domain_configurations()["domainConfigurations"]]
    for name in names:
        if not name.startswith("iot:"):
            domain = iot.describe_domain_configuration(domainConfigurationName=name)
            arns.append(domain["domainConfigurationArn"])
            wanted = ("authorizerConfig", "domainConfigurationStatus", "authenticationType", "applicationProtocol")
            found[name] = [domain[member] for member in wanted]
    try:
        found["default"] = iot.describe_default_authorizer()["authorizerDescription"]["authorizerName"]
    except iot.exceptions.ResourceNotFoundException:
        found["default"] = None
    found["tags"] = [
        logs.list_tags_for_resource(resourceArn=group["arn"].removesuffix(":*"))["tags"],
        listed(tables.list_tags_of_resource(ResourceArn=table["TableArn"])["Tags"]),
        listed(account.client("iam").get_role(RoleName=ROLE)["Role"]["Tags"]),
        function["Tags"],
        *(listed(iot.list_tags_for_resource(resourceArn=arn)["tags"]) for arn in arns),
    ]
    return found


USUAL = {
    "retention": 30,
    "expiry": {"TimeToLiveStatus": "ENABLED", "AttributeName": "Expires"},
    "recovery": "ENABLED",
    "protected": True,
    "memory": 256,
    "architecture": ["arm64"],
    "variables": {"IOTAUTH_TABLE": WISH.table},
    "reserved": None,
    "signed": False,
    "caching": False,
    "status": "ACTIVE",
    "default": None,
    "tags": [{"made-by": "iotauth"}] * 5,
}
CHOSEN = {
    **USUAL,
    "retention": 90,
    "memory": 512,
    "architecture": ["x86_64"],
    "variables": {
        "IOTAUTH_TABLE": WISH.table,
        "IOTAUTH_REFRESH_AFTER_S": "7200",
        "IOTAUTH_DISCONNECT_AFTER_S": "43200",
    },
    "reserved": 20,
    "signed": True,
    "caching": True,
    "default": "doors",
    "doors-alpn-free": [
        {"defaultAuthorizerName": "doors", "allowAuthorizerOverride": True},
        "ENABLED",
        "CUSTOM_AUTH",
        "SECURE_MQTT",
    ],
    "tags": [TAGS] * 6,
}


def wipe(account: Account) -> None:
    """Take everything away, however much of it is there, without the operation that does."""
    iot, functions, tables = account.client("iot"), account.client("lambda"), account.client("dynamodb")
    iam, logs = account.client("iam"), account.client("logs")
    calls: list[Callable[[], object]] = [
        lambda: iot.clear_default_authorizer(),
        lambda: iot.update_domain_configuration(
            domainConfigurationName="doors-alpn-free", domainConfigurationStatus="DISABLED"
        ),
        lambda: iot.delete_domain_configuration(domainConfigurationName="doors-alpn-free"),
        lambda: iot.update_authorizer(authorizerName=WISH.authorizer, status="INACTIVE"),
        lambda: iot.delete_authorizer(authorizerName=WISH.authorizer),
        lambda: functions.delete_function(FunctionName=WISH.function),
        lambda: iam.delete_role_policy(RoleName=ROLE, PolicyName="iotauth"),
        lambda: iam.delete_role(RoleName=ROLE),
        lambda: logs.delete_log_group(logGroupName=GROUP),
        lambda: tables.update_table(TableName=WISH.table, DeletionProtectionEnabled=False),
        lambda: tables.delete_table(TableName=WISH.table),
    ]
    for call in calls:
        try:
            call()
        except ClientError as problem:
            if problem.response["Error"]["Code"] not in ("ResourceNotFoundException", "NoSuchEntity"):
                raise


def test_what_was_chosen_is_made(account: Account, tmp_path: Path) -> None:
    """Every option of `authorizer create` at once, and a second run finds nothing to do."""
    create(account.session(), signed(FULL, tmp_path))
    assert seen(account) == CHOSEN
    again = account.session()
    assert {step.action for step in create(again, signed(FULL, tmp_path)).steps} == {"keep"}
    assert again.changes == []


def test_without_a_choice_the_usual_is_made(account: Account) -> None:
    """Defaults that the guide names; every part says by a tag who made it."""
    create(account.session())
    assert seen(account) == USUAL


def test_a_plan_of_everything_changes_nothing(account: Account, tmp_path: Path) -> None:
    """--dry-run: reading calls only, and a step for every part."""
    session = account.session()
    plan = authorizers.plan(session, signed(FULL, tmp_path))
    assert [step.resource for step in plan.steps] == [
        *("log group", "table", "role", "function", "signing key", "authorizer", "permission"),
        *("default authorizer", "domain configuration"),
    ]
    assert {step.action for step in plan.steps} == {"create"}
    assert session.changes == []


@pytest.mark.parametrize("after", [False, True], ids=["before it", "after it"])
@pytest.mark.parametrize("kind", ["usual", "everything"])
def test_a_break_at_any_change_leaves_nothing_that_the_next_run_does_not_finish(
    account: Account, tmp_path: Path, kind: str, after: bool
) -> None:
    """The same command again ends where an unbroken run does: also with what nobody chose, which is else left alone."""
    expected = CHOSEN if kind == "everything" else USUAL
    wish = signed(FULL, tmp_path) if kind == "everything" else WISH
    whole = account.session()
    create(whole, wish)
    for number in range(1, len(whole.changes) + 1):
        wipe(account)
        with pytest.raises(Broken):
            create(account.session(fail_at=number, after=after), wish)
        create(account.session(), wish)
        assert seen(account) == expected, whole.changes[number - 1]
        assert reasons(account, wish) == {}


@dataclass(frozen=True)
class Racing(Watched):
    """A session before whose change number *at* somebody else runs the whole of *other*."""

    at: int = 1
    other: Callable[[], object] = print
    raced: list[str] = field(default_factory=list)

    def call(self, service: str, operation: str, **parameters: Any) -> dict[str, Any]:
        is_change = not operation.startswith(("describe_", "get_", "list_"))
        if is_change and not self.raced and len(self.changes) + 1 == self.at:
            self.raced.append(operation)
            self.other()
        return super().call(service, operation, **parameters)


def test_two_people_who_create_at_once_both_succeed(account: Account) -> None:
    """Whatever the other one has made between a look and the change is found, and not an error."""
    wish = replace(FULL, tags={})
    whole = account.session()
    create(whole, wish)
    usual = account.session()
    for number in range(1, len(whole.changes) + 1):
        wipe(account)
        racing = Racing(usual.target, usual.sleep, None, False, [], number, lambda: create(account.session(), wish), [])
        racing._clients.update(usual._clients)
        create(racing, wish)
        assert racing.raced
        assert reasons(account, wish) == {}, racing.raced


@dataclass(frozen=True)
class Slow(Watched):
    """A session to which AWS says *problem* at *operation* as often as *left* says."""

    operation: str = ""
    problem: IotauthError = field(default_factory=lambda: AwsError(""))
    left: list[int] = field(default_factory=lambda: [2])

    def call(self, service: str, operation: str, **parameters: Any) -> dict[str, Any]:
        if operation == self.operation and self.left[0]:
            self.left[0] -= 1
            raise self.problem
        return super().call(service, operation, **parameters)


def slow(account: Account, operation: str, problem: AwsError, code: str | None, times: int = 2) -> Slow:
    problem.aws_code = code
    usual = account.session()
    session = Slow(usual.target, usual.sleep, None, False, [], operation, problem, [times])
    session._clients.update(usual._clients)
    return session


@pytest.mark.parametrize(
    ("operation", "problem", "code"),
    [
        (
            "create_function",
            AwsError("`lambda:CreateFunction` failed: The role defined for the function cannot be assumed by Lambda"),
            "InvalidParameterValueException",
        ),
        ("put_role_policy", NotFound("the role with name … cannot be found"), "NoSuchEntity"),
        ("put_function_concurrency", Conflict("an update is in progress"), "ResourceConflictException"),
        ("create_log_group", Conflict("a conflicting operation"), "OperationAbortedException"),
        ("put_retention_policy", Conflict("a conflicting operation"), "OperationAbortedException"),
        ("update_time_to_live", Conflict("the table is being updated"), "ResourceInUseException"),
        ("update_continuous_backups", AwsError("not yet"), "ContinuousBackupsUnavailableException"),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
def test_what_passes_is_waited_out(account: Account, operation: str, problem: AwsError, code: str) -> None:
    """IAM's eventual consistency and other people's changes under way: asked again, with pauses, until AWS agrees."""
    session = slow(account, operation, problem, code)
    create(session, FULL)
    assert session.left == [0]
    assert session.sleep == Pauses([0.25, 0.5])
    assert reasons(account, FULL) == {}


def test_a_role_that_lambda_has_not_heard_of_is_waited_for(account: Account) -> None:
    """As AWS says it, and not only as the table above has it: the function is made when IAM has told Lambda."""
    account.behaviour = Behaviour(new_role_unknown_s=3600)
    account.restart()
    pauses: list[float] = []

    def sleep(pause: float) -> None:
        pauses.append(pause)
        if len(pauses) == 3:
            account.iam._behaviour = Behaviour()

    create(replace(account.session(), sleep=sleep))
    assert pauses == [0.25, 0.5, 1.0]
    assert seen(account) == USUAL


def test_what_does_not_pass_is_an_error_and_the_next_run_finishes(account: Account) -> None:
    """A role that stays unknown for a minute: AWS's word, and nothing lost."""
    words = "The role defined for the function cannot be assumed by Lambda"
    with pytest.raises(AwsError, match="cannot be assumed"):
        create(slow(account, "create_function", AwsError(words), "InvalidParameterValueException", 100))
    create(account.session())
    assert seen(account) == USUAL


def test_a_change_of_time_to_live_that_is_under_way_is_no_failure(account: Account) -> None:
    """DynamoDB takes one an hour: the table is made safe, its rows stay, and create says nothing is missing."""
    words = "Time to live has been modified multiple times within a fixed interval"
    create(slow(account, "update_time_to_live", AwsError(words), "ValidationException", 1))
    assert seen(account) == {**USUAL, "expiry": {"TimeToLiveStatus": "DISABLED"}}
    assert reasons(account) == {}


def choices(account: Account) -> Iterator[tuple[str, Callable[[], object]]]:
    """Yield what somebody may have chosen otherwise since, by the name of the part."""
    functions, logs, tables = account.client("lambda"), account.client("logs"), account.client("dynamodb")
    yield "retention", lambda: logs.put_retention_policy(logGroupName=GROUP, retentionInDays=7)
    yield "forever", lambda: logs.delete_retention_policy(logGroupName=GROUP)
    yield "memory", lambda: functions.update_function_configuration(FunctionName=WISH.function, MemorySize=128)
    variables = {"IOTAUTH_TABLE": WISH.table, "IOTAUTH_REFRESH_AFTER_S": "600"}
    yield (
        "timers",
        lambda: functions.update_function_configuration(
            FunctionName=WISH.function, Environment={"Variables": variables}
        ),
    )
    yield (
        "architecture",
        lambda: functions.update_function_code(FunctionName=WISH.function, ZipFile=code(), Architectures=["x86_64"]),
    )
    yield (
        "concurrency",
        lambda: functions.put_function_concurrency(FunctionName=WISH.function, ReservedConcurrentExecutions=5),
    )
    yield (
        "caching",
        lambda: account.client("iot").update_authorizer(authorizerName=WISH.authorizer, enableCachingForHttp=True),
    )
    yield "tags", lambda: account.client("iam").untag_role(RoleName=ROLE, TagKeys=["made-by"])
    specification = {"Enabled": False, "AttributeName": "Expires"}
    yield (
        "expiry",
        lambda: tables.update_time_to_live(TableName=WISH.table, TimeToLiveSpecification=specification),
    )


def code() -> bytes:
    from iotauth_cli import bundle

    return bundle.authorizer_zip()


def test_what_was_chosen_otherwise_and_not_said_stays(account: Account) -> None:
    """Memory, retention and all the rest of it: whoever set it meant it, also when something else is put right."""
    create(account.session())
    for name, change in choices(account):
        change()
        assert reasons(account) == {}, name
    before = seen(account)
    account.client("lambda").update_function_configuration(FunctionName=WISH.function, Timeout=3)
    account.client("dynamodb").update_table(TableName=WISH.table, DeletionProtectionEnabled=False)
    assert set(reasons(account)) == {"function", "table"}
    create(account.session())
    assert seen(account) == {**before, "protected": True}


def test_code_goes_up_only_when_its_hash_differs(account: Account) -> None:
    """Another setting sends none, and code of another version is sent once."""
    create(account.session())
    functions = account.client("lambda")
    functions.update_function_configuration(FunctionName=WISH.function, Timeout=3)
    session = account.session()
    create(session)
    assert "lambda:update_function_configuration" in session.changes
    assert "lambda:update_function_code" not in session.changes
    functions.update_function_code(FunctionName=WISH.function, ZipFile=zipped({"app.py": "x = 1"}))
    assert reasons(account)["function"] == "function code differs from this version's"
    session = account.session()
    create(session)
    assert [call for call in session.changes if call.startswith("lambda:")] == ["lambda:update_function_code"]


def test_what_is_said_is_put_right_and_told_in_words(account: Account) -> None:
    """Each choice that is typed and differs is named with what there is and what will be."""
    create(account.session())
    assert reasons(account, FULL) == {
        "log group": "logs are kept 30 days, not 90 days; tag `team` is not `energy`; tag `cost centre` is not `4711`",
        "table": "tag `team` is not `energy`; tag `cost centre` is not `4711`",
        "role": "tag `team` is not `energy`; tag `cost centre` is not `4711`",
        "function": "it runs on `arm64`, not `x86_64`; its memory in MB is `256`, not `512`; "
        "its refresh timer in s is not set; its disconnect timer in s is not set; "
        "calls at once that are kept for it are `none`, not `20`; "
        "tag `team` is not `energy`; tag `cost centre` is not `4711`",
        "authorizer": "answers to HTTPS publishes are not kept between them; "
        "tag `team` is not `energy`; tag `cost centre` is not `4711`",
        "default authorizer": "there is none",
        "domain configuration": "there is none",
    }
    create(account.session(), FULL)
    assert seen(account) == {**CHOSEN, "signed": False}
    other = replace(FULL, caching_for_http=False, is_active=False, is_default=None)
    assert reasons(account, other) == {"authorizer": "it is active; answers to HTTPS publishes are kept between them"}
    create(account.session(), other)
    assert seen(account) == {**CHOSEN, "signed": False, "caching": False, "status": "INACTIVE"}


def test_tags_of_others_stay(account: Account) -> None:
    """One is changed, one added, those that somebody else put there are let be; more than fifty are refused."""
    create(account.session(), replace(WISH, tags={"team": "doors"}))
    iam = account.client("iam")
    iam.tag_role(RoleName=ROLE, Tags=[{"Key": "theirs", "Value": "x"}])
    create(account.session(), FULL)
    assert listed(iam.get_role(RoleName=ROLE)["Role"]["Tags"]) == {**TAGS, "theirs": "x"}
    iam.tag_role(RoleName=ROLE, Tags=[{"Key": f"k{number}", "Value": ""} for number in range(46)])
    session = account.session()
    with pytest.raises(Conflict, match=f"role `{ROLE}` has 50 tags, and AWS takes 50 at most"):
        authorizers.plan(session, replace(WISH, tags={"one": "more"}))
    assert session.changes == []


def test_a_default_of_somebody_else_is_asked_about(account: Account) -> None:
    """The plan names it and has a question; carried out, it is replaced, also where AWS wants it cleared first."""
    other = f"{LAMBDA}:x"
    iot = account.client("iot")
    iot.create_authorizer(authorizerName="gates", authorizerFunctionArn=other, signingDisabled=True)
    iot.set_default_authorizer(authorizerName="gates")
    wish = replace(WISH, is_default=True)
    step = authorizers.plan(account.session(), wish).steps[-1]
    assert (step.action, step.reason) == ("update", "`gates` is the default")
    assert step.asks == "devices that name no authorizer are let in by `gates`: let `doors` decide about them?"
    create(account.session(), wish)
    assert seen(account)["default"] == "doors"


def test_turning_the_function_off_is_asked_about(account: Account) -> None:
    """No calls at once keep every device out: a question where it has some, none where it has none already."""
    create(account.session())
    off = replace(WISH, settings=FunctionSettings(reserved_concurrency=0))
    [asked] = [step.asks for step in authorizers.plan(account.session(), off).changes]
    assert asked == (
        "with no calls at once, function `doors-authorizer` is never called and no device gets in: turn it off?"
    )
    create(account.session(), off)
    assert reasons(account, off) == {}


def test_another_table_for_a_function_that_serves_another_authorizer_is_asked_about(account: Account) -> None:
    """A second authorizer with a table of its own would lock out the clients of the first: nobody expects that."""
    create(account.session())
    gates = replace(WISH, authorizer="gates,1", table="gates-clients")
    [asked] = [step.asks for step in authorizers.plan(account.session(), gates).steps if step.asks]
    assert asked == (
        "function `doors-authorizer` decides for `doors` too, whose clients are in table `doors-clients` and would be "
        "refused (`IOTAUTH_FUNCTION=iotauth-gates-1` gives `gates,1` a function of its own): let it read table "
        "`gates-clients` for all of them?"
    )
    own = replace(gates, function="iotauth-gates-1")
    assert [step.asks for step in authorizers.plan(account.session(), own).steps if step.asks] == []


def test_another_table_for_ones_own_clients_is_asked_about(account: Account) -> None:
    """They are not in it, so every device would be refused: no script does that by a mistyped name."""
    create(account.session())
    moved = replace(WISH, table="other-clients")
    [asked] = [step.asks for step in authorizers.plan(account.session(), moved).steps if step.asks]
    assert asked == (
        "function `doors-authorizer` reads table `doors-clients`, and clients that are only there would be refused: "
        "let it read table `other-clients`?"
    )


def test_an_authorizer_that_was_switched_off_is_asked_about(account: Account) -> None:
    """Somebody keeps devices out: a script that only sees to it that all is there must not let them in again."""
    create(account.session())
    account.client("iot").update_authorizer(authorizerName="doors", status="INACTIVE")
    [asked] = [step.asks for step in authorizers.plan(account.session(), WISH).steps if step.asks]
    assert asked == "authorizer `doors` was switched off: let devices in again?"


def test_an_authorizer_that_calls_another_function_is_asked_about(account: Account) -> None:
    """All of its devices would meet another function: the question names both."""
    account.client("iot").create_authorizer(
        authorizerName="doors", authorizerFunctionArn=f"{LAMBDA}:theirs", signingDisabled=True
    )
    asked = [step.asks for step in authorizers.plan(account.session(), WISH).steps if step.asks]
    assert asked == [
        f"authorizer `doors` calls `{LAMBDA}:theirs`: let it call `{LAMBDA}:doors-authorizer`?",
    ]


def test_an_endpoint_without_alpn_is_put_right_or_let_be(account: Account) -> None:
    """Disabled by hand: put right. Another authorizer's: asked about. Somebody else's: refused."""
    wish = replace(WISH, alpn_free="doors-alpn-free")
    create(account.session(), wish)
    shown = authorizers.alpn_free_endpoint(account.session(), wish)
    assert shown is not None
    assert (shown["name"], shown["port"]) == ("doors-alpn-free", 443)
    assert shown["host"].endswith(f"-ats.iot.{REGION}.localhost")
    iot = account.client("iot")
    iot.update_domain_configuration(
        domainConfigurationName="doors-alpn-free",
        domainConfigurationStatus="DISABLED",
        applicationProtocol="MQTT_WSS",
        removeAuthorizerConfig=True,
    )
    assert reasons(account, wish) == {
        "domain configuration": "it is disabled; its default authorizer is `None`; its protocol is MQTT_WSS"
    }
    create(account.session(), wish)
    assert seen(account)["doors-alpn-free"] == CHOSEN["doors-alpn-free"]
    gates = replace(wish, authorizer="gates")
    step = authorizers.plan(account.session(), gates).steps[-1]
    assert step.asks == (
        "clients that connect to domain configuration `doors-alpn-free` are let in by `doors`: "
        "let `gates` decide about them?"
    )
    iot.create_domain_configuration(domainConfigurationName="theirs")
    session = account.session()
    with pytest.raises(Conflict, match="domain configuration `theirs` exists and was not made by iotauth"):
        authorizers.plan(session, replace(WISH, alpn_free="theirs"))
    assert session.changes == []


def test_the_endpoint_is_called_after_the_authorizer() -> None:
    """What a domain configuration's name cannot have becomes a dash; it is never too long."""
    assert authorizers.with_alpn_free(WISH).alpn_free == "doors-alpn-free"
    assert authorizers.with_alpn_free(replace(WISH, authorizer="a=b,c@d")).alpn_free == "a-b-c-d-alpn-free"
    assert len(str(authorizers.with_alpn_free(replace(WISH, authorizer="x" * 128)).alpn_free)) == 128
    assert authorizers.with_alpn_free(WISH, "mine").alpn_free == "mine"


def grant(account: Account, **members: str) -> None:
    """Give the permission anew, with other *members*."""
    functions = account.client("lambda")
    functions.remove_permission(FunctionName=WISH.function, StatementId="iotauth-doors")
    usual = {
        "Action": "lambda:InvokeFunction",
        "Principal": "iot.amazonaws.com",
        "SourceArn": f"arn:aws:iot:{REGION}:{ACCOUNT}:authorizer/doors",
        "SourceAccount": ACCOUNT,
    }
    given = {name: value for name, value in {**usual, **members}.items() if value}
    functions.add_permission(FunctionName=WISH.function, StatementId="iotauth-doors", **given)


@pytest.mark.parametrize(
    ("members", "words"),
    [
        ({"SourceAccount": "2" * 12}, f"permission names another account: {'2' * 12}"),
        (
            {"SourceArn": f"arn:aws:iot:{REGION}:{'2' * 12}:authorizer/doors", "SourceAccount": "2" * 12},
            f"permission names another account: {'2' * 12}",
        ),
        (
            {"SourceArn": f"arn:aws:iot:{REGION}:{ACCOUNT}:authorizer/gates"},
            "permission is for another authorizer: `gates`",
        ),
        (
            {"SourceArn": f"arn:aws:iot:{REGION}::authorizer/doors"},
            f"permission is for another authorizer: `arn:aws:iot:{REGION}::authorizer/doors`",
        ),
        ({"SourceArn": ""}, "permission is for every authorizer"),
        ({"SourceAccount": ""}, "permission names no account"),
        ({"Principal": "s3.amazonaws.com"}, "permission names somebody else than AWS IoT"),
        ({"Action": "lambda:GetFunction"}, "permission does not allow to call the function"),
        ({"PrincipalOrgID": "o-abcdefghij"}, "permission has more conditions than those"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_is_wrong_with_a_permission_is_said(account: Account, members: dict[str, str], words: str) -> None:
    """In words that say whom it lets in, and it is given anew."""
    create(account.session())
    grant(account, **members)
    assert reasons(account) == {"permission": words}
    create(account.session())
    assert reasons(account) == {}


def test_the_permission_of_an_alias_is_given_to_the_alias(account: Account) -> None:
    """`--function` with a qualifier: Lambda keeps a policy for each, and the function's own does not cover it."""
    account.function("def handler(event, context): return {}", "mine")
    functions = account.client("lambda")
    version = functions.publish_version(FunctionName="mine")["Version"]
    functions.create_alias(FunctionName="mine", Name="live", FunctionVersion=version)
    wish = replace(WISH, function_arn=f"{LAMBDA}:mine:live")
    create(account.session(), wish)
    [statement] = json.loads(functions.get_policy(FunctionName="mine", Qualifier="live")["Policy"])["Statement"]
    assert statement["Resource"] == f"{LAMBDA}:mine:live"
    with pytest.raises(functions.exceptions.ResourceNotFoundException):
        functions.get_policy(FunctionName="mine")
    assert reasons(account, wish) == {}


def test_rows_of_a_table_that_is_there_are_not_given_an_end(account: Account) -> None:
    """Another's table has no time to live and gets none; one with a wrong attribute is named and left alone."""
    tables = account.client("dynamodb")
    tables.create_table(
        TableName=WISH.table,
        KeySchema=[{"AttributeName": "Client_ID", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "Client_ID", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    create(account.session())
    assert seen(account)["expiry"] == {"TimeToLiveStatus": "DISABLED"}
    wrong = {"Enabled": True, "AttributeName": "Updated"}
    tables.update_time_to_live(TableName=WISH.table, TimeToLiveSpecification=wrong)
    plan = create(account.session())
    assert plan.changes == ()
    assert plan.steps[1].reason == (
        "DynamoDB deletes its rows by `Updated`, which iotauth does not set, and that is left to you"
    )
    assert seen(account)["expiry"]["AttributeName"] == "Updated"


def test_who_may_not_see_how_rows_expire_can_create_all_the_same(account: Account) -> None:
    """It is only remarked on, so an operator without that right is not kept from anything."""
    create(account.session())
    denied = AccessDenied("`ann` may not call `dynamodb:DescribeTimeToLive`")
    assert create(slow(account, "describe_time_to_live", denied, "AccessDeniedException")).changes == ()


@pytest.mark.parametrize(
    ("kept", "wanted", "is_taken"),
    [(None, 900, True), (None, 901, False), (100, 900, True), (100, 901, False), (900, 850, True), (None, 0, True)],
)
def test_calls_that_the_account_cannot_spare_are_refused(
    account: Account, kept: int | None, wanted: int, is_taken: bool
) -> None:
    """Of 1000 calls at once 100 are for functions that reserve none: said before anything is made."""
    create(account.session())
    if kept is not None:
        create(account.session(), replace(WISH, settings=FunctionSettings(reserved_concurrency=kept)))
    wish = replace(WISH, settings=FunctionSettings(reserved_concurrency=wanted))
    if is_taken:
        create(account.session(), wish)
        assert seen(account)["reserved"] == wanted
        return
    session = account.session()
    with pytest.raises(InputError, match=r"the account may run 1000 at once, and 900 of them can still be kept"):
        authorizers.plan(session, wish)
    assert session.changes == []


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"settings": FunctionSettings(memory_mb=127)}, "`--memory` is 127 MB, and AWS takes 128 to 10240"),
        ({"settings": FunctionSettings(memory_mb=10_241)}, "AWS takes 128 to 10240"),
        ({"settings": FunctionSettings(architecture="arm")}, "`--arch arm` is nothing Lambda has"),  # type: ignore[arg-type]
        ({"settings": FunctionSettings(reserved_concurrency=-1)}, "is less than none"),
        ({"settings": FunctionSettings(retention_days=31)}, "keeps nothing for 31 days"),
        ({"settings": FunctionSettings(refresh_after_s=299)}, "`--refresh-after` is 299 s"),
        ({"settings": FunctionSettings(disconnect_after_s=86_401)}, "`--disconnect-after` is 86401 s"),
        ({"tags": {"aws:x": "1"}}, "AWS's own"),
        ({"tags": {"AWS:x": "1"}}, "AWS's own"),
        ({"tags": {"": "1"}}, "key of 0 characters"),
        ({"tags": {"k" * 129: "1"}}, "key of 129 characters"),
        ({"tags": {"k": "v" * 257}}, "value of 257 characters"),
        ({"tags": {"k": "a;b"}}, "contains ';'"),
        ({"tags": {"made-by": "me"}}, "is iotauth's own"),
        ({"tags": {"Made-By": "me"}}, "is iotauth's own"),
        ({"tags": {"Team": "1", "team": "2"}}, "differ in nothing but case"),
        ({"tags": {f"k{number}": "" for number in range(50)}}, "50 tags are too many"),
        ({"alpn_free": "a b"}, "cannot name a domain configuration"),
        ({"is_default": True, "is_active": False}, "cannot be inactive and the default"),
        (
            {"function_arn": f"{LAMBDA}:mine", "settings": FunctionSettings(memory_mb=512)},
            "is your own, and its memory, timers and logs are yours to set",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_aws_would_refuse_is_refused_here(account: Account, change: dict[str, Any], words: str) -> None:
    """In our words, before any call."""
    session = account.session()
    with pytest.raises(InputError, match=words):
        authorizers.plan(session, replace(WISH, **change))
    assert session.calls == []


@pytest.mark.parametrize("region", ["us-gov-west-1", "us-gov-east-1"])
def test_govcloud_has_no_endpoint_without_alpn(region: str) -> None:
    """Its endpoints have no types: said before anything is made, with what works there."""
    with pytest.raises(InputError, match=f"cannot be had in `{region}`") as refused:
        validate(replace(WISH, alpn_free="doors"), region)
    assert "WebSocket" in str(refused.value.hint)
    validate(WISH, region)


@given(st.characters())
def test_a_tag_has_the_letters_of_awss_pattern(letter: str) -> None:
    """As the service model writes it; what Python's `re` cannot say (marks, `_` as a letter) is no tag of ours."""
    pattern = compile_pattern(r"[\p{L}\p{Z}\p{N}_.:/=+\-@]")
    assert pattern is not None
    if may_be_in_tag(letter):
        assert pattern.fullmatch(letter)
    elif letter.isascii():
        assert not pattern.fullmatch(letter)
