"""A row of boards: the next board gets the next credential, and no two the same.

A board is known by its MAC address, which its chip was made with. The journal says which board was given which
client, and is written before the board is: a run that was cut off finds its half-written board again and gives
it the same credential. One journal belongs to one store of credentials, whatever list is worked through.
"""

from __future__ import annotations

import csv
import io
import json
import os
import re
import time
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from iotauth_cli.device import esptool, ports
from iotauth_cli.device.esptool import Chip
from iotauth_cli.device.login import DeviceLogin
from iotauth_cli.errors import DeviceError, InputError
from iotauth_cli.files import read_text
from iotauth_cli.operations.flash.bench import Bench, Written
from iotauth_cli.operations.flash.events import Did, Event, Step

BEGUN, DONE = "begun", "done"
LOOK_EVERY_S = 0.5  # at the ports, for another board
MAC = re.compile(r"[0-9a-f]{2}(:[0-9a-f]{2}){5}")


@dataclass(frozen=True)
class Wanted:
    """A client that is to get a board; *mac* says which, if the list does."""

    client_id: str
    mac: str | None = None


@dataclass(frozen=True)
class Failed:
    """A board that was not flashed, and why. The others go on."""

    port: str
    problem: DeviceError


@dataclass(frozen=True)
class Fleet:
    """How the row ended: what was written now, how many boards had theirs before, who has none yet."""

    written: tuple[Written, ...]
    before: int
    left: tuple[str, ...]
    failed: tuple[Failed, ...]


def read_list(path: Path) -> tuple[Wanted, ...]:
    """Read a list of clients: CSV with a column `client_id` and, if boards are assigned, `mac`; else an id a line.

    Raises:
        InputError: it cannot be read, or names a client or a board twice.
    """
    text = read_text(path)
    if text is None:
        raise InputError(
            f"there is no file `{path}`", hint="write one: a line `client_id`, and below it an id on each line"
        )
    rows = [row for row in csv.reader(io.StringIO(text)) if any(cell.strip() for cell in row)]
    header = [cell.strip().lower() for cell in rows[0]] if rows else []
    if "client_id" in header:
        names, rows = header, rows[1:]
    else:
        names = ["client_id"]
    found = [wanted(path, number, dict(zip(names, row, strict=False))) for number, row in enumerate(rows, 1)]
    for what, values in (
        ("client", [each.client_id for each in found]),
        ("board", [each.mac for each in found if each.mac]),
    ):
        twice = next((value for value in values if values.count(value) > 1), None)
        if twice:
            raise InputError(f"`{path}` names {what} `{twice}` twice", hint="two boards never get one credential")
    if not found:
        raise InputError(f"`{path}` names no client", hint="write a line `client_id`, and below it an id on each line")
    return tuple(found)


def wanted(path: Path, number: int, row: Mapping[str, str]) -> Wanted:
    client_id, mac = row.get("client_id", "").strip(), row.get("mac", "").strip().lower().replace("-", ":")
    if not client_id:
        raise InputError(f"`{path}`: row {number} names no client")
    if mac and not MAC.fullmatch(mac):
        raise InputError(
            f"`{path}`: row {number} has `{mac}` for a MAC address", hint="write it as `24:0a:c4:12:34:56`"
        )
    return Wanted(client_id, mac or None)


