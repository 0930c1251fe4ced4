"""Lambda: the authorizer function and who may call it."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from iotauth_authorizer.grants import ArnScope
from iotauth_cli.aws.polling import retry, wait_until
from iotauth_cli.aws.session import Session
from iotauth_cli.errors import AwsError, InputError, NotFound

ARN = re.compile(
    r"arn:(?P<partition>aws[a-z-]*):lambda:(?P<region>[a-z0-9-]+):(?P<account>\d{12})"
    r":function:(?P<name>[A-Za-z0-9_-]{1,64})(?::(?P<qualifier>[A-Za-z0-9_$-]{1,128}))?"
)

# What CreateFunction and UpdateFunctionConfiguration say of a role that IAM has not told Lambda of yet: within
# some 10 s it has. No retry mode of botocore covers it.
# Source: apex/up#189, aws/aws-cli#7700; hashicorp/terraform-provider-aws, aws_lambda_function.
ROLE_IS_NEW = (
    "cannot be assumed",
    "cannot be found",
    "does not have permissions",
    "KMS key is invalid for CreateGrant",
)
UPDATE_IN_PROGRESS = "ResourceConflictException"
READY_S = 180.0  # a change may take a minute, and another one may be under way. Source: UpdateFunctionConfiguration
PROPAGATION_S = 15.0  # until a function that was made a moment ago is known to all of Lambda


@dataclass(frozen=True)
class Configuration:
    """How a function is to run. Equal configurations need no update."""

    role: str
    runtime: str
    handler: str
    memory_mb: int
    timeout_s: int
    environment: Mapping[str, str]
    description: str


@dataclass(frozen=True)
class Function:
    name: str
    arn: str
    code_sha256: str
    architecture: str
    configuration: Configuration
    is_ready: bool  # neither being created nor in the middle of an update
    reserved_concurrency: int | None = None  # calls at once that are kept for it, where that was asked
    changed_at: int | None = field(default=None, compare=False)  # epoch seconds
    failure: str | None = None  # why it never came to be, in Lambda's words
    sealed: str | None = None  # why its variables are not shown: they are not none


@dataclass(frozen=True)
class Invoked:
    """What a function returned, as JSON; *error* is what it or Lambda said if it failed."""

    answer: Any
    error: str | None = None


@dataclass(frozen=True)
class FunctionArn:
    """A function's ARN in its parts; *qualifier* is an alias or a version."""

    text: str
    region: str
    name: str
    qualifier: str | None

    @property
    def qualified_name(self) -> str:
        """The name with alias or version, as Lambda's API takes it for a name: ``doors:prod``."""
        return f"{self.name}:{self.qualifier}" if self.qualifier else self.name

    @classmethod
    def parse(cls, text: str) -> FunctionArn:
        found = ARN.fullmatch(text)
        if found is None:
            raise InputError(
                f"`{text}` is not the ARN of a function",
                hint="it looks like arn:aws:lambda:eu-west-1:123456789012:function:doors",
            )
        return cls(text, found["region"], found["name"], found["qualifier"])


def arn(scope: ArnScope, name: str) -> str:
    """Return the ARN that a function *name* has or will have."""
    return f"arn:{scope.partition}:lambda:{scope.region}:{scope.account}:function:{name}"


def behind(session: Session, arn: str) -> Function | None:
    """Return the function that *arn* names; None for none, and for one of another region, where nobody is asked."""
    called = FunctionArn.parse(arn)
    return find(session, called.qualified_name) if called.region == session.target.region else None


def find(session: Session, name: str) -> Function | None:
    """Return the function *name*, without its code."""
    try:
        found = session.call("lambda", "get_function_configuration", FunctionName=name)
    except NotFound:
        return None
    return Function(
        name=name,
        arn=found["FunctionArn"],
        code_sha256=found["CodeSha256"],
        architecture=found.get("Architectures", ["x86_64"])[0],
        configuration=Configuration(
            role=found["Role"],
            runtime=found.get("Runtime", ""),
            handler=found.get("Handler", ""),
            memory_mb=found["MemorySize"],
            timeout_s=found["Timeout"],
            environment=found.get("Environment", {}).get("Variables", {}),
            description=found.get("Description", ""),
        ),
        changed_at=moment(found.get("LastModified")),
        failure=found.get("StateReason", "no reason was given") if found.get("State") == "Failed" else None,
        sealed=found.get("Environment", {}).get("Error", {}).get("Message"),
        is_ready=found.get("State", "Active") in ("Active", "Inactive")
        and found.get("LastUpdateStatus", "Successful") != "InProgress",
    )


def moment(text: str | None) -> int | None:
    """Return `2026-11-20T19:40:12.000+0000`, as Lambda writes a time, in epoch seconds."""
    return None if text is None else int(datetime.strptime(text, "%Y-%m-%dT%H:%M:%S.%f%z").timestamp())


def create(
    session: Session,
    name: str,
    code: bytes,
    architecture: str,
    wanted: Configuration,
    tags: Mapping[str, str] | None = None,
) -> None:
    """Create the function, waiting for a role that Lambda does not know yet."""

    def create_function() -> None:
        session.call(
            "lambda",
            "create_function",
            FunctionName=name,
            Code={"ZipFile": code},
            PackageType="Zip",
            Architectures=[architecture],
            **parameters(wanted),
            **({"Tags": dict(tags)} if tags else {}),
        )

    retry(create_function, is_role_new, session.sleep)


def is_role_new(problem: AwsError) -> bool:
    return any(words in problem.message + problem.said for words in ROLE_IS_NEW)


