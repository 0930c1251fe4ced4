"""Functions: deployed, changed, versioned, permitted and called, through boto3; their code really runs."""

from __future__ import annotations

import base64
import io
import json
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from iotauth_cli.emulator.control.lambda_ import code, names
from iotauth_cli.emulator.control.lambda_.names import LATEST, parse_arn
from iotauth_cli.emulator.control.service import Context, ServiceError
from iotauth_cli.emulator.model import Function
from support import require_peer
from support_control import Control, code_of, message_of, zipped

ARN = "arn:aws:lambda:us-east-1:123456789012:function:doors"
SOURCE = """
import json, os
def handler(event, context):
    print("called with", json.dumps(event))
    if event == "fail":
        raise ValueError("no")
    return {"event": event, "colour": os.environ.get("COLOUR"), "arn": context.invoked_function_arn}
"""


@pytest.fixture
def lambda_(control: Control) -> Any:
    return control.client("lambda")


def refused(call: Callable[[], Any]) -> tuple[str, int]:
    with pytest.raises(ClientError) as error:
        call()
    return code_of(error)


def invoke(lambda_: Any, payload: object = None, name: str = "doors", **settings: Any) -> dict[str, Any]:
    answered = lambda_.invoke(FunctionName=name, Payload=json.dumps(payload).encode(), **settings)
    result: dict[str, Any] = json.loads(answered["Payload"].read())
    return result


def test_a_function_is_ready_as_soon_as_it_is_created(control: Control, lambda_: Any) -> None:
    """Lambda's defaults fill what was not given, and the code's digest is that of the zip."""
    control.function(SOURCE, Description="doors & co", Environment={"Variables": {"COLOUR": "red"}}, Tags={"a": "b"})
    found = lambda_.get_function(FunctionName="doors")
    configuration = found["Configuration"]
    assert configuration["FunctionArn"] == ARN
    assert configuration["Version"] == LATEST
    assert (configuration["State"], configuration["LastUpdateStatus"]) == ("Active", "Successful")
    assert (configuration["Timeout"], configuration["MemorySize"]) == (3, 128)
    assert configuration["Environment"] == {"Variables": {"COLOUR": "red"}}
    assert configuration["PackageType"] == "Zip"
    assert len(base64.b64decode(configuration["CodeSha256"])) == 32
    assert found["Tags"] == {"a": "b"}
    lambda_.get_waiter("function_active_v2").wait(FunctionName="doors", WaiterConfig={"Delay": 0, "MaxAttempts": 1})
    assert lambda_.get_function_configuration(FunctionName=ARN)["RevisionId"] == configuration["RevisionId"]


def test_a_function_that_exists_is_not_created_again(control: Control, lambda_: Any) -> None:
    """ResourceConflictException, 409."""
    control.function(SOURCE)
    with pytest.raises(ClientError, match="Function already exist: doors") as error:
        control.function(SOURCE, role="arn:aws:iam::123456789012:role/role-of-doors")
    assert code_of(error) == ("ResourceConflictException", 409)


def test_an_unknown_function_is_not_found(lambda_: Any) -> None:
    """404 with the function's ARN."""
    with pytest.raises(ClientError, match=f"Function not found: {ARN}") as error:
        lambda_.get_function(FunctionName="doors")
    assert code_of(error) == ("ResourceNotFoundException", 404)


def test_the_role_must_exist_and_trust_lambda(control: Control) -> None:
    """Lambda says the same of a role that is missing and of one that trusts somebody else."""
    trust = {"Statement": [{"Effect": "Allow", "Principal": {"Service": "iot.amazonaws.com"}, "Action": "*"}]}
    control.client("iam").create_role(RoleName="for-iot", AssumeRolePolicyDocument=json.dumps(trust))
    for role in ("nobody", "for-iot"):
        with pytest.raises(ClientError) as error:
            control.function(SOURCE, role=f"arn:aws:iam::123456789012:role/{role}")
        assert code_of(error) == ("InvalidParameterValueException", 400)
        assert message_of(error) == "The role defined for the function cannot be assumed by Lambda."


