"""What the text of an expression is read as, and where it is not one."""

from __future__ import annotations

import pytest

from iotauth_cli.emulator.control.dynamodb.expressions.parse import parse_condition, parse_projection, parse_update
from iotauth_cli.emulator.control.dynamodb.expressions.reserved import RESERVED_WORDS
from iotauth_cli.emulator.control.dynamodb.expressions.syntax import (
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
    Or,
    Path,
    Reference,
    RemoveAction,
    SetAction,
    Update,
)
from iotauth_cli.emulator.control.dynamodb.expressions.tokens import ExpressionError


def path(*steps: str | int) -> Path:
    return Path(steps)


def same(left: str, right: str) -> Comparison:
    return Comparison("=", path(left), path(right))


A, B, V, W = path("a"), path("b"), Reference(":v"), Reference(":w")
A_IS_B, C_IS_D, E_IS_F = same("a", "b"), same("c", "d"), same("e", "f")


@pytest.mark.parametrize(
    ("text", "tree"),
    [
        ("a = :v", Comparison("=", A, V)),
        ("a<>b", Comparison("<>", A, B)),
        (":v >= a", Comparison(">=", V, A)),
        ("a.b[2].#c = :v", Comparison("=", path("a", "b", 2, "#c"), V)),
        ("#a . b [ 0 ] = :v", Comparison("=", path("#a", "b", 0), V)),
        ("a.b[0][1] < b", Comparison("<", path("a", "b", 0, 1), B)),
        ("a BETWEEN :v AND :w", Between(A, V, W)),
        ("a between :v and :w and c = d", And((Between(A, V, W), C_IS_D))),
        ("a IN (:v)", In(A, (V,))),
        ("a in (:v, b, :w)", In(A, (V, B, W))),
        ("attribute_exists(a)", Call("attribute_exists", (A,))),
        ("begins_with ( a , :v )", Call("begins_with", (A, V))),
        ("size(a) > :v", Comparison(">", Call("size", (A,)), V)),
        ("a = b OR c = d AND e = f", Or((A_IS_B, And((C_IS_D, E_IS_F))))),
        ("a = b AND c = d OR e = f", Or((And((A_IS_B, C_IS_D)), E_IS_F))),
        ("(a = b OR c = d) AND e = f", And((Or((A_IS_B, C_IS_D)), E_IS_F))),
        ("a = b AND c = d AND e = f", And((A_IS_B, C_IS_D, E_IS_F))),
        ("NOT a = b AND c = d", And((Not(A_IS_B), C_IS_D))),
        ("NOT (a = b AND c = d)", Not(And((A_IS_B, C_IS_D)))),
        ("not nOt a = b", Not(Not(A_IS_B))),
        ("(a) = (:v)", Comparison("=", A, V)),
        ("(a = b)", A_IS_B),
        ("((a = b) AND (c = d))", And((A_IS_B, C_IS_D))),
        ("\ta\r\n=\nb ", A_IS_B),
        ("Alpha_1 = #2_x", same("Alpha_1", "#2_x")),
    ],
)
def test_a_condition_is_read_by_precedence(text: str, tree: Condition) -> None:
    """NOT binds before AND before OR; parentheses, case of keywords and white space do as one expects."""
    assert parse_condition(text).tree == tree


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "The expression can not be empty;"),
        (" ", "The expression can not be empty;"),
        ("a", 'Syntax error; token: "<EOF>", near: "a"'),
        ("a AND b = c", 'Syntax error; token: "AND", near: "a AND b"'),
        ("a = b c", 'Syntax error; token: "c", near: "b c"'),
        ("a = b AND", 'Syntax error; token: "<EOF>", near: "AND"'),
        ("a = b = c", 'Syntax error; token: "=", near: "b = c"'),
        ("a != b", 'Syntax error; token: "!", near: "a !="'),
        ("a == b", 'Syntax error; token: "=", near: "== b"'),
        ("a-b = c", 'Syntax error; token: "-", near: "a-b"'),
        ("_a = b", 'Syntax error; token: "_", near: "_a"'),
        ("0a = b", 'Syntax error; token: "0", near: "0a"'),
        ("a = 'b'", 'Syntax error; token: "\'", near: "= \'b"'),
        ("a = 1", 'Syntax error; token: "1", near: "= 1"'),
        ("a + b = c", 'Syntax error; token: "+", near: "a + b"'),
        ("a[b] = c", 'Syntax error; token: "b", near: "[b]"'),
        ("a[-1] = c", 'Syntax error; token: "-", near: "[-1"'),
        ("a[0 = c", 'Syntax error; token: "=", near: "0 = c"'),
        ("a[:v] = c", 'Syntax error; token: ":v", near: "[:v]"'),
        ("a. = b", 'Syntax error; token: "=", near: ". = b"'),
        ("(a = b", 'Syntax error; token: "<EOF>", near: "b"'),
        ("a = b)", 'Syntax error; token: ")", near: "b)"'),
        ("a IN ()", 'Syntax error; token: ")", near: "()"'),
        ("a IN b", 'Syntax error; token: "b", near: "IN b"'),
        ("a BETWEEN b", 'Syntax error; token: "<EOF>", near: "b"'),
        ("a = (b = c)", 'Syntax error; token: "<EOF>", near: ")"'),
        ("(a = b) IN (c)", 'Syntax error; token: "IN", near: ") IN ("'),
        ("NOT a", 'Syntax error; token: "<EOF>", near: "a"'),
        ("AND = b", 'Syntax error; token: "AND", near: "AND ="'),
        ("size(a,) = b", 'Syntax error; token: ")", near: ",) ="'),
        ("((a = b))", "The expression has redundant parentheses;"),
        ("c = d AND ((a = b OR e = f))", "The expression has redundant parentheses;"),
        ("((a)) = b", "The expression has redundant parentheses;"),
        ("a[2147483648] = b", "List index is not within the allowable range; index: [2147483648]"),
        ("dog(a)", "Invalid function name; function: dog"),
        ("Size(a) = b", "Invalid function name; function: Size"),
        ("size(a)", "The function is not allowed to be used this way in an expression; function: size"),
        ("contains(a, b) = c", "The function is not allowed to be used this way in an expression; function: contains"),
        (
            "attribute_exists(contains(a, b))",
            "The function is not allowed to be used this way in an expression; function: contains",
        ),
        ("if_not_exists(a, b) = c", "The function is not allowed in a condition expression; function: if_not_exists"),
        ("name = b", "Attribute name is a reserved keyword; reserved keyword: name"),
        ("a.Status = b", "Attribute name is a reserved keyword; reserved keyword: Status"),
        pytest.param(
            "a" * 4093 + " = b",
            "Expression size has exceeded the maximum allowed size; expression size: 4097",
            id="4097 bytes",
        ),
        pytest.param(
            "NOT " * 301 + "a = b", "The expression contains too many operators; operator count: 302", id="301 NOT"
        ),
        pytest.param("(" * 200 + "a", "the local emulator reads at most 150 nested parentheses", id="200 parentheses"),
    ],
)
def test_what_is_no_condition_is_refused(text: str, message: str) -> None:
    """The message names the token and its neighbours, or the rule that is broken, in AWS's words."""
    with pytest.raises(ExpressionError) as raised:
        parse_condition(text)
    assert str(raised.value) == message


