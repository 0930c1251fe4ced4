"""What a kind of resource can do: be made, be changed, be removed, by calls that any API caller could make."""

from __future__ import annotations

import json
import secrets
import string
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from iotauth_cli.emulator.control.cloudformation.calls import Calls
from iotauth_cli.emulator.control.cloudformation.errors import invalid
from iotauth_cli.emulator.control.cloudformation.intrinsics import Made
from iotauth_cli.emulator.control.service import Context, NotImplementedHere, Result, ServiceError

Properties = Mapping[str, Any]

GONE = ("ResourceNotFoundException", "NoSuchEntity")
SUFFIX = 12  # characters that make a name that CloudFormation chooses unique
SUFFIX_CHARACTERS = string.ascii_uppercase + string.digits


@dataclass(frozen=True)
class Site:
    """Where a resource stands: its stack, its name there, and the services around it."""

    stack_name: str
    logical_id: str
    context: Context
    calls: Calls
    stack_id: str = ""

    @property
    def labels(self) -> dict[str, str]:
        """The tags by which AWS says whose a resource is; the caller cannot set them."""
        facts = {"stack-name": self.stack_name, "stack-id": self.stack_id, "logical-id": self.logical_id}
        return {f"aws:cloudformation:{name}": value for name, value in facts.items()}

    async def call(self, service: str, operation: str, **parameters: Any) -> Result:
        """Call an operation; parameters that are None are left out."""
        given = {name: value for name, value in parameters.items() if value is not None}
        return await self.calls(service, operation, given, self.context)

    async def call_if_there(self, service: str, operation: str, **parameters: Any) -> None:
        """Call an operation that takes something away; if it is gone already, that is as good."""
        try:
            await self.call(service, operation, **parameters)
        except ServiceError as error:
            if error.code not in GONE:
                raise

    def new_name(self, most: int) -> str:
        """Return a name that nobody else has, of at most *most* characters."""
        suffix = "".join(secrets.choice(SUFFIX_CHARACTERS) for _ in range(SUFFIX))
        stem = f"{self.stack_name}-{self.logical_id}"[: most - SUFFIX - 1]
        return f"{stem}-{suffix}"


class Kind(ABC):
    """One type of resource.

    *replacing* are properties that a resource keeps for life: a change makes another one. *entries* are lists of
    mappings, with the members that each must have; *texts* are lists of texts.
    """

    type: ClassVar[str]
    properties: ClassVar[frozenset[str]]
    required: ClassVar[frozenset[str]] = frozenset()
    replacing: ClassVar[frozenset[str]] = frozenset()
    entries: ClassVar[Mapping[str, tuple[str, ...]]] = {"Tags": ("Key", "Value")}
    texts: ClassVar[frozenset[str]] = frozenset()
    identifier: ClassVar[str | None] = None  # the property by which one that exists is imported

    def check(self, properties: Properties) -> None:
        """Hold *properties* to what this kind has.

        Raises:
            ServiceError: one is missing, or the emulator does not have it.
        """
        missing = sorted(self.required - properties.keys())
        if missing:
            raise invalid(f"Properties validation failed: required key [{missing[0]}] not found")
        unknown = sorted(properties.keys() - self.properties)
        if unknown:
            raise NotImplementedHere(f"the property {unknown[0]} of {self.type}")
        for name, members in self.entries.items():
            if not all(_has_members(each, members) for each in _listed(name, properties)):
                raise invalid(f"Properties validation failed: {name} must be a list of {' and '.join(members)}")
        for name in self.texts:
            if not all(isinstance(each, str) for each in _listed(name, properties)):
                raise invalid(f"Properties validation failed: {name} must be a list of texts")

    def must_be_replaced(self, changed: Iterable[str]) -> bool:
        return not self.replacing.isdisjoint(changed)

    @abstractmethod
    async def create(self, site: Site, properties: Properties) -> Made:
        """Make it with one call, which makes it or does not; `settle` does the rest."""

    async def settle(  # noqa: B027 (not abstract: some kinds have nothing to settle)
        self, site: Site, made: Made, before: Properties, after: Properties
    ) -> None:
        """Bring what needs calls of its own from *before*, empty for a new one, to *after*."""

    async def update(self, site: Site, made: Made, before: Properties, after: Properties) -> Made:
        """Change in place what is not `settle`'s; a kind without such properties is as it was."""
        return made

    async def find(self, site: Site, name: str) -> Made:
        """Return the resource that exists under *name*, and mark it as the stack's where AWS does.

        Raises:
            ServiceError: there is none.
        """
        raise NotImplementedHere(f"importing resources of type {self.type}")

    @abstractmethod
    async def delete(self, site: Site, made: Made, properties: Properties) -> None:
        """Remove it; that it is not there any more is no failure."""


def _listed(name: str, properties: Properties) -> list[Any]:
    found = properties.get(name, [])
    if not isinstance(found, list):
        raise invalid(f"Properties validation failed: {name} must be a list")
    return found


def _has_members(value: Any, names: Iterable[str]) -> bool:
    return isinstance(value, Mapping) and all(value.get(name) is not None for name in names)


def tags_of(properties: Properties) -> dict[str, str]:
    """Return a resource's tags, which templates write as a list."""
    return {tag["Key"]: tag["Value"] for tag in properties.get("Tags", ())}


def tag_changes(before: Properties, after: Properties) -> tuple[list[str], dict[str, str]]:
    """Return the keys that go and the tags that come or change."""
    old, new = tags_of(before), tags_of(after)
    gone = [key for key in old if key not in new]
    return gone, {key: value for key, value in new.items() if old.get(key) != value}


def tag_list(tags: Mapping[str, str]) -> list[dict[str, str]]:
    return [{"Key": key, "Value": value} for key, value in tags.items()]


def document_text(document: Any) -> str:
    """Return a policy document as the text that APIs take."""
    return document if isinstance(document, str) else json.dumps(document)
