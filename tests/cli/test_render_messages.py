"""What a message looks like: JSON with line breaks and nothing else changed, text, bytes, and the document."""

from __future__ import annotations

import base64
import io
import json
import sys
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from iotauth_cli.cli import render_messages as render
from iotauth_cli.cli.output import Output, as_text
from iotauth_cli.operations.messages import Message

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


@given(JSON, st.sampled_from([None, 1, 4]))
def test_json_gets_line_breaks_and_stays_what_it_is(value: Any, indent: int | None) -> None:
    """Whatever was sent, in one line or many, reads back as the same value."""
    text = json.dumps(value, indent=indent, ensure_ascii=False)
    assert json.loads("\n".join(render.indented(text))) == value


def test_numbers_order_and_doubled_names_stay() -> None:
    """`1.50` is not `1.5` to whoever looks for the place where a zero was lost."""
    text = '{"b":1.50,"a":1e3,"b":[{},[],{"x":"a,b:{}\\""}]}'
    assert render.indented(text) == [
        "{",
        '  "b": 1.50,',
        '  "a": 1e3,',
        '  "b": [',
        "    {},",
        "    [],",
        "    {",
        '      "x": "a,b:{}\\""',
        "    }",
        "  ]",
        "}",
    ]


@pytest.mark.parametrize(
    ("content", "lines"),
    [
        (b"", ["(empty)"]),
        (b"21.5", ["21.5"]),
        (b'"text"', ['"text"']),
        (b"one\ntwo", ["one", "two"]),
        (b"{broken", ["{broken"]),
        (b"[NaN]", ["[NaN]"]),
        (b"[" * 2000 + b"]" * 2000, ["[" * 2000 + "]" * 2000]),
        (b"\xff\x00A`", ["0000  ff 00 41 60                                      ..A."]),
        (b"\x1b[31m", ["0000  1b 5b 33 31 6d                                   .[31m"]),
        ("grün".encode(), ["grün"]),
    ],
    ids=["empty", "number", "string", "lines", "broken", "NaN", "deep", "binary", "escape", "utf-8"],
)
def test_a_payload_is_shown_as_what_it_is(content: bytes, lines: list[str]) -> None:
    """JSON, text, or bytes in hexadecimal; nothing that steers a terminal."""
    assert render.payload(content) == lines


def test_a_large_binary_is_cut() -> None:
    """Sixteen lines, and how much more there is."""
    lines = render.payload(b"\x80" * 1000)
    assert len(lines) == 17
    assert lines[-1] == "… and 744 bytes more"


def test_a_message_tells_its_facts_first() -> None:
    """Time in UTC, topic, QoS, retained, size; then MQTT 5's properties, then the payload."""
    properties = {"content_type": "text/plain", "expires_in_s": 60, "user_properties": [["site", "berlin"]]}
    assert render.message(Message("doors/7", b"open", 3661.5, 1, True, properties)) == [
        "01:01:01.500Z  `doors/7`  QoS 1, retained, 4 bytes",
        "  content type: text/plain",
        "  expires in: 60 s",
        "  user property: site = berlin",
        "  open",
    ]


@given(st.binary(max_size=60) | JSON.map(lambda value: json.dumps(value).encode()))
def test_the_document_loses_nothing(content: bytes) -> None:
    """Under --json every payload can be had back, on one line of valid JSON."""
    line = as_text(render.message_document(Message("t", content)), indent=None)
    assert "\n" not in line
    found = json.loads(line)
    if found["encoding"] == "base64":
        assert base64.b64decode(found["payload"]) == content
    elif found["encoding"] == "text":
        assert found["payload"].encode() == content
    else:
        assert found["payload"] == json.loads(content)


@pytest.mark.parametrize("text", ["1e999", "[NaN]", "9" * 5000, "[" * 5000])
def test_json_that_python_cannot_say_again_is_text(text: str) -> None:
    """The document stays valid JSON."""
    assert render.payload_members(text.encode()) == {"encoding": "text", "payload": text}


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_at_a_terminal_a_payload_neither_steers_nor_loses_its_backticks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Our own line is emphasised; what somebody else sent is shown letter by letter."""
    monkeypatch.delenv("NO_COLOR", raising=False)
    terminal = Terminal()
    monkeypatch.setattr(sys, "stdout", terminal)
    Output().stream({}, "on `doors/7`", "`a` and \x9b31m")
    Output().payload(b"`raw` \x1b]0;title\x07\n")
    assert terminal.getvalue() == "on \x1b[1mdoors/7\x1b[22m\n`a` and \\x9b31m\n`raw` \\x1b]0;title\\x07\n"
