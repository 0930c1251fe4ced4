"""Reads `iotauth.yaml`: a flat mapping, every value taken as it is written.

As written means that `account: 012345678901` is not an octal number and `region: no` is not
a boolean: what a value means is decided by the setting, not by its spelling.
"""

from __future__ import annotations

import re
from typing import Any

from iotauth_cli.errors import ConfigError

Entries = dict[str, tuple[str | None, int]]  # setting: (its text, its line)

# A project's file is usually a few plain words, and importing yaml for them would cost every
# command as much as starting Python does. Whatever is not obviously plain goes to yaml.
PLAIN_LINE = re.compile(r"([a-z_]+):(?: +([A-Za-z0-9/_.][A-Za-z0-9/_.@=+-]*))? *")
NULL = "tag:yaml.org,2002:null"
COMMENT = re.compile(r"(?:^| )#.*")


def parse(text: str, name: str) -> Entries:
    """Return what *text* sets; an empty or `null` value is None. *name* is the file's, for the errors.

    Raises:
        ConfigError: broken YAML, or a list or mapping where text belongs; the line is named.
    """
    entries = parse_plain(text)
    return parse_yaml(text, name) if entries is None else entries


def parse_plain(text: str) -> Entries | None:
    """Read `key: word` lines and comments; None if anything else stands there."""
    entries: Entries = {}
    for number, line in enumerate(text.split("\n"), start=1):
        content = COMMENT.sub("", line)
        if not content.strip(" "):
            continue
        match = PLAIN_LINE.fullmatch(content)
        if match is None or match[1] in entries:
            return None
        entries[match[1]] = (None if match[2] in (None, "null", "Null", "NULL") else match[2], number)
    return entries


def parse_yaml(text: str, name: str) -> Entries:
    """Read any flat YAML mapping."""
    import yaml

    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.YAMLError as problem:
        raise broken(name, problem) from problem
    if root is None or root.tag == NULL:
        return {}
    if not isinstance(root, yaml.MappingNode):
        raise ConfigError(f"{name} does not hold settings", hint="they look like `table: iotauth-clients`")
    entries: Entries = {}
    for key, value in root.value:
        where = f"{name}, line {key.start_mark.line + 1}"
        if not isinstance(key, yaml.ScalarNode):
            raise ConfigError(f"{where}: the name of a setting must be text")
        if not isinstance(value, yaml.ScalarNode):
            kind = "list" if isinstance(value, yaml.SequenceNode) else "mapping"
            raise ConfigError(f"{where}: `{key.value}` must be text, not a {kind}")
        if key.value in entries:
            raise ConfigError(f"{where}: `{key.value}` is set a second time")
        text_or_none = None if value.tag == NULL else value.value
        entries[key.value] = (text_or_none, key.start_mark.line + 1)
    return entries


def broken(name: str, problem: Any) -> ConfigError:
    mark = getattr(problem, "problem_mark", None)
    where = f"{name}, line {mark.line + 1}" if mark else name
    reason = getattr(problem, "problem", None) or "unreadable characters"
    return ConfigError(f"{where}: not YAML: {reason}", hint="settings look like `table: iotauth-clients`")
