"""A fleet to import, a table to import it into, and calls that fail."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any

from iotauth_cli.aws.client_table import ClientTable
from iotauth_cli.aws.session import Session
from iotauth_cli.credentials import Store
from iotauth_cli.operations.fleet import handout
from iotauth_cli.operations.importing import errand
from iotauth_cli.operations.importing.errand import Wish
from iotauth_cli.operations.importing.run import Counts
from support_aws import aws_target
from support_bulk import Table
from support_table import Answerer, Asked, Server, serving

NOW = 1_763_640_000
FLEET = [f"thermo-{number}" for number in range(120)]


class Place:
    """A project folder with a fleet file, and a table that *answerer* answers for."""

    def __init__(self, directory: Path, server: Server) -> None:
        self.directory = directory
        self.table = ClientTable.open(Session(aws_target(table_url=server.url)), "clients")
        self.store = Store(directory / ".iotauth", "aws")
        self.out = directory / "secrets.csv"

    def fleet(self, *lines: str, header: str = "client_id") -> str:
        path = self.directory / "fleet.csv"
        path.write_text("".join(f"{line}\n" for line in (header, *lines)))
        return str(path)

    def run(self, file: str, **wanted: Any) -> Counts:
        members = {"template": "sensors/{client_id}/#", "secrets_out": self.out, **wanted}
        wish = Wish(file, "doors", "aws", **{"now": NOW, **members})
        with errand.opened(self.table, self.store, wish) as job:
            for _ in job.check():
                pass
            job.refuse_bad_rows()
            return list(job.write())[-1]


@contextmanager
def standing(directory: Path, answerer: Answerer) -> Iterator[Place]:
    with serving(answerer) as server:
        yield Place(directory, server)


def secrets(place: Place) -> dict[str, str]:
    return {handed.client_id: handed.password.reveal() for handed in handout.read(place.out)}


def failing_at_every(step: int, fault: bytes, table: Table) -> Answerer:
    """Answer as *table*, but give *fault* at every *step*-th call, after having done what was asked."""
    calls = count(1)

    def answer(asked: Asked) -> bytes:
        reply = table(asked)
        return fault if next(calls) % step == 0 else reply

    return answer
