"""IAM's documents for three roles against what is really called: nothing is missing, nothing is superfluous."""

from __future__ import annotations

import base64
import itertools
import json
import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import cfnlint
import pytest
from cfnlint.api import lint
from cfnlint.config import ManualArgs

from iotauth_authorizer import handler
from iotauth_authorizer.grants import ArnScope
from iotauth_cli.aws.iam_actions import Right, rights
from iotauth_cli.cli import Root
from iotauth_cli.cli.lazy import LazyGroup
from iotauth_cli.operations import iam_documents
from iotauth_cli.operations.iam_documents import MAX_MANAGED, Names
from iotauth_cli.operations.iam_documents.grants import ADOPTING, CHANGING, READING, READING_A_STACK
from support_desk import Desk
from support_emulator import RunningEmulator
from support_iam import is_allowed, listed, meets
from support_operations import called, operation
from support_recorded import Call, recorded
from support_tour import OLDER_FUNCTION, SETTINGS, STACK, TOUR, Played, play

Document = dict[str, Any]
EVERYBODY = {"sts:GetCallerIdentity"}  # needs no right: STS API reference
# What readers would like and do not get: the one runs code past AWS IoT, the others reach devices.
DENIED_TO_READERS = {"lambda:InvokeFunction", "iot:Publish", "iot:RetainPublish"}


class Statement(NamedTuple):
    actions: frozenset[str]
    resources: tuple[str, ...]
    passed_to: str | None


def statements(document: Document) -> list[Statement]:
    return [
        Statement(
            frozenset(listed(each["Action"])),
            tuple(listed(each["Resource"])),
            each.get("Condition", {}).get("StringEquals", {}).get("iam:PassedToService"),
        )
        for each in document["Statement"]
    ]


def needed(calls: Iterable[Call], scope: ArnScope) -> set[Right]:
    return {right for call in calls for right in call.rights(scope)}


def unused(document: Document, rights: set[Right]) -> set[tuple[str, str]]:
    """Return actions with the resources of which no call of that action, or of its statement, had need."""
    found = set()
    for each in statements(document):
        used = [right for right in rights if right.action in each.actions]
        found |= {(action, "*") for action in each.actions - {right.action for right in used}}
        found |= {
            (" ".join(sorted(each.actions)), pattern)
            for pattern in each.resources
            if not any(meets(pattern, right.resource) for right in used)
        }
    return found


@pytest.fixture(scope="module")
def scope(emulator: RunningEmulator) -> ArnScope:
    return ArnScope("aws", emulator.ready.region, emulator.ready.account)


@pytest.fixture(scope="module")
def names(scope: ArnScope) -> Names:
    return Names(scope, (SETTINGS["IOTAUTH_AUTHORIZER"],), SETTINGS["IOTAUTH_TABLE"], SETTINGS["IOTAUTH_FUNCTION"])


@pytest.fixture(scope="module")
def played(emulator: RunningEmulator, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Played]:
    folder = tmp_path_factory.mktemp("tour")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        environment = {"IOTAUTH_EMULATOR": "1", "IOTAUTH_STATE_DIR": str(emulator.state_dir), "HOME": str(folder)}
        # With `--no-emulator` it is AWS for the program, which then has to ask where devices connect.
        for name, value in {**environment, **SETTINGS, **emulator.variables}.items():
            patch.setenv(name, value)
        yield play(Desk(folder), emulator, folder)


def test_the_tour_is_played_to_its_end(played: Played) -> None:
    """Every command of it does what it is there for: what failed would have called less."""
    assert not [(line, text) for line, code, text in played.ended if code not in (0, 1)]


def test_the_operators_document_allows_every_call_of_every_command(played: Played, names: Names) -> None:
    """Action by action and resource by resource, as IAM would compare them."""
    document = iam_documents.operator(names)
    assert not {right for right in needed(played.settled, names.scope) if not is_allowed(document, right)}


def test_the_operators_document_has_nothing_that_no_command_calls(played: Played, names: Names) -> None:
    """Each action was called, and each resource was called for."""
    assert not unused(iam_documents.operator(names), needed(played.settled, names.scope))


def test_who_adopts_needs_a_little_more(played: Played, names: Names) -> None:
    """The other function's statements come by name, and are enough; nothing of them is left over."""
    document = iam_documents.operator(replace(names, other_function=OLDER_FUNCTION, stack=STACK))
    rights = needed(played.adopting, names.scope)
    assert {right for right in rights if not is_allowed(document, right)} == LOOKED_AT_IF_ALLOWED
    assert not unused(document, rights | needed(played.settled, names.scope))


# The policies of the other function's role may name its table; its environment mostly does too. The role is nobody's
# to name beforehand, and the command does without.
LOOKED_AT_IF_ALLOWED = {
    Right(f"iam:{action}", "arn:aws:iam::123456789012:role/role-of-older-function")
    for action in ("GetRolePolicy", "ListAttachedRolePolicies", "ListRolePolicies")
}


