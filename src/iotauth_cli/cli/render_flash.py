"""What `boards` and `flash` show."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from iotauth_cli.cli.output import fitted
from iotauth_cli.cli.render import NOTHING

if TYPE_CHECKING:
    from iotauth_cli.operations.boards import Board, Found, SerialPort
    from iotauth_cli.operations.flash import Fleet, Seen, Written
    from iotauth_cli.operations.flash.bench import Stopwatch


def boards(found: Found, width: int) -> list[str]:
    """Return two tables: the boards, then the ports with the likely ones first."""
    of_boards = [(board.name, board.chip or NOTHING, board.board, ", ".join(board.modes)) for board in found.boards]
    lines = fitted(("board", "chip", "PlatformIO's name", "modes"), of_boards, width) if of_boards else []
    if not found.ports:
        return lines
    of_ports = [
        (port.port, "likely" if port.is_likely else NOTHING, port.adapter or NOTHING, port.usb or NOTHING, about(port))
        for port in found.ports
    ]
    return [*lines, "", *fitted(("port", "board?", "adapter", "USB id", "about"), of_ports, width)]


def about(port: SerialPort) -> str:
    return port.description or NOTHING


def after_boards(found: Found, command: Callable[[str], str]) -> list[str]:
    """Return what to tell: which one to flash next, or that no board was seen."""
    likely = [port for port in found.ports if port.is_likely]
    if not likely:
        return ["no board was seen: plug one in, with a cable that carries data"]
    if not found.boards:
        return []
    first = next((board for board in found.boards if board.is_default), found.boards[0])
    port = f" --port {likely[0].port}" if len(likely) > 1 else ""
    return [f"next: {command(f'flash --board {first.name}{port}')}"]


def boards_document(found: Found) -> dict[str, Any]:
    return {
        "project": str(found.project) if found.project else None,
        "boards": [board_document(board) for board in found.boards],
        "ports": [port_document(port) for port in found.ports],
        "platformio": {"command": list(found.pio.command), "found": found.pio.found},
    }


def board_document(board: Board) -> dict[str, Any]:
    return {
        "name": board.name,
        "chip": board.chip or None,
        "board": board.board,
        "platform": board.platform,
        "modes": list(board.modes),
        "is_default": board.is_default,
    }


def port_document(port: SerialPort) -> dict[str, Any]:
    return {
        "port": port.port,
        "is_likely": port.is_likely,
        "adapter": port.adapter,
        "usb": port.usb,
        "serial_number": port.serial_number,
        "description": port.description or None,
    }


def event(event: Any) -> list[str]:
    """Return what to say when *event* happens. What the tools say themselves is set in."""
    from iotauth_cli.operations.flash import Failed, Line, Silence, Step, Written

    if isinstance(event, Line):
        return [f"  {event.text}"] if event.text.strip() else []
    if isinstance(event, Silence):
        return [silence(event.seconds, event.last)]
    if isinstance(event, Step):
        return [f"{event.text} …"]
    if isinstance(event, Failed):
        return [
            f"board at `{event.port}` was not flashed: {event.problem.message}",
            *([f"hint: {event.problem.hint}"] if event.problem.hint else []),
        ]
    if isinstance(event, Written):
        return [f"board {event.mac} has client `{event.client_id}`, after {event.seconds:.1f} s"]
    return [event.text]


def passing(event: Any) -> str | None:
    """Return a line that the next one replaces, if *event* is one: a progress bar."""
    from iotauth_cli.operations.flash import Line

    return event.text if isinstance(event, Line) and event.is_passing else None


def silence(seconds: float, last: str) -> str:
    if "nstalling" in last or "ownloading" in last:
        return (
            f"PlatformIO has waited {seconds:.0f} s for its registry, from which a first build takes platform, "
            "compiler and libraries; without a network it gives up after a minute"
        )
    return f"still at it, nothing was said for {seconds:.0f} s"


def written(found: Written, seen: Seen | None) -> list[str]:
    facts = [
        ("flashed", f"client `{found.client_id}` to `{found.board}` at `{found.port}`"),
        *([("board", found.mac)] if found.mac else []),
        ("wrote", f"{' and '.join(found.wrote)}; the image has {found.image_bytes} bytes"),
        *([("verified", "the flash holds what was written")] if found.verified else []),
        ("took", f"{found.seconds:.1f} s, {found.own_s:.1f} s of it outside PlatformIO and esptool"),
        *([("let in", seen_words(seen))] if seen else []),
    ]
    width = max(len(name) for name, _ in facts)
    return [f"{name:<{width}}  {fact}" for name, fact in facts]


def seen_words(seen: Seen) -> str:
    if seen.was_let_in:
        return f"after {seen.seconds:.0f} s"
    if seen.reason:
        return f"no: the authorizer refused it: {seen.reason}"
    return f"no: it did not come in {seen.seconds:.0f} s; hear what it says with `--monitor`"


def written_document(found: Written, seen: Seen | None, clock: Stopwatch) -> dict[str, Any]:
    return {
        "client": found.client_id,
        "board": found.board,
        "port": found.port,
        "mode": found.mode,
        "mac": found.mac,
        "wrote": list(found.wrote),
        "image_bytes": found.image_bytes,
        "verified": found.verified,
        "let_in": {"ok": seen.was_let_in, "reason": seen.reason} if seen else None,
        "seconds": round(clock.seconds, 3),
        "tools_seconds": round(clock.tools_s, 3),
    }


def after_flashing(found: Written, command: Callable[[str], str]) -> list[str]:
    return [f"next: {command(f'test-connect {found.client_id}')} connects as this device would"]


def fleet(found: Fleet) -> list[str]:
    count = len(found.written)
    lines = [f"{count} board{'s' * (count != 1)} flashed now, {found.before} before"]
    return [*lines, f"no board yet: {', '.join(found.left)}"] if found.left else lines


def fleet_document(found: Fleet) -> dict[str, Any]:
    return {
        "flashed": [
            {"client": each.client_id, "mac": each.mac, "port": each.port, "seconds": round(each.seconds, 3)}
            for each in found.written
        ],
        "before": found.before,
        "left": list(found.left),
        "failed": [{"port": each.port, "message": each.problem.message} for each in found.failed],
    }


def after_fleet(found: Fleet) -> list[str]:
    return ["plug in the next boards and run the same command again"] if found.left else []
