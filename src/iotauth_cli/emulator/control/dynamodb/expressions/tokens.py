"""Cutting an expression into tokens, and saying where it went wrong."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

Kind = Literal["word", "name", "value", "number", "symbol", "unknown", "end"]

MAX_BYTES = 4096  # of one expression. Source: Amazon DynamoDB developer guide, "Quotas", Expressions

TOKEN = re.compile(
    r"""
    (?P<word>[A-Za-z][A-Za-z0-9_]*)
  | (?P<name>\#[A-Za-z0-9_]+)
  | (?P<value>:[A-Za-z0-9_]+)
  | (?P<number>[0-9]+)
  | (?P<symbol><=|>=|<>|[=<>()\[\].,+-])
  | (?P<unknown>[^ \t\r\n])
    """,
    re.VERBOSE,
)


class ExpressionError(Exception):
    """An expression that is not valid, in AWS's words but without the name of the parameter."""


@dataclass(frozen=True)
class Token:
    kind: Kind
    text: str
    start: int
    end: int


def tokenise(text: str) -> list[Token]:
    """Cut *text* into tokens, the last of kind ``end``.

    Raises:
        ExpressionError: *text* is empty or too long.
    """
    if not text.strip(" \t\r\n"):
        raise ExpressionError("The expression can not be empty;")
    size = len(text.encode("utf-8", "surrogatepass"))
    if size > MAX_BYTES:
        raise ExpressionError(f"Expression size has exceeded the maximum allowed size; expression size: {size}")
    tokens = [
        Token(match.lastgroup, match.group(), match.start(), match.end())  # type: ignore[arg-type]
        for match in TOKEN.finditer(text)
    ]
    return [*tokens, Token("end", "<EOF>", len(text), len(text))]


def syntax_error(text: str, tokens: list[Token], position: int) -> ExpressionError:
    """Blame the token at *position*, and show it with its neighbours as AWS does."""
    last = len(tokens) - 1
    before, after = tokens[max(position - 1, 0)], tokens[min(position + 1, last)]
    near = text[before.start : after.end].rstrip()
    return ExpressionError(f'Syntax error; token: "{tokens[position].text}", near: "{near}"')