def test_calling_a_function_runs_its_code(control: Control, lambda_: Any) -> None:
    """The event goes in, the answer comes out, and the tail of the log on request."""
    control.function(SOURCE, Environment={"Variables": {"COLOUR": "red"}})
    answered = lambda_.invoke(FunctionName="doors", Payload=b'{"a": 1}', LogType="Tail")
    assert json.loads(answered["Payload"].read()) == {"event": {"a": 1}, "colour": "red", "arn": ARN}
    assert (answered["StatusCode"], answered["ExecutedVersion"]) == (200, LATEST)
    assert "FunctionError" not in answered
    assert 'called with {"a": 1}' in base64.b64decode(answered["LogResult"]).decode()
    assert json.loads(lambda_.invoke(FunctionName="doors")["Payload"].read())["event"] == {}


def test_a_function_in_javascript_runs_beside_one_in_python(control: Control, lambda_: Any) -> None:
    """Created, called and changed by the same operations; its log group is no different."""
    require_peer("node")
    source = "export const handler = async (event, context) => [event, context.invokedFunctionArn];\n"
    lambda_.create_function(
        FunctionName="doors",
        Runtime="nodejs22.x",
        Role=control.role(),
        Handler="app.handler",
        Code={"ZipFile": zipped({"app.mjs": source})},
    )
    answered = lambda_.invoke(FunctionName="doors", Payload=b'"open"')
    assert json.loads(answered["Payload"].read()) == ["open", ARN]
    changed = source.replace("[event", "['changed', event")
    lambda_.update_function_code(FunctionName="doors", ZipFile=zipped({"app.mjs": changed}))
    assert json.loads(lambda_.invoke(FunctionName="doors")["Payload"].read()) == ["changed", {}, ARN]
    assert control.client("logs").describe_log_groups()["logGroups"][0]["logGroupName"] == "/aws/lambda/doors"


def test_what_a_function_prints_is_in_its_log_group(control: Control, lambda_: Any) -> None:
    """The group carries the function's name and is there without having been created."""
    control.function(SOURCE)
    invoke(lambda_, "hello")
    logs = control.client("logs")
    found = logs.filter_log_events(logGroupName="/aws/lambda/doors", filterPattern='"called with"')["events"]
    assert [event["message"].strip() for event in found] == ['called with "hello"']


def test_a_function_that_raises_is_an_answer_with_an_error(control: Control, lambda_: Any) -> None:
    """200, FunctionError Unhandled, and the error as JSON."""
    control.function(SOURCE)
    answered = lambda_.invoke(FunctionName="doors", Payload=b'"fail"')
    assert (answered["StatusCode"], answered["FunctionError"]) == (200, "Unhandled")
    assert json.loads(answered["Payload"].read())["errorType"] == "ValueError"


def test_a_dry_run_calls_nothing_and_an_event_does_not_wait(control: Control, lambda_: Any) -> None:
    """204 and 202; the event's call shows in the log a little later."""
    control.function(SOURCE)
    assert lambda_.invoke(FunctionName="doors", InvocationType="DryRun")["StatusCode"] == 204
    answered = lambda_.invoke(FunctionName="doors", InvocationType="Event", Payload=b'"later"')
    assert (answered["StatusCode"], answered["Payload"].read()) == (202, b"")
    logs, deadline = control.client("logs"), time.monotonic() + 10
    while time.monotonic() < deadline:
        groups = logs.describe_log_groups(logGroupNamePrefix="/aws/lambda/doors")["logGroups"]
        found = groups and logs.filter_log_events(logGroupName="/aws/lambda/doors", filterPattern="called")["events"]
        if found:
            break
        time.sleep(0.02)
    assert [event["message"].strip() for event in found] == ['called with "later"']


def test_a_payload_that_is_no_json_is_refused(control: Control, lambda_: Any) -> None:
    """Before the function is called."""
    control.function(SOURCE)
    assert refused(lambda: lambda_.invoke(FunctionName="doors", Payload=b"{")) == (
        "InvalidRequestContentException",
        400,
    )


