"""A bounded sample of the clients, by the rules of `client audit`: that looks at all of them."""

from __future__ import annotations

from contextlib import closing
from itertools import islice

from iotauth_authorizer.record import ClientRecord
from iotauth_cli.aws.client_table import BrokenRow, ClientTable
from iotauth_cli.operations import audit_rules
from iotauth_cli.operations.audit_rules import Limits
from iotauth_cli.operations.doctor.finding import Finding, Outcome, counted, some
from iotauth_cli.operations.doctor.scene import Scene
from iotauth_cli.operations.doctor.storage import the_table

SAMPLE = 100  # rows: one page, one call
AUDIT = "iotauth client audit"
LAGGING = ("never-seen", "token-unseen", "two-secrets")
REFUSED = ("unreadable-row", "impossible-grants", "impossible-client-id")


class Sample:
    """How many rows were looked at, and which client ids each rule names."""

    def __init__(self, scene: Scene) -> None:
        self.rows = 0
        self.named: dict[str, list[str]] = {}
        self.limits = Limits(region=scene.session.target.region)
        with closing(ClientTable.open(scene.session, the_table(scene).name)) as table:
            for row in islice(table.rows(page_rows=SAMPLE), SAMPLE):
                self.look_at(row, int(scene.now))

    def look_at(self, row: ClientRecord | BrokenRow, now: int) -> None:
        self.rows += 1
        for found in audit_rules.examine(row, now, self.limits):
            self.named.setdefault(found.rule, []).append(found.client_id)

    def by(self, rules: tuple[str, ...]) -> list[str]:
        return sorted({name for rule in rules for name in self.named.get(rule, ())})

    @property
    def words(self) -> str:
        return f"the first {SAMPLE} rows" if self.rows == SAMPLE else counted(self.rows, "row")


def sample(scene: Scene) -> Sample:
    found: Sample = scene.once("sample", lambda: Sample(scene))
    return found


def plain_passwords(scene: Scene) -> Outcome:
    found = sample(scene)
    if names := found.by(("plain-password",)):
        sentence = f"the passwords of {some(names)} lie in the table as text (seen in {found.words})"
        return Finding("warning", sentence, "iotauth client migrate")
    return f"none in {found.words}"


def rotations(scene: Scene) -> Outcome:
    found = sample(scene)
    if names := found.by(LAGGING):
        sentence = f"the rotations of {some(names)} have waited too long for their devices (seen in {found.words})"
        return Finding("warning", sentence, AUDIT)
    return f"none waits too long in {found.words}"


def refused(scene: Scene) -> Outcome:
    found = sample(scene)
    if names := found.by(REFUSED):
        sentence = f"{some(names)} can never be let in as their rows are (seen in {found.words})"
        return Finding("warning", sentence, AUDIT)
    return f"{found.words} can be read"
