"""Which outside world the settings mean."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from iotauth_cli.config import Target, load
from iotauth_cli.errors import ConfigError, EmulatorError

READY: dict[str, Any] = {
    "ready": True,
    "pid": os.getpid(),
    "region": "us-east-1",
    "account": "123456789012",
    "control_endpoint": "http://127.0.0.1:4588",
    "data_endpoint": {"host": "localhost", "port": 8443},
    "ca_file": "/state/ca.pem",
    "state_dir": "/state",
    "started_at": 1763640000,
}
KEYS = {"AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE", "AWS_SECRET_ACCESS_KEY": "canary-secret"}


def target(tmp_path: Path, environ: dict[str, str], **flags: Any) -> Target:
    everything = {"HOME": str(tmp_path)} | environ
    return load(flags, everything, tmp_path).target(everything)


def emulator(tmp_path: Path, **changes: Any) -> Target:
    (tmp_path / "emulator.json").write_text(json.dumps(READY | changes))
    return target(tmp_path, {}, emulator=True, state_dir=str(tmp_path))


def emulator_in(tmp_path: Path, region: str) -> Target:
    (tmp_path / "emulator.json").write_text(json.dumps(READY))
    return target(tmp_path, {}, emulator=True, state_dir=str(tmp_path), region=region)


def test_aws_needs_a_region(tmp_path: Path) -> None:
    """Without one the error names both ways on."""
    with pytest.raises(ConfigError) as caught:
        target(tmp_path, {})
    assert "aws configure" in str(caught.value.hint)
    assert "--emulator" in str(caught.value.hint)


def test_a_profile_without_a_region_is_named(tmp_path: Path) -> None:
    """Nine times of ten its name was mistyped: it is in the sentence, and the hint lists those that there are."""
    with pytest.raises(ConfigError, match="no AWS region is set, and profile `wrk` has none") as caught:
        target(tmp_path, {}, profile="wrk")
    assert "`aws configure list-profiles`" in str(caught.value.hint)


def test_keys_in_the_environment_are_used_as_they_are(tmp_path: Path) -> None:
    """boto3 is not needed to find them, and their secret does not print."""
    found = target(tmp_path, KEYS | {"AWS_REGION": "eu-west-1", "AWS_SESSION_TOKEN": "canary-token"})
    assert (found.label, found.store_name, found.access_key) == (
        "AWS eu-west-1",
        "aws-eu-west-1",
        KEYS["AWS_ACCESS_KEY_ID"],
    )
    assert found.secret_key is not None
    assert found.secret_key.reveal() == "canary-secret"
    assert found.session_token is not None
    assert "canary" not in repr(found)


@pytest.mark.parametrize(
    ("environ", "flags", "uses_keys", "profile"),
    [
        ({"AWS_PROFILE": "doors"}, {}, True, None),
        ({"IOTAUTH_PROFILE": "doors"}, {}, False, "doors"),
        ({}, {"profile": "doors"}, False, "doors"),
    ],
    ids=["AWS_PROFILE", "IOTAUTH_PROFILE", "--profile"],
)
def test_a_profile_that_was_asked_for_beats_keys_in_the_environment(
    tmp_path: Path, environ: dict[str, str], flags: dict[str, str], uses_keys: bool, profile: str | None
) -> None:
    """As boto3 has it: AWS_PROFILE only says where to look when the environment has no keys."""
    found = target(tmp_path, KEYS | {"AWS_REGION": "eu-west-1"} | environ, **flags)
    assert (found.access_key is not None, found.profile) == (uses_keys, profile)


def test_two_profiles_do_not_share_stored_credentials(tmp_path: Path) -> None:
    """The same client id may exist in two accounts."""
    environ = {"AWS_REGION": "eu-west-1"}
    names = {target(tmp_path, environ, profile=name).store_name for name in ("dev", "prod")}
    assert names == {"aws-eu-west-1-dev", "aws-eu-west-1-prod"}


def test_other_endpoints_reach_the_light_client_too(tmp_path: Path) -> None:
    """A service's own variable wins over the common one, as in the AWS SDKs."""
    environ = {"AWS_REGION": "eu-west-1", "AWS_ENDPOINT_URL": "http://all"}
    assert target(tmp_path, environ).table_url == "http://all"
    assert target(tmp_path, environ | {"AWS_ENDPOINT_URL_DYNAMODB": "http://rows"}).table_url == "http://rows"


