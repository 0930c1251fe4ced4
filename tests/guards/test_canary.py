"""A known secret goes through everything; afterwards every place where it may not be is searched for it."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from support_shell import Shell

CHOSEN = "Canary-pass-phrase-7731"  # a password of the user's own, typed on stdin


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Shell, str]]:
    """Run every command that meets a secret, well and badly; yield the shell and the generated secret."""
    root = tmp_path_factory.mktemp("canary")
    (root / "work").mkdir()
    shell = Shell(cwd=root / "work", home=root, extra={"IOTAUTH_EMULATOR": "1"})
    shell.start_emulator()
    shell.run("authorizer", "create")
    added = shell.run("client", "add", "generated-1", "--topic", "canary/generated-1", "--json")
    shell.transcript.remove(added)  # shown once, here
    secret = json.loads(added.out)["password"]
    shell.run("client", "add", "chosen-1", "--topic", "canary/chosen-1", "--password-stdin", stdin=CHOSEN + "\n")
    for client in ("generated-1", "chosen-1"):
        shell.run("test-connect", client, "--debug")
        shell.run("test-connect", client, "--json")
        shell.run("test-connect", client, "--publish", "elsewhere/x", "--debug", check=False)
        shell.run("test-connect", client, "--no-alpn", check=False)
        flash = ("flash", client, "--dry-run", "--board", "esp32", "--wifi-ssid", "x", "--wifi-password-stdin")
        shell.run(*flash, "--debug", stdin=CHOSEN + "\n")
        shell.run("authorizer", "test-invoke", "--client", client, "--json")
        shell.run("client", "show", client, "--json")
        shell.run("client", "add", client, "--topic", "canary/x", "--password-stdin", stdin=CHOSEN, check=False)
    for way in (("--http",), ("--websocket", "--mqtt5"), ("--http", "--mistake", "base64-password")):
        shell.run("test-connect", "chosen-1", *way, "--json", check=False)
    shell.run("client", "add", "turned-1", "--topic", "canary/turned-1")
    into_chosen = ("client", "rotate", "turned-1", "--password-stdin")
    shell.run(*into_chosen, "--json", stdin=CHOSEN + "\n")
    shell.run(*into_chosen, "--debug", stdin=CHOSEN + "\n", check=False)
    shell.run("client", "confirm", "turned-1", "--debug", check=False)
    shell.run("test-connect", "turned-1", "--slot", "old", "--debug")
    shell.run("test-connect", "turned-1", "--json")
    shell.run("client", "show", "turned-1", "--json")
    shell.run("client", "confirm", "turned-1", "--json")
    shell.run(*into_chosen, "--replace", "--no-save", stdin=CHOSEN + "\n", check=False)  # it has that one
    (root / "work" / "fleet.csv").write_text(f"client_id,password\nfleet-1,{CHOSEN}\nfleet 2,{CHOSEN}\n")
    importing = ("client", "import", "fleet.csv", "--template", "canary/{client_id}", "--debug")
    shell.run(*importing, check=False)
    (root / "work" / "fleet.csv").write_text(f"client_id,password\nfleet-1,{CHOSEN}\n")
    shell.run(*importing, "--json")
    (root / "work" / "fleet.csv").write_text(f"fleet-1,{CHOSEN}\n")
    shell.run(*importing, check=False)
    (root / "work" / "fleet.csv").unlink()
    shell.run("client", "rotate", "turned-1", "--now", "--yes", "--json")
    shell.run(*into_chosen, "--replace", stdin=CHOSEN + "\n")
    shell.run("client", "disable", "turned-1", "--json")
    shell.run("client", "enable", "turned-1", "--debug")
    wrong = ("test-connect", "generated-1", "--password-stdin")
    shell.run(*wrong, "--debug", stdin=CHOSEN + "\n", check=False)
    shell.run("client", "list", "--json")
    shell.run("authorizer", "show", "--json")
    shell.run("config", "show")
    shell.run("secrets", "scan", ".iotauth", "--json", check=False)
    shell.run("secrets", "scan", ".iotauth", check=False)
    shell.run("client", "audit", "--json", check=False)
    shell.run("audit", "log", "--json")
    shell.run("doctor", "--debug", check=False)
    shell.run("doctor", "--json", check=False)
    rendering = ("secrets", "render", "--out", str(tmp_path_factory.mktemp("rendered")), "--debug")
    networked = (*rendering, "generated-1", "--wifi-ssid", "barn", "--wifi-password-stdin")
    for name in ("header", "nvs-bin", "qr"):  # as a file, a child's files and arguments, a picture
        shell.run(*networked, "--format", name, stdin=CHOSEN)
    shell.run(*rendering, "generated-1", "--format", "mosquitto")
    shell.run(*networked, "--format", "paho", stdin=CHOSEN, check=False)
    shell.run(*rendering, "chosen-1", "--format", "header", "--json", check=False)
    shell.run(*rendering, "chosen-1", "--format", "heder", "--debug", check=False)
    shell.run("emulator", "env")
    shell.run("emulator", "logs")
    shell.run("logs", "enable", "--yes")
    shell.run(*wrong, stdin=CHOSEN + "\n", check=False)
    shell.run("logs", "--debug")
    shell.run("logs", "--json")
    shell.run("logs", "status", "--json")
    shell.run("logs", "disable")
    shell.run("emulator", "status", "--json")
    for client in ("generated-1", "chosen-1"):
        speaking = ("publish", f"canary/{client}", "-", "--as", client)
        shell.run(*speaking, "--debug", stdin=CHOSEN)
        shell.run(*speaking, "--http", "--json", stdin=CHOSEN)
        shell.run("publish", "elsewhere/x", "-", "--as", client, "--debug", stdin=CHOSEN, check=False)
        shell.run("listen", "elsewhere/x", "--as", client, "--debug", check=False)
        shell.run("listen", "--as", client, "--for", "1s", "--json")
    shell.run("listen", "--operator", "--for", "1s", "--debug")
    fleet = ("client", "rotate", "--all", "--yes", "--debug")
    shell.run(*fleet, "--json", "--secrets-out", "handed.csv", "--batch", "1")
    shell.run(*fleet, "--json", "--secrets-out", "handed.csv")
    shell.run(*fleet, "--secrets-out", "handed.csv", check=False)
    shell.run("client", "confirm", "--all", "--force", "--yes", "--debug")
    shell.run(*fleet)
    yield shell, secret
    shell.stop_emulator()


def forms(secret: str) -> list[bytes]:
    """The secret as it is, and as base64 at each of the three alignments a longer text can give it."""
    raw = secret.encode()
    shifted = [base64.b64encode(b"x" * lead + raw)[4:-4] for lead in (0, 1, 2)]
    return [raw, base64.b64encode(raw), *shifted]


def test_nothing_printed_holds_a_secret(house: tuple[Shell, str]) -> None:
    """After it was shown once, no command prints it again: not on stdout, not on stderr, not in a traceback."""
    shell, generated = house
    for ran in shell.transcript:
        for form in [*forms(generated), *forms(CHOSEN)]:
            assert form not in ran.text.encode()


def test_no_file_holds_a_secret_but_the_private_store(house: tuple[Shell, str]) -> None:
    """State, logs, certificates, zips: none. The store: only files that their owner alone can read."""
    shell, generated = house
    holders = set()
    for path in shell.home.rglob("*"):
        if path.is_file() and any(form in path.read_bytes() for form in [*forms(generated), *forms(CHOSEN)]):
            holders.add(path)
    assert holders, "the store keeps what test-connect needs"
    for path in holders:
        assert path.is_relative_to(shell.cwd / ".iotauth" / "credentials"), path
        assert path.stat().st_mode & 0o077 == 0
        assert path.parent.stat().st_mode & 0o077 == 0


def test_a_fleets_secrets_are_in_private_files_alone(house: tuple[Shell, str]) -> None:
    """Those handed out to many: in the hand-out file and the store, which only their owner can read, and never told."""
    shell, _ = house
    rotations = shell.cwd / ".iotauth" / "rotations"
    files = [shell.cwd / "handed.csv", *rotations.glob("*.csv")]
    secrets = [line.rpartition(",")[2] for file in files for line in file.read_text().splitlines()[1:]]
    assert len(files) == 2
    assert len(secrets) > 4
    for ran in shell.transcript:
        assert not [secret for secret in secrets if secret in ran.text]
    for path in shell.home.rglob("*"):
        if path.is_file() and any(secret.encode() in path.read_bytes() for secret in secrets):
            assert path in files or path.is_relative_to(shell.cwd / ".iotauth" / "credentials"), path
            assert path.stat().st_mode & 0o077 == 0, path


def test_the_store_keeps_itself_out_of_git(house: tuple[Shell, str]) -> None:
    """The private store brings its own .gitignore that names everything in it."""
    shell, _ = house
    assert (shell.cwd / ".iotauth" / ".gitignore").read_text().splitlines()[-1] == "*"


def test_private_files_are_private(house: tuple[Shell, str]) -> None:
    """Keys, state and ready file of the emulator can be read by their owner alone."""
    shell, _ = house
    state = Path(json.loads(shell.run("emulator", "status", "--json").out)["state_dir"])
    assert state.stat().st_mode & 0o077 == 0
    for name in ("state.sqlite", "ca-key.pem", "server-key.pem", "emulator.json", "emulator.log"):
        assert (state / name).stat().st_mode & 0o077 == 0, name
