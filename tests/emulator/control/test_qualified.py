"""Versions and aliases as authorizers and permissions name them, through boto3; the code really runs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from iotauth_cli.emulator.control.lambda_.names import LATEST, FunctionName
from iotauth_cli.emulator.control.lambda_.store import FunctionStore
from iotauth_cli.emulator.state import State
from support_control import Control, code_of, message_of, zipped

ARN = "arn:aws:lambda:us-east-1:123456789012:function:doors"
AUTHORIZER = "arn:aws:iot:us-east-1:123456789012:authorizer/doors"
GRANT = {
    "FunctionName": "doors",
    "StatementId": "iot",
    "Action": "lambda:InvokeFunction",
    "Principal": "iot.amazonaws.com",
    "SourceArn": AUTHORIZER,
}
SOURCE = """
import json
POLICY = {{"Version": "2012-10-17", "Statement": [{{"Effect": "Allow", "Action": "iot:Connect", "Resource": "*"}}]}}
def handler(event, context):
    print(json.dumps([context.function_version, context.invoked_function_arn]))
    return {{
        "isAuthenticated": True,
        "principalId": "{principal}",
        "policyDocuments": [POLICY],
        "disconnectAfterInSeconds": 3600,
        "refreshAfterInSeconds": 300,
    }}
"""


@pytest.fixture
def lambda_(control: Control) -> Any:
    """Lambda with two versions of `doors`, whose answers say `one` and `two`; `$LATEST` says `latest`."""
    client = control.client("lambda")
    control.function(SOURCE.format(principal="one"), Publish=True)
    for principal, publish in (("two", True), ("latest", False)):
        content = zipped({"app.py": SOURCE.format(principal=principal)})
        client.update_function_code(FunctionName="doors", ZipFile=content, Publish=publish)
    return client


def authorized_by(control: Control, function_arn: str) -> str:
    """Let the authorizer `doors` name *function_arn*, and return the principal that its function answers."""
    iot = control.client("iot")
    settings = {"authorizerName": "doors", "authorizerFunctionArn": function_arn}
    if iot.list_authorizers()["authorizers"]:
        iot.update_authorizer(**settings)
    else:
        iot.create_authorizer(**settings, signingDisabled=True, status="ACTIVE")
    answer: str = iot.test_invoke_authorizer(authorizerName="doors", token="t")["principalId"]
    return answer


@pytest.mark.parametrize(("qualifier", "principal"), [("1", "one"), ("2", "two"), (None, "latest")])
def test_an_authorizer_runs_the_code_that_its_arn_names(
    control: Control, lambda_: Any, qualifier: str | None, principal: str
) -> None:
    """A version keeps its code, whatever became of the function since."""
    lambda_.add_permission(**GRANT, **({"Qualifier": qualifier} if qualifier else {}))
    assert authorized_by(control, f"{ARN}:{qualifier}" if qualifier else ARN) == principal


def test_an_authorizer_follows_its_alias(control: Control, lambda_: Any) -> None:
    """Moving the alias changes the code that decides; the grant to the alias goes on counting."""
    lambda_.create_alias(FunctionName="doors", Name="live", FunctionVersion="1")
    lambda_.add_permission(**GRANT, Qualifier="live")
    assert authorized_by(control, f"{ARN}:live") == "one"
    lambda_.update_alias(FunctionName="doors", Name="live", FunctionVersion="2")
    assert authorized_by(control, f"{ARN}:live") == "two"
    lambda_.update_alias(FunctionName="doors", Name="live", FunctionVersion=LATEST)
    assert authorized_by(control, f"{ARN}:live") == "latest"


def test_the_function_learns_by_which_name_it_was_called(control: Control, lambda_: Any) -> None:
    """The version is the one that runs, the ARN the one that was asked for; the log stream has the version."""
    lambda_.create_alias(FunctionName="doors", Name="live", FunctionVersion="2")
    called = lambda_.invoke(FunctionName="doors", Qualifier="live")
    assert called["ExecutedVersion"] == "2"
    (printed,) = control.client("logs").filter_log_events(logGroupName="/aws/lambda/doors", filterPattern='"live"')[
        "events"
    ]
    assert json.loads(printed["message"]) == ["2", f"{ARN}:live"]
    assert "/[2]" in printed["logStreamName"]


@pytest.mark.parametrize(
    ("granted", "asked"),
    [(None, "live"), (None, "1"), ("live", None), ("live", "1"), ("1", "live"), ("1", "2"), (None, LATEST)],
)
def test_a_grant_covers_its_own_qualifier_only(
    control: Control, lambda_: Any, granted: str | None, asked: str | None
) -> None:
    """Not the function for its alias, not the alias for the version behind it, nor the other way round."""
    lambda_.create_alias(FunctionName="doors", Name="live", FunctionVersion="1")
    lambda_.add_permission(**GRANT, **({"Qualifier": granted} if granted else {}))
    arn = f"{ARN}:{asked}" if asked else ARN
    with pytest.raises(ClientError, match="AWS IoT may not invoke function") as error:
        authorized_by(control, arn)
    assert arn.partition(":function:")[2] in message_of(error)


def test_an_alias_shows_its_own_policy(lambda_: Any) -> None:
    """The statement's resource is the qualified ARN, and the function itself has no policy."""
    lambda_.add_permission(**GRANT, Qualifier="1")
    policy = json.loads(lambda_.get_policy(FunctionName=f"{ARN}:1")["Policy"])
    assert [statement["Resource"] for statement in policy["Statement"]] == [f"{ARN}:1"]
    with pytest.raises(ClientError) as error:
        lambda_.get_policy(FunctionName="doors")
    assert code_of(error) == ("ResourceNotFoundException", 404)


