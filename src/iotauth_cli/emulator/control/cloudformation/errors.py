"""CloudFormation's refusals. Nearly everything that a caller can do wrong is a ValidationError."""

from __future__ import annotations

from iotauth_cli.emulator.control.service import ServiceError


def invalid(message: str) -> ServiceError:
    return ServiceError("ValidationError", message)


def template_error(message: str) -> ServiceError:
    return invalid(f"Template format error: {message}")


def unknown_stack(name: str) -> ServiceError:
    return invalid(f"Stack with id {name} does not exist")


def already_exists(name: str) -> ServiceError:
    return ServiceError("AlreadyExistsException", f"Stack [{name}] already exists")


def insufficient_capabilities(missing: list[str]) -> ServiceError:
    return ServiceError("InsufficientCapabilitiesException", f"Requires capabilities : [{', '.join(missing)}]")


def unknown_change_set(name: str) -> ServiceError:
    return ServiceError("ChangeSetNotFound", f"ChangeSet [{name}] does not exist", 404)