def test_the_emulator_is_found_by_its_ready_file(tmp_path: Path) -> None:
    """Address, keys and CA come from the running emulator; AWS's variables are not asked."""
    found = emulator(tmp_path)
    assert (found.label, found.region, found.account) == ("the emulator", "us-east-1", "123456789012")
    assert (found.endpoint_url, found.table_url) == ("http://127.0.0.1:4588",) * 2
    assert (found.data_host, found.data_port, found.ca_file) == ("localhost", 8443, Path("/state/ca.pem"))
    assert found.store_name == "emulator"


def test_a_region_that_was_typed_and_that_the_emulator_does_not_play_is_refused(tmp_path: Path) -> None:
    """Whoever types a region means it, so nothing is made in another one; the settings' own region is AWS's."""
    with pytest.raises(ConfigError, match="plays region `us-east-1`, and `--region eu-west-1` is meant") as caught:
        emulator_in(tmp_path, region="eu-west-1")
    assert "`iotauth emulator start --region eu-west-1`" in str(caught.value.hint)
    assert emulator_in(tmp_path, region="us-east-1").region == "us-east-1"
    (tmp_path / "iotauth.yaml").write_text("region: eu-west-1\n")
    assert emulator(tmp_path).region == "us-east-1"


def test_no_ready_file_means_not_running(tmp_path: Path) -> None:
    """The hint is the command that starts it."""
    with pytest.raises(EmulatorError, match="the emulator is not running") as caught:
        target(tmp_path, {}, emulator=True)
    assert caught.value.hint == "start it with `iotauth emulator start`"


def test_the_file_of_a_dead_emulator_means_not_running(tmp_path: Path) -> None:
    """After kill -9 the file is still there; its process is not."""
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    with pytest.raises(EmulatorError, match=f"its process {ended.pid} is gone"):
        emulator(tmp_path, pid=ended.pid)


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"pid": "x"}', "null"])
def test_a_broken_ready_file_is_said_to_be_broken(tmp_path: Path, text: str) -> None:
    """Half a file, or somebody else's, is an error with a way on and no traceback."""
    (tmp_path / "emulator.json").write_text(text)
    with pytest.raises(EmulatorError, match="is broken"):
        target(tmp_path, {}, emulator=True, state_dir=str(tmp_path))


@pytest.mark.parametrize(
    "tokens",
    [
        {"AWS_SESSION_TOKEN": "new"},
        {"AWS_SECURITY_TOKEN": "old"},
        {"AWS_SESSION_TOKEN": "new", "AWS_SECURITY_TOKEN": "old"},
    ],
    ids=["of today", "of old", "both"],
)
def test_keys_are_read_as_botocore_reads_them(tmp_path: Path, tokens: dict[str, str]) -> None:
    """The light client's way to the environment's keys and botocore's come to the same."""
    from botocore.credentials import EnvProvider

    environ = KEYS | {"AWS_REGION": "eu-west-1"} | tokens
    found = target(tmp_path, environ)
    theirs = EnvProvider(environ).load()
    assert theirs is not None
    assert found.access_key == theirs.access_key
    assert (found.secret_key and found.secret_key.reveal()) == theirs.secret_key
    assert (found.session_token and found.session_token.reveal()) == theirs.token


@pytest.mark.parametrize(
    ("environ", "flags", "keys_from", "in_use"),
    [
        (KEYS, {}, "keys of AWS_ACCESS_KEY_ID", None),
        (KEYS | {"AWS_PROFILE": "work"}, {}, "keys of AWS_ACCESS_KEY_ID", None),
        ({"AWS_PROFILE": "work"}, {}, "profile work", "work"),
        (KEYS, {"profile": "work"}, "profile work", "work"),
        ({}, {}, None, None),
    ],
    ids=["environment", "beside AWS_PROFILE", "AWS_PROFILE", "--profile", "boto3 finds some"],
)
def test_a_target_says_where_its_keys_are_found(
    tmp_path: Path, environ: dict[str, str], flags: dict[str, str], keys_from: str | None, in_use: str | None
) -> None:
    """In words for a person, and by the profile's name for the commands in hints."""
    found = target(tmp_path, environ | {"AWS_REGION": "eu-west-1"}, **flags)
    assert (found.keys_from, found.profile_in_use) == (keys_from, in_use)


def test_an_account_is_a_condition_only_where_somebody_set_it(tmp_path: Path) -> None:
    """The emulator's is known, and whoever has keys there is not held to it."""
    found = target(tmp_path, {"AWS_REGION": "eu-west-1", "IOTAUTH_ACCOUNT": "123456789012"})
    assert (found.account, found.account_source) == ("123456789012", "IOTAUTH_ACCOUNT")
    assert (emulator(tmp_path).account, emulator(tmp_path).account_source) == ("123456789012", None)