def test_a_function_without_concurrency_is_throttled(control: Control, lambda_: Any) -> None:
    """Reserved concurrency 0 switches a function off; deleting the reservation switches it on."""
    control.function(SOURCE)
    assert "ReservedConcurrentExecutions" not in lambda_.get_function_concurrency(FunctionName="doors")
    lambda_.put_function_concurrency(FunctionName="doors", ReservedConcurrentExecutions=0)
    assert lambda_.get_function_concurrency(FunctionName="doors")["ReservedConcurrentExecutions"] == 0
    assert lambda_.get_function(FunctionName="doors")["Concurrency"] == {"ReservedConcurrentExecutions": 0}
    with pytest.raises(ClientError) as error:
        lambda_.invoke(FunctionName="doors")
    assert code_of(error) == ("TooManyRequestsException", 429)
    assert error.value.response["Reason"] == "ReservedFunctionConcurrentInvocationLimitExceeded"  # type: ignore[typeddict-item]
    lambda_.delete_function_concurrency(FunctionName="doors")
    assert invoke(lambda_, 1)["event"] == 1


def test_the_last_hundred_calls_at_once_are_for_functions_that_reserve_none(control: Control, lambda_: Any) -> None:
    """Of 1000 a function may keep 900 and not one more; it may always keep fewer than it does."""
    control.function(SOURCE)
    lambda_.put_function_concurrency(FunctionName="doors", ReservedConcurrentExecutions=900)
    with pytest.raises(ClientError) as error:
        lambda_.put_function_concurrency(FunctionName="doors", ReservedConcurrentExecutions=901)
    assert code_of(error) == ("InvalidParameterValueException", 400)
    assert "UnreservedConcurrentExecution below its minimum value of [100]" in message_of(error)
    lambda_.put_function_concurrency(FunctionName="doors", ReservedConcurrentExecutions=899)
    assert lambda_.get_account_settings()["AccountLimit"]["UnreservedConcurrentExecutions"] == 101


def test_the_account_tells_its_limits_and_what_is_in_use(control: Control, lambda_: Any) -> None:
    """What functions keep for themselves is taken off what all may use together."""
    before = lambda_.get_account_settings()
    assert before["AccountLimit"]["ConcurrentExecutions"] == 1000
    assert before["AccountLimit"]["UnreservedConcurrentExecutions"] == 1000
    assert before["AccountUsage"] == {"TotalCodeSize": 0, "FunctionCount": 0}
    control.function(SOURCE)
    lambda_.put_function_concurrency(FunctionName="doors", ReservedConcurrentExecutions=30)
    lambda_.publish_version(FunctionName="doors")
    after = lambda_.get_account_settings()
    assert after["AccountLimit"]["UnreservedConcurrentExecutions"] == 970
    assert after["AccountUsage"]["FunctionCount"] == 1
    assert (
        after["AccountUsage"]["TotalCodeSize"]
        == 2 * lambda_.get_function(FunctionName="doors")["Configuration"]["CodeSize"]
    )


def test_new_code_and_new_settings_are_used_by_the_next_call(control: Control, lambda_: Any) -> None:
    """Each change gives a new revision; the environment is replaced as a whole."""
    control.function(SOURCE, Environment={"Variables": {"COLOUR": "red"}})
    first = lambda_.get_function_configuration(FunctionName="doors")
    lambda_.update_function_configuration(FunctionName="doors", Environment={"Variables": {"OTHER": "y"}}, Timeout=4)
    assert invoke(lambda_, 1)["colour"] is None
    changed = SOURCE.replace('"event": event', '"event": "changed"')
    updated = lambda_.update_function_code(FunctionName="doors", ZipFile=zipped({"app.py": changed}))
    assert invoke(lambda_, 1)["event"] == "changed"
    assert updated["Timeout"] == 4
    assert updated["CodeSha256"] != first["CodeSha256"]
    assert updated["RevisionId"] != first["RevisionId"]