def update_code(session: Session, name: str, code: bytes, architecture: str) -> None:
    change(session, "update_function_code", FunctionName=name, ZipFile=code, Architectures=[architecture])


def update_configuration(session: Session, name: str, wanted: Configuration) -> None:
    change(session, "update_function_configuration", FunctionName=name, **parameters(wanted))


def reserve(session: Session, name: str, calls: int) -> None:
    """Keep *calls* at once for the function, which are then its limit too."""
    change(session, "put_function_concurrency", FunctionName=name, ReservedConcurrentExecutions=calls)


def unreserve(session: Session, name: str) -> None:
    """Let the function share the account's calls with all others, with no limit of its own."""
    change(session, "delete_function_concurrency", FunctionName=name)


@dataclass(frozen=True)
class Concurrency:
    """How many calls may run at once in the region, and how many of them are not kept for single functions."""

    limit: int
    unreserved: int


def concurrency(session: Session) -> Concurrency:
    found = session.call("lambda", "get_account_settings")["AccountLimit"]
    return Concurrency(found["ConcurrentExecutions"], found["UnreservedConcurrentExecutions"])


def change(session: Session, operation: str, **parameters: Any) -> None:
    """Change a function; while another change of it is under way, here or by somebody else, ask again."""

    def passes(problem: AwsError) -> bool:
        return problem.aws_code == UPDATE_IN_PROGRESS or is_role_new(problem)

    retry(lambda: session.call("lambda", operation, **parameters), passes, session.sleep)


def tags(session: Session, arn: str) -> dict[str, str]:
    return dict(session.call("lambda", "list_tags", Resource=arn).get("Tags", {}))


def tag(session: Session, arn: str, added: Mapping[str, str]) -> None:
    """Put tags on the function, beside those that it has."""
    change(session, "tag_resource", Resource=arn, Tags=dict(added))


def untag(session: Session, arn: str, keys: Sequence[str]) -> None:
    change(session, "untag_resource", Resource=arn, TagKeys=list(keys))


def parameters(wanted: Configuration) -> dict[str, Any]:
    return {
        "Role": wanted.role,
        "Runtime": wanted.runtime,
        "Handler": wanted.handler,
        "MemorySize": wanted.memory_mb,
        "Timeout": wanted.timeout_s,
        "Environment": {"Variables": dict(wanted.environment)},
        "Description": wanted.description,
    }


def wait_until_ready(session: Session, name: str) -> None:
    def is_ready() -> bool:
        found = find(session, name)
        if found is not None and found.failure is not None:
            raise AwsError(
                f"function `{name}` could not be made: {found.failure}",
                hint=f"take it away, `{session.target.aws_command} lambda delete-function --function-name {name}`, "
                "and run the same command again",
            )
        return found is not None and found.is_ready

    wait_until(is_ready, f"function `{name}` is ready", session.sleep, READY_S)


def delete(session: Session, name: str) -> None:
    session.call("lambda", "delete_function", FunctionName=name)


def invoke(session: Session, function: FunctionArn, event: Mapping[str, Any]) -> Invoked:
    """Call the function itself, past AWS IoT and past what AWS IoT checks."""
    found = session.call("lambda", "invoke", FunctionName=function.text, Payload=json.dumps(event).encode())
    body = json.loads(found["Payload"].read() or b"null")
    if "FunctionError" not in found:
        return Invoked(body)
    said = (body.get("errorType"), body.get("errorMessage")) if isinstance(body, dict) else ()
    return Invoked(None, ": ".join(filter(None, said)) or str(found["FunctionError"]))


def statements(session: Session, function: FunctionArn) -> list[dict[str, Any]]:
    """Return the statements of the function's resource policy; Lambda has no policy rather than an empty one."""
    try:
        answer = session.call("lambda", "get_policy", FunctionName=function.name, **qualified(function))
    except NotFound:
        return []
    found: list[dict[str, Any]] = json.loads(answer["Policy"])["Statement"]
    return found


def permit(
    session: Session, function: FunctionArn, statement_id: str, *, principal: str, source_arn: str, source_account: str
) -> None:
    """Let *principal* invoke the function, for one source in one account only.

    A function that is new may be unknown yet where this call comes in, and one that is being changed is not to be
    touched. Source: hashicorp/terraform-provider-aws, pull request 7327.

    Raises:
        Conflict: there is a statement of that id.
    """

    def add_permission() -> None:
        session.call(
            "lambda",
            "add_permission",
            FunctionName=function.name,
            StatementId=statement_id,
            Action="lambda:InvokeFunction",
            Principal=principal,
            SourceArn=source_arn,
            SourceAccount=source_account,
            **qualified(function),
        )

    retry(
        add_permission,
        lambda problem: isinstance(problem, NotFound) or is_being_changed(problem),
        session.sleep,
        PROPAGATION_S,
    )


def forbid(session: Session, function: FunctionArn, statement_id: str) -> None:
    """Take a permission back."""

    def remove_permission() -> None:
        session.call(
            "lambda", "remove_permission", FunctionName=function.name, StatementId=statement_id, **qualified(function)
        )

    retry(remove_permission, is_being_changed, session.sleep, PROPAGATION_S)


def is_being_changed(problem: AwsError) -> bool:
    """Tell the conflict that passes from the one that means that something of the name exists."""
    return problem.aws_code == UPDATE_IN_PROGRESS and "already exist" not in problem.message + problem.said


def qualified(function: FunctionArn) -> dict[str, str]:
    return {"Qualifier": function.qualifier} if function.qualifier else {}
