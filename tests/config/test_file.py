"""iotauth.yaml is read in two ways that must agree."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from iotauth_cli.config.file import parse, parse_plain, parse_yaml
from iotauth_cli.errors import ConfigError
from iotauth_cli.operations.project import TEMPLATE

words = st.text(alphabet="abz019/_.@=,+-~'\"#:{}[]!&*%|>` \t", max_size=8)
names = st.sampled_from(["table", "region", "a_b", "~", "x-y", "#", ""])
lines = st.one_of(
    st.builds("{}:{}{}".format, names, st.sampled_from([" ", "", "  ", "\t"]), words),
    st.builds("#{}".format, words),
    st.builds("{}: {} # {}".format, names, words, words),
    words,
)


@given(st.lists(lines, max_size=4).map("\n".join))
def test_what_is_read_without_yaml_is_what_yaml_reads(text: str) -> None:
    """Whenever the quick reader takes a file, the real one reads the same from it."""
    quick = parse_plain(text)
    if quick is not None:
        assert quick == parse_yaml(text, "iotauth.yaml")


def test_a_value_is_taken_as_written() -> None:
    """Numbers, booleans and dates of YAML stay the text that was typed."""
    text = 'account: 012345678901\nregion: no\ntable: 2026-01-01\nprofile: "a: b"\nauthorizer: |-\n  doors\n'
    assert {name: value for name, (value, _) in parse(text, "f").items()} == {
        "account": "012345678901",
        "region": "no",
        "table": "2026-01-01",
        "profile": "a: b",
        "authorizer": "doors",
    }


@pytest.mark.parametrize("text", ["", "# nothing\n", "\n\n", "---\n", "table:\n", "table: null\n", "table: ~\n"])
def test_nothing_is_set_by_nothing(text: str) -> None:
    """An empty file, comments and empty values set nothing and are no error."""
    assert all(value is None for value, _ in parse(text, "f").values())


def test_windows_line_ends_do_not_stick_to_values() -> None:
    """A file from an editor on Windows means the same."""
    assert parse("table: doors\r\nregion: eu-west-1\r\n", "f") == {"table": ("doors", 1), "region": ("eu-west-1", 2)}


def test_unprintable_characters_are_refused_in_words() -> None:
    """A file that is not text is an error of ours, not yaml's traceback."""
    with pytest.raises(ConfigError, match="f: not YAML: unreadable characters"):
        parse("table: a\x07b", "f")


def test_the_file_that_init_writes_is_read_without_yaml() -> None:
    """The usual project costs no import of yaml."""
    entries = parse_plain(TEMPLATE.format(region="# region: x", profile="# profile: y", emulator="false"))
    assert entries is not None
    assert set(entries) == {"authorizer", "table", "function", "emulator"}
