"""AWS IoT's control plane: custom authorizers and the address that devices connect to."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from iotauth_authorizer.grants import ArnScope
from iotauth_cli.aws.polling import retry
from iotauth_cli.aws.session import Session
from iotauth_cli.errors import AccessDenied, AlreadyExists, AwsError, NotFound

PRINCIPAL = "iot.amazonaws.com"
NOT_CONFIGURED = "NotConfiguredException"


@dataclass(frozen=True)
class Authorizer:
    name: str
    arn: str
    function_arn: str
    is_active: bool
    signing_disabled: bool
    token_key_name: str | None = None
    token_signing_public_keys: Mapping[str, str] = field(default_factory=dict)
    caching_for_http: bool = False
    changed_at: int | None = field(default=None, compare=False)  # epoch seconds


@dataclass(frozen=True)
class TokenSigning:
    """Under which name a device sends its token, and the public keys that verify it, by name: all of them."""

    token_key_name: str
    public_keys: Mapping[str, str]


@dataclass(frozen=True)
class InvokeAnswer:
    """What the authorizer's function answered, as AWS hands it on."""

    is_authenticated: bool
    principal_id: str
    policy_documents: tuple[str, ...]
    refresh_after_s: int
    disconnect_after_s: int


def arn(scope: ArnScope, name: str) -> str:
    """Return the ARN that an authorizer *name* has or will have."""
    return f"arn:{scope.partition}:iot:{scope.region}:{scope.account}:authorizer/{name}"


def find(session: Session, name: str) -> Authorizer | None:
    try:
        return read(session.call("iot", "describe_authorizer", authorizerName=name))
    except NotFound:
        return None


def find_default(session: Session) -> Authorizer | None:
    """Return the authorizer of devices that name none."""
    try:
        return read(session.call("iot", "describe_default_authorizer"))
    except NotFound:
        return None


def read(answer: Mapping[str, Any]) -> Authorizer:
    found = answer["authorizerDescription"]
    return Authorizer(
        name=found["authorizerName"],
        arn=found["authorizerArn"],
        function_arn=found["authorizerFunctionArn"],
        is_active=found.get("status") == "ACTIVE",
        signing_disabled=bool(found.get("signingDisabled")),
        token_key_name=found.get("tokenKeyName"),
        token_signing_public_keys=found.get("tokenSigningPublicKeys", {}),
        caching_for_http=bool(found.get("enableCachingForHttp")),
        changed_at=int(found["lastModifiedDate"].timestamp()) if "lastModifiedDate" in found else None,
    )


def names(session: Session) -> Iterator[str]:
    """Yield the name of every authorizer in the region; the list has no more than that."""
    for page in session.pages("iot", "list_authorizers"):
        yield from (entry["authorizerName"] for entry in page["authorizers"])


def create(
    session: Session,
    name: str,
    function_arn: str,
    signing: TokenSigning | None = None,
    *,
    is_active: bool = True,
    caching_for_http: bool = False,
    tags: Mapping[str, str] | None = None,
) -> None:
    """Create an authorizer. Whether it asks for signed tokens cannot be changed later."""
    wanted: dict[str, Any] = {"signingDisabled": True}
    if signing is not None:
        wanted = {
            "signingDisabled": False,
            "tokenKeyName": signing.token_key_name,
            "tokenSigningPublicKeys": dict(signing.public_keys),
        }
    session.call(
        "iot",
        "create_authorizer",
        authorizerName=name,
        authorizerFunctionArn=function_arn,
        status=status(is_active),
        enableCachingForHttp=caching_for_http,
        **wanted,
        **({"tags": listed(tags)} if tags else {}),
    )


def update(
    session: Session,
    name: str,
    *,
    function_arn: str | None = None,
    is_active: bool | None = None,
    public_keys: Mapping[str, str] | None = None,
    caching_for_http: bool | None = None,
) -> None:
    """Change what is given and nothing else: with signing disabled AWS refuses every other member.

    *public_keys* are all that are to be there afterwards: whether AWS replaces the map or merges into it
    is not documented.
    """
    changes: dict[str, Any] = {}
    if public_keys is not None:
        changes["tokenSigningPublicKeys"] = dict(public_keys)
    if function_arn is not None:
        changes["authorizerFunctionArn"] = function_arn
    if is_active is not None:
        changes["status"] = status(is_active)
    if caching_for_http is not None:
        changes["enableCachingForHttp"] = caching_for_http
    session.call("iot", "update_authorizer", authorizerName=name, **changes)


