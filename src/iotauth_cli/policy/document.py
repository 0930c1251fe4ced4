"""Read a policy document as AWS IoT does: strictly, and naming the statement that is wrong.

A statement has ``Effect``, ``Action`` or ``NotAction``, ``Resource`` or ``NotResource``, and
perhaps ``Sid`` and ``Condition``. Anything else is refused, ``Principal`` with a reason of its
own: a device's policy is attached to nobody, it is the device's.

Sources: AWS IoT developer guide, "AWS IoT Core policies" (one or more statements, IAM's
conventions); IAM's policy grammar for what AWS IoT leaves unsaid: elements that exclude each
other, one statement without a list, lists or single strings, no element twice, ``NotAction``,
and the version a document has when it names none.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from iotauth_cli.errors import InputError
from iotauth_cli.policy.limits import characters

VERSION = "2012-10-17"
OLD_VERSION = "2008-10-17"  # also what a document without Version has; it has no variables

ALLOW = "Allow"
DENY = "Deny"

_DOCUMENT_ELEMENTS = frozenset({"Version", "Id", "Statement"})
_STATEMENT_ELEMENTS = frozenset({"Sid", "Effect", "Action", "NotAction", "Resource", "NotResource", "Condition"})


class PolicyError(InputError):
    """A text is not a policy document; the message says where and why."""

    code = "bad-policy"


@dataclass(frozen=True)
class Condition:
    """One key under one operator, both as written: ``StringEquals``, ``iot:ClientId``, values."""

    operator: str
    key: str
    values: tuple[str, ...]


@dataclass(frozen=True)
class Statement:
    """One statement. *actions* and *resources* are exceptions where ``is_not_...`` is true."""

    effect: str  # ALLOW or DENY
    actions: tuple[str, ...]
    resources: tuple[str, ...]
    is_not_action: bool = False
    is_not_resource: bool = False
    conditions: tuple[Condition, ...] = ()
    sid: str | None = None


@dataclass(frozen=True)
class Document:
    """A policy document. *characters* is its length without white space, which AWS limits."""

    statements: tuple[Statement, ...]
    version: str = VERSION
    characters: int = 0

    @property
    def has_variables(self) -> bool:
        """Whether ``${...}`` is replaced; under the old version it is plain text."""
        return self.version == VERSION


def parse(source: str | Mapping[str, object]) -> Document:
    """Return the document that *source*, a JSON text or the object it stands for, describes.

    Raises:
        PolicyError: AWS IoT would call it malformed.
    """
    body = _load(source) if isinstance(source, str) else source
    if not isinstance(body, Mapping):
        raise PolicyError("the policy is not a JSON object", 'begin with {"Version": "2012-10-17", …}')
    _refuse_strangers("the policy", body, _DOCUMENT_ELEMENTS)
    return Document(_statements(body), _version(body), characters(body))


def parse_all(sources: Iterable[str | Mapping[str, object]]) -> tuple[Document, ...]:
    """Return the documents of one authorizer answer; an error names the document, counted from 1."""
    documents = []
    for number, source in enumerate(sources, 1):
        try:
            documents.append(parse(source))
        except PolicyError as error:
            raise PolicyError(f"document {number}: {error.message}", error.hint) from error
    return tuple(documents)


def _load(text: str) -> object:
    try:
        return json.loads(text, object_pairs_hook=_object)
    except ValueError as error:
        raise PolicyError(f"the policy is not JSON: {error}") from error
    except RecursionError as error:
        raise PolicyError("the policy is not JSON that can be read: it is nested too deeply") from error


def _object(pairs: list[tuple[str, object]]) -> dict[str, object]:
    # json keeps the last of two equal names and forgets the first: a reader of the text and
    # the engine would then see different policies.
    members: dict[str, object] = {}
    for name, value in pairs:
        if name in members:
            raise PolicyError(f"element `{name}` is given twice in one object", "keep one of them")
        members[name] = value
    return members


def _version(body: Mapping[str, object]) -> str:
    version = body.get("Version", OLD_VERSION)
    if version not in (VERSION, OLD_VERSION):
        raise PolicyError(f"Version {version!r} is unknown", f'write "Version": "{VERSION}"')
    return str(version)


def _statements(body: Mapping[str, object]) -> tuple[Statement, ...]:
    given = body.get("Statement", [])
    statements = [given] if isinstance(given, Mapping) else given
    if not isinstance(statements, list) or not statements:
        raise PolicyError("the policy has no statement", 'give a list of them under "Statement"')
    return tuple(_statement(f"statement {number}", each) for number, each in enumerate(statements, 1))


def _statement(where: str, body: object) -> Statement:
    if not isinstance(body, Mapping):
        raise PolicyError(f"{where} is not a JSON object")
    if "Principal" in body or "NotPrincipal" in body:
        raise PolicyError(
            f"{where} names a Principal, which a device's policy cannot", "remove it: the device is meant"
        )
    _refuse_strangers(where, body, _STATEMENT_ELEMENTS)
    is_not_action, actions = _either(where, body, "Action", "NotAction")
    is_not_resource, resources = _either(where, body, "Resource", "NotResource")
    return Statement(
        effect=_effect(where, body),
        actions=tuple(_action(where, each) for each in actions),
        resources=tuple(_resource(where, each) for each in resources),
        is_not_action=is_not_action,
        is_not_resource=is_not_resource,
        conditions=_conditions(where, body.get("Condition", {})),
        sid=_sid(where, body),
    )


def _refuse_strangers(where: str, body: Mapping[str, object], known: frozenset[str]) -> None:
    for name in body:
        if name not in known:
            raise PolicyError(f"{where} has an unknown element `{name}`", f"known are {', '.join(sorted(known))}")


def _effect(where: str, body: Mapping[str, object]) -> str:
    if "Effect" not in body:
        raise PolicyError(f"{where} has no Effect", "write Allow or Deny")
    effect = body["Effect"]
    if effect not in (ALLOW, DENY):
        raise PolicyError(f"{where} has Effect {effect!r}", "write Allow or Deny, with these capitals")
    return str(effect)


def _sid(where: str, body: Mapping[str, object]) -> str | None:
    sid = body.get("Sid")
    if sid is not None and not isinstance(sid, str):
        raise PolicyError(f"{where} has a Sid that is not a string")
    return sid


def _either(where: str, body: Mapping[str, object], name: str, opposite: str) -> tuple[bool, tuple[str, ...]]:
    """Return whether the opposite form is used, and its strings; exactly one of the two must be there."""
    if name in body and opposite in body:
        raise PolicyError(f"{where} has both {name} and {opposite}", "keep one of them")
    if name not in body and opposite not in body:
        raise PolicyError(f"{where} has no {name}")
    used = name if name in body else opposite
    strings = _strings(f"{used} of {where}", body[used])
    if not strings:
        raise PolicyError(f"{used} of {where} is an empty list")
    return used == opposite, strings


def _strings(what: str, value: object) -> tuple[str, ...]:
    values = value if isinstance(value, list) else [value]
    for each in values:
        if not isinstance(each, str):
            raise PolicyError(f"{what} is neither a string nor a list of strings")
    return tuple(values)


def _action(where: str, action: str) -> str:
    if action != "*" and action.count(":") != 1:
        raise PolicyError(f"{where} has action `{action}`", "write the service before it, as in iot:Publish")
    return action


def _resource(where: str, resource: str) -> str:
    # AWS IoT answers "The following resources are invalid" to anything else.
    if resource != "*" and not resource.startswith("arn:"):
        raise PolicyError(
            f"{where} has resource `{resource}`, which is no ARN",
            "write * or an ARN such as arn:aws:iot:us-east-1:123456789012:topic/doors/door-7",
        )
    return resource


def _conditions(where: str, body: object) -> tuple[Condition, ...]:
    """Return the conditions one key each; ``{}``, which people do write, is none."""
    if not isinstance(body, Mapping):
        raise PolicyError(f"Condition of {where} is not a JSON object")
    conditions = []
    for operator, keys in body.items():
        if not isinstance(keys, Mapping):
            raise PolicyError(f"condition {operator} of {where} is not a JSON object of keys and values")
        for key, value in keys.items():
            values = _condition_values(f"condition {operator} on {key} of {where}", value)
            conditions.append(Condition(operator, key, values))
    return tuple(conditions)


def _condition_values(what: str, value: object) -> tuple[str, ...]:
    values = value if isinstance(value, list) else [value]
    return _strings(what, [_scalar(each) for each in values])


def _scalar(value: object) -> object:
    """Return a JSON boolean or number as the text that IAM compares; others as they are."""
    if isinstance(value, bool):
        return str(value).lower()
    return str(value) if isinstance(value, (int, float)) else value
