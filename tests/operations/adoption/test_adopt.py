"""An authorizer that somebody made by hand goes over to our function and back, and its devices notice nothing."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from typing import Any

import pytest

from iotauth_cli.operations import emulator as emulators
from iotauth_cli.operations.adoption import switch
from iotauth_cli.operations.adoption.compare import Verdict
from iotauth_cli.operations.adoption.find import OUR_FUNCTION, WAY_BACK
from iotauth_cli.operations.installation.authorizer import Permission
from support import require_peer
from support_adoption import AUTHORIZER, FUNCTION, NODE, ROWS, TABLE, Bench, Knocker, Phone
from support_aws import Pauses
from support_control import zipped
from support_world import Closed

OURS = "iotauth-authorizer"


def tags(bench: Bench) -> dict[str, str]:
    arn = f"arn:aws:iot:us-east-1:123456789012:authorizer/{AUTHORIZER}"
    found = bench.older.aws("iot").list_tags_for_resource(resourceArn=arn)["tags"]
    return {tag["Key"]: tag["Value"] for tag in found}


def what_stands(bench: Bench) -> dict[str, list[str]]:
    """Return the names of everything in the account that is not the older tool's table."""
    aws = bench.older.aws
    policy = json.loads(aws("lambda").get_policy(FunctionName=FUNCTION)["Policy"])
    return {
        "functions": [each["FunctionName"] for each in aws("lambda").list_functions()["Functions"]],
        "roles": [each["RoleName"] for each in aws("iam").list_roles()["Roles"]],
        "groups": [each["logGroupName"] for each in aws("logs").describe_log_groups()["logGroups"]],
        "permissions": [each["Sid"] for each in policy["Statement"]],
        "tags": sorted(tags(bench)),
    }


def test_devices_stay_connected_through_switch_refresh_and_way_back(bench: Bench) -> None:
    """A session is open all the time; the next refresh asks our function, the one after the way back the old one."""
    bench.older.make()
    before = what_stands(bench)
    settings = bench.project / "iotauth.yaml"
    settings.write_text("# mine\nemulator: true\ntable: another  # for now\n")
    with Phone(bench, "door-1", "open sesame") as phone:
        phone.subscribe("doors/1/state")
        done = bench.document("init", "--adopt", "--yes")
        assert (done["applied"], done["proof"], done["function"]) == (True, "door-1", OURS)
        assert done["comparison"]["differences"] == []
        assert (bench.older.called, tags(bench)) == (OURS, {WAY_BACK: bench.older.function_arn, OUR_FUNCTION: OURS})
        assert settings.read_text() == (
            f"# mine\nemulator: true\ntable: {TABLE}  # for now\nauthorizer: {AUTHORIZER}\nfunction: {OURS}\n"
        )
        asked = bench.asked(OURS)
        emulators.advance_clock(bench.emulator.state_dir, 601, pinging=True)
        assert phone.echo("doors/1/state", b"by ours")
        assert bench.asked(OURS) > asked
        back = bench.document("init", "--rollback", "--yes")
        assert back["applied"]
        assert bench.older.called == FUNCTION
        emulators.advance_clock(bench.emulator.state_dir, 601, pinging=True)
        assert phone.echo("doors/1/state", b"by theirs")
        assert phone.disconnects == 0
    assert settings.read_text() == "# mine\nemulator: true\ntable: another  # for now\n"
    after = what_stands(bench)
    assert {**after, "groups": []} == {**before, "groups": []}
    assert f"/aws/lambda/{OURS}" not in after["groups"]
    assert not list((bench.project / ".iotauth" / "adoption").rglob("*.json"))


