"""One recursive-descent parser for all five expressions.

    condition   := conjunction (OR conjunction)*
    conjunction := term (AND term)*
    term        := NOT* side [comparator side | BETWEEN side AND side | IN ( side, ... )]
    side        := ( condition ) | operand            parentheses may hold a lone operand: (a) = :b
    operand     := path | :value | function ( operand, ... )
    path        := name (.name | [index])*            a name is a word or a #placeholder

    update      := (SET path = sum, ... | REMOVE path, ... | ADD path :value, ... | DELETE path :value, ...)+
    sum         := ( sum ) | operand [(+ | -) operand]

    projection  := path, ...

The grammar lives here; which words may stand where is `vocabulary`'s, what they stand for is the
request's. Trees are remembered per text, since a program sends few texts often.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import TypeVar

from iotauth_cli.emulator.control.dynamodb.expressions.syntax import (
    Action,
    AddAction,
    And,
    Arithmetic,
    Between,
    Call,
    Comparison,
    Condition,
    DeleteAction,
    In,
    Not,
    Operand,
    Or,
    Parsed,
    Path,
    Projection,
    Reference,
    RemoveAction,
    SetAction,
    Step,
    Update,
)
from iotauth_cli.emulator.control.dynamodb.expressions.tokens import (
    ExpressionError,
    Token,
    syntax_error,
    tokenise,
)
from iotauth_cli.emulator.control.dynamodb.expressions.vocabulary import (
    check_condition_words,
    check_projection_words,
    check_update_words,
)

COMPARATORS = frozenset({"=", "<>", "<", "<=", ">", ">="})
KEYWORDS = frozenset({"AND", "OR", "NOT", "BETWEEN", "IN"})

MAX_OPERATORS = 300  # in one expression. Source: Amazon DynamoDB developer guide, "Quotas", Expressions
MAX_DEPTH = 150  # parentheses: as many as 300 operators can use; Python's stack of 1,000 ends at about 220
MAX_INDEX = 2**31 - 1

Part = TypeVar("Part")
Tree = TypeVar("Tree")


@lru_cache(maxsize=512)
def parse_condition(text: str) -> Parsed[Condition]:
    """Parse a condition, filter or key condition.

    Raises:
        ExpressionError: *text* is not one, whatever the request's names and values may be.
    """
    parser = _Parser(text, KEYWORDS)
    condition = parser.whole(parser.condition)
    check_condition_words(condition)
    return parser.parsed(condition)


@lru_cache(maxsize=512)
def parse_update(text: str) -> Parsed[Update]:
    """Parse an update expression; raises as `parse_condition`."""
    parser = _Parser(text)
    update = parser.whole(parser.update)
    check_update_words(update)
    return parser.parsed(update)


@lru_cache(maxsize=512)
def parse_projection(text: str) -> Parsed[Projection]:
    """Parse a projection expression; raises as `parse_condition`."""
    parser = _Parser(text)
    projection = parser.whole(parser.projection)
    check_projection_words(projection)
    return parser.parsed(projection)


class _Parser:
    """The tokens of one text, and how far they are read."""

    def __init__(self, text: str, keywords: frozenset[str] = frozenset()) -> None:
        self.text = text
        self.keywords = keywords  # words that cannot begin a path
        self.tokens = tokenise(text)
        self.position = 0
        self.depth = 0
        self.operators = 0
        self.last_group = (-1, -1)  # positions of the parentheses closed last
        self.has_redundant_parentheses = False

    def whole(self, parse: Callable[[], Tree]) -> Tree:
        """Apply *parse* to the text from end to end, then hold it to the limits of any expression."""
        tree = parse()
        if self.token.kind != "end":
            raise self.error()
        if self.has_redundant_parentheses:
            raise ExpressionError("The expression has redundant parentheses;")
        if self.operators > MAX_OPERATORS:
            raise ExpressionError(f"The expression contains too many operators; operator count: {self.operators}")
        return tree

    def parsed(self, tree: Tree) -> Parsed[Tree]:
        placeholders = (token.text for token in self.tokens if token.kind in ("name", "value"))
        return Parsed(tree, frozenset(placeholders))

    # Conditions

    def condition(self) -> Condition:
        return self.as_condition(self.alternatives())

    def alternatives(self) -> Condition | Operand:
        first = self.conjunction()
        if not self.at("OR"):
            return first
        conditions = [self.as_condition(first)]
        while self.takes_operator("OR"):
            conditions.append(self.as_condition(self.conjunction()))
        return Or(tuple(conditions))

    def conjunction(self) -> Condition | Operand:
        first = self.term()
        if not self.at("AND"):
            return first
        conditions = [self.as_condition(first)]
        while self.takes_operator("AND"):
            conditions.append(self.as_condition(self.term()))
        return And(tuple(conditions))

    def term(self) -> Condition | Operand:
        negations = 0
        while self.takes_operator("NOT"):
            negations += 1
        term = self.test(self.group() if self.at("(") else self.operand())
        for _ in range(negations):
            term = Not(self.as_condition(term))
        return term

    def test(self, left: Condition | Operand) -> Condition | Operand:
        """Return the test that *left* begins, or *left* itself if it stands alone."""
        if self.token.text in COMPARATORS:
            subject = self.as_operand(left)
            operator = self.take().text
            self.operators += 1
            return Comparison(operator, subject, self.side())
        if self.at("BETWEEN"):
            subject = self.as_operand(left)
            self.takes_operator("BETWEEN")
            low = self.side()
            self.expect("AND")
            return Between(subject, low, self.side())
        if self.at("IN"):
            subject = self.as_operand(left)
            self.takes_operator("IN")
            self.expect("(")
            options = self.separated(self.side)
            self.expect(")")
            return In(subject, options)
        return left

    def side(self) -> Operand:
        return self.as_operand(self.group() if self.at("(") else self.operand())

    def group(self) -> Condition | Operand:
        opening = self.position
        self.enter()
        inner = self.alternatives()
        if self.last_group == (opening + 1, self.position - 1):
            self.has_redundant_parentheses = True
        self.last_group = (opening, self.position)
        self.leave()
        return inner

    def as_condition(self, node: Condition | Operand) -> Condition:
        """Return *node*, a condition; a lone path or value lacks its operator, which AWS calls a syntax error."""
        if isinstance(node, (Path, Reference)):
            raise self.error()
        return node

    def as_operand(self, node: Condition | Operand) -> Operand:
        if not isinstance(node, (Path, Reference, Call)):
            raise self.error()
        return node

    # Operands

    def operand(self) -> Operand:
        if self.token.kind == "value":
            return self.reference()
        following = self.tokens[min(self.position + 1, len(self.tokens) - 1)]
        if self.token.kind == "word" and following.text == "(" and not self.at_keyword():
            return self.call()
        return self.path()

    def reference(self) -> Reference:
        if self.token.kind != "value":
            raise self.error()
        return Reference(self.take().text)

    def call(self) -> Call:
        function = self.take().text
        self.enter()
        operands = self.separated(self.operand)
        self.leave()
        return Call(function, operands)

    def path(self) -> Path:
        if self.at_keyword():
            raise self.error()
        steps: list[Step] = [self.name()]
        while self.token.text in (".", "["):
            steps.append(self.name() if self.take().text == "." else self.index())
        return Path(tuple(steps))

    def name(self) -> str:
        if self.token.kind not in ("word", "name"):
            raise self.error()
        return self.take().text

    def index(self) -> int:
        if self.token.kind != "number":
            raise self.error()
        digits = self.take().text
        self.expect("]")
        if len(digits) > 10 or int(digits) > MAX_INDEX:
            raise ExpressionError(f"List index is not within the allowable range; index: [{digits}]")
        return int(digits)

    # Updates and projections

    def update(self) -> Update:
        actions_of: dict[str, Callable[[], Action]] = {
            "SET": self.set_action,
            "REMOVE": lambda: RemoveAction(self.path()),
            "ADD": lambda: AddAction(self.path(), self.reference()),
            "DELETE": lambda: DeleteAction(self.path(), self.reference()),
        }
        sections: list[str] = []
        actions: list[Action] = []
        while not sections or self.token.kind != "end":
            section = self.token.text.upper()
            if section not in actions_of:
                raise self.error()
            self.take()
            sections.append(section)
            actions += self.separated(actions_of[section])
        return Update(tuple(sections), tuple(actions))

    def set_action(self) -> SetAction:
        path = self.path()
        self.expect("=")
        return SetAction(path, self.sum())

    def sum(self) -> Operand | Arithmetic:
        if self.at("("):
            self.enter()
            inner = self.sum()
            self.leave()
            return inner
        left = self.operand()
        if self.token.text not in ("+", "-"):
            return left
        operator = self.take().text
        self.operators += 1
        return Arithmetic(operator, left, self.operand())

    def projection(self) -> Projection:
        return Projection(self.separated(self.path))

    # Tokens

    @property
    def token(self) -> Token:
        return self.tokens[self.position]

    def error(self) -> ExpressionError:
        return syntax_error(self.text, self.tokens, self.position)

    def take(self) -> Token:
        token = self.token
        self.position += 1
        return token

    def at(self, text: str) -> bool:
        return self.token.text.upper() == text

    def at_keyword(self) -> bool:
        return self.token.text.upper() in self.keywords

    def takes_operator(self, word: str) -> bool:
        if not self.at(word):
            return False
        self.take()
        self.operators += 1
        return True

    def expect(self, text: str) -> None:
        if not self.at(text):
            raise self.error()
        self.take()

    def separated(self, parse: Callable[[], Part]) -> tuple[Part, ...]:
        parts = [parse()]
        while self.at(","):
            self.take()
            parts.append(parse())
        return tuple(parts)

    def enter(self) -> None:
        self.expect("(")
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise ExpressionError(f"the local emulator reads at most {MAX_DEPTH} nested parentheses")

    def leave(self) -> None:
        self.expect(")")
        self.depth -= 1
