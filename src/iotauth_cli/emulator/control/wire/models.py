"""The AWS APIs as botocore's service models describe them, read as data.

A model is one JSON file inside the botocore package: operations, and the shapes of what
they take and give. It is read here without botocore's own code, which brings urllib3 and the
AWS runtime with it: 100 ms of imports, where the largest model is parsed in 8 ms. Nothing
is read before the first call to a service.
"""

from __future__ import annotations

import functools
import gzip
import importlib.util
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

NO_TRAITS = {"shape", "documentation"}
SERVICE_NAME = re.compile(r"[a-z0-9-]+")  # a directory name; it arrives in a request header


class Shape:
    """One type of a model, with the traits of the place that refers to it laid over its own."""

    def __init__(self, model: ServiceModel, reference: Mapping[str, Any]) -> None:
        self._model = model
        self.name: str = reference["shape"]
        self.traits: dict[str, Any] = {**model.shape_data[self.name], **reference}
        self.type: str = self.traits["type"]

    @cached_property
    def members(self) -> dict[str, Shape]:
        return {name: self._model.shape(ref) for name, ref in self.traits.get("members", {}).items()}

    @cached_property
    def element(self) -> Shape:
        """What a list holds."""
        return self._model.shape(self.traits["member"])

    @cached_property
    def key(self) -> Shape:
        return self._model.shape(self.traits["key"])

    @cached_property
    def value(self) -> Shape:
        return self._model.shape(self.traits["value"])

    @cached_property
    def required(self) -> tuple[str, ...]:
        return tuple(self.traits.get("required", ()))

    @property
    def location(self) -> str | None:
        """Where a member travels outside the body: ``uri``, ``querystring``, ``header`` or ``statusCode``."""
        return self.traits.get("location")

    def wire_name(self, member: str) -> str:
        """Return the name by which the *member* of this shape travels."""
        name: str = self.members[member].traits.get("locationName", member)
        return name

    @cached_property
    def body_members(self) -> dict[str, tuple[str, Shape]]:
        """The members that travel in the body: by their names, the name on the wire and the shape."""
        return {name: (self.wire_name(name), shape) for name, shape in self.members.items() if shape.location is None}

    @cached_property
    def by_wire_name(self) -> dict[str, tuple[str, Shape]]:
        """The same members by their names on the wire."""
        return {wire_name: (name, shape) for name, (wire_name, shape) in self.body_members.items()}

    @property
    def payload(self) -> str | None:
        """The member that is the whole body, where there is one."""
        return self.traits.get("payload")


@dataclass(frozen=True)
class ErrorShape:
    """A modelled error: its code on the wire, its HTTP status and its members."""

    code: str
    status: int
    shape: Shape


class Operation:
    def __init__(self, model: ServiceModel, data: Mapping[str, Any]) -> None:
        self._model = model
        self._data = data
        self.service = model.name
        self.name: str = data["name"]
        self.method: str = data["http"]["method"]
        self.path: str = data["http"]["requestUri"]
        self.status: int = data["http"].get("responseCode", 200)
        self.result_wrapper: str | None = data.get("output", {}).get("resultWrapper")

    @property
    def metadata(self) -> Mapping[str, Any]:
        return self._model.metadata

    @cached_property
    def input(self) -> Shape | None:
        return self._model.shape(self._data["input"]) if "input" in self._data else None

    @cached_property
    def output(self) -> Shape | None:
        return self._model.shape(self._data["output"]) if "output" in self._data else None

    @cached_property
    def errors(self) -> dict[str, ErrorShape]:
        shapes = map(self._model.shape, self._data.get("errors", ()))
        return {error.code: error for error in map(_error, shapes)}


def _error(shape: Shape) -> ErrorShape:
    trait: Mapping[str, Any] = shape.traits.get("error", {})
    default = 500 if shape.traits.get("fault") else 400
    return ErrorShape(trait.get("code", shape.name), trait.get("httpStatusCode", default), shape)


class ServiceModel:
    """One service: *name* is botocore's (``iot-data``), not the one requests are signed with."""

    def __init__(self, name: str, data: Mapping[str, Any]) -> None:
        self.name = name
        self.metadata: Mapping[str, Any] = data["metadata"]
        self.shape_data: Mapping[str, Any] = data["shapes"]
        self.operation_data: Mapping[str, Any] = data["operations"]
        self._operations: dict[str, Operation] = {}
        self._plain_shapes: dict[str, Shape] = {}

    @property
    def protocols(self) -> tuple[str, ...]:
        """What the service speaks; older models name a single protocol."""
        return tuple(self.metadata.get("protocols") or (self.metadata["protocol"],))

    def shape(self, reference: Mapping[str, Any]) -> Shape:
        """Return what *reference* refers to.

        References without traits of their own share one shape, which also closes the circle of
        shapes that hold themselves, such as DynamoDB's values.
        """
        if not reference.keys() <= NO_TRAITS:
            return Shape(self, reference)
        name: str = reference["shape"]
        if name not in self._plain_shapes:
            self._plain_shapes[name] = Shape(self, reference)
        return self._plain_shapes[name]

    def operation(self, name: str) -> Operation | None:
        if name not in self._operations and name in self.operation_data:
            self._operations[name] = Operation(self, self.operation_data[name])
        return self._operations.get(name)


@functools.cache
def load(service: str) -> ServiceModel | None:
    """Return the newest model of *service*, or None if botocore has none of that name."""
    if not SERVICE_NAME.fullmatch(service):
        return None
    versions = sorted(_models_of(_data_directory() / service), key=lambda path: path.parent.name)
    return ServiceModel(service, _read(versions[-1])) if versions else None


def _models_of(directory: Path) -> list[Path]:
    if not directory.is_dir():
        return []
    names = ("service-2.json.gz", "service-2.json")  # Debian ships botocore's data uncompressed
    candidates = (version / name for version in directory.iterdir() for name in names)
    return [path for path in candidates if path.exists()]


def _read(path: Path) -> Any:
    raw = path.read_bytes()
    return json.loads(gzip.decompress(raw) if path.suffix == ".gz" else raw)


@functools.cache
def _data_directory() -> Path:
    """Find botocore's data without importing botocore."""
    spec = importlib.util.find_spec("botocore")
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError("botocore, whose service models drive the control plane, is not installed")
    return Path(spec.origin).parent / "data"
