"""Waiting for AWS: ask again with growing pauses, up to a limit, then say what did not happen."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TypeVar

from iotauth_cli.errors import AwsError

Value = TypeVar("Value")

LIMIT_S = 60.0  # a new role is known everywhere after some 10 s
FIRST_PAUSE_S = 0.25
LONGEST_PAUSE_S = 4.0


def pauses(limit_s: float = LIMIT_S) -> Iterator[float]:
    """Yield pauses in seconds that double up to the longest and together stay below *limit_s*."""
    pause, left = FIRST_PAUSE_S, limit_s
    while left > 0:
        yield min(pause, left)
        left -= pause
        pause = min(pause * 2, LONGEST_PAUSE_S)


def wait_until(is_so: Callable[[], bool], what: str, sleep: Callable[[float], None], limit_s: float = LIMIT_S) -> None:
    """Ask *is_so* until it holds. *what* says it in words, for the error: ``table `clients` is active``.

    Raises:
        AwsError: it did not come true within the limit.
    """
    for pause in pauses(limit_s):
        if is_so():
            return
        sleep(pause)
    if not is_so():
        raise AwsError(f"waited {limit_s:.0f} s for this to come true: {what}", hint="run the same command again")


def retry(
    call: Callable[[], Value],
    passes: Callable[[AwsError], bool],
    sleep: Callable[[float], None],
    limit_s: float = LIMIT_S,
) -> Value:
    """Return what *call* returns; repeat it while it fails in a way that *passes* by itself.

    Raises:
        AwsError: another failure, or the same one still when the limit was reached.
    """
    for pause in pauses(limit_s):
        try:
            return call()
        except AwsError as problem:
            if not passes(problem):
                raise
        sleep(pause)
    return call()
