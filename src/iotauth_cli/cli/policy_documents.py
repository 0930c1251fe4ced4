"""`iotauth policy operator`, `readonly` and `function`: IAM's documents for three roles."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated

import typer

from iotauth_cli.errors import InputError, IotauthError

if TYPE_CHECKING:
    from iotauth_cli.cli.context import Context
    from iotauth_cli.operations.iam_documents import Names

Authorizers = Annotated[
    list[str] | None, typer.Argument(metavar="[AUTHORIZER]...", help="Else the one that the settings name.")
]
Account = Annotated[
    str | None, typer.Option(metavar="ID", help="The AWS account, where AWS is not to be asked for it.")
]


def operator(
    ctx: typer.Context,
    authorizers: Authorizers = None,
    account: Account = None,
    adopt: Annotated[
        str | None, typer.Option(metavar="FUNCTION", help="Also for `init --adopt`, from this function of others.")
    ] = None,
    from_stack: Annotated[str | None, typer.Option(metavar="NAME", help="Also for `init --from-stack`.")] = None,
) -> None:
    """Print the IAM policy of whoever runs iotauth: all that its commands call, and no more.

    It names the table, the function, the roles and the logs of the settings.

    Example: iotauth policy operator --account 123456789012 > operator.json
    """
    from iotauth_cli.operations import iam_documents

    found = names(ctx.obj, authorizers, account, other_function=adopt, stack=from_stack)
    show(ctx.obj, "operator", iam_documents.operator(found))


def readonly(ctx: typer.Context, authorizers: Authorizers = None, account: Account = None) -> None:
    """Print the IAM policy of whoever only looks: `doctor`, `logs`, `client list` and the like.

    Nothing in it changes anything; it may try an authorizer, and listen to every topic.

    Example: iotauth policy readonly --account 123456789012 > readonly.json
    """
    from iotauth_cli.operations import iam_documents

    show(ctx.obj, "readonly", iam_documents.readonly(names(ctx.obj, authorizers, account)))


def function(ctx: typer.Context, account: Account = None) -> None:
    """Print the IAM policy that `authorizer create` gives to the function's role.

    Example: iotauth policy function --account 123456789012
    """
    from iotauth_cli.operations import iam_documents

    show(ctx.obj, "function", iam_documents.function_policy(names(ctx.obj, None, account)))


def names(
    context: Context,
    authorizers: list[str] | None,
    account: str | None,
    *,
    other_function: str | None = None,
    stack: str | None = None,
) -> Names:
    """Return what the document is for: the settings' names in the account that was given, or AWS's answer.

    Raises:
        InputError: a name or the account cannot be one.
    """
    from iotauth_cli.operations import iam_documents

    if account is not None and not re.fullmatch(r"\d{12}", account, re.ASCII):
        raise InputError(f"`{account}` is no AWS account", hint="an account is 12 digits: `--account 123456789012`")
    settings = context.settings
    chosen = tuple(dict.fromkeys(authorizers or (settings.authorizer,)))
    try:
        scope = context.scope_of(account)
    except IotauthError as problem:
        if account is None and problem.hint:
            problem.hint = f"name the account, `--account 123456789012`; or {problem.hint}"
        raise
    return iam_documents.names(
        scope,
        chosen,
        table=settings.table,
        function=settings.function,
        other_function=other_function,
        stack=stack,
    )


def show(context: Context, role: str, document: dict[str, object]) -> None:
    """Print *document*, ready for a file; say on stderr how large it is and what to do with it.

    Raises:
        InputError: it is larger than IAM takes.
    """
    from iotauth_cli.cli.render_iam import laid_out
    from iotauth_cli.operations import iam_documents

    found, managed, most = iam_documents.size(document), iam_documents.MAX_MANAGED, iam_documents.MAX_INLINE
    if found > most:
        raise InputError(
            f"a policy for all of these has {found:,} characters, and IAM takes {most:,}",
            hint="name fewer authorizers, and print a second policy for the others",
        )
    context.output.result(document, laid_out(document))
    aws = f"{context.target.aws_command} iam"
    said = f"{found:,} of the {managed:,} characters that a managed policy may have"
    file = f"--policy-name iotauth-{role} --policy-document file://{role}.json"
    following = f"`{aws} create-policy {file}`"
    if found > managed:
        said = f"{found:,} characters, too many for a managed policy; a role's own may have {most:,}"
        following = f"`{aws} put-role-policy --role-name ROLE {file}`"
    if role == "function":
        following = context.command("authorizer create") + ", which gives it to the function's role"
    context.output.say(said, f"next: {following}")
