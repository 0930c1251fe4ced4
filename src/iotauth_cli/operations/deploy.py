"""A CloudFormation or SAM template deployed to the emulator, with the folders of its functions.

AWS would take the code from a bucket; here the folders are zipped and handed to the emulator, and the template
that it gets names them as if they lay in one. Everything after that is CloudFormation's: a stack is created or
updated, and its events are told as they come.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from iotauth_cli import bundle
from iotauth_cli.aws import cloudformation
from iotauth_cli.aws.cloudformation import Output, Parameter, Stack, StackEvent
from iotauth_cli.aws.session import Session
from iotauth_cli.emulator import remote
from iotauth_cli.errors import AwsError, InputError, IotauthError
from iotauth_cli.files import read_text

__all__ = ["Began", "Deployed", "Output", "Packaged", "StackEvent", "Wish", "deploy", "parameters", "stack_name"]

MAX_PACKAGE = 50_000_000  # bytes; Lambda's limit for a zip that is sent directly
POLL_S = 0.2
IN_S3 = "s3://"
SAM = "AWS::Serverless-2016-10-31"
SAM_PACKAGE = "samtranslator"
# Where the code of a function stands in a template, and how a place in a bucket is written there.
CODE = {
    "AWS::Serverless::Function": ("CodeUri", "Bucket", "Key"),
    "AWS::Lambda::Function": ("Code", "S3Bucket", "S3Key"),
}
# States of a stack that never came to be: such a stack can only be deleted.
STILLBORN = ("ROLLBACK_COMPLETE", "ROLLBACK_FAILED", "CREATE_FAILED", "REVIEW_IN_PROGRESS")
FAILED = ("ROLLBACK", "FAILED")


@dataclass(frozen=True)
class Wish:
    """What to deploy, where the emulator is, and what the stack's parameters are to be."""

    template: Path
    stack: str
    state_dir: Path
    parameters: Mapping[str, str]


@dataclass(frozen=True)
class Packaged:
    """The code of a resource, on its way. *has_requirements*: it names libraries, which are not in it."""

    resource: str
    folder: Path
    files: int
    size: int
    has_requirements: bool


@dataclass(frozen=True)
class Began:
    """*action* is ``create`` or ``update``."""

    stack: str
    action: str


@dataclass(frozen=True)
class Deployed:
    """How it ended. *action* is ``keep`` where there was nothing to do."""

    stack: str
    action: str
    status: str
    reason: str | None
    outputs: tuple[Output, ...]

    @property
    def ok(self) -> bool:
        return not any(word in self.status for word in FAILED)


Event = Packaged | Began | StackEvent | Deployed


def stack_name(template: Path) -> str:
    """Return a stack's name for *template*: that of the file, or of its folder if the file's says nothing."""
    path = template.absolute()
    stem = path.parent.name if path.stem == "template" else path.stem
    name = re.sub(r"[^A-Za-z0-9]+", "-", stem).strip("-")
    return name if name[:1].isalpha() else f"stack-{name}".rstrip("-")


def parameters(given: Sequence[str]) -> dict[str, str]:
    """Read parameters of the form ``KEY=VALUE``.

    Raises:
        InputError: one has no ``=``.
    """
    pairs = [text.partition("=") for text in given]
    for text, (key, equals, _) in zip(given, pairs, strict=True):
        if not equals or not key:
            raise InputError(f"`{text}` is not a parameter with its value", hint="write it as `--parameter KEY=VALUE`")
    return {key: value for key, _, value in pairs}


def deploy(session: Session, wish: Wish) -> Iterator[Event]:
    """Package, upload, create or update; the last event is a `Deployed`.

    Raises:
        InputError: the template or a folder that it names cannot be had, or CloudFormation refuses the template.
        EmulatorError: the emulator is not running.
        AwsError: a call failed.
    """
    document = read_template(wish.template)
    yield from package(document, wish)
    wish = replace(wish, parameters={**wish.parameters, **(yield from package_zips(document, wish))})
    text = _text(document)
    known = cloudformation.find(session, wish.stack)
    if known is not None and known.status in STILLBORN:
        cloudformation.delete(session, wish.stack)
        known = None
    told = {event.id for event in cloudformation.events(session, known.id)} if known else set()
    action = "update" if known else "create"
    if _start(session, wish, text, wanted_parameters(document, wish, known), known):
        yield Began(wish.stack, action)
    else:
        action = "keep"
    yield from _follow(session, wish.stack, told)
    stack = _existing(session, wish.stack)
    yield Deployed(stack.name, action, stack.status, stack.reason, stack.outputs)


def read_template(path: Path) -> dict[str, Any]:
    """Return the template at *path*.

    Raises:
        InputError: it cannot be read, is no template, or is for SAM and the translator is not installed.
    """
    from iotauth_cli.emulator.control.cloudformation import syntax
    from iotauth_cli.emulator.control.service import ServiceError

    text = read_text(path)
    if text is None:
        raise InputError(f"there is no template `{path}`", hint="name a file: `iotauth emulator deploy template.yaml`")
    try:
        document = syntax.parse(text, with_aliases=True)
    except ServiceError as problem:
        raise InputError(f"`{path.name}` cannot be read: {_sentence(problem.message)}") from problem
    _require_translator(document, path)
    return document


