"""Device secrets: how they look, how they are hashed, what a hash lets in."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from iotauth_authorizer.credential import (
    CHEAPEST,
    DUMMY,
    GENERATED,
    HUMAN,
    PATTERN,
    Profile,
    Slot,
    equal,
    fingerprint,
    hash_secret,
    is_intact,
    needs_rehash,
    new_secret,
    profile_for,
    verify,
)

PROFILES = pytest.mark.parametrize("profile", [GENERATED, CHEAPEST], ids=["generated", "scrypt"])
LETTERS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"


@PROFILES
@given(secret=st.binary(), client_id=st.text(), other=st.binary(), other_id=st.text())
@settings(deadline=None)
def test_verify_mirrors_hash_secret(
    profile: Profile, secret: bytes, client_id: str, other: bytes, other_id: str
) -> None:
    """A hash is matched by its own secret for its own client, and by nothing else."""
    encoded = hash_secret(secret, client_id, profile)
    assert verify(encoded, client_id, secret)
    assert verify(encoded, other_id, other) == ((other_id, other) == (client_id, secret))


@PROFILES
def test_a_hash_copied_to_another_row_lets_nobody_in(profile: Profile) -> None:
    """The client id is part of what is hashed, and its end cannot be moved into the secret."""
    encoded = hash_secret(b"bc", "a", profile)
    assert not verify(encoded, "b", b"bc")
    assert not verify(encoded, "ab", b"c")


@PROFILES
def test_two_hashes_of_one_secret_differ(profile: Profile) -> None:
    """Each has a salt of its own, so equal secrets do not show."""
    assert hash_secret(b"same", "door-7", profile) != hash_secret(b"same", "door-7", profile)


def test_a_hash_tells_how_it_was_made() -> None:
    """The costs are in the text, for `needs_rehash` and for people."""
    assert hash_secret(b"x", "a").startswith("$iota-hmac-sha256$v=1$")
    assert hash_secret(b"x", "a", CHEAPEST).startswith("$scrypt$ln=1,r=1,p=1$")
    assert Profile("scrypt", log2_n=14, r=8, p=5) == HUMAN


def test_a_persons_password_is_checked_with_the_profile_for_people() -> None:
    """The full cost works within scrypt's memory limit."""
    encoded = hash_secret(b"correct horse", "door-7", HUMAN)
    assert verify(encoded, "door-7", b"correct horse")


@pytest.mark.parametrize(
    "encoded",
    [
        pytest.param("", id="empty"),
        pytest.param("hunter2", id="a plain password"),
        pytest.param("$iota-hmac-sha256$v=1$AAAA", id="cut off"),
        pytest.param("$iota-hmac-sha256$v=2$AAAA$AAAA", id="a later version"),
        pytest.param("$argon2id$v=19$AAAA$AAAA", id="another scheme"),
        pytest.param("$scrypt$ln=30,r=8,p=1$AAAA$AAAA", id="more memory than there is"),
        pytest.param("$scrypt$ln=17,r=16,p=16$AAAA$AAAA", id="more memory than is allowed"),
        pytest.param("$scrypt$ln=1,r=1,p=99$AAAA$AAAA", id="more time than is allowed"),
        pytest.param("$scrypt$ln=0,r=1,p=1$AAAA$AAAA", id="no cost at all"),
        pytest.param("$iota-hmac-sha256$v=1$A$A", id="broken base64"),
        pytest.param("$iota-hmac-sha256$v=1$ä$ä", id="not ASCII"),
        pytest.param("x$iota-hmac-sha256$v=1$AAAA$AAAA", id="text in front"),
        pytest.param("\ud800", id="half a surrogate pair"),
    ],
)
def test_a_hash_that_cannot_be_read_matches_nothing(encoded: str) -> None:
    """A row edited by hand refuses; it does not raise, and it is due to be hashed anew."""
    assert not verify(encoded, "door-7", b"")
    assert needs_rehash(encoded, GENERATED)


