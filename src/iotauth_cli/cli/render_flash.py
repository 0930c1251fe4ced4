"""What `boards` and `flash` show."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from iotauth_cli.cli.output import fitted
from iotauth_cli.cli.render import NOTHING

if TYPE_CHECKING:
    from iotauth_cli.operations.boards import Board, Found, SerialPort


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
