"""Templates in YAML. Apart from `syntax`, because PyYAML takes 35 ms to load and most starts need none of it.

YAML as CloudFormation reads it differs from PyYAML's in one thing that bites: dates. A policy's
``Version: 2012-10-17`` is text and stays text.
"""

from __future__ import annotations

from typing import Any

import yaml

from iotauth_cli.emulator.control.cloudformation.errors import template_error

WITHOUT_PREFIX = ("Ref", "Condition")  # all other short forms stand for ``Fn::…``
TIMESTAMP = "tag:yaml.org,2002:timestamp"


class _Loader(yaml.SafeLoader):
    """PyYAML's loader without dates and with CloudFormation's tags."""

    yaml_implicit_resolvers = {  # noqa: RUF012 (PyYAML's own attribute)
        first: [(tag, pattern) for tag, pattern in resolvers if tag != TIMESTAMP]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }


class _PlainLoader(_Loader):
    """The same without aliases, which CloudFormation does not take: a few lines of them can mean gigabytes."""

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        if self.check_event(yaml.AliasEvent):
            mark = self.peek_event().start_mark  # type: ignore[no-untyped-call]
            raise yaml.composer.ComposerError(None, None, "aliases are not supported", mark)
        return super().compose_node(parent, index)


def load(text: str, *, with_aliases: bool) -> Any:
    """Return what *text* means, the short forms ``!Ref`` and ``!Sub`` as their long ones.

    Raises:
        ServiceError: ValidationError; it is no YAML, and where.
    """
    try:
        return yaml.load(text, _Loader if with_aliases else _PlainLoader)
    except (yaml.YAMLError, ValueError, TypeError, RecursionError) as error:
        raise template_error(f"YAML not well-formed.{_place(error)}") from error


def _construct_short_form(loader: _Loader, suffix: str, node: yaml.Node) -> Any:
    name = suffix if suffix in WITHOUT_PREFIX else f"Fn::{suffix}"
    if isinstance(node, yaml.SequenceNode):
        return {name: loader.construct_sequence(node, deep=True)}
    if isinstance(node, yaml.MappingNode):
        return {name: loader.construct_mapping(node, deep=True)}
    assert isinstance(node, yaml.ScalarNode)
    text = loader.construct_scalar(node)
    return {name: text.split(".", 1) if suffix == "GetAtt" else text}


def _construct_mapping(loader: _Loader, node: yaml.MappingNode) -> Any:
    keys = [loader.construct_object(key, deep=True) for key, _ in node.value]
    repeated = next((key for number, key in enumerate(keys) if key in keys[:number]), None)
    if repeated is not None:
        raise yaml.constructor.ConstructorError(None, None, f"duplicate key {repeated!r}", node.start_mark)
    return {str(key): value for key, value in loader.construct_mapping(node, deep=True).items()}


_Loader.add_multi_constructor("!", _construct_short_form)
_Loader.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, _construct_mapping)


def _place(error: Exception) -> str:
    mark = getattr(error, "problem_mark", None)
    return f" (line {mark.line + 1}, column {mark.column + 1})" if mark else ""
