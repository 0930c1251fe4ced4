"""What DynamoDB says when it refuses, in its own words.

Wordings are those observed on AWS by two public test suites that run against it: ScyllaDB's
``test/alternator`` and ``paritysuite/dynamodb-conformance``. Some regions put "1 validation
error detected: " before some of them; the emulator, like the others, does not.
"""

from __future__ import annotations

from typing import Any

from iotauth_cli.emulator.control.service import ServiceError


def invalid(message: str) -> ServiceError:
    return ServiceError("ValidationException", message)


def invalid_value(message: str) -> ServiceError:
    return invalid(f"One or more parameter values were invalid: {message}")


def unsupported(operation: str, parameter: str, hint: str | None = None) -> ServiceError:
    """Name a parameter that AWS knows and the emulator does not, rather than ignore it."""
    advice = f"; {hint}" if hint else ""
    return invalid(f"the local emulator does not support {parameter} in dynamodb:{operation}{advice}")


def table_not_found(name: str | None = None) -> ServiceError:
    """Say that a table is missing, and with *name* which one."""
    detail = f": Table: {name} not found" if name else ""
    return ServiceError("ResourceNotFoundException", f"Requested resource not found{detail}")


def condition_failed(item: dict[str, Any] | None = None) -> ServiceError:
    """Refuse a conditional write, with the *item* that stood in its way if the caller asked for it."""
    message = "The conditional request failed"
    if item is None:
        return ServiceError("ConditionalCheckFailedException", message)
    return ServiceError("ConditionalCheckFailedException", message, Item=item)
