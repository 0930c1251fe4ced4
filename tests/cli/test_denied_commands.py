"""Whoever starts with no rights and adds what each refusal prints gets through the whole story, and has no more."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from iotauth_authorizer.grants import ArnScope
from iotauth_cli.aws.session import Session
from iotauth_cli.operations import iam_documents
from iotauth_cli.operations.iam_documents import Names
from support_desk import Desk
from support_emulator import RunningEmulator
from support_iam import REQUEST_ID, USER, Iam, iam_before, is_allowed

SETTINGS = {"IOTAUTH_AUTHORIZER": "doors", "IOTAUTH_TABLE": "doors-clients", "IOTAUTH_FUNCTION": "doors-function"}
STORY = """
authorizer create --yes
client add door-1 --topic doors/1
client list
authorizer test-invoke --client door-1
client rotate door-1 --now --yes
publish doors/1 open --operator --http --retain
client disable door-1 --yes
logs enable --yes
client remove door-1 --yes
authorizer delete --table --yes
"""


SHORTER = """
authorizer list
logs enable --yes
publish doors/1 open --operator --http --retain
"""


@pytest.fixture
def iam(emulator: RunningEmulator, monkeypatch: pytest.MonkeyPatch) -> Iterator[Iam]:
    """IAM before the emulator, which is AWS for the program."""
    scope = ArnScope("aws", emulator.ready.region, emulator.ready.account)
    with iam_before(emulator.ready.control_endpoint, scope) as iam:
        for name, value in {**SETTINGS, **emulator.variables, "IOTAUTH_EMULATOR": "0"}.items():
            monkeypatch.setenv(name, iam.url if name.startswith("AWS_ENDPOINT_URL") else value)
        clients: dict[str, Any] = {}  # of all sessions: making boto3's takes longer than all that is asked
        monkeypatch.setattr(Session, "_clients", property(lambda _: clients))
        yield iam


@pytest.fixture
def names(iam: Iam) -> Names:
    return Names(iam.scope, ("doors",), "doors-clients", "doors-function")


@pytest.mark.parametrize(
    ("story", "is_terse"), [(STORY, False), (SHORTER, True)], ids=["in IAM's words", "without a word"]
)
def test_adding_what_each_refusal_prints_leads_through_the_story(
    desk: Desk, iam: Iam, names: Names, story: str, *, is_terse: bool
) -> None:
    """Denied, the statement added, typed again: until it works. All that was added is in the operator's document."""
    iam.is_terse = is_terse
    for line in story.strip().splitlines():
        for _ in range(40):
            typed = desk(*line.split(), "--json")
            if not typed.code:
                break
            # A session that may not be ended is told in the result, with 1: the row is changed all the same.
            said = typed.document["error" if typed.code == 3 else "session"]
            assert said["statement"] not in iam.policy["Statement"], f"it did not help: {typed.text}"
            iam.policy["Statement"].append(said["statement"])
        else:
            raise AssertionError(f"`{line}` never worked: {typed.text}")
    whole = iam_documents.operator(names)
    assert not [right for right in iam.asked if not is_allowed(whole, right)]
    assert len(iam.policy["Statement"]) >= (3 if is_terse else 40)


def test_with_the_operators_document_nothing_is_denied(desk: Desk, iam: Iam, names: Names) -> None:
    """The story from its beginning to its end, at once."""
    iam.policy = iam_documents.operator(names)
    for line in STORY.strip().splitlines():
        typed = desk(*line.split())
        assert not typed.code, typed.text
    assert not iam.denied


def test_with_the_readers_document_looking_works_and_changing_does_not(desk: Desk, iam: Iam, names: Names) -> None:
    """Each command that changes something stops at its first change, and nothing was changed."""
    iam.policy = iam_documents.operator(names)
    for line in ("authorizer create --yes", "client add door-1 --topic doors/1"):
        assert not desk(*line.split()).code
    iam.policy = iam_documents.readonly(names)
    before = desk("client", "show", "door-1", "--json").document
    for line in ("authorizer list", "authorizer show", "client list", "doctor --only authorizer --only table", "logs"):
        typed = desk(*line.split())
        assert not typed.code, typed.text
    assert not iam.denied
    changing = ("client disable door-1 --yes", "client rotate door-1", "authorizer disable --yes", "logs enable --yes")
    for line in changing:
        typed = desk(*line.split())
        assert typed.code == 3, typed.text
        assert f"error: `{USER}` may not call" in typed.text
    assert desk("client", "show", "door-1", "--json").document == before
    iam.policy = iam_documents.operator(names)
    assert not desk("authorizer", "delete", "--table", "--yes").code


@pytest.mark.parametrize(
    ("line", "action", "resource"),
    [
        ("client list", "dynamodb:Scan", "arn:aws:dynamodb:us-east-1:123456789012:table/doors-clients"),
        ("authorizer list", "iot:DescribeDefaultAuthorizer", "*"),
        ("logs status", "iot:GetV2LoggingOptions", "*"),
    ],
)
def test_a_refusal_on_the_screen(desk: Desk, iam: Iam, line: str, action: str, resource: str) -> None:
    """Who may not call what, what to do, the statement as JSON to paste; under --debug AWS's id of the request."""
    typed = desk(*line.split(), "--debug")
    said = [each.removeprefix("! ") for each in typed.lines if each.startswith("! ")]
    assert said[0] == f"error: `{USER}` may not call `{action}`"
    assert said[1].startswith(f"hint: let an administrator allow `{action}` with the statement below")
    end = said.index("}")
    statement: dict[str, Any] = json.loads("\n".join(said[2 : end + 1]))
    assert statement == {"Effect": "Allow", "Action": action, "Resource": resource}
    assert said[end + 1] == f"request id: {REQUEST_ID}"
    assert "request id" not in desk(*line.split()).text