def test_a_dry_update_leaves_the_code(control: Control, lambda_: Any) -> None:
    """It shows the digest that would be, and changes nothing."""
    control.function(SOURCE)
    before = lambda_.get_function_configuration(FunctionName="doors")
    shown = lambda_.update_function_code(FunctionName="doors", ZipFile=zipped({"app.py": "x = 1"}), DryRun=True)
    assert shown["CodeSha256"] != before["CodeSha256"]
    after = lambda_.get_function_configuration(FunctionName="doors")
    assert after["CodeSha256"] == before["CodeSha256"]
    assert after["RevisionId"] == before["RevisionId"]


def test_a_stale_revision_is_refused(control: Control, lambda_: Any) -> None:
    """PreconditionFailedException, 412, for settings, code and permissions alike."""
    control.function(SOURCE)
    stale = "00000000-0000-0000-0000-000000000000"
    permission = {"StatementId": "a", "Action": "lambda:InvokeFunction", "Principal": "iot.amazonaws.com"}
    for call in (
        lambda: lambda_.update_function_configuration(FunctionName="doors", RevisionId=stale),
        lambda: lambda_.update_function_code(FunctionName="doors", ZipFile=b"x", RevisionId=stale),
        lambda: lambda_.add_permission(FunctionName="doors", RevisionId=stale, **permission),
    ):
        assert refused(call) == ("PreconditionFailedException", 412)
    lambda_.add_permission(FunctionName="doors", **permission)
    revision = lambda_.get_policy(FunctionName="doors")["RevisionId"]
    lambda_.remove_permission(FunctionName="doors", StatementId="a", RevisionId=revision)


@pytest.mark.parametrize(
    ("settings", "code", "fragment"),
    [
        ({"Environment": {"Variables": {"AWS_REGION": "x"}}}, "InvalidParameterValueException", "AWS_REGION"),
        ({"Environment": {"Variables": {"SECRET": "s" * 4096}}}, "InvalidParameterValueException", "4KB limit"),
        ({"Runtime": "java21"}, "NotImplementedException", "java21"),
        ({"Layers": ["arn:aws:lambda:us-east-1:123456789012:layer:l:1"]}, "NotImplementedException", "layers"),
    ],
    ids=["reserved", "too-large", "runtime", "layers"],
)
def test_settings_that_cannot_be_are_refused(
    control: Control, lambda_: Any, settings: dict[str, Any], code: str, fragment: str
) -> None:
    """Lambda's own rules, and by name what the emulator does not have; no value of the environment is repeated."""
    control.function(SOURCE)
    with pytest.raises(ClientError, match=fragment) as error:
        lambda_.update_function_configuration(FunctionName="doors", **settings)
    assert code_of(error)[0] == code
    assert "ssss" not in message_of(error)


@pytest.mark.parametrize("elsewhere", [{"S3Bucket": "bucket", "S3Key": "key"}, {"ImageUri": "registry/doors:1"}])
def test_code_from_elsewhere_is_not_implemented(lambda_: Any, control: Control, elsewhere: dict[str, str]) -> None:
    """The emulator has no S3 and no container images, and names what was asked for."""
    control.function(SOURCE)
    with pytest.raises(ClientError, match=next(iter(elsewhere))) as error:
        lambda_.update_function_code(FunctionName="doors", **elsewhere)
    assert code_of(error) == ("NotImplementedException", 501)


def test_no_code_at_all_is_refused(lambda_: Any, control: Control) -> None:
    """An error of Lambda's own."""
    control.function(SOURCE)
    assert refused(lambda: lambda_.update_function_code(FunctionName="doors")) == (
        "InvalidParameterValueException",
        400,
    )


