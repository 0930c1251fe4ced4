"""Functions that CloudFormation looks after: what they are says their template, and nobody else changes them.

A change behind a stack's back lasts until the stack's next update, or makes that update fail.
"""

from __future__ import annotations

from shlex import quote

from iotauth_cli.aws import lambda_
from iotauth_cli.aws.lambda_ import FunctionArn
from iotauth_cli.aws.session import Session
from iotauth_cli.errors import Conflict, NotFound
from iotauth_cli.operations.installation.authorizer import function_of, statement_id
from iotauth_cli.operations.installation.part import Wish

STACK_NAME = "aws:cloudformation:stack-name"  # AWS sets this tag on functions, and nobody else can
# Authorizers, tables and roles carry none: `cloudFormationSystemTags` is false in their types' schemas.


def stack_of(session: Session, function_name: str) -> str | None:
    """Return the name of the stack that function *function_name* belongs to; None for no stack, or no function."""
    try:
        return lambda_.tags(session, lambda_.arn(session.scope, function_name)).get(STACK_NAME)
    except NotFound:
        return None


def stack_behind(session: Session, wish: Wish) -> str | None:
    """Return the stack that the function belongs to which the authorizer of *wish* calls, if it was not added to it."""
    function = function_of(session, wish)
    stack = stack_of(session, function.name) if is_here(session, function) else None
    return None if stack is None or is_ours(session, wish, function) else stack


def refuse_change(session: Session, function_name: str) -> None:
    """Refuse to change a function of a stack.

    Raises:
        Conflict: it belongs to one.
    """
    stack = stack_of(session, function_name)
    if stack is not None:
        raise Conflict(
            f"function `{function_name}` belongs to stack `{stack}`, and its template says what it is",
            hint=f"deploy its template with what you want: `sam deploy --stack-name {quote(stack)}`, on the emulator "
            "`iotauth emulator deploy`; or make a function of your own under another name: `IOTAUTH_FUNCTION=…`",
        )


def refuse_removal(session: Session, wish: Wish) -> None:
    """Refuse to take apart what a stack has made. An authorizer that was added to a stack's function may go.

    Raises:
        Conflict: the authorizer of *wish* came with its function's stack.
    """
    stack = stack_behind(session, wish)
    if stack is None:
        return
    raise Conflict(
        f"authorizer `{wish.authorizer}` belongs to stack `{stack}`, as its function does",
        hint=f"delete the stack: `{session.target.aws_command} cloudformation delete-stack "
        f"--stack-name {quote(stack)}`; the table stays",
    )


def is_here(session: Session, function: FunctionArn) -> bool:
    return function.region == session.target.region


def is_ours(session: Session, wish: Wish, function: FunctionArn) -> bool:
    """Tell whether `authorizer create` gave AWS IoT leave to call: a stack's permission has a name of the stack's."""
    sids = [statement.get("Sid") for statement in lambda_.statements(session, function)]
    return statement_id(wish.authorizer) in sids
