"""The project's private files: who can read them, whether git sees them, and what a killed run has left."""

from __future__ import annotations

import contextlib
import json
import os
import re
import stat
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from shlex import quote

from iotauth_cli.errors import Conflict, InputError
from iotauth_cli.files import DIRECTORY_MODE, FILE_MODE, private_directory, read_text
from iotauth_cli.operations import git
from iotauth_cli.operations.doctor.finding import Finding, Outcome, Repair, Unseen, counted, some
from iotauth_cli.operations.doctor.scene import Scene
from iotauth_cli.operations.flash import workplace
from iotauth_cli.operations.fleet import journal

MOST_FILES = 20_000  # looked at; a firmware build has a few hundred
OTHERS = 0o077
TORN = re.compile(r"\..+\.\d+(-\d+)?")  # as `files` names them: `.thermo-1.json.4711`
WRITING_S = 60.0  # longer than any write takes
BUILT = ("build", "scratch", "project", ".pio")  # below `firmware`


def modes(scene: Scene) -> Outcome:
    """The store keeps passwords: nobody but its owner may read it."""
    return private(scene.iotauth)


def private(place: Path, *paths: Path) -> Outcome:
    """Say which of *paths*, or of all below *place*, others than their owner can read."""
    if not place.exists():
        return f"there is no `{place}` yet"
    if os.name != "posix":
        raise Unseen("on this system the user's profile protects files, not their modes")
    open_ones = [path for path in islice(paths or below(place), MOST_FILES) if is_open(path)]
    if not open_ones:
        return f"nobody else can read `{place}`"
    sentence = f"others than their owner can get at {some([shown(path, place) for path in open_ones])} in `{place}`"
    repair = Repair(f"let only their owner read what is in `{place}`", lambda _door: close(open_ones))
    return Finding("error", sentence, f"chmod -R go-rwx {quote(str(place))}", repair)


def shown(path: Path, place: Path) -> str:
    return path.name if path == place else str(path.relative_to(place))


def below(place: Path) -> Iterator[Path]:
    """Yield *place* and what is in it, but not what a compiler has written: `flash` leaves no secret in that."""
    yield place
    for folder, folders, names in os.walk(place):
        folders[:] = [name for name in folders if name not in BUILT]
        yield from (Path(folder, name) for name in (*folders, *names))


def is_open(path: Path) -> bool:
    with contextlib.suppress(OSError):  # it may have gone meanwhile
        mode = path.lstat().st_mode
        return not stat.S_ISLNK(mode) and path.name != ".gitignore" and bool(mode & OTHERS)
    return False


def close(paths: Sequence[Path]) -> None:
    for path in filter(is_open, paths):
        path.chmod(DIRECTORY_MODE if path.is_dir() else FILE_MODE)


def ignored(scene: Scene) -> Outcome:
    """The store brings a .gitignore of its own."""
    place = scene.iotauth
    if not place.exists():
        return f"there is no `{place}` yet"
    if "*" in (read_text(place / ".gitignore") or "").splitlines():
        return f"git passes `{place}` over"
    repair = Repair(f"tell git to pass `{place}` over", lambda _door: ignore(place))
    return Finding(
        "error", f"`{place / '.gitignore'}` does not keep git from taking what is in it", "iotauth doctor --fix", repair
    )


def ignore(place: Path) -> None:
    path = place / ".gitignore"
    if path.exists():
        path.unlink()
    private_directory(place)


def tracked(scene: Scene) -> Outcome:
    """Once git has a version of a secret, it is out: deleting it is not enough."""
    place = scene.iotauth
    repository = git.repository_of(place)
    if repository is None:
        return "the project lies in no git repository"
    if not git.is_tracked(repository, place):
        return "git keeps no version of it"
    sentence = f"git keeps versions of what is in `{place}`: whoever has the repository has these secrets"
    return Finding("error", sentence, f"git rm -r --cached {quote(str(place))}, then iotauth client rotate --all")


def readable(scene: Scene) -> Outcome:
    store = scene.store
    try:
        found = store.list()
    except InputError as problem:
        return Finding("warning", problem.message, problem.hint)
    return f"{counted(len(found), 'credential')} in `{store.folder}`"


def begun(scene: Scene) -> Outcome:
    """A secret lies there before its hash is written to the table, and until it is kept as the client's."""
    folder = scene.store.folder / "begun"
    names = sorted(map(client_id_in, folder.glob("*.json")))
    if not names:
        return "no change of a secret was cut off"
    sentence = f"a new secret was begun for {some(names)} and did not come to its end"
    return Finding(
        "warning", sentence, f"iotauth client rotate {quote(names[0])}, or the `client add` that was cut off"
    )


def client_id_in(path: Path) -> str:
    """Return whose secret lies in *path*; the file's name is not always the client's."""
    try:
        return str(json.loads(path.read_text(encoding="utf-8"))["client_id"])
    except (OSError, ValueError, KeyError, TypeError):
        return path.stem


def torn(scene: Scene) -> Outcome:
    """A private file is written beside its place and moved there; whoever is killed in between leaves a copy."""
    place, long_ago = scene.iotauth, scene.now - WRITING_S
    left = [path for path in below(place) if TORN.fullmatch(path.name) and is_older(path, long_ago)]
    if not left:
        return "no private file was cut off while it was written"
    sentence = f"{some([shown(path, place) for path in left])} in `{place}` was cut off and may hold a secret"
    return Finding("warning", sentence, f"rm {' '.join(quote(str(path)) for path in left)}")


def is_older(path: Path, moment: float) -> bool:
    try:
        return path.stat().st_mtime < moment
    except OSError:  # it was moved to its place just now
        return False


def flashing(scene: Scene) -> Outcome:
    """A killed `flash` leaves a credential in a firmware project until somebody clears it away."""
    notes = [note for note in (scene.iotauth / workplace.FOLDER).glob(f"*/{workplace.NOTE}") if not is_at_work(note)]
    if not notes:
        return "no `flash` was cut off"
    repair = Repair("clear away what a killed `flash` has left", lambda _door: workplace.clear_up(scene.iotauth))
    sentence = f"a `flash` was killed, and the credential may still lie in {some([note.parent for note in notes])}"
    return Finding("error", sentence, "iotauth doctor --fix", repair)


def is_at_work(note: Path) -> bool:
    lock = note.with_name(workplace.LOCK)
    if not lock.exists():
        return False
    try:
        os.close(workplace.locked(lock))
    except Conflict:
        return True
    return False


def rotating(scene: Scene) -> Outcome:
    """Devices of an unfinished rotation have both secrets or none of the new: it is to be finished."""
    unfinished = sorted((scene.iotauth / "rotations").glob("*.unfinished"))
    if not unfinished:
        return "no rotation of many clients was cut off"
    path = unfinished[0].with_suffix("")
    try:
        note = journal.read_note(path)
    except InputError as problem:
        return Finding("warning", problem.message, problem.hint)
    which = (str(note.where) if note else "") or "--all"
    where = f"table `{note.table}` in `{note.target}`" if note else "a table"
    return Finding("warning", f"a rotation of {where} is unfinished: `{path}`", f"iotauth client rotate {which}")
