"""What the operations of iot-data share: how they say that something is not there, and when something was."""

from __future__ import annotations

from iotauth_cli.emulator.control.service import ServiceError


def not_found(message: str) -> ServiceError:
    return ServiceError("ResourceNotFoundException", message, 404)


def milliseconds(seconds: float) -> int:
    """Return a moment as iot-data gives it, where the other services give seconds."""
    return int(seconds * 1000)