def test_grants_go_with_their_alias_or_version(control: Control, lambda_: Any) -> None:
    """An alias or version that comes back under the same name may not be called by who could call the old one."""
    for again in range(2):
        lambda_.create_alias(FunctionName="doors", Name="live", FunctionVersion="2")
        for qualifier in ("live", "1") if not again else ("live",):
            lambda_.add_permission(**GRANT, Qualifier=qualifier)
        lambda_.delete_alias(FunctionName="doors", Name="live")
    lambda_.delete_function(FunctionName="doors", Qualifier="1")
    left = control.server.call(lambda: control.state.db.execute("SELECT count(*) FROM lambda_statement").fetchone()[0])
    assert left == 0


def test_a_version_and_its_number_are_written_together(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Cut off in between, neither is there: a version's number is never given twice."""
    state, function = State.open(tmp_path), FunctionName("us-east-1", "123456789012", "doors")
    store = FunctionStore(state)
    store.add(function, {"Version": LATEST}, {})

    def cut_off(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(store, "save_record", cut_off)
    with pytest.raises(KeyboardInterrupt):
        store.publish(function, {"Version": "1"})
    assert [found["Version"] for found in store.versions("us-east-1")] == [LATEST]
    state.close()


def test_deleting_a_function_by_its_alias_deletes_nothing(lambda_: Any) -> None:
    """DeleteAlias is for aliases; a version, once deleted, gives its number to no other."""
    lambda_.create_alias(FunctionName="doors", Name="live", FunctionVersion="1")
    with pytest.raises(ClientError, match="Deletion of aliases is not currently supported") as error:
        lambda_.delete_function(FunctionName="doors", Qualifier="live")
    assert code_of(error) == ("InvalidParameterValueException", 400)
    assert lambda_.get_alias(FunctionName="doors", Name="live")["FunctionVersion"] == "1"
    lambda_.delete_function(FunctionName="doors", Qualifier="2")
    assert lambda_.publish_version(FunctionName="doors")["Version"] == "3"


def test_aliases_of_a_function_that_is_not_there(control: Control) -> None:
    """404 with the function's ARN, and an alias that is not there names its own."""
    client = control.client("lambda")
    alias = {"Name": "live", "FunctionVersion": "1"}
    for call, parameters in (
        (client.list_aliases, {}),
        (client.create_alias, alias),
        (client.list_versions_by_function, {}),
        (client.publish_version, {}),
    ):
        with pytest.raises(ClientError, match=r"Function not found: .*:function:windows") as error:
            call(FunctionName="windows", **parameters)
        assert code_of(error) == ("ResourceNotFoundException", 404)
    with pytest.raises(ClientError, match=r"Cannot find alias arn: .*:function:windows:live"):
        client.get_alias(FunctionName="windows", Name="live")


def test_an_alias_needs_a_version_that_is_there(lambda_: Any) -> None:
    """Made or moved to a version that was never published it is refused, and stays where it was."""
    lambda_.create_alias(FunctionName="doors", Name="live", FunctionVersion="1")
    for call in (lambda_.create_alias, lambda_.update_alias):
        with pytest.raises(ClientError, match=f"Function not found: {ARN}:7"):
            call(FunctionName="doors", Name="live" if call == lambda_.update_alias else "next", FunctionVersion="7")
    assert lambda_.get_alias(FunctionName="doors", Name="live")["FunctionVersion"] == "1"


def test_aliases_and_versions_are_listed_in_order_and_in_pages(control: Control, lambda_: Any) -> None:
    """The unpublished version comes first, ten after nine; aliases of one version on request."""
    for number in range(3, 12):
        lambda_.update_function_configuration(FunctionName="doors", Description=str(number), Timeout=number)
        lambda_.publish_version(FunctionName="doors", Description=f"number {number}")
    pages = lambda_.get_paginator("list_versions_by_function").paginate(
        FunctionName="doors", PaginationConfig={"PageSize": 5}
    )
    versions = [version["Version"] for page in pages for version in page["Versions"]]
    assert versions == [LATEST, *map(str, range(1, 12))]
    for name, version in (("live", "1"), ("next", "11"), ("test", "11")):
        lambda_.create_alias(FunctionName="doors", Name=name, FunctionVersion=version)
    found = lambda_.list_aliases(FunctionName="doors", FunctionVersion="11")["Aliases"]
    assert [alias["AliasArn"] for alias in found] == [f"{ARN}:next", f"{ARN}:test"]


def test_publishing_can_be_bound_to_what_was_seen(lambda_: Any) -> None:
    """Another digest or a stale revision publishes nothing."""
    stale = "00000000-0000-0000-0000-000000000000"
    for condition, code in (
        ({"CodeSha256": "other"}, "InvalidParameterValueException"),
        ({"RevisionId": stale}, "PreconditionFailedException"),
    ):
        with pytest.raises(ClientError) as error:
            lambda_.publish_version(FunctionName="doors", **condition)
        assert code_of(error)[0] == code
    assert lambda_.publish_version(FunctionName="doors")["Version"] == "3"
    lambda_.create_alias(FunctionName="doors", Name="live", FunctionVersion="3")
    with pytest.raises(ClientError) as error:
        lambda_.update_alias(FunctionName="doors", Name="live", FunctionVersion="1", RevisionId=stale)
    assert code_of(error) == ("PreconditionFailedException", 412)


def test_an_alias_between_two_versions_is_not_implemented(lambda_: Any) -> None:
    """A share of the calls for another version is refused by name, not ignored."""
    routing = {"AdditionalVersionWeights": {"2": 0.1}}
    with pytest.raises(ClientError, match="share calls between two versions"):
        lambda_.create_alias(FunctionName="doors", Name="live", FunctionVersion="1", RoutingConfig=routing)


def test_a_throttled_function_refuses_devices_by_name(control: Control, lambda_: Any) -> None:
    """Reserved concurrency 0 stops every version of the function; AWS IoT does not call it."""
    lambda_.add_permission(**GRANT, Qualifier="1")
    lambda_.put_function_concurrency(FunctionName="doors", ReservedConcurrentExecutions=0)
    with pytest.raises(ClientError, match="Lambda throttled function `doors:1`: its reserved concurrency is 0"):
        authorized_by(control, f"{ARN}:1")
    assert control.client("logs").describe_log_groups()["logGroups"] == []
    lambda_.delete_function_concurrency(FunctionName="doors")
    assert authorized_by(control, f"{ARN}:1") == "one"
