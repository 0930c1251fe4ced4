"""What git knows about a path that is about to hold a secret."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Any

from iotauth_cli.errors import InputError
from iotauth_cli.files import cannot, read_text

SPECIAL = "\\*?["  # in a pattern of .gitignore
YES, NO, UNKNOWN = 0, 1, 128  # git's exit codes; 128 also where it refuses to look
SILENT: dict[str, Any] = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.DEVNULL)


def repository_of(path: Path) -> Path | None:
    """Return the top of the repository that *path* lies in, or None. A worktree has a file called `.git`."""
    return next((folder for folder in path.absolute().parents if (folder / ".git").exists()), None)


def is_tracked(repository: Path, path: Path) -> bool:
    """Tell whether git keeps versions of *path*: whatever is written there goes into the next commit."""
    return ask(repository, "ls-files", "--error-unmatch", "--", str(path)) == YES


def is_ignored(repository: Path, path: Path) -> bool:
    """Tell whether git passes *path* over. Where git cannot be asked, its own line must be there."""
    answer = ask(repository, "check-ignore", "--quiet", "--", str(path))
    if answer in (YES, NO):
        return answer == YES
    return pattern(path.relative_to(repository)) in (read_text(repository / ".gitignore") or "").splitlines()


def keep_out(path: Path, hint: str) -> str | None:
    """Let git pass over the secret that is about to lie at *path*; return the line of .gitignore that had to be added.

    *hint* says where else it could go.

    Raises:
        InputError: git keeps versions of it already.
    """
    place = path.parent.resolve() / path.name  # git sees nothing behind a symbolic link
    repository = repository_of(place)
    if repository is None:
        return None
    if is_tracked(repository, place):
        raise InputError(f"git tracks `{path}`, so the secrets would go into the next commit", hint=hint)
    return None if is_ignored(repository, place) else ignore(repository, place)


def ignore(repository: Path, path: Path) -> str:
    """Add *path* to the repository's .gitignore and return the line that does it.

    Raises:
        InputError: the file cannot be written, or the path is not ignored all the same.
    """
    line = pattern(path.relative_to(repository))
    place = repository / ".gitignore"
    before = read_text(place) or ""
    try:
        with place.open("a", encoding="utf-8") as file:
            file.write(("\n" if before and not before.endswith("\n") else "") + line + "\n")
    except OSError as problem:
        raise cannot("write", place, problem) from problem
    if not is_ignored(repository, path):
        raise InputError(
            f"git would not ignore `{path}`, whatever `{place}` says",
            hint="give `--out` a place outside of the repository",
        )
    return line


def pattern(relative: Path) -> str:
    """Return the line of .gitignore that names this one path and nothing else."""
    text = "".join("\\" + character if character in SPECIAL else character for character in relative.as_posix())
    return "/" + (text[:-1] + "\\ " if text.endswith(" ") else text)


def ask(repository: Path, *words: str) -> int:
    """Run git there and return its exit code, `UNKNOWN` where it is not installed.

    Without git's own variables: inside a hook they name another repository.
    """
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    try:
        ran = subprocess.run(["git", "-C", str(repository), *words], env=environment, **SILENT)
    except OSError:
        return UNKNOWN
    return ran.returncode
