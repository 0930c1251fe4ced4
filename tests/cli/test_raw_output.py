"""Files on stdout: byte for byte, and never binary on a terminal."""

from __future__ import annotations

import io
import sys

import pytest

from iotauth_cli.cli.output import Output
from iotauth_cli.errors import InputError


class Stdout(io.TextIOWrapper):
    """A stdout of bytes that may be a terminal."""

    def __init__(self, *, is_terminal: bool, encoding: str = "ascii") -> None:
        self.bytes = io.BytesIO()
        self.is_terminal = is_terminal
        super().__init__(self.bytes, encoding=encoding, newline="\r\n")

    def isatty(self) -> bool:
        return self.is_terminal


@pytest.mark.parametrize(
    "content", [b"a\nb\n", "\u017elu\u0165ou\u010dk\u00fd\n".encode(), b"\0\xff\x01"], ids=["text", "UTF-8", "binary"]
)
def test_a_file_goes_through_a_pipe_unchanged(content: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither the locale's encoding nor the system's line ends touch it."""
    stdout = Stdout(is_terminal=False)
    monkeypatch.setattr(sys, "stdout", stdout)
    Output().raw(content)
    stdout.flush()
    assert stdout.bytes.getvalue() == content


def test_a_terminal_is_spared_what_is_no_text(monkeypatch: pytest.MonkeyPatch) -> None:
    """A partition on the screen would help nobody; a header would."""
    stdout = Stdout(is_terminal=True)
    monkeypatch.setattr(sys, "stdout", stdout)
    with pytest.raises(InputError, match="a terminal cannot show this file"):
        Output().raw(b"\0\1")
    Output().raw(b"#pragma once\n")
    stdout.flush()
    assert stdout.bytes.getvalue() == b"#pragma once\n"
