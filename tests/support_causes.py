"""Things that are wrong in one way each, on a real emulator: what breaks them, and a device that knocks."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import combinations
from pathlib import Path
from typing import Any
from unittest import mock

from iotauth_cli.aws import lambda_
from iotauth_cli.aws.session import Session
from iotauth_cli.cli import Root
from iotauth_cli.cli.lazy import LazyGroup
from iotauth_cli.operations import authorizers, connect, injection, keys
from iotauth_cli.operations.connect import Report, Visit
from iotauth_cli.probe.diagnose import Diagnosis, diagnose
from iotauth_cli.probe.evidence import Case
from support_broker import Answer, broker
from support_emulator import RunningEmulator
from support_tls import Authority
from support_world import CLIENT, TOPIC, WISH, Place, answering, document, standing

NOW = 1763640000
SIGNED = replace(WISH, authorizer="signed-doors")
SIGNED_CLIENT = "signed-1"
BEHAVIOUR = ("requires_server_name=yes",)  # AWS IoT wants SNI; the emulator otherwise bears with its absence
ALLOW_ALL = ("Allow", "iot:*", "*")


# What can be closed to somebody, and what is then not known.
VIEWS = {
    "authorizer": ("authorizer",),
    "function": ("function",),
    "permission": ("permission",),
    "test call": ("test",),
    "log": ("was_called", "call"),
    "direct call": ("fault",),
    "endpoint": ("data_endpoint",),
}
# Diagnoses that go no further than what the device met and what is left to see.
HUMBLE = {"connect-refused", "refused", "no-valid-answer", "cut-off", "message-not-delivered", "port-closed"}


@dataclass(frozen=True)
class World:
    """An emulator with the authorizer `doors` and client `thermo-1`, and with `signed-doors` and `signed-1`."""

    place: Place
    signed: Place
    authority: Authority  # one of which the emulator knows nothing
    directory: Path

    @property
    def emulator(self) -> RunningEmulator:
        return self.place.emulator

    def knock(self, visit: Visit | None = None, **members: Any) -> Report:
        return self.place.knock(visit, **members)

    def knock_signed(self, **members: Any) -> Report:
        return self.signed.knock(Visit(SIGNED_CLIENT, timeout_s=8, **members))

    def at(self, port: int, **members: Any) -> Report:
        """Knock where something else listens, whose certificate `authority` has signed."""
        asked = {"timeout_s": 0.5, "ca_file": self.authority.file, **members}
        return self.knock(port=port, **asked)

    def at_broker(self, script: dict[int, Answer], **members: Any) -> Report:
        """Knock at a broker that does what *script* says, as if it were the account's own."""
        with broker(self.authority.leaf(), script) as peer:
            session = Session(self.place.target._replace(data_port=peer.port))
            return self.at(peer.port, session=session, **members)

    def answered(self, name: str, source: str, **members: Any) -> Report:
        """Knock where the function in *source* decides; *timeout_s* is the device's."""
        with self.place.deployed(name, source):
            report = self.knock(authorizer=name, **members)
        self.emulator.client("lambda").delete_function(FunctionName=name)
        return report

    def granted(self, name: str, *statements: tuple[str, str, str], **members: Any) -> Report:
        """Knock where everybody gets a policy of these (effect, action, resource)."""
        return self.answered(name, answering([document(*statements)]), **members)

    def inject(self, kind: str, **members: Any) -> None:
        injection.inject(self.emulator.state_dir, injection.Wish(kind, **members))

    @contextlib.contextmanager
    def function_told(self, **variables: str) -> Iterator[None]:
        """Have iotauth's function run in another environment."""
        functions = self.emulator.client("lambda")
        name = self.place.wish.function
        before = functions.get_function_configuration(FunctionName=name)["Environment"]["Variables"]
        functions.update_function_configuration(FunctionName=name, Environment={"Variables": variables})
        lambda_.wait_until_ready(self.place.session, name)
        try:
            yield
        finally:
            functions.update_function_configuration(FunctionName=name, Environment={"Variables": before})
            lambda_.wait_until_ready(self.place.session, name)

    @contextlib.contextmanager
    def permitted_for(self, **grant: str) -> Iterator[None]:
        """Have AWS IoT call iotauth's function for nobody, or for what *grant* says."""
        functions = self.emulator.client("lambda")
        name = self.place.wish.function
        for statement in json.loads(functions.get_policy(FunctionName=name)["Policy"])["Statement"]:
            functions.remove_permission(FunctionName=name, StatementId=statement["Sid"])
        if grant:
            functions.add_permission(
                FunctionName=name,
                StatementId="by-hand",
                Action="lambda:InvokeFunction",
                Principal="iot.amazonaws.com",
                **grant,
            )
        try:
            yield
        finally:
            if grant:
                functions.remove_permission(FunctionName=name, StatementId="by-hand")
            self.place.install()
            wish = authorizers.signed(SIGNED, self.signed.store, now=NOW)
            list(authorizers.apply(self.signed.session, authorizers.plan(self.signed.session, wish)))

    def row(self, client_id: str, **attributes: Any) -> Report:
        """Add a client, change its row as somebody at the console would, and knock as it."""
        if self.place.store.load(client_id) is None:
            self.place.add(client_id)
        if attributes:
            self.place.update_row(client_id, **attributes)
        return self.knock(Visit(client_id, timeout_s=8))


