"""Where firmware is built: a private folder of its own, which holds a secret only while one is being written.

`.iotauth/firmware/<project>/` has PlatformIO's build, a copy of the firmware that iotauth brings, and a lock.
PlatformIO compiles everything anew when a path, the environment or the list of headers changes. So the place
stays the same, and `secrets.h` is always there: only its content comes and goes.

What may hold a secret is noted on disk before there is one. Whatever ends us, the same is done afterwards: put
`secrets.h` back, remove every file with the secret in it, empty the scratch folder. After `kill -9` or a power
cut the next run does it, before anything else; then the secret is not known any more, so everything goes that
was built since the note. The lock is held by PlatformIO too: a build that outlived us is not cleared under.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from iotauth_cli.bundle import firmware_template
from iotauth_cli.device.child import spellings, uninterrupted
from iotauth_cli.errors import Conflict, InputError
from iotauth_cli.files import cannot, lock, private_directory, read_text, write_private
from iotauth_cli.secret import Secret

FOLDER = "firmware"
OWN = "template"  # the project that iotauth brings
PLACEHOLDER = """// A placeholder: `iotauth flash` puts a client's credential here while it builds.
#error "no credential is here: flash with `iotauth flash`, or render one with `iotauth secrets render`"
"""
NOTE, BACKUP, LOCK = "pending.json", "kept-secrets.h", "lock"
NOT_COPIED = (".pio", ".vscode", ".git", "__pycache__")
CLOCK_GRAIN_S = 2.0  # between a file system's time stamps and ours


@dataclass(frozen=True)
class Workplace:
    """*project* is PlatformIO's project, *directory* ours. *lock* is the descriptor that children hold too."""

    directory: Path
    project: Path
    lock: int

    @property
    def build(self) -> Path:
        return self.directory / "build"

    @property
    def scratch(self) -> Path:
        return self.directory / "scratch"

    @property
    def secrets_h(self) -> Path:
        return self.project / "include" / "secrets.h"

    @property
    def environ(self) -> Mapping[str, str]:
        """What a build needs to leave nothing anywhere else: the compiler's own files hold the secret as well.

        A cache that the user has set up for all projects would keep a copy of each object, so ours takes its place.
        """
        cache = str(self.scratch / "cache")
        return {
            "PLATFORMIO_BUILD_DIR": str(self.build),
            "PLATFORMIO_BUILD_CACHE_DIR": cache,
            "TMPDIR": str(self.scratch),
        }

    def image(self, environment: str) -> Path:
        return self.build / environment / "firmware.bin"

    @contextlib.contextmanager
    def holding(self, content: str | bytes, secrets: Sequence[Secret]) -> Iterator[None]:
        """Let `secrets.h` say *content* for a while; afterwards nothing here holds any of *secrets*.

        Raises:
            InputError: it cannot be written there.
        """
        self.note()
        try:
            self.secrets_h.parent.mkdir(exist_ok=True)
            write_private(self.secrets_h, content)
            yield
        finally:
            with uninterrupted():
                self.clear(needles(secrets))

    def note(self) -> None:
        """Write down that a secret is about to come, and keep what `secrets.h` says now."""
        kept = self.secrets_h.read_bytes() if self.secrets_h.is_file() else None
        if kept is not None:
            write_private(self.directory / BACKUP, kept)
        mode = self.secrets_h.stat().st_mode & 0o777 if kept is not None else None
        link = os.readlink(self.secrets_h) if self.secrets_h.is_symlink() else None
        write_private(self.directory / NOTE, json.dumps({"secrets_h": str(self.secrets_h), "mode": mode, "link": link}))

    def clear(self, secrets: Sequence[bytes]) -> None:
        """Put everything back; with no *secrets* known, remove whatever was built since the note."""
        note = self.directory / NOTE
        if note.exists():
            self.restore(json.loads(note.read_text()))
        since = note.stat().st_mtime - CLOCK_GRAIN_S if note.exists() and not secrets else None
        for path in list(files_below(self.build)):
            if holds(path, secrets) or (since is not None and path.stat().st_mtime >= since):
                path.unlink()
        empty(self.scratch)
        note.unlink(missing_ok=True)
        (self.directory / BACKUP).unlink(missing_ok=True)

    def restore(self, note: Mapping[str, Any]) -> None:
        """Put back the `secrets.h` that was there, or none. Its time is a new one: a build must see the change."""
        path, backup = Path(note["secrets_h"]), self.directory / BACKUP
        for torn in path.parent.glob(f".{path.name}.*"):  # of a write that was cut off
            torn.unlink()
        if note.get("link") is not None:  # a copy in its place could be committed, with the secret in it
            path.unlink(missing_ok=True)
            path.symlink_to(note["link"])
        elif note["mode"] is None:
            path.unlink(missing_ok=True)
        elif backup.exists():
            write_private(path, backup.read_bytes())
            path.chmod(note["mode"])


