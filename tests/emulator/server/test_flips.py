"""Choices that the user makes otherwise: how they are typed, kept and shown."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from iotauth_cli.emulator import flips, lifecycle
from iotauth_cli.emulator.behaviour import Behaviour
from iotauth_cli.errors import EmulatorError, InputError
from support_data import state_in_memory
from support_device import Device, create_dictated_authorizer
from support_emulator import RunningEmulator, running_emulator

KINDS: dict[type, st.SearchStrategy[Any]] = {
    bool: st.booleans(),
    int: st.integers(0, 2**40),
    float: st.floats(0, 1e9),
    str: st.text(),
}


@st.composite
def choices(draw: st.DrawFn) -> tuple[str, Any]:
    key = draw(st.sampled_from(sorted(flips.DEFAULTS)))
    return key, draw(KINDS[type(flips.DEFAULTS[key])])


@given(choices())
def test_a_value_is_read_as_it_is_shown(choice: tuple[str, Any]) -> None:
    """What the table of choices prints can be typed back."""
    key, value = choice
    assert flips.parse([f"{key}={flips.shown(value)}"]) == {key: value}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("requires_server_name=YES", True),
        ("requires_server_name=off", False),
        ("max_packet_bytes=0x400", 1024),
        ("keep_alive_factor=2", 2.0),
        ("in_flight=default", 100),
    ],
)
def test_values_may_be_typed_in_several_ways(text: str, value: Any) -> None:
    """Yes and on are true, hexadecimal is a number, and `default` is what it is without a flip."""
    assert list(flips.parse([text]).values()) == [value]


@pytest.mark.parametrize(
    ("text", "sentence", "hint"),
    [
        ("in_flight", "`in_flight` is not of the form `key=value`", "write `in_flight=` and its value"),
        ("inflight=5", "the emulator has no choice `inflight`", "did you mean `in_flight`?"),
        ("colour=red", "the emulator has no choice `colour`", "`iotauth emulator behaviour` lists them"),
        ("requires_server_name=1", "`requires_server_name` is true or false, not `1`", None),
        ("in_flight=many", "`in_flight` is a whole number, not `many`", None),
        ("in_flight=-1", "`in_flight` is a whole number from 0 on, not `-1`", None),
        ("keep_alive_factor=inf", "`keep_alive_factor` is a number from 0 on, not `inf`", None),
        ("keep_alive_factor=nan", "`keep_alive_factor` is a number from 0 on, not `nan`", None),
    ],
)
def test_what_cannot_be_a_flip_is_told_in_one_sentence(text: str, sentence: str, hint: str | None) -> None:
    """The key is named as it was typed, and a near miss with the one that was meant."""
    with pytest.raises(InputError) as refused:
        flips.parse([text])
    assert (refused.value.message, refused.value.hint) == (sentence, hint)


def test_flips_are_laid_over_each_other_and_go_when_flipped_back() -> None:
    """A later start adds to an earlier one; the default's value is not a flip."""
    state = state_in_memory()
    assert flips.keep(state, {"in_flight": 5, "requires_server_name": True}) == flips.kept(state)
    assert flips.keep(state, {"in_flight": 7}) == {"in_flight": 7, "requires_server_name": True}
    assert flips.keep(state, flips.parse(["requires_server_name=default", "in_flight=100"])) == {}


def test_flips_of_another_version_are_left_out() -> None:
    """A state from before a choice was renamed, or of another kind, still starts."""
    state = state_in_memory()
    flips.keep(state, {"in_flight": 5})
    state.db.execute("""INSERT INTO behaviour VALUES ('gone', 'true'), ('requires_server_name', '"maybe"')""")
    assert flips.laid_over_defaults(flips.kept(state)) == Behaviour(in_flight=5)


@pytest.fixture
def flipped(tmp_path: Path) -> Iterator[RunningEmulator]:
    with running_emulator(tmp_path, behaviour=["answers_refused_connect=true"]) as running:
        create_dictated_authorizer(running)
        yield running


def refused_connect(emulator: RunningEmulator) -> tuple[int, bool] | None:
    with Device(emulator) as device:
        return device.connect("door-7", {"isAuthenticated": False})


def test_a_flip_changes_what_clients_see_until_it_is_flipped_back(flipped: RunningEmulator) -> None:
    """A refused MQTT 3.1.1 client gets CONNACK 5 instead of the bare close, over a restart too."""
    assert refused_connect(flipped) == (5, False)
    flipped.stop()
    flipped.behaviour = ()
    flipped.start()
    assert flipped.ready.behaviour == {"answers_refused_connect": True}
    assert refused_connect(flipped) == (5, False)
    flipped.stop()
    flipped.behaviour = ("answers_refused_connect=default",)
    flipped.start()
    assert refused_connect(flipped) is None
    assert lifecycle.status(flipped.state_dir).behaviour == {}


def test_a_running_emulator_does_not_change_its_mind(flipped: RunningEmulator) -> None:
    """Another flip is refused with the way out; the same one finds what runs as it is wanted."""
    start = lifecycle.start
    assert start(flipped.state_dir, behaviour=["answers_refused_connect=yes", "in_flight=100"]) == flipped.ready
    with pytest.raises(EmulatorError, match="already runs, without `in_flight=5`") as no:
        start(flipped.state_dir, behaviour=["in_flight=5"])
    assert no.value.hint == "stop it first with `iotauth emulator stop`"


def test_a_flip_that_cannot_be_keeps_the_emulator_from_starting(tmp_path: Path) -> None:
    """The process that starts says it in the same words, and nothing runs."""
    with pytest.raises(InputError, match="has no choice `inflight`"):
        lifecycle.start(tmp_path / "emulator", port=0, control_port=0, behaviour=["inflight=5"])
    assert not lifecycle.status(tmp_path / "emulator").ready


def test_the_behaviour_shown_is_what_is_kept(tmp_path: Path) -> None:
    """Without a state it is the defaults; with one, what the next start will go by."""
    assert lifecycle.behaviour(tmp_path) == Behaviour()
    with running_emulator(tmp_path, behaviour=["in_flight=5"]) as running:
        pass
    assert lifecycle.behaviour(running.state_dir) == dataclasses.replace(Behaviour(), in_flight=5)
