"""What `secrets scan` shows: where, and of the secret itself no more than tells it from another."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Literal

from iotauth_cli.cli.render import counted

if TYPE_CHECKING:
    from iotauth_cli.operations.secret_scan import Scan, Seen

Place = Literal["files", "staged", "history"]

COMMIT_DIGITS = 10
MOST_UNREADABLE = 3


def line(seen: Seen) -> str:
    """Return `commit:file:line:column: secret`, as compilers and grep write places."""
    commit = f"{seen.commit[:COMMIT_DIGITS]}:" if seen.commit else ""
    encoding = "" if seen.encoding == "plain" else f" in {seen.encoding}"
    return f"{commit}{one_line(seen.path)}:{seen.line}:{seen.column}: {seen.shown}{encoding}"


def document(seen: Seen) -> dict[str, Any]:
    return {
        "path": seen.path,
        "line": seen.line,
        "column": seen.column,
        "secret": seen.shown,
        "encoding": seen.encoding,
        "commit": seen.commit,
        "blob": seen.blob,
    }


def totals(found: Scan) -> dict[str, Any]:
    return {
        "files": found.files,
        "bytes": found.size,
        "unreadable": [{"path": path, "reason": reason} for path, reason in found.unreadable],
    }


def unreadable(found: Scan) -> list[str]:
    return [f"cannot read `{one_line(path)}`: {reason}" for path, reason in found.unreadable[:MOST_UNREADABLE]]


def one_line(path: str) -> str:
    """Return a name that may hold a line end on one line, where it cannot pass for one of ours."""
    return path.replace("\n", "\\n").replace("\t", "\\t")


def summary(found: Scan, command: Callable[[str], str], place: Place) -> list[str]:
    kind = "version" if place == "history" else "file"
    looked = f"{counted(found.files, kind)}, {megabytes(found.size)}"
    if not found.found:
        return [f"no secret in {looked}"]
    rotate = command("client rotate ID --now")
    return [
        f"{counted(found.found, 'secret')} in {looked}",
        {
            "files": f"next: if anybody else could read it there, give its client a new one: {rotate}",
            "staged": "next: take it out and stage the file again; nothing was committed yet",
            "history": f"next: give its client a new one: {rotate}; whoever has the repository has the old one",
        }[place],
    ]


def megabytes(size: int) -> str:
    return f"{size / 1e6:,.1f} MB" if size >= 100_000 else f"{size / 1e3:,.1f} kB"