@contextlib.contextmanager
def world(emulator: RunningEmulator, directory: Path) -> Iterator[World]:
    with standing(emulator, directory) as place:
        place.install()
        place.add()
        wish = authorizers.signed(SIGNED, place.store, now=NOW)
        list(authorizers.apply(place.session, authorizers.plan(place.session, wish)))
        signed = Place(emulator, directory, SIGNED)
        for client_id in (SIGNED_CLIENT, "signed-2"):
            signed.add(client_id, token=keys.for_clients(place.store, SIGNED.authorizer))
        (directory / "authority").mkdir()
        yield World(place, signed, Authority(directory / "authority", "another CA"), directory)
        signed.table.close()


@dataclass(frozen=True)
class Breakage:
    """One thing that is broken: *cause* is what must be found out, *what* says how it is broken."""

    cause: str
    what: str
    knock: Callable[[World], Report]

    def __str__(self) -> str:
        return f"{self.cause}: {self.what}".replace(" ", "-")

    def is_found_out_in(self, world: World) -> Report:
        """Knock, and hold the diagnosis to precisely this cause; afterwards the device must get in again."""
        cases: list[Case] = []

        def noted(case: Case) -> Diagnosis:
            cases.append(case)
            return diagnose(case)

        with mock.patch.object(connect, "diagnose", noted):
            report = self.knock(world)
        assert not report.ok, "it was let in"
        assert report.diagnosis is not None
        assert report.diagnosis.cause == self.cause, report
        assert report.diagnosis.evidence
        assert "{" not in report.diagnosis.sentence + report.diagnosis.remedy
        self.is_never_guessed(cases[-1])
        assert world.knock().ok, "what was broken is still broken"
        return report

    def is_never_guessed(self, case: Case) -> None:
        """Take away what somebody with fewer rights would not see: the same is found out, or less, and nothing else."""
        for count in range(1, len(VIEWS) + 1):
            for closed in combinations(VIEWS, count):
                blank: dict[str, Any] = {member: None for view in closed for member in VIEWS[view]}
                found = diagnose(replace(case, other=replace(case.other, **blank)))
                assert found.cause in {self.cause, *HUMBLE}, (closed, found)


def assert_typable(line: str) -> None:
    """Hold *line* to the program: a command that there is, with options that it has."""
    command: Any = Root()
    given = line.split()
    while isinstance(command, LazyGroup):
        command = command.load(given.pop(0))
    options = {name for parameter in command.params for name in parameter.opts}
    assert {word for word in given if word.startswith("--")} <= options, line


__all__ = ["CLIENT", "TOPIC", "Breakage", "World", "assert_typable", "world"]
