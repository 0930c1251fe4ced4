"""Private keys, passphrases and signed tokens go through every command; afterwards all is searched for them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from urllib.parse import quote

import pytest

from support_shell import Shell

PASSPHRASE = "Canary-pass-phrase-8842"


class Told:
    """The shell, and what nobody may see again: signatures, and a line out of the middle of each private key."""

    def __init__(self, shell: Shell) -> None:
        self.shell = shell
        self.signatures: list[str] = []

    @cached_property
    def keys(self) -> list[str]:
        files = [path for path in self.shell.home.rglob("*.pem") if "PRIVATE" in path.read_text()]
        ours = [path for path in files if path.is_relative_to(self.shell.cwd)]  # the others are the emulator's
        return [path.read_text().splitlines()[5] for path in ours]

    @cached_property
    def forms(self) -> list[bytes]:
        texts = [PASSPHRASE, *self.keys, *self.signatures, *(quote(each, safe="") for each in self.signatures)]
        return [text.encode() for text in texts]

    def shown_once(self, *arguments: str) -> str:
        """Run a command that shows a signed user name, which is what it is for; remember the signature."""
        ran = self.shell.run(*arguments, "--json")
        self.shell.transcript.remove(ran)
        self.signatures.append(json.loads(ran.out)["signature"])
        return self.signatures[-1]


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Told]:
    """Run every command that meets a key or a token, well and badly."""
    root = tmp_path_factory.mktemp("token-canary")
    (root / "work").mkdir()
    shell = Shell(cwd=root / "work", home=root, extra={"IOTAUTH_EMULATOR": "1", "IOTAUTH_AUTHORIZER": "signed"})
    told = Told(shell)
    shell.start_emulator()
    shell.run("authorizer", "create", "--signed", "--debug")
    told.shown_once("client", "add", "door-1", "--topic", "doors/1")
    told.shown_once("keys", "sign", "--for-client", "door-1")
    shell.run("keys", "generate", "own.pem", "--passphrase-stdin", "--json", stdin=PASSPHRASE)
    shell.run("keys", "generate", "own.pem", "--passphrase-stdin", "--debug", stdin=PASSPHRASE, check=False)
    shell.run("keys", "public", "own.pem", "--passphrase-stdin", "--debug", stdin=PASSPHRASE + "x", check=False)
    shell.run("keys", "sign", "x", "--key", "own.pem", "--debug", check=False)
    verify = ("keys", "verify", "door-1", "--debug")
    shell.run(*verify, stdin=told.signatures[0], check=False)
    shell.run(*verify, "--key", "own.pub.pem", stdin=told.signatures[0], check=False)
    shell.run("test-connect", "door-1", "--debug")
    shell.run("test-connect", "door-1", "--json")
    for way in (("--http",), ("--websocket", "--credentials-in", "query"), ("--mistake", "token-newline")):
        shell.run("test-connect", "door-1", *way, "--json", "--debug", check=False)
    shell.run("test-connect", "door-1", "--username", "somebody", "--debug", check=False)
    for over in ((), ("--http",), ("--websocket", "--mqtt5")):
        shell.run("publish", "doors/1", told.signatures[0], "--as", "door-1", *over, "--debug")
        shell.run("publish", "doors/2", "x", "--as", "door-1", *over, "--json", "--debug", check=False)
    shell.run("listen", "doors/2", "--as", "door-1", "--debug", check=False)
    shell.run("authorizer", "test-invoke", "--client", "door-1", "--json")
    shell.run("client", "show", "door-1", "--json")
    for step in ((), ("--status",), ("--retire", "--yes"), ("--retire", "--force", "--yes")):
        shell.run("authorizer", "rotate-key", *step, "--json", check=False)
    for step in (("--dry-run",), (), ("--status",), ("--retire", "--force", "--yes")):
        shell.run("authorizer", "migrate", "--to", "unsigned", *step, "--debug", check=False)
    shell.run("authorizer", "show", "signed", "--json", check=False)
    shell.run("audit", "log", "--json", check=False)
    shell.run("emulator", "logs")
    yield told
    shell.stop_emulator()


def test_nothing_printed_holds_a_key_a_passphrase_or_a_signature(told: Told) -> None:
    """But for the commands whose purpose it is: not on stdout, not on stderr, not in a traceback."""
    assert len(told.keys) >= 2
    for ran in told.shell.transcript:
        for form in told.forms:
            assert form not in ran.text.encode(), ran


def test_no_file_holds_one_but_what_its_owner_alone_can_read(told: Told) -> None:
    """The emulator's state and logs hold none; the store and the key files are private."""
    holders: set[Path] = set()
    for path in told.shell.home.rglob("*"):
        if path.is_file() and any(form in path.read_bytes() for form in told.forms):
            holders.add(path)
    assert told.shell.cwd / "own.pem" in holders
    for path in holders:
        assert path.is_relative_to(told.shell.cwd), path
        assert path.stat().st_mode & 0o077 == 0, path
