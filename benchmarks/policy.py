"""The policy engine beside `fnmatch`, which is what one would write first, on the same documents.

Run `python benchmarks/policy.py [rounds]`. Ours and the peer answer the same questions in turn; a
ratio is taken round by round and the median is reported. The peer loops over the statements, has
no variables, conditions or reasons, and gives `[` a meaning that AWS does not: it does less.

A broker asks about the same few topics again and again: those rows carry the goal. Topics never
asked before cost the look-up in the table without anything remembered.
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable, Sequence
from fnmatch import fnmatchcase
from functools import partial

from table import Row, render

from iotauth_cli.policy.context import Context
from iotauth_cli.policy.document import Document, parse
from iotauth_cli.policy.evaluate import Evaluator
from iotauth_cli.policy.match import compile_pattern

SCOPE = "arn:aws:iot:us-east-1:123456789012:"
PUBLISH = "iot:Publish"
GOAL = 0.2
DECISION_S = 2e-6  # a decision's limit, whatever the peer takes
NEW_TOPICS = 1000
CALLS = 2000

Question = Callable[[], object]
Rule = tuple[str, tuple[str, ...], str]  # effect, actions, resource


def document(statements: int) -> Document:
    """Return a policy of so many statements on one action: prefixes, as devices have, and each fifth a pattern."""
    topics = [f"doors/door-{n}/*" if n % 5 else f"gates/*/gate-?/{n}" for n in range(1, statements + 1)]
    return parse(
        {
            "Version": "2012-10-17",
            "Statement": [
                {"Effect": "Allow", "Action": [PUBLISH, "iot:Receive"], "Resource": f"{SCOPE}topic/{topic}"}
                for topic in topics
            ],
        }
    )


def flatten(policy: Document) -> list[Rule]:
    return [(each.effect, each.actions, each.resources[0]) for each in policy.statements]


def with_fnmatch(rules: list[Rule], action: str, resource: str) -> bool:
    """Decide as a first version would: every statement, because a Deny may still come."""
    allowed = False
    for effect, actions, pattern in rules:
        if action in actions and fnmatchcase(resource, pattern):
            if effect == "Deny":
                return False
            allowed = True
    return allowed


def measure(rounds: int = 9) -> list[Row]:
    """Measure everything and return the rows, goals included. Takes about a tenth of a second per round."""
    rows = []
    for statements in (4, 20):
        policy = document(statements)
        for verdict, topic in (("allowed", "doors/door-2"), ("denied", "windows/window-2")):
            what = f"policy decision, {statements} statements, {verdict}"
            rows.append(_decision(f"{what} / fnmatch", policy, [f"{topic}/state"], rounds, GOAL))
            new = [f"{topic}/{number}" for number in range(NEW_TOPICS)]
            rows.append(_decision(f"{what}, new topics / fnmatch", policy, new, rounds, None))
    return [*rows, _beside_limit(rounds), _worst_case(rounds)]


def _decision(what: str, policy: Document, topics: Sequence[str], rounds: int, goal: float | None) -> Row:
    resources = [f"{SCOPE}topic/{topic}" for topic in topics]
    evaluator, rules = Evaluator([policy], Context(client_id="door-2")), flatten(policy)
    assert all(evaluator.allows(PUBLISH, each) == with_fnmatch(rules, PUBLISH, each) for each in resources)
    times = max(CALLS // len(resources), 1)

    def ours() -> None:
        allows = evaluator.allows
        for resource in resources:
            allows(PUBLISH, resource)

    def peer() -> None:
        for resource in resources:
            with_fnmatch(rules, PUBLISH, resource)

    return _row(what, ours, peer, rounds, times, goal, decisions=len(resources))


def _beside_limit(rounds: int) -> Row:
    """Ask five statements about topics that were never asked about."""
    evaluator = Evaluator([document(5)], Context(client_id="door-2"))

    def ask(turn: int) -> None:
        for number in range(NEW_TOPICS):
            evaluator.allows(PUBLISH, f"{SCOPE}topic/doors/door-2/{turn}/{number}")

    took = statistics.median(_seconds(partial(ask, turn), 1) for turn in range(rounds)) / NEW_TOPICS
    what = "policy decision, 5 statements, topics never asked about / its limit"
    return Row(what, f"{took * 1e9:.0f} ns", f"{DECISION_S * 1e9:.0f} ns", took / DECISION_S, 1.0)


def _worst_case(rounds: int) -> Row:
    """Twice the stars take twice the time: a regular expression would take 2**12 times as long."""
    text = "a" * 40 + "c"
    twelve, double = (compile_pattern(["a*" * stars + "b*"]) for stars in (12, 24))
    return _row(
        "policy pattern against 40 characters, 24 stars / 12 stars",
        lambda: double.matches(text),
        lambda: twelve.matches(text),
        rounds,
        CALLS,
        goal=2.5,
    )


def _row(
    what: str, ours: Question, peer: Question, rounds: int, times: int, goal: float | None, decisions: int = 1
) -> Row:
    pairs = [(_seconds(ours, times), _seconds(peer, times)) for _ in range(rounds + 1)][1:]
    mine, theirs = (statistics.median(side) / decisions for side in zip(*pairs, strict=True))
    ratio = statistics.median(ours_s / peer_s for ours_s, peer_s in pairs)
    return Row(what, f"{mine * 1e9:.0f} ns", f"{theirs * 1e9:.0f} ns", ratio, goal)


def _seconds(question: Question, times: int) -> float:
    began = time.perf_counter()
    for _ in range(times):
        question()
    return (time.perf_counter() - began) / times


if __name__ == "__main__":
    print(render(measure(int(sys.argv[1]) if len(sys.argv) > 1 else 9)))