def status(is_active: bool) -> str:
    return "ACTIVE" if is_active else "INACTIVE"


def delete(session: Session, name: str) -> None:
    """Delete an inactive authorizer; AWS refuses an active one."""
    session.call("iot", "delete_authorizer", authorizerName=name)


def set_default(session: Session, name: str) -> None:
    """Make *name* the authorizer of devices that name none, in the place of whichever it is.

    AWS IoT may refuse while there is another (ResourceAlreadyExists, not explained): then that is cleared first,
    and for a moment there is none.
    """
    try:
        session.call("iot", "set_default_authorizer", authorizerName=name)
    except AlreadyExists:
        clear_default(session)
        session.call("iot", "set_default_authorizer", authorizerName=name)


def clear_default(session: Session) -> None:
    """Let devices that name no authorizer have none. Where there is no default, nothing is changed."""
    with contextlib.suppress(NotFound):
        session.call("iot", "clear_default_authorizer")


def listed(tags: Mapping[str, str]) -> list[dict[str, str]]:
    return [{"Key": key, "Value": value} for key, value in tags.items()]


def test_invoke(session: Session, name: str, **contexts: Any) -> InvokeAnswer:
    """Let AWS IoT call the authorizer's function. *contexts* as TestInvokeAuthorizer names them.

    A password goes in as raw bytes: botocore encodes the blob, and a second encoding would
    reach the function as a wrong password.

    Raises:
        BadAnswer: the function failed, took too long, or AWS IoT does not take its answer.
    """
    found = session.call("iot", "test_invoke_authorizer", authorizerName=name, **contexts)
    return InvokeAnswer(
        is_authenticated=bool(found.get("isAuthenticated")),
        principal_id=found.get("principalId", ""),
        policy_documents=tuple(found.get("policyDocuments", ())),
        refresh_after_s=found.get("refreshAfterInSeconds", 0),
        disconnect_after_s=found.get("disconnectAfterInSeconds", 0),
    )


def data_endpoint(session: Session) -> str:
    """Return the host that devices connect to, the one with Amazon's own roots."""
    return str(session.call("iot", "describe_endpoint", endpointType="iot:Data-ATS")["endpointAddress"])


@dataclass(frozen=True)
class Logging:
    """The logging options of the region: *level* is the default's, *levels* those of single clients and others."""

    role_arn: str | None
    level: str
    is_disabled: bool
    levels: tuple[tuple[str, str], ...] = ()

    @property
    def is_on(self) -> bool:
        return not self.is_disabled and (self.level != "DISABLED" or bool(self.levels))


def logging(session: Session) -> Logging | None:
    """Return how AWS IoT logs; None where that was never set."""
    try:
        found = session.call("iot", "get_v2_logging_options")
    except AwsError as problem:
        if problem.aws_code == NOT_CONFIGURED:
            return None
        raise
    known = Logging(
        found.get("roleArn"), found.get("defaultLogLevel", "DISABLED"), bool(found.get("disableAllLogs", False))
    )
    if known.is_on or known.is_disabled:
        return known
    with contextlib.suppress(AccessDenied):  # single clients may be logged all the same
        return replace(known, levels=tuple(logging_levels(session)))
    return known


def logging_levels(session: Session) -> Iterator[tuple[str, str]]:
    """Yield what has a level of its own, `CLIENT_ID thermo-1`, and that level."""
    for page in session.pages("iot", "list_v2_logging_levels"):
        for each in page.get("logTargetConfigurations", ()):
            target = each["logTarget"]
            if target["targetType"] != "DEFAULT":
                yield f"{target['targetType']} {target.get('targetName', '')}", each["logLevel"]


def set_logging(session: Session, *, role_arn: str, level: str, is_disabled: bool = False) -> None:
    """Turn AWS IoT's log on or off. A new role may not be known everywhere yet: then it is asked again.

    Source: hashicorp/terraform-provider-aws, logging_options.go, which asks again whatever is said of the request.
    """

    def passes(problem: AwsError) -> bool:
        return problem.aws_code == "InvalidRequestException" and "role" in (problem.said or problem.message).lower()

    retry(
        lambda: session.call(
            "iot", "set_v2_logging_options", roleArn=role_arn, defaultLogLevel=level, disableAllLogs=is_disabled
        ),
        passes,
        session.sleep,
    )
