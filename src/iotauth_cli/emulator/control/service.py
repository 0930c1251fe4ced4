"""What a service of the control plane is: a name and a table of operations."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

Parameters = dict[str, Any]
Result = dict[str, Any]


@dataclass(frozen=True)
class Context:
    """Who asks, and where: region and access key are those of the request's credential scope."""

    region: str
    account: str
    request_id: str
    access_key: str = ""


Handler = Callable[[Parameters, Context], Result | Awaitable[Result]]


class ServiceError(Exception):
    """An error as AWS words it. *members* are the modelled members beside the message."""

    def __init__(self, code: str, message: str, status: int = 400, **members: Any) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.status = status
        self.members = members


class NotImplementedHere(ServiceError):
    """The emulator's refusal of what it cannot do. boto3 does not repeat a call that ended in 501."""

    def __init__(self, what: str) -> None:
        super().__init__("NotImplementedException", f"the iotauth emulator does not implement {what}", 501)


class Service(Protocol):
    @property
    def name(self) -> str:
        """The name botocore loads the model by: ``iot``, ``lambda``, ``dynamodb``."""

    @property
    def operations(self) -> Mapping[str, Handler]: ...
