"""The user name: who is named, and the parameters that ride behind the `?`."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from iotauth_authorizer.username import (
    MalformedUsername,
    Username,
    build_token,
    compose,
    parse,
    parse_query,
    parse_token,
    user_part,
)

USERS = st.text().filter(lambda text: "?" not in text)
PARAMETERS = st.lists(st.tuples(st.text(), st.text())).map(tuple)


@given(user=USERS, parameters=PARAMETERS)
def test_parse_undoes_compose(user: str, parameters: tuple[tuple[str, str], ...]) -> None:
    """Whatever is put into a user name comes out of it: any text, empty ones and `&=?%+` included."""
    assert parse(compose(user, parameters)) == Username(user, parameters)


@given(text=st.text())
def test_the_user_part_is_what_parse_says(text: str) -> None:
    """The part before the first `?` is found in any text, also in one that AWS IoT would refuse."""
    try:
        assert user_part(text) == parse(text).user
    except MalformedUsername:
        assert "?" not in user_part(text)


@pytest.mark.parametrize("text", ["door?a=1?b=2", "??", "?a=1&b=?", "door??"])
def test_a_second_question_mark_is_malformed(text: str) -> None:
    """AWS IoT refuses such a name without calling the function (an SDK once appended `?SDK=…` to one)."""
    with pytest.raises(MalformedUsername):
        parse(text)


def test_a_user_with_a_question_mark_cannot_be_composed() -> None:
    """It could not be told from the parameters."""
    with pytest.raises(MalformedUsername, match="door"):
        compose("door?7", [("a", "1")])


def test_a_user_that_cannot_be_composed_is_named_without_its_parameters() -> None:
    """What people put behind the `?` are a device's token and signature, and an error is shown and pasted."""
    with pytest.raises(MalformedUsername) as refused:
        compose("door-7?tok=T0KEN&x-amz-customauthorizer-signature=S1GNED", [])
    assert "door-7" in str(refused.value)
    assert "T0KEN" not in str(refused.value)
    assert "S1GNED" not in str(refused.value)


def test_a_signature_is_encoded_exactly_once() -> None:
    """Base64's `+`, `/` and `=` arrive as they were, through one encoding and one decoding."""
    text = compose("door-7", [("x-amz-customauthorizer-signature", "a+/b==")])
    assert text == "door-7?x-amz-customauthorizer-signature=a%2B%2Fb%3D%3D"
    assert parse(text).signature == "a+/b=="


def test_the_sdks_parameters_are_kept_in_their_order() -> None:
    """The AWS IoT SDKs add `SDK` and `Version`; nobody has to know them to read the rest."""
    name = parse("?SDK=PythonV2&x-amz-customauthorizer-name=doors&Version=1.0")
    assert name.user == ""
    assert name.authorizer_name == "doors"
    assert name.get("Version") == "1.0"
    assert name.get("version") is None
    assert [key for key, _ in name.parameters] == ["SDK", "x-amz-customauthorizer-name", "Version"]


@pytest.mark.parametrize(
    ("query", "parameters"),
    [
        pytest.param("", (), id="nothing"),
        pytest.param("?", (), id="only the mark"),
        pytest.param("?a=1&b=2", (("a", "1"), ("b", "2")), id="with the mark"),
        pytest.param("a=1&&b", (("a", "1"), ("b", "")), id="empty pieces and missing values"),
        pytest.param("a=1;b=2", (("a", "1;b=2"),), id="a semicolon separates nothing"),
        pytest.param("s=a+b%2Bc", (("s", "a b+c"),), id="plus is a space"),
        pytest.param("s=a=b==", (("s", "a=b=="),), id="the first equals sign separates"),
        pytest.param("s=%ff%zz", (("s", "\ufffd%zz"),), id="what cannot be decoded raises nothing"),
        pytest.param("a=1&a=2", (("a", "1"), ("a", "2")), id="a name given twice"),
    ],
)
def test_parse_query(query: str, parameters: tuple[tuple[str, str], ...]) -> None:
    """A query string is read as AWS IoT reads it."""
    assert parse_query(query) == parameters


def test_the_first_of_two_values_counts() -> None:
    """A name given twice has the value that came first."""
    assert parse("door?token=a&token=b").get("token") == "a"


def test_without_parameters_a_user_stands_alone() -> None:
    """No `?` is added for nothing."""
    assert compose("door-7", []) == "door-7"


@given(client_id=st.text(st.characters(codec="utf-8"), min_size=1, max_size=40), issued_at=st.integers(0, 2**40))
def test_parse_token_undoes_build_token(client_id: str, issued_at: int) -> None:
    """parse_token(build_token(x)) == x, for a client id with dots in it too."""
    assert parse_token(build_token(client_id, issued_at)) == (client_id, issued_at)


@pytest.mark.parametrize("text", ["", "door-7", "door-7.", ".7", "door-7.x", "door-7.-1", "door-7.²", "d." + "9" * 16])
def test_what_build_token_did_not_write_is_no_token_of_a_client(text: str) -> None:
    """No client, no time, signs, other digits, or a number too long for one: None, and nothing is raised."""
    assert parse_token(text) is None
