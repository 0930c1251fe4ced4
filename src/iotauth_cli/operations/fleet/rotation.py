"""Rotating many clients: each secret durable in the hand-out file first, then its row, by many hands at once.

Killed at any moment, the same command goes on. A secret that stands in the file and not yet in its row is
written then and not made anew, since it may have left already; one that can no longer count, because
somebody else rotated or removed the client in between, is taken out of the file and named.
"""

from __future__ import annotations

import contextlib
from collections.abc import Generator, Iterator
from dataclasses import dataclass, replace
from itertools import islice
from typing import NamedTuple

from iotauth_authorizer.credential import GENERATED, Slot, needs_rehash, new_secret, verify
from iotauth_authorizer.dynamodb import Client
from iotauth_authorizer.record import SLOT_NAMES, ClientRecord
from iotauth_cli.aws.client_table import NO_TABLE, BrokenRow, ClientTable
from iotauth_cli.credentials import Credential, Store
from iotauth_cli.errors import Conflict, InputError, NotFound
from iotauth_cli.operations.changing import change
from iotauth_cli.operations.client_rotation import credential_of
from iotauth_cli.operations.fleet.journal import Journal
from iotauth_cli.operations.fleet.lag import lag
from iotauth_cli.operations.fleet.outcome import Outcome, Why, outcomes_of
from iotauth_cli.operations.fleet.selection import Where, is_expired
from iotauth_cli.operations.rotation import begin, is_over, pending_name
from iotauth_cli.operations.signing.issue import known_tokens
from iotauth_cli.secret import Secret

__all__ = ["Journal", "Order", "Outcome", "Rotation"]

FLUSH_EVERY = 250  # secrets that wait for the disk together


@dataclass(frozen=True)
class Order:
    """What `client rotate --where …` was asked for. *batch* is how many clients to begin with now, at most."""

    where: Where
    authorizer: str
    grace_s: int
    batch: int | None = None


class Task(NamedTuple):
    """A client whose secret is in the file, or whose *outcome* is known without asking anybody.

    *is_earlier*: the secret was handed out by a run before this one. A task without a record is a
    client that the file names: the table did not show all of them, and a scan may miss a row.
    """

    client_id: str
    record: ClientRecord | None = None
    secret: Secret | None = None
    is_earlier: bool = False
    outcome: Outcome | None = None

    def __repr__(self) -> str:
        return f"Task({self.client_id!r}, …)"


class Superseded(Exception):
    """Somebody else rotated the client since its secret was handed out; the secret counts nowhere."""


