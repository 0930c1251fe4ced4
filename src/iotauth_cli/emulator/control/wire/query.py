"""AWS's query protocol: STS, IAM, CloudFormation. A form goes in (``Tags.member.1.Key=team``), XML comes out."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable
from typing import Any
from urllib.parse import parse_qsl

from iotauth_cli.emulator.control.service import Parameters, Result
from iotauth_cli.emulator.control.wire import values
from iotauth_cli.emulator.control.wire.models import Operation, ServiceModel, Shape
from iotauth_cli.emulator.model import HttpRequest, HttpResponse

ESCAPES = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;"})
NOT_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")  # XML 1.0, section 2.2

Tree = dict[str, Any]  # a form's dotted names, as nested dicts; the leaves are texts


def operation_name(request: HttpRequest, model: ServiceModel | None) -> str | None:
    return next((value for name, value in _pairs(request) if name == "Action"), None)


def parse(operation: Operation, request: HttpRequest) -> Parameters:
    """Read the form, from the body or the query string, as the operation's input.

    Raises:
        ServiceError: a value cannot be read as its type.
    """
    if operation.input is None:
        return {}
    parameters: Parameters = _decode(operation.input, _tree(_pairs(request)))
    return parameters


def _pairs(request: HttpRequest) -> list[tuple[str, str]]:
    query = request.target.partition("?")[2]
    form = request.body.decode("utf-8", "replace")
    return parse_qsl(query, keep_blank_values=True) + parse_qsl(form, keep_blank_values=True)


def _tree(pairs: Iterable[tuple[str, str]]) -> Tree:
    """Nest dotted names; where a name is both a leaf and a branch, the branch wins."""
    root: Tree = {}
    for name, value in pairs:
        *branches, leaf = name.split(".")
        node = root
        for branch in branches:
            if not isinstance(node.get(branch), dict):
                node[branch] = {}
            node = node[branch]
        if not isinstance(node.get(leaf), dict):
            node[leaf] = value
    return root


def _decode(shape: Shape, node: Any) -> Any:
    if shape.type == "structure":
        return _decode_structure(shape, node if isinstance(node, dict) else {})
    if shape.type == "list":
        return _decode_list(shape, node if isinstance(node, dict) else {})
    if shape.type == "map":
        return _decode_map(shape, node if isinstance(node, dict) else {})
    if isinstance(node, dict):
        raise values.serialization_error("Start of structure or map found where not expected")
    return values.from_text(shape, node)


def _decode_structure(shape: Shape, node: Tree) -> dict[str, Any]:
    return {
        name: _decode(member, node[wire_name])
        for name, (wire_name, member) in shape.body_members.items()
        if wire_name in node
    }


def _decode_list(shape: Shape, node: Tree) -> list[Any]:
    items = node if shape.traits.get("flattened") else _branch(node, _element_name(shape))
    return [_decode(shape.element, item) for item in _in_order(items)]


def _decode_map(shape: Shape, node: Tree) -> dict[str, Any]:
    entries = node if shape.traits.get("flattened") else _branch(node, "entry")
    key, value = _entry_names(shape)
    return {
        entry[key]: _decode(shape.value, entry[value])
        for entry in _in_order(entries)
        if isinstance(entry, dict) and key in entry and value in entry
    }


def _branch(node: Tree, name: str) -> Tree:
    found = node.get(name)
    return found if isinstance(found, dict) else {}


def _in_order(node: Tree) -> list[Any]:
    numbered = ((int(name), item) for name, item in node.items() if name.isascii() and name.isdigit())
    return [item for _, item in sorted(numbered, key=lambda pair: pair[0])]


def _element_name(shape: Shape) -> str:
    name: str = shape.element.traits.get("locationName", "member")
    return name


def _entry_names(shape: Shape) -> tuple[str, str]:
    return (
        shape.key.traits.get("locationName", "key"),
        shape.value.traits.get("locationName", "value"),
    )


def build(operation: Operation, result: Result, request_id: str) -> HttpResponse:
    namespace = operation.metadata["xmlNamespace"]
    inner = _members(operation.output, result) if operation.output else ""
    if operation.result_wrapper:
        inner = _element(operation.result_wrapper, inner)
    body = (
        f'<{operation.name}Response xmlns="{namespace}">{inner}'
        f"<ResponseMetadata><RequestId>{request_id}</RequestId></ResponseMetadata></{operation.name}Response>"
    )
    return HttpResponse(200, (("content-type", "text/xml"), ("x-amzn-requestid", request_id)), body.encode())


def _members(shape: Shape, value: Any) -> str:
    return "".join(
        _encode(member, wire_name, value[name])
        for name, (wire_name, member) in shape.body_members.items()
        if value.get(name) is not None
    )


def _encode(shape: Shape, name: str, value: Any) -> str:
    if shape.type == "structure":
        return _element(name, _members(shape, value))
    if shape.type == "list":
        return _encode_list(shape, name, value)
    if shape.type == "map":
        return _encode_map(shape, name, value)
    return _element(name, xml_text(_text(shape, value)))


def _encode_list(shape: Shape, name: str, items: list[Any]) -> str:
    if shape.traits.get("flattened"):
        return "".join(_encode(shape.element, name, item) for item in items)
    element = _element_name(shape)
    return _element(name, "".join(_encode(shape.element, element, item) for item in items))


def _encode_map(shape: Shape, name: str, entries: dict[str, Any]) -> str:
    key_name, value_name = _entry_names(shape)
    written = [
        _encode(shape.key, key_name, key) + _encode(shape.value, value_name, value) for key, value in entries.items()
    ]
    if shape.traits.get("flattened"):
        return "".join(_element(name, entry) for entry in written)
    return _element(name, "".join(_element("entry", entry) for entry in written))


def _text(shape: Shape, value: Any) -> str:
    if shape.type == "boolean":
        return "true" if value else "false"
    if shape.type == "timestamp":
        return str(values.format_timestamp(value, shape.traits.get("timestampFormat", "iso8601")))
    if shape.type == "blob":
        return base64.b64encode(value).decode("ascii")
    return str(value)


def xml_text(text: str) -> str:
    """Escape *text* for XML; a character that XML cannot carry becomes a replacement character."""
    return NOT_XML.sub("\ufffd", text).translate(ESCAPES)


def _element(name: str, content: str) -> str:
    return f"<{name}>{content}</{name}>"