def test_versions_are_frozen_and_aliases_move(control: Control, lambda_: Any) -> None:
    """A version keeps its code, publishing nothing new gives the same one, an alias leads to either."""
    control.function(SOURCE)
    first = lambda_.publish_version(FunctionName="doors")
    assert first["Version"] == "1"
    assert first["FunctionArn"] == f"{ARN}:1"
    assert lambda_.publish_version(FunctionName="doors")["Version"] == "1"
    lambda_.create_alias(FunctionName="doors", Name="live", FunctionVersion="1", Description="what devices use")
    changed = SOURCE.replace('"event": event', '"event": "two"')
    lambda_.update_function_code(FunctionName="doors", ZipFile=zipped({"app.py": changed}), Publish=True)
    assert invoke(lambda_, "one", Qualifier="live") == {"event": "one", "colour": None, "arn": f"{ARN}:live"}
    moved = lambda_.update_alias(FunctionName="doors", Name="live", FunctionVersion="2")
    assert moved["Description"] == "what devices use"
    assert invoke(lambda_, "one", name="doors:live")["event"] == "two"
    assert lambda_.get_alias(FunctionName="doors", Name="live")["FunctionVersion"] == "2"
    listed = lambda_.list_versions_by_function(FunctionName="doors")["Versions"]
    assert [version["Version"] for version in listed] == [LATEST, "1", "2"]
    assert [alias["Name"] for alias in lambda_.list_aliases(FunctionName="doors")["Aliases"]] == ["live"]


def test_a_version_in_use_is_not_deleted(control: Control, lambda_: Any) -> None:
    """An alias holds its version; without it the version goes, and the function stays."""
    control.function(SOURCE)
    lambda_.publish_version(FunctionName="doors")
    lambda_.create_alias(FunctionName="doors", Name="live", FunctionVersion="1")
    assert refused(lambda: lambda_.delete_function(FunctionName="doors", Qualifier="1")) == (
        "ResourceConflictException",
        409,
    )
    assert refused(lambda: lambda_.create_alias(FunctionName="doors", Name="live", FunctionVersion="1")) == (
        "ResourceConflictException",
        409,
    )
    lambda_.delete_alias(FunctionName="doors", Name="live")
    lambda_.delete_function(FunctionName="doors", Qualifier="1")
    assert refused(lambda: lambda_.get_alias(FunctionName="doors", Name="live"))[0] == "ResourceNotFoundException"
    assert refused(lambda: lambda_.get_function(FunctionName="doors:1"))[0] == "ResourceNotFoundException"
    assert lambda_.get_function(FunctionName="doors")["Configuration"]["Version"] == LATEST


def test_a_deleted_function_takes_everything_with_it(control: Control, lambda_: Any) -> None:
    """Made again under its name it has no versions, no tags and no permissions."""
    control.function(SOURCE, Tags={"a": "b"}, Publish=True)
    permission = {"StatementId": "a", "Action": "lambda:InvokeFunction", "Principal": "iot.amazonaws.com"}
    lambda_.add_permission(FunctionName="doors", **permission)
    lambda_.delete_function(FunctionName="doors")
    assert refused(lambda: lambda_.delete_function(FunctionName="doors"))[0] == "ResourceNotFoundException"
    control.function(SOURCE, role="arn:aws:iam::123456789012:role/role-of-doors")
    assert lambda_.list_tags(Resource=ARN)["Tags"] == {}
    assert refused(lambda: lambda_.get_policy(FunctionName="doors"))[0] == "ResourceNotFoundException"
    assert len(lambda_.list_versions_by_function(FunctionName="doors")["Versions"]) == 1


def test_functions_are_listed_in_pages(control: Control, lambda_: Any) -> None:
    """boto3's paginator walks through; versions show on request."""
    role = control.role()
    for number in range(3):
        control.function(SOURCE, f"f{number}", role=role, Publish=number == 0)
    paginator = lambda_.get_paginator("list_functions")
    pages = list(paginator.paginate(PaginationConfig={"PageSize": 2}))
    assert [[found["FunctionName"] for found in page["Functions"]] for page in pages] == [["f0", "f1"], ["f2"]]
    assert len(lambda_.list_functions(FunctionVersion="ALL")["Functions"]) == 4


