"""Update expressions: SET, REMOVE, ADD and DELETE on one item.

Every action sees the item as it was before the update, list positions included: in
``REMOVE a[0] SET a[1] = a[0]`` all three mean the old list. So the new values are worked out first,
then put in place, and only then is anything taken out, from the end of each list to its beginning.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from iotauth_cli.emulator.control.dynamodb import numbers
from iotauth_cli.emulator.control.dynamodb.errors import invalid
from iotauth_cli.emulator.control.dynamodb.expressions.evaluate import look_up
from iotauth_cli.emulator.control.dynamodb.expressions.scope import Scope
from iotauth_cli.emulator.control.dynamodb.expressions.syntax import (
    Action,
    AddAction,
    Arithmetic,
    Call,
    Operand,
    Path,
    Reference,
    RemoveAction,
    SetAction,
    Steps,
    Update,
)
from iotauth_cli.emulator.control.dynamodb.values import (
    MAX_LEVELS,
    TOO_DEEP,
    Item,
    Value,
    kind_of,
    levels,
)

INVALID_PATH = "The document path provided in the update expression is invalid for update"
WRONG_TYPE = "An operand in the update expression has an incorrect data type"
MISSING = "The provided expression refers to an attribute that does not exist in the item"


@dataclass(frozen=True)
class Edit:
    """What becomes of one place in the item: a new value, or None if it is taken out."""

    steps: Steps
    value: Value | None


def creates_item(update: Update) -> bool:
    """Tell whether *update* makes an item where there is none; only taking away does not."""
    return any(isinstance(action, (SetAction, AddAction)) for action in update.actions)


def apply(update: Update, item: Item, scope: Scope) -> Item:
    """Return *item* after *update*; *item* itself stays as it is.

    Raises:
        ServiceError: the item does not have what the update needs, or would be nested too deeply.
    """
    edits = list(_edits(update, item, scope))
    # Elements set beyond the end of a list are appended in the order of their indexes.
    for edit in sorted((edit for edit in edits if edit.value is not None), key=_place):
        item = _replaced(item, edit)
    for edit in sorted((edit for edit in edits if edit.value is None), key=_place, reverse=True):
        item = _replaced(item, edit)
    return item


def _place(edit: Edit) -> Steps:
    return edit.steps  # comparable: paths that part at a name and an index conflict, and were refused


def _edits(update: Update, item: Item, scope: Scope) -> Iterator[Edit]:
    for action in update.actions:
        steps = scope.steps(action.path)
        edit = Edit(steps, _new_value(action, steps, item, scope))
        if edit.value is None and look_up(steps, item) is None:
            _replaced(item, edit)  # takes nothing out, but refuses a path that leads nowhere
            continue
        if edit.value is not None and len(steps) - 1 + levels(edit.value) > MAX_LEVELS:
            raise invalid(TOO_DEEP)
        yield edit


def _new_value(action: Action, steps: Steps, item: Item, scope: Scope) -> Value | None:
    if isinstance(action, SetAction):
        return _sum(action.value, item, scope)
    if isinstance(action, RemoveAction):
        return None
    change = _added if isinstance(action, AddAction) else _without
    return change(look_up(steps, item), scope.value(action.value))


def _sum(value: Operand | Arithmetic, item: Item, scope: Scope) -> Value:
    if not isinstance(value, Arithmetic):
        return _evaluate(value, item, scope)
    left, right = (_evaluate(operand, item, scope) for operand in (value.left, value.right))
    if "N" not in left or "N" not in right:
        raise invalid(WRONG_TYPE)
    return {"N": numbers.combine(left["N"], value.operator, right["N"])}


def _evaluate(operand: Operand, item: Item, scope: Scope) -> Value:
    if isinstance(operand, Reference):
        return scope.value(operand)
    if isinstance(operand, Path):
        value = look_up(scope.steps(operand), item)
        if value is None:
            raise invalid(MISSING)
        return value
    return UPDATE_FUNCTIONS[operand.function](operand, item, scope)


def _if_not_exists(call: Call, item: Item, scope: Scope) -> Value:
    path, default = call.operands
    assert isinstance(path, Path)  # checked before
    value = look_up(scope.steps(path), item)
    return _evaluate(default, item, scope) if value is None else value


def _list_append(call: Call, item: Item, scope: Scope) -> Value:
    first, second = (_evaluate(operand, item, scope) for operand in call.operands)
    if "L" not in first or "L" not in second:
        raise invalid(WRONG_TYPE)
    return {"L": [*first["L"], *second["L"]]}


UPDATE_FUNCTIONS: dict[str, Callable[[Call, Item, Scope], Value]] = {
    "if_not_exists": _if_not_exists,
    "list_append": _list_append,
}


def _added(old: Value | None, addition: Value) -> Value:
    """Return a number with *addition* added, or a set joined with it; a missing one counts as nothing."""
    if old is None:
        return addition
    kind = kind_of(addition)
    if kind_of(old) != kind:
        raise invalid(WRONG_TYPE)
    if kind == "N":
        return {"N": numbers.combine(old["N"], "+", addition["N"])}
    return {kind: list(dict.fromkeys([*old[kind], *addition[kind]]))}


def _without(old: Value | None, removal: Value) -> Value | None:
    """Return a set without the members of *removal*, or None if none is left."""
    if old is None:
        return None
    kind = kind_of(removal)
    if kind_of(old) != kind:
        raise invalid(WRONG_TYPE)
    kept = [member for member in old[kind] if member not in removal[kind]]
    return {kind: kept} if kept else None


def _replaced(item: Item, edit: Edit) -> Item:
    document: Value = _replaced_in({"M": item}, edit.steps, edit.value)
    changed: Item = document["M"]
    return changed


def _replaced_in(container: Value, steps: Steps, value: Value | None) -> Value:
    """Return *container* with *value* at *steps*: the containers on the way are new, the rest is shared."""
    step, *rest = steps
    if isinstance(step, int):
        return {"L": _replaced_element(container, step, tuple(rest), value)}
    if "M" not in container:
        raise invalid(INVALID_PATH)
    members = dict(container["M"])
    if rest:
        members[step] = _replaced_in(_inner(members.get(step)), tuple(rest), value)
    elif value is None:
        members.pop(step, None)
    else:
        members[step] = value
    return {"M": members}


def _replaced_element(container: Value, index: int, rest: Steps, value: Value | None) -> list[Value]:
    if "L" not in container:
        raise invalid(INVALID_PATH)
    elements: list[Value] = list(container["L"])
    if rest:
        inner = _inner(elements[index] if index < len(elements) else None)
        elements[index] = _replaced_in(inner, rest, value)
    elif value is None:
        del elements[index : index + 1]
    else:
        elements[index : index + 1] = [value]  # past the end, a slice appends
    return elements


def _inner(container: Value | None) -> Value:
    if container is None:
        raise invalid(INVALID_PATH)
    return container