def test_every_operation_that_the_sources_name_is_granted_or_the_emulators_alone(names: Names) -> None:
    """What no tour meets, an error's way out, is called all the same."""
    document = iam_documents.operator(replace(names, other_function=OLDER_FUNCTION, stack=STACK))
    granted = {action for each in statements(document) for action in each.actions}
    insert = {"Statement": 'INSERT INTO "doors"'}
    found = {
        right.action
        for service, method in called()
        for name in [operation(service, method).name]
        for right in rights(service, name, insert if name.endswith("Statement") else {}, names.scope)
    }
    assert found - granted == ON_THE_EMULATOR_ALONE


ON_THE_EMULATOR_ALONE = {  # `emulator deploy`
    "cloudformation:CreateStack",
    "cloudformation:DeleteStack",
    "cloudformation:DescribeStackEvents",
    "cloudformation:UpdateStack",
}


def test_a_role_is_passed_to_one_service_only(names: Names) -> None:
    """Whoever may pass a role to any service can have its rights; and nothing else has that condition."""
    found = {action: each.passed_to for each in statements(iam_documents.operator(names)) for action in each.actions}
    passing = {each.passed_to for each in statements(iam_documents.operator(names)) if "iam:PassRole" in each.actions}
    assert passing == {"lambda.amazonaws.com", "iot.amazonaws.com"}
    assert [action for action, passed_to in found.items() if passed_to] == ["iam:PassRole"]


def test_a_readers_document_allows_what_reading_commands_call(played: Played, names: Names) -> None:
    """All that is missing is what was left out on purpose."""
    document = iam_documents.readonly(names)
    missing = {right.action for right in needed(played.reading, names.scope) if not is_allowed(document, right)}
    assert missing <= DENIED_TO_READERS


def test_a_readers_document_has_nothing_that_no_reading_command_calls(played: Played, names: Names) -> None:
    """Nor more of what the operator's has."""
    assert not unused(iam_documents.readonly(names), needed(played.reading, names.scope))


def test_reading_commands_change_nothing(played: Played) -> None:
    """None of their calls is one that changes, by the name of its operation."""
    assert not {call.action for call in played.reading if call.is_mutating} - DENIED_TO_READERS


def test_every_command_is_played_or_needs_no_right() -> None:
    """A new command joins the tour; what is not in it asks nobody, or the emulator alone."""
    typed = {tuple(line.split()) for line in "\n".join(TOUR).splitlines() if line}
    unplayed = {
        name
        for name in commands(Root())
        if not any(words[: len(name.split())] == tuple(name.split()) for words in typed)
    }
    assert not {name for name in unplayed if not name.startswith("emulator ")} - ASKING_NOBODY


def commands(group: LazyGroup, path: tuple[str, ...] = ()) -> Iterator[str]:
    for name in group.table:
        loaded = group.load(name)
        if isinstance(loaded, LazyGroup):
            yield from commands(loaded, (*path, name))
        else:
            yield " ".join((*path, name))


ASKING_NOBODY = {
    "boards",
    "estimate",
    "explain",
    "flash",  # asks for the client's credential as `secrets render` does
    "init",
    "keys generate",
    "keys public",
    "keys sign",
    "keys verify",
    "policy function",
    "policy operator",
    "policy readonly",
    "policy rules",
    "quickstart",  # on the emulator alone
    "secrets scan",
}


