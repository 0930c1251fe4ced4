"""What two functions decide differently, told before anything is switched, and in words that hold no password."""

from __future__ import annotations

import json
from typing import Any

import pytest

from iotauth_authorizer.grants import ArnScope
from iotauth_cli.operations.adoption import compare
from iotauth_cli.operations.adoption.compare import Comparison, Verdict, policy_changes, verdict_of
from iotauth_cli.operations.adoption.rows import Login
from iotauth_cli.policy.document import parse
from iotauth_cli.secret import Secret
from support_adoption import FUNCTION, PYTHON, Bench

SCOPE = ArnScope("aws", "eu-west-1", "123456789012")
CANARY = "canary-of-a-row"
ROW: dict[str, Any] = {"Client_ID": "door-1", "Password": CANARY, "allow_connect": True, "allow_write": True}
ROW |= {"write_topic": "doors/1"}


def document(action: str | list[str], *names: str) -> Any:
    resources = [name if name == "*" else f"arn:aws:iot:eu-west-1:123456789012:{name}" for name in names]
    statement = {"Effect": "Allow", "Action": action, "Resource": resources}
    return parse({"Version": "2012-10-17", "Statement": [statement]})


@pytest.mark.parametrize(
    ("theirs", "mine", "lost", "gained"),
    [
        pytest.param(("iot:Publish", "topic/a"), ("iot:Publish", "topic/a"), [], [], id="the same"),
        pytest.param(
            ("iot:Publish", "topic/a"), ("iot:Publish", "topic/b"), ["publish to `a`"], ["publish to `b`"], id="another"
        ),
        pytest.param(
            ("iot:Publish", "topic/a*"),
            ("iot:Publish", "topic/a/*"),
            ["publish to `a`", "publish to `aa`", "publish to `aa/b`"],
            [],
            id="a star without a level",
        ),
        pytest.param(
            ("iot:Subscribe", "topicfilter/a/#"),
            ("iot:Subscribe", "topicfilter/a/*"),
            [],
            ["subscribe to `a/`", "subscribe to `a/a`"],
            id="a wildcard of MQTT",
        ),
        pytest.param(
            (["iot:Publish", "iot:RetainPublish"], "topic/${iot:ClientId}"),
            ("iot:Publish", "topic/door-1"),
            ["publish retained to `door-1`"],
            [],
            id="a policy variable",
        ),
        pytest.param(
            ("iot:*", "*"),
            (["iot:Publish", "iot:RetainPublish", "iot:Receive", "iot:Connect"], "topic/*", "client/door-1"),
            ["subscribe to `#`", "subscribe to `a`"],
            [],
            id="everything",
        ),
    ],
)
def test_what_a_client_loses_and_gains(theirs: Any, mine: Any, lost: list[str], gained: list[str]) -> None:
    """Both policies are asked about every topic that either of them names."""
    assert policy_changes("door-1", (document(*theirs),), (document(*mine),), SCOPE) == (lost, gained)


@pytest.mark.parametrize(
    ("body", "fault"),
    [
        (None, "AWS IoT does not take its answer: `answer-not-json`"),
        ({"isAuthenticated": "yes"}, "AWS IoT does not take its answer: `is-authenticated`"),
        ({"isAuthenticated": False}, None),
        (
            {
                "isAuthenticated": True,
                "principalId": "a",
                "disconnectAfterInSeconds": 300,
                "refreshAfterInSeconds": 300,
                "policyDocuments": ['{"Version": "2012-10-17", "Statement": [{"Effect": "Allow"}]}'],
            },
            "AWS IoT does not take its policy: `bad-policy`",
        ),
    ],
)
def test_an_answer_is_worth_what_aws_iot_makes_of_it(body: object, fault: str | None) -> None:
    """One that breaks its rules lets nobody in."""
    verdict = verdict_of(body)
    assert (verdict.fault, verdict.answer.is_authenticated) == (fault, False)


def test_an_answer_that_comes_too_late_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    """AWS IoT waits five seconds, whatever the function allows itself."""
    times = iter([0.0, 6.0])
    monkeypatch.setattr("time.monotonic", lambda: next(times, 6.0))
    monkeypatch.setattr(compare.Old, "judge", lambda self, login: Verdict())
    old = compare.Old(None, None, "Doors", "localhost")  # type: ignore[arg-type]
    verdict, took = old.ask(Login("door-1", "door-1", Secret(CANARY), None))
    assert (verdict.fault, took) == ("it took 6 s, and AWS IoT waits 5 s", 6.0)


