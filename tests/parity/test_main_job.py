"""What the emulator promises is what AWS does: the same steps, the same diagnoses, on either."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest


@pytest.fixture(scope="module")
def client(world: Any) -> Iterator[str]:
    """An installation with one client that may use one topic."""
    world.shell.run("authorizer", "create")
    world.shell.run("client", "add", "thermo-1", "--topic", "iotauth-parity/thermo-1")
    yield "thermo-1"
    world.shell.run("client", "remove", "thermo-1", "--yes")


def connect(world: Any, *options: str, stdin: str = "") -> dict[str, Any]:
    found: dict[str, Any] = json.loads(
        world.shell.run("test-connect", "thermo-1", "--json", *options, stdin=stdin, check=False).out
    )
    return found


def test_a_second_create_changes_nothing(world: Any, client: str) -> None:
    """What was made is found again, part by part, exactly as it was wanted."""
    steps = json.loads(world.shell.run("authorizer", "create", "--json").out)["steps"]
    assert {step["action"] for step in steps} == {"keep"}


def test_a_device_is_let_in_and_its_message_comes_back(world: Any, client: str) -> None:
    """The whole way: TLS, ALPN, CONNECT, SUBSCRIBE, PUBLISH, and the message."""
    found = connect(world)
    assert found["ok"] is True, found
    assert [stage["name"] for stage in found["stages"]][-2:] == ["receive", "end"]


def test_the_authorizer_answers_a_test_call(world: Any, client: str) -> None:
    """The stored password, sent as raw bytes, arrives as the device's would."""
    world.shell.run("authorizer", "test-invoke", "--client", client)


@pytest.mark.parametrize(
    ("options", "stdin", "cause"),
    [
        (("--password-stdin",), "wrong\n", "wrong-password"),
        (("--publish", "iotauth-parity/elsewhere"), "", "publish-not-granted"),
        (("--subscribe", "iotauth-parity/elsewhere"), "", "subscribe-not-granted"),
        (("--no-alpn",), "", "no-alpn"),
        (("--authorizer", "iotauth-parity-nobody"), "", "authorizer-missing"),
    ],
    ids=lambda value: value[0].lstrip("-") if isinstance(value, tuple) else None,
)
def test_a_refusal_has_the_same_cause(
    world: Any, client: str, options: tuple[str, ...], stdin: str, cause: str
) -> None:
    """AWS says nothing; the diagnosis must not depend on who kept silent."""
    found = connect(world, *options, stdin=stdin)
    assert (found["ok"], found["diagnosis"]["cause"]) == (False, cause), found
