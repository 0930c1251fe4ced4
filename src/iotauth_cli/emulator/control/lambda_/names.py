"""The many ways to name a function: its name, a part of its ARN, the whole ARN, each with a qualifier or without."""

from __future__ import annotations

import re
from dataclasses import dataclass

from iotauth_cli.emulator.control import arns
from iotauth_cli.emulator.control.service import Context, Parameters, ServiceError

LATEST = "$LATEST"
NAME = re.compile(
    r"(?:(?:arn:[^:]+:lambda:)?(?:(?P<region>[a-z]{2,}(?:-[a-z0-9]+)+):)?(?:(?P<account>\d{12}):)?function:)?"
    r"(?P<name>[a-zA-Z0-9-_]+)(?::(?P<qualifier>\$LATEST|[a-zA-Z0-9-_]+))?"
)


@dataclass(frozen=True)
class FunctionName:
    """A function in its region. *qualifier* is a version, an alias, or None as in an unqualified ARN."""

    region: str
    account: str
    name: str
    qualifier: str | None = None

    @property
    def unqualified_arn(self) -> str:
        return arns.build("lambda", self.region, self.account, f"function:{self.name}")

    @property
    def arn(self) -> str:
        return f"{self.unqualified_arn}:{self.qualifier}" if self.qualifier else self.unqualified_arn


def parse_arn(arn: str) -> FunctionName | None:
    """Read a function's whole ARN; None if it is not one."""
    parts = NAME.fullmatch(arn) if arn.startswith("arn:") else None
    if parts is None or not parts["region"] or not parts["account"]:
        return None
    return FunctionName(parts["region"], parts["account"], parts["name"], parts["qualifier"])


def parse(parameters: Parameters, context: Context) -> FunctionName:
    """Read ``FunctionName`` and ``Qualifier`` of a request.

    Raises:
        ServiceError: they name another region, another account, or two different qualifiers.
    """
    parts = NAME.fullmatch(parameters["FunctionName"])
    if parts is None:  # the model's pattern lets a little more through than names a function
        raise invalid(f"Invalid function name: {parameters['FunctionName']}")
    region, account = parts["region"] or context.region, parts["account"] or context.account
    given, derived = parameters.get("Qualifier"), parts["qualifier"]
    if given and derived and given != derived:
        raise invalid("The derived qualifier from the function name does not match the specified qualifier.")
    found = FunctionName(region, account, parts["name"], given or derived)
    if (region, account) != (context.region, context.account):
        raise function_not_found(found)
    return found


def invalid(message: str) -> ServiceError:
    return ServiceError("InvalidParameterValueException", message)


def not_found(message: str) -> ServiceError:
    return ServiceError("ResourceNotFoundException", message, 404)


def function_not_found(function: FunctionName) -> ServiceError:
    return not_found(f"Function not found: {function.arn}")


def stale_revision(operation: str) -> ServiceError:
    message = (
        "The Revision Id provided does not match the latest Revision Id. "
        f"Call the {operation} API to retrieve the latest Revision Id"
    )
    return ServiceError("PreconditionFailedException", message, 412)
