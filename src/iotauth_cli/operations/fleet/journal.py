"""An unfinished rotation: the file it hands its secrets out in, and a note beside it that says what it is of.

The note `fleet.csv.unfinished` is written before the first secret and removed after the last. While it is
there, the same command goes on where it ended, and no other may use the file; once it is gone, the file is
a finished hand-out, and nothing is added to it: last year's command must not bring last year's secrets back.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from shlex import quote
from typing import Any

from iotauth_cli import files
from iotauth_cli.credentials import Store
from iotauth_cli.errors import InputError
from iotauth_cli.operations import git
from iotauth_cli.operations.fleet import handout
from iotauth_cli.operations.fleet.handout import Handed, Handout, Index
from iotauth_cli.operations.fleet.selection import Where
from iotauth_cli.secret import Secret

FORMAT = 1  # raised when a note of this version could be misread by older code


@dataclass(frozen=True)
class Note:
    """What an unfinished rotation is of. *began* is in epoch seconds."""

    table: str
    target: str
    where: Where
    began: int


class Journal:
    """The secrets of one rotation, durable before they count.

    *is_private*: the file lies in the project's own store. Nothing is written before the first secret.
    """

    def __init__(self, path: Path, note: Note, *, is_private: bool, is_resumed: bool) -> None:
        self.path = path
        self.note = note
        self.is_private = is_private
        self.is_resumed = is_resumed
        self.is_finished = False
        self.ignored: str | None = None  # the line that .gitignore got
        self._note_path = note_path(path)
        # An earlier file is locked before it is read: another process may be writing it.
        self._handout = Handout.open(path) if is_resumed else None
        self._earlier = Index(path) if is_resumed else None
        self._dropped: set[str] = set()

    @classmethod
    def open(cls, path: Path | None, store: Store, table: str, where: Where, now: int) -> Journal:
        """Return the journal at *path*, or in the private *store*: the unfinished one, or a new one.

        Raises:
            InputError: the file is a finished hand-out or something else, or another rotation's.
        """
        place = path or private_place(store, table, now)
        handout.check_suffix(place)
        wanted = Note(table, store.target_name, where, now)
        found = read_note(place) if place.exists() else None
        if path is not None and not path.parent.is_dir():
            raise InputError(f"there is no directory `{path.parent}`", hint="make it first, or name another place")
        if found is not None:
            check_same(found, wanted, place, "" if path is None else f" --secrets-out {quote(str(path))}")
        elif place.exists():
            raise InputError(
                f"`{place}` exists already, and no unfinished rotation is using it",
                hint="name a file that does not exist yet",
            )
        return cls(place, found or wanted, is_private=path is None, is_resumed=found is not None)

    @property
    def earlier_count(self) -> int:
        """How many clients' secrets an earlier run has handed out."""
        return self._earlier.count if self._earlier else 0

    def earlier(self, client_id: str) -> Secret | None:
        """Return the secret that an earlier run has handed out for *client_id*."""
        found = self._earlier.find(client_id) if self._earlier else None
        return found.password if found else None

    def handed_earlier(self) -> Iterator[Handed]:
        """Yield all that earlier runs have handed out."""
        if self._earlier is not None:
            yield from handout.read(self.path)

    def put(self, client_id: str, username: str, password: Secret) -> None:
        """Add a secret; it is safe after `flush`."""
        if self._handout is None:
            self._handout = self._begun()
        self._handout.put(client_id, password, username=username)

    def flush(self) -> None:
        """Make durable what was put.

        Raises:
            InputError: the disk is full, or gone.
        """
        if self._handout is not None:
            self._handout.flush()

    def drop(self, client_id: str) -> None:
        """Take the secret of *client_id* out of the file when it is closed: it counts nowhere."""
        self._dropped.add(client_id)

    def close(self) -> None:
        """Close the file, without what was dropped. The rotation stays unfinished."""
        if self._earlier is not None:
            self._earlier.close()
        if self._handout is not None:
            self._handout.close(without=handout.places_of(self.path, self._dropped) if self._dropped else ())
        self._handout = self._earlier = None
        self._dropped = set()

    def finish(self) -> None:
        """Close the file for good. Where nothing was handed out, there is none."""
        was_used = self._handout is not None
        self.close()
        self.is_finished = True
        if not was_used:
            return
        if next(iter(handout.read(self.path)), None) is None:
            files.remove(self.path)
        files.remove(self._note_path)

    def _begun(self) -> Handout:
        if self.is_private:
            files.private_directory(self.path.parent, top=self.path.parent.parent)
        else:
            self.ignored = git.keep_out(self.path, "choose a place outside of the repository with `--secrets-out`")
        files.write_private(self._note_path, build_note(self.note))
        return Handout.open(self.path)


def private_place(store: Store, table: str, now: int) -> Path:
    """Return the file of the unfinished rotation of *table* that lies in *store*, or one for a new rotation."""
    folder = store.directory / "rotations"
    name = f"{store.target_name}-{table}-"
    for place in sorted(folder.glob("*.unfinished")):
        path = place.with_suffix("")
        note = read_note(path) if path.name.startswith(name) else None
        if note is not None and (note.table, note.target) == (table, store.target_name):
            return path
    return folder / time.strftime(f"{name}%Y%m%dT%H%M%SZ.csv", time.gmtime(now))


def note_path(path: Path) -> Path:
    return path.with_name(path.name + ".unfinished")


def build_note(note: Note) -> str:
    terms = [str(term) for term in note.where.terms]
    document = {"format": FORMAT, "table": note.table, "target": note.target, "where": terms, "began": note.began}
    return json.dumps(document, ensure_ascii=False) + "\n"


def read_note(path: Path) -> Note | None:
    """Return the note beside the hand-out at *path*, or None where there is none.

    Raises:
        InputError: it cannot be read.
    """
    place = note_path(path)
    text = files.read_text(place)
    if text is None:
        return None
    try:
        found: Any = json.loads(text)
        if found["format"] != FORMAT:
            raise ValueError("unknown format")
        where = Where.parse(tuple(map(str, found["where"])))
        return Note(str(found["table"]), str(found["target"]), where, int(found["began"]))
    except (ValueError, KeyError, TypeError, InputError) as problem:
        raise InputError(
            f"`{place}`, the note of an unfinished rotation, is broken",
            hint=f"if that rotation is over, delete the note; `{path}` holds its secrets",
        ) from problem


def check_same(found: Note, wanted: Note, path: Path, option: str) -> None:
    """Refuse to go on with a rotation of something else: its clients would be left half done.

    *option* is what names the file in a command.
    """
    if (found.table, found.target) != (wanted.table, wanted.target):
        raise InputError(
            f"`{path}` belongs to the unfinished rotation of table `{found.table}` in `{found.target}`",
            hint="finish that one first, or name another file",
        )
    if found.where != wanted.where:
        meant = str(found.where) or "--all"
        raise InputError(
            f"the rotation of `{meant}` into `{path}` is unfinished",
            hint=f"finish it first: `iotauth client rotate {meant}{option}`; or name another file with `--secrets-out`",
        )