def test_a_condition_may_be_as_deep_as_its_operators_allow() -> None:
    """300 operators can be nested 150 deep, which AWS accepts, too."""
    text = "a<b " + "or (a<b " * 149 + ")" * 149
    assert isinstance(parse_condition(text).tree, Or)


@pytest.mark.parametrize(
    ("text", "update"),
    [
        ("SET a = :v", Update(("SET",), (SetAction(A, V),))),
        ("set a = b, #c.d[1] = :v", Update(("SET",), (SetAction(A, B), SetAction(path("#c", "d", 1), V)))),
        ("SET a = a + :v", Update(("SET",), (SetAction(A, Arithmetic("+", A, V)),))),
        ("SET a = (:v - a)", Update(("SET",), (SetAction(A, Arithmetic("-", V, A)),))),
        (
            "SET a = if_not_exists(a, :v) + :w",
            Update(("SET",), (SetAction(A, Arithmetic("+", Call("if_not_exists", (A, V)), W)),)),
        ),
        (
            "SET a = list_append(if_not_exists(a, :v), :w)",
            Update(("SET",), (SetAction(A, Call("list_append", (Call("if_not_exists", (A, V)), W))),)),
        ),
        ("REMOVE a, b[0]", Update(("REMOVE",), (RemoveAction(A), RemoveAction(path("b", 0))))),
        ("ADD a :v, b :w", Update(("ADD",), (AddAction(A, V), AddAction(B, W)))),
        ("DELETE a :v", Update(("DELETE",), (DeleteAction(A, V),))),
        (
            "REMOVE a\nSET b = :v add c :w",
            Update(("REMOVE", "SET", "ADD"), (RemoveAction(A), SetAction(B, V), AddAction(path("c"), W))),
        ),
    ],
)
def test_an_update_is_read_section_by_section(text: str, update: Update) -> None:
    """Sections come in any order and case; a SET may compute, one operation deep."""
    assert parse_update(text).tree == update


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "The expression can not be empty;"),
        ("HELLO a = :v", 'Syntax error; token: "HELLO", near: "HELLO a"'),
        ("SET", 'Syntax error; token: "<EOF>", near: "SET"'),
        ("SET a = :v,", 'Syntax error; token: "<EOF>", near: ","'),
        ("SET :v = a", 'Syntax error; token: ":v", near: "SET :v ="'),
        ("SET (a) = :v", 'Syntax error; token: "(", near: "SET (a"'),
        ("SET a = :v + :v + :v", 'Syntax error; token: "+", near: ":v + :v"'),
        ("SET a = if_not_exists(a, :v + :w)", 'Syntax error; token: "+", near: ":v + :w"'),
        ("SET a = :v AND b = :w", 'Syntax error; token: "AND", near: ":v AND b"'),
        ("ADD a b", 'Syntax error; token: "b", near: "a b"'),
        ("REMOVE a b", 'Syntax error; token: "b", near: "a b"'),
        ("SET a = :v SET b = :w", 'The "SET" section can only be used once in an update expression;'),
        ("SET a = :v REMOVE b SET c = :w", 'The "SET" section can only be used once in an update expression;'),
        ("SET a = f(b, c)", "Invalid function name; function: f"),
        ("SET a = size(b)", "The function is not allowed in an update expression; function: size"),
        (
            "SET a = list_append(list_append(a, b), c)",
            "The function is not allowed to be used this way in an expression; function: list_append",
        ),
        ("SET ttl = :v", "Attribute name is a reserved keyword; reserved keyword: ttl"),
    ],
)
def test_what_is_no_update_is_refused(text: str, message: str) -> None:
    """An update that AWS would not read is refused in its words."""
    with pytest.raises(ExpressionError) as raised:
        parse_update(text)
    assert str(raised.value) == message


