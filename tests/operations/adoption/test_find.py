"""What is found of an older tool, what is asked where it is not clear, and what is refused in a sentence."""

from __future__ import annotations

import json

import pytest

from iotauth_cli.aws import iot
from iotauth_cli.aws.session import Session
from iotauth_cli.errors import Conflict, NotFound
from iotauth_cli.operations.adoption import find
from support_adoption import AUTHORIZER, FUNCTION, PYTHON, ROWS, TABLE, Bench, Older
from support_recorded import recorded


def another(bench: Bench, **names: str) -> Older:
    made = Older(bench.older.aws, **names)
    made.make_table(rows=())
    made.make_function()
    made.permit()
    made.make_authorizer()
    return made


def refusal(bench: Bench, *arguments: str, code: int) -> str:
    ended, out, said = bench.run("init", "--adopt", "--yes", *arguments)
    assert (ended, out) == (code, ""), said
    return said


def test_everything_about_one_is_found(bench: Bench) -> None:
    """Function, table, default, domain configuration, permission, and who else calls the function."""
    bench.older.make(rows=())
    aws = bench.older.aws("iot")
    aws.set_default_authorizer(authorizerName=AUTHORIZER)
    aws.create_authorizer(
        authorizerName="second", authorizerFunctionArn=bench.older.function_arn, signingDisabled=True, status="ACTIVE"
    )
    name = {"domainConfigurationName": "no-alpn", "serviceType": "DATA"}
    kinds = {"authenticationType": "CUSTOM_AUTH", "applicationProtocol": "SECURE_MQTT"}
    chosen = {"defaultAuthorizerName": AUTHORIZER, "allowAuthorizerOverride": False}
    aws.create_domain_configuration(**name, **kinds, authorizerConfig=chosen)
    found = {each.name: each for each in find.candidates(bench.session)}
    assert set(found) == {AUTHORIZER, "second"}
    tables = find.tables(bench.session, found[AUTHORIZER])
    assert tables.usable == (find.TableFound(TABLE, f"variable `CLIENTS` of function `{FUNCTION}` names it"),)
    assert find.around(bench.session, found[AUTHORIZER]) == find.Around(
        is_default=True,
        domains=("no-alpn",),
        permission="given",
        unbound=("SourceAccount",),
        shares_function=("second",),
    )
    code, _, said = bench.run("init", "--adopt", AUTHORIZER, "--dry-run")
    assert code == 0
    for words in ("is the default authorizer", "configuration `no-alpn`", "also serves `second`"):
        assert words in said


def test_several_are_listed_and_one_is_named(bench: Bench) -> None:
    """Authorizers and tables alike; what to type is said."""
    bench.older.make(rows=())
    another(bench, authorizer="Gates", table="Gate_Clients", function="gate-auth")
    said = refusal(bench, code=2)
    assert (
        "2 authorizers call somebody else's function: `Doors` (calls `door-auth`), `Gates` (calls `gate-auth`)" in said
    )
    assert "hint: name one: `iotauth init --adopt Doors`" in said
    said = refusal(bench, AUTHORIZER, "--table", "nowhere", code=3)
    assert f"hint: function `door-auth` may read `{TABLE}`" in said
    bench.older.aws("lambda").update_function_configuration(FunctionName=FUNCTION, Environment={"Variables": {}})
    bench.older.aws("iam").delete_role_policy(RoleName=f"role-of-{FUNCTION}", PolicyName="table")
    said = refusal(bench, AUTHORIZER, code=2)
    assert "function `door-auth` may read 2 tables of clients: `Door_Clients`, `Gate_Clients`" in said
    assert "hint: name the one that it reads: `iotauth init --adopt Doors --table Door_Clients`" in said
    assert bench.run("init", "--adopt", AUTHORIZER, "--table", TABLE, "--dry-run")[0] == 0


def test_the_roles_policy_tells_the_table(bench: Bench) -> None:
    """Where the environment names none, and a wildcard is read as IAM reads it."""
    bench.older.make(rows=())
    bench.older.aws("lambda").update_function_configuration(FunctionName=FUNCTION, Environment={"Variables": {}})
    [candidate] = find.candidates(bench.session)
    assert find.tables(bench.session, candidate).usable[0].because == f"role `role-of-{FUNCTION}` may read it"
    statement = {"Effect": "Allow", "Action": "dynamodb:*", "Resource": ["arn:aws:dynamodb:*:*:table/Door*", "*"]}
    document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    bench.older.aws("iam").put_role_policy(RoleName=f"role-of-{FUNCTION}", PolicyName="table", PolicyDocument=document)
    [candidate] = find.candidates(bench.session)
    assert [each.name for each in find.tables(bench.session, candidate).usable] == [TABLE]


