"""Who am I: the one question to STS that everything asks before it does anything."""

from __future__ import annotations

from collections.abc import Mapping

from iotauth_cli.emulator.control.arns import partition
from iotauth_cli.emulator.control.service import Context, Handler, Parameters, Result

USER_ID = "AIDAIOTAUTHEMULATOR00"  # AIDA marks a user; 21 characters, as AWS's are


class StsService:
    name = "sts"

    def __init__(self) -> None:
        self.operations: Mapping[str, Handler] = {"GetCallerIdentity": get_caller_identity}


def get_caller_identity(parameters: Parameters, context: Context) -> Result:
    arn = f"arn:{partition(context.region)}:iam::{context.account}:user/iotauth-emulator"
    return {"UserId": USER_ID, "Account": context.account, "Arn": arn}
