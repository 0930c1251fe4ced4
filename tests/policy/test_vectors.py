"""Every vector of tests/vectors/policy, put to the engine by both of its ways in."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from iotauth_cli.policy.context import Context
from iotauth_cli.policy.document import parse_all
from iotauth_cli.policy.evaluate import Decision, Evaluator, Request, evaluate

VECTORS = Path(__file__).parent.parent / "vectors" / "policy"
SCOPE = "arn:aws:iot:us-east-1:123456789012:"
SOURCES = ("documented: ", "observed: ", "inferred: ", "choice: ")

Vector = Mapping[str, Any]


def vectors() -> list[Vector]:
    texts = [path.read_text() for path in sorted(VECTORS.glob("*.yaml"))]
    return [vector for text in texts for vector in yaml.safe_load(text.replace("ARN:", SCOPE))]


def cases() -> list[Any]:
    return [
        pytest.param(vector, case, id=f"{vector['name']}, {number}")
        for vector in vectors()
        for number, case in enumerate(vector["cases"], 1)
    ]


def context_of(vector: Vector, case: Mapping[str, Any]) -> Context:
    values = dict(case.get("context", vector.get("context", {})))
    attributes = tuple(values.pop("connect_attributes", ()))
    return Context(**values, connect_attributes=attributes)


def deciding(decision: Decision) -> list[int] | None:
    reference = decision.deciding
    return [reference.document, reference.statement] if reference else None


@pytest.mark.parametrize(("vector", "case"), cases())
def test_vector(vector: Vector, case: Mapping[str, Any]) -> None:
    """The decision has the effect and the deciding statement that the vector names."""
    documents, context = parse_all(vector["documents"]), context_of(vector, case)
    decision = evaluate(documents, Request(case["action"], case["resource"], context))
    assert (decision.effect, deciding(decision)) == (case["effect"], case.get("deciding")), decision.trace
    assert Evaluator(documents, context).allows(case["action"], case["resource"]) == decision.allowed


@pytest.mark.parametrize("vector", vectors(), ids=lambda vector: vector["name"])
def test_a_vector_says_how_we_know(vector: Vector) -> None:
    """A rule without a source is a rumour."""
    assert vector["source"].startswith(SOURCES)
