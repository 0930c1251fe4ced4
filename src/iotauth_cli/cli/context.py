"""Builds the doors: the only module of the front desk that knows which outside world it is."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from contextlib import ExitStack
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from iotauth_cli.cli.output import Output

if TYPE_CHECKING:
    from iotauth_authorizer.grants import ArnScope
    from iotauth_cli.aws.client_table import ClientTable
    from iotauth_cli.aws.session import Session
    from iotauth_cli.config import Settings, Target
    from iotauth_cli.credentials import Store
    from iotauth_cli.operations.audit_log import AuditLog
    from iotauth_cli.operations.installation import Wish

HINTED = re.compile(r"`(iotauth (?!init`)[^`|>…]+)`")  # a command in a hint
SAID = ("--help", "--emulator", "--no-emulator", "--profile", "--region", "--config")  # says where, or needs no place


class Notes:
    """What a command says about itself for the audit log. *places* are its contexts, one for each set of flags."""

    def __init__(self) -> None:
        self.facts: dict[str, Any] = {}
        self.places: list[Context] = []
        self.is_wanted = True


class Context:
    """What a command gets: its voice and, on demand, its settings and doors.

    Nothing is imported, read or called before the property that needs it is asked for.
    *opened* closes what was opened, when the command is over.
    """

    def __init__(
        self,
        flags: Mapping[str, Any],
        output: Output,
        environ: Mapping[str, str],
        cwd: Path,
        opened: ExitStack,
        notes: Notes | None = None,
    ) -> None:
        self.flags = flags
        self.output = output
        self.environ = environ
        self.cwd = cwd
        self.opened = opened
        self.notes = notes or Notes()
        self.notes.places.append(self)

    @classmethod
    def from_flags(cls, flags: Mapping[str, Any]) -> Context:
        output = Output(
            as_json=bool(flags.get("as_json")),
            quiet=bool(flags.get("quiet")),
            assume_yes=bool(flags.get("yes")),
            may_ask=not flags.get("no_input"),
        )
        return cls(flags, output, os.environ, Path.cwd(), ExitStack())

    def with_flags(self, **flags: Any) -> Context:
        """Return the same with settings that this command's own options give; None is not given."""
        given = {name: value for name, value in flags.items() if value is not None}
        return Context({**self.flags, **given}, self.output, self.environ, self.cwd, self.opened, self.notes)

    def without_config(self) -> Context:
        """Return the same without the settings file that was named: it is still to be written."""
        flags = {name: value for name, value in self.flags.items() if name != "config"}
        return Context(flags, self.output, self.environ, self.cwd, self.opened, self.notes)

    def note(self, **facts: Any) -> None:
        """Add to what the audit log will say about this command: `note(client="thermo-1", slot="B")`; no secrets."""
        self.notes.facts.update(facts)

    def note_nothing(self) -> None:
        """Leave no line in the audit log: what was asked for is a plan, and changes nothing."""
        self.notes.is_wanted = False

    @property
    def was_somewhere(self) -> bool:
        """Tell whether the command asked for its target yet: one that did not has changed nothing there."""
        return "target" in self.__dict__

    @cached_property
    def audit_log(self) -> AuditLog:
        from iotauth_cli.operations.audit_log import AuditLog

        return AuditLog(self.settings.project_dir / ".iotauth", self.settings.store_name)

    @property
    def places(self) -> str:
        """The flags of this command that say where: a command to type next must mean the same place."""
        import shlex

        emulator = {None: "", True: " --emulator", False: " --no-emulator"}[self.flags.get("emulator")]
        named = [(name, self.flags.get(name)) for name in ("profile", "region", "config")]
        return emulator + "".join(f" --{name} {shlex.quote(value)}" for name, value in named if value)

    def command(self, words: str) -> str:
        """Return a command to type next, for the same place."""
        return f"`iotauth {words}{self.places_of(f'iotauth {words}')}`"

    def places_of(self, command: str) -> str:
        """Return `places` as *command* takes them: those of the emulator know where it remembers, and need no more."""
        import shlex

        state_dir = self.flags.get("state_dir")
        if " emulator " not in command:
            return self.places
        kept = f" --state-dir {shlex.quote(str(state_dir))}" if state_dir and "--state-dir" not in command else ""
        return self.places.removeprefix(" --emulator") + kept

    def placed(self, hint: str) -> str:
        """Return *hint* with its commands meaning the place that this command was given by flags."""

        def here(found: re.Match[str]) -> str:
            command = found[1]
            return found[0] if any(flag in command for flag in SAID) else f"`{command}{self.places_of(command)}`"

        return HINTED.sub(here, hint)

    def shown(self, path: Path) -> str:
        """Return *path* as a person would write it here."""
        from iotauth_cli.config import shown

        return shown(path, self.environ, self.cwd)

    @cached_property
    def settings(self) -> Settings:
        from iotauth_cli.config import load

        return load(self.flags, self.environ, self.cwd)

    @cached_property
    def target(self) -> Target:
        return self.settings.target(self.environ)

    @cached_property
    def session(self) -> Session:
        from iotauth_cli.aws.caller import Callers
        from iotauth_cli.aws.session import Session

        ask = self.output.read_code if self.output.may_wait else None
        session = Session(self.target, callers=Callers(self.kept_callers), ask=ask)
        self.opened.callback(session.close)
        return session

    @property
    def kept_callers(self) -> Path | None:
        """Where it is kept whose keys are whose; None where there is no project yet, whose folder would be made."""
        from iotauth_cli.config import FILE_NAME

        project, ours = self.settings.project_dir, self.settings.project_dir / ".iotauth"
        return ours / "audit" if ours.is_dir() or (project / FILE_NAME).is_file() else None

    @property
    def partition(self) -> str:
        """`aws`, `aws-cn` …, by the region's name."""
        from iotauth_cli.aws.session import partition

        return partition(self.target.region)

    @property
    def scope(self) -> ArnScope:
        """What ARNs are made of; asks AWS for the account only if nothing named it."""
        return self.scope_of(None)

    def scope_of(self, account: str | None) -> ArnScope:
        """Return what the ARNs of *account* are made of; None is that of the settings, else of the keys."""
        from iotauth_authorizer.grants import ArnScope

        account = account or self.target.account or self.session.account
        return ArnScope(self.partition, self.target.region, account)

    def wish(self, function_arn: str | None = None) -> Wish:
        """Return the names that the settings give to an authorizer and its parts."""
        from iotauth_cli.operations.installation import Wish

        settings = self.settings
        return Wish(settings.authorizer, settings.table, settings.function, function_arn)

    @cached_property
    def store(self) -> Store:
        from iotauth_cli.credentials import Store

        return Store(self.settings.project_dir / ".iotauth", self.target.store_name)

    @cached_property
    def clients(self) -> ClientTable:
        from iotauth_cli.aws.client_table import ClientTable

        table = ClientTable.open(self.session, self.settings.table)
        self.opened.callback(table.close)
        return table
