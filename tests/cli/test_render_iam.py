"""IAM's documents on the screen: the same JSON, laid out for people and files."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from iotauth_authorizer.grants import ArnScope
from iotauth_cli.cli.render_iam import WIDTH, laid_out
from iotauth_cli.operations import iam_documents
from iotauth_cli.operations.iam_documents import Names
from support_desk import Desk

TEXTS = st.text(min_size=1, max_size=90)
STATEMENTS = st.fixed_dictionaries(
    {"Sid": TEXTS, "Action": st.lists(TEXTS, max_size=12), "Resource": st.one_of(TEXTS, st.lists(TEXTS, max_size=3))},
    optional={"Condition": st.dictionaries(TEXTS, st.dictionaries(TEXTS, TEXTS, max_size=2), max_size=2)},
)


@given(st.lists(STATEMENTS, max_size=4))
def test_what_is_laid_out_is_the_document(statements: list[dict[str, Any]]) -> None:
    """Whatever stands in it: read back, it is the same."""
    document = {"Version": "2012-10-17", "Statement": statements}
    assert json.loads("\n".join(laid_out(document))) == document


@pytest.mark.parametrize("role", [iam_documents.operator, iam_documents.readonly, iam_documents.function_policy])
def test_lists_fill_the_width_and_no_more(role: Any) -> None:
    """A line is longer than a terminal only where a single name is."""
    document = role(Names(ArnScope("aws", "eu-west-1", "123456789012"), ("doors",), "clients", "doors-function"))
    long = [line for line in laid_out(document) if len(line) > WIDTH]
    assert all("arn:" in line or "Condition" in line for line in long)
    assert len(laid_out(document)) < 200


def test_more_authorizers_than_iam_takes_are_refused(desk: Desk) -> None:
    """A document that nobody could use is not printed; one for a role of its own says how it is put there."""
    many = [f"door-{number:03}-{'x' * 100}" for number in range(30)]
    where = ("--account", "123456789012", "--region", "eu-west-1")
    refused = desk("policy", "operator", *many, *where)
    assert refused.code == 2
    assert "characters, and IAM takes 10,240" in refused.text
    large = desk("policy", "operator", *many[:4], *where)
    assert "aws --region eu-west-1 iam put-role-policy --role-name ROLE" in large.text
    assert "create-policy" not in large.text