def test_the_functions_document_is_what_the_function_calls(
    emulator: RunningEmulator, names: Names, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The handler, with its client recorded: one read, and one write when it notes something. Lambda writes its log."""
    for name, value in {**emulator.variables, **OWN, "IOTAUTH_EMULATOR": "1", "HOME": str(tmp_path)}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("IOTAUTH_STATE_DIR", str(emulator.state_dir))
    monkeypatch.chdir(tmp_path)
    desk = Desk(tmp_path)
    assert not desk("authorizer", "create", "--yes").code
    assert not desk("client", "add", "door-1", "--topic", "doors/1", "--password-stdin", stdin="first pass 1").code
    assert not desk("client", "rotate", "door-1", "--password-stdin", stdin="other pass 2").code
    function = handler.Function({**os.environ, "IOTAUTH_TABLE": OWN["IOTAUTH_TABLE"]})
    answers = []
    with recorded() as calls:
        for password in ("first pass 1", "other pass 2", "wrong"):
            answers.append(function(event_of("door-1", password), Context())["isAuthenticated"])
    function.close()
    assert answers == [True, True, False]
    own = replace(names, table=OWN["IOTAUTH_TABLE"], function=OWN["IOTAUTH_FUNCTION"])
    document = iam_documents.function_policy(own)
    rights = needed(calls, own.scope) | lambdas_log(emulator, own, desk)
    assert not {right for right in rights if not is_allowed(document, right)}
    assert not unused(document, rights)


OWN = {"IOTAUTH_AUTHORIZER": "gates", "IOTAUTH_TABLE": "gates-clients", "IOTAUTH_FUNCTION": "gates-function"}


class Context:
    invoked_function_arn = "arn:aws:lambda:us-east-1:123456789012:function:gates-function"


def event_of(client_id: str, password: str) -> dict[str, Any]:
    mqtt = {"username": client_id, "clientId": client_id, "password": base64.b64encode(password.encode()).decode()}
    return {"protocolData": {"mqtt": mqtt}, "protocols": ["tls", "mqtt"], "signatureVerified": False}


def lambdas_log(emulator: RunningEmulator, names: Names, desk: Desk) -> set[Right]:
    """Return what Lambda needed to log a call under the function's role: its stream is there, and lines are in it."""
    assert not desk("authorizer", "test-invoke", "--client", "door-1").code
    group = f"/aws/lambda/{names.function}"
    streams = emulator.client("logs").describe_log_streams(logGroupName=group)["logStreams"]
    lines = emulator.client("logs").filter_log_events(logGroupName=group)["events"]
    done = [*(["CreateLogStream"] if streams else []), *(["PutLogEvents"] if lines else [])]
    return {right for name in done for right in Call("logs", name, {"logGroupName": group}).rights(names.scope)}


@pytest.fixture(scope="module")
def reference() -> dict[str, Any]:
    """AWS's Service Authorization Reference, as cfn-lint carries it: actions and resource types of each service."""
    path = Path(cfnlint.__file__).parent / "data" / "AdditionalSpecs" / "Policies.json"
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return found


ROLES = [iam_documents.operator, iam_documents.readonly, iam_documents.function_policy]
WHERE = [ArnScope(*where) for where in (("aws", "eu-west-1", "123456789012"), ("aws-cn", "cn-north-1", "123456789012"))]


@pytest.mark.parametrize("scope", WHERE, ids=lambda scope: scope.partition)
@pytest.mark.parametrize("role", ROLES, ids=lambda role: role.__name__)
def test_awss_reference_knows_every_action_and_takes_its_resources(
    role: Any, scope: ArnScope, reference: dict[str, Any]
) -> None:
    """`*` stands where the action supports no resource and nowhere else; an ARN is one of the action's own types."""
    wrong = []
    for each in statements(role(Names(scope, ("doors",), "doors-clients", "doors-function"))):
        for action in each.actions:
            service, name = action.split(":")
            assert name.lower() in reference[service]["Actions"], action
            kinds = reference[service]["Actions"][name.lower()].get("Resources", [])
            kinds = [kinds] if isinstance(kinds, str) else kinds
            known = reference[service].get("Resources", {})
            formats = [text for kind in kinds for text in known.get(kind, {}).get("ARNFormats", ())]
            wrong += [
                (action, arn)
                for arn in each.resources
                if (arn == "*") != (not formats) or (formats and not any(is_of(text, arn, scope) for text in formats))
            ]
    assert not wrong


def is_of(pattern: str, arn: str, scope: ArnScope) -> bool:
    for name, value in zip(("Partition", "Region", "Account"), scope, strict=True):
        pattern = pattern.replace("${" + name + "}", value)
    return re.fullmatch(pattern, arn) is not None


@pytest.mark.parametrize("role", ROLES, ids=lambda role: role.__name__)
def test_cfn_lint_finds_nothing(role: Any) -> None:
    """As a managed policy of a template, by all rules of cfn-lint's, those that only inform included."""
    document = role(Names(WHERE[0], ("doors",), "doors-clients", "doors-function"))
    assert not linted(document)
    document["Statement"][0]["Action"] = ["iot:DescribeAuthorizers"]
    assert linted(document), "cfn-lint looks at actions no more"


def linted(document: Document) -> list[str]:
    properties = {"PolicyDocument": document}
    template = {"Resources": {"Policy": {"Type": "AWS::IAM::ManagedPolicy", "Properties": properties}}}
    found = lint(json.dumps(template), regions=["eu-west-1"], config=ManualArgs(include_checks=["I"]))
    # Ours are made for one account and say so; a template would use pseudo parameters.
    return [str(each) for each in found if each.rule.id != "I3042"]


def test_documents_fit_into_a_managed_policy() -> None:
    """With usual names, and with the longest that AWS takes."""
    usual = Names(WHERE[0], ("iotauth",), "iotauth-clients", "iotauth-authorizer")
    longest = Names(ArnScope("aws-us-gov", "ap-southeast-1", "1" * 12), ("a" * 128,), "t" * 255, "f" * 45)
    for role, names in itertools.product(ROLES, (usual, longest)):
        assert iam_documents.size(role(names)) <= MAX_MANAGED


EVERY_GRANT = (*READING, *CHANGING, *ADOPTING, *READING_A_STACK)


def test_no_sid_twice_and_each_of_letters_and_digits() -> None:
    """IAM demands both; and each grant says what it is for."""
    sids = [grant.sid for grant in EVERY_GRANT]
    assert len(sids) == len(set(sids))
    assert all(sid.isalnum() for sid in sids)
    assert all(grant.why for grant in EVERY_GRANT)
