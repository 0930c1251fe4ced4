"""What git holds: what is staged, and everything that was ever committed. Each version is looked at once."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import IO

from iotauth_cli.errors import InputError, IotauthError
from iotauth_cli.operations.secret_scan import CHUNK_BYTES, Scan, Seen, chunks

SCANNED = (b"blob", b"commit", b"tag")  # a message can hold a secret as well; a tree is names only
# Beside every branch and tag what the reflog still reaches, so dropped commits and stashes, and the index.
EVERYTHING = ("--all", "--reflog", "--indexed-objects")
SUBMODULE = "160000"  # the mode of its entry
HEADER = "%(objectname) %(objecttype) %(objectsize) %(rest)"


def history(scan: Scan, repository: Path) -> Iterator[Seen]:
    """Yield what is found in any version of any file, and in any message.

    Raises:
        InputError: there is no repository, or no git.
    """
    check_repository(repository)
    listing = start(repository, "rev-list", "--objects", *EVERYTHING)
    reading = start(repository, "cat-file", f"--batch={HEADER}", "--buffer", stdin=listing.stdout)
    assert listing.stdout is not None
    assert reading.stdout is not None
    listing.stdout.close()  # the other git has it
    commit_of = lru_cache(1024)(lambda blob: first_commit(repository, blob))
    try:
        while header := reading.stdout.readline():
            name, kind, *rest = header.rstrip(b"\n").split(b" ", 3)
            if kind not in SCANNED and not rest:
                continue  # `missing`: a partial clone has not fetched it
            pieces = sized(reading.stdout, int(rest[0]))
            if kind in SCANNED:
                path = rest[1].decode(errors="replace") if len(rest) > 1 and rest[1] else ""
                blob = name.decode()
                for seen in scan.data(path, pieces):
                    commit = commit_of(blob) if kind == b"blob" else blob
                    yield seen._replace(commit=commit, blob=blob, path=path or f"({kind.decode()} message)")
            for _ in pieces:  # what was not looked at still has to be read
                pass
            reading.stdout.read(1)  # the line end behind it
    finally:
        stop(reading)
        stop(listing)
    if reading.returncode or listing.returncode:
        raise IotauthError(f"git could not read all of `{repository}`", hint="see what `git fsck` says")


def staged(scan: Scan, repository: Path) -> Iterator[Seen]:
    """Yield what is found in what the next commit would bring.

    Raises:
        InputError: there is no repository, or no git.
    """
    check_repository(repository)
    # From the top, since `diff.relative` would leave out what is above. By its object, since a name may begin `1:`.
    top = Path(ask(repository, "rev-parse", "--show-toplevel").decode().rstrip("\n"))
    told = ask(top, "diff", "--cached", "--raw", "--no-abbrev", "-z", "--diff-filter=d", "--no-renames")
    words = iter(told.decode(errors="surrogateescape").split("\0"))
    for about, path in zip(words, words, strict=False):
        _, mode, _, blob, _ = about.split(" ")
        if mode == SUBMODULE or not blob.strip("0"):  # another repository's commit; a conflict that is not solved
            continue
        shown = start(repository, "cat-file", "blob", blob)
        assert shown.stdout is not None
        try:
            yield from scan.data(path, chunks(shown.stdout))
        finally:
            stop(shown)
        if shown.returncode:
            raise IotauthError(f"git could not read what is staged of `{path}`", hint="see what `git fsck` says")


def not_ignored(folder: Path) -> Iterator[str]:
    """Yield the files of *folder* that git would not ignore, committed or not, those of submodules too.

    Raises:
        InputError: there is no repository, or no git.
    """
    check_repository(folder)
    listed = ask(folder, "ls-files", "--cached", "--others", "--exclude-standard", "-z")
    for path in filter(None, listed.decode(errors="surrogateescape").split("\0")):
        place = folder / path
        if place.is_symlink():
            continue
        if place.is_file():
            yield str(place)
        elif (place / ".git").exists():  # a submodule, or a repository within the other that nobody added
            yield from not_ignored(place)


def first_commit(repository: Path, blob: str) -> str | None:
    """Return the oldest commit that brought or took *blob*, or None where only the index has it."""
    told = ask(repository, "log", "--all", "--reflog", "--topo-order", "--format=%H", f"--find-object={blob}").split()
    return told[-1].decode() if told else None


def check_repository(folder: Path) -> None:
    try:
        ran = subprocess.run(
            ["git", "-C", str(folder), "rev-parse", "--git-dir"], capture_output=True, text=True, errors="replace"
        )
    except OSError as problem:
        raise InputError("git is not installed, so its history cannot be read", hint="install git") from problem
    if ran.returncode:
        said = ran.stderr.strip().splitlines()[0].removeprefix("fatal: ") if ran.stderr.strip() else "git says no"
        raise InputError(f"`{folder}` cannot be read as a git repository: {said}", hint="name a folder inside of one")


def command(folder: Path, *words: str) -> list[str]:
    """Return how git is asked for what lies there, and not for what somebody has it show in its place."""
    return ["git", "--no-replace-objects", "-c", "log.showSignature=false", "-C", str(folder), *words]


def ask(folder: Path, *words: str) -> bytes:
    """Return what git prints. Git's own variables stay: a hook's name the index of the very commit."""
    ran = subprocess.run(command(folder, *words), capture_output=True)
    if ran.returncode:
        said = ran.stderr.decode(errors="replace").strip().splitlines()
        raise IotauthError(f"`git {words[0]}` failed: {said[0] if said else ran.returncode}")
    return ran.stdout


def start(folder: Path, *words: str, stdin: IO[bytes] | None = None) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        command(folder, *words),
        stdin=stdin or subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )


def stop(process: subprocess.Popen[bytes]) -> None:
    """Wait for the end of *process*, and bring it about if nobody listens to it any more."""
    if process.stdout is not None:
        process.stdout.close()
    process.wait()


def sized(file: IO[bytes], size: int) -> Iterator[bytes]:
    """Yield the next *size* bytes in pieces."""
    while size > 0 and (piece := file.read(min(size, CHUNK_BYTES))):
        size -= len(piece)
        yield piece
