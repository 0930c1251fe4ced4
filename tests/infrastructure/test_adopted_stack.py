"""`iotauth init --from-stack`, and every command on what a stack has made."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from iotauth_cli.aws import cloudformation
from iotauth_cli.errors import Conflict
from iotauth_cli.operations import adoption_of_stack
from iotauth_cli.operations.installation.stack import stack_of
from support_desk import Desk
from support_stack import STACK, Deployment, deployed, key_pair


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    with deployed(tmp_path_factory.mktemp("stack")) as found:
        yield found


@pytest.fixture
def desk(stack: Deployment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    """A project folder with nothing in it, at the stack's emulator."""
    folder = tmp_path / "project"
    folder.mkdir()
    monkeypatch.chdir(folder)
    monkeypatch.setenv("IOTAUTH_STATE_DIR", str(stack.emulator.state_dir))
    return Desk(folder)


@pytest.fixture
def project(desk: Desk) -> Desk:
    """The folder after `init --from-stack`."""
    typed = desk("init", "--from-stack", STACK, "--emulator")
    assert typed.code == 0, typed.text
    return desk


def test_a_project_is_written_from_the_outputs(desk: Desk) -> None:
    """Authorizer, table and function as settings; the second authorizer in a comment."""
    typed = desk("init", "--from-stack", STACK, "--emulator")
    assert typed.code == 0, typed.text
    text = (desk.folder / "iotauth.yaml").read_text()
    assert "# From stack `doors`" in text
    assert "second authorizer: iotauth-signed" in text
    assert yaml.safe_load(text) == {
        "authorizer": "iotauth",
        "table": "iotauth-clients",
        "function": "iotauth-authorizer",
        "emulator": True,
    }
    assert "copy its private key to" in typed.text
    again = desk("init", "--from-stack", STACK, "--emulator")
    assert (again.code, "`iotauth.yaml` exists already" in again.text) == (2, True)
    named = desk("init", "--from-stack", STACK, "--emulator", "--config", "other.yaml", "--json")
    assert named.document["table"] == "iotauth-clients"
    assert desk("config", "show", "--config", "other.yaml").code == 0


def test_clients_live_on_the_stack(project: Desk) -> None:
    """From `client add` to `client audit`, and what connects in between, as on an installation of our own."""
    for command in (
        ["client", "add", "thermo-1", "--topic", "sensors/thermo-1"],
        ["client", "list"],
        ["test-connect", "thermo-1"],
        ["authorizer", "test-invoke", "--client", "thermo-1"],
        ["authorizer", "list"],
        ["policy", "can", "thermo-1", "publish", "sensors/thermo-1"],
        ["client", "rotate", "thermo-1"],
        ["test-connect", "thermo-1"],
        ["client", "confirm", "thermo-1"],
        ["client", "audit"],
        ["logs"],
        ["client", "disable", "thermo-1"],
    ):
        typed = project(*command)
        assert typed.code == 0, (command, typed.text)
    assert project("test-connect", "thermo-1").code == 1, "a disabled client is refused"
    assert project("client", "remove", "thermo-1", "--yes").code == 0


def test_the_stacks_own_key_signs(project: Desk, stack: Deployment) -> None:
    """The private key that belongs to SigningPublicKey, from its file and then kept in the project."""
    private, _ = key_pair()
    (project.folder / "current.pem").write_text(private.reveal())
    (project.folder / "current.pem").chmod(0o600)
    signed = ["--authorizer", "iotauth-signed"]
    typed = project("keys", "sign", "--for-client", "door-7", "--key", "current.pem", *signed, "--json")
    assert typed.code == 0, typed.text
    found = typed.document
    verified = project("keys", "verify", found["token"], *signed, stdin=found["signature"])
    assert verified.code == 0, verified.text
    kept = project.folder / ".iotauth" / "keys" / "emulator" / "iotauth-signed"
    (project.folder / "current.pem").rename(kept / "current.pem")
    again = project("init", "--from-stack", STACK, "--emulator", "--force")
    assert "copy its private key" not in again.text
    for command in (["client", "add", "door-7", "--topic", "doors/7"], ["test-connect", "door-7"]):
        typed = project(*command, "--config", signed_settings(project))
        assert typed.code == 0, typed.text
    assert project("client", "remove", "door-7", "--yes").code == 0