def test_a_client_id_that_is_no_text_matches_nothing() -> None:
    """Half a surrogate pair cannot be encoded; that is a no, not an exception."""
    assert not verify(hash_secret(b"x", "a"), "\ud800", b"x")


@given(secret=st.binary(), client_id=st.text())
def test_nothing_matches_the_dummy(secret: bytes, client_id: str) -> None:
    """The dummy costs as much as a hash and lets nobody in."""
    assert not verify(DUMMY, client_id, secret)


def test_the_dummy_is_as_dear_as_a_generated_secrets_hash() -> None:
    """Else an unknown client would answer in another time than a wrong password."""
    assert not needs_rehash(DUMMY, GENERATED)
    assert len(DUMMY) == len(hash_secret(b"x", "a"))


def test_needs_rehash_compares_costs() -> None:
    """What was made with other costs than today's is due."""
    encoded = hash_secret(b"x", "a", CHEAPEST)
    assert not needs_rehash(encoded, CHEAPEST)
    assert needs_rehash(encoded, HUMAN)
    assert needs_rehash(encoded, GENERATED)


def test_a_new_secret_is_intact_and_found_by_scanners() -> None:
    """Letters, digits and `_` only; the published pattern finds it inside other text."""
    secret = new_secret()
    assert is_intact(secret)
    assert re.fullmatch(r"[A-Za-z0-9_]{38}", secret)
    assert re.findall(PATTERN, f'#define PASSWORD "{secret}"') == [secret]


def test_new_secrets_use_every_letter_alike() -> None:
    """Over 540,000 letters each of the 62 comes up as often as chance says, to within 5 of its deviations."""
    drawn = "".join(new_secret()[5:32] for _ in range(20_000))
    expected = len(drawn) / 62
    assert all(abs(drawn.count(letter) - expected) < 5 * expected**0.5 for letter in LETTERS)


def test_no_two_new_secrets_are_alike() -> None:
    """Each is drawn afresh."""
    assert len({new_secret() for _ in range(1000)}) == 1000


@given(at=st.integers(5, 37), letter=st.sampled_from(LETTERS))
def test_a_typing_mistake_is_caught_offline(at: int, letter: str) -> None:
    """One changed letter, in the body or in the checksum, breaks a secret."""
    secret = new_secret()
    changed = secret[:at] + letter + secret[at + 1 :]
    assert is_intact(changed) == (changed == secret)


@pytest.mark.parametrize("text", ["", "iota_", "hunter2", "iota_" + "0" * 33, " iota_x", "iota_" + "ä" * 33])
def test_other_texts_are_not_intact(text: str) -> None:
    """A password of somebody's own is not taken for a generated one, nor is a made-up one."""
    assert not is_intact(text)


def test_the_checksum_is_the_crc32_in_base62() -> None:
    """A fixed vector, so that secrets stay valid from one release to the next."""
    assert is_intact("iota_0123456789ABCDEFGHIJKLMNOPQ2Fyy18")


def test_only_generated_secrets_get_the_fast_hash() -> None:
    """Whatever else a person brings is stretched."""
    assert profile_for(new_secret()) == GENERATED
    assert profile_for("iota_hunter2") == HUMAN


@given(left=st.binary(), right=st.binary())
def test_equal_is_equality(left: bytes, right: bytes) -> None:
    """The comparison in constant time answers what `==` does."""
    assert equal(left, left)
    assert equal(left, right) == (left == right)


def test_fingerprints_are_short_and_stable() -> None:
    """A fixed vector: principal ids are made of it and must not change between releases."""
    assert fingerprint("door-7") == "e326ab91a9dece167dbc"


def test_a_slot_prints_without_its_hash() -> None:
    """A hash is not for logs either."""
    assert "digest" not in repr(Slot("$digest", 1_800_000_000))
