"""AWS without AWS: a target with keys, sessions that do not wait, and answers laid out in advance."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from botocore.stub import Stubber

from iotauth_cli.aws.session import Session
from iotauth_cli.config import Target
from iotauth_cli.secret import Secret

ACCOUNT = "123456789012"
REGION = "eu-west-1"


def aws_target(**changes: Any) -> Target:
    """A target on AWS whose keys are known and useless."""
    known: dict[str, Any] = {
        "label": f"AWS {REGION}",
        "region": REGION,
        "store_name": f"aws-{REGION}",
        "access_key": "AKIAIOSFODNN7EXAMPLE",
        "secret_key": Secret("canary-secret-key"),
    }
    return Target(**(known | changes))


@dataclass
class Pauses:
    """A sleep that only notes how long it would have been."""

    slept: list[float] = field(default_factory=list)

    def __call__(self, seconds: float) -> None:
        self.slept.append(seconds)


@contextlib.contextmanager
def stubbed(session: Session, service: str) -> Iterator[Stubber]:
    """Answer *service*'s calls as told, in order; every answer must have been fetched at the end.

    botocore checks each answer, and each request that is expected, against the service's model.
    """
    with Stubber(session.client(service)) as stub:
        yield stub
        stub.assert_no_pending_responses()