def test_a_run_that_is_stopped_anywhere_is_finished_by_the_next_and_refuses_no_device(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Stopped before and after each call, there and back, while a device connects over and over."""
    bench.older.make(rows=ROWS[:1])
    before = what_stands(bench)
    with Knocker(bench, "door-1", "open sesame") as knocker:
        for after in (False, True):
            number = 1
            while True:
                there = stop_and_finish(bench, monkeypatch, number, after, "--adopt")
                back = stop_and_finish(bench, monkeypatch, number, after, "--rollback")
                if not (there or back):
                    break
                number += 1
            assert number > 8, "there are that many calls to be stopped at"
    assert knocker.refused == 0
    assert knocker.admitted > 20
    assert {**what_stands(bench), "groups": []} == {**before, "groups": []}


def stop_and_finish(bench: Bench, patch: pytest.MonkeyPatch, number: int, after: bool, way: str) -> bool:
    """Stop a run at its change *number*, finish it by another; tell whether it had that many."""
    arguments = ("init", way, "--compare", "0", "--yes")
    code, said = bench.stopped(patch, number, after, *arguments)
    assert code in (0, 3), said
    if code == 3:
        assert f"{'after' if after else 'before'} " in said
        again, said = bench.stopped(patch, None, False, *arguments)
        # The very last call may have been made, and its answer lost: then there is nothing left to finish.
        assert again == 0 or (way == "--rollback" and "was adopted" in said), said
    assert bench.older.called == (OURS if way == "--adopt" else FUNCTION)
    return code == 3


def test_a_node_function_and_an_authorizer_by_the_aws_cli(bench: Bench) -> None:
    """Made by hand in a shell, by default; timers of the old function are taken over, and every command works then."""
    require_peer("node")
    aws = bench.aws_cli
    bench.older.make_table()
    bench.older.make_function(NODE)
    name = ("--authorizer-name", AUTHORIZER)
    aws("iot", "create-authorizer", *name, "--authorizer-function-arn", bench.older.function_arn, "--signing-disabled")
    aws("iot", "update-authorizer", *name, "--status", "ACTIVE")
    invoke = ("--statement-id", "1", "--action", "lambda:InvokeFunction", "--principal", "iot.amazonaws.com")
    aws("lambda", "add-permission", "--function-name", FUNCTION, *invoke)
    assert bench.gets_in("door-2", "pass word", "hall")
    code, _, said = bench.run("init", "--adopt", "--yes", "--force")
    assert code == 0, said
    assert (
        "the old function may be called without SourceArn and SourceAccount; ours asks for SourceArn and SourceAccount"
        in said
    )
    assert "loses" not in said
    variables = bench.older.aws("lambda").get_function_configuration(FunctionName=OURS)["Environment"]["Variables"]
    assert variables == {
        "IOTAUTH_TABLE": TABLE,
        "IOTAUTH_REFRESH_AFTER_S": "300",
        "IOTAUTH_DISCONNECT_AFTER_S": "86400",
    }
    assert bench.gets_in("door-2", "pass word", "hall")
    code, _, said = bench.run("client", "migrate", "--dry-run")
    assert f"`{FUNCTION}` cannot read them then, so `iotauth init --rollback` would lock these clients out" in said
    assert bench.document("client", "migrate", "--yes")["migrated"] == len(ROWS)
    assert bench.gets_in("door-2", "pass word", "hall")
    assert bench.run("client", "rotate", "door-1", "--now", "--yes", "--json")[0] == 0
    assert bench.run("test-connect", "door-1", "--json")[0] == 0
    assert not bench.gets_in("door-1", "open sesame")


def test_a_way_back_that_locks_devices_out_is_none(bench: Bench) -> None:
    """Hashed, rotated and new clients are counted and named before; only `--force` goes back then."""
    bench.older.make()
    assert bench.document("init", "--adopt", "--yes", "--compare", "0")["applied"]
    assert bench.run("client", "add", "door-9", "--topic", "doors/9", "--json")[0] == 0
    bench.document("client", "rotate", "door-2")
    found = bench.document("init", "--rollback", "--yes", code=1)
    assert found["rows"]["locked_out"]["count"] == 2
    assert {each["client_id"] for each in found["rows"]["locked_out"]["first"]} == {"door-2", "door-9"}
    assert bench.older.called == OURS
    assert bench.gets_in("door-2", "pass word", "hall")
    assert bench.document("init", "--rollback", "--yes", "--force", "--keep")["applied"]
    assert bench.older.called == FUNCTION
    assert OURS in what_stands(bench)["functions"]
    assert not bench.gets_in("door-2", "pass word", "hall")
    assert bench.gets_in("door-1", "open sesame")


def test_another_machine_can_go_back(bench: Bench) -> None:
    """The way back is in AWS: with nothing in the project's folder, and without the old permission, it is found."""
    bench.older.make()
    assert bench.document("init", "--adopt", "--yes", "--compare", "0")["applied"]
    (bench.project / "iotauth.yaml").unlink()
    shutil.rmtree(bench.project / ".iotauth")
    bench.older.aws("lambda").remove_permission(FunctionName=FUNCTION, StatementId=f"Id-{AUTHORIZER}")
    steps = bench.document("init", "--rollback", "--dry-run")["steps"]
    # The tag is taken last: a run that is stopped, here or there, can be finished from any machine until then.
    assert [step["resource"] for step in steps if step["action"] == "delete"][-1] == "way back"
    code, out, said = bench.run("init", "--rollback", "--yes")
    assert (code, out) == (0, f"authorizer `{AUTHORIZER}` calls `{FUNCTION}` again\n")
    assert "create permission" in said
    assert "is known where it was adopted" in said
    assert bench.gets_in("door-1", "open sesame")
    assert what_stands(bench)["functions"] == [FUNCTION]


def test_there_is_no_way_back_to_a_function_that_is_gone(bench: Bench) -> None:
    """Nothing is switched, and ours goes on."""
    bench.older.make()
    assert bench.document("init", "--adopt", "--yes", "--compare", "0")["applied"]
    bench.older.aws("lambda").delete_function(FunctionName=FUNCTION)
    code, _, said = bench.run("init", "--rollback", "--yes")
    assert code == 3
    assert f"function `{FUNCTION}`, which authorizer `{AUTHORIZER}` called before, is gone" in said
    assert bench.gets_in("door-1", "open sesame")


def test_what_goes_wrong_after_the_switch_is_taken_back_at_once(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """AWS IoT may not call our function: the proof fails, and the old function is asked again."""
    bench.older.make()
    monkeypatch.setattr(Permission, "bring", lambda self: None)
    code, said = bench.stopped(monkeypatch, None, False, "init", "--adopt", "--yes", "--compare", "0")
    assert code == 3
    assert f"so authorizer `{AUTHORIZER}` calls `{FUNCTION}` again" in said
    assert bench.older.called == FUNCTION
    assert bench.gets_in("door-1", "open sesame")


def test_a_function_of_ours_that_does_not_answer_is_not_switched_to(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is called before AWS IoT is told to: here it refuses everybody."""
    bench.older.make()
    refusing = zipped(
        {"iotauth_authorizer/handler.py": "def handler(event, context): return {'isAuthenticated': False}"}
    )
    monkeypatch.setattr("iotauth_cli.bundle.authorizer_zip", lambda: refusing)
    code, said = bench.stopped(monkeypatch, None, False, "init", "--adopt", "--yes", "--compare", "0")
    assert code == 3
    assert f"so authorizer `{AUTHORIZER}` was not switched" in said
    assert bench.older.called == FUNCTION


def test_what_may_not_be_asked_is_said_and_stops_nothing(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody who may not read roles, domain configurations or stacks, nor try the authorizer, can switch."""
    bench.older.make(rows=ROWS[:1])
    reading = ("iam:list_role_policies", "iot:list_domain_configurations", "lambda:list_tags")
    denied = (*reading, "iot:test_invoke_authorizer")
    monkeypatch.setattr(
        "iotauth_cli.aws.session.Session", lambda *_, **__: Closed(bench.target, Pauses(), closed=frozenset(denied))
    )
    code, out, said = bench.run("init", "--adopt", "--yes")
    assert code == 0, said
    assert "not seen: domain configurations: this AWS user may not call `iot:list_domain_configurations`" in said
    assert "was not tried through AWS IoT: this AWS user may not call `iot:test_invoke_authorizer`" in out
    assert bench.gets_in("door-1", "open sesame")
    code, _, said = bench.run("init", "--rollback", "--yes")
    assert code == 0, said
    assert "it was not tried through AWS IoT: this AWS user may not call `iot:test_invoke_authorizer`" in said
    assert bench.gets_in("door-1", "open sesame")


def test_nothing_is_switched_without_a_yes(bench: Bench) -> None:
    """Neither here nor back: nobody is there to be asked, and `--force` is no yes."""
    bench.older.make(rows=ROWS[:1])
    for way, before in (("--adopt", FUNCTION), ("--rollback", OURS)):
        standing = what_stands(bench)
        code, _, said = bench.run("init", way, "--compare", "0", "--force")
        assert (code, bench.older.called, what_stands(bench)) == (2, before, standing)
        assert "this needs a yes" in said
        assert bench.document("init", way, "--compare", "0", "--yes")["applied"]


def test_a_tag_leads_no_password_out_of_the_account(bench: Bench) -> None:
    """Whoever may write tags and no more has named a function of their own: it is not asked, and not switched to."""
    bench.older.make(rows=ROWS[:1])
    assert bench.document("init", "--adopt", "--yes", "--compare", "0")["applied"]
    theirs = "arn:aws:lambda:us-east-1:999999999999:function:door-auth"
    arn = f"arn:aws:iot:us-east-1:123456789012:authorizer/{AUTHORIZER}"
    bench.older.aws("iot").tag_resource(resourceArn=arn, tags=[{"Key": WAY_BACK, "Value": theirs}])
    code, _, said = bench.run("init", "--rollback", "--yes", "--force")
    assert code == 3
    assert f"tagged with `{theirs}`" in said
    assert "comparing" not in said
    assert bench.older.called == OURS


def test_a_client_id_that_a_shell_would_run_is_quoted_in_what_is_to_be_typed(bench: Bench) -> None:
    """Rows are other people's, and the next command is copied."""
    bench.older.make(rows=({**ROWS[0], "Client_ID": "door;reboot"},))
    code, _, said = bench.run("init", "--adopt", "--yes", "--compare", "0")
    assert code == 0, said
    assert "test-connect 'door;reboot' --password-stdin" in said


def test_an_inactive_authorizer_stays_inactive(bench: Bench) -> None:
    """Whoever switched it off had a reason."""
    bench.older.make(rows=ROWS[:1])
    bench.older.aws("iot").update_authorizer(authorizerName=AUTHORIZER, status="INACTIVE")
    code, out, said = bench.run("init", "--adopt", "--yes", "--compare", "0")
    assert code == 0, said
    assert f"authorizer `{AUTHORIZER}` is inactive, and stays so" in said
    assert "so its timers are not known: ours asks for a refresh after 3600 s and an end after 86400 s" in said
    assert f"authorizer `{AUTHORIZER}` was not tried through AWS IoT: it is inactive" in out
    found = bench.older.aws("iot").describe_authorizer(authorizerName=AUTHORIZER)["authorizerDescription"]
    assert (found["status"], bench.older.called) == ("INACTIVE", OURS)


def test_without_our_function_its_table_has_to_be_named_for_the_way_back(bench: Bench) -> None:
    """Who would be locked out cannot be told without, and then nothing is switched."""
    bench.older.make(rows=ROWS[:1])
    assert bench.document("init", "--adopt", "--yes", "--compare", "0")["applied"]
    shutil.rmtree(bench.project / ".iotauth")
    bench.older.aws("lambda").delete_function(FunctionName=OURS)
    code, _, said = bench.run("init", "--rollback", "--yes")
    assert code == 1
    assert f"which table `{OURS}` read is not known any more" in said
    assert bench.older.called == OURS
    assert bench.document("init", "--rollback", "--yes", "--table", TABLE)["applied"]
    assert bench.gets_in("door-1", "open sesame")


def test_our_function_is_given_time_to_answer_as_it_should(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """A role that is a minute old may not be known yet: no device meets a function that cannot read its table."""
    bench.older.make(rows=ROWS[:1])
    pauses, asked = Pauses(), [0]

    def slowly(*arguments: Any) -> Verdict:
        asked[0] += 1
        assert bench.older.called == FUNCTION
        return Verdict() if asked[0] < 4 else call(*arguments)

    call = switch.called
    monkeypatch.setattr(switch, "called", slowly)
    monkeypatch.setattr("iotauth_cli.aws.session.Session", lambda *_, **__: replace(bench.watched(), sleep=pauses))
    assert bench.document("init", "--adopt", "--yes", "--compare", "0")["applied"]
    assert pauses.slept == [0.25, 0.5, 1.0]
