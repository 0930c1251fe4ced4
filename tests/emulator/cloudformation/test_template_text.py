"""Template text: JSON and YAML mean the same, and what is no template is refused with its place."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from iotauth_cli.emulator.control.cloudformation import syntax
from iotauth_cli.emulator.control.service import ServiceError

SCALARS = st.none() | st.booleans() | st.integers() | st.text()
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3), max_leaves=6
)


@pytest.mark.parametrize(
    ("short", "long"),
    [
        ("!Ref Table", {"Ref": "Table"}),
        ("!GetAtt Table.Arn", {"Fn::GetAtt": ["Table", "Arn"]}),
        ("!GetAtt [Table, Arn]", {"Fn::GetAtt": ["Table", "Arn"]}),
        ("!Sub 'x-${Table}'", {"Fn::Sub": "x-${Table}"}),
        ("!Sub ['${A}', {A: !Ref B}]", {"Fn::Sub": ["${A}", {"A": {"Ref": "B"}}]}),
        ("!Join ['-', [a, !Ref B]]", {"Fn::Join": ["-", ["a", {"Ref": "B"}]]}),
        ("!If [Is, a, !Ref AWS::NoValue]", {"Fn::If": ["Is", "a", {"Ref": "AWS::NoValue"}]}),
        ("!Not [!Equals [a, b]]", {"Fn::Not": [{"Fn::Equals": ["a", "b"]}]}),
        ("!And [!Condition A, !Condition B]", {"Fn::And": [{"Condition": "A"}, {"Condition": "B"}]}),
        ("!Select [0, !Split [',', a]]", {"Fn::Select": [0, {"Fn::Split": [",", "a"]}]}),
        ("!FindInMap [A, b, c]", {"Fn::FindInMap": ["A", "b", "c"]}),
        ("!Base64 text", {"Fn::Base64": "text"}),
        ("!ImportValue doors", {"Fn::ImportValue": "doors"}),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_short_form_means_its_long_form(short: str, long: dict[str, Any]) -> None:
    """``!Ref A`` is ``{"Ref": "A"}``, and so for every function."""
    assert syntax.parse(f"Value: {short}") == {"Value": long}


def test_a_policy_version_is_no_date() -> None:
    """PyYAML would read an unquoted ``2012-10-17`` as a date; policies need the text."""
    assert syntax.parse("Version: 2012-10-17") == {"Version": "2012-10-17"}


def test_a_file_of_ones_own_may_have_aliases() -> None:
    """AWS's tools resolve them before they send a template, and so does `iotauth emulator deploy`."""
    text = "A: &a {x: !Ref B}\nC: *a"
    assert syntax.parse(text, with_aliases=True) == {"A": {"x": {"Ref": "B"}}, "C": {"x": {"Ref": "B"}}}
    with pytest.raises(ServiceError, match=r"YAML not well-formed. \(line 2, column 4\)"):
        syntax.parse(text)


@settings(max_examples=50)
@given(st.dictionaries(st.text(), VALUES, max_size=4))
def test_what_is_written_is_read_back(document: dict[str, Any]) -> None:
    """A packaged template arrives as it was."""
    assert syntax.parse(syntax.build(document)) == document


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{"Resources": {', "JSON not well-formed. (line 1, column 16)"),
        ('{"a": ' + "9" * 5000 + "}", "JSON not well-formed."),
        ("Resources: [", "YAML not well-formed. (line 1, column 13)"),
        ("A: 1\nA: 2", "YAML not well-formed. (line 1, column 1)"),
        ("just text", "unsupported structure."),
        ("!!python/object:os.system x", "YAML not well-formed. (line 1, column 1)"),
        ("? [a]\n: b", "YAML not well-formed."),
    ],
    ids=["json", "number", "yaml", "a key twice", "text", "code", "a list as a key"],
)
def test_what_is_no_template_is_refused(text: str, said: str) -> None:
    """The refusal says where the text stops making sense, and nothing in it is run."""
    with pytest.raises(ServiceError, match="Template format error") as refused:
        syntax.parse(text)
    assert said in refused.value.message
