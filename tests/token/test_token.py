"""Token keys and signatures, with the openssl program as the other side."""

from __future__ import annotations

import base64
import subprocess
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from hypothesis import given
from hypothesis import strategies as st

from iotauth_cli import token
from iotauth_cli.errors import InputError
from iotauth_cli.secret import Secret
from support import require_peer

TOKEN = "door-7.2030-01-01"


@pytest.fixture(scope="module")
def pem() -> Secret:
    return token.generate()


@pytest.fixture(scope="module")
def key(pem: Secret) -> RSAPrivateKey:
    return token.load_private_key(pem, is_own=True)


@pytest.fixture(scope="module")
def public(key: RSAPrivateKey) -> str:
    return token.public_key_pem(key)


@pytest.fixture(scope="module")
def signature(key: RSAPrivateKey) -> str:
    return token.sign(TOKEN, key)


def openssl(*arguments: str | Path, stdin: bytes = b"") -> bytes:
    command = [require_peer("openssl"), *map(str, arguments)]
    return subprocess.run(command, input=stdin, capture_output=True, check=True).stdout


def test_openssl_verifies_our_signature(public: str, signature: str, tmp_path: Path) -> None:
    """The signature is what `openssl dgst -sha256 -verify` accepts under our public key."""
    (tmp_path / "public.pem").write_text(public)
    (tmp_path / "signature").write_bytes(base64.b64decode(signature))
    arguments = ("-sha256", "-verify", tmp_path / "public.pem", "-signature", tmp_path / "signature")
    assert openssl("dgst", *arguments, stdin=TOKEN.encode()) == b"Verified OK\n"


def test_we_verify_the_signature_that_openssl_makes_by_aws_recipe(pem: Secret, public: str, tmp_path: Path) -> None:
    """AWS's recipe, `openssl dgst -sha256 -sign KEY | openssl base64 -A`, gives our signature to the letter."""
    (tmp_path / "key.pem").write_text(pem.reveal())
    raw = openssl("dgst", "-sha256", "-sign", tmp_path / "key.pem", stdin=TOKEN.encode())
    theirs = openssl("base64", "-A", stdin=raw).decode()
    assert token.verify(TOKEN, theirs, public)
    assert theirs == token.sign(TOKEN, token.load_private_key(pem))


@pytest.mark.parametrize("form", ["pkcs8", "pkcs1"])
@pytest.mark.parametrize("passphrase", [None, Secret("correct horse")], ids=["plain", "encrypted"])
def test_keys_made_by_openssl_load(form: str, passphrase: Secret | None, tmp_path: Path) -> None:
    """Either PEM form that `openssl` writes, encrypted or not, signs for the public key it extracts."""
    (tmp_path / "new.pem").write_bytes(openssl("genrsa", "2048"))
    cipher = ["-aes256", "-passout", f"pass:{passphrase.reveal()}"] if passphrase is not None else []
    form_arguments = ["rsa", "-traditional"] if form == "pkcs1" else ["pkey"]
    written = openssl(*form_arguments, "-in", tmp_path / "new.pem", *cipher)
    public = openssl("pkey", "-in", tmp_path / "new.pem", "-pubout").decode()
    key = token.load_private_key(Secret(written.decode()), passphrase)
    assert token.public_key_pem(key) == public
    assert token.verify(TOKEN, token.sign(TOKEN, key), public)


def test_fingerprint_is_the_hash_of_the_der_that_openssl_writes(public: str, tmp_path: Path) -> None:
    """The fingerprint can be computed with openssl alone, so that two people can compare keys."""
    der = openssl("pkey", "-pubin", "-outform", "DER", stdin=public.encode())
    digest = openssl("dgst", "-sha256", "-binary", stdin=der)
    assert token.fingerprint(public) == "SHA256:" + base64.b64encode(digest).decode().rstrip("=")


def test_a_generated_key_has_the_size_asked_for_and_prints_as_dots(pem: Secret) -> None:
    """2,048 bits without asking, and the private key shows nowhere by accident."""
    assert token.load_private_key(pem).key_size == 2048
    assert "PRIVATE" not in f"{pem} {pem!r}"