def test_a_projection_is_a_list_of_paths() -> None:
    """Paths are separated by commas, and nothing else is a projection."""
    assert parse_projection("a, b.#c[0] ,d").tree.paths == (A, path("b", "#c", 0), path("d"))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "The expression can not be empty;"),
        ("a,", 'Syntax error; token: "<EOF>", near: ","'),
        ("a b", 'Syntax error; token: "b", near: "a b"'),
        ("a, :v", 'Syntax error; token: ":v", near: ", :v"'),
        ("a, and", "Attribute name is a reserved keyword; reserved keyword: and"),
    ],
)
def test_what_is_no_projection_is_refused(text: str, message: str) -> None:
    """A projection that AWS would not read is refused in its words."""
    with pytest.raises(ExpressionError) as raised:
        parse_projection(text)
    assert str(raised.value) == message


def test_placeholders_are_listed_with_the_tree() -> None:
    """Every name and value that a text mentions is known, so that unused ones can be told."""
    assert parse_condition("#a.#b = :v OR size(#a) > :w").placeholders == {"#a", "#b", ":v", ":w"}


def test_the_same_text_is_read_once() -> None:
    """A program that sends the same expression over and over pays for reading it once."""
    assert parse_condition("once = :only") is parse_condition("once = :only")


def test_the_reserved_words_are_those_that_aws_lists() -> None:
    """The list is AWS's 573 words; moto keeps the same one."""
    from moto.dynamodb.parsing.reserved_keywords import ReservedKeywords

    assert set(ReservedKeywords.get_reserved_keywords()) == RESERVED_WORDS
