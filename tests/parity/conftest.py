"""One world for all tests: the emulator or, with `--aws`, the account that AWS's tools find.

    pytest tests/parity                                       the emulator
    pytest tests/parity --aws --profile … --region …          the real thing: it says what it costs, asks, cleans up

What it creates on AWS is called `iotauth-parity-…` and is removed at the end, also after a failure or Ctrl-C.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from support_emulator import running_emulator
from support_parity import cost, installation, policy
from support_parity.report import Book
from support_parity.rows import is_settled, table
from support_parity.world import Aws, Emulator, World

BOOK = pytest.StashKey[Book]()
AWS = pytest.StashKey[Aws]()
USAGES: pytest.StashKey[dict[str, cost.Usage]] = pytest.StashKey()
RIGHTS: pytest.StashKey[set[tuple[str, str]]] = pytest.StashKey()
REPORT = "report.json"


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "rows(*numbers): the rows of the conformance table that the test looks at")
    config.addinivalue_line("markers", "slow: on AWS it waits for minutes, and needs --aws-slow")
    config.addinivalue_line("markers", "account_wide: it sets the default authorizer; AWS needs --aws-account-wide")
    is_parted = bool(getattr(config.option, "numprocesses", None))
    if is_parted and any(map(config.getoption, ("--aws", "--parity-report", "--parity-usage"))):
        raise pytest.UsageError("on AWS, for a report or to measure, tests/parity runs in one process: leave -n out")
    config.stash[BOOK] = Book()
    config.stash[USAGES] = {}


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if not config.getoption("--aws"):
        return
    for item in filter(is_ours, items):
        if not item.get_closest_marker("timeout"):
            item.add_marker(pytest.mark.timeout(600))
    for mark, option in (("slow", "--aws-slow"), ("account_wide", "--aws-account-wide")):
        if not config.getoption(option):
            for item in filter(is_ours, items):
                if item.get_closest_marker(mark):
                    item.add_marker(pytest.mark.skip(reason=f"{mark.replace('_', '-')} on AWS: it needs {option}"))


def pytest_collection_finish(session: pytest.Session) -> None:
    """On AWS: say where and for how much, and ask, before anything is created."""
    config = session.config
    ours = [item for item in session.items if is_ours(item) and not item.get_closest_marker("skip")]
    if not config.getoption("--aws") or not ours or config.option.collectonly:
        return
    aws = config.stash[AWS] = find_account(config)
    usage = cost.estimate(short_name(item) for item in ours)
    lines = [
        "",
        f"{len(ours)} tests on AWS: account {aws.account}, region {aws.region}, endpoint {aws.host}",
        f"created and removed: a function, a role, a log group, a table and up to 6 authorizers, all `{aws.prefix}…`",
        *cost.shown(usage),
    ]
    if config.getoption("--aws-sweep") is not None:
        lines.append(
            f"before: what earlier runs left behind is removed if it is {config.getoption('--aws-sweep'):g} h old"
        )
    with config.pluginmanager.getplugin("capturemanager").global_and_fixture_disabled():
        print("\n".join(lines), flush=True)
        if not (config.getoption("--aws-yes") or is_agreed()):
            pytest.exit("nothing was created; --aws-yes agrees beforehand", returncode=2)


def is_agreed() -> bool:
    if not sys.stdin.isatty():
        return False
    return input("go on? [y/N] ").strip().lower() in ("y", "yes")


def find_account(config: pytest.Config) -> Aws:
    import boto3
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        session = boto3.session.Session(
            profile_name=config.getoption("--profile"), region_name=config.getoption("--region")
        )
        if session.region_name is None:
            raise pytest.UsageError("no region: say --region")
        return Aws(session)
    except (BotoCoreError, ClientError) as error:
        raise pytest.UsageError(f"AWS cannot be asked: {error}") from error


def is_ours(item: pytest.Item) -> bool:
    return "parity" in item.path.parts


def short_name(item: pytest.Item) -> str:
    return f"{item.path.name}::{item.name}"


@pytest.fixture(scope="session")
def world(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """The parity function and its authorizers, in the one world or the other."""
    config = request.config
    if config.getoption("--aws"):
        yield from standing(config, config.stash[AWS])
    else:
        with running_emulator(tmp_path_factory.mktemp("parity"), mqtt_port=0) as running:
            yield from standing(config, Emulator(running))


def standing(config: pytest.Config, found: World) -> Iterator[World]:
    """Install, hand out, remove: whatever happens between."""
    book = config.stash[BOOK]
    book.world, book.region, book.account = found.kind, found.region, found.account
    config.stash[RIGHTS] = found.rights
    book.secrets += [found.host] if found.kind == "aws" else []
    hours = config.getoption("--aws-sweep")
    with SignalsAsCtrlC():
        try:
            if found.kind == "aws" and hours is not None:
                for line in installation.sweep(found.boto, hours * 3600, time.time()):
                    say(config, line)
            found.install()
            yield found
        finally:
            try:
                stayed = found.remove()
            except KeyboardInterrupt:
                say(
                    config,
                    f"interrupted while `{found.prefix}…` was removed; a run with `--aws-sweep 0` removes the rest",
                )
                raise
            for what in stayed:
                say(config, f"still there: {what}; a run with `--aws-sweep 0` removes it")
    assert not stayed, stayed


class SignalsAsCtrlC:
    """Let a kill or a closed terminal end the run as Ctrl-C does, so that it cleans up."""

    def __enter__(self) -> None:
        numbers = [getattr(signal, name, None) for name in ("SIGTERM", "SIGHUP")]
        self._before = {number: signal.getsignal(number) for number in numbers if number is not None}
        for number in self._before:
            signal.signal(number, signal.default_int_handler)

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)


def say(config: pytest.Config, line: str) -> None:
    with config.pluginmanager.getplugin("capturemanager").global_and_fixture_disabled():
        print(f"\n{line}", flush=True)


@pytest.fixture
def book(request: pytest.FixtureRequest) -> Book:
    found: Book = request.config.stash[BOOK]
    return found


class Rows:
    """Holds what a test observes to the rows that it is marked with."""

    def __init__(self, world: World, book: Book, numbers: tuple[int, ...]) -> None:
        self._world, self._book = world, book
        self._table = table()
        self.numbers, self.seen = numbers, set[int]()

    def check(self, number: int, observed: object, expected: object) -> None:
        """Note row *number*. Otherwise than expected is a failure, but on AWS only where AWS documents the row."""
        assert number in self.numbers, f"the test is not marked with row {number}"
        self.seen.add(number)
        settled = is_settled(self._table[number])
        self._book.note_row(number, observed, expected, is_settled=settled)
        if self._world.kind == "emulator" or settled:
            assert observed == expected, f"row {number}: {self._table[number]['input']}"


@pytest.fixture
def rows(request: pytest.FixtureRequest, world: World, book: Book) -> Iterator[Rows]:
    marker = request.node.get_closest_marker("rows")
    found = Rows(world, book, marker.args)
    yield found
    if request.node.stash.get(PASSED, False):
        assert found.seen == set(found.numbers), "the test is marked with rows that it did not check"


PASSED = pytest.StashKey[bool]()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Any:
    report = yield
    if report.when == "call" and report.passed:
        item.stash[PASSED] = True
    return report


@pytest.fixture(autouse=True)
def measured(request: pytest.FixtureRequest) -> Iterator[None]:
    """Disconnect what a test has connected, and hold it to what the estimate has of it."""
    if "world" not in request.fixturenames:
        yield
        return
    world: World = request.getfixturevalue("world")
    before = world.usage
    yield
    world.disconnect_all()
    # On AWS the account says what is allowed, and what is called there alone has names that nothing here knows.
    beyond = sorted(policy.beyond(world.rights)) if world.kind == "emulator" else []
    assert not beyond, f"tests/parity/policy.json does not allow {beyond}"
    name, used = short_name(request.node), world.usage.minus(before)
    request.config.stash[USAGES][name] = used
    if world.kind == "emulator" and not request.config.getoption("--parity-usage"):
        known = cost.recorded().get(name, cost.Usage())
        assert used.is_within(known), (
            f"the estimate has {known}: measure again, with pytest tests/parity --parity-usage"
        )


def pytest_sessionfinish(session: pytest.Session) -> None:
    config = session.config
    book = config.stash.get(BOOK, None)
    if book is None or not book.world:
        return
    if config.getoption("--parity-usage") and (rights := config.stash.get(RIGHTS, None)) is not None:
        for action in policy.unused(rights):
            print(f"\ntests/parity/policy.json allows {action}, which nothing calls", flush=True)
    if config.getoption("--parity-usage"):
        usages: dict[str, cost.Usage] = config.stash[USAGES]
        cost.record(usages)
    path = config.getoption("--parity-report") or (REPORT if config.getoption("--aws") else None)
    if path:
        book.write(Path(path))
        reporter: Any = config.pluginmanager.getplugin("terminalreporter")
        reporter.write_line(
            f"\nwrote {path}; `iotauth emulator behaviour --compare {path}` lays it beside the emulator"
        )


@pytest.fixture(scope="session")
def aws_variables(request: pytest.FixtureRequest) -> dict[str, str]:
    """Return what a child process needs to reach the account; nothing on the emulator."""
    if not request.config.getoption("--aws"):
        return {}
    found = {name: value for name, value in os.environ.items() if name.startswith("AWS_")}
    profile = request.config.getoption("--profile")
    region = request.config.stash[AWS].region
    return {**found, "AWS_REGION": region, **({"AWS_PROFILE": profile} if profile else {})}
