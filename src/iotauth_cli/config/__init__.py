"""Settings: what they are, where each came from, and which outside world they point to.

First found wins: flag, `IOTAUTH_*` variable, `iotauth.yaml` here or in the nearest parent, the
user's own file, AWS's own places (variables, `~/.aws/config`), default. Secrets are never
read from a file of ours.

The emulator is an address, not a mode: `Settings.target` decides once whether that is the
emulator's or AWS's, and no other module asks again.

Every command loads this, so its values are named tuples: a dataclass takes a millisecond to make.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from iotauth_cli.config import aws_files
from iotauth_cli.config.aws_files import home
from iotauth_cli.config.file import parse
from iotauth_cli.config.target import Target, aws_target, emulator_target, store_name
from iotauth_cli.errors import ConfigError, did_you_mean
from iotauth_cli.files import read_text

__all__ = ["DEFAULTS", "FILE_NAME", "Settings", "Target", "load"]

FILE_NAME = "iotauth.yaml"
DEFAULTS: Mapping[str, str | None] = {
    "authorizer": "iotauth",
    "table": "iotauth-clients",
    "function": "iotauth-authorizer",
    "region": None,
    "profile": None,
    "emulator": "false",
    "account": None,
    "state_dir": None,
    "port": None,
    "control_port": None,
}
# The order is the AWS CLI's: for profiles that of botocore, which does not know AWS_REGION, as all other SDKs do.
AWS_VARIABLES = {"region": ("AWS_REGION", "AWS_DEFAULT_REGION"), "profile": ("AWS_DEFAULT_PROFILE", "AWS_PROFILE")}
YES = ("true", "yes", "on", "1")
NO = ("false", "no", "off", "0")
MAX_PORT = 65_535


class Settings(NamedTuple):
    """Every setting with a value; *sources* says for each where it came from.

    *state_dir* is the emulator's; so are the ports, None for its own choice. *project_dir* is where
    `iotauth.yaml` lies, else where the command was called; `.iotauth` is kept there.
    """

    authorizer: str
    table: str
    function: str
    region: str | None
    profile: str | None
    emulator: bool
    account: str | None
    state_dir: Path
    port: int | None
    control_port: int | None
    project_dir: Path
    sources: Mapping[str, str]

    @property
    def store_name(self) -> str:
        """What the private files of the target are named after, `Target.store_name`, before it is asked for.

        Raises:
            ConfigError: AWS is meant and the region is nowhere to be found.
        """
        return store_name(self)

    def target(self, environ: Mapping[str, str]) -> Target:
        """Return the outside world that these settings mean.

        Raises:
            EmulatorError: the emulator is meant and does not run.
            ConfigError: AWS is meant and the region is nowhere to be found, or `--region` and the emulator differ.
        """
        return emulator_target(self) if self.emulator else aws_target(self, environ)


class Found(NamedTuple):
    """A setting as it was written, where, and the folder that its relative paths count from."""

    text: str | None
    source: str
    folder: Path


Layer = Mapping[str, Found]


def load(flags: Mapping[str, Any], environ: Mapping[str, str], cwd: Path) -> Settings:
    """Gather every setting from the places that the module's first lines name.

    *flags* holds the flags that were given, by name; others in it are left alone.

    Raises:
        ConfigError: a file or a value in it is broken; file and line are named.
    """
    project_file = find_project_file(flags, environ, cwd)
    files = [path for path in (project_file, user_file(environ)) if path]
    layers = [
        flag_layer(flags, cwd),
        variable_layer(environ, cwd),
        *(file_layer(path, shown(path, environ, cwd)) for path in files),
        aws_layer(environ, cwd),
        {key: Found(text, "default", cwd) for key, text in DEFAULTS.items()},
    ]
    found = {key: next(layer[key] for layer in layers if key in layer) for key in DEFAULTS}
    emulator = boolean(found["emulator"])
    if found["region"].text is None and not emulator:
        found["region"] = region_of_profile(found["profile"], environ, cwd)
    return Settings(
        authorizer=str(found["authorizer"].text),
        table=str(found["table"].text),
        function=str(found["function"].text),
        region=region(found["region"]),
        profile=found["profile"].text,
        emulator=emulator,
        account=account(found["account"]),
        state_dir=state_directory(found["state_dir"], environ),
        port=port("port", found["port"]),
        control_port=port("control_port", found["control_port"]),
        project_dir=project_file.parent if project_file else cwd,
        sources={key: value.source for key, value in found.items()},
    )


def find_project_file(flags: Mapping[str, Any], environ: Mapping[str, str], cwd: Path) -> Path | None:
    """Return the file that was named, else `iotauth.yaml` here or in the nearest parent."""
    named = flags.get("config") or environ.get("IOTAUTH_CONFIG")
    if named:
        path = (cwd / named).resolve()
        if not path.is_file():
            raise ConfigError(f"there is no file `{named}`", hint="write one with `iotauth init`")
        return path
    folders = (cwd, *cwd.parents)
    return next((folder / FILE_NAME for folder in folders if (folder / FILE_NAME).is_file()), None)


def user_file(environ: Mapping[str, str]) -> Path:
    base = environ.get("XDG_CONFIG_HOME")
    return (Path(base) if base else home(environ) / ".config") / "iotauth" / "config.yaml"


def flag_layer(flags: Mapping[str, Any], cwd: Path) -> Layer:
    given = {key: flags[key] for key in DEFAULTS if flags.get(key) is not None}
    return {
        key: Found(str(value), ("--no-" if value is False else "--") + key.replace("_", "-"), cwd)
        for key, value in given.items()
    }


def variable_layer(environ: Mapping[str, str], cwd: Path) -> Layer:
    names = {key: f"IOTAUTH_{key.upper()}" for key in DEFAULTS}
    return {key: Found(environ[name], name, cwd) for key, name in names.items() if environ.get(name)}


def shown(path: Path, environ: Mapping[str, str], cwd: Path) -> str:
    """Return *path* as a person would write it here."""
    if path.is_relative_to(cwd):
        return str(path.relative_to(cwd))
    return str(Path("~") / path.relative_to(home(environ))) if path.is_relative_to(home(environ)) else str(path)


def file_layer(path: Path, name: str) -> Layer:
    text = read_text(path)
    if text is None:
        return {}
    entries = parse(text, name)
    for key, (_, line) in entries.items():
        if key not in DEFAULTS:
            raise unknown(key, name, line)
    return {
        key: Found(value, f"{name}, line {line}", path.parent)
        for key, (value, line) in entries.items()
        if value is not None
    }


def unknown(key: str, name: str, line: int) -> ConfigError:
    hint = did_you_mean(key, DEFAULTS, f"the settings are {', '.join(DEFAULTS)}")
    return ConfigError(f"{name}, line {line}: unknown setting `{key}`", hint=hint)


def aws_layer(environ: Mapping[str, str], cwd: Path) -> Layer:
    set_ = {key: [name for name in names if environ.get(name)] for key, names in AWS_VARIABLES.items()}
    return {key: Found(environ[names[0]], names[0], cwd) for key, names in set_.items() if names}


def region_of_profile(profile: Found, environ: Mapping[str, str], cwd: Path) -> Found:
    """Look the region up in AWS's own files, as boto3 would, without boto3."""
    found = aws_files.region_of(profile.text, environ, lambda path: shown(path, environ, cwd))
    if found is None:
        return Found(None, "default", cwd)
    return Found(found.text, found.source, cwd)


