"""The AWS CLI against the control plane: it prints results, and it prints errors with their codes."""

from __future__ import annotations

import base64
import json
import sys
from pathlib import Path

from support_control import TRUST, Control, zipped

AUTHORIZER = "arn:aws:iot:us-east-1:123456789012:authorizer/doors"
SOURCE = """
def handler(event, context):
    print("asked")
    return {
        "isAuthenticated": event["protocolData"]["mqtt"]["password"] == "dGVzdA==",
        "principalId": "door7",
        "policyDocuments": [],
        "disconnectAfterInSeconds": 3600,
        "refreshAfterInSeconds": 300,
    }
"""


def test_an_authorizer_is_deployed_by_hand(control: Control, tmp_path: Path) -> None:
    """Role, function, permission, authorizer, a test of it, its log: the steps of AWS's own tutorial."""
    code, answer = tmp_path / "code.zip", tmp_path / "answer.json"
    code.write_bytes(zipped({"app.py": SOURCE}))

    def aws(*arguments: str) -> dict[str, object]:
        done = control.server.aws(*arguments)
        assert done.returncode == 0, done.stderr
        printed: dict[str, object] = json.loads(done.stdout or "{}")
        return printed

    assert aws("sts", "get-caller-identity")["Account"] == "123456789012"
    aws("iam", "create-role", "--role-name", "doors", "--assume-role-policy-document", TRUST)
    role = "arn:aws:iam::123456789012:role/doors"
    function = ("--function-name", "doors")
    runtime = f"python3.{sys.version_info.minor}"
    settings = ("--runtime", runtime, "--handler", "app.handler", "--role", role)
    made = aws("lambda", "create-function", *function, *settings, "--zip-file", f"fileb://{code}")
    permission = ("--statement-id", "iot", "--action", "lambda:InvokeFunction", "--principal", "iot.amazonaws.com")
    aws("lambda", "add-permission", *function, *permission, "--source-arn", AUTHORIZER)
    authorizer = ("--authorizer-name", "doors")
    arn = ("--authorizer-function-arn", str(made["FunctionArn"]))
    assert aws("iot", "create-authorizer", *authorizer, *arn, "--signing-disabled")["authorizerArn"] == AUTHORIZER
    # CLI 1 sends the password as it is; CLI 2 wants base64.
    context = ("--mqtt-context", "username=door-7,password=test,clientId=door-7")
    assert aws("iot", "test-invoke-authorizer", *authorizer, *context)["isAuthenticated"] is True
    payload = ("--payload", json.dumps({"protocolData": {"mqtt": {"password": "x"}}}), "--log-type", "Tail")
    called = aws("lambda", "invoke", *function, *payload, str(answer))
    assert "asked" in base64.b64decode(str(called["LogResult"])).decode()
    assert json.loads(answer.read_text())["isAuthenticated"] is False
    pattern = ("--log-group-name", "/aws/lambda/doors", "--filter-pattern", "asked", "--query", "length(events)")
    assert aws("logs", "filter-log-events", *pattern) == 2  # type: ignore[comparison-overlap]


def test_errors_are_printed_with_their_codes(control: Control) -> None:
    """REST, JSON and query alike, and what is not implemented says so."""
    for command, code, message in (
        (("iam", "get-role", "--role-name", "x"), "NoSuchEntity", "The role with name x cannot be found."),
        (("logs", "delete-log-group", "--log-group-name", "x"), "ResourceNotFoundException", "The specified log group"),
        (("iot", "list-things"), "NotImplementedException", "does not implement iot:ListThings"),
    ):
        done = control.server.aws(*command)
        assert done.returncode != 0
        assert f"({code})" in done.stderr
        assert message in done.stderr
