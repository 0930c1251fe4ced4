"""Stacks, their resources, events and change sets in SQLite, each as one document."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from iotauth_cli.emulator.state import State

SCHEMA = """
CREATE TABLE IF NOT EXISTS cfn_stack (
    id TEXT PRIMARY KEY, region TEXT NOT NULL, name TEXT NOT NULL, document TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS cfn_resource (
    stack TEXT NOT NULL REFERENCES cfn_stack(id), logical_id TEXT NOT NULL, document TEXT NOT NULL,
    PRIMARY KEY (stack, logical_id)
);
CREATE TABLE IF NOT EXISTS cfn_event (
    number INTEGER PRIMARY KEY, stack TEXT NOT NULL REFERENCES cfn_stack(id), document TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS cfn_event_of_stack ON cfn_event (stack, number);
CREATE TABLE IF NOT EXISTS cfn_change_set (
    id TEXT PRIMARY KEY, stack TEXT NOT NULL REFERENCES cfn_stack(id), document TEXT NOT NULL
);
"""

DELETED = "DELETE_COMPLETE"
IN_REVIEW = "REVIEW_IN_PROGRESS"
IS_LIVE = f"json_extract(document, '$.status') <> '{DELETED}'"


@dataclass(frozen=True)
class Source:
    """What a stack is to be: the template as given and after its transform, and what goes with it."""

    text: str
    processed: str
    parameters: Mapping[str, str] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)
    capabilities: tuple[str, ...] = ()


@dataclass(frozen=True)
class Output:
    key: str
    value: str
    description: str | None = None
    export: str | None = None


@dataclass(frozen=True)
class Stack:
    """A stack. *source* is None before its first change set is executed; times are epoch seconds."""

    id: str
    name: str
    region: str
    status: str
    created: float
    source: Source | None = None
    reason: str | None = None
    updated: float | None = None
    deleted: float | None = None
    outputs: tuple[Output, ...] = ()
    imports: tuple[str, ...] = ()  # names of other stacks' exports
    on_failure: str = "ROLLBACK"
    is_protected: bool = False
    change_set_id: str | None = None

    @property
    def is_busy(self) -> bool:
        return self.status.endswith("_IN_PROGRESS") and self.status != IN_REVIEW


@dataclass(frozen=True)
class Resource:
    """A resource of a stack as it is: *properties* are plain values, *needs* the logical ids that it refers to."""

    logical_id: str
    type: str
    status: str
    at: float
    physical_id: str | None = None
    reason: str | None = None
    attributes: Mapping[str, Any] = field(default_factory=dict)
    properties: Mapping[str, Any] = field(default_factory=dict)
    needs: tuple[str, ...] = ()
    deletion_policy: str = "Delete"
    replace_policy: str = "Delete"

    @property
    def exists(self) -> bool:
        return self.physical_id is not None and self.status not in (DELETED, "DELETE_SKIPPED")


@dataclass(frozen=True)
class Event:
    id: str
    logical_id: str
    physical_id: str | None
    type: str
    status: str
    at: float
    reason: str | None = None
    token: str | None = None


@dataclass(frozen=True)
class ChangeSet:
    """A change worked out and waiting. *changes* are as DescribeChangeSet shows them.

    *imported* are the names of existing resources, by the logical ids that they are to have.
    """

    id: str
    name: str
    stack_id: str
    status: str
    execution_status: str
    created: float
    source: Source
    reason: str | None = None
    description: str | None = None
    on_failure: str = "ROLLBACK"
    changes: tuple[Mapping[str, Any], ...] = ()
    imported: Mapping[str, str] = field(default_factory=dict)


class StackStore:
    def __init__(self, state: State) -> None:
        self._state = state
        state.create(SCHEMA)

    def save(self, stack: Stack) -> Stack:
        self._state.db.execute(
            "INSERT INTO cfn_stack VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE SET document = excluded.document",
            (stack.id, stack.region, stack.name, _dump(stack)),
        )
        return stack

    def find(self, region: str, name_or_id: str) -> Stack | None:
        """Return the stack of that id, or the one of that name which is not deleted."""
        row = self._state.db.execute(
            f"SELECT document FROM cfn_stack WHERE region = ? AND (id = ? OR name = ? AND {IS_LIVE})",
            (region, name_or_id, name_or_id),
        ).fetchone()
        return _stack(row) if row else None

    def all(self, region: str) -> list[Stack]:
        """Return the stacks of a region, deleted ones included; the newest first."""
        return self._stacks("region = ?", region)

    def live(self, region: str | None = None) -> list[Stack]:
        """Return the stacks of a region, or of all, that are not deleted; the newest first."""
        return self._stacks(f"coalesce(region = ?, 1) AND {IS_LIVE}", region)

    def _stacks(self, condition: str, region: str | None) -> list[Stack]:
        rows = self._state.db.execute(f"SELECT document FROM cfn_stack WHERE {condition}", (region,))
        return sorted(map(_stack, rows), key=lambda stack: stack.created, reverse=True)

    def save_resource(self, stack: Stack, resource: Resource) -> None:
        self._state.db.execute(
            "INSERT INTO cfn_resource VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET document = excluded.document",
            (stack.id, resource.logical_id, _dump(resource)),
        )

    def remove_resource(self, stack: Stack, logical_id: str) -> None:
        key = (stack.id, logical_id)
        self._state.db.execute("DELETE FROM cfn_resource WHERE stack = ? AND logical_id = ?", key)

    def resources(self, stack: Stack) -> dict[str, Resource]:
        """Return what belongs to a stack or did, in the order of its making."""
        rows = self._state.db.execute("SELECT document FROM cfn_resource WHERE stack = ? ORDER BY rowid", (stack.id,))
        documents = [json.loads(row["document"]) for row in rows]
        return {each["logical_id"]: Resource(**{**each, "needs": tuple(each["needs"])}) for each in documents}

    def add_event(self, stack: Stack, event: Event) -> None:
        self._state.db.execute("INSERT INTO cfn_event (stack, document) VALUES (?, ?)", (stack.id, _dump(event)))

    def events(self, stack: Stack) -> list[Event]:
        """Return a stack's events, the newest first."""
        rows = self._state.db.execute(
            "SELECT document FROM cfn_event WHERE stack = ? ORDER BY number DESC", (stack.id,)
        )
        return [Event(**json.loads(row["document"])) for row in rows]

    def save_change_set(self, change_set: ChangeSet) -> None:
        self._state.db.execute(
            "INSERT INTO cfn_change_set VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET document = excluded.document",
            (change_set.id, change_set.stack_id, _dump(change_set)),
        )

    def change_sets(self, stack_id: str) -> list[ChangeSet]:
        rows = self._state.db.execute("SELECT document FROM cfn_change_set WHERE stack = ? ORDER BY rowid", (stack_id,))
        return [_change_set(json.loads(row["document"])) for row in rows]

    def find_change_set(self, change_set_id: str) -> ChangeSet | None:
        row = self._state.db.execute("SELECT document FROM cfn_change_set WHERE id = ?", (change_set_id,)).fetchone()
        return _change_set(json.loads(row["document"])) if row else None

    def remove_change_sets(self, stack_id: str) -> None:
        self._state.db.execute("DELETE FROM cfn_change_set WHERE stack = ?", (stack_id,))

    def remove_change_set(self, change_set: ChangeSet) -> None:
        self._state.db.execute("DELETE FROM cfn_change_set WHERE id = ?", (change_set.id,))

    def texts(self) -> list[str]:
        """Return every text in which a stack that is there may name an uploaded package."""
        live = f"(SELECT id FROM cfn_stack WHERE {IS_LIVE})"
        places = (("cfn_stack", "id"), ("cfn_resource", "stack"), ("cfn_change_set", "stack"))
        queries = (f"SELECT document FROM {table} WHERE {column} IN {live}" for table, column in places)
        return [row["document"] for query in queries for row in self._state.db.execute(query)]

    def exports(self, region: str) -> dict[str, tuple[Stack, Output]]:
        """Return every export of a region by its name, with the stack it comes from."""
        return {
            output.export: (stack, output) for stack in self.live(region) for output in stack.outputs if output.export
        }


def _dump(record: Any) -> str:
    return json.dumps(asdict(record))


def _stack(row: Mapping[str, Any]) -> Stack:
    document = json.loads(row["document"])
    return replace(
        Stack(**document),
        source=_source(document["source"]) if document["source"] else None,
        outputs=tuple(Output(**output) for output in document["outputs"]),
        imports=tuple(document["imports"]),
    )


def _source(document: dict[str, Any]) -> Source:
    return Source(**{**document, "capabilities": tuple(document["capabilities"])})


def _change_set(document: dict[str, Any]) -> ChangeSet:
    source, changes = _source(document["source"]), tuple(document["changes"])
    return ChangeSet(**{**document, "source": source, "changes": changes})