class Journal:
    """Which board was given which client, a line of JSON for each thing that happened."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.clients: dict[str, str] = {}
        self.states: dict[str, str] = {}
        for entry in entries(path):
            self.clients[entry["mac"]] = entry["client_id"]
            self.states[entry["mac"]] = entry["state"]

    def note(self, mac: str, client_id: str, state: str) -> None:
        """Write it down so that a power cut does not undo it."""
        line = json.dumps({"mac": mac, "client_id": client_id, "state": state, "at": int(time.time())})
        descriptor = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        with open(descriptor, "a", encoding="utf-8") as file:
            if self.path.stat().st_size and not self.path.read_bytes().endswith(b"\n"):
                file.write("\n")  # behind a line that was cut off
            file.write(line + "\n")
            file.flush()
            os.fsync(file.fileno())
        self.clients[mac], self.states[mac] = client_id, state

    def board_of(self, client_id: str) -> str | None:
        return next((mac for mac, client in self.clients.items() if client == client_id), None)


def entries(path: Path) -> Iterator[Mapping[str, Any]]:
    """Yield what is noted in *path*; a last line that was cut off is none."""
    for line in (read_text(path) or "").splitlines():
        try:
            entry = json.loads(line)
            if isinstance(entry, dict) and {"mac", "client_id", "state"} <= entry.keys():
                yield entry
        except ValueError:
            continue


@dataclass(frozen=True)
class Assigned:
    """What a board is to get; with None, *reason* says why nothing."""

    client_id: str | None
    reason: str = ""


def assign(mac: str, wish: Sequence[Wanted], journal: Journal, *, done_now: Sequence[str], again: bool) -> Assigned:
    """Decide what the board *mac* gets: what it was given before, what the list says for it, else the next one."""
    given = journal.clients.get(mac)
    if given is not None:
        if given not in {each.client_id for each in wish}:
            return Assigned(None, f"it holds client `{given}`, which is not in this list")
        if mac in done_now or (journal.states[mac] == DONE and not again):
            return Assigned(None, f"it holds client `{given}` already")
        return Assigned(given)
    meant = next((each.client_id for each in wish if each.mac == mac), None)
    if meant is not None:
        other = journal.board_of(meant)
        return Assigned(None, f"client `{meant}` is on board {other} already") if other else Assigned(meant)
    following = next(
        (each.client_id for each in wish if each.mac is None and not journal.board_of(each.client_id)), None
    )
    return Assigned(following, "" if following else "every client of the list has its board")


@dataclass
class Row:
    """The row of boards. *candidates* are looked at again and again; *login* makes a client's login."""

    bench: Bench
    wish: Sequence[Wanted]
    journal: Journal
    candidates: Callable[[], Sequence[str]]
    login: Callable[[str], DeviceLogin]
    may_wait: bool
    again: bool = False
    sleep: Callable[[float], None] = time.sleep

    def left(self, done_now: Sequence[str]) -> tuple[str, ...]:
        """Return who has no finished board yet."""
        finished = {
            client
            for mac, client in self.journal.clients.items()
            if (mac in done_now if self.again else self.journal.states[mac] == DONE)
        }
        return tuple(each.client_id for each in self.wish if each.client_id not in finished)

    def run(self) -> Generator[Event | Failed | Written, None, Fleet]:
        """Flash board after board until every client of the list has one, or no other board is there."""
        written: list[Written] = []
        failed: list[Failed] = []
        before = len(self.wish) - len(self.left(()))
        seen: set[tuple[str, int, int]] = set()
        is_asked = False
        while left := self.left([each.mac or "" for each in written]):
            port = next((port for port in self.candidates() if ports.identity(port) not in seen), None)
            if port is None:
                if not self.may_wait:
                    break
                if not is_asked:
                    yield Step(f"{len(self.wish) - len(left)} of {len(self.wish)} done; plug in the next board")
                    is_asked = True
                self.sleep(LOOK_EVERY_S)
                continue
            seen.add(ports.identity(port))
            is_asked = False
            try:
                result = yield from self.one(port, [each.mac or "" for each in written])
            except DeviceError as problem:
                failed.append(Failed(port, problem))
                yield failed[-1]
                continue
            if result is not None:
                written.append(result)
                yield result
        return Fleet(tuple(written), before, self.left([each.mac or "" for each in written]), tuple(failed))

    def one(self, port: str, done_now: Sequence[str]) -> Generator[Event, None, Written | None]:
        """Flash the board at *port* if it is to get something."""
        ports.check(port)
        chip = self.bench.probe(port)
        if chip is None:
            raise DeviceError("esptool is needed to tell boards apart by their MAC address", hint=esptool.INSTALL)
        assigned = assign(chip.mac, self.wish, self.journal, done_now=done_now, again=self.again)
        if assigned.client_id is None:
            yield Did(f"left board {chip.mac} at `{port}` as it is: {assigned.reason}")
            return None
        yield Step(f"board {chip.mac} at `{port}` gets client `{assigned.client_id}`")
        login = self.login(assigned.client_id)
        self.journal.note(chip.mac, assigned.client_id, BEGUN)
        result = yield from self.bench.flash(login, port, chip)
        self.journal.note(chip.mac, assigned.client_id, DONE)
        return replace(result, mac=chip.mac)


__all__ = ["Assigned", "Chip", "Failed", "Fleet", "Journal", "Row", "Wanted", "assign", "read_list"]
