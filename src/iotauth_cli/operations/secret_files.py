"""Where rendered secrets go: private files that nobody overwrites or commits by accident."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from shlex import quote

from iotauth_cli.device.formats import Rendered, RenderedFile
from iotauth_cli.errors import InputError
from iotauth_cli.files import DIRECTORY_MODE, FILE_MODE, cannot, check_replaceable, write_private
from iotauth_cli.operations import git

PROJECT_FILE = "platformio.ini"
HEADER = "secrets.h"


@dataclass(frozen=True)
class Written:
    """What was written; *ignored* are the lines that *ignore_file* got for it."""

    paths: tuple[Path, ...]
    ignored: tuple[str, ...]
    ignore_file: Path


def write(rendered: Rendered, out: str | None, *, cwd: Path, force: bool) -> Written:
    """Write every file of *rendered*. Whatever can be refused is refused before the first one is written.

    Git is told to ignore a secret before it lies there.

    Raises:
        InputError: a place is taken and *force* is false, is tracked by git, or cannot be written.
    """
    places = places_for(rendered, out, cwd)
    for path, file in places.items():
        check_free(path, file, as_here(path, cwd), force=force)
    repository = git.repository_of(next(iter(places)).parent.resolve() / HEADER)
    lines = [line for path, file in places.items() if (line := ignored_now(repository, path, file, as_here(path, cwd)))]
    for path, file in places.items():
        prepare_folder(path.parent)
        write_private(path, file.data(path.parent))
        path.chmod(FILE_MODE)
    return Written(tuple(places), tuple(lines), (repository or cwd) / ".gitignore")


def only_file(rendered: Rendered, name: str) -> bytes:
    """Return the content of the one file of *rendered*, which can go to a pipe.

    Raises:
        InputError: there are several.
    """
    if len(rendered.files) > 1:
        raise InputError(
            f"format `{name}` makes {len(rendered.files)} files, and stdout is one",
            hint="give `--out` the name of a folder, or leave it out",
        )
    return rendered.files[0].data(Path())


def absolute(out: str, cwd: Path) -> Path:
    return Path(os.path.abspath(cwd / os.path.expanduser(out)))


def is_folder(out: str, place: Path) -> bool:
    return out.endswith(("/", os.sep)) or place.is_dir()


def places_for(rendered: Rendered, out: str | None, cwd: Path) -> Mapping[Path, RenderedFile]:
    """Return where each file goes.

    *out* is a folder if one lies there, if it ends in a slash, or if the format makes a folder of its own, which
    then goes below it; otherwise the name of the file.
    """
    first = rendered.files[0]
    if out is None:
        return {default_place(file, cwd): file for file in rendered.files}
    place = absolute(out, cwd)
    if "/" in first.name or is_folder(out, place):
        return {place / file.name: file for file in rendered.files}
    return {place.with_name(file.name) if file is not first else place: file for file in rendered.files}


def default_place(file: RenderedFile, cwd: Path) -> Path:
    """Return where *file* goes when nobody said: here, and a header where PlatformIO looks for it."""
    if file.name == HEADER and (cwd / PROJECT_FILE).is_file():
        return cwd / "include" / file.name
    return cwd / file.name


def as_here(path: Path, cwd: Path) -> str:
    return str(path.relative_to(cwd) if path.is_relative_to(cwd) else path)


def check_free(path: Path, file: RenderedFile, name: str, *, force: bool) -> None:
    if path.is_dir():
        raise InputError(f"`{name}` is a folder", hint="give `--out` the name of a file")
    check_replaceable(path)
    if force or not path.exists():
        return
    try:
        if path.read_bytes() == file.data(path.parent):
            return
    except OSError as problem:
        raise cannot("read", path, problem) from problem
    raise InputError(f"`{name}` exists already and holds something else", hint="add `--force` to write over it")


def ignored_now(repository: Path | None, path: Path, file: RenderedFile, name: str) -> str | None:
    """Make git ignore *path*; return the line that had to be added for it.

    Raises:
        InputError: git keeps versions of it already.
    """
    if repository is None or not file.is_secret:
        return None
    path = path.parent.resolve() / path.name  # git sees nothing behind a symbolic link
    if git.is_tracked(repository, path):
        raise InputError(
            f"git tracks `{name}`, so the secret would go into the next commit",
            hint=f"choose another place with `--out`, or stop tracking it: `git rm --cached {quote(name)}`",
        )
    return None if git.is_ignored(repository, path) else git.ignore(repository, path)


def prepare_folder(folder: Path) -> None:
    try:
        folder.mkdir(mode=DIRECTORY_MODE, parents=True, exist_ok=True)
    except OSError as problem:
        raise cannot("create the directory", folder, problem) from problem