def signed_settings(project: Desk) -> str:
    """Return a settings file for the stack's second authorizer."""
    text = (project.folder / "iotauth.yaml").read_text()
    (project.folder / "signed.yaml").write_text(text.replace("authorizer: iotauth\n", "authorizer: iotauth-signed\n"))
    return "signed.yaml"


def test_doctor_finds_nothing_wrong_and_show_says_whose_it_is(project: Desk) -> None:
    """Names that CloudFormation has chosen, of role and permission, are no drift."""
    shown = project("authorizer", "show")
    assert shown.code == 0, shown.text
    assert "stack" in shown.text
    assert "puts that right" not in shown.text, "create would be refused"
    found = project("doctor", "--only", "authorizer", "--only", "function", "--only", "table", "--json").document
    wrong = [each for each in found["checks"] if each["status"] in ("error", "warning")]
    assert wrong == []


def test_what_is_amiss_is_put_right_by_the_template(project: Desk, stack: Deployment) -> None:
    """Doctor offers no `authorizer create` and no repair for what the stack owns."""
    functions = stack.client("lambda")
    functions.update_function_configuration(FunctionName="iotauth-authorizer", Timeout=9)
    try:
        found = project("doctor", "--only", "function-timeout", "--json").document["checks"][0]
    finally:
        functions.update_function_configuration(FunctionName="iotauth-authorizer", Timeout=5)
    assert found["status"] == "warning"
    assert (found["fix"], found["safe"]) == ("sam deploy --stack-name doors", False)


def test_an_authorizer_that_is_off_is_turned_on_by_its_own_command(project: Desk) -> None:
    """CloudFormation could not: `authorizer enable` can, on a stack's authorizer too."""
    assert project("authorizer", "disable", "--yes").code == 0
    found = project("doctor", "--only", "authorizer-status", "--json").document["checks"][0]
    assert (found["status"], found["fix"]) == ("error", "iotauth authorizer enable iotauth")
    assert project("authorizer", "enable").code == 0
    assert project("doctor", "--only", "authorizer-status").code == 0


@pytest.mark.parametrize("command", ["create", "delete"])
def test_a_stacks_function_is_not_changed(project: Desk, command: str) -> None:
    """Neither put right nor taken away: its template does both."""
    typed = project("authorizer", command, "--yes")
    assert typed.code == 3, typed.text
    assert "belongs to stack `doors`" in typed.text
    assert {"create": "sam deploy", "delete": "delete-stack"}[command] in typed.text


def test_an_authorizer_beside_the_stacks_own_may_come_and_go(project: Desk, stack: Deployment) -> None:
    """One that somebody adds to the stack's function is theirs."""
    arn = stack.outputs["AuthorizerFunctionArn"]
    created = project("authorizer", "create", "gates", "--function", arn, "--yes")
    assert created.code == 0, created.text
    deleted = project("authorizer", "delete", "gates", "--yes")
    assert deleted.code == 0, deleted.text
    assert stack_of(stack.place.session, "iotauth-authorizer") == STACK


TABLE_ALONE = """
Resources:
  Table:
    Type: AWS::DynamoDB::Table
    Properties:
      TableName: things
      BillingMode: PAY_PER_REQUEST
      AttributeDefinitions: [{AttributeName: Client_ID, AttributeType: S}]
      KeySchema: [{AttributeName: Client_ID, KeyType: HASH}]
Outputs:
  TableName: {Value: !Ref Table}
"""
OLDER = """
Resources:
  Logs: {Type: AWS::Logs::LogGroup}
Outputs:
  AuthorizerFunctionArn: {Value: %s}
"""
GONE = """
Resources:
  Logs: {Type: AWS::Logs::LogGroup}
Outputs:
  UnsignedAuthorizerName: {Value: nobody}
"""


