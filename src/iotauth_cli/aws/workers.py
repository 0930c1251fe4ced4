"""Many calls to the table at once: threads with a connection each, as many as help.

Nobody knows beforehand how many connections a table can use: a new one takes 4,000 writes a
second, a warm one ten times that, and the emulator less than either. So the number is found
as TCP finds its window. It doubles while more connections bring more results, then probes for
a quarter more; when DynamoDB asks for patience it is cut back, and from then on grows by one.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Generator, Iterable, Iterator
from queue import Empty, SimpleQueue
from typing import Generic, NamedTuple, TypeVar

from iotauth_authorizer.dynamodb import FIRST_PAUSE_S, LONGEST_PAUSE_S, Client, Credentials
from iotauth_cli.aws.client_table import NO_TABLE, ClientTable, connection
from iotauth_cli.aws.session import Session
from iotauth_cli.errors import AccessDenied, AwsError, ConfigError, IotauthError, NotFound

T = TypeVar("T")
R = TypeVar("R")

LIMIT = 64  # connections; at 8 ms a request a quarter of them reach a table's default quota
FIRST_LEVEL = 4
BUDGET_S = 60.0  # for one call with all its retries: throttling passes, and a long run can wait for it
CUT_TO = 0.7  # of the level when DynamoDB asks for patience; the calls themselves pause as well
CUT_EVERY_S = 0.5  # answers that were under way when the level fell say nothing about the new one
PROBE = 0.25  # of the level, tried again and again; what a smaller step brings drowns in the noise
TURNS = 4  # results of each connection that make a measurement
KEYS_FOR_S = 1.0  # asking for the keys takes a lock, and they change by the hour
WAITING = 2  # tasks ready for each connection, so that none waits for the next to be made


class Pace:
    """How many connections to use now, by what they achieved. Pure: times are passed in, in seconds."""

    def __init__(self, limit: int, now: float) -> None:
        self.limit = limit
        self.level = min(FIRST_LEVEL, limit)
        self._growth = 1.0  # of the level, from one measurement to the next
        self._before = 0  # the level at which `_rate` was measured
        self._rate = 0.0
        self._since = now
        self._count = 0
        self._cut_at = float("-inf")

    def finished(self, now: float) -> None:
        """Count one result; after a few of each connection, judge the level."""
        self._count += 1
        if self._count < TURNS * self.level or now <= self._since:
            return
        rate = self._count / (now - self._since)
        self._since, self._count = now, 0
        # Half of what the further connections promised is enough; a step that brought less is taken back.
        promised = (self.level - self._before) / self._before if self._before else 0.0
        if rate >= self._rate * (1 + promised / 2) or self._before == self.level:
            self._before, self._rate = self.level, rate
            self.level = min(self.limit, self.level + max(1, int(self.level * self._growth)))
        else:
            self._growth = min(self._growth, PROBE)
            self.level = self._before

    def slowed(self, now: float) -> None:
        """Note that a call had to pause; of several at once only the first counts."""
        if now - self._cut_at < CUT_EVERY_S:
            return
        self._cut_at = self._since = now
        self._growth = 0.0
        self.level = max(1, int(self.level * CUT_TO))
        self._before, self._rate, self._count = 0, 0.0, 0


class Line(Client):
    """A connection of one thread, which can also be told that DynamoDB answered and asked for patience."""

    def wait(self, attempt: int) -> None:
        """Pause before a part of a request is sent again; *attempt* counts from 0."""
        from random import uniform

        self._sleep(uniform(FIRST_PAUSE_S / 10, min(FIRST_PAUSE_S * 2**attempt, LONGEST_PAUSE_S)))


class Failed(NamedTuple):
    """What a task raised. *stops* says that every other task would meet the same."""

    error: BaseException
    stops: bool


class Stopped(Exception):
    """The run is over; a call that was about to try again does not."""


def run(
    table: ClientTable, tasks: Iterable[T], work: Callable[[Line, T], R], *, limit: int = LIMIT
) -> Generator[tuple[T, R | IotauthError], None, None]:
    """Yield each of *tasks* with what *work* gave for it, or the error it ended in; their order is not kept.

    *work* is called in threads, each with a connection of its own; `replace(table, client=client)`
    is the table over it, which words the light client's errors. *tasks* are drawn in the caller's
    thread, little ahead of the work. What would stop every task alike (keys, rights, network, no
    table) is raised, after the calls under way have ended; so is what drawing a task raises.
    Closing the generator ends the threads.
    """
    crew: Crew[T, R] = Crew(table, work, limit)
    try:
        yield from crew.results(iter(tasks))
    finally:
        crew.close()


class Crew(Generic[T, R]):
    """The threads of one run, the tasks they wait for and the results they leave."""

    def __init__(self, table: ClientTable, work: Callable[[Line, T], R], limit: int) -> None:
        assert table.session is not None, "a table without a session has one connection"
        self._session = table.session
        self._work = work
        self._keys = SharedKeys(table.session)
        self._pace = Pace(limit, time.monotonic())
        self._tasks: SimpleQueue[tuple[T] | None] = SimpleQueue()  # None sends one thread home
        self._results: SimpleQueue[tuple[T, R | Failed]] = SimpleQueue()
        self._slowed: SimpleQueue[None] = SimpleQueue()
        self._stop = threading.Event()
        self._threads: list[threading.Thread] = []
        self._level = 0  # threads that are there and not told to go
        self._under_way = 0

    def results(self, tasks: Iterator[T]) -> Iterator[tuple[T, R | IotauthError]]:
        failed: BaseException | None = None
        while failed is None:
            self._adapt()
            try:
                self._fill(tasks)
            except StopIteration:
                break
            except Exception as problem:  # a task could not be drawn; what is under way is still told
                failed = problem
                break
            failed = yield from self._collect()
        while self._under_way:
            stopped = yield from self._collect()
            failed = failed or stopped
        if failed is not None:
            raise failed

    def close(self) -> None:
        """Let every thread end its call and go. Tasks that none has begun are dropped."""
        self._stop.set()
        for _ in range(self._level):
            self._tasks.put(None)
        for thread in self._threads:
            thread.join()

    def _adapt(self) -> None:
        while not self._slowed.empty():
            self._slowed.get()
            self._pace.slowed(time.monotonic())
        while self._level > self._pace.level:
            self._tasks.put(None)
            self._level -= 1
        while self._level < self._pace.level:
            thread = threading.Thread(target=self._serve, daemon=True)
            thread.start()
            self._threads.append(thread)
            self._level += 1

    def _fill(self, tasks: Iterator[T]) -> None:
        while self._under_way < WAITING * self._level:
            self._tasks.put((next(tasks),))
            self._under_way += 1

    def _collect(self) -> Generator[tuple[T, R | IotauthError], None, BaseException | None]:
        """Wait for one result, take what else is there, and return what stops the run, if something does."""
        stops: BaseException | None = None
        found = [self._results.get()]
        while len(found) < self._under_way:
            try:
                found.append(self._results.get_nowait())
            except Empty:
                break
        for task, result in found:
            self._under_way -= 1
            self._pace.finished(time.monotonic())
            if not isinstance(result, Failed):
                yield task, result
            elif isinstance(result.error, IotauthError) and not result.stops:
                yield task, result.error
            elif not isinstance(result.error, Stopped):  # which is what the others meet, once one was stopped
                stops = stops or result.error
                self._stop.set()
        return stops

    def _serve(self) -> None:
        client = self._connection()
        try:
            while (taken := self._tasks.get()) is not None:
                self._results.put((taken[0], self._outcome(client, taken[0])))
        finally:
            client.close()

    def _outcome(self, client: Line, task: T) -> R | Failed:
        if self._stop.is_set():
            return Failed(Stopped(), stops=True)
        try:
            return self._work(client, task)
        except IotauthError as problem:
            return Failed(problem, stops=stops_all(problem))
        except BaseException as problem:
            return Failed(problem, stops=True)

    def _connection(self) -> Line:
        return connection(self._session, self._pause, BUDGET_S, self._keys, Line)

    def _pause(self, seconds: float) -> None:
        """Sleep between two attempts of a call, and say so: a pause is how throttling shows."""
        if seconds > 0:  # none before a connection that went stale is replaced
            self._slowed.put(None)
        if self._stop.wait(seconds):
            raise Stopped


class SharedKeys:
    """The session's keys for several threads: boto3's own search for them is made for one."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._lock = threading.Lock()
        self._found: tuple[float, Credentials] | None = None

    def __call__(self) -> Credentials:
        with self._lock:
            now = time.monotonic()
            if self._found is None or now - self._found[0] > KEYS_FOR_S:
                self._found = (now, self._session.credentials())
            return self._found[1]


def stops_all(problem: IotauthError) -> bool:
    """Tell an error that every other task would meet too: keys, rights, an address where nobody answers."""
    if isinstance(problem, (ConfigError, AccessDenied)):
        return True
    is_unreachable = type(problem) is AwsError and problem.aws_code is None
    return is_unreachable or (isinstance(problem, NotFound) and problem.aws_code == NO_TABLE)