def test_tags_of_a_function_are_merged_and_removed(control: Control, lambda_: Any) -> None:
    """TagResource adds and replaces, UntagResource removes."""
    control.function(SOURCE, Tags={"a": "1"})
    lambda_.tag_resource(Resource=ARN, Tags={"a": "2", "b": "3"})
    lambda_.untag_resource(Resource=ARN, TagKeys=["a"])
    assert lambda_.list_tags(Resource=ARN)["Tags"] == {"b": "3"}
    missing = ARN.replace("doors", "nobody")
    assert refused(lambda: lambda_.list_tags(Resource=missing))[0] == "ResourceNotFoundException"


AUTHORIZER = "arn:aws:iot:us-east-1:123456789012:authorizer/doors"


@pytest.mark.parametrize(
    ("permission", "asked", "expected"),
    [
        ({"SourceArn": AUTHORIZER, "SourceAccount": "123456789012"}, {}, True),
        ({}, {}, True),
        ({"SourceArn": AUTHORIZER.replace("doors", "*")}, {}, True),
        ({"SourceArn": AUTHORIZER.replace("doors", "windows")}, {}, False),
        ({"SourceArn": "arn:aws:iot:us-east-1:123456789012:*"}, {}, True),
        ({"SourceArn": "arn:aws:iot::123456789012:authorizer/doors"}, {}, False),
        ({"SourceAccount": "999999999999"}, {}, False),
        ({"Principal": "s3.amazonaws.com"}, {}, False),
        ({"Principal": "*"}, {}, True),
        ({"Principal": "123456789012"}, {}, False),
        ({"Action": "lambda:GetFunction"}, {}, False),
        ({"Action": "lambda:*"}, {}, True),
        ({"PrincipalOrgID": "o-1234567890"}, {}, False),
        ({"Qualifier": "1"}, {}, False),
        ({"Qualifier": "1"}, {"function_arn": f"{ARN}:1"}, True),
        ({}, {"function_arn": f"{ARN}:1"}, False),
        ({}, {"function_arn": "arn:aws:lambda:eu-west-1:123456789012:function:doors"}, False),
        ({}, {"function_arn": "doors"}, False),
    ],
    ids=str,
)
def test_who_may_call_for_which_source(
    control: Control, lambda_: Any, permission: dict[str, str], asked: dict[str, str], expected: bool
) -> None:
    """Principal, action, both conditions and the qualifier must all fit; an ARN is compared part by part."""
    control.function(SOURCE, Publish=True)
    given = {"StatementId": "a", "Action": "lambda:InvokeFunction", "Principal": "iot.amazonaws.com", **permission}
    lambda_.add_permission(FunctionName="doors", **given)
    arn = asked.get("function_arn", ARN)
    facts = {"principal": "iot.amazonaws.com", "source_arn": AUTHORIZER, "source_account": "123456789012"}
    assert control.server.call(lambda: control.functions.may_invoke(arn, **facts)) is expected


def test_a_policy_over_twenty_kilobytes_is_refused(control: Control, lambda_: Any) -> None:
    """PolicyLengthExceededException counts the whole document."""
    control.function(SOURCE)
    permission = {"Action": "lambda:InvokeFunction", "Principal": "iot.amazonaws.com"}
    source = {"SourceArn": "arn:aws:iot:us-east-1:123456789012:" + "x" * 9000}
    for sid in ("a", "b"):
        lambda_.add_permission(FunctionName="doors", StatementId=sid, **permission, **source)
    with pytest.raises(ClientError, match=r"is bigger than the limit \(20480\)") as error:
        lambda_.add_permission(FunctionName="doors", StatementId="c", **permission, **source)
    assert code_of(error) == ("PolicyLengthExceededException", 400)


def test_a_principal_must_be_one(control: Control, lambda_: Any) -> None:
    """Neither a service nor an account nor an ARN: refused."""
    control.function(SOURCE)
    permission = {"StatementId": "a", "Action": "lambda:InvokeFunction", "Principal": "somebody"}
    with pytest.raises(ClientError, match="The provided principal was invalid"):
        lambda_.add_permission(FunctionName="doors", **permission)


