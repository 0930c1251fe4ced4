"""Hashes of other systems: what they made, the function checks; what it cannot check is refused with a way out."""

from __future__ import annotations

import base64
import hashlib
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from iotauth_authorizer.credential import foreign_hash, hash_secret, needs_rehash, verify
from iotauth_cli.operations.importing.hashes import read_hash
from support import require_peer

PASSWORD = "correct horse"


def b64(raw: bytes) -> str:
    return base64.b64encode(raw).decode()


def pbkdf2(function: str = "sha256", iterations: int = 1000, salt: bytes = b"0123456789abcdef") -> bytes:
    return hashlib.pbkdf2_hmac(function, PASSWORD.encode(), salt, iterations)


def accepts(text: str) -> bool:
    """Tell whether the function lets the password in by the hash *text*, and another one not."""
    encoded = read_hash(text)
    return verify(encoded, "door-7", PASSWORD.encode()) and not verify(encoded, "door-7", b"correct horsf")


@pytest.mark.parametrize("arguments", [(), ("-H", "sha512"), ("-H", "sha512-pbkdf2")], ids=["default", "old", "new"])
def test_mosquittos_own_hashes_let_the_same_password_in(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    """As the real `mosquitto_passwd` writes them."""
    program = require_peer("mosquitto_passwd")
    file = tmp_path / "passwd"
    command = [program, *arguments, "-b", "-c", str(file), "door-7", PASSWORD]
    subprocess.run(command, check=True, capture_output=True)
    name, _, text = file.read_text().strip().partition(":")
    assert name == "door-7"
    assert accepts(text)


SALT = b"0123456789abcdef"
FORMS = {
    "passlib": f"$pbkdf2-sha256$1000${b64(SALT).rstrip('=').replace('+', '.')}$"
    + b64(pbkdf2()).rstrip("=").replace("+", "."),
    "passlib-512": f"$pbkdf2-sha512$1000${b64(SALT).rstrip('=')}${b64(pbkdf2('sha512')).rstrip('=')}",
    "phc": f"$pbkdf2-sha256$i=1000,l=32${b64(SALT).rstrip('=')}${b64(pbkdf2()).rstrip('=')}",
    "django": f"pbkdf2_sha256$1000$abcDEF123${b64(pbkdf2(salt=b'abcDEF123'))}",
}


@pytest.mark.parametrize("text", FORMS.values(), ids=FORMS)
def test_pbkdf2_of_other_systems_lets_the_same_password_in(text: str) -> None:
    """In the forms of passlib, PHC and Django."""
    assert accepts(text)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("$2b$12$EXRkfkdmXn2gzds2SSitu.MW9.gAVqa9eLS1//RYtYCmB1eLHg.9q", "cannot check bcrypt hashes: leave its hash"),
        ("$argon2id$v=19$m=65536,t=3,p=4$c2FsdHNhbHQ$aGFzaA", "cannot check Argon2 hashes"),
        ("$y$j9T$F5Jx5fExrKuPp53xLKQ..1$tnSYvahC", "cannot check yescrypt hashes"),
        (f"$7$600001${b64(SALT)}${b64(bytes(64))}", "iterations are out of range"),
        (f"$7$0${b64(SALT)}${b64(bytes(64))}", "iterations are out of range"),
        (f"$7$101${b64(SALT)}${b64(bytes(8))}", "a digest of this length"),
        ("$7$101$AAAAA$AAAAA", "is damaged"),
        ("canary-password", "in no form that is known"),
        ("", "in no form that is known"),
    ],
)
def test_what_cannot_be_checked_is_refused_with_a_way_out(text: str, said: str) -> None:
    """The hash itself is not repeated."""
    with pytest.raises(ValueError, match=said) as refused:
        read_hash(text)
    assert not text or text not in str(refused.value)


@given(st.text())
def test_any_text_is_a_hash_or_refused(text: str) -> None:
    """Never another error, and never a hash that the function cannot read."""
    try:
        encoded = read_hash(text)
    except ValueError:
        return
    assert encoded.count("$") == 4


def test_a_row_cannot_ask_for_more_work_than_a_call_has_time_for() -> None:
    """A row that was edited by hand is malformed, not obeyed."""
    text = foreign_hash("pbkdf2-sha512", b"salt", hashlib.pbkdf2_hmac("sha512", b"x", b"salt", 5), 5)
    assert verify(text, "door-7", b"x")
    assert not verify(text.replace("i=5", "i=9999999"), "door-7", b"x")
    assert not verify(text.replace("i=5", "i=99999999999999"), "door-7", b"x")


def test_our_own_hashes_are_not_taken_for_foreign_ones() -> None:
    """They are bound to a client id, which a file could not say."""
    with pytest.raises(ValueError, match="bound to its client id"):
        foreign_hash("iota-hmac-sha256", bytes(16), bytes(32))
    with pytest.raises(ValueError, match="in no form"):
        read_hash(hash_secret(b"x", "door-7"))


def test_half_of_a_sha512_is_named_before_its_client_is_locked_out() -> None:
    """PBKDF2 makes digests of any length; SHA-512 makes 64 bytes, and nothing else could ever be met."""
    digest = hashlib.sha512(b"x" + b"salt").digest()
    assert verify(foreign_hash("salted-sha512", b"salt", digest), "a", b"x")
    with pytest.raises(ValueError, match="length"):
        foreign_hash("salted-sha512", b"salt", digest[:32])


def test_a_foreign_hash_is_one_to_replace_when_there_is_a_chance() -> None:
    """It was made otherwise than we would."""
    from iotauth_authorizer.credential import HUMAN

    assert needs_rehash(foreign_hash("pbkdf2-sha256", b"salt", bytes(32), 1000), HUMAN)