def package(document: dict[str, Any], wish: Wish) -> Iterator[Packaged]:
    """Upload every folder of code that *document* names, and write into it where the code is then.

    Raises:
        InputError: a folder is not there, is empty, or is too large.
    """
    for name, properties, (member, bucket, key) in _code_places(document):
        code = properties.get(member)
        if not isinstance(code, str) or code.startswith(IN_S3):
            continue
        folder = (wish.template.parent / code).resolve()
        found, content = _package(name, folder)
        place = upload(wish.state_dir, content)
        properties[member] = {bucket: place["bucket"], key: place["key"]}
        yield found


def package_zips(document: Mapping[str, Any], wish: Wish) -> Generator[Packaged, None, dict[str, str]]:
    """Upload zips that lie beside the template under the name that a parameter has for S3's key; return parameters.

    AWS would have them in the bucket of another parameter.
    """
    declared, given = document.get("Parameters") or {}, dict(wish.parameters)
    for name, properties, (member, bucket, key) in _code_places(document):
        code = properties.get(member)
        at, in_bucket = (_parameter_of(code, each) for each in (key, bucket))
        if at is None or in_bucket is None or not {at, in_bucket} <= set(declared) or in_bucket in given:
            continue
        path = (wish.template.parent / str(given.get(at, declared[at].get("Default", "")))).resolve()
        if path.suffix == ".zip" and path.is_file():
            found, content = _package(name, path)
            place = upload(wish.state_dir, content)
            given |= {at: place["key"], in_bucket: place["bucket"]}
            yield found
    return given


def _parameter_of(code: Any, member: str) -> str | None:
    """Return the parameter that *code* refers to for its *member*."""
    value = code.get(member) if isinstance(code, dict) else None
    return value.get("Ref") if isinstance(value, dict) else None


def upload(state_dir: Path, content: bytes) -> Mapping[str, Any]:
    """Hand a zip to the emulator; return the bucket and the key by which templates name it."""
    return remote.tell(state_dir, "packages/add", content=base64.b64encode(content).decode("ascii"))


def wanted_parameters(document: Mapping[str, Any], wish: Wish, known: Stack | None) -> list[Parameter]:
    """Return the parameters to send: those given, and for a stack that has others, to keep those."""
    declared = document.get("Parameters") or {}
    given = [Parameter(key, value) for key, value in wish.parameters.items()]
    kept = known.parameters if known else frozenset()
    return given + [Parameter(key) for key in declared if key in kept and key not in wish.parameters]


def _code_places(document: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, Any], tuple[str, str, str]]]:
    """Yield whatever may hold a function's code: its name, the mapping that it stands in, and how it is written."""
    in_globals = (document.get("Globals") or {}).get("Function")
    if isinstance(in_globals, dict):
        yield "Globals", in_globals, CODE["AWS::Serverless::Function"]
    for name, resource in (document.get("Resources") or {}).items():
        is_function = isinstance(resource, dict) and resource.get("Type") in CODE
        if is_function and isinstance(resource.get("Properties"), dict):
            yield name, resource["Properties"], CODE[resource["Type"]]


def _package(name: str, folder: Path) -> tuple[Packaged, bytes]:
    if folder.is_file() and folder.suffix == ".zip":
        content = folder.read_bytes()
        return Packaged(name, folder, 1, len(content), False), content
    files = bundle.folder_files(folder) if folder.is_dir() else []
    if not files:
        raise InputError(f"`{name}` has its code in `{folder}`, and there is none")
    if sum(path.stat().st_size for path in files) > 5 * MAX_PACKAGE:
        raise InputError(
            f"`{folder}` is too large for a function", hint="put what the function needs into a folder of its own"
        )
    content = bundle.folder_zip(folder, files)
    if len(content) > MAX_PACKAGE:
        raise InputError(f"the zip of `{folder}` is larger than {MAX_PACKAGE // 1_000_000} MB, which Lambda refuses")
    return Packaged(name, folder, len(files), len(content), (folder / "requirements.txt").exists()), content


def _start(session: Session, wish: Wish, text: str, given: Sequence[Parameter], known: Stack | None) -> bool:
    """Create or update the stack; tell whether there was anything to do."""
    try:
        if known is not None:
            return cloudformation.update(session, wish.stack, text, given)
        cloudformation.create(session, wish.stack, text, given)
    except AwsError as problem:
        if problem.aws_code != cloudformation.REFUSED:
            raise
        said = problem.message.partition(" failed: ")[2]
        raise InputError(f"stack `{wish.stack}` cannot be deployed: {_sentence(said)}") from problem
    return True


def _follow(session: Session, name: str, told: set[str]) -> Iterator[StackEvent]:
    """Yield the stack's events as they come, until its operation has ended."""
    while True:
        stack = _existing(session, name)
        for event in cloudformation.events(session, stack.id):
            if event.id not in told:
                told.add(event.id)
                yield event
        if not stack.is_busy:
            return
        session.sleep(POLL_S)


def _existing(session: Session, name: str) -> Stack:
    stack = cloudformation.find(session, name)
    if stack is None:
        raise AwsError(f"stack `{name}` is gone: somebody else has deleted it")
    return stack


def _text(document: dict[str, Any]) -> str:
    from iotauth_cli.emulator.control.cloudformation import syntax

    return syntax.build(document)


def _require_translator(document: Mapping[str, Any], path: Path) -> None:
    import importlib.util

    if document.get("Transform") == SAM and importlib.util.find_spec(SAM_PACKAGE) is None:
        raise IotauthError(
            f"`{path.name}` is a SAM template, and AWS's translator for those is not installed",
            hint="install it with `pip install 'iotauth[sam]'`",
        )


def _sentence(text: str) -> str:
    """Return what CloudFormation says as a part of a sentence of ours."""
    return text.removeprefix("Template format error: ").rstrip(". ")
