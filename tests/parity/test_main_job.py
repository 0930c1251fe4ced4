"""What the emulator promises is what AWS does: the same steps, the same diagnoses, on either."""

from __future__ import annotations

import json
import os
import secrets
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from support_parity.installation import CREATED
from support_shell import Shell

REAL_HOME = os.environ.get("HOME", "")  # taken when the tests are read: the clean environment hides it later


@dataclass(frozen=True)
class Site:
    shell: Shell
    authorizer: str


@pytest.fixture(scope="module")
def site(
    request: pytest.FixtureRequest, aws_variables: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Site]:
    """A shell in an empty directory whose settings name an installation of its own."""
    root = tmp_path_factory.mktemp("parity")
    name = f"iotauth-parity-{secrets.token_hex(3)}"
    names = {"IOTAUTH_AUTHORIZER": name, "IOTAUTH_TABLE": name, "IOTAUTH_FUNCTION": name}
    is_real = bool(request.config.getoption("--aws"))
    (root / "work").mkdir()
    if is_real:
        shell = Shell(cwd=root / "work", home=Path(REAL_HOME), extra={**aws_variables, **names})
    else:
        shell = Shell(cwd=root / "work", home=root, extra={**names, "IOTAUTH_EMULATOR": "1"})
        shell.start_emulator()
    try:
        yield Site(shell, name)
    finally:
        removed = shell.run("authorizer", "delete", "--table", "--yes", check=False)
        if not is_real:
            shell.stop_emulator()
    assert removed.code == 0, removed.text


@pytest.fixture(scope="module")
def client(site: Site) -> Iterator[str]:
    """An installation with one client that may use one topic."""
    # With the tag by which `--aws-sweep` finds what a killed run has left.
    site.shell.run("authorizer", "create", "--tag", f"{CREATED}={int(time.time())}")
    site.shell.run("client", "add", "thermo-1", "--topic", "iotauth-parity/thermo-1")
    yield "thermo-1"
    site.shell.run("client", "remove", "thermo-1", "--yes")


def connect(site: Site, *options: str, stdin: str = "") -> dict[str, Any]:
    found: dict[str, Any] = json.loads(
        site.shell.run("test-connect", "thermo-1", "--json", *options, stdin=stdin, check=False).out
    )
    return found


def test_a_second_create_changes_nothing(site: Site, client: str) -> None:
    """What was made is found again, part by part, exactly as it was wanted."""
    steps = json.loads(site.shell.run("authorizer", "create", "--json").out)["steps"]
    assert {step["action"] for step in steps} == {"keep"}


def test_a_device_is_let_in_and_its_message_comes_back(site: Site, client: str) -> None:
    """The whole way: TLS, ALPN, CONNECT, SUBSCRIBE, PUBLISH, and the message."""
    found = connect(site)
    assert found["ok"] is True, found
    assert [stage["name"] for stage in found["stages"]][-2:] == ["receive", "end"]


def test_the_authorizer_answers_a_test_call(site: Site, client: str) -> None:
    """The stored password, sent as raw bytes, arrives as the device's would."""
    site.shell.run("authorizer", "test-invoke", "--client", client)


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
    site: Site, client: str, options: tuple[str, ...], stdin: str, cause: str
) -> None:
    """AWS says nothing; the diagnosis must not depend on who kept silent."""
    found = connect(site, *options, stdin=stdin)
    assert (found["ok"], found["diagnosis"]["cause"]) == (False, cause), found
