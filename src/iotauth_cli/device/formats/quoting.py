"""Texts as the literals of shells, Python, YAML and TOML."""

from __future__ import annotations


def shell(text: str) -> str:
    """Return *text* for sh: in single quotes, where nothing but their end means anything."""
    from shlex import quote

    return quote(text)


def python(text: str) -> str:
    """Return *text* as a literal of Python and MicroPython, in ASCII."""
    return ascii(text)


def escaped(text: str) -> str:
    """Return *text* in double quotes, as both YAML and TOML read it.

    What can be seen stands as it is. JSON would do for neither: it spells an emoji in halves.
    """
    return f'"{"".join(map(character, text))}"'


def character(each: str) -> str:
    if each in '"\\':
        return "\\" + each
    if each == "\n":
        return "\\n"
    if each.isprintable():
        return each
    code = ord(each)
    return f"\\u{code:04X}" if code <= 0xFFFF else f"\\U{code:08X}"
