"""Private files: written whole or not at all, and readable by their owner only.

A file is written beside its place and moved there, so that Ctrl-C, a full disk or a second
process leaves the old content or the new one, never half. On Windows the mode bits mean
nothing and the user's profile protects the file instead.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from iotauth_cli.errors import InputError

FILE_MODE = 0o600
DIRECTORY_MODE = 0o700
NO_LINKS = (errno.EPERM, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP)  # as on a memory card
PUBLIC_MODE = 0o666  # less what the user's umask takes away


def private_directory(path: Path, *, top: Path | None = None) -> Path:
    """Make *path* a directory that only its owner enters and that git ignores; return it.

    With *top*, each directory from there down to *path* is made so.

    Raises:
        InputError: it cannot be created, or something else lies there.
    """
    if top is not None and path != top:
        private_directory(path.parent, top=top)
    try:
        path.mkdir(mode=DIRECTORY_MODE, parents=True, exist_ok=True)
        path.chmod(DIRECTORY_MODE)  # an older directory may be wider than mkdir would make it
    except OSError as problem:
        raise cannot("create the directory", path, problem) from problem
    # A .gitignore of its own also protects a project that has no repository yet.
    if not is_written(path / ".gitignore"):
        remove(path / ".gitignore")
        write_once(path / ".gitignore", "*\n")
    return path


def is_written(path: Path) -> bool:
    """Tell whether *path* is there and not empty: what a full disk has left of a file protects nothing."""
    try:
        return path.stat().st_size > 0
    except OSError:
        return False


def write_private(path: Path, content: str | bytes, *, overwrite: bool = True) -> None:
    """Put *content* at *path* atomically, mode 0600.

    Raises:
        InputError: the place cannot be written, or is taken and *overwrite* is false.
    """
    data = content.encode() if isinstance(content, str) else content
    if not overwrite:
        if not write_once(path, data):
            raise InputError(f"`{path}` exists already")
        return
    with replacing(path) as file:
        file.write(data)


@contextlib.contextmanager
def replacing(path: Path, mode: int = FILE_MODE) -> Iterator[BinaryIO]:
    """Give a new file that takes the place of *path*, durable, when the block ends well; else it is removed.

    Raises:
        InputError: the place cannot be written. What was there stays.
    """
    check_replaceable(path)
    # The process id keeps two writers apart; the last one to finish wins, whole.
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        beside.unlink(missing_ok=True)  # of a run that was killed and had this number
        with os.fdopen(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(beside, path)
    except OSError as problem:
        raise cannot("write", path, problem) from problem
    finally:
        with contextlib.suppress(OSError):
            beside.unlink(missing_ok=True)


def check_replaceable(path: Path) -> None:
    """Refuse a device, a pipe or a name for one: a file in its place would take it away from everybody.

    Raises:
        InputError: it is one.
    """
    try:
        kind = path.stat().st_mode
        is_stream = path.is_symlink() and os.readlink(path).startswith("/proc/")  # as /dev/stdout is
    except OSError:
        return  # whoever writes there says why not
    if is_stream or not (stat.S_ISREG(kind) or stat.S_ISDIR(kind)):
        raise InputError(f"`{path}` is no file, but a device or a pipe", hint="give the name of a file")


def write_once(path: Path, content: str | bytes) -> bool:
    """Put *content* at *path*, whole and 0600, unless something is there; tell whether it was put there.

    Of two processes that do so at once, one succeeds.

    Raises:
        InputError: the place cannot be written.
    """
    data = content.encode() if isinstance(content, str) else content
    beside = path.with_name(f".{path.name}.{os.getpid()}-{threading.get_native_id()}")
    try:
        beside.unlink(missing_ok=True)
        create(beside, data)
        try:
            os.link(beside, path)  # unlike a rename, it fails where something lies
        except OSError as problem:
            if problem.errno not in NO_LINKS:
                raise
            create(path, data)
    except FileExistsError:
        return False
    except OSError as problem:
        raise cannot("write", path, problem) from problem
    finally:
        with contextlib.suppress(OSError):
            beside.unlink(missing_ok=True)
    return True


def create(path: Path, data: bytes) -> None:
    """Write a new file, private from its first byte; FileExistsError if the name is taken."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, FILE_MODE)
    with open(descriptor, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(descriptor)


def lock(descriptor: int) -> bool:
    """Keep other processes out for as long as *descriptor*, or a child's copy, is open; tell whether that could be.

    Windows has no such lock: there nobody is kept out.

    Raises:
        OSError: the file system knows no locks.
    """
    try:
        from fcntl import LOCK_EX, LOCK_NB, flock
    except ImportError:
        return True
    try:
        flock(descriptor, LOCK_EX | LOCK_NB)
    except BlockingIOError:
        return False
    return True


def sync_directory(path: Path) -> None:
    """Make the name of the file at *path* as durable as its content, where a directory can be opened for it."""
    with contextlib.suppress(OSError):
        descriptor = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def write_public(path: Path, text: str, *, overwrite: bool = False) -> None:
    """Write a file that belongs into the project and its repository, such as iotauth.yaml."""
    try:
        with path.open("w" if overwrite else "x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError as problem:
        raise InputError(f"`{path}` exists already") from problem
    except OSError as problem:
        raise cannot("write", path, problem) from problem


def read_text(path: Path, limit: int | None = None) -> str | None:
    """Return the text of *path*, or None if there is no such file.

    Raises:
        InputError: it is there and cannot be read, is not UTF-8, or has more than *limit* characters.
    """
    try:
        with path.open(encoding="utf-8") as file:
            text = file.read() if limit is None else file.read(limit + 1)
        if limit is not None and len(text) > limit:
            raise InputError(f"`{path}` is longer than the {limit:,} characters that make sense here")
        return text
    except (FileNotFoundError, NotADirectoryError):
        return None
    except UnicodeDecodeError as problem:
        raise InputError(f"`{path}` is not UTF-8 text") from problem
    except OSError as problem:
        raise cannot("read", path, problem) from problem


def remove(path: Path) -> bool:
    """Delete *path*; tell whether it was there."""
    try:
        path.unlink()
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError as problem:
        raise cannot("remove", path, problem) from problem
    return True


def cannot(verb: str, path: Path, problem: OSError) -> InputError:
    """Word the operating system's refusal with the user's own path in it."""
    reason = (problem.strerror or str(problem)).lower()
    return InputError(f"cannot {verb} `{path}`: {reason}", hint=hint_for(problem, path))


def hint_for(problem: OSError, path: Path) -> str | None:
    if isinstance(problem, PermissionError):
        return f"see who owns it with `ls -ld {path.parent}`"
    if isinstance(problem, FileNotFoundError):
        if path.parent.is_dir():
            return f"see what is there with `ls {path.parent}`"
        return f"make the folder with `mkdir -p {path.parent}`"
    return None
