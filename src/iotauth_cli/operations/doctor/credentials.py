"""The operator: which region, whose keys, which account."""

from __future__ import annotations

from iotauth_cli.errors import AccessDenied, ConfigError, IotauthError
from iotauth_cli.operations.doctor.finding import Finding, Outcome, Unseen, some
from iotauth_cli.operations.doctor.machine import is_clock_wrong
from iotauth_cli.operations.doctor.scene import Scene


def region(scene: Scene) -> Outcome:
    """Without a region there is nowhere to ask."""
    try:
        return f"`{scene.session.target.region}`"
    except ConfigError as problem:
        return Finding("error", problem.message, "iotauth init, and `region:` in iotauth.yaml")


def identity(scene: Scene) -> Outcome:
    """Keys that are missing, unknown or expired: the hint says how to log in."""
    if isinstance(scene.premises.door, IotauthError):
        raise scene.premises.door
    try:
        who = scene.identity()
    except AccessDenied:
        raise
    except IotauthError as problem:  # then nothing else can be asked either
        if is_clock_wrong(scene):
            raise Unseen("the clock is wrong, and AWS refuses every signature for that alone") from problem
        return Finding("error", problem.message, problem.hint)
    arn = str(who["Arn"])
    if arn.endswith(":root"):
        sentence = f"these keys are those of the account's root user, `{arn}`, who may do everything"
        return Finding("warning", sentence, scene.aws("iam create-user --user-name iotauth"))
    return f"`{arn}`"


def account(scene: Scene) -> Outcome:
    """`account:` in iotauth.yaml keeps a project from being carried out in the wrong account."""
    meant = scene.premises.account
    found = str(scene.identity()["Account"])
    if meant is None:
        return f"{found}; `account:` in iotauth.yaml would hold commands to it"
    if meant != found:
        sentence = f"these keys belong to account {found}, and the settings name {meant}"
        return Finding("error", sentence, "iotauth config show")
    return f"{found}, as the settings say"


def operator(scene: Scene) -> Outcome:
    """What was denied while the other checks looked, and the policy that allows it all."""
    denied = sorted(set(scene.denied))
    if not denied:
        return "nothing that was asked for was denied"
    sentence = f"you may not call {some(denied)}; what would let you see everything can be printed"
    return Finding("note", sentence, "iotauth policy readonly")
