"""The outside world that the settings mean: AWS, or the emulator that speaks in its place."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from iotauth_cli.config.aws_files import says_endpoints
from iotauth_cli.errors import ConfigError, EmulatorError
from iotauth_cli.files import read_text
from iotauth_cli.secret import Secret

if TYPE_CHECKING:
    from iotauth_cli.config import Settings


PROFILE = "profile "  # a profile's name behind it, where it is said where keys come from


class Target(NamedTuple):
    """Where calls go and devices connect, and how to get in.

    The keys are None where boto3 has to find them (profile, SSO). *data_host* is None where AWS
    has to be asked for the endpoint. *store_name* names the credentials kept for this target.
    *aws_command* is how a shell calls the AWS CLI for the same place. The *…_source* say who chose
    region and account, where somebody did; *keys_from* says in words where the keys are found.
    """

    label: str  # "the emulator", "AWS eu-west-1"
    region: str
    store_name: str
    profile: str | None = None
    account: str | None = None  # the only account that is meant, if that was said
    account_source: str | None = None  # None: the account is known, and nobody's keys need be held to it
    region_source: str | None = None
    keys_from: str | None = None
    endpoint_url: str | None = None
    table_url: str | None = None  # DynamoDB alone, for the light client
    table_ca: str | None = None  # the roots to trust there, if not Amazon's and the system's
    identity_url: str | None = None  # STS alone, for the light client too
    has_own_endpoints: bool = False  # something is set that only boto3 can turn into addresses
    access_key: str | None = None
    secret_key: Secret | None = None
    session_token: Secret | None = None
    ca_file: Path | None = None
    data_host: str | None = None
    data_port: int = 443
    aws_command: str = "aws"
    when_unreachable: str = "check the network, the region and the proxy"

    @property
    def profile_in_use(self) -> str | None:
        """The profile that the keys come from, asked for or named by AWS_PROFILE; None if that is none, or any."""
        if self.profile or not (self.keys_from or "").startswith(PROFILE):
            return self.profile
        return str(self.keys_from).removeprefix(PROFILE)


EMULATORS_STORE = "emulator"


def is_profile_asked_for(settings: Settings) -> bool:
    """Tell whether to use the profile: one that was asked for beats keys in the environment, as with boto3.

    AWS_PROFILE does not.
    """
    return bool(settings.profile) and not settings.sources.get("profile", "").startswith("AWS_")


def store_name(settings: Settings) -> str:
    """Return what the private files of the settings' target are named after, whether it can be reached or not.

    Raises:
        ConfigError: AWS is meant and the region is nowhere to be found.
    """
    if settings.emulator:
        return EMULATORS_STORE
    if settings.region is None and settings.profile:
        raise ConfigError(
            f"no AWS region is set, and profile `{settings.profile}` has none",
            hint="see `aws configure list-profiles` for its name, or choose a region: `--region eu-west-1`",
        )
    if settings.region is None:
        raise ConfigError(
            "no AWS region is set",
            hint="set region and keys with `aws configure`, or work without AWS: add `--emulator`",
        )
    return f"aws-{settings.region}" + (f"-{settings.profile}" if is_profile_asked_for(settings) else "")


def aws_target(settings: Settings, environ: Mapping[str, str]) -> Target:
    name = store_name(settings)
    assert settings.region is not None  # else there were no name
    asked_for = is_profile_asked_for(settings)
    keys = {} if asked_for else keys_in(environ)
    return Target(
        label=f"AWS {settings.region}",
        region=settings.region,
        store_name=name,
        profile=settings.profile if asked_for else None,
        account=settings.account,
        account_source=settings.sources["account"] if settings.account else None,
        region_source=settings.sources["region"],
        keys_from=keys_from(settings, keys),
        table_url=endpoint_url("DYNAMODB", environ),
        table_ca=environ.get("AWS_CA_BUNDLE") or None,
        identity_url=endpoint_url("STS", environ),
        has_own_endpoints=says_endpoints(environ),
        aws_command=f"aws --region {settings.region}" + (f" --profile {settings.profile}" if asked_for else ""),
        **keys,
    )


def endpoint_url(service: str, environ: Mapping[str, str]) -> str | None:
    """Return where the environment says that *service* answers; these variables win over whatever a file says."""
    if environ.get("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS"):  # unless boto3 takes that for a yes
        return None
    return environ.get(f"AWS_ENDPOINT_URL_{service}") or environ.get("AWS_ENDPOINT_URL") or None


def keys_from(settings: Settings, keys: Mapping[str, Any]) -> str | None:
    """Return whose keys are used: `profile work`, or those of the environment; None if it is boto3 that finds some."""
    if keys:
        return "keys of AWS_ACCESS_KEY_ID"
    return f"{PROFILE}{settings.profile}" if settings.profile else None


def keys_in(environ: Mapping[str, str]) -> dict[str, Any]:
    access, secret = environ.get("AWS_ACCESS_KEY_ID"), environ.get("AWS_SECRET_ACCESS_KEY")
    if not (access and secret):
        return {}
    token = environ.get("AWS_SECURITY_TOKEN") or environ.get("AWS_SESSION_TOKEN")  # in botocore's order
    return {
        "access_key": access,
        "secret_key": Secret(secret),
        "session_token": Secret(token) if token else None,
    }


def emulator_target(settings: Settings) -> Target:
    found = ready_file(settings.state_dir)
    # A region of the settings is AWS's, for the day when `emulator` is false; one that was typed is meant now.
    if settings.sources.get("region") == "--region" and settings.region != found["region"]:
        raise ConfigError(
            f"the emulator plays region `{found['region']}`, and `--region {settings.region}` is meant",
            hint=f"leave `--region` out, or stop it and start it anew: `iotauth emulator start --region "
            f"{settings.region}`",
        )
    return Target(
        label="the emulator",
        region=found["region"],
        store_name=EMULATORS_STORE,
        account=found["account"],
        endpoint_url=found["control_endpoint"],
        table_url=found["control_endpoint"],
        identity_url=found["control_endpoint"],
        access_key="IOTAUTHEMULATOR",
        secret_key=Secret("emulator"),  # the emulator's own, the same everywhere
        ca_file=Path(found["ca_file"]),
        data_host=found["data_endpoint"]["host"],
        data_port=found["data_endpoint"]["port"],
        aws_command='eval "$(iotauth emulator env)"; aws',
        when_unreachable="see `iotauth emulator status`",
    )


def ready_file(state_dir: Path) -> dict[str, Any]:
    """Read what the running emulator says about itself.

    Raises:
        EmulatorError: nothing there, or it died without clearing up.
    """
    import json

    start = "start it with `iotauth emulator start`"
    text = read_text(state_dir / "emulator.json")
    if text is None:
        raise EmulatorError("the emulator is not running", hint=start)
    try:
        found: dict[str, Any] = json.loads(text)
        pid = int(found["pid"])
    except (ValueError, KeyError, TypeError) as problem:
        raise EmulatorError(f"`{state_dir / 'emulator.json'}` is broken", hint=start) from problem
    if not is_alive(pid):
        raise EmulatorError(f"the emulator is not running: its process {pid} is gone", hint=start)
    return found


def is_alive(pid: int) -> bool:
    """Tell whether process *pid* exists."""
    if sys.platform == "win32":  # there, signal 0 is Ctrl-C
        return True
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
