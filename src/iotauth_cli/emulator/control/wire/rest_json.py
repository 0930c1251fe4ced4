"""AWS's REST protocol with JSON bodies: IoT, its data plane, Lambda. Method and path name the operation.

Parameters travel in the path, the query string, headers and the body; the model says which
goes where. The path is matched as it arrived, percent-encoded, because an ARN in it holds
slashes of its own.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, unquote

from iotauth_cli.emulator.control.service import Parameters, Result
from iotauth_cli.emulator.control.wire import values
from iotauth_cli.emulator.control.wire.json_rpc import dump, load
from iotauth_cli.emulator.control.wire.models import Operation, ServiceModel, Shape
from iotauth_cli.emulator.model import HttpRequest, HttpResponse

Segments = tuple[str, ...]


@dataclass(frozen=True)
class Route:
    """Where an operation lives. A few share a path and differ by a word in the query string (``?find=…``)."""

    operation: str
    method: str
    template: Segments
    query: frozenset[tuple[str, str]]

    @property
    def precision(self) -> int:
        """How much of it is literal: between two that fit, the more precise one is meant."""
        return sum(not _is_label(segment) for segment in self.template) + len(self.query)

    def fits(self, method: str, path: Segments, query: frozenset[tuple[str, str]]) -> bool:
        has_length = len(path) == len(self.template) or (_is_greedy(self.template) and len(path) > len(self.template))
        return (
            has_length
            and method == self.method
            and self.query <= query
            and all(_is_label(wanted) or wanted == got for wanted, got in zip(self.template, path, strict=False))
        )


def operation_name(request: HttpRequest, model: ServiceModel | None) -> str | None:
    """Find the operation whose method and path fit; literal segments win over labels."""
    if model is None:
        return None
    path, query = _split(request.target)
    fitting = (route for route in _routes(model) if route.fits(request.method, path, query))
    found = max(fitting, key=lambda route: route.precision, default=None)
    return found.operation if found else None


@functools.lru_cache(maxsize=16)
def _routes(model: ServiceModel) -> tuple[Route, ...]:
    return tuple(
        Route(name, data["http"]["method"], *_split(data["http"]["requestUri"]))
        for name, data in model.operation_data.items()
    )


def _split(target: str) -> tuple[Segments, frozenset[tuple[str, str]]]:
    path, _, query = target.partition("?")
    return _segments(path), frozenset(parse_qsl(query, keep_blank_values=True))


def _segments(path: str) -> Segments:
    return tuple(path.strip("/").split("/"))


def _is_label(segment: str) -> bool:
    return segment.startswith("{")


def _is_greedy(template: Segments) -> bool:
    return template[-1].endswith("+}")


def parse(operation: Operation, request: HttpRequest) -> Parameters:
    """Gather the operation's parameters from path, query string, headers and body.

    Raises:
        ServiceError: a value cannot be read as its type.
    """
    shape = operation.input
    if shape is None:
        return {}
    path, _, query = request.target.partition("?")
    return {
        **dict(_from_path(operation, shape, path)),
        **dict(_from_query(shape, query)),
        **dict(_from_headers(shape, request)),
        **_from_body(shape, request.body),
    }


def _from_path(operation: Operation, shape: Shape, path: str) -> Iterator[tuple[str, Any]]:
    template, given = _segments(operation.path.partition("?")[0]), _segments(path)
    if _is_greedy(template):
        given = (*given[: len(template) - 1], "/".join(given[len(template) - 1 :]))
    texts = {label.strip("{+}"): unquote(text) for label, text in zip(template, given, strict=True) if _is_label(label)}
    for name, member in shape.members.items():
        if member.location == "uri":
            yield name, _from_text(member, texts[shape.wire_name(name)])


def _from_query(shape: Shape, query: str) -> Iterator[tuple[str, Any]]:
    pairs = parse_qsl(query, keep_blank_values=True)
    for name, member in shape.members.items():
        if member.location != "querystring":
            continue
        wire_name = shape.wire_name(name)
        texts = [value for key, value in pairs if key == wire_name]
        if texts and member.type == "list":
            yield name, [_from_text(member.element, text) for text in texts]
        elif texts:
            yield name, _from_text(member, texts[-1])


def _from_headers(shape: Shape, request: HttpRequest) -> Iterator[tuple[str, Any]]:
    for name, member in shape.members.items():
        if member.location == "header":
            text = request.header(shape.wire_name(name))
            if text is not None:
                yield name, _from_text(member, text)


def _from_body(shape: Shape, body: bytes) -> Parameters:
    if shape.payload is None:
        return values.decode(shape, load(body)) if shape.body_members else {}
    if not body:
        return {}
    member = shape.members[shape.payload]
    return {shape.payload: body if member.type == "blob" else values.decode(member, load(body))}


def _from_text(shape: Shape, text: str) -> Any:
    """Read a value that travels in a path, a query string or a header."""
    if shape.traits.get("jsonvalue"):
        return load(values.decode_base64(text))
    return values.from_text(shape, text)


def build(operation: Operation, result: Result, request_id: str) -> HttpResponse:
    """Return *result* with its members in the status line, headers and body where the model puts them."""
    headers = [("x-amzn-requestid", request_id)]
    shape = operation.output
    if shape is None:
        return HttpResponse(operation.status, tuple(headers))
    status = operation.status
    for name, member in shape.members.items():
        value = result.get(name)
        if value is None:
            continue
        if member.location == "statusCode":
            status = value
        elif member.location == "header":
            headers.append((shape.wire_name(name).lower(), _to_text(value)))
    headers.append(("content-type", "application/json"))
    return HttpResponse(status, tuple(headers), _body(shape, result))


def _body(shape: Shape, result: Result) -> bytes:
    if shape.payload is None:
        return dump(values.encode(shape, result))
    content = result.get(shape.payload)
    if isinstance(content, bytes):
        return content
    return dump(values.encode(shape.members[shape.payload], content)) if content is not None else b""


def _to_text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
