"""The emulator under a mixed load for as long as one likes: does its memory stay flat?

Run `python benchmarks/soak.py [minutes] [--write]`, 30 unless said otherwise. Devices come and go,
some with a wrong password; they publish at QoS 0 and 1, and rows are written and read. A line is
printed for each thirtieth of the time. The exit status is 1 if memory grew after the first fifth
by more than a tenth. `--write` puts what was printed into docs/reference/soak.md.
"""

from __future__ import annotations

import asyncio
import itertools
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from all import machine
from mqtt_load import (
    WAIT_S,
    Broker,
    close,
    connect,
    connect_many,
    seconds_per_message_qos_0,
    seconds_per_message_qos_1,
)

from emulator import TABLE, Server, emulator, resident_kib
from iotauth_authorizer.dynamodb import Client, Credentials
from iotauth_cli.emulator import environment

SAMPLES = 30
SETTLED_AFTER = 1 / 5  # of the time; until then caches fill
GROWTH_LIMIT = 1.1
VISITORS = 300  # who come and go; the clients after them are other kinds of load
MESSAGES = 2000
LISTENERS = 5
ROWS = 1000
PAGE = Path(__file__).resolve().parent.parent / "docs" / "reference" / "soak.md"

INTRODUCTION = """# Soak

What the emulator's process takes while devices come and go, knock with a wrong password and publish,
and rows are written and read, all without a pause. `python benchmarks/soak.py [MINUTES]` does it on your
machine; the counts are what has been done so far.
"""

Work = Callable[[], Awaitable[str]]


class Sample(NamedTuple):
    minutes: float
    memory_kib: int
    files: int
    done: Counter[str]

    def line(self) -> str:
        counts = "  ".join(f"{name} {count:,}" for name, count in sorted(self.done.items()))
        return f"{self.minutes:5.1f} min  {self.memory_kib / 1024:6.1f} MiB  {self.files:4} files  {counts}".rstrip()


async def soak(server: Server, rows: Client, minutes: float) -> list[Sample]:
    began = time.monotonic()
    done: Counter[str] = Counter()
    working = [asyncio.ensure_future(_repeat(work, done)) for work in _works(server.broker, rows)]
    samples = []
    for number in range(SAMPLES + 1):
        await asyncio.sleep(max(0.0, began + minutes * 60 * number / SAMPLES - time.monotonic()))
        for task in working:
            if task.done():
                task.result()  # a load that has failed ends the soak with its error
        files = len(list(Path(f"/proc/{server.pid}/fd").iterdir()))
        samples.append(Sample((time.monotonic() - began) / 60, resident_kib(server.pid), files, done.copy()))
        print(samples[-1].line(), flush=True)
    for task in working:
        task.cancel()
    await asyncio.gather(*working, return_exceptions=True)
    return samples


async def _repeat(work: Work, done: Counter[str]) -> None:
    while True:
        done[await work()] += 1


def _works(broker: Broker, rows: Client) -> Iterable[Work]:
    """Return the kinds of load; each does one piece of work and names it. No two share a client id."""
    visitors, numbers = itertools.cycle(range(VISITORS)), itertools.count()
    intruders = replace(broker, connect=lambda number: replace(broker.connect(VISITORS), password=b"wrong"))
    talkers = replace(broker, connect=lambda number: broker.connect(VISITORS + 1 + number))

    async def come_and_go() -> str:
        await close(await connect_many(broker, itertools.islice(visitors, 20), 10))
        return "crowds of 20"

    async def knock_with_a_wrong_password() -> str:
        device = None
        try:
            device = await connect(intruders, 0)
            await asyncio.wait_for(device.expect(1), WAIT_S)  # the CONNACK says no, and the close follows
        except ConnectionError:
            return "refusals"
        finally:
            await close([device] if device else [])
        raise AssertionError("a wrong password was let in")

    async def talk() -> str:
        await seconds_per_message_qos_0(talkers, MESSAGES, LISTENERS)
        await seconds_per_message_qos_1(talkers, MESSAGES)
        return f"bursts of {MESSAGES * (LISTENERS + 1):,} messages"

    async def use_the_table() -> str:
        key = {"Client_ID": {"S": f"soak-{next(numbers) % ROWS}"}}
        rows.put_item(TABLE, {**key, "Note": {"S": "x" * 500}})
        rows.get_item(TABLE, key)
        await asyncio.sleep(0.01)
        return "rows written and read"

    return [come_and_go, knock_with_a_wrong_password, talk, use_the_table]


def growth(samples: list[Sample]) -> float:
    """Return the last tenth's memory divided by that of the time just after it had settled."""
    tenth = max(1, len(samples) // 10)
    start = int(len(samples) * SETTLED_AFTER)
    early, late = samples[start : start + tenth], samples[-tenth:]
    return max(each.memory_kib for each in late) / max(each.memory_kib for each in early)


def page(samples: list[Sample], verdict: str) -> str:
    lines = "\n".join(each.line() for each in samples)
    stamp = time.strftime("%Y-%m-%d", time.gmtime())
    return f"{INTRODUCTION}\nTaken on {stamp}: {machine()}.\n\n```text\n{lines}\n{verdict}\n```\n"


def main() -> int:
    minutes = next((float(each) for each in sys.argv[1:] if not each.startswith("-")), 30.0)
    with tempfile.TemporaryDirectory() as name:
        state_dir = Path(name) / "state"
        with emulator(state_dir) as (server, _):
            ready = environment.read(state_dir)
            assert ready is not None
            credentials = Credentials(environment.ACCESS_KEY_ID, environment.SECRET_ACCESS_KEY)
            rows = Client("us-east-1", credentials=lambda: credentials, endpoint_url=ready.control_endpoint)
            samples = asyncio.run(soak(server, rows, minutes))
    grown = growth(samples)
    verdict = f"memory changed by {grown - 1:+.1%} after the first fifth of {minutes:g} minutes"
    print(verdict)
    if "--write" in sys.argv:
        PAGE.write_text(page(samples, verdict))
    return 1 if grown > GROWTH_LIMIT else 0


if __name__ == "__main__":
    sys.exit(main())
