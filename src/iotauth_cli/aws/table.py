"""DynamoDB's tables, not their rows: those are `client_table`'s."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from iotauth_authorizer.grants import ArnScope
from iotauth_authorizer.record import KEY
from iotauth_cli.aws.polling import retry, wait_until
from iotauth_cli.aws.session import Session
from iotauth_cli.errors import AwsError, NotFound

# A table is there after some 20 s and gone after some 10; but AWS's own waiters allow 500 s, and a backup of a new one
# may take minutes to be possible. Source: botocore's waiters of dynamodb; hashicorp/terraform-provider-aws, table.go.
LIMIT_S = 300.0


@dataclass(frozen=True)
class Table:
    """*key* lists the key's attributes; a client table has `Client_ID` alone."""

    name: str
    status: str  # CREATING, ACTIVE, DELETING, UPDATING …
    key: tuple[str, ...]
    is_protected: bool
    is_recoverable: bool
    is_on_demand: bool = True


def arn(scope: ArnScope, name: str) -> str:
    return f"arn:{scope.partition}:dynamodb:{scope.region}:{scope.account}:table/{name}"


def find(session: Session, name: str) -> Table | None:
    found = describe(session, name)
    if found is None or found.status != "ACTIVE":
        return found
    return replace(found, is_recoverable=is_recoverable(session, name))


def is_recoverable(session: Session, name: str) -> bool:
    """Tell whether point-in-time recovery is on for a table that is active."""
    backups = session.call("dynamodb", "describe_continuous_backups", TableName=name)
    recovery = backups["ContinuousBackupsDescription"].get("PointInTimeRecoveryDescription", {})
    return bool(recovery.get("PointInTimeRecoveryStatus") == "ENABLED")


def expiry_attribute(session: Session, name: str) -> str | None:
    """Return the attribute by which DynamoDB deletes rows of itself (time to live), or None where it does not."""
    found = session.call("dynamodb", "describe_time_to_live", TableName=name)["TimeToLiveDescription"]
    is_on = found.get("TimeToLiveStatus") in ("ENABLED", "ENABLING")
    return str(found["AttributeName"]) if is_on and "AttributeName" in found else None


def describe(session: Session, name: str) -> Table | None:
    try:
        found = session.call("dynamodb", "describe_table", TableName=name)["Table"]
    except NotFound:
        return None
    return Table(
        name=name,
        status=found["TableStatus"],
        key=tuple(part["AttributeName"] for part in found["KeySchema"]),
        is_protected=bool(found.get("DeletionProtectionEnabled")),
        is_recoverable=False,
        # A table that never was on demand has no summary.
        is_on_demand=found.get("BillingModeSummary", {}).get("BillingMode") == "PAY_PER_REQUEST",
    )


def create(session: Session, name: str, tags: Mapping[str, str] | None = None) -> None:
    """Create the client table: paid by request, protected against deletion."""
    session.call(
        "dynamodb",
        "create_table",
        TableName=name,
        KeySchema=[{"AttributeName": KEY, "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": KEY, "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
        DeletionProtectionEnabled=True,
        **({"Tags": listed(tags)} if tags else {}),
    )


def wait_until_active(session: Session, name: str) -> None:
    def is_active() -> bool:
        found = describe(session, name)
        return found is not None and found.status == "ACTIVE"

    wait_until(is_active, f"table `{name}` is active", session.sleep, LIMIT_S)


def wait_until_gone(session: Session, name: str) -> None:
    wait_until(lambda: describe(session, name) is None, f"table `{name}` is gone", session.sleep, LIMIT_S)


def make_recoverable(session: Session, name: str) -> None:
    """Turn point-in-time recovery on: any second of the last 35 days can be restored.

    A new table is active before it can be backed up; until then DynamoDB asks to come again.
    """

    def update_backups() -> None:
        session.call(
            "dynamodb",
            "update_continuous_backups",
            TableName=name,
            PointInTimeRecoverySpecification={"PointInTimeRecoveryEnabled": True},
        )

    def passes(problem: AwsError) -> bool:
        return problem.aws_code == "ContinuousBackupsUnavailableException"

    retry(update_backups, passes, session.sleep, LIMIT_S)


def expire_by(session: Session, name: str, attribute: str) -> bool:
    """Let DynamoDB delete rows whose *attribute*, epoch seconds, has passed; return whether it does now.

    A change of it takes up to an hour, and until it is over DynamoDB takes no second one: somebody else's is
    let be. It refuses what is so already, too. Source: UpdateTimeToLive.
    """
    specification = {"Enabled": True, "AttributeName": attribute}
    try:
        change(session, "update_time_to_live", TableName=name, TimeToLiveSpecification=specification)
    except AwsError as problem:
        if problem.aws_code != "ValidationException":
            raise
        return expiry_attribute(session, name) == attribute
    return True


def protect(session: Session, name: str, *, on: bool) -> None:
    change(session, "update_table", TableName=name, DeletionProtectionEnabled=on)


def tags(session: Session, arn: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for page in session.pages("dynamodb", "list_tags_of_resource", ResourceArn=arn):
        found |= {tag["Key"]: tag["Value"] for tag in page.get("Tags", ())}
    return found


def tag(session: Session, arn: str, added: Mapping[str, str]) -> None:
    """Put tags on the table, beside those that it has."""
    change(session, "tag_resource", ResourceArn=arn, Tags=listed(added))


def untag(session: Session, arn: str, keys: Sequence[str]) -> None:
    change(session, "untag_resource", ResourceArn=arn, TagKeys=list(keys))


def listed(tags: Mapping[str, str]) -> list[dict[str, str]]:
    return [{"Key": key, "Value": value} for key, value in tags.items()]


def change(session: Session, operation: str, **parameters: Any) -> None:
    """Change a table; while another change of it is under way, ask again."""

    def passes(problem: AwsError) -> bool:
        return problem.aws_code == "ResourceInUseException"

    retry(lambda: session.call("dynamodb", operation, **parameters), passes, session.sleep)


def delete(session: Session, name: str) -> None:
    """Delete the table and every row; AWS refuses while it is protected."""
    session.call("dynamodb", "delete_table", TableName=name)
