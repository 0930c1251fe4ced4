"""What tests and probes ask the control plane."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from botocore.config import Config
from botocore.exceptions import ClientError

from support_parity.world import World

PERMITTED = "no error"


def refused(call: Callable[[], Any]) -> tuple[str, int]:
    """Return code and status of the error that *call* ends with, or `PERMITTED` and its status."""
    try:
        answer = call()
    except ClientError as error:
        return error.response["Error"]["Code"], error.response["ResponseMetadata"]["HTTPStatusCode"]
    return PERMITTED, answer["ResponseMetadata"]["HTTPStatusCode"] if isinstance(answer, dict) else 200


def unchecked(world: World, service: str) -> Any:
    """Return a client that sends what botocore itself would refuse to send."""
    made = world.make_client(service)
    made.meta.config.merge(Config(parameter_validation=False))
    made._serializer = _unchecked_serializer(made)
    return made


def _unchecked_serializer(client: Any) -> Any:
    from botocore.serialize import create_serializer

    return create_serializer(client.meta.service_model.metadata["protocol"], include_validation=False)


def has_default(world: World) -> bool:
    return refused(world.boto("iot").describe_default_authorizer)[0] == PERMITTED