def test_the_data_plane_finds_functions_by_arn(control: Control, lambda_: Any) -> None:
    """Qualified or not, after a restart too; a foreign account or region has none."""
    control.function(SOURCE, Publish=True, Environment={"Variables": {"COLOUR": "red"}})
    control.restart()

    def find(arn: str) -> Function | None:
        return control.server.call(lambda: control.functions.find(arn))

    found, version = find(ARN), find(f"{ARN}:1")
    assert found is not None
    assert version is not None
    assert (found.arn, found.version, version.arn, version.version) == (ARN, LATEST, f"{ARN}:1", "1")
    assert (found.handler, found.environment, found.timeout_s) == ("app.handler", {"COLOUR": "red"}, 3)
    assert (found.code_directory / "app.py").read_text() == SOURCE
    for stranger in (f"{ARN}:2", ARN.replace("1234", "4321"), ARN.replace("us-east-1", "us-east-2"), "doors"):
        assert find(stranger) is None


def test_code_that_nobody_uses_is_gone_after_a_restart(control: Control, lambda_: Any) -> None:
    """Until then it stays: a child may still be running in it."""
    control.function(SOURCE)
    lambda_.update_function_code(FunctionName="doors", ZipFile=zipped({"app.py": "x = 1"}))
    directory = control.directory / "code"
    assert len(list(directory.iterdir())) == 2
    control.restart()
    assert len(list(directory.iterdir())) == 1


def archive(*entries: tuple[zipfile.ZipInfo | str, bytes]) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as made:
        for entry, data in entries:
            made.writestr(entry, data)
    return content.getvalue()


def link(name: str, target: str) -> tuple[zipfile.ZipInfo, bytes]:
    entry = zipfile.ZipInfo(name)
    entry.external_attr = 0o120777 << 16
    return entry, target.encode()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"no zip", "Could not unzip uploaded file."),
        (archive(), "non-empty zip"),
        (archive(("../evil.py", b"")), "points outside"),
        (archive(("a/../../evil.py", b"")), "points outside"),
        (archive(("/etc/evil.py", b"")), "points outside"),
        (archive(("..\\evil.py", b"")), "points outside"),
        (archive(("C:/evil.py", b"")), "points outside"),
        (archive(link("evil", "/etc")), "points outside"),
        (archive(link("a/b/evil", "../../..")), "points outside"),
        (archive(link("a/b/up", "../.."), link("evil", "a/b/up/..")), "points outside"),
        (archive(link("evil", "later/.."), link("later", "..")), "points outside"),
        (archive(link("here", "."), link("here/../../evil", ".")), "points outside"),
        (archive(link("evil", "/"), link("evil/tmp/door", ".")), "points outside"),
        (archive(link("evil", "a\0b")), "Could not unzip uploaded file."),
        (archive(link("evil", "x" * 5000)), "Could not unzip uploaded file."),
        (archive(("a", b"file"), ("a/b", b"below a file")), "Could not unzip uploaded file."),
        (archive(("app.py", b"x = 1"))[:-40], "Could not unzip uploaded file."),
    ],
    ids=[
        "no-zip",
        "empty",
        "up",
        "up-inside",
        "absolute",
        "backslash",
        "drive",
        "link",
        "link-up",
        "link-by-link",
        "link-by-later-link",
        "link-name",
        "link-through-link",
        "link-null",
        "link-too-long",
        "conflict",
        "cut",
    ],
)
def test_a_zip_that_must_not_be_unpacked_is_refused(tmp_path: Path, content: bytes, message: str) -> None:
    """Nothing is left behind, inside the directory or outside."""
    store = code.CodeStore(tmp_path / "code")
    with pytest.raises(ServiceError, match=message) as error:
        store.add(content)
    assert error.value.code == "InvalidParameterValueException"
    assert [path for path in tmp_path.rglob("*") if path.name != "code"] == []