@pytest.mark.parametrize("bits", [0, 1024, 2047, 2049, 16384])
def test_other_key_sizes_are_refused(bits: int) -> None:
    """Less than AWS takes, odd sizes, and sizes that take minutes are no keys that we make."""
    with pytest.raises(InputError, match=f"{bits} bits") as caught:
        token.generate(bits)
    assert caught.value.hint == "use one of 2048, 3072, 4096"


def test_the_same_token_gives_the_same_signature(key: RSAPrivateKey, signature: str) -> None:
    """PKCS #1 v1.5 has no randomness: devices can be given a signature once and for all."""
    assert token.sign(TOKEN, key) == signature


def test_a_signature_is_one_line_of_standard_base64(signature: str) -> None:
    """TestInvokeAuthorizer's pattern: `[A-Za-z0-9+/]+={0,2}`; 256 bytes are 344 characters."""
    assert len(signature) == 344
    assert base64.b64encode(base64.b64decode(signature, validate=True)).decode() == signature


@given(text=st.text(st.characters(codec="utf-8"), max_size=60))
def test_what_is_signed_verifies_and_nothing_else_does(key: RSAPrivateKey, public: str, text: str) -> None:
    """For any token: its own signature holds, that of the token with a newline does not."""
    signature = token.sign(text, key)
    assert token.verify(text, signature, public)
    assert not token.verify(text + "\n", signature, public)


@given(anything=st.text(max_size=400), text=st.text(max_size=60))
def test_arbitrary_signatures_are_false_and_never_an_error(public: str, anything: str, text: str) -> None:
    """Devices send whatever they like; the answer is no."""
    assert token.verify(text, anything, public) is False


def mutations(signature: str) -> dict[str, str]:
    raw = base64.b64decode(signature)
    number = int.from_bytes(raw, "big")
    encode = {
        "first bit flipped": bytes([raw[0] ^ 0x80]) + raw[1:],
        "last bit flipped": raw[:-1] + bytes([raw[-1] ^ 1]),
        "one byte short": raw[:-1],
        "first byte missing": raw[1:],
        "zero byte before": b"\0" + raw,
        "zero byte after": raw + b"\0",
        "all zero": bytes(len(raw)),
        "one": (1).to_bytes(len(raw), "big"),
        "all ones": b"\xff" * len(raw),
        "twice": raw + raw,
        "reversed": raw[::-1],
        "plus one": ((number + 1) % 2 ** (8 * len(raw))).to_bytes(len(raw), "big"),
    }
    texts = {
        "empty": "",
        "newline after": signature + "\n",
        "broken into lines": signature[:64] + "\n" + signature[64:],
        "spaces for plus": signature.replace("+", " ") + " ",
        "url alphabet": base64.urlsafe_b64encode(raw).decode() + "-_",
        "percent-encoded": signature.replace("=", "%3D"),
        "padding missing": signature.rstrip("="),
        "not ASCII": "é" + signature[1:],
        "hex": raw.hex(),
    }
    return texts | {name: base64.b64encode(value).decode() for name, value in encode.items()}


@pytest.mark.parametrize("mutation", mutations(base64.b64encode(bytes(256)).decode()).keys())
def test_a_changed_signature_is_refused(mutation: str, public: str, signature: str) -> None:
    """No neighbour of a valid signature is valid, in its bytes or in its writing."""
    changed = mutations(signature)[mutation]
    assert changed != signature
    assert not token.verify(TOKEN, changed, public)


def test_a_modulus_added_to_the_signature_is_refused(key: RSAPrivateKey, public: str, signature: str) -> None:
    """s + n is congruent to s, and still is not the signature (Wycheproof: signature too big)."""
    modulus = key.public_key().public_numbers().n
    shifted = int.from_bytes(base64.b64decode(signature), "big") + modulus
    for size in (256, 257):
        if shifted < 2 ** (8 * size):
            text = base64.b64encode(shifted.to_bytes(size, "big")).decode()
            assert not token.verify(TOKEN, text, public)


@pytest.mark.parametrize("digest", ["-sha1", "-sha512"])
def test_another_digest_is_refused(digest: str, pem: Secret, public: str, tmp_path: Path) -> None:
    """A signature that is right but for its hash is wrong: AWS IoT checks SHA-256."""
    (tmp_path / "key.pem").write_text(pem.reveal())
    raw = openssl("dgst", digest, "-sign", tmp_path / "key.pem", stdin=TOKEN.encode())
    assert not token.verify(TOKEN, base64.b64encode(raw).decode(), public)


