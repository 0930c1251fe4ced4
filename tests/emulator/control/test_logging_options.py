"""AWS IoT's logging options as boto3 sets, reads and removes them."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError

from iotauth_cli.emulator.control.logs import store
from iotauth_cli.emulator.iot_log import GROUP
from iotauth_cli.emulator.log_levels import LogLevels
from iotauth_cli.emulator.model import LogLine
from support_control import REGION, Control, code_of, message_of

TRUST = (
    '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"iot.amazonaws.com"},'
    '"Action":"sts:AssumeRole"}]}'
)
CLIENT = {"targetType": "CLIENT_ID", "targetName": "thermo-1"}


@pytest.fixture
def iot(control: Control) -> Any:
    return control.client("iot")


@pytest.fixture
def role(control: Control) -> str:
    made = control.client("iam").create_role(RoleName="iot-log", AssumeRolePolicyDocument=TRUST)
    return str(made["Role"]["Arn"])


def options(iot: Any, **asked: Any) -> dict[str, Any]:
    found: dict[str, Any] = iot.get_v2_logging_options(**asked)
    del found["ResponseMetadata"]
    return found


def levels(iot: Any, **asked: Any) -> list[tuple[str, str | None, str]]:
    found = iot.list_v2_logging_levels(**asked)["logTargetConfigurations"]
    return [(each["logTarget"]["targetType"], each["logTarget"].get("targetName"), each["logLevel"]) for each in found]


def test_options_that_were_never_set_are_not_configured(iot: Any) -> None:
    """There is nothing to read, and no target can have a level."""
    for ask in (
        iot.get_v2_logging_options,
        iot.list_v2_logging_levels,
        lambda: iot.set_v2_logging_level(logTarget=CLIENT, logLevel="DEBUG"),
    ):
        with pytest.raises(ClientError) as error:
            ask()
        assert code_of(error) == ("NotConfiguredException", 404)


def test_options_are_read_back_also_after_a_restart(control: Control, iot: Any, role: str) -> None:
    """What is not named later stays, except that all logs are enabled again."""
    iot.set_v2_logging_options(roleArn=role, defaultLogLevel="ERROR", disableAllLogs=True)
    assert options(iot) == {"roleArn": role, "defaultLogLevel": "ERROR", "disableAllLogs": True}
    iot.set_v2_logging_options(defaultLogLevel="DEBUG")
    control.restart()
    assert options(control.client("iot")) == {"roleArn": role, "defaultLogLevel": "DEBUG", "disableAllLogs": False}


def test_an_event_can_have_a_level_of_its_own(iot: Any, role: str) -> None:
    """It is shown to those who ask for everything."""
    iot.set_v2_logging_options(
        roleArn=role, defaultLogLevel="ERROR", eventConfigurations=[{"eventType": "Connect", "logLevel": "INFO"}]
    )
    assert options(iot, verbose=True)["eventConfigurations"] == [{"eventType": "Connect", "logLevel": "INFO"}]
    assert "eventConfigurations" not in options(iot)


def test_a_role_that_aws_iot_cannot_assume_is_refused(control: Control, iot: Any) -> None:
    """In AWS's words, which say what to do while IAM has not spread the news of a new role."""
    for role in (control.role(), "arn:aws:iam::123456789012:role/nobody"):
        with pytest.raises(ClientError) as error:
            iot.set_v2_logging_options(roleArn=role, defaultLogLevel="INFO")
        assert code_of(error) == ("InvalidRequestException", 400)
        assert "If the role was just created or updated, please try again in a few seconds." in message_of(error)
    with pytest.raises(ClientError) as error:
        iot.set_v2_logging_options(defaultLogLevel="INFO")
    assert "roleArn must be given" in message_of(error)


def test_targets_get_levels_are_listed_and_forgotten(iot: Any, role: str) -> None:
    """The default is a target too; a page can be asked for by kind and by size."""
    iot.set_v2_logging_options(roleArn=role, defaultLogLevel="ERROR")
    iot.set_v2_logging_level(logTarget=CLIENT, logLevel="DEBUG")
    iot.set_v2_logging_level(logTarget={"targetType": "DEFAULT"}, logLevel="WARN")
    assert levels(iot) == [("CLIENT_ID", "thermo-1", "DEBUG"), ("DEFAULT", None, "WARN")]
    assert levels(iot, targetType="CLIENT_ID") == [("CLIENT_ID", "thermo-1", "DEBUG")]
    first = iot.list_v2_logging_levels(maxResults=1)
    assert levels(iot, nextToken=first["nextToken"]) == [("DEFAULT", None, "WARN")]
    iot.delete_v2_logging_level(**CLIENT)
    iot.delete_v2_logging_level(**CLIENT)
    assert levels(iot) == [("DEFAULT", None, "WARN")]


def test_a_target_without_a_name_is_refused(iot: Any, role: str) -> None:
    """Only the default needs none."""
    iot.set_v2_logging_options(roleArn=role, defaultLogLevel="ERROR")
    with pytest.raises(ClientError) as error:
        iot.set_v2_logging_level(logTarget={"targetType": "CLIENT_ID"}, logLevel="DEBUG")
    assert code_of(error) == ("InvalidRequestException", 400)


LEVELS = LogLevels(
    "arn",
    "ERROR",
    targets={("CLIENT_ID", "loud"): "DEBUG", ("SOURCE_IP", "::1"): "DISABLED"},
    events={"Connect": "INFO"},
)


@pytest.mark.parametrize(
    ("level", "event", "who", "is_taken"),
    [
        ("ERROR", "Publish-In", {}, True),
        ("INFO", "Publish-In", {}, False),
        ("INFO", "Connect", {}, True),
        ("INFO", "Publish-In", {"CLIENT_ID": "loud"}, True),
        ("INFO", "Publish-In", {"CLIENT_ID": "loud", "SOURCE_IP": "::1"}, True),
        ("ERROR", "Connect", {"CLIENT_ID": "quiet", "SOURCE_IP": "::1"}, False),
    ],
)
def test_a_target_counts_before_an_event_and_that_before_the_default(
    level: str, event: str, who: dict[str, str | None], is_taken: bool
) -> None:
    """Of several targets the most verbose decides."""
    assert LEVELS.takes(level, event, who) is is_taken


def test_the_group_of_aws_iot_is_bounded(control: Control, monkeypatch: pytest.MonkeyPatch) -> None:
    """The oldest entries go; other groups keep all of theirs."""
    monkeypatch.setattr(store, "BOUNDED", {GROUP: 3})
    monkeypatch.setattr(store, "PRUNE_EVERY", 5)

    def write() -> None:
        for number in range(5):
            for group in (GROUP, "/aws/lambda/doors"):
                control.logs.write(LogLine(group, "stream", REGION, 1000 + number, str(number)))

    control.server.call(write)
    logs = control.client("logs")
    kept = {
        group: [each["message"] for each in logs.filter_log_events(logGroupName=group)["events"]]
        for group in (GROUP, "/aws/lambda/doors")
    }
    assert kept == {GROUP: ["2", "3", "4"], "/aws/lambda/doors": ["0", "1", "2", "3", "4"]}
