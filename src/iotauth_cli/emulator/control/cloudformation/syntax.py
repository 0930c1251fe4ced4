"""Template text, JSON or YAML, as plain values."""

from __future__ import annotations

import json
from typing import Any

from iotauth_cli.emulator.control.cloudformation.errors import template_error

MAX_TEMPLATE = 1_000_000  # characters; CloudFormation's limit for a template from S3
MAX_DEPTH = 100  # levels; CloudFormation has a limit too and does not tell it

Value = Any  # what JSON can say


def parse(text: str, *, with_aliases: bool = False) -> dict[str, Value]:
    """Read template *text*; *with_aliases* is for a file of the user's own, as AWS's tools read it.

    Raises:
        ServiceError: ValidationError; it is neither JSON nor YAML, no mapping, or nested too deeply.
    """
    if len(text) > MAX_TEMPLATE:
        raise template_error(f"the template is longer than {MAX_TEMPLATE} characters")
    found = _load_json(text) if text.lstrip().startswith("{") else _load_yaml(text, with_aliases)
    if not isinstance(found, dict):
        raise template_error("unsupported structure.")
    _check_depth(found, MAX_DEPTH)
    return found


def build(template: dict[str, Value]) -> str:
    """Return *template* as text that `parse` reads back."""
    return json.dumps(template, ensure_ascii=False, separators=(",", ":"))


def _load_json(text: str) -> Value:
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise template_error(f"JSON not well-formed. (line {error.lineno}, column {error.colno})") from error
    except RecursionError as error:
        raise _too_deep() from error
    except ValueError as error:  # a number of more digits than Python reads
        raise template_error("JSON not well-formed.") from error


def _load_yaml(text: str, with_aliases: bool) -> Value:
    from iotauth_cli.emulator.control.cloudformation import yaml_syntax

    return yaml_syntax.load(text, with_aliases=with_aliases)


def _check_depth(value: Value, left: int) -> None:
    if left == 0:
        raise _too_deep()
    if isinstance(value, (dict, list)):
        for each in value.values() if isinstance(value, dict) else value:
            _check_depth(each, left - 1)


def _too_deep() -> Exception:
    return template_error(f"the template is nested more than {MAX_DEPTH} levels deep.")
