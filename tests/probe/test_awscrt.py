"""AWS's own client in a process of its own: the same steps, its own names of what went wrong, and a time limit."""

from __future__ import annotations

import importlib.util
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from iotauth_cli.errors import DeviceError
from iotauth_cli.probe import awscrt
from iotauth_cli.probe.awscrt import SYMPTOMS, CrtSession
from iotauth_cli.probe.stages import Endpoint, Errand, Login, Manner, Stage, Symptom
from iotauth_cli.probe.walk import Way, walk
from iotauth_cli.secret import Secret
from support import require_module, require_peer
from support_broker import CONNECT, NOT_AUTHORIZED, PUBLISH, SUBSCRIBE, Answer, broker
from support_tls import Authority

LOGIN = Login("thermo-1", "thermo-1?x-amz-customauthorizer-name=iotauth", Secret("iota_canary"))
ERRAND = Errand(publish="sensors/thermo-1", subscribe="sensors/thermo-1")
MANNER = Manner(client="awscrt")


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("ca"))


@pytest.fixture(scope="module")
def leaf(authority: Authority) -> Path:
    if importlib.util.find_spec("awscrt") is None:
        require_peer("awscrt")
    return authority.leaf()


def stages_of(port: int, authority: Authority, errand: Errand = ERRAND, timeout_s: float = 5) -> list[Stage]:
    endpoint = Endpoint("localhost", port, authority.file)
    steps = walk(endpoint, LOGIN, errand, timeout_s=timeout_s, manner=MANNER)
    return [event for event in steps if isinstance(event, Stage)]


def test_the_same_steps_are_walked(authority: Authority, leaf: Path) -> None:
    """It connects, subscribes, publishes and gets its message back; the login is in no fact."""
    with broker(leaf) as peer:
        stages = stages_of(peer.port, authority)
    assert [stage.name for stage in stages][4:] == ["connect", "subscribe", "publish", "receive", "end"]
    assert all(stage.ok for stage in stages)
    assert b"&SDK=" in peer.packets[0][1], "it adds parameters of its own, so no size is told"
    assert "packet_bytes" not in stages[4].facts
    assert b"iota_canary" in peer.packets[0][1]
    assert "iota_canary" not in repr(stages)


REFUSALS: dict[str, tuple[dict[int, Answer], str, Symptom, str]] = {
    "hang-up": ({CONNECT: "close"}, "connect", Symptom.CLOSED, "before CONNACK"),
    "connack-5": (
        {CONNECT: NOT_AUTHORIZED},
        "connect",
        Symptom.NOT_MQTT,
        "AWS_ERROR_MQTT_PROTOCOL_ERROR before CONNACK",
    ),
    "no-suback": ({SUBSCRIBE: "close"}, "subscribe", Symptom.CLOSED, "before SUBACK"),
    "no-puback": ({PUBLISH: "close"}, "publish", Symptom.CLOSED, "before PUBACK"),
    "silence": ({PUBLISH: "silence"}, "publish", Symptom.TIMEOUT, "no answer within 0.6 s before PUBACK"),
}


@pytest.mark.parametrize(("script", "stage", "symptom", "told"), REFUSALS.values(), ids=REFUSALS)
def test_its_own_names_say_what_went_wrong(
    authority: Authority, leaf: Path, script: dict[int, Answer], stage: str, symptom: Symptom, told: str
) -> None:
    with broker(leaf, script) as peer:
        last = stages_of(peer.port, authority, timeout_s=0.6)[-1]
    assert last.name == stage
    assert last.symptom is symptom
    assert told in last.facts["reason"]
    assert symptom is Symptom.TIMEOUT or last.facts["error_name"].startswith("AWS_"), last


def test_a_process_that_hangs_does_not_outlive_its_time(
    monkeypatch: pytest.MonkeyPatch, authority: Authority, leaf: Path
) -> None:
    """Whatever a native thread does: the step is over when its time is, and the process is gone."""
    session = CrtSession(Endpoint("localhost", 1, authority.file), LOGIN, 0.2)
    monkeypatch.setattr(awscrt, "START_PATIENCE_S", 0.2)
    monkeypatch.setattr(sys, "executable", str(hanging(authority.file.parent)))
    began = time.monotonic()
    finding = session.connect()
    assert finding.symptom is Symptom.TIMEOUT
    child = session.child
    assert child is not None
    session.close()
    assert child.returncode is not None
    assert time.monotonic() - began < 30, "a guard against hanging, not a measurement"


def test_leaving_a_walk_early_kills_the_process(authority: Authority, leaf: Path) -> None:
    """Ctrl-C closes the walk; nothing of the client goes on behind it."""
    with broker(leaf) as peer:
        way = Way(Endpoint("localhost", peer.port, authority.file), LOGIN, ERRAND, 5, MANNER)
        steps = dict(way.steps())
        assert steps["connect"]().symptom is None
        assert isinstance(way.session, CrtSession)
        child = way.session.child
        assert child is not None
        assert child.poll() is None
        way.close()
    assert child.returncode is not None


def hanging(directory: Path) -> Path:
    program = directory / "hangs"
    program.write_text("#!/bin/sh\nexec sleep 60\n")
    program.chmod(0o700)
    return program


def test_a_process_that_ends_is_a_connection_that_ended(
    monkeypatch: pytest.MonkeyPatch, authority: Authority, leaf: Path
) -> None:
    session = CrtSession(Endpoint("localhost", 1, authority.file), LOGIN, 0.2)
    monkeypatch.setattr(sys, "executable", "/bin/true")
    finding = session.connect()
    session.close()
    assert finding.symptom is Symptom.CLOSED
    assert "the client's process ended" in finding.facts["reason"]


def test_where_it_is_not_installed_one_sentence_says_how_to_get_it(
    monkeypatch: pytest.MonkeyPatch, authority: Authority
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(DeviceError, match="`awscrt` is not installed") as missing:
        next(walk(Endpoint("localhost", 1, authority.file), LOGIN, ERRAND, timeout_s=1, manner=MANNER))
    assert missing.value.hint == "install it: `pip install awscrt`"


def test_the_names_are_the_clients_own() -> None:
    """A name that the client does not know would never be met."""
    exceptions = require_module("awscrt.exceptions")
    assert replace(MANNER).flags == " --client awscrt"
    assert hasattr(exceptions, "AwsCrtError")
    assert all(name.startswith("AWS_") for name in SYMPTOMS if name != "timeout")
