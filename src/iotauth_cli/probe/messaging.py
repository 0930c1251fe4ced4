"""Listening for as long as somebody wants to, over as many connections as it takes."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass

from iotauth_cli.probe.conversation import Conversation, HungUp, Line, Message, NotConnected, Refused

FIRST_WAIT_S, LONGEST_WAIT_S = 1.0, 30.0  # between attempts to come back
LASTING_S = 30.0  # a connection that held that long was a good one, and waiting begins anew


@dataclass(frozen=True)
class Connected:
    """The connection stands and every subscription is granted. *again*: it was cut before."""

    again: bool = False


@dataclass(frozen=True)
class Cut:
    """The connection was cut, or could not be opened again; the next attempt is *wait_s* away.

    *times* counts how often in a row it did not last; *was_refused*: the last time it was not even let in.
    """

    reason: str
    wait_s: float
    times: int = 1
    was_refused: bool = False


def listen(
    line: Line,
    filters: Sequence[str],
    *,
    qos: int,
    end: float,
    pause: Callable[[float], None] = time.sleep,
) -> Generator[Connected | Message | Cut | Refused, None, None]:
    """Yield what comes to *filters* until *end* (monotonic), over as many connections as it takes.

    Ends after the refusals, if a subscription is refused.

    Raises:
        NotConnected: not even the first connection could be made.
        InputError: a filter is none.
    """
    was_connected, failures = False, 0
    while True:
        conversation = Conversation(line)
        began = time.monotonic()
        try:
            conversation.open()
            refused = [each for each in subscribed(conversation, filters, qos) if each is not None]
            if any(each.is_certain for each in refused) or (refused and not was_connected):
                yield from refused
                return
            if refused:
                raise HungUp(refused[0].reason)
            yield Connected(again=was_connected)
            was_connected = True
            yield from conversation.listen(end)
            return
        except NotConnected as problem:
            if not was_connected:
                raise
            reason, was_refused = problem.reason, problem.is_refusal
        except HungUp as problem:
            reason, was_refused = problem.reason, False
        finally:
            conversation.close()
        failures = 1 if time.monotonic() - began >= LASTING_S else failures + 1
        wait_s = min(FIRST_WAIT_S * 2 ** (failures - 1), LONGEST_WAIT_S)
        yield Cut(reason, wait_s, failures, was_refused)
        left = end - time.monotonic()
        pause(max(0.0, min(wait_s, left)))
        if left <= wait_s:
            return


def subscribed(conversation: Conversation, filters: Sequence[str], qos: int) -> Iterator[Refused | None]:
    """Subscribe to one after the other; there is no going on after a hang-up."""
    for topic_filter in filters:
        refused = conversation.subscribe(topic_filter, qos)
        yield refused
        if refused is not None and not refused.is_certain:
            return