def test_what_else_the_old_function_does_is_told(bench: Bench) -> None:
    """What its role lets it do ends with the switch, and so do the calls that are kept for it."""
    bench.older.make(rows=())
    role = {"RoleName": f"role-of-{FUNCTION}"}
    statement = {"Effect": "Allow", "Action": ["sns:Publish", "logs:*", "dynamodb:GetItem"], "Resource": "*"}
    document = json.dumps({"Version": "2012-10-17", "Statement": statement})
    bench.older.aws("iam").put_role_policy(**role, PolicyName="more", PolicyDocument=document)
    for name in ("AmazonDynamoDBFullAccess", "service-role/AWSLambdaBasicExecutionRole"):
        bench.older.aws("iam").attach_role_policy(**role, PolicyArn=f"arn:aws:iam::aws:policy/{name}")
    bench.older.aws("lambda").put_function_concurrency(FunctionName=FUNCTION, ReservedConcurrentExecutions=20)
    code, _, said = bench.run("init", "--adopt", "--dry-run")
    assert code == 0
    assert "the old function may also `sns:Publish`, `AmazonDynamoDBFullAccess`; if it does" in said
    assert "20 calls at once are kept for the old function, and none for ours" in said
    for name in ("AmazonDynamoDBFullAccess", "service-role/AWSLambdaBasicExecutionRole"):
        bench.older.aws("iam").detach_role_policy(**role, PolicyArn=f"arn:aws:iam::aws:policy/{name}")


