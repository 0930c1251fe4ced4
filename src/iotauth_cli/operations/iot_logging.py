"""AWS IoT's own log: on, off, and the role under which AWS IoT writes it.

Its options belong to the account and region, not to an authorizer: turned on, every device there is logged. A role
that is set already stays; ours is made where there is none, and may write to this one group only.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass

from iotauth_cli.aws import iam, iot, logs
from iotauth_cli.aws.session import Session
from iotauth_cli.errors import AccessDenied, AlreadyExists, Conflict
from iotauth_cli.operations.installation.part import MADE_BY

LEVELS = ("error", "warn", "info", "debug")
RETENTION_DAYS = 30  # of a group that we make; one that AWS IoT makes keeps its entries, and costs, forever
POLICY_NAME = "iotauth"


@dataclass(frozen=True)
class Status:
    """How AWS IoT logs, and where to. *is_ours*: it writes under a role that iotauth has made.

    *levels* are of single clients and others: `CLIENT_ID thermo-1`. Without *has_group* nothing was logged yet;
    *retention_days* is None where entries are kept forever. *unseen* says in words what may not be asked.
    """

    logging: iot.Logging | None
    levels: tuple[tuple[str, str], ...] = ()
    has_group: bool = False
    retention_days: int | None = None
    is_ours: bool = False
    unseen: tuple[str, ...] = ()

    @property
    def is_on(self) -> bool:
        return self.logging is not None and self.logging.is_on

    @property
    def level(self) -> str | None:
        return self.logging.level.lower() if self.logging is not None else None


@dataclass(frozen=True)
class Enabled:
    """What was done. *before* is the level that was in force, None where AWS IoT did not log."""

    level: str
    before: str | None
    role_arn: str
    is_changed: bool = True
    is_role_new: bool = False
    is_group_new: bool = False


def status(session: Session) -> Status:
    """Look at AWS IoT's log.

    Raises:
        AccessDenied: this user may not read the options; what else is hidden is in the answer.
    """
    found = iot.logging(session)
    if found is None:
        return Status(None)
    unseen: list[str] = []
    levels: tuple[tuple[str, str], ...] = ()
    group: logs.LogGroup | None = None
    try:
        levels = tuple(iot.logging_levels(session))
    except AccessDenied as denied:
        unseen.append(f"levels of single clients: {denied.message}")
    try:
        group = logs.find(session, logs.IOT_GROUP)
    except AccessDenied as denied:
        unseen.append(f"its log group: {denied.message}")
    shown = iot.Logging(found.role_arn, found.level, found.is_disabled, levels)
    is_ours = (found.role_arn or "").endswith(f":role/{role_name(session)}")
    retention_days = group.retention_days if group else None
    return Status(shown, levels, group is not None, retention_days, is_ours, tuple(unseen))


def enable(session: Session, level: str) -> Enabled:
    """Have AWS IoT log at *level*; does nothing where it does so already.

    Raises:
        Conflict: a role of the name that we give exists, and is somebody else's.
    """
    found = iot.logging(session)
    before = found.level.lower() if found is not None and found.is_on else None
    role_arn, is_role_new = _role(session, found)
    is_group_new = _make_group(session)
    is_changed = before != level or found is None or found.role_arn != role_arn
    if is_changed:
        iot.set_logging(session, role_arn=role_arn, level=level.upper())
    return Enabled(level, before, role_arn, is_changed, is_role_new, is_group_new)


def disable(session: Session) -> bool:
    """Stop AWS IoT's log, whatever its levels are; tell whether it was on. What was logged stays."""
    found = iot.logging(session)
    if found is None or not found.is_on or found.role_arn is None:
        return False
    iot.set_logging(session, role_arn=found.role_arn, level=found.level, is_disabled=True)
    return True


def role_of_others(session: Session) -> str | None:
    """Return the role under which AWS IoT logs, where it is not ours; None while it does not log."""
    found = iot.logging(session)
    if found is None or not found.is_on or found.role_arn is None:
        return None
    name = found.role_arn.rpartition("/")[2]
    return None if name == role_name(session) else name


def role_name(session: Session) -> str:
    return role_name_in(session.target.region)


def role_name_in(region: str) -> str:
    # Roles belong to the account, logging to a region.
    return f"iotauth-iot-logs-{region}"


def _role(session: Session, found: iot.Logging | None) -> tuple[str, bool]:
    """Return the role to log under, and whether it was just made."""
    name = role_name(session)
    if found is not None and found.role_arn and _is_usable(session, found.role_arn):
        return found.role_arn, False
    role = iam.find(session, name, POLICY_NAME)
    if role is not None and MADE_BY not in role.description:
        raise Conflict(
            f"role `{name}` exists and was not made by iotauth",
            hint="delete or rename it, or turn logging on in the AWS console with a role of your own",
        )
    if role is None:
        iam.create(session, name, trust=trust(), description=f"Lets AWS IoT write its log, {MADE_BY}")
    elif role.trust != trust():
        iam.trust(session, name, trust())
    if role is None or role.policy != policy(session):
        iam.put_policy(session, name, POLICY_NAME, policy(session))
    return iam.arn(session.scope, name), role is None


def _is_usable(session: Session, role_arn: str) -> bool:
    """Tell whether a role that is set still exists; ours is looked after anyway."""
    name = role_arn.rpartition("/")[2]
    if name == role_name(session):
        return False
    try:
        return iam.find(session, name, POLICY_NAME) is not None
    except AccessDenied:
        return True  # we cannot know, and AWS IoT will say


def _make_group(session: Session) -> bool:
    """Make the group, with an end to how long it keeps, unless it is there; tell whether it was made."""
    if logs.find(session, logs.IOT_GROUP) is not None:
        return False
    with contextlib.suppress(AlreadyExists):  # AWS IoT was faster
        logs.create(session, logs.IOT_GROUP)
    logs.retain(session, logs.IOT_GROUP, RETENTION_DAYS)
    return True


def trust() -> iam.Document:
    statement = {"Effect": "Allow", "Principal": {"Service": iot.PRINCIPAL}, "Action": "sts:AssumeRole"}
    return {"Version": "2012-10-17", "Statement": [statement]}


def policy(session: Session) -> iam.Document:
    """Return what AWS IoT needs to write, on its own group alone.

    Source: AWS IoT developer guide, "Configure AWS IoT logging", which has `*` for the resource.
    """
    group = logs.arn(session.scope, logs.IOT_GROUP)
    actions = ("CreateLogGroup", "CreateLogStream", "PutLogEvents", "PutMetricFilter", "PutRetentionPolicy")
    statement = {
        "Sid": "WriteItsLog",
        "Effect": "Allow",
        "Action": [f"logs:{action}" for action in actions],
        "Resource": [group, f"{group}:*"],
    }
    return {"Version": "2012-10-17", "Statement": [statement]}
