"""AWS IoT's errors. The statuses are the model's: LimitExceeded is 410 and Throttling 400, not 429."""

from __future__ import annotations

from iotauth_cli.emulator.control.service import ServiceError


def invalid(message: str) -> ServiceError:
    return ServiceError("InvalidRequestException", f"Invalid request provided: {message}")


def invalid_response(message: str) -> ServiceError:
    return ServiceError("InvalidResponseException", message)


def authorizer_not_found(name: str) -> ServiceError:
    return ServiceError("ResourceNotFoundException", f"Authorizer {name} does not exist.", 404)


def domain_not_found(name: str) -> ServiceError:
    return ServiceError("ResourceNotFoundException", f"Domain configuration {name} does not exist.", 404)


def no_default() -> ServiceError:
    return ServiceError("ResourceNotFoundException", "No default authorizer is set.", 404)


def not_configured() -> ServiceError:
    return ServiceError("NotConfiguredException", "Logging options are not configured.", 404)


def already_exists(message: str, name: str, arn: str) -> ServiceError:
    return ServiceError("ResourceAlreadyExistsException", message, 409, resourceId=name, resourceArn=arn)


DELETE_CONFLICT = "DeleteConflictException"


def delete_conflict(message: str, code: str = DELETE_CONFLICT) -> ServiceError:
    return ServiceError(code, message, 409 if code == DELETE_CONFLICT else 400)


def limit_exceeded(message: str) -> ServiceError:
    return ServiceError("LimitExceededException", message, 410)


def throttled() -> ServiceError:
    return ServiceError("ThrottlingException", "Rate exceeded")
