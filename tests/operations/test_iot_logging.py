"""AWS IoT's log is turned on and off, under a role that may do no more than write it."""

from __future__ import annotations

import contextlib
import json
from typing import Any

import pytest

from iotauth_cli.aws import iam, iot
from iotauth_cli.errors import AccessDenied, AwsError, Conflict
from iotauth_cli.operations import iot_logging
from support_installation import Account, Broken, Watched

ROLE = "iotauth-iot-logs-us-east-1"
GROUP = "arn:aws:logs:us-east-1:123456789012:log-group:AWSIotLogsV2"


def test_turned_on_it_has_a_role_of_its_own_and_a_group_that_forgets(account: Account) -> None:
    """The role trusts AWS IoT and reaches this one group; a second run changes nothing at all."""
    found = iot_logging.enable(account.session(), "error")
    assert (found.before, found.is_role_new, found.is_group_new, found.is_changed) == (None, True, True, True)
    role = iam.find(account.session(), ROLE, "iotauth")
    assert role is not None
    assert role.trust["Statement"][0]["Principal"] == {"Service": "iot.amazonaws.com"}
    assert role.policy is not None
    (statement,) = role.policy["Statement"]
    assert statement["Resource"] == [GROUP, f"{GROUP}:*"]
    assert all(action.startswith("logs:") for action in statement["Action"])
    session = account.session()
    again = iot_logging.enable(session, "error")
    assert (again.is_changed, session.changes) == (False, [])
    shown = iot_logging.status(account.session())
    assert (shown.is_on, shown.level, shown.retention_days, shown.is_ours) == (True, "error", 30, True)


def test_what_was_interrupted_is_finished_by_the_next_run(account: Account) -> None:
    """Before and after each of its changes."""
    for after in (False, True):
        for number in range(1, 9):
            session = account.session(fail_at=number, after=after)
            with contextlib.suppress(Broken):
                iot_logging.enable(session, "info")
            iot_logging.enable(account.session(), "info")
            assert iot_logging.status(account.session()).is_on
            assert iam.find_policy(account.session(), ROLE, "iotauth") == iot_logging.policy(account.session())
            iot_logging.disable(account.session())


def test_turned_off_it_keeps_role_and_level_for_the_next_time(account: Account) -> None:
    """And to turn off what is off is nothing."""
    assert iot_logging.disable(account.session()) is False
    iot_logging.enable(account.session(), "debug")
    assert iot_logging.role_of_others(account.session()) is None
    assert iot_logging.disable(account.session()) is True
    shown = iot_logging.status(account.session())
    assert (shown.is_on, shown.level) == (False, "debug")
    assert iot_logging.disable(account.session()) is False
    assert iot_logging.enable(account.session(), "debug").before is None
    assert iot_logging.status(account.session()).is_on


def test_a_role_that_is_set_already_stays(account: Account) -> None:
    """Somebody chose it; only the level changes. One that is gone is replaced."""
    mine = account.client("iam").create_role(RoleName="mine", AssumeRolePolicyDocument=json.dumps(iot_logging.trust()))
    iot.set_logging(account.session(), role_arn=mine["Role"]["Arn"], level="ERROR")
    found = iot_logging.enable(account.session(), "info")
    assert (found.role_arn, found.before, found.is_role_new) == (mine["Role"]["Arn"], "error", False)
    assert not iot_logging.status(account.session()).is_ours
    assert iot_logging.role_of_others(account.session()) == "mine"
    account.client("iam").delete_role(RoleName="mine")
    found = iot_logging.enable(account.session(), "info")
    assert (found.before, found.is_changed) == ("info", True)
    assert found.role_arn.endswith(ROLE)
    assert iot_logging.status(account.session()).is_ours


def test_somebody_elses_role_of_our_name_is_left_alone(account: Account) -> None:
    """It is named, and nothing is changed."""
    account.client("iam").create_role(RoleName=ROLE, AssumeRolePolicyDocument=json.dumps(iot_logging.trust()))
    with pytest.raises(Conflict, match=f"role `{ROLE}` exists and was not made by iotauth"):
        iot_logging.enable(account.session(), "info")
    assert iot.logging(account.session()) is None


def test_a_role_that_is_not_known_everywhere_yet_is_waited_for(
    account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    """IAM spreads the news for some seconds; any other refusal is told at once."""
    call, refusals = Watched.call, iter(range(3))

    def early(self: Watched, service: str, operation: str, **parameters: Any) -> dict[str, Any]:
        if operation == "set_v2_logging_options" and next(refusals, None) is not None:
            problem = AwsError("unable to assume role. If the role was just created, please try again in a few seconds")
            problem.aws_code = "InvalidRequestException"
            raise problem
        return call(self, service, operation, **parameters)

    monkeypatch.setattr(Watched, "call", early)
    session = account.session()
    iot_logging.enable(session, "info")
    assert len(session.sleep.slept) == 3  # type: ignore[attr-defined]
    with pytest.raises(AwsError, match="WRONG"):
        iot.set_logging(account.session(), role_arn="arn:aws:iam::123456789012:role/iotauth-x", level="WRONG")


def test_levels_of_single_clients_are_shown(account: Account) -> None:
    """They count even while the default says nothing."""
    iot_logging.enable(account.session(), "info")
    client = account.client("iot")
    client.set_v2_logging_options(defaultLogLevel="DISABLED")
    assert not iot_logging.status(account.session()).is_on
    client.set_v2_logging_level(logTarget={"targetType": "CLIENT_ID", "targetName": "thermo-1"}, logLevel="DEBUG")
    shown = iot_logging.status(account.session())
    assert (shown.is_on, shown.logging and shown.logging.levels) == (True, (("CLIENT_ID thermo-1", "DEBUG"),))


def test_what_a_role_may_not_see_is_said(account: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    """The options are shown all the same."""
    iot_logging.enable(account.session(), "info")

    def denied(*_: Any, **__: Any) -> Any:
        raise AccessDenied("`ann` may not")

    monkeypatch.setattr(Watched, "pages", denied)
    shown = iot_logging.status(account.session())
    assert shown.is_on
    assert shown.unseen == ("levels of single clients: `ann` may not", "its log group: `ann` may not")