def test_one_of_several_is_chosen_at_a_terminal(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """Authorizer and table are asked for where somebody sits."""
    bench.older.make(rows=())
    another(bench, authorizer="Gates", table="Gate_Clients", function="gate-auth")
    bench.older.aws("lambda").update_function_configuration(FunctionName="gate-auth", Environment={"Variables": {}})
    bench.older.aws("iam").delete_role_policy(RoleName="role-of-gate-auth", PolicyName="table")
    asked = []

    def choose(_self: object, question: str, choices: list[str]) -> int:
        asked.append((question, len(choices)))
        return 1

    monkeypatch.setattr("iotauth_cli.cli.output.Output.choose", choose)
    found = bench.document("init", "--adopt", "--dry-run")
    assert (found["authorizer"], found["table"]) == ("Gates", "Gate_Clients")
    assert asked == [("which authorizer is to be adopted?", 2), ("which table does it read?", 2)]


def test_two_authorizers_of_one_function_are_adopted_one_after_the_other(bench: Bench) -> None:
    """Ours serves both, and stays as long as one of them calls it."""
    bench.older.make(rows=ROWS[:1])
    second = Older(bench.older.aws, authorizer="second")
    second.make_authorizer()
    second.permit()
    for name in (AUTHORIZER, "second"):
        assert bench.document("init", "--adopt", name, "--yes", "--compare", "0")["applied"]
    assert (bench.older.called, second.called) == ("iotauth-authorizer", "iotauth-authorizer")
    back = bench.document("init", "--rollback", AUTHORIZER, "--yes", "--compare", "0")
    kept = {step["resource"] for step in back["steps"] if "authorizer `second` needs it" in step["reason"]}
    assert kept == {"function", "role", "log group"}
    assert (bench.older.called, second.called) == (FUNCTION, "iotauth-authorizer")
    assert bench.gets_in("door-1", "open sesame")
    assert bench.document("init", "--rollback", "--yes", "--compare", "0")["authorizer"] == "second"
    names = [each["FunctionName"] for each in bench.older.aws("lambda").list_functions()["Functions"]]
    assert names == [FUNCTION]


def test_there_is_nothing_to_adopt(bench: Bench) -> None:
    """No authorizer at all, none of this name, or one that calls ours already."""
    assert "no authorizer in the emulator calls somebody else's function" in refusal(bench, code=3)
    bench.older.make(rows=ROWS[:1])
    said = refusal(bench, "doors", code=3)
    assert "the emulator has no authorizer `doors` that calls somebody else's function" in said
    assert "did you mean `Doors`?" in said
    assert "cannot name an authorizer" in refusal(bench, "a b", code=2)
    assert bench.document("init", "--adopt", "--yes", "--compare", "0")["applied"]
    again = bench.document("init", "--adopt", "--yes", "--compare", "0")
    assert {step["action"] for step in again["steps"]} == {"keep"}


def test_what_our_function_could_not_serve_is_refused(bench: Bench) -> None:
    """Another key, no table, signed tokens, no function."""
    bench.older.make_table(rows=(), key="id")
    bench.older.make_function()
    bench.older.permit()
    bench.older.make_authorizer()
    assert "table `Door_Clients` has the key `id` (S), and our function looks clients up by" in refusal(bench, code=3)
    assert "has no table `nowhere`" in refusal(bench, "--table", "nowhere", code=3)
    aws = bench.older.aws
    aws("lambda").delete_function(FunctionName=FUNCTION)
    assert "which is not there or may not be seen" in refusal(bench, code=3)
    aws("iot").update_authorizer(authorizerName=AUTHORIZER, status="INACTIVE")
    aws("iot").delete_authorizer(authorizerName=AUTHORIZER)
    found = find.Candidate(
        iot.Authorizer(AUTHORIZER, "arn", bench.older.function_arn, True, signing_disabled=False), None
    )
    with pytest.raises(Conflict, match="asks for signed tokens, and our function takes only those"):
        find.check(found)
    with pytest.raises(NotFound, match="is keyed by `Client_ID`"):
        find.choose_table(bench.session, found, find.Tables(), None)


def test_a_function_of_ours_for_another_table_is_not_taken(bench: Bench) -> None:
    """Its clients would be locked out; another name for ours is what helps."""
    bench.older.make(rows=ROWS[:1])
    assert bench.document("authorizer", "create", "--quiet")["applied"]
    said = refusal(bench, AUTHORIZER, "--compare", "0", code=3)
    assert "function `iotauth-authorizer` serves table `iotauth-clients`" in said
    assert "`iotauth init --adopt Doors --function iotauth-Doors`" in said
    assert "`door-auth` was not made by iotauth" in refusal(bench, AUTHORIZER, "--function", FUNCTION, code=3)
    done = bench.document("init", "--adopt", AUTHORIZER, "--yes", "--compare", "0", "--function", "iotauth-Doors")
    assert (done["applied"], bench.older.called) == (True, "iotauth-Doors")
    assert bench.document("init", "--rollback", "--yes", "--compare", "0")["applied"]


def test_a_dry_run_changes_nothing(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither here nor there, and it calls nobody's function: that may write somewhere."""
    bench.older.make()
    monkeypatch.setattr("iotauth_cli.aws.session.Session", Session)  # whose clients are made while it is recorded
    with recorded() as calls:
        found = bench.document("init", "--adopt", "--dry-run")
    assert not [call for call in calls if call.is_mutating or call.operation == "Invoke"]
    assert (found["applied"], found["comparison"], found["rows"]["plain"]) == (False, None, 3)
    assert not (bench.project / "iotauth.yaml").exists()
    assert not list((bench.project / ".iotauth").rglob("*.jsonl"))
    with recorded() as calls:
        compared = bench.document("init", "--adopt", "--dry-run", "--compare", "1")
    assert [call.operation for call in calls].count("Invoke") == compared["comparison"]["wanted"] + 3
    assert bench.document("init", "--adopt", "--yes")["applied"]
    with recorded() as calls:
        assert not bench.document("init", "--rollback", "--dry-run")["applied"]
    assert not [call for call in calls if call.is_mutating or call.operation == "Invoke"]


def test_options_that_do_not_go_together(bench: Bench) -> None:
    """Each is said to be for what it is for, and nobody is asked anything."""
    for words, said in {
        "init --adopt --rollback": "`--adopt` and `--rollback` exclude each other",
        "init --table x": "`--table` is for `--adopt`",
        "init Doors": "`AUTHORIZER` is for `--adopt`",
        "init --adopt --keep": "`--keep` is for `--rollback`",
        "init --dry-run": "`--dry-run` is for `--adopt`",
    }.items():
        code, _, told = bench.run(*words.split())
        assert (code, told.splitlines()[0]) == (2, f"error: {said}")
    assert bench.run("init")[0] == 0
    assert not (bench.project / ".iotauth").exists()


def test_a_stack_that_may_switch_back_is_named(bench: Bench) -> None:
    """The old function says that it belongs to one; the question says what that means."""
    bench.older.make(PYTHON, rows=(), Tags={"aws:cloudformation:stack-name": "old-doors"})
    [candidate] = find.candidates(bench.session)
    assert find.around(bench.session, candidate).stack == "old-doors"
