"""Any text as a literal of C and C++, byte for byte."""

from __future__ import annotations

# `\?` because `??/` is a backslash before C++17. Octal with three digits, because `\x` swallows what follows.
SPELT = {ord('"'): '\\"', ord("\\"): "\\\\", ord("?"): "\\?"}


def c_string(text: str) -> str:
    """Return *text* as UTF-8 in double quotes.

    Raises:
        ValueError: it holds NUL, where every C string ends.
    """
    if "\0" in text:
        raise ValueError("a C string ends at NUL")
    return f'"{"".join(map(c_byte, text.encode()))}"'


def c_byte(byte: int) -> str:
    if byte in SPELT:
        return SPELT[byte]
    return chr(byte) if 0x20 <= byte < 0x7F else f"\\{byte:03o}"


def c_lines(text: str) -> str:
    """Return *text* as a literal for each of its lines, which the compiler joins."""
    return "\n".join(f"    {c_string(line)}" for line in text.splitlines(keepends=True))