def test_pss_padding_is_refused(pem: Secret, public: str, tmp_path: Path) -> None:
    """The newer RSA padding is not the one that AWS IoT verifies."""
    (tmp_path / "key.pem").write_text(pem.reveal())
    pss = ("-sigopt", "rsa_padding_mode:pss")
    raw = openssl("dgst", "-sha256", *pss, "-sign", tmp_path / "key.pem", stdin=TOKEN.encode())
    assert not token.verify(TOKEN, base64.b64encode(raw).decode(), public)


def test_another_key_and_a_broken_one_verify_nothing(signature: str, public: str) -> None:
    """A signature holds under its own key only, and a PEM that is none is no error here."""
    other = token.public_key_pem(token.load_private_key(token.generate(), is_own=True))
    assert not token.verify(TOKEN, signature, other)
    assert not token.verify(TOKEN, signature, public[:-60])
    assert not token.verify(TOKEN, signature, "\udcff")
    assert token.fingerprint(other) != token.fingerprint(public)


def test_a_token_that_is_not_text_cannot_be_signed(key: RSAPrivateKey) -> None:
    """Half a surrogate pair, as a terminal may hand over, is refused in words."""
    with pytest.raises(InputError, match="UTF-8"):
        token.sign("door\udcff", key)


SMALL = ("genrsa", "1024")
CURVE = ("genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256")


@pytest.mark.parametrize(
    ("recipe", "message"),
    [(SMALL, "has 1024 bits; AWS IoT wants 2048 or more"), (CURVE, "is not an RSA key")],
    ids=["1024 bits", "elliptic curve"],
)
def test_keys_that_aws_refuses_are_refused_on_both_sides(recipe: tuple[str, ...], message: str) -> None:
    """RSA of 2,048 bits or more, or an error that says so, for the private key and for the public one."""
    private = openssl(*recipe)
    public = openssl("pkey", "-pubout", stdin=private).decode()
    with pytest.raises(InputError, match=message) as caught:
        token.load_private_key(Secret(private.decode()))
    assert caught.value.hint == "make one with `iotauth keys generate FILE`"
    with pytest.raises(InputError, match=message):
        token.load_public_key(public)
    assert not token.verify(TOKEN, "AAAA", public)


def test_each_way_a_private_key_cannot_be_opened_is_named(pem: Secret, public: str) -> None:
    """No PEM, a public key, a passphrase missing, wrong, or too many: one sentence each, no key in it."""
    locked = Secret(openssl("pkey", "-aes256", "-passout", "pass:right", stdin=pem.reveal().encode()).decode())
    cases = [
        (Secret("not a key"), None, "this is not an intact private key in PEM"),
        (Secret(public), None, "this is not an intact private key in PEM"),
        (locked, None, "is encrypted and no passphrase was given"),
        (locked, Secret("wrong"), "does not open with this passphrase"),
        (pem, Secret("needless"), "is not encrypted but a passphrase was given"),
    ]
    for given_pem, passphrase, message in cases:
        with pytest.raises(InputError, match=message) as caught:
            token.load_private_key(given_pem, passphrase)
        assert "BEGIN" not in caught.value.message


def test_a_key_with_a_false_prime_is_refused_unless_it_is_our_own(key: RSAPrivateKey) -> None:
    """A key from elsewhere has its primes checked; for one that we made and guarded that time is saved."""
    p, q = key.private_numbers().p, key.private_numbers().q
    q += 2 if q % 3 == 1 else 4  # now divisible by 3
    e = token.PUBLIC_EXPONENT
    d = pow(e, -1, (p - 1) * (q - 1))
    public = rsa.RSAPublicNumbers(e, p * q)
    numbers = rsa.RSAPrivateNumbers(p, q, d, d % (p - 1), d % (q - 1), pow(q, -1, p), public)
    false = numbers.private_key(unsafe_skip_rsa_key_validation=True)
    pem = Secret(false.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode())
    with pytest.raises(InputError, match="not an intact private key"):
        token.load_private_key(pem)
    assert token.load_private_key(pem, is_own=True).key_size == 2048
