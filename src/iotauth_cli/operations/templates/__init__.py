"""An installation as text that makes it again: SAM, CloudFormation, Terraform.

`existing` reads what there is, once for all of them; each format is a pure function of that. Nothing that is
written holds a secret or the account's number: what is in an ARN, the template asks of AWS.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from iotauth_cli import bundle
from iotauth_cli.errors import InputError
from iotauth_cli.files import PUBLIC_MODE, cannot, replacing
from iotauth_cli.operations.templates import cloudformation, terraform
from iotauth_cli.operations.templates.existing import Existing, read
from iotauth_cli.operations.templates.written import CODE_FOLDER, CODE_ZIP, File, Written

__all__ = ["FORMATS", "Existing", "File", "Written", "blank", "read", "save", "write"]


@dataclass(frozen=True)
class Format:
    """*code* is what a function's code is written as, beside the template."""

    write: Callable[[Existing], Written]
    code: str


FORMATS: Mapping[str, Format] = {
    "sam": Format(cloudformation.sam, CODE_FOLDER),
    "cloudformation": Format(cloudformation.plain, CODE_ZIP),
    "terraform": Format(terraform.write, CODE_ZIP),
}


def write(found: Existing, name: str) -> Written:
    """Return *found* in the format *name*, with the function's code where it is ours."""
    chosen = FORMATS[name]
    written = chosen.write(found)
    return written if found.function is None else written.with_files(code(chosen.code))


def blank() -> Written:
    """Return the SAM template that a new stack is made of, with its parameters, and the function's code."""
    template = bundle.template_text().replace("CodeUri: .", f"CodeUri: {CODE_FOLDER}/")
    return Written((File("template.yaml", template.encode()), *code(CODE_FOLDER)))


def code(form: str) -> tuple[File, ...]:
    """Return the function's code, as a folder for `sam build` or as a zip."""
    if form == CODE_ZIP:
        return (File(CODE_ZIP, bundle.authorizer_zip()),)
    package = bundle.authorizer_package()
    return tuple(
        File(f"{CODE_FOLDER}/{package.name}/{path.relative_to(package).as_posix()}", path.read_bytes())
        for path in bundle.folder_files(package)
        if path.suffix in bundle.IN_THE_ZIP
    )


def save(written: Written, place: Path, *, force: bool) -> tuple[Path, ...]:
    """Write the template to *place*: all files into a folder, or the template alone into a file.

    A folder is what exists as one or has no suffix in its name.

    Raises:
        InputError: a file is there already and *force* is not given, or cannot be written.
    """
    is_folder = place.is_dir() or not place.suffix
    files = {place / file.name: file for file in written.files} if is_folder else {place: written.files[0]}
    taken = [path for path in files if os.path.lexists(path)]  # a link to nothing is something, too
    if taken and not force:
        raise InputError(f"`{taken[0]}` exists already", hint="choose another place, or add `--force` to write it anew")
    for path, file in files.items():
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as problem:
            raise cannot("write", path, problem) from problem
        with replacing(path, PUBLIC_MODE) as place_of:  # a link that lies there is replaced and not followed
            place_of.write(file.content)
    return tuple(files)
