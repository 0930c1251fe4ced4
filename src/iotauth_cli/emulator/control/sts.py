"""Who am I, and the keys of roles: what every way to log in ends at.

Sessions are handed out as STS does: with a key of their own, a token and an end. The token is not asked for again,
as no signature is verified here; but a key that was handed out is known by its session, so that
GetCallerIdentity tells an assumed role from the user, and an expired session is refused by every service. A role is
assumed by whom its trust policy names. Any six digits are an MFA code.
"""

from __future__ import annotations

import secrets
import string
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from iotauth_cli.emulator.control.arns import partition
from iotauth_cli.emulator.control.service import Context, Handler, NotImplementedHere, Parameters, Result, ServiceError

USER_ID = "AIDAIOTAUTHEMULATOR00"  # AIDA marks a user; 21 characters, as AWS's are
KEY_CHARACTERS = string.ascii_uppercase + string.digits
ROLE_S = 3600  # seconds; AssumeRole's default, and the most for a role that assumes another
SESSION_S = 43_200  # seconds; GetSessionToken's default


class Roles(Protocol):
    """What STS has to know of IAM."""

    def trust_of(self, role_arn: str) -> Trust | None: ...


@dataclass(frozen=True)
class Trust:
    """A role as STS sees it. *names* tells whether the trust policy lets one of some ARNs do an action.

    The facts are those that its conditions may ask for.
    """

    role_id: str
    max_session_s: int
    names: Callable[[tuple[str, ...], str, Mapping[str, str]], bool]


@dataclass(frozen=True)
class Issued:
    """A session that was handed out. *ends* is in epoch seconds."""

    arn: str
    user_id: str
    ends: float
    is_role: bool
    has_mfa: bool


class StsService:
    """The sessions live as long as the emulator runs; a key that nobody knows is the emulator's own user."""

    name = "sts"

    def __init__(self, roles: Roles | None = None, clock: Callable[[], float] = time.time) -> None:
        self._roles = roles
        self._clock = clock
        self._issued: dict[str, Issued] = {}
        self.operations: Mapping[str, Handler] = {
            "AssumeRole": self.assume_role,
            "AssumeRoleWithWebIdentity": self.assume_role_with_web_identity,
            "GetCallerIdentity": self.get_caller_identity,
            "GetSessionToken": self.get_session_token,
        }

    def has_expired(self, access_key: str) -> bool:
        """Tell whether *access_key* is of a session that has come to its end."""
        issued = self._issued.get(access_key)
        return issued is not None and issued.ends <= self._clock()

    def get_caller_identity(self, parameters: Parameters, context: Context) -> Result:
        issued = self._issued.get(context.access_key)
        arn, user_id = (issued.arn, issued.user_id) if issued else (own_arn(context), USER_ID)
        return {"UserId": user_id, "Account": context.account, "Arn": arn}

    def assume_role(self, parameters: Parameters, context: Context) -> Result:
        caller = self._issued.get(context.access_key)
        arn = caller.arn if caller else own_arn(context)
        has_mfa = "TokenCode" in parameters and "SerialNumber" in parameters
        facts = {
            "aws:MultiFactorAuthPresent": "true" if has_mfa or (caller and caller.has_mfa) else "false",
            **({"sts:ExternalId": parameters["ExternalId"]} if "ExternalId" in parameters else {}),
        }
        trust = self._trust(parameters["RoleArn"])
        if trust is None or not trust.names(principals(arn, context), "sts:AssumeRole", facts):
            raise denied(arn, "sts:AssumeRole", parameters["RoleArn"])
        longest = ROLE_S if caller and caller.is_role else trust.max_session_s
        return self._role_session(parameters, trust, longest, has_mfa)

    def assume_role_with_web_identity(self, parameters: Parameters, context: Context) -> Result:
        """Take any token: whether its issuer signed it is not looked at, as no signature is here."""
        trust = self._trust(parameters["RoleArn"])
        if trust is None or not trust.names(("*",), "sts:AssumeRoleWithWebIdentity", {}):
            message = "Not authorized to perform sts:AssumeRoleWithWebIdentity"
            raise ServiceError("AccessDenied", message, 403)
        return {
            **self._role_session(parameters, trust, trust.max_session_s, has_mfa=False),
            "SubjectFromWebIdentityToken": "emulator",
            "Audience": "sts.amazonaws.com",
        }

    def get_session_token(self, parameters: Parameters, context: Context) -> Result:
        if context.access_key in self._issued:
            raise ServiceError("AccessDenied", "Cannot call GetSessionToken with session credentials", 403)
        ends = self._clock() + parameters.get("DurationSeconds", SESSION_S)
        has_mfa = "TokenCode" in parameters
        return {"Credentials": self._issue(Issued(own_arn(context), USER_ID, ends, False, has_mfa))}

    def _trust(self, role_arn: str) -> Trust | None:
        if self._roles is None:
            raise NotImplementedHere("roles without IAM")
        return self._roles.trust_of(role_arn)

    def _role_session(self, parameters: Parameters, trust: Trust, longest_s: int, has_mfa: bool) -> Result:
        role_arn, name = parameters["RoleArn"], parameters["RoleSessionName"]
        lasts_s = parameters.get("DurationSeconds", ROLE_S)
        if lasts_s > longest_s:
            message = "The requested DurationSeconds exceeds the MaxSessionDuration set for this role."
            raise ServiceError("ValidationError", message, 400)
        arn, user_id = session_arn(role_arn, name), f"{trust.role_id}:{name}"
        issued = Issued(arn, user_id, self._clock() + lasts_s, is_role=True, has_mfa=has_mfa)
        return {
            "Credentials": self._issue(issued),
            "AssumedRoleUser": {"AssumedRoleId": user_id, "Arn": arn},
            "PackedPolicySize": 0,
        }

    def _issue(self, issued: Issued) -> Result:
        now = self._clock()
        self._issued = {key: each for key, each in self._issued.items() if each.ends > now - SESSION_S}
        access_key = "ASIA" + "".join(secrets.choice(KEY_CHARACTERS) for _ in range(16))
        self._issued[access_key] = issued
        return {
            "AccessKeyId": access_key,
            "SecretAccessKey": secrets.token_urlsafe(30),
            "SessionToken": secrets.token_urlsafe(120),
            "Expiration": issued.ends,
        }


def own_arn(context: Context) -> str:
    return f"arn:{partition(context.region)}:iam::{context.account}:user/iotauth-emulator"


def session_arn(role_arn: str, name: str) -> str:
    """Return the ARN of a role's session, which has the role's bare name: its path is left out."""
    _, in_partition, _, _, account, resource = role_arn.split(":", 5)
    return f"arn:{in_partition}:sts::{account}:assumed-role/{resource.rpartition('/')[2]}/{name}"


def principals(arn: str, context: Context) -> tuple[str, ...]:
    """Return what a trust policy may call whoever has *arn*: themselves, the role of their session, the account."""
    found = [arn, "*", context.account, f"arn:{partition(context.region)}:iam::{context.account}:root"]
    if ":assumed-role/" in arn:
        role = arn.split("/")[1]
        found.append(f"arn:{partition(context.region)}:iam::{context.account}:role/{role}")
    return tuple(found)


def denied(arn: str, action: str, resource: str) -> ServiceError:
    return ServiceError(
        "AccessDenied", f"User: {arn} is not authorized to perform: {action} on resource: {resource}", 403
    )
