"""What became of each client of many, as the workers tell it."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable
from contextlib import closing
from typing import Literal, NamedTuple, Protocol, TypeVar

from iotauth_cli.aws import workers
from iotauth_cli.aws.client_table import ClientTable
from iotauth_cli.errors import IotauthError

Kind = Literal["rotated", "confirmed", "switched", "done", "skipped", "dropped", "open", "failed"]
Why = Literal["unseen", "crowded", "disabled", "expired", "unreadable", "unwritable", "superseded", "gone"]


class Outcome(NamedTuple):
    """*switched*: disabled or enabled; *done*: that was so before, or an earlier run had finished it;
    *dropped*: its secret was taken out of the hand-out file again; *open*: its session could not be ended.

    *since* is when what keeps a client back began, in epoch seconds.
    """

    client_id: str
    kind: Kind
    why: Why | None = None
    since: int | None = None
    error: IotauthError | None = None


class Named(Protocol):
    @property
    def client_id(self) -> str: ...


Task = TypeVar("Task", bound=Named)


def outcomes_of(
    table: ClientTable,
    tasks: Iterable[Task],
    work: Callable[[workers.Line, Task], Outcome | None],
    *,
    limit: int = workers.LIMIT,
) -> Generator[Outcome, None, None]:
    """Yield what *work* says of each of *tasks*, in no order; None is a client of which there is nothing to say.

    Raises:
        IotauthError: what stops all of them, such as keys or the network.
    """
    run = workers.run(table, tasks, work, limit=limit)
    with closing(run) as results:
        for task, result in results:
            if isinstance(result, IotauthError):
                yield Outcome(task.client_id, "failed", error=result)
            elif result is not None:
                yield result
