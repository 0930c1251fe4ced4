"""Settings of our function and its log: memory, architecture, timers, calls kept, retention."""

from __future__ import annotations

from dataclasses import replace

from iotauth_authorizer.authorize import Settings
from iotauth_cli import bundle
from iotauth_cli.aws import lambda_, logs, surroundings
from iotauth_cli.operations.authorizer_changes.change import Change, missing
from iotauth_cli.operations.installation import FunctionSettings
from iotauth_cli.operations.installation.function import TIMERS, Function
from iotauth_cli.operations.installation.stack import refuse_change
from iotauth_cli.operations.installation.storage import LogGroup

WORDS = (("IOTAUTH_REFRESH_AFTER_S", "refresh"), ("IOTAUTH_DISCONNECT_AFTER_S", "disconnect"))
USUAL = {  # what the function takes where its environment says nothing
    "IOTAUTH_REFRESH_AFTER_S": Settings().refresh_after_s,
    "IOTAUTH_DISCONNECT_AFTER_S": Settings().disconnect_after_s,
}


class RetentionChange(Change):
    resource = "log group"

    @property
    def part(self) -> LogGroup:
        return LogGroup(self.session, self.wish)

    @property
    def name(self) -> str:
        return self.part.name

    def differences(self) -> list[str]:
        refuse_change(self.session, self.wish.function)
        found = self.part.look()
        if found is None:
            raise missing(self.wish, f"log group `{self.name}`")
        is_, wanted = found.retention_days, self.changes.settings.retention_days
        return [] if is_ == wanted else [f"logs are kept {wanted} days, not {f'{is_} days' if is_ else 'forever'}"]

    def bring(self) -> None:
        assert self.changes.settings.retention_days is not None
        logs.retain(self.session, self.name, self.changes.settings.retention_days)


class FunctionChange(Change):
    resource = "function"

    @property
    def name(self) -> str:
        return self.wish.function

    @property
    def said(self) -> FunctionSettings:
        return self.changes.settings

    def look(self) -> lambda_.Function:
        """Return the function as it is.

        Raises:
            NotFound: there is none.
            Conflict: somebody else made it, or a stack.
        """
        part = Function(self.session, replace(self.wish, settings=self.said))
        found = part.look()
        if found is None:
            raise missing(self.wish, f"function `{self.name}`")
        refuse_change(self.session, self.name)
        part.refuse_foreign(found)
        part.refuse(found)
        return found

    def differences(self) -> list[str]:
        found = self.look()
        wanted = self.configuration(found)
        pairs = [
            ("memory", f"{wanted.memory_mb} MB", f"{found.configuration.memory_mb} MB"),
            ("architecture", self.architecture(found), found.architecture),
            *((name, timer(wanted, variable), timer(found.configuration, variable)) for variable, name in WORDS),
        ]
        if self.said.reserved_concurrency is not None or self.changes.unreserve:
            kept = surroundings.reserved_executions(self.session, self.name)
            pairs.append(("reserved concurrency", calls(self.said.reserved_concurrency), calls(kept)))
        words = [f"{what} becomes {should}, from {is_}" for what, should, is_ in pairs if should != is_]
        if found.architecture != self.architecture(found) and found.code_sha256 != bundle.code_sha256(self.code()):
            words.append("with it comes this version's code")
        return words

    def configuration(self, found: lambda_.Function) -> lambda_.Configuration:
        timers = {variable: getattr(self.said, setting) for variable, setting in TIMERS.items()}
        environment = {name: str(value) for name, value in timers.items() if value is not None}
        return replace(
            found.configuration,
            memory_mb=self.said.memory_mb or found.configuration.memory_mb,
            environment={**found.configuration.environment, **environment},
        )

    def architecture(self, found: lambda_.Function) -> str:
        return self.said.architecture or found.architecture

    def code(self) -> bytes:
        return bundle.authorizer_zip()

    def bring(self) -> None:
        lambda_.wait_until_ready(self.session, self.name)
        found = self.look()
        if found.architecture != self.architecture(found):
            lambda_.update_code(self.session, self.name, self.code(), self.architecture(found))
            lambda_.wait_until_ready(self.session, self.name)
        if found.configuration != self.configuration(found):
            lambda_.update_configuration(self.session, self.name, self.configuration(found))
            lambda_.wait_until_ready(self.session, self.name)
        if self.changes.unreserve:
            lambda_.unreserve(self.session, self.name)
        elif self.said.reserved_concurrency is not None:
            lambda_.reserve(self.session, self.name, self.said.reserved_concurrency)


def timer(found: lambda_.Configuration, variable: str) -> str:
    return f"{found.environment.get(variable, USUAL[variable])} s"


def calls(kept: int | None) -> str:
    return "none" if kept is None else f"{kept} calls at once"
