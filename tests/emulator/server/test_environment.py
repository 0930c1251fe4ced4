"""The ready file and the variables made from it."""

from __future__ import annotations

import json
import stat
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from iotauth_cli.emulator import environment
from iotauth_cli.emulator.environment import Endpoint, ProxyEndpoint, Ready

READY = Ready(
    pid=4711,
    region="eu-west-1",
    account="123456789012",
    control_endpoint="http://127.0.0.1:4588",
    data_endpoint=Endpoint("localhost", 8443),
    ca_file=Path("/state/ca.pem"),
    state_dir=Path("/state"),
    started_at=1_790_000_000,
)

ready_files = st.builds(
    Ready,
    pid=st.integers(1, 2**22),
    region=st.text(),
    account=st.text(),
    control_endpoint=st.text(),
    data_endpoint=st.builds(Endpoint, st.text(), st.integers(0, 65535)),
    ca_file=st.text(min_size=1).map(Path),
    state_dir=st.text(min_size=1).map(Path),
    started_at=st.integers(0, 2**40),
    behaviour=st.dictionaries(st.text(), st.booleans() | st.integers() | st.text()),
    proxy=st.none() | st.builds(ProxyEndpoint, st.text(), st.integers(0, 65535), st.text()),
    mqtt_port=st.none() | st.integers(0, 65535),
    version=st.none() | st.text(),
)


@given(ready_files)
def test_a_ready_file_is_read_as_it_was_built(ready: Ready) -> None:
    """Through JSON and back, nothing changes."""
    assert environment.parse(json.loads(json.dumps(environment.build(ready)))) == ready


def test_the_document_has_the_members_that_status_shows() -> None:
    """The names are a promise to whoever reads the file or `status --json`."""
    assert environment.build(READY) == {
        "ready": True,
        "pid": 4711,
        "region": "eu-west-1",
        "account": "123456789012",
        "control_endpoint": "http://127.0.0.1:4588",
        "data_endpoint": {"host": "localhost", "port": 8443},
        "ca_file": "/state/ca.pem",
        "state_dir": "/state",
        "started_at": 1_790_000_000,
        "behaviour": {},
        "proxy": None,
        "mqtt_port": None,
        "version": None,
    }


@pytest.mark.parametrize("document", [None, 7, [], "text", {}, {"pid": 1}, {**environment.build(READY), "pid": "x"}])
def test_anything_else_is_not_a_ready_file(document: object) -> None:
    """A document that lacks a member or has one of another kind is refused, with ValueError only."""
    with pytest.raises(ValueError, match=r"."):
        environment.parse(document)


def test_the_file_of_an_earlier_version_is_read() -> None:
    """Members that came later may be missing."""
    document = environment.build(READY)
    del document["behaviour"], document["proxy"], document["mqtt_port"], document["version"]
    assert environment.parse(document) == READY


def test_the_file_is_private_and_read_back(tmp_path: Path) -> None:
    """What was written is read again, and only its owner can."""
    ready = replace(READY, state_dir=tmp_path)
    path = environment.write(ready)
    assert environment.read(tmp_path) == ready
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [found.name for found in tmp_path.iterdir()] == ["emulator.json"]


@pytest.mark.parametrize("content", [None, "", "{", "[]"])
def test_no_file_or_half_a_file_is_none(tmp_path: Path, content: str | None) -> None:
    """Whoever reads while nothing was written gets None, not an exception."""
    if content is not None:
        (tmp_path / environment.FILE_NAME).write_text(content)
    assert environment.read(tmp_path) is None


def test_the_variables_point_aws_tools_and_iotauth_at_the_emulator() -> None:
    """Endpoint, keys and region for AWS's tools; the switch and the directory for iotauth."""
    assert environment.variables(READY) == {
        "AWS_ENDPOINT_URL": "http://127.0.0.1:4588",
        "AWS_ACCESS_KEY_ID": "IOTAUTHEMULATOR",
        "AWS_SECRET_ACCESS_KEY": "emulator",
        "AWS_REGION": "eu-west-1",
        "AWS_DEFAULT_REGION": "eu-west-1",
        "IOTAUTH_EMULATOR": "1",
        "IOTAUTH_STATE_DIR": "/state",
    }
