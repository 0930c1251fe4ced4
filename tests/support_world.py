"""An emulator with an authorizer and a client on it, and a device that knocks: for tests of what a user does."""

from __future__ import annotations

import contextlib
import io
import json
import time
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from iotauth_cli.aws import iot, lambda_
from iotauth_cli.aws.client_table import ClientTable
from iotauth_cli.aws.session import Session
from iotauth_cli.config import Target, load
from iotauth_cli.credentials import Store
from iotauth_cli.errors import AccessDenied
from iotauth_cli.operations import authorizers, clients, connect
from iotauth_cli.operations.clients import Added, NewClient
from iotauth_cli.operations.connect import Report, Visit
from iotauth_cli.operations.installation import Wish
from support_device import Device, text
from support_emulator import RunningEmulator

CLIENT = "thermo-1"
TOPIC = "sensors/thermo-1"
WISH = Wish("doors", "doors-clients", "doors-authorizer")
TRUST = {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
ASSUME_ROLE = json.dumps({"Version": "2012-10-17", "Statement": [TRUST]})
SESSIONS: dict[str, Session] = {}  # by the address of the APIs


@dataclass(frozen=True)
class Place:
    """What the commands get from their context, for one emulator and one project folder."""

    emulator: RunningEmulator
    project: Path
    wish: Wish = WISH

    @cached_property
    def target(self) -> Target:
        flags = {"emulator": True, "state_dir": str(self.emulator.state_dir)}
        return load(flags, {"HOME": str(self.project)}, self.project).target({})

    @property
    def session(self) -> Session:
        """One for each emulator: making boto3's clients takes longer than a test."""
        return SESSIONS.setdefault(str(self.target.endpoint_url), Session(self.target))

    @cached_property
    def store(self) -> Store:
        return Store(self.project / ".iotauth", self.target.store_name)

    @cached_property
    def table(self) -> ClientTable:
        return ClientTable.open(self.session, self.wish.table)

    def install(self) -> None:
        plan = authorizers.plan(self.session, self.wish)
        assert list(authorizers.apply(self.session, plan))

    def add(self, client_id: str = CLIENT, *topics: str, **changes: Any) -> Added:
        wish = NewClient(client_id, self.wish.authorizer, topics=topics or (TOPIC,), **changes)
        return clients.add(self.table, self.store, wish, partition="aws", now=int(time.time()))

    def knock(self, visit: Visit | None = None, *, session: Session | None = None, **members: Any) -> Report:
        """Connect as *visit*, or as `CLIENT` with *members* typed, and return how it ended."""
        asked = replace(visit or Visit(CLIENT, timeout_s=8), **members)
        session = session or self.session
        events = connect.knock(session, connect.prepare(session, self.store, self.wish, asked))
        return finish(events)

    @contextlib.contextmanager
    def deployed(self, name: str, source: str, *, timeout_s: int = 10) -> Iterator[None]:
        """Have an authorizer *name* that asks a function of somebody else's, in *source*."""
        role = self.emulator.client("iam").create_role(RoleName=name, AssumeRolePolicyDocument=ASSUME_ROLE)["Role"]
        function = self.emulator.client("lambda").create_function(
            FunctionName=name,
            Runtime="python3.13",
            Role=role["Arn"],
            Handler="app.handler",
            Code={"ZipFile": zipped(source)},
            Timeout=timeout_s,
        )
        wish = replace(self.wish, authorizer=name, function_arn=function["FunctionArn"])
        lambda_.wait_until_ready(self.session, name)
        list(authorizers.apply(self.session, authorizers.plan(self.session, wish)))
        yield
        iot.update(self.session, name, is_active=False)
        iot.delete(self.session, name)  # an account has room for ten

    def update_row(self, client_id: str, **attributes: Any) -> None:
        """Set *attributes* of a client's row, in DynamoDB's typed JSON, as a person at the console would."""
        self.emulator.client("dynamodb").update_item(
            TableName=self.wish.table,
            Key={"Client_ID": {"S": client_id}},
            UpdateExpression="SET " + ", ".join(f"#{name} = :{name}" for name in attributes),
            ExpressionAttributeNames={f"#{name}": name for name in attributes},
            ExpressionAttributeValues={f":{name}": value for name, value in attributes.items()},
        )


def connected(place: Place, client_id: str, *, clean: bool = True) -> Device:
    """Return a device that is connected with the credential which is kept of it."""
    kept = place.store.load(client_id)
    assert kept is not None
    device = Device(place.emulator)
    texts = [client_id, kept.device_username, kept.password.reveal()]
    device.send(0x10, text("MQTT") + bytes([4, 0xC0 | 2 * clean]) + b"\x04\xb0" + b"".join(map(text, texts)))
    answer = device.receive()
    assert answer is not None
    assert answer[1][1] == 0
    return device


def finish(events: Any) -> Report:
    """Return what the generator *events* returns at its end."""
    try:
        while True:
            next(events)
    except StopIteration as end:
        report: Report = end.value
        return report


def zipped(source: str) -> bytes:
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as opened:
        opened.writestr("app.py", source)
    return archive.getvalue()


def answering(documents: list[Any], **members: Any) -> str:
    """Return a function that answers everybody with *documents*; *members* replace the answer's own."""
    answer = {
        "isAuthenticated": True,
        "principalId": "somebody",
        "disconnectAfterInSeconds": 3600,
        "refreshAfterInSeconds": 300,
        "policyDocuments": documents,
        **members,
    }
    return f"import json\ndef handler(event, context):\n    return json.loads({json.dumps(answer)!r})\n"


def document(*statements: tuple[str, str, str]) -> dict[str, Any]:
    """Return a policy document of (effect, action, resource)."""
    listed = [{"Effect": effect, "Action": action, "Resource": resource} for effect, action, resource in statements]
    return {"Version": "2012-10-17", "Statement": listed}


@contextlib.contextmanager
def standing(emulator: RunningEmulator, project: Path) -> Iterator[Place]:
    """Yield a place with nothing on it."""
    place = Place(emulator, project)
    yield place
    place.table.close()


@contextlib.contextmanager
def installed(emulator: RunningEmulator, project: Path) -> Iterator[Place]:
    """Yield a place with the authorizer `doors` and the client `thermo-1`."""
    with standing(emulator, project) as place:
        place.install()
        place.add()
        yield place


@dataclass(frozen=True)
class Closed(Session):
    """A session of somebody who may not call what *closed* names, as ``service:operation``; `*` is everything."""

    closed: frozenset[str] = frozenset()

    def call(self, service: str, operation: str, **parameters: Any) -> dict[str, Any]:
        self.refuse(f"{service}:{operation}")
        return super().call(service, operation, **parameters)

    def pages(self, service: str, operation: str, **parameters: Any) -> Iterator[dict[str, Any]]:
        self.refuse(f"{service}:{operation}")
        return super().pages(service, operation, **parameters)

    def refuse(self, call: str) -> None:
        if call in self.closed or "*" in self.closed:
            raise AccessDenied(f"this AWS user may not call `{call}`")