def test_a_large_table_is_compared_by_a_sample_in_limited_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """When the time is over it is said how many were not asked."""
    monkeypatch.setattr(compare, "PATIENCE_S", -1.0)
    found = Comparison()
    logins = [Login("door-1", "door-1", Secret(CANARY), None)] * 3
    assert list(compare.ask_both(None, logins, SCOPE, 0, found)) == []  # type: ignore[arg-type]
    assert (found.asked, found.wanted) == (0, 3)
    assert found.stopped is not None


def differences(bench: Bench, source: str, *rows: dict[str, Any], code: int = 1) -> dict[str, str]:
    """Adopt from *source*; return what was told of each client, and make sure that nothing was switched or leaked."""
    bench.older.make(source, rows=rows or (ROW,))
    found = bench.document("init", "--adopt", "--yes", "--debug", code=code)
    assert found["applied"] is (code == 0)
    assert bench.older.called == (FUNCTION if code else "iotauth-authorizer")
    written = [path.read_text() for path in bench.project.rglob("*") if path.is_file()]
    assert CANARY not in json.dumps(found) + "".join(written)
    assert CANARY not in str(bench.run("init", "--adopt", "--yes", "--debug"))
    return {f"{each['client_id'][:7]} {each['case']}": each["words"] for each in found["comparison"]["differences"]}


def test_a_function_that_looks_at_nothing_but_the_password(bench: Bench) -> None:
    """It lets in what ours refuses: any user name, and disabled clients."""
    source = PYTHON.replace('not row.get("allow_connect") or ', "").replace(
        'row.get("Username", client_id)', "username"
    )
    rows = (ROW, {**ROW, "Client_ID": "door-2", "allow_connect": False})
    words = "the old function lets it in, ours refuses it"
    assert differences(bench, source, *rows) == {
        "door-1 with another user name": words,
        "door-2 with its password": words,
    }


def test_a_function_that_lets_everybody_in(bench: Bench) -> None:
    """A wrong password and a client that nobody knows are tried too."""
    statement = '{"Effect": "Allow", "Action": "iot:*", "Resource": "*"}'
    source = PYTHON.replace("    client_id =", f"    return answer(True, [{statement}])\n    client_id =")
    found = differences(bench, source)
    lets_in = "the old function lets it in, ours refuses it"
    assert found.pop("door-1 with its password").startswith("loses: ")
    assert found.pop("door-1 with a wrong password") == found.pop("door-1 with another user name") == lets_in
    assert set(found.values()) == {lets_in}
    assert all(case.startswith("unknown which no row knows") for case in found)


def test_a_function_that_fails_says_no_more_than_how(bench: Bench) -> None:
    """Its message holds the password; only the kind of the error is told. After three it is called no more."""
    source = PYTHON.replace(
        "    client_id =",
        '    raise RuntimeError("not " + base64.b64decode(mqtt["password"]).decode())\n    client_id =',
    )
    rows = [{**ROW, "Client_ID": f"door-{number}"} for number in range(5)]
    found = differences(bench, source, *rows)
    assert len(found) == 3
    words = {"the old function gives no answer that counts (it failed: `RuntimeError`), ours lets it in"}
    assert set(found.values()) == words


def test_odd_rows_are_always_compared(bench: Bench) -> None:
    """Rows that our function cannot read, that have no password, or a topic that it does not take."""
    rows = (
        ROW,
        {**ROW, "Client_ID": "number", "Password": 1234},
        {**ROW, "Client_ID": "nothing", "Password": ""},
        {**ROW, "Client_ID": "strange", "write_topic": "doors/${iot:ClientId}"},
    )
    source = PYTHON.replace('row.get("Password") != password', 'str(row.get("Password")) != password')
    lets_in = "the old function lets it in, ours refuses it"
    assert differences(bench, source, *rows) == {
        "number with its password": lets_in,
        "nothing with its password": lets_in,
        "strange with its password": lets_in,
    }
