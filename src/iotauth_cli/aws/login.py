"""boto3's own way to keys, with two things of ours: who is asked for an MFA code, and where a role's keys are kept.

Everything else of the chain is botocore's and stays so. Assumed roles are kept where the AWS CLI keeps them,
`~/.aws/cli/cache`, files of mode 0600: a role with MFA would else want a code for every command, and no code counts
twice. So whoever has typed one for `aws` or for `iotauth` has typed it for both until the role's session ends.
"""

from __future__ import annotations

import contextlib
import re
import shlex
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from iotauth_cli.errors import ConfigError

if TYPE_CHECKING:
    from iotauth_cli.config import Target

CACHE = "~/.aws/cli/cache"
CACHED = ("assume-role", "assume-role-with-web-identity", "sso")  # the providers whose keys the AWS CLI keeps there
CODE = re.compile(r"\d{6}")  # AssumeRole, TokenCode
SERIAL = re.compile(r"Enter MFA code for (\S+): ")  # botocore's question

# What a profile has that is logged in to, and the command that does it.
LOGINS = {"sso_session": "sso login", "sso_start_url": "sso login", "login_session": "login"}

Ask = Callable[[str], str]


def botocore_session(target: Target, ask: Ask | None) -> Any:
    """Return a session of botocore's for *target*; *ask* asks whoever sits there, None if nobody does."""
    import botocore.session

    session = botocore.session.get_session()
    if target.access_key:  # there is nothing to look for
        return session
    if target.profile:
        session.set_config_variable("profile", target.profile)
    session.set_config_variable("region", target.region)  # that of the services that hand out keys, too
    chain = session.get_component("credential_provider")
    for provider in chain.providers:
        if provider.METHOD in CACHED:
            provider.cache = kept(str(Path(CACHE).expanduser()))
        if provider.METHOD == "assume-role":
            provider._prompter = mfa_prompter(target, ask)
    return session


def mfa_prompter(target: Target, ask: Ask | None) -> Ask:
    """Return what botocore calls when a role wants an MFA code."""

    def prompt(question: str) -> str:
        found = SERIAL.fullmatch(question)
        device = found[1] if found else "your device"
        if ask is None:
            raise ConfigError(
                f"{whose(target)} wants an MFA code of `{device}`, and nobody can be asked for it",
                hint=f"type it for `{target.aws_command} sts get-caller-identity` at a terminal; it counts here too",
            )
        code = ask(f"MFA code of {device}: ").strip()
        if not CODE.fullmatch(code):
            raise ConfigError("an MFA code has 6 digits", hint="run the same command again")
        return code

    return prompt


def whose(target: Target) -> str:
    name = target.profile_in_use
    return f"profile `{name}`" if name else "the AWS profile"


@cache
def kept(folder: str) -> Any:
    """Return the AWS CLI's store of keys in *folder*; where that cannot be written, keys are kept while we run."""
    from botocore.utils import JSONFileCache

    class Kept(JSONFileCache):
        def __init__(self) -> None:
            super().__init__(folder)
            self.meanwhile: dict[str, Any] = {}

        def __contains__(self, key: str) -> bool:
            # botocore looks first and then reads, and a file that is broken would end the program.
            try:
                return isinstance(self[key], dict)
            except KeyError:
                return False

        def __getitem__(self, key: str) -> Any:
            return self.meanwhile[key] if key in self.meanwhile else super().__getitem__(key)

        def __setitem__(self, key: str, value: Any) -> None:
            try:
                super().__setitem__(key, value)
            except OSError:
                self.meanwhile[key] = value

    return Kept()


def command(target: Target, otherwise: str) -> str:
    """Return the command that logs in again: for the profile at the end of a chain of roles, since only that can.

    *otherwise* is the AWS CLI's command for a profile that says of no login.
    Never fails: an error that is about to be told must not make room for another.
    """
    start = target.profile_in_use or "default"
    profiles: Mapping[str, Any] = {}
    with contextlib.suppress(Exception):
        import botocore.session

        profiles = botocore.session.get_session().full_config.get("profiles", {})
    for name in chain(start, profiles):
        words = next((words for key, words in LOGINS.items() if key in profiles.get(name, {})), None)
        if words is not None:
            return f"`aws {words}{named(name)}`"
    return f"`aws {otherwise}{named(start)}`"


def chain(name: str, profiles: Mapping[str, Any]) -> Iterator[str]:
    """Yield profile *name* and those whose keys it is given, to the last."""
    seen: set[str] = set()
    while name not in seen:
        yield name
        seen.add(name)
        name = profiles.get(name, {}).get("source_profile", name)


def named(profile: str) -> str:
    return "" if profile == "default" else f" --profile {shlex.quote(profile)}"
