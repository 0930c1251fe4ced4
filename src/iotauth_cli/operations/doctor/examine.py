"""Run checks side by side and tell what they found, in the order of the table.

Each check has a thread of its own, which is left behind when its time is over: neither the C resolver
nor boto3's retries can be stopped from outside. So a run takes no longer than its slowest check, and
Ctrl-C ends it at once.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from shlex import quote

from iotauth_cli.errors import AccessDenied, AwsError, IotauthError
from iotauth_cli.operations.doctor.authorizer import create
from iotauth_cli.operations.doctor.finding import Check, Finding, Repair, Result, Unseen
from iotauth_cli.operations.doctor.scene import Premises, Scene

SILENCE = " gave no answer"  # as `aws.errors` words it, with the reason behind


@dataclass(frozen=True)
class Began:
    """This check is waited for now."""

    check: Check


@dataclass(frozen=True)
class Examination:
    """Everything that was found."""

    results: tuple[Result, ...]

    @property
    def ok(self) -> bool:
        """What was denied or is not there may well be right; where nobody answered, nothing is known to be."""
        return all(result.ok for result in self.results) and not self.is_blind

    @property
    def is_blind(self) -> bool:
        return any(result.is_blind for result in self.results)

    @property
    def repairs(self) -> tuple[Repair, ...]:
        """What can be mended safely, each once."""
        return tuple(dict.fromkeys(result.repair for result in self.results if result.repair is not None))


class Running:
    """A check at work on a thread of its own."""

    def __init__(self, check: Check, scene: Scene) -> None:
        self.check = check
        self.scene = scene
        self.began = time.monotonic()
        self.found: list[Result] = []
        self.bugs: list[BaseException] = []
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def _run(self) -> None:
        try:
            self.found.append(result_of(self.check, self.scene))
        except BaseException as problem:  # told to whoever waits, not to the thread's end
            self.bugs.append(problem)

    @property
    def is_over(self) -> bool:
        return not self.thread.is_alive()

    def result(self) -> Result:
        """Wait for what is found, no longer than the check may take."""
        limit_s = self.scene.premises.timeout_s
        self.thread.join(max(0.0, self.began + limit_s - time.monotonic()))
        if self.bugs:
            raise self.bugs[0]
        if self.found:
            return self.found[0]
        return Result(self.check, "warning", f"no answer within {limit_s:g} s", "iotauth doctor --timeout 60")


def examine(premises: Premises, checks: Sequence[Check]) -> Iterator[Began | Result]:
    """Carry out *checks*; yield each result, and before one that takes time, that it is waited for."""
    scene = Scene(premises)
    try:
        for are_last in (False, True):
            yield from side_by_side(scene, [check for check in checks if check.is_last is are_last])
    finally:
        scene.close()


def side_by_side(scene: Scene, checks: Sequence[Check]) -> Iterator[Began | Result]:
    running = [Running(check, scene) for check in checks]
    for each in running:
        if not each.is_over:
            yield Began(each.check)
        result = each.result()
        if result.needs is not None:
            scene.denied.append(result.needs)
        yield result


def carry_out(premises: Premises, repairs: Sequence[Repair]) -> Iterator[Repair]:
    """Mend one after the other; yield each when it is done.

    Raises:
        IotauthError: one failed; those before it are done.
    """
    for repair in repairs:
        repair.apply(premises.door)
        yield repair


def result_of(check: Check, scene: Scene) -> Result:
    """Carry out one check; what it cannot see is a result too."""
    try:
        outcome = check.look(scene)
    except AccessDenied as denied:
        return Result(check, "unseen", f"needs {denied.action}", needs=denied.action)
    except Unseen as why:
        return Result(check, "unseen", str(why))
    except IotauthError as problem:
        before, silence, _ = problem.message.partition(SILENCE)  # why is said by the check for whose keys these are
        return Result(check, "unseen", before + silence, is_blind=not has_answered(problem))
    except OSError as problem:
        place = f": `{problem.filename}`" if problem.filename else ""
        return Result(check, "unseen", f"{(problem.strerror or str(problem)).lower()}{place}")
    if isinstance(outcome, Finding):
        outcome = for_a_stack(outcome, check, scene)
        return Result(check, outcome.severity, outcome.sentence, outcome.fix, outcome.repair)
    return Result(check, "fine", outcome)


def for_a_stack(found: Finding, check: Check, scene: Scene) -> Finding:
    """Return *found* without what `authorizer create` would do, where a stack owns the function: its template does."""
    made = create(scene)
    stack = scene.stack() if found.fix is not None and made in found.fix else None
    if stack is None:
        return found
    if check.id == "authorizer-status":  # CloudFormation cannot change an unsigned authorizer
        return replace(found, fix=made.replace(" create ", " enable "), repair=None)
    return replace(found, fix=f"sam deploy --stack-name {quote(stack)}", repair=None)


def has_answered(problem: IotauthError) -> bool:
    """Tell whether AWS said something, though not what was asked for."""
    return isinstance(problem, AwsError) and problem.aws_code is not None
