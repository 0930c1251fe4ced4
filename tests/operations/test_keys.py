"""Keys as files: made for their owner alone, used to sign, and asked about signatures."""

from __future__ import annotations

import subprocess
from pathlib import Path
from urllib.parse import quote

import pytest

from iotauth_cli.errors import InputError
from iotauth_cli.operations import keys
from iotauth_cli.operations.keys import Made, Signer
from iotauth_cli.secret import Secret
from iotauth_cli.token import sign
from support import require_peer

TOKEN = "door-7.1763640000"


def openssl(*arguments: str | Path, stdin: bytes = b"") -> bytes:
    command = [require_peer("openssl"), *map(str, arguments)]
    return subprocess.run(command, input=stdin, capture_output=True, check=True).stdout


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    return keys.generate(tmp_path_factory.mktemp("keys") / "doors.pem")


@pytest.fixture(scope="module")
def signature(made: Made) -> str:
    return keys.sign(Secret(TOKEN), keys.open_key(made.private_at).key).signature


def test_a_key_is_written_for_its_owner_alone_and_its_public_half_beside_it(made: Made) -> None:
    """0600 and a name that says what is what; openssl finds the same public key in the private one."""
    assert made.private_at.stat().st_mode & 0o777 == 0o600
    assert made.public_at.name == "doors.pub.pem"
    assert openssl("pkey", "-in", made.private_at, "-pubout").decode() == made.public_at.read_text()


@pytest.mark.parametrize("taken", ["doors.pem", "doors.pub.pem"])
def test_a_key_is_never_overwritten(tmp_path: Path, taken: str) -> None:
    """Whichever of the two files is there, it stays as it is and the other is not written."""
    (tmp_path / taken).write_text("precious")
    with pytest.raises(InputError, match=f"{taken}` exists already"):
        keys.generate(tmp_path / "doors.pem")
    assert [path.name for path in tmp_path.iterdir()] == [taken]
    assert (tmp_path / taken).read_text() == "precious"


def test_a_passphrase_encrypts_the_key_so_that_openssl_opens_it_with_it(tmp_path: Path) -> None:
    """The file does not open without it; openssl, given it, signs what we sign."""
    made = keys.generate(tmp_path / "k.pem", passphrase=Secret("correct horse"))
    with pytest.raises(InputError, match=r"k\.pem`: the private key is encrypted") as caught:
        keys.open_key(made.private_at)
    assert "--passphrase-stdin" in str(caught.value.hint)
    raw = openssl("dgst", "-sha256", "-sign", made.private_at, "-passin", "pass:correct horse", stdin=TOKEN.encode())
    theirs = openssl("base64", "-A", stdin=raw).decode()
    key = keys.open_key(made.private_at, Secret("correct horse")).key
    assert keys.sign(Secret(TOKEN), key).signature == theirs


def test_a_passphrase_file_is_for_keys_that_want_one(made: Made, tmp_path: Path) -> None:
    """Its line end does not count; for a key without a passphrase it is not even read."""
    (tmp_path / "passphrase").write_text("correct horse\n")
    encrypted = keys.generate(tmp_path / "k.pem", passphrase=Secret("correct horse"))
    assert keys.open_key(encrypted.private_at, passphrase_file=tmp_path / "passphrase").key.key_size == 2048
    assert keys.open_key(made.private_at, passphrase_file=tmp_path / "nowhere").key.key_size == 2048


def test_a_key_that_others_can_read_is_used_with_a_warning(made: Made, tmp_path: Path) -> None:
    """Mounted secrets are often so and must work; who made a mistake is told how to mend it."""
    copy = tmp_path / "open.pem"
    copy.write_bytes(made.private_at.read_bytes())
    copy.chmod(0o640)
    assert keys.open_key(copy).warning == f"`{copy}` can be read by others; close it: `chmod 600 {copy}`"
    assert keys.open_key(made.private_at).warning is None


def test_openssl_and_we_verify_each_other(made: Made, signature: str, tmp_path: Path) -> None:
    """AWS's recipe gives a signature that we take, and ours is one that `openssl dgst -verify` takes."""
    raw = openssl("dgst", "-sha256", "-sign", made.private_at, stdin=TOKEN.encode())
    theirs = openssl("base64", "-A", stdin=raw).decode()
    assert keys.verify(TOKEN, theirs, {"": keys.public_of(made.public_at)}, "the key").ok
    (tmp_path / "ours").write_bytes(openssl("base64", "-A", "-d", stdin=signature.encode()))
    arguments = ("-sha256", "-verify", made.public_at, "-signature", tmp_path / "ours")
    assert openssl("dgst", *arguments, stdin=TOKEN.encode()) == b"Verified OK\n"


