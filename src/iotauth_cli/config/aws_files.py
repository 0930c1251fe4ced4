"""AWS's own two files, `~/.aws/config` and `~/.aws/credentials`, as far as they matter before boto3 is asked.

Only what is no secret is taken out of them: a region, and whether anything is said about endpoints.
How sections are found is botocore's: `[default]`, `[profile dev]`, `[profile "my dev"]`; in the credentials file a
section is a profile's bare name, and what it says wins.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from iotauth_cli.errors import ConfigError, InputError
from iotauth_cli.files import read_text

DEFAULT = "default"
# What changes where a call goes, or whom to trust there, with the value that does; empty is any.
# Source: botocore's configprovider. `regional` is its default for STS, and stands in many files.
ENDPOINT_VARIABLES = {
    "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "",
    "AWS_STS_REGIONAL_ENDPOINTS": "legacy",
    "AWS_USE_DUALSTACK_ENDPOINT": "true",
    "AWS_USE_FIPS_ENDPOINT": "true",
}
ENDPOINT_LINE = re.compile(
    r"^\s*(?:(?:ca_bundle|endpoint_url|ignore_configured_endpoint_urls|services)\s*[=:]"
    r"|sts_regional_endpoints\s*[=:]\s*legacy|use_(?:dualstack|fips)_endpoint\s*[=:]\s*true)",
    re.MULTILINE | re.IGNORECASE,
)


class File(NamedTuple):
    """One of the two. *text* is None where there is no such file."""

    path: Path
    text: str | None
    has_bare_names: bool  # `[dev]`, and not `[profile dev]`

    def profile_of(self, section: str) -> str | None:
        """Return whose settings the section named *section* holds, if it is a profile's."""
        if self.has_bare_names or section == DEFAULT:
            return section
        try:
            words = shlex.split(section)
        except ValueError:  # a quote that does not end; botocore passes over it too
            return None
        return words[1] if len(words) == 2 and words[0] == "profile" else None


class Value(NamedTuple):
    text: str
    source: str  # "~/.aws/config, [profile dev]"


def home(environ: Mapping[str, str]) -> Path:
    named = environ.get("HOME") or environ.get("USERPROFILE")
    return Path(named) if named else Path.home()


def files(environ: Mapping[str, str]) -> Iterator[File]:
    """Yield the two files, the one that wins first."""
    places = (("AWS_SHARED_CREDENTIALS_FILE", "credentials", True), ("AWS_CONFIG_FILE", "config", False))
    for variable, name, has_bare_names in places:
        named = environ.get(variable)
        path = Path(named).expanduser() if named else home(environ) / ".aws" / name
        yield File(path, read_text(path), has_bare_names)


def region_of(profile: str | None, environ: Mapping[str, str], shown: Callable[[Path], str]) -> Value | None:
    """Return the region that *profile*, or the default one, has. *shown* names a file as a person would.

    Raises:
        ConfigError: a file is no INI file. Its lines are not repeated, since they may hold keys.
    """
    for file in files(environ):
        if file.text is not None and (found := value(file, profile or DEFAULT, "region", shown(file.path))):
            return found
    return None


def value(file: File, profile: str, key: str, name: str) -> Value | None:
    import configparser

    parser = configparser.RawConfigParser(strict=False)
    try:
        parser.read_string(file.text or "")
    except configparser.Error as problem:
        reason = re.split(r"[.\n:]", problem.message)[0]
        # `from None`: the cause quotes a line.
        raise ConfigError(f"{name} is broken: {reason[:1].lower()}{reason[1:]}") from None
    sections = [section for section in parser.sections() if file.profile_of(section) == profile]
    if not sections:
        return None
    section = sections[-1]  # `[profile default]` replaces a `[default]` above it
    text = parser.get(section, key, fallback=None)
    return Value(text, f"{name}, [{section}]") if text else None


def says_endpoints(environ: Mapping[str, str]) -> bool:
    """Tell whether anything is set that makes a service answer elsewhere than at its usual name.

    `AWS_ENDPOINT_URL…` is not meant: it says itself where. A section of another profile counts too: boto3 is then
    asked where to go, and knows better.
    """
    if any(environ.get(name) and value in (environ[name].lower(), "") for name, value in ENDPOINT_VARIABLES.items()):
        return True
    try:
        return any(ENDPOINT_LINE.search(file.text) for file in files(environ) if file.text)
    except InputError:  # a file that cannot be read: boto3 is asked, and says so if it minds
        return True
