"""Put a connection's values into a policy's text.

``${iot:ClientId}``, ``${aws:SourceIp}`` and ``${iot:DomainName}`` have values under plain
custom authentication. Thing and certificate variables have none there: no thing or certificate
is attached to the connection. ``${*}`` ``${?}`` ``${$}`` stand for the characters themselves;
AWS IoT's guide writes them ``$(*)`` ``$(?)`` ``$($)``, IAM's with braces, so both are read.
Source: AWS IoT developer guide, "AWS IoT Core policy variables" and its sub-pages.

A value is put in as plain text: a client named ``*`` is given the topic ``*``, not every topic.
AWS does not say what it does; of the two readings only this one cannot widen a grant. The
characters ``+`` and ``#`` are plain in policies anyway, so a client named ``+`` that a policy
lets connect may subscribe to ``my/+/topic`` under ``topicfilter/my/${iot:ClientId}/topic``: AWS
warns of it, and `lint` and the kernel's client id rules keep such clients out.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from iotauth_cli.policy.match import Literal

_REFERENCE = re.compile(r"\$\{([^{}]*)\}|\$\(([*?$])\)")
_ESCAPES = frozenset("*?$")


class NoValue(LookupError):
    """The text names a variable that has no value here."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.name = name


def expand(text: str, values: Mapping[str, str]) -> tuple[str, ...]:
    """Return *text* in pieces for `compile_pattern`, every value a `Literal`.

    *values* is keyed by the variable's name in lower case: IAM's condition keys, which the
    variables are, do not heed case.

    Raises:
        NoValue: a variable is not in *values*.
    """
    return tuple(_pieces(text, values))


def names(text: str) -> tuple[str, ...]:
    """Return the variables that *text* refers to, escapes left out."""
    return tuple(match[1] for match in _REFERENCE.finditer(text) if _escaped(match) is None)


def _pieces(text: str, values: Mapping[str, str]) -> Iterator[str]:
    position = 0
    for match in _REFERENCE.finditer(text):
        yield text[position : match.start()]
        yield Literal(_escaped(match) or _value(match[1], values))
        position = match.end()
    yield text[position:]


def _escaped(match: re.Match[str]) -> str | None:
    character: str = match[2] or match[1]
    return character if character in _ESCAPES else None


def _value(name: str, values: Mapping[str, str]) -> str:
    try:
        return values[name.lower()]
    except KeyError:
        raise NoValue(name) from None
