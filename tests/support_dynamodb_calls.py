"""Generated items and calls on them, within what every reading of DynamoDB's documentation agrees on.

Every item that is put has the attributes of `ALWAYS`, each of one type, and perhaps some of
`SOMETIMES`; what an update creates has not, and lacks ``whole``. A condition is written with ``?``
for each value; `numbered` gives the values their names.
"""

from __future__ import annotations

import itertools
import re
from typing import Any

from hypothesis import strategies as st

Value = dict[str, Any]
Condition = tuple[str, tuple[Value, ...]]  # the text, and a value for every ? in it

NUMBERS = st.integers(-3, 3).map(lambda number: {"N": str(number)})
TEXTS = st.text("ab", max_size=3).map(lambda text: {"S": text})
FLAGS = st.booleans().map(lambda flag: {"BOOL": flag})
TEXT_SETS = st.sets(st.sampled_from("abc"), min_size=1).map(lambda texts: {"SS": sorted(texts)})
LISTS = st.lists(st.one_of(NUMBERS, TEXTS), max_size=3).map(lambda values: {"L": values})

ALWAYS: dict[str, st.SearchStrategy[Value]] = {
    "whole": st.just({"BOOL": True}),
    "n": NUMBERS,
    "s": TEXTS,
    "l": LISTS,
    "ss": TEXT_SETS,
    "m": NUMBERS.map(lambda number: {"M": {"k": number}}),
}
SOMETIMES: dict[str, st.SearchStrategy[Value]] = {
    "flag": FLAGS,
    "blob": st.binary(max_size=2).map(lambda blob: {"B": blob}),
    "extra": st.one_of(NUMBERS, TEXTS, LISTS),
}
ITEMS = st.fixed_dictionaries(ALWAYS, optional=SOMETIMES)

COMPARED: dict[str, st.SearchStrategy[Value]] = {
    "n": NUMBERS,
    "s": TEXTS,
    "m.k": NUMBERS,
    "size(l)": NUMBERS,
    "size(s)": NUMBERS,
    "size(ss)": NUMBERS,
}
TESTED: dict[str, st.SearchStrategy[Value]] = {
    "n IN (?)": NUMBERS,
    "ss = ?": TEXT_SETS,
    "l = ?": LISTS,
    "flag = ?": FLAGS,
    "contains(ss, ?)": TEXTS,
    "contains(s, ?)": TEXTS,
    "begins_with(s, ?)": TEXTS,
}
RANGES = st.tuples(st.integers(-3, 3), st.integers(-3, 3)).map(sorted)


def _one(text: str, values: st.SearchStrategy[Value]) -> st.SearchStrategy[Condition]:
    return values.map(lambda value: (text, (value,)))


TESTS = st.one_of(
    *(
        _one(f"{operand} {comparator} ?", values)
        for operand, values in COMPARED.items()
        for comparator in ("=", "<>", "<", "<=", ">", ">=")
    ),
    *(_one(text, values) for text, values in TESTED.items()),
    RANGES.map(lambda ends: ("n BETWEEN ? AND ?", tuple({"N": str(end)} for end in ends))),
    st.sampled_from([("attribute_exists(extra)", ()), ("attribute_not_exists(flag)", ())]),
)
CONDITIONS: st.SearchStrategy[Condition] = st.recursive(
    TESTS,
    lambda inner: st.one_of(
        st.builds(
            lambda left, operator, right: (f"({left[0]}) {operator} ({right[0]})", left[1] + right[1]),
            inner,
            st.sampled_from(["AND", "OR"]),
            inner,
        ),
        inner.map(lambda one: (f"NOT ({one[0]})", one[1])),
    ),
    max_leaves=4,
)


def numbered(condition: Condition) -> tuple[str, dict[str, Value]]:
    """Return the condition's text and values with names: ``:v0``, ``:v1``, and so on."""
    text, values = condition
    count = itertools.count()
    return re.sub(r"\?", lambda _: f":v{next(count)}", text), {f":v{n}": value for n, value in enumerate(values)}


@st.composite
def guards(draw: st.DrawFn) -> dict[str, Any]:
    """A ConditionExpression that looks at attributes only of an item that is whole; or none at all."""
    if draw(st.booleans()):
        return {}
    text, values = numbered(draw(CONDITIONS))
    form = draw(st.sampled_from(["attribute_exists(whole) AND ({})", "attribute_not_exists(whole) OR ({})"]))
    return {"ConditionExpression": form.format(text), **({"ExpressionAttributeValues": values} if values else {})}


# What can be done to each attribute: the section, the action, and its value's strategy if it has one.
ACTIONS: dict[str, list[tuple[str, str, st.SearchStrategy[Value] | None]]] = {
    "n": [("SET", "n = n + {}", NUMBERS), ("SET", "n = {} - n", NUMBERS), ("ADD", "n {}", NUMBERS)],
    "s": [("SET", "s = {}", TEXTS)],
    "l": [
        ("SET", "l = list_append(l, {})", LISTS),
        ("SET", "l[0] = {}", NUMBERS),
        ("REMOVE", "l[0]", None),
    ],
    "m": [("SET", "m.k = m.k + {}", NUMBERS), ("SET", "m.q = {}", TEXTS)],
    "ss": [("ADD", "ss {}", TEXT_SETS)],
    "extra": [("SET", "extra = if_not_exists(extra, {})", NUMBERS), ("REMOVE", "extra", None)],
    "flag": [("REMOVE", "flag", None)],
}


@st.composite
def updates(draw: st.DrawFn) -> dict[str, Any]:
    """A guarded UpdateExpression that changes some attributes once each, and always sets one."""
    sections: dict[str, list[str]] = {"SET": ["touched = :touched"]}
    values: dict[str, Value] = {":touched": draw(NUMBERS)}
    for target in draw(st.sets(st.sampled_from(sorted(ACTIONS)), max_size=3)):
        section, action, strategy = draw(st.sampled_from(ACTIONS[target]))
        if strategy is not None:
            values[f":{target}"] = draw(strategy)
        sections.setdefault(section, []).append(action.format(f":{target}"))
    guard = draw(guards())
    return {
        **guard,
        "UpdateExpression": " ".join(f"{section} {', '.join(actions)}" for section, actions in sections.items()),
        "ExpressionAttributeValues": {**values, **guard.get("ExpressionAttributeValues", {})},
        "ReturnValues": draw(st.sampled_from(["NONE", "ALL_OLD", "ALL_NEW"])),
    }


@st.composite
def puts(draw: st.DrawFn) -> dict[str, Any]:
    return {"Item": draw(ITEMS), **draw(guards())}


@st.composite
def deletes(draw: st.DrawFn) -> dict[str, Any]:
    return {**draw(guards()), "ReturnValues": draw(st.sampled_from(["NONE", "ALL_OLD"]))}


GETS: st.SearchStrategy[dict[str, Any]] = st.one_of(
    st.just({}),
    st.lists(st.sampled_from(["n", "s", "m.k", "l[0]", "flag", "gone"]), min_size=1, unique=True).map(
        lambda paths: {"ProjectionExpression": ", ".join(paths)}
    ),
)

# One call on one item: the operation, and its parameters but for table and key.
CALLS: st.SearchStrategy[tuple[str, dict[str, Any]]] = st.one_of(
    st.tuples(st.just("PutItem"), puts()),
    st.tuples(st.just("UpdateItem"), updates()),
    st.tuples(st.just("DeleteItem"), deletes()),
    st.tuples(st.just("GetItem"), GETS),
)