def region(found: Found) -> str | None:
    """Hold a region to what can be part of a host's name: an address is made of it."""
    if found.text is not None and not re.fullmatch(r"(?=.{1,63}\Z)[a-z0-9]+(-[a-z0-9]+){0,5}", found.text):
        raise ConfigError(
            f"{found.source}: `{found.text}` is not the name of an AWS region",
            hint="it looks like eu-west-1; see which there are: `aws account list-regions`",
        )
    return found.text


def boolean(found: Found) -> bool:
    text = str(found.text).lower()
    if text not in YES + NO:
        raise ConfigError(f"{found.source}: `emulator` must be true or false, not `{found.text}`")
    return text in YES


def account(found: Found) -> str | None:
    if found.text is not None and not re.fullmatch(r"[0-9]{12}", found.text):
        raise ConfigError(f"{found.source}: `account` must have 12 digits, not `{found.text}`")
    return found.text


def port(key: str, found: Found) -> int | None:
    if found.text is None:
        return None
    if not found.text.isascii() or not found.text.isdigit() or int(found.text) > MAX_PORT:
        raise ConfigError(f"{found.source}: `{key}` must be a number from 0 to {MAX_PORT}, not `{found.text}`")
    return int(found.text)


def state_directory(found: Found, environ: Mapping[str, str]) -> Path:
    """Return the emulator's directory; a relative path counts from where it was written."""
    if found.text is None:
        base = environ.get("XDG_STATE_HOME")
        return (Path(base) if base else home(environ) / ".local" / "state") / "iotauth" / "emulator"
    if found.text.startswith("~/"):
        return home(environ) / found.text[2:]
    return found.folder / found.text
