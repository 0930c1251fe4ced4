"""Variables and escapes in a policy's text."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from iotauth_cli.policy.match import compile_pattern
from iotauth_cli.policy.variables import NoValue, expand, names

VALUES = {"iot:clientid": "door-7", "aws:sourceip": "192.0.2.7"}


@pytest.mark.parametrize(
    ("text", "expanded"),
    [
        ("plain", "plain"),
        ("${iot:ClientId}", "door-7"),
        ("a/${iot:ClientId}/b/${aws:SourceIp}", "a/door-7/b/192.0.2.7"),
        ("${*}${?}${$}$(*)$(?)$($)", "*?$*?$"),
        ("$aws/things", "$aws/things"),
        ("$(iot:ClientId)", "$(iot:ClientId)"),
        ("${iot:ClientId", "${iot:ClientId"),
        ("$${iot:ClientId}", "$door-7"),
        ("${$}{iot:ClientId}", "${iot:ClientId}"),
    ],
)
def test_expand(text: str, expanded: str) -> None:
    """Names in braces and escapes in either notation are replaced, all other dollars stay."""
    assert "".join(expand(text, VALUES)) == expanded


@pytest.mark.parametrize("name", ["iot:Connection.Thing.ThingName", "iot:DomainName", "", "iot:ClientId "])
def test_a_variable_without_a_value_is_named(name: str) -> None:
    """Nothing is made up for a variable that has no value here, however close its name is."""
    with pytest.raises(NoValue) as caught:
        expand(f"topic/${{{name}}}/*", VALUES)
    assert caught.value.name == name


def test_names_lists_variables_and_no_escapes() -> None:
    """What a text asks for, in order and as written."""
    assert names("${iot:ClientId}/${*}/$(?)/${aws:SourceIp}") == ("iot:ClientId", "aws:SourceIp")


@given(st.text())
def test_a_value_matches_itself_and_nothing_else(value: str) -> None:
    """Whatever a client calls itself, its own text is all it gets: no wildcard, no second variable."""
    pattern = compile_pattern(expand("${iot:ClientId}", {"iot:clientid": value}))
    assert pattern.matches(value)
    assert not pattern.matches(value + "x")
    assert pattern.is_exact


@pytest.mark.parametrize("brackets", ["{}", "()"])
@given(text=st.text("*?$", min_size=1))
def test_every_character_can_be_escaped(brackets: str, text: str) -> None:
    """A resource whose name has policy wildcards in it can be granted exactly."""
    escaped = "".join(f"${brackets[0]}{character}{brackets[1]}" for character in text)
    pieces = expand(escaped, {})
    assert "".join(pieces) == text
    assert compile_pattern(pieces).is_exact
