"""A stack of our own template on an emulator, deployed once for all who look at it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from iotauth_cli import token as tokens
from iotauth_cli.aws.session import Session
from iotauth_cli.operations import deploy
from iotauth_cli.operations.installation import Wish
from iotauth_cli.secret import Secret
from support import REPOSITORY
from support_emulator import RunningEmulator, running_emulator
from support_world import Place

OURS = REPOSITORY / "lambda_src" / "template.yaml"
STACK = "doors"


@cache
def key_pair() -> tuple[Secret, str]:
    """Return a private key and its public half."""
    private = tokens.generate()
    return private, tokens.public_key_pem(tokens.load_private_key(private, is_own=True))


@dataclass(frozen=True)
class Deployment:
    """An emulator with a stack, and a place for whoever works on it."""

    place: Place
    outputs: dict[str, str]

    @property
    def emulator(self) -> RunningEmulator:
        return self.place.emulator

    def client(self, service: str) -> Any:
        return self.emulator.client(service)


def deploy_template(
    session: Session, emulator: RunningEmulator, template: Path, stack: str = STACK, **parameters: str
) -> deploy.Deployed:
    """Deploy a template with the folders that it names, in the region of *session*, and return how it ended."""
    wish = deploy.Wish(template, stack, emulator.state_dir, parameters)
    ended = list(deploy.deploy(session, wish))[-1]
    assert isinstance(ended, deploy.Deployed)
    return ended


@contextmanager
def deployed(folder: Path, **parameters: str) -> Iterator[Deployment]:
    """Yield an emulator with our template's stack `doors`: both authorizers, unless *parameters* say otherwise."""
    with running_emulator(folder) as emulator:
        place = Place(emulator, folder, Wish("iotauth", "iotauth-clients", "iotauth-authorizer"))
        ended = deploy_template(place.session, emulator, OURS, **{"SigningPublicKey": key_pair()[1], **parameters})
        assert ended.ok, ended
        yield Deployment(place, {output.key: output.value for output in ended.outputs})


def wait_for(client: Any, stack: str, *, leaving: str) -> dict[str, Any]:
    """Return *stack* when it is in another state than *leaving*."""
    for _ in range(200):
        found: dict[str, Any] = client.describe_stacks(StackName=stack)["Stacks"][0]
        if found["StackStatus"] != leaving:
            return found
        time.sleep(0.02)
    raise AssertionError(f"{stack} stays {leaving}")
