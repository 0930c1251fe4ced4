"""A project for a stack that is there: its outputs say which authorizer, table and function the commands work on.

Stacks of `lambda_src/template.yaml` name them all. Of an older one whatever is missing is asked of AWS: the
authorizer knows its function, the function its table. Nothing of the stack is changed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from shlex import quote

from iotauth_cli.aws import cloudformation, iot, lambda_
from iotauth_cli.aws.lambda_ import FunctionArn
from iotauth_cli.aws.session import Session
from iotauth_cli.credentials import Store
from iotauth_cli.errors import Conflict, InputError, NotFound
from iotauth_cli.files import write_public
from iotauth_cli.operations import project
from iotauth_cli.operations.authorizers import every
from iotauth_cli.operations.installation.function import table_read_by
from iotauth_cli.operations.signing.keyring import Keyring, Signing
from iotauth_cli.token import fingerprint

UNSIGNED, SIGNED = "UnsignedAuthorizerName", "SignedAuthorizerName"
TABLE, FUNCTION = "TableName", "AuthorizerFunctionArn"
NEVER_MADE = (
    "CREATE_FAILED",
    "DELETE_FAILED",
    "IMPORT_ROLLBACK_COMPLETE",
    "IMPORT_ROLLBACK_FAILED",
    "REVIEW_IN_PROGRESS",
    "ROLLBACK_COMPLETE",
    "ROLLBACK_FAILED",
)


@dataclass(frozen=True)
class Adopted:
    """What a stack has for a project. *other* is its second authorizer; *authorizer* is the unsigned one of two."""

    stack: str
    authorizer: iot.Authorizer
    other: iot.Authorizer | None
    table: str
    function: FunctionArn


def read(session: Session, name: str) -> Adopted:
    """Return what stack *name* has.

    Raises:
        NotFound: there is no such stack.
        Conflict: it is being changed, never came to be, or what its outputs name is gone.
        InputError: it is not a stack with an authorizer, or does not tell enough.
    """
    stack = finished(session, name)
    outputs = {output.key: output.value for output in stack.outputs}
    authorizers = authorizers_of(session, stack.name, outputs)
    first = authorizers[0]
    function = FunctionArn.parse(outputs.get(FUNCTION, first.function_arn))
    other = authorizers[1] if len(authorizers) > 1 else None
    return Adopted(stack.name, first, other, outputs.get(TABLE) or table_of(session, stack.name, function), function)


def finished(session: Session, name: str) -> cloudformation.Stack:
    """Return a stack that stands, with nothing under way."""
    found = cloudformation.find(session, name)
    aws = f"{session.target.aws_command} cloudformation"
    if found is None:
        raise NotFound(
            f"there is no stack `{name}` in {session.target.label}",
            hint=f"see which there are with `{aws} describe-stacks --query 'Stacks[].StackName'`",
        )
    if found.is_busy:
        raise Conflict(
            f"stack `{name}` is being changed: it is {found.status}", hint="run the same command when that has ended"
        )
    if found.status in NEVER_MADE:
        raise Conflict(
            f"stack `{name}` is not whole: it is {found.status}",
            hint=f"see why with `{aws} describe-stack-events --stack-name {quote(name)}`, and deploy it again",
        )
    return found


def authorizers_of(session: Session, stack: str, outputs: Mapping[str, str]) -> list[iot.Authorizer]:
    """Return the stack's authorizers, the unsigned one first: by name, or all that call its function.

    Raises:
        InputError: no output leads to one.
        Conflict: one that is named is gone.
    """
    names = [outputs[key] for key in (UNSIGNED, SIGNED) if outputs.get(key)]
    if names:
        return [existing(session, stack, name) for name in names]
    called = outputs.get(FUNCTION)
    found = [each for each in every(session) if each.function_arn == called] if called else []
    if not found:
        told = ", ".join(f"`{key}`" for key in outputs) or "nothing"
        raise InputError(
            f"stack `{stack}` is none of iotauth's: none of its outputs leads to an authorizer",
            hint=f"it tells {told}; wanted is `{UNSIGNED}` or `{SIGNED}`. An authorizer that was made by hand is taken "
            "over by `iotauth init --adopt`",
        )
    return sorted(found, key=lambda each: (not each.signing_disabled, each.name))


def existing(session: Session, stack: str, name: str) -> iot.Authorizer:
    found = iot.find(session, name)
    if found is None:
        raise Conflict(
            f"stack `{stack}` names authorizer `{name}`, and there is none in {session.target.label}",
            hint="somebody has deleted it behind the stack's back; deploy the template under another name",
        )
    return found


def table_of(session: Session, stack: str, function: FunctionArn) -> str:
    """Return the table that the stack's function reads, where no output tells.

    Raises:
        InputError: the function does not say either.
    """
    table = table_read_by(lambda_.find(session, function.name))
    if not table:
        raise InputError(
            f"stack `{stack}` has no output `{TABLE}`, and its function `{function.name}` names no table",
            hint="add the output to its template; or write `iotauth.yaml` yourself: `iotauth init`",
        )
    return table


def write(path: Path, adopted: Adopted, *, emulator: bool, region: str | None, profile: str | None) -> None:
    """Write the settings file at *path*, over whatever is there."""
    text = settings_text(adopted, emulator=emulator, region=region, profile=profile)
    write_public(path, text, overwrite=True)


def settings_text(adopted: Adopted, *, emulator: bool, region: str | None, profile: str | None) -> str:
    """Return a settings file for the stack, with a comment that names it and its second authorizer."""
    text = project.text(emulator=emulator, region=region, profile=profile)
    names = {
        "authorizer": adopted.authorizer.name,
        "table": adopted.table,
        "function": adopted.function.name,
    }
    comment = [f"# From stack `{adopted.stack}`: its template says what these are, and no command changes them."]
    if adopted.other is not None:
        comment.append(f"# Devices with {kind(adopted.other)} name its second authorizer: {adopted.other.name}")
    lines = [replaced(line, names) for line in text.splitlines()]
    at = next(number for number, line in enumerate(lines) if line.startswith("authorizer:"))
    return "\n".join([*lines[: at - 1], *comment, *lines[at:]]) + "\n"


def replaced(line: str, names: Mapping[str, str]) -> str:
    """Return *line* of a settings file with the value that *names* has for its setting."""
    setting = line.partition(":")[0]
    return f"{setting}: {project.scalar(names[setting])}" if setting in names else line


def kind(authorizer: iot.Authorizer) -> str:
    return "user name and password alone" if authorizer.signing_disabled else "a signed token"


def remember_signing(adopted: Adopted, store: Store) -> list[Keyring]:
    """Note under which name tokens go to the stack's signed authorizers, and which key of theirs is kept here.

    Return the keyrings of those whose key is kept elsewhere.
    """
    without: list[Keyring] = []
    for authorizer in (adopted.authorizer, adopted.other):
        if authorizer is None or authorizer.signing_disabled:
            continue
        keyring, held = Keyring.of(store, authorizer.name), authorizer.token_signing_public_keys
        kept = [name for name in keyring.names() if name in held]
        mine = [name for name in kept if fingerprint(keyring.public(name)) == fingerprint(held[name])]
        keyring.sign_with(Signing(str(authorizer.token_key_name), mine[-1] if mine else None))
        without += [] if mine else [keyring]
    return without


def place_for_key(adopted: Adopted, keyring: Keyring) -> Path:
    """Return where the private half of an authorizer's newest key would be found."""
    both = (adopted.authorizer, adopted.other)
    held = next(each for each in both if each and each.name == keyring.authorizer).token_signing_public_keys
    return keyring.path(sorted(held)[0])