@pytest.fixture
def stacks(stack: Deployment) -> Iterator[Any]:
    client = stack.client("cloudformation")
    yield client
    for each in client.describe_stacks()["Stacks"]:
        if each["StackName"] != STACK:
            client.delete_stack(StackName=each["StackName"])


def test_an_older_stack_tells_less_and_aws_the_rest(desk: Desk, stack: Deployment, stacks: Any) -> None:
    """Of the function alone: the authorizers that call it, and the table that it reads."""
    text = OLDER % stack.outputs["AuthorizerFunctionArn"]
    stacks.create_stack(StackName="older", TemplateBody=text)
    typed = desk("init", "--from-stack", "older", "--emulator", "--json")
    assert typed.code == 0, typed.text
    assert [each["name"] for each in typed.document["authorizers"]] == ["iotauth", "iotauth-signed"]
    assert typed.document["table"] == "iotauth-clients"


def test_other_names_than_the_usual_are_written(desk: Desk, stack: Deployment, stacks: Any) -> None:
    """A stack's names are its own: none of them is what a new settings file has."""
    with stack.place.deployed("gates", "def handler(event, context):\n    return {}\n"):
        text = GONE.replace("nobody", "gates") + "  TableName: {Value: gate-clients}\n"
        stacks.create_stack(StackName="gates", TemplateBody=text)
        typed = desk("init", "--from-stack", "gates", "--emulator")
    assert typed.code == 0, typed.text
    assert yaml.safe_load((desk.folder / "iotauth.yaml").read_text()) == {
        "authorizer": "gates",
        "table": "gate-clients",
        "function": "gates",
        "emulator": True,
    }


def test_a_stack_that_is_being_changed_is_waited_for(
    project: Desk, stack: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its outputs are about to be others."""
    busy = cloudformation.Stack("id", STACK, "UPDATE_IN_PROGRESS")
    monkeypatch.setattr(cloudformation, "find", lambda _session, _name: busy)
    with pytest.raises(Conflict, match="stack `doors` is being changed: it is UPDATE_IN_PROGRESS"):
        adoption_of_stack.read(stack.place.session, STACK)


def test_a_table_that_nobody_names_is_asked_for(desk: Desk, stack: Deployment, stacks: Any) -> None:
    """Neither an output nor the function tells it."""
    with stack.place.deployed("theirs", "def handler(event, context):\n    return {}\n"):
        stacks.create_stack(StackName="older", TemplateBody=GONE.replace("nobody", "theirs"))
        typed = desk("init", "--from-stack", "older", "--emulator")
    assert typed.code == 2
    assert "stack `older` has no output `TableName`, and its function `theirs` names no table" in typed.text


def test_a_template_of_what_a_stack_has_made_says_whose_it_is(project: Desk) -> None:
    """Deployed beside the stack it would meet every name taken; that is said before anybody tries."""
    [told] = [line for line in project("template", "-o", "copy.yaml").lines if " owns function " in line]
    assert told.startswith(f"! stack `{STACK}` owns function `")
    assert "another region or account" in told


@pytest.mark.parametrize(
    ("template", "said"),
    [
        (None, "there is no stack `other` in the emulator"),
        (TABLE_ALONE, "stack `other` is none of iotauth's"),
        (GONE, "stack `other` names authorizer `nobody`, and there is none"),
        (TABLE_ALONE.replace("Client_ID, KeyType", "Other, KeyType"), "stack `other` is not whole"),
    ],
    ids=["absent", "not ours", "authorizer gone", "never made"],
)
def test_what_is_no_stack_of_ours_is_refused(desk: Desk, stacks: Any, template: str | None, said: str) -> None:
    """In one sentence, with a hint, and no file is written."""
    if template:
        stacks.create_stack(StackName="other", TemplateBody=template)
    typed = desk("init", "--from-stack", "other", "--emulator")
    assert typed.code != 0
    assert said in typed.text
    assert "! hint: " in typed.text
    assert not (desk.folder / "iotauth.yaml").exists()
