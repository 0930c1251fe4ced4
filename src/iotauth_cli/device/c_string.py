"""Any text as a literal of C and C++, byte for byte."""

from __future__ import annotations

import re

# Before C++17 `??/` is a backslash, also inside of a text: no two question marks may meet.
SECOND_MARK = re.compile(r"(?<=\?)\?")
MARK = r"\\?"
# Octal has three digits at most, where `\x` swallows what follows.
SPELT = {ord('"'): '\\"', ord("\\"): "\\\\", ord("\n"): "\\n"}


def c_string(text: str) -> str:
    """Return *text* as UTF-8 in double quotes.

    Raises:
        ValueError: it holds NUL, where every C string ends.
    """
    if "\0" in text:
        raise ValueError("a C string ends at NUL")
    spelt = "".join(map(c_byte, text.encode()))
    return f'"{SECOND_MARK.sub(MARK, spelt)}"'


def c_byte(byte: int) -> str:
    if byte in SPELT:
        return SPELT[byte]
    return chr(byte) if 0x20 <= byte < 0x7F else f"\\{byte:03o}"


def c_lines(text: str) -> str:
    """Return *text* as a literal for each of its lines, which the compiler joins."""
    return "\n".join(f"    {c_string(line)}" for line in text.splitlines(keepends=True))
