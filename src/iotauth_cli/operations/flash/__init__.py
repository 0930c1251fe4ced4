"""Put a client's credential on a board, with a proof that it is this one and no other.

Everything that can be refused is refused before anything is built: the board's name, the port, the chip that
answers there, the credential's size. Then `bench` builds, proves, writes and compares; `workplace` sees to it
that afterwards no secret is left where it was built.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from iotauth_cli.bundle import firmware_template
from iotauth_cli.credentials import Credential, Store
from iotauth_cli.device import platformio, ports
from iotauth_cli.device.boards import Board, SerialPort
from iotauth_cli.device.child import terminable
from iotauth_cli.device.image import Known
from iotauth_cli.device.platformio import shown
from iotauth_cli.errors import DeviceError, InputError
from iotauth_cli.operations.flash import workplace
from iotauth_cli.operations.flash.bench import HEADER, NVS, Bench, Written
from iotauth_cli.operations.flash.events import Did, Event, Line, Silence, Step
from iotauth_cli.operations.flash.fleet import Failed, Fleet, Journal, Row, Wanted, read_list
from iotauth_cli.operations.flash.seen import Seen, wait

__all__ = [
    "Bench",
    "Did",
    "Event",
    "Failed",
    "Fleet",
    "Journal",
    "Line",
    "Row",
    "Seen",
    "Silence",
    "Step",
    "Wanted",
    "Wish",
    "Written",
    "candidates",
    "journal_of",
    "on_store",
    "opened",
    "port_of",
    "read_list",
    "steps",
    "wait",
]


@dataclass(frozen=True)
class Wish:
    """What was asked for, without the client. *board* None is the project's only or default one."""

    board: str | None = None
    project: Path | None = None
    pio: str | None = None
    mode: str = HEADER
    verify: bool = False


@contextlib.contextmanager
def opened(store: Store, wish: Wish) -> Iterator[Bench]:
    """Prepare the bench; what an earlier run left behind is cleared up first.

    SIGTERM and a closed terminal then end it as Ctrl-C does, with nothing left.

    Raises:
        DeviceError: PlatformIO is missing or failed.
        InputError: there is no such board, or it cannot be flashed in this mode.
        Conflict: another `flash` is at work here.
    """
    with terminable():
        workplace.clear_up(store.directory)
        pio = platformio.find(wish.pio)
        boards = pio.boards(wish.project or firmware_template())
        board = choose_board(boards, wish.board, wish.project)
        check_mode(board, boards, wish.mode)
        if wish.project is not None and wish.mode == HEADER:
            workplace.refuse_shadow(wish.project)
        with workplace.opened(store.directory, wish.project) as work:
            yield Bench(pio, work, board, wish.mode, known_credentials(store), boards, wish.verify)


def choose_board(boards: Sequence[Board], name: str | None, project: Path | None) -> Board:
    """Return the board called *name*; without one, the project's only or default one."""
    names = ", ".join(f"`{board.name}`" for board in boards)
    where = f"`{project}`" if project else "the firmware that iotauth brings"
    found = [board for board in boards if (board.name == name if name else board.is_default)]
    if not name and not found:
        found = list(boards)
    if name and not found:
        raise InputError(f"there is no board `{name}` in {where}", hint=f"it has {names}")
    if len(found) != 1:
        raise InputError("which board is it?", hint=f"name it with `--board`: {where} has {names or 'none'}")
    return found[0]


def check_mode(board: Board, boards: Sequence[Board], mode: str) -> None:
    if mode not in (HEADER, NVS):
        raise InputError(f"there is no mode `{mode}`", hint=f"the modes are `{HEADER}` and `{NVS}`")
    if mode in board.modes:
        return
    able = ", ".join(f"`{each.name}`" for each in boards if mode in each.modes and not each.is_nvs)
    other = f"boards that can: {able}" if able else "no board of this project can"
    if mode == HEADER:
        raise InputError(
            f"board `{board.name}` takes its credential from a partition only", hint=f"add `--mode {NVS}`, or: {other}"
        )
    raise InputError(
        f"board `{board.name}` has no environment that takes its credential from a partition",
        hint=f"leave out `--mode {NVS}`; {other}",
    )


def known_credentials(store: Store) -> tuple[Known, ...]:
    """Return every credential that is kept, of this target and of the others: none of them may be in the image."""
    folders = sorted(path for path in (store.directory / "credentials").glob("*") if path.is_dir())
    stores = [Store(store.directory, folder.name) for folder in folders]
    return tuple(known for each in stores for credential in each.list() for known in known_of(credential))


def known_of(credential: Credential) -> Iterator[Known]:
    known = Known(credential.client_id, credential.device_username, credential.password)
    yield known
    if credential.previous is not None:
        yield replace(known, password=credential.previous)


def candidates(bench: Bench, named: Sequence[str]) -> tuple[SerialPort, ...]:
    """Return the ports on which a board may be: those that were *named*, else the likely ones."""
    if named:
        return tuple(SerialPort(port, "") for port in named)
    return tuple(port for port in bench.pio.ports() if port.is_likely)


def port_of(found: Sequence[SerialPort]) -> str:
    """Return the only port there is to use, after a look at it.

    Raises:
        DeviceError: there is none, or it cannot be used.
        InputError: there are several, and nobody was asked.
    """
    if not found:
        raise DeviceError(
            "no board is plugged in",
            hint="plug one in with a cable that carries data, or name its port with `--port`; see `iotauth boards`",
        )
    if len(found) > 1:
        some = ", ".join(f"`{port.port}`" for port in found)
        raise InputError(f"there are boards at {some}", hint=f"name one: `--port {found[0].port}`")
    ports.check(found[0].port)
    return found[0].port


def on_store(bench: Bench, store: Store) -> Bench:
    """Return *bench* with what the store holds now: a client was added or got a new secret."""
    return replace(bench, known=known_credentials(store))


def journal_of(store: Store) -> Journal:
    """Return the journal of the boards that were given credentials of *store*."""
    return Journal(store.directory / workplace.FOLDER / f"boards-{store.target_name}.jsonl")


def steps(bench: Bench, client_id: str, port: str) -> list[str]:
    """Return what `flash` would do, a line for each step, with the commands that it would run."""
    build, send = shown(bench.pio_run()), shown(bench.upload_call(port))
    secrets_h = bench.work.secrets_h
    if bench.mode == HEADER:
        lines = [
            f"write the credential of client `{client_id}` to `{secrets_h}`, for this build only",
            f"build: `{build}`",
            "make sure that the image holds this credential and no other known one",
            f"upload: `{send}`",
            "put `secrets.h` back and remove every file with the secret in it",
        ]
    else:
        place = bench.credentials_partition
        lines = [
            f"build, unless that was done: `{build}`",
            "make sure that the image holds no credential at all",
            f"upload, unless the chip holds this build: `{send}`",
            f"write the credential of client `{client_id}` to partition `{place.name}`: "
            f"{place.size} bytes at {place.offset:#x}",
            "remove the partition's file",
        ]
    return [*lines, "compare the flash with what was written"] if bench.verify else lines
