"""Uploaded zips, unpacked so that they can run: one directory for each content, named by its SHA-256.

A zip is somebody's upload. No entry leaves its directory, no link leads out of it, and what is
unpacked is counted as it is written, whatever the zip says about its own size. Links are made when
every file is written, so that no file is written through one.
"""

from __future__ import annotations

import base64
import hashlib
import io
import os
import shutil
import stat
import tempfile
import zipfile
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from iotauth_cli.emulator.control.lambda_.names import invalid
from iotauth_cli.emulator.control.service import ServiceError

MAX_ZIPPED = 52_428_800  # bytes; Lambda quotas: 50 MB for a direct upload
MAX_UNPACKED = 262_144_000  # bytes; Lambda's limit for code and layers together
CHUNK = 1 << 20  # bytes written at a time


@dataclass(frozen=True)
class Package:
    sha256: str  # base64, as Lambda shows it
    size: int  # bytes of the zip


class CodeStore:
    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def directory(self, sha256: str) -> Path:
        """Return where the code of that CodeSha256 lies."""
        return self._directory / base64.b64decode(sha256).hex()

    def add(self, content: bytes) -> Package:
        """Unpack *content*. The directory appears whole or not at all.

        Raises:
            ServiceError: InvalidParameterValueException; not a zip, or one that must not be unpacked.
                RequestEntityTooLargeException, 413; the zip is over 50 MB.
        """
        if len(content) > MAX_ZIPPED:
            message = f"Zipped size must be smaller than {MAX_ZIPPED} bytes"
            raise ServiceError("RequestEntityTooLargeException", message, 413)
        package = Package(base64.b64encode(hashlib.sha256(content).digest()).decode(), len(content))
        target = self.directory(package.sha256)
        if not target.exists():
            self._directory.mkdir(mode=0o700, exist_ok=True)
            fresh = Path(tempfile.mkdtemp(dir=self._directory))
            try:
                _unpack(content, fresh)
                fresh.rename(target)
            except BaseException:
                shutil.rmtree(fresh, ignore_errors=True)
                raise
        return package

    def keep_only(self, used: Iterable[str]) -> None:
        """Remove the code of functions that are no more. For a start: later, a process may run in it."""
        if not self._directory.exists():
            return
        kept = {self.directory(sha256) for sha256 in used}
        for directory in set(self._directory.iterdir()) - kept:
            shutil.rmtree(directory, ignore_errors=True)


def _unpack(content: bytes, target: Path) -> None:
    budget = MAX_UNPACKED
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            entries = archive.infolist()
            if not entries:
                raise invalid("Uploaded file must be a non-empty zip")
            for entry in entries:
                if not _is_link(entry):
                    budget -= _unpack_entry(archive, entry, target, budget)
            _make_links(archive, list(filter(_is_link, entries)), target)
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, RuntimeError, ValueError) as error:
        # RuntimeError: an encrypted entry; OSError: a file where another entry wants a directory.
        message = "Could not unzip uploaded file. Please check your file, then try to upload again."
        raise invalid(message) from error


def _unpack_entry(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, target: Path, budget: int) -> int:
    """Write one entry under *target* and return its size in bytes."""
    path = target.joinpath(*_safe_parts(entry))
    if entry.is_dir():
        path.mkdir(parents=True, exist_ok=True)
        return 0
    path.parent.mkdir(parents=True, exist_ok=True)
    written = 0
    with archive.open(entry) as source, path.open("wb") as file:
        while chunk := source.read(CHUNK):
            written += len(chunk)
            if written > budget:
                raise invalid(f"Unzipped size must be smaller than {MAX_UNPACKED} bytes")
            file.write(chunk)
    if _mode(entry) & stat.S_IXUSR:
        os.chmod(path, 0o700)
    return written


def _make_links(archive: zipfile.ZipFile, entries: list[zipfile.ZipInfo], target: Path) -> None:
    for entry in entries:
        path = target.joinpath(*_safe_parts(entry))
        _require_inside(entry, path.parent, target)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.symlink_to(archive.read(entry).decode())
    for entry in entries:  # only now: a link may lead through one that comes after it
        _require_inside(entry, target.joinpath(*_safe_parts(entry)), target)


def _require_inside(entry: zipfile.ZipInfo, path: Path, target: Path) -> None:
    """Hold where *path* leads, every link on the way followed, to be *target* or below it."""
    if not Path(os.path.realpath(path)).is_relative_to(os.path.realpath(target)):
        raise _points_outside(entry)


def _safe_parts(entry: zipfile.ZipInfo) -> tuple[str, ...]:
    path = PurePosixPath(entry.filename.replace("\\", "/"))
    has_drive = ":" in path.parts[0] if path.parts else False
    if path.is_absolute() or ".." in path.parts or has_drive:
        raise _points_outside(entry)
    return path.parts


def _points_outside(entry: zipfile.ZipInfo) -> ServiceError:
    return invalid(f"Could not unzip uploaded file: entry {entry.filename!r} points outside of it.")


def _is_link(entry: zipfile.ZipInfo) -> bool:
    return stat.S_ISLNK(_mode(entry))


def _mode(entry: zipfile.ZipInfo) -> int:
    return entry.external_attr >> 16  # Unix permissions and file type, where the zip was made on Unix
