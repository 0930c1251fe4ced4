"""`iotauth emulator deploy`: a template and its folders, to a real emulator, up to a device that is let in."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from iotauth_cli import bundle
from iotauth_cli.cli import render_deploy
from iotauth_cli.errors import InputError, IotauthError
from iotauth_cli.operations import deploy
from iotauth_cli.operations.deploy import Began, Deployed, Packaged, StackEvent
from iotauth_cli.operations.installation import Wish
from support import REPOSITORY
from support_emulator import RunningEmulator, running_emulator
from support_world import Place

OURS = REPOSITORY / "lambda_src" / "template.yaml"
HANDLER = "def handler(event, context):\n    return {'isAuthenticated': False}\n"
TEMPLATE = """
Parameters:
  Mode: {Type: String, Default: "on"}
Resources:
  Role:
    Type: AWS::IAM::Role
    Properties:
      AssumeRolePolicyDocument:
        Version: 2012-10-17
        Statement: [{Effect: Allow, Principal: {Service: lambda.amazonaws.com}, Action: sts:AssumeRole}]
  Ask:
    Type: AWS::Lambda::Function
    Properties:
      Code: src
      Handler: app.handler
      Runtime: python3.13
      Role: !GetAtt Role.Arn
      Environment: {Variables: {MODE: !Ref Mode}}
Outputs:
  Name: {Value: !Ref Ask}
"""


@pytest.fixture
def place(emulator: RunningEmulator, tmp_path: Path) -> Iterator[Place]:
    """An empty project at the session's emulator, with a template `ask.yaml` and its folder `src`."""
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "app.py").write_text(HANDLER)
    (tmp_path / "ask.yaml").write_text(TEMPLATE)
    place = Place(emulator, tmp_path, Wish("iotauth", "iotauth-clients", "iotauth-authorizer"))
    yield place
    for stack in emulator.client("cloudformation").describe_stacks()["Stacks"]:
        emulator.client("cloudformation").delete_stack(StackName=stack["StackName"])


def run(place: Place, template: Path | None = None, **parameters: str) -> tuple[Deployed, list[deploy.Event]]:
    path = template or place.project / "ask.yaml"
    wish = deploy.Wish(path, deploy.stack_name(path), place.emulator.state_dir, parameters)
    events = list(deploy.deploy(place.session, wish))
    ended = events[-1]
    assert isinstance(ended, Deployed)
    return ended, events


def configuration(place: Place, ended: Deployed) -> Any:
    name = ended.outputs[0].value
    return place.emulator.client("lambda").get_function_configuration(FunctionName=name)


def test_our_own_template_gives_an_authorizer_that_lets_a_client_in(tmp_path: Path) -> None:
    """From `lambda_src/template.yaml` alone: deploy, add a client, connect; and a wrong password is refused."""
    with running_emulator(tmp_path) as emulator:
        place = Place(emulator, tmp_path, Wish("iotauth", "iotauth-clients", "iotauth-authorizer"))
        ended, _ = run(place, OURS)
        assert ended.ok, ended.reason
        outputs = {output.key: output.value for output in ended.outputs}
        assert outputs["UnsignedAuthorizerName"] == "iotauth"
        assert outputs["TableName"] == "iotauth-clients"
        place.add()
        assert place.knock().diagnosis is None
        place.add("thermo-2", "sensors/thermo-2")
        refused = place.knock(client_id="thermo-1", authorizer=None, password=place_password(place, "thermo-2"))
        assert refused.diagnosis is not None
        assert refused.diagnosis.cause == "wrong-password"
        place.table.close()


def place_password(place: Place, client_id: str) -> Any:
    kept = place.store.load(client_id)
    assert kept is not None
    return kept.password


def test_events_are_told_as_they_come_and_outputs_at_the_end(place: Place) -> None:
    """First what was packaged, then the stack's own events from its beginning to its end."""
    ended, events = run(place)
    assert (ended.ok, ended.action, ended.status) == (True, "create", "CREATE_COMPLETE")
    assert isinstance(events[0], Packaged)
    assert (events[0].resource, events[0].files, events[0].has_requirements) == ("Ask", 1, False)
    assert events[1] == Began("ask", "create")
    told = [(event.logical_id, event.status) for event in events if isinstance(event, StackEvent)]
    assert told[0] == ("ask", "CREATE_IN_PROGRESS")
    assert told[-1] == ("ask", "CREATE_COMPLETE")
    assert configuration(place, ended)["Environment"]["Variables"] == {"MODE": "on"}


def test_the_same_again_changes_nothing_and_new_code_changes_the_function(place: Place) -> None:
    """A package is named by its content, so only content counts, not dates."""
    first, _ = run(place)
    (place.project / "src" / "app.py").touch()
    again, events = run(place)
    assert (again.action, again.outputs) == ("keep", first.outputs)
    assert not [event for event in events if isinstance(event, StackEvent | Began)]
    before = configuration(place, first)["CodeSha256"]
    (place.project / "src" / "app.py").write_text(HANDLER + "# changed\n")
    changed, events = run(place)
    assert (changed.action, changed.status) == ("update", "UPDATE_COMPLETE")
    assert configuration(place, changed)["CodeSha256"] != before
    told = [event.logical_id for event in events if isinstance(event, StackEvent)]
    assert set(told) == {"ask", "Ask"}, "only this update's events"


def test_a_parameter_that_is_not_given_again_stays(place: Place) -> None:
    run(place, Mode="off")
    (place.project / "src" / "app.py").write_text(HANDLER + "# changed\n")
    ended, _ = run(place)
    assert configuration(place, ended)["Environment"]["Variables"] == {"MODE": "off"}