class Rotation:
    """One run over the fleet. *now* is in epoch seconds. After `outcomes`, *is_cut* tells that a batch was all."""

    def __init__(self, table: ClientTable, store: Store, journal: Journal, order: Order, now: int) -> None:
        self.table = table
        self.store = store
        self.journal = journal
        self.order = order
        self.now = now
        self.tokens = known_tokens(store, order.authorizer)
        self.is_cut = False

    def outcomes(self) -> Generator[Outcome, None, None]:
        """Rotate, and yield what became of each client that is selected or was handed a secret, in no order.

        Closing the generator ends the run; the journal is then closed, and unfinished.

        Raises:
            IotauthError: what stops all of them, such as keys, the network or a full disk.
        """
        failed = False
        told = outcomes_of(self.table, self.tasks(), self.work)
        with contextlib.closing(self.journal), contextlib.closing(told):  # no thread is at work when the file is closed
            for outcome in told:
                failed = failed or outcome.kind == "failed"
                if outcome.kind == "dropped":
                    self.journal.drop(outcome.client_id)
                yield outcome
            if not (failed or self.is_cut):
                self.journal.finish()

    def tasks(self) -> Iterator[Task]:
        """Yield a task for each client; its secret is durable by then."""
        drawn = self.drawn()
        while waiting := list(islice(drawn, FLUSH_EVERY)):
            self.journal.flush()
            yield from waiting

    def drawn(self) -> Iterator[Task]:
        """Yield tasks for what an earlier run handed out, whatever is selected now, and for what is selected."""
        met = begun = 0
        for row in self.table.rows():
            if (secret := self.journal.earlier(row.client_id)) is not None:
                met += 1
                yield again(row, secret)
            elif self.order.where.matches(row, self.now):
                why_not = reason_to_skip(row, self.order.where, self.now)
                if why_not is not None or isinstance(row, BrokenRow):
                    yield Task(row.client_id, outcome=why_not)
                elif begun != self.order.batch:
                    begun += 1
                    yield self.fresh(row)
                else:
                    self.is_cut = True
                    if met == self.journal.earlier_count:
                        return
        if met < self.journal.earlier_count:
            for handed in self.journal.handed_earlier():
                yield Task(handed.client_id, None, handed.password, is_earlier=True)

    def fresh(self, row: ClientRecord) -> Task:
        """Hand out a new secret for *row*; its task."""
        secret = Secret(new_secret())
        kept = None
        with contextlib.suppress(InputError):  # a credential that cannot be read is named when it is to be replaced
            kept = self.kept(row.client_id)
        token = self.tokens if row.token is not None else None
        told = self.renewed(row)
        fresh = credential_of(kept, told, secret, self.order.authorizer, self.table.name, self.now, token)
        try:
            self.journal.put(row.client_id, fresh.device_username, secret)
        except ValueError:  # one row that somebody wrote by hand must not stop the others
            return Task(row.client_id, outcome=Outcome(row.client_id, "skipped", "unwritable"))
        return Task(row.client_id, row, secret)

    def work(self, client: Client, task: Task) -> Outcome | None:
        """Write the row of one client, in a worker's thread. None is a client of which another task tells."""
        if task.outcome is not None:
            return task.outcome
        table = replace(self.table, client=client)
        record = task.record or table.find(task.client_id)
        if record is None:
            return Outcome(task.client_id, "dropped", "gone")
        if isinstance(record, BrokenRow):
            return None
        try:
            written, is_new = change(table, record, lambda found: self.step(task, found))
        except Superseded:
            return Outcome(task.client_id, "dropped", "superseded")
        except NotFound as problem:
            if problem.aws_code == NO_TABLE:
                raise
            return Outcome(task.client_id, "dropped", "gone")
        if task.record is None and not is_new:
            return None
        if task.secret is not None:
            self.keep(written, task.secret)
        return Outcome(task.client_id, "rotated" if is_new else "done")

    def step(self, task: Task, found: ClientRecord) -> ClientRecord:
        """Return what the row of *task* is to become, or the row itself if it holds the secret already."""
        assert task.secret is not None
        is_new = found is task.record and not task.is_earlier  # a secret that was made after the row was read
        if not is_new and slot_holding(found, task.secret) is not None:
            return found
        if self.is_superseded(task, found):
            raise Superseded
        try:
            return self.renewed(begin(found, task.secret, now=self.now, grace_s=self.order.grace_s))
        except Conflict as problem:
            raise Superseded from problem

    def renewed(self, record: ClientRecord) -> ClientRecord:
        """Return *record* as it is once its token was made again, where that is done here: none of it is kept."""
        if self.tokens is None or record.token is None:
            return record
        with contextlib.suppress(InputError):
            if self.kept(record.client_id) is not None:
                return record
        return self.tokens.renewed(record)

    def is_superseded(self, task: Task, found: ClientRecord) -> bool:
        """Tell whether somebody rotated the client since its secret was handed out.

        Of an earlier run's secret only the time is known at which that rotation began.
        """
        if task.is_earlier:
            return any(slot.created_at > self.journal.note.began for slot in found.slots.values())
        known = {slot.hash for slot in task.record.slots.values()} if task.record else set()
        return any(slot.hash not in known for slot in found.slots.values())

    def keep(self, record: ClientRecord, secret: Secret) -> None:
        """Bring the credential up to date that the private store has of this client, if it has one.

        Not with a secret that a later rotation is replacing already.
        """
        kept = self.kept(record.client_id)
        if kept is None or kept.password == secret:
            return
        slot = slot_holding(record, secret)
        if slot is not None and slot.state != "retiring":
            self.store.save(credential_of(kept, record, secret, kept.authorizer, self.table.name, self.now))

    def kept(self, client_id: str) -> Credential | None:
        found = self.store.load(client_id)
        return found if found is not None and found.table == self.table.name else None


def again(row: ClientRecord | BrokenRow, secret: Secret) -> Task:
    """Return the task of a client to which an earlier run handed out *secret*."""
    if isinstance(row, BrokenRow):
        return Task(row.client_id, outcome=Outcome(row.client_id, "skipped", "unreadable"))
    return Task(row.client_id, row, secret, is_earlier=True)


def reason_to_skip(row: ClientRecord | BrokenRow, where: Where, now: int) -> Outcome | None:
    """Return why *row* is left as it is, or None.

    A client that may not connect is meant only by a selection that says so.
    """
    if isinstance(row, BrokenRow):
        return Outcome(row.client_id, "skipped", "unreadable")
    behind = lag(row, now)
    if behind is not None and behind.kind == "unseen":
        return Outcome(row.client_id, "skipped", "unseen", behind.since)
    why: Why | None = None
    if not row.enabled and not where.names("enabled"):
        why = "disabled"
    elif is_expired(row, now) and not where.names("expired"):
        why = "expired"
    elif is_crowded(row, now):
        why = "crowded"
    return why and Outcome(row.client_id, "skipped", why)


def is_crowded(row: ClientRecord, now: int) -> bool:
    """Tell whether both slots hold a secret that a device may have, so that there is none for another."""
    if pending_name(row) is not None:
        return False
    counting = [slot for slot in row.slots.values() if slot.state != "retired" and not is_over(slot, now)]
    return len(counting) + (row.plain_password is not None) > len(SLOT_NAMES) - 1


def slot_holding(record: ClientRecord, secret: Secret) -> Slot | None:
    """Return the slot with *secret*, which was generated: slow hashes are of other secrets, and cost 50 ms each."""
    text = secret.reveal().encode()
    for slot in record.slots.values():
        if not needs_rehash(slot.hash, GENERATED) and verify(slot.hash, record.client_id, text):
            return slot
    return None
