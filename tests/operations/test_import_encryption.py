"""A hand-out for somebody else: only they can read it, and no plain copy is left. With the real age and gpg."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from iotauth_cli.errors import ConfigError, InputError
from iotauth_cli.operations.importing.encryption import Envelope
from support import require_peer
from support_bulk import Table
from support_import import FLEET, Place, failing_at_every, secrets, standing
from support_table import error


def run(*command: str | Path, **more: object) -> bytes:
    ran = subprocess.run(list(map(str, command)), capture_output=True, check=True, **more)  # type: ignore[call-overload]
    return bytes(ran.stdout)


@pytest.fixture
def age_key(tmp_path: Path) -> tuple[Path, str]:
    """Return a private key's file and its public key."""
    require_peer("age")
    file = tmp_path / "key.txt"
    run("age-keygen", "-o", file)
    return file, run("age-keygen", "-y", file).decode().strip()


def lines_of(place: Place, plain: bytes) -> set[str]:
    return set(plain.decode().splitlines()[1:])


def test_age_encrypts_it_and_only_the_key_opens_it(tmp_path: Path, age_key: tuple[Path, str]) -> None:
    """Every secret is in it, and nowhere else in the project."""
    file, public = age_key
    with standing(tmp_path, Table()) as place:
        out = tmp_path / "secrets.csv.age"
        assert place.run(place.fleet(*FLEET), secrets_out=out, recipient=public).added == len(FLEET)
        plain = run("age", "-d", "-i", file, out)
        assert len(lines_of(place, plain)) == len(FLEET)
        assert out.stat().st_mode & 0o777 == 0o600
        secret = plain.decode().split()[1].rsplit(",", 1)[1].encode()
        assert not [path for path in tmp_path.rglob("*") if path.is_file() and secret in path.read_bytes()]


def test_gpg_encrypts_it_to_a_fingerprint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """To a key in the keyring, named for certain."""
    require_peer("gpg")
    home = Path("/tmp") / f"iotauth-gpg-{os.getpid()}"  # an agent's socket needs a short path
    home.mkdir(mode=0o700)
    monkeypatch.setenv("GNUPGHOME", str(home))
    try:
        run("gpg", "--batch", "--passphrase", "", "--quick-gen-key", "door@example.com", "default", "default")
        listed = run("gpg", "--list-keys", "--with-colons").decode()
        fingerprint = next(line.split(":")[9] for line in listed.splitlines() if line.startswith("fpr"))
        with standing(tmp_path, Table()) as place:
            out = tmp_path / "secrets.gpg"
            place.run(place.fleet("a", "b"), secrets_out=out, recipient=fingerprint)
            assert len(lines_of(place, run("gpg", "--batch", "-d", out))) == 2
    finally:
        subprocess.run(["gpgconf", "--kill", "all"], check=False)
        subprocess.run(["rm", "-rf", str(home)], check=False)


def test_a_run_that_fails_keeps_its_journal_and_the_next_encrypts_it(tmp_path: Path, age_key: tuple[Path, str]) -> None:
    """Nothing that was handed out is made anew; until then the journal is private."""
    file, public = age_key
    out, table = tmp_path / "secrets.age", Table()
    expired = error("ExpiredTokenException")
    with standing(tmp_path, failing_at_every(2, expired, table)) as place:
        with pytest.raises(ConfigError, match="expired"):
            place.run(place.fleet(*FLEET), secrets_out=out, recipient=public)
        place.out = Envelope.of(out, public, tmp_path / ".iotauth").journal
        assert place.out.stat().st_mode & 0o777 == 0o600
        first = secrets(place)
    with standing(tmp_path, table) as place:
        place.run(place.fleet(*FLEET), secrets_out=out, recipient=public)
        plain = run("age", "-d", "-i", file, out).decode()
    assert first
    assert all(secret in plain for secret in first.values())
    assert plain.count("\n") == len(FLEET) + 1


def test_what_cannot_be_encrypted_is_found_before_anything_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A key that is none, a file that is there already, a program that is not."""
    require_peer("age")
    table = Table()
    with standing(tmp_path, table) as place:
        fleet, out = place.fleet("a"), tmp_path / "secrets.age"
        with pytest.raises(InputError, match="`age` cannot encrypt to `age1nobody`"):
            place.run(fleet, secrets_out=out, recipient="age1nobody")
        with pytest.raises(InputError, match="needs a file to encrypt"):
            place.run(fleet, secrets_out=None, recipient="age1nobody")
        (tmp_path / "old.age").touch()
        with pytest.raises(InputError, match="exists already"):
            place.run(fleet, secrets_out=tmp_path / "old.age", recipient="age1nobody")
        monkeypatch.setattr("shutil.which", lambda program: None)
        with pytest.raises(InputError, match="`age` is not installed"):
            place.run(fleet, secrets_out=out, recipient="age1nobody")
    assert not table.items