def test_a_failed_stack_is_an_answer_and_the_next_run_starts_anew(place: Place) -> None:
    """What failed at its creation is deleted before it is tried again."""
    (place.project / "ask.yaml").write_text(TEMPLATE.replace("python3.13", "cobol"))
    failed, events = run(place)
    assert (failed.ok, failed.status) == (False, "ROLLBACK_COMPLETE")
    reasons = [event.reason for event in events if isinstance(event, StackEvent) and event.status == "CREATE_FAILED"]
    assert "cobol" in str(reasons)
    (place.project / "ask.yaml").write_text(TEMPLATE)
    ended, _ = run(place)
    assert ended.status == "CREATE_COMPLETE"


def test_a_sam_template_takes_its_code_from_globals_too(place: Place) -> None:
    """CodeUri of one function, and the one that all share."""
    (place.project / "other").mkdir()
    (place.project / "other" / "app.py").write_text(HANDLER + "# other\n")
    (place.project / "sam.yaml").write_text(
        """
Transform: AWS::Serverless-2016-10-31
Globals: {Function: {CodeUri: src, Handler: app.handler, Runtime: python3.13}}
Resources:
  One: {Type: AWS::Serverless::Function, Properties: {Timeout: 5}}
  Other: {Type: AWS::Serverless::Function, Properties: {CodeUri: ./other}}
"""
    )
    ended, events = run(place, place.project / "sam.yaml")
    assert ended.ok, events
    assert [event.resource for event in events if isinstance(event, Packaged)] == ["Globals", "Other"]


def test_libraries_that_are_not_installed_are_told(place: Place) -> None:
    """The package is the folder as it is; who needs what requirements.txt names hears of it."""
    (place.project / "src" / "requirements.txt").write_text("requests\n")
    (place.project / "src" / "__pycache__").mkdir()
    (place.project / "src" / "__pycache__" / "app.pyc").write_bytes(b"")
    (place.project / "src" / ".env").write_text("SECRET=1")
    _, events = run(place)
    assert isinstance(events[0], Packaged)
    assert (events[0].files, events[0].has_requirements) == (2, True)
    lines = render_deploy.lines(events[0], lambda path: path.name)
    assert lines[0] == "packaged `src` for `Ask`: 2 files, 1 KiB"
    assert "requirements.txt" in lines[1]


def test_a_zip_is_taken_as_it_is(place: Place) -> None:
    """What another tool has built goes up unchanged."""
    files = bundle.folder_files(place.project / "src")
    content = bundle.folder_zip(place.project / "src", files)
    (place.project / "built.zip").write_bytes(content)
    (place.project / "ask.yaml").write_text(TEMPLATE.replace("Code: src", "Code: built.zip"))
    ended, _ = run(place)
    assert configuration(place, ended)["CodeSha256"] == bundle.code_sha256(content)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda folder: (folder / "ask.yaml").unlink(), "there is no template"),
        (lambda folder: (folder / "ask.yaml").write_text("Resources: ["), "`ask.yaml` cannot be read: YAML not well"),
        (lambda folder: shutil.rmtree(folder / "src"), "`Ask` has its code in"),
        (lambda folder: (folder / "src" / "app.py").unlink(), "`Ask` has its code in"),
        (lambda folder: (folder / "ask.yaml").write_text("Resources: {}"), "At least one Resources member"),
    ],
    ids=["no template", "no YAML", "no folder", "empty folder", "no resources"],
)
def test_what_cannot_be_deployed_is_the_callers_to_mend(place: Place, change: Any, said: str) -> None:
    """Nothing is made, and the message names the file or the resource."""
    change(place.project)
    with pytest.raises(InputError) as refused:
        run(place)
    assert said in refused.value.message
    assert place.emulator.client("cloudformation").describe_stacks()["Stacks"] == []


def test_code_in_a_bucket_is_refused_by_name(place: Place) -> None:
    """There is no S3 here, and the way out is in the reason."""
    (place.project / "ask.yaml").write_text(TEMPLATE.replace("Code: src", "Code: {S3Bucket: mine, S3Key: a.zip}"))
    ended, events = run(place)
    assert not ended.ok
    reasons = [str(event.reason) for event in events if isinstance(event, StackEvent)]
    assert any(
        "code from s3://mine/a.zip; deploy its folder with `iotauth emulator deploy`" in each for each in reasons
    )


def test_without_the_translator_a_sam_template_is_not_even_packaged(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deploy, "SAM_PACKAGE", "no_such_package")
    with pytest.raises(IotauthError) as refused:
        run(place, OURS)
    assert refused.value.hint == "install it with `pip install 'iotauth[sam]'`"


@pytest.mark.parametrize(
    ("path", "name"),
    [("site/doors.yaml", "doors"), ("my_site/template.yaml", "my-site"), ("a/7.yml", "stack-7"), ("a/x y.yml", "x-y")],
)
def test_a_stack_is_named_after_its_template(path: str, name: str) -> None:
    """After its folder, if the file is called `template` as most are."""
    assert deploy.stack_name(Path(path)) == name


def test_parameters_are_read_up_to_the_first_equals_sign() -> None:
    assert deploy.parameters(["Key=a=b", "Empty="]) == {"Key": "a=b", "Empty": ""}
    with pytest.raises(InputError, match="`Key` is not a parameter with its value"):
        deploy.parameters(["Key"])