def test_each_of_several_keys_is_tried_and_the_right_one_named(made: Made, signature: str, tmp_path: Path) -> None:
    """As AWS IoT does: a request does not say which key has signed it."""
    other = keys.generate(tmp_path / "other.pem").public_pem
    verdict = keys.verify(TOKEN, signature, {"old": other, "new": made.public_pem}, "authorizer `doors`")
    assert (verdict.ok, verdict.key_name) == (True, "new")
    assert not keys.verify(TOKEN, signature, {"old": other}, "authorizer `doors`").ok


def test_a_usual_mistake_is_recognised(made: Made, signature: str) -> None:
    """Encoded, mangled by a form, base64url, or signed with a line end: the verdict says which it was."""
    held = {"k": made.public_pem}
    with_line_end = sign(TOKEN + "\n", keys.open_key(made.private_at).key)
    url = signature.translate(str.maketrans("+/", "-_")).rstrip("=")
    cases = {
        quote(signature, safe=""): "percent-encoded",
        signature.replace("+", " "): "has become a space",
        url: "base64url",
        with_line_end: "a line end was signed",
    }
    for wrong, words in cases.items():
        verdict = keys.verify(TOKEN, wrong, held, "key `k`")
        assert not verdict.ok
        assert words in str(verdict.why_not)
    assert keys.verify("door-8", signature, held, "key `k`").why_not is None


@pytest.mark.parametrize(
    ("token", "words"),
    [("", "empty"), ("a\nb", "line end"), ("a\x7f", "control character"), ("a" * 6145, "longer than 6144")],
    ids=["empty", "line end", "control character", "too long"],
)
def test_a_token_that_would_not_arrive_as_signed_is_refused(made: Made, token: str, words: str) -> None:
    """A signature over it would never be accepted, and nobody would say why."""
    with pytest.raises(InputError, match=words):
        keys.sign(Secret(token), keys.open_key(made.private_at).key)


@pytest.mark.parametrize(
    ("command", "words"),
    [
        (("genrsa", "1024"), "has 1024 bits"),
        (("ecparam", "-genkey", "-name", "prime256v1", "-noout"), "not an RSA key"),
    ],
    ids=["1024 bits", "EC"],
)
def test_other_keys_of_openssl_are_refused_by_name(tmp_path: Path, command: tuple[str, ...], words: str) -> None:
    """The file, what is wrong with the key, and how to get a right one."""
    path = tmp_path / "k.pem"
    path.write_bytes(openssl(*command))
    with pytest.raises(InputError, match=rf"k\.pem`: .*{words}") as caught:
        keys.open_key(path)
    assert caught.value.hint == "make one with `iotauth keys generate FILE`"


def test_what_is_no_private_key_is_refused_by_name(made: Made, tmp_path: Path) -> None:
    """The public half, text, and nothing at all."""
    with pytest.raises(InputError, match="is the public half of a key"):
        keys.open_key(made.public_at)
    (tmp_path / "text.pem").write_text("hello")
    with pytest.raises(InputError, match="not an intact private key"):
        keys.open_key(tmp_path / "text.pem")
    with pytest.raises(InputError, match="there is no file"):
        keys.open_key(tmp_path / "nowhere.pem")


def test_a_token_for_a_client_names_it_and_rides_in_its_user_name(made: Made) -> None:
    """The client id and the time are signed; the user name carries all three parameters, encoded once."""
    signer = Signer(keys.open_key(made.private_at).key, "door-token")
    issued = keys.for_client(signer, "doors", "door-7", 1763640000)
    assert issued.signed.token == Secret(TOKEN)
    encoded = quote(issued.signed.signature, safe="")
    assert issued.device_username == (
        f"door-7?x-amz-customauthorizer-name=doors&door-token={TOKEN}&x-amz-customauthorizer-signature={encoded}"
    )


def test_git_does_not_get_a_private_key(tmp_path: Path) -> None:
    """It is ignored before it lies there; the public half may go with the project."""
    subprocess.run([require_peer("git"), "init", "--quiet", str(tmp_path)], check=True)
    made = keys.generate(tmp_path / "doors.pem")
    assert made.ignored == "/doors.pem"
    assert (tmp_path / ".gitignore").read_text() == "/doors.pem\n"
