"""The table: made, waited for, made recoverable when it can be."""

from __future__ import annotations

from typing import Any

import pytest

from iotauth_cli.aws import table
from iotauth_cli.aws.session import Session
from iotauth_cli.errors import AwsError, Conflict
from support_aws import Pauses, aws_target, stubbed


@pytest.fixture
def session() -> Session:
    return Session(aws_target(), sleep=Pauses())


def described(status: str) -> dict[str, Any]:
    return {"Table": {"TableStatus": status, "KeySchema": [{"AttributeName": "Client_ID", "KeyType": "HASH"}]}}


def test_a_table_in_the_making_is_not_asked_for_its_backups(session: Session) -> None:
    """DynamoDB has no answer to that yet; the table counts as not recoverable."""
    with stubbed(session, "dynamodb") as stub:
        stub.add_response("describe_table", described("CREATING"))
        found = table.find(session, "clients")
    assert found is not None
    assert (found.status, found.is_recoverable) == ("CREATING", False)


def test_backups_that_cannot_be_had_yet_are_waited_for(session: Session) -> None:
    """A table becomes active some seconds before it can be backed up."""
    with stubbed(session, "dynamodb") as stub:
        stub.add_client_error("update_continuous_backups", "ContinuousBackupsUnavailableException", "Come again")
        stub.add_client_error("update_continuous_backups", "ContinuousBackupsUnavailableException", "Come again")
        stub.add_response("update_continuous_backups", {})
        table.make_recoverable(session, "clients")
    assert session.sleep == Pauses([0.25, 0.5])


def test_other_failures_of_backups_are_not_waited_for(session: Session) -> None:
    """They would not pass."""
    with stubbed(session, "dynamodb") as stub:
        stub.add_client_error("update_continuous_backups", "ResourceInUseException", "Busy")
        with pytest.raises(Conflict, match="`dynamodb:UpdateContinuousBackups` of table `clients` failed: Busy"):
            table.make_recoverable(session, "clients")
    assert session.sleep == Pauses([])


def test_waiting_for_a_table_ends(session: Session) -> None:
    """After five minutes it is an error that names what did not come true."""
    with stubbed(session, "dynamodb") as stub:
        for _ in range(80):
            stub.add_response("describe_table", described("CREATING"))
        with pytest.raises(AwsError, match="waited 300 s for this to come true: table `clients` is active"):
            table.wait_until_active(session, "clients")