def test_a_link_within_the_zip_is_a_link(tmp_path: Path) -> None:
    """Node packages bring links to their programs, also before what they lead to; they work unpacked."""
    store = code.CodeStore(tmp_path / "code")
    content = archive(link("node_modules/.bin/door", "../door/cli.js"), ("node_modules/door/cli.js", b"open()"))
    directory = store.directory(store.add(content).sha256)
    assert (directory / "node_modules/.bin/door").is_symlink()
    assert (directory / "node_modules/.bin/door").read_text() == "open()"


def test_a_file_is_not_written_through_a_link(tmp_path: Path) -> None:
    """A file below a link finds a directory, and the link its place taken."""
    (tmp_path / "outside").mkdir()
    store = code.CodeStore(tmp_path / "code")
    with pytest.raises(ServiceError, match="Could not unzip uploaded file"):
        store.add(archive(link("a", str(tmp_path / "outside")), ("a/evil.py", b"")))
    assert list((tmp_path / "outside").iterdir()) == []


def test_a_zip_over_fifty_megabytes_is_refused(tmp_path: Path) -> None:
    """Before it is looked into."""
    with pytest.raises(ServiceError, match="Zipped size must be smaller than 52428800 bytes") as error:
        code.CodeStore(tmp_path / "code").add(bytes(code.MAX_ZIPPED + 1))
    assert (error.value.code, error.value.status) == ("RequestEntityTooLargeException", 413)


def test_a_zip_is_counted_as_it_unpacks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A bomb is stopped by what it writes."""
    monkeypatch.setattr(code, "MAX_UNPACKED", 1000)
    store = code.CodeStore(tmp_path / "code")
    with pytest.raises(ServiceError, match="Unzipped size must be smaller than 1000 bytes"):
        store.add(zipped({"a": "x" * 600, "b": "x" * 600}))


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.dictionaries(
        st.text("ab/._ä", min_size=1, max_size=6).filter(lambda name: name.strip("/.") and not name.endswith("/")),
        st.binary(max_size=10),
        min_size=1,
        max_size=4,
    )
)
def test_whatever_a_zip_holds_stays_in_its_directory(
    tmp_path_factory: pytest.TempPathFactory, files: dict[str, bytes]
) -> None:
    """Unpacked or refused, no entry appears anywhere else."""
    root = tmp_path_factory.mktemp("zip")
    store = code.CodeStore(root / "inner" / "code")
    (root / "inner").mkdir()
    try:
        package = store.add(archive(*files.items()))
    except ServiceError:
        assert not list((root / "inner").glob("code/*"))
    else:
        directory = store.directory(package.sha256)
        assert all(path == directory or directory in path.parents for path in (root / "inner" / "code").rglob("*"))
    assert list(root.iterdir()) == [root / "inner"]


@pytest.mark.parametrize(
    ("name", "qualifier", "expected"),
    [
        ("doors", None, ARN),
        ("doors:live", None, f"{ARN}:live"),
        ("doors", "live", f"{ARN}:live"),
        ("123456789012:function:doors", None, ARN),
        ("arn:aws:lambda:us-east-1:123456789012:function:doors:1", None, f"{ARN}:1"),
        ("doors:1", "1", f"{ARN}:1"),
    ],
)
def test_a_function_has_many_names(name: str, qualifier: str | None, expected: str) -> None:
    """Name, partial ARN and ARN, with the qualifier in it or beside it."""
    parameters = {"FunctionName": name, **({"Qualifier": qualifier} if qualifier else {})}
    found = names.parse(parameters, Context("us-east-1", "123456789012", "r"))
    assert found.arn == expected
    assert parse_arn(found.arn) == found


def test_two_different_qualifiers_are_refused(lambda_: Any) -> None:
    """One in the name and another beside it cannot both be meant."""
    call = {"FunctionName": "doors:1", "Qualifier": "2"}
    assert refused(lambda: lambda_.get_function(**call)) == ("InvalidParameterValueException", 400)