@contextlib.contextmanager
def opened(iotauth: Path, project: Path | None) -> Iterator[Workplace]:
    """Open the workplace of *project*, or of iotauth's own firmware, below *iotauth*, the folder `.iotauth`.

    Raises:
        Conflict: another `flash` is at work there.
        InputError: the place cannot be written.
    """
    name = OWN if project is None else f"{project.name}-{zlib.crc32(str(project.resolve()).encode()):08x}"
    directory = iotauth / FOLDER / name
    for place in (directory / "build", directory / "scratch"):
        private_directory(place, top=iotauth)
    lock = locked(directory / LOCK)
    try:
        work = Workplace(directory, project.resolve() if project else directory / "project", lock)
        with uninterrupted():
            work.clear(())
        if project is None:
            copy_firmware(firmware_template(), work.project)
        yield work
    finally:
        os.close(lock)


def clear_up(iotauth: Path) -> None:
    """Remove what killed runs have left, in every project's workplace where nobody works any more."""
    for note in (iotauth / FOLDER).glob(f"*/{NOTE}"):
        with contextlib.suppress(Conflict):
            lock = locked(note.with_name(LOCK))
            try:
                with uninterrupted():
                    Workplace(note.parent, note.parent, lock).clear(())
            finally:
                os.close(lock)


def locked(path: Path) -> int:
    """Return a descriptor that keeps everybody else out for as long as it, or a child's copy, is open."""
    import fcntl

    opened = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    descriptor = fcntl.fcntl(opened, fcntl.F_DUPFD_CLOEXEC, 10)  # a shell uses the numbers below
    os.close(opened)
    if not lock(descriptor):
        os.close(descriptor)
        raise Conflict(
            "another `iotauth flash` is at work in this project, or what it started still is",
            hint="wait until it ends; two at once would take each other's credential",
        )
    return descriptor


def copy_firmware(source: Path, target: Path) -> None:
    """Make *target* the same project as *source*; what has not changed is left alone, and so is what was built."""
    wanted = {path.relative_to(source): path for path in files_below(source) if not set(path.parts) & set(NOT_COPIED)}
    secrets = Path("include") / "secrets.h"
    wanted.pop(secrets, None)  # in a checkout somebody's own may lie there
    for relative, path in wanted.items():
        place = target / relative
        if not place.is_file() or place.read_bytes() != path.read_bytes():
            place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            write_private(place, path.read_bytes())
    for path in list(files_below(target)):
        relative = path.relative_to(target)
        if relative not in wanted and relative != secrets and relative.parts[0] not in NOT_COPIED:
            path.unlink()
    if read_text(target / secrets) != PLACEHOLDER:
        (target / secrets).parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_private(target / secrets, PLACEHOLDER)


def needles(secrets: Sequence[Secret]) -> tuple[bytes, ...]:
    """Return how *secrets* look in files: as they are, and as a C header spells them."""
    return tuple({form.encode() for secret in secrets for form in spellings(secret.reveal()) if form})


def holds(path: Path, secrets: Sequence[bytes]) -> bool:
    if not secrets:
        return False
    content = path.read_bytes()
    return any(secret in content for secret in secrets)


def files_below(directory: Path) -> Iterator[Path]:
    return (path for path in directory.rglob("*") if path.is_file() and not path.is_symlink())


def empty(directory: Path) -> None:
    for path in directory.iterdir():
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path, ignore_errors=True)
        elif path.name != ".gitignore":
            path.unlink()


def refuse_shadow(project: Path) -> None:
    """Refuse a `src/secrets.h`: the compiler would take it, and not the one that is written to `include`.

    Raises:
        InputError: there is one.
    """
    if (project / "src" / "secrets.h").exists():
        raise InputError(
            f"`{project / 'src' / 'secrets.h'}` would be built in, and not the credential",
            hint="move it to `include/secrets.h`, which is put back after flashing",
        )
    include = project / "include"
    if not os.access(include if include.exists() else project, os.W_OK):
        raise cannot("write", include / "secrets.h", PermissionError(13, "permission denied"))
