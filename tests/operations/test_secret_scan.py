"""Secrets are found in whatever holds them, and nothing else is ever found."""

from __future__ import annotations

import base64
import inspect
import os
import re
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from iotauth_authorizer.credential import PATTERN, new_secret
from iotauth_cli.cli import render_scan
from iotauth_cli.errors import InputError, IotauthError
from iotauth_cli.operations import secret_scan
from iotauth_cli.operations.secret_scan import LENGTH, Scan, Seeker, matches, needles, shortened
from support import REPOSITORY

SECRET = new_secret()
RAW = SECRET.encode()


def found(data: bytes) -> list[tuple[str, str]]:
    return [(match.secret, match.encoding) for match in sorted(matches(data))]


@pytest.mark.parametrize(
    "around",
    [b"%s", b'"%s"', b"x%sx", b"\\n%s\\n", b"\x00%s\x00", b"pass\xff%s\xfe", b"iota_%s", b"?a=b&p=%s&c", b"%s_"],
    ids=str,
)
def test_a_secret_is_found_whatever_stands_around_it(around: bytes) -> None:
    """In code, in a URL, in a binary, behind an escaped line end: no boundary is asked for."""
    assert found(around % RAW) == [(SECRET, "plain")]


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be"])
def test_a_secret_in_utf_16_is_found(encoding: str) -> None:
    """What PowerShell's redirection writes, in either order of bytes, at the very end too."""
    for text in (f"a {SECRET} b", SECRET, f"\r\n{SECRET}"):
        assert found(text.encode(encoding)) == [(SECRET, "utf-16")]


@given(before=st.binary(max_size=5), after=st.binary(max_size=5), width=st.integers(4, 80), url=st.booleans())
def test_a_secret_in_base64_is_found(before: bytes, after: bytes, width: int, url: bool) -> None:
    """As a Kubernetes secret or a basic-auth header has it: at any place, wrapped at any width."""
    encode = base64.urlsafe_b64encode if url else base64.b64encode
    encoded = encode(before + RAW + after)
    wrapped = b"\n    ".join(encoded[at : at + width] for at in range(0, len(encoded), width))
    needle_is_whole = any(needle.text in wrapped for needle in needles())
    assert found(wrapped) == ([(SECRET, "base64")] if needle_is_whole else [])
    assert found(encoded) == [(SECRET, "base64")]


@pytest.mark.parametrize("at", range(LENGTH))
def test_one_wrong_letter_is_no_secret(at: int) -> None:
    """The checksum tells, and so does the prefix: not in any encoding is a near miss found."""
    for letter in "0123456789ABCXYZ_abciyz":
        near = SECRET[:at] + letter + SECRET[at + 1 :]
        if near != SECRET:
            shifted = [base64.b64encode(b"x" * lead + near.encode()) for lead in range(3)]
            for data in (near.encode(), near.encode("utf-16"), *shifted):
                assert found(data) == []


@given(st.text("0123456789abcxyzABCXYZ", min_size=33, max_size=33))
def test_what_looks_like_a_secret_is_none(body: str) -> None:
    """The pattern alone would find these; one in four thousand million would be right by chance."""
    assert re.fullmatch(PATTERN, f"iota_{body}")
    assert found(f"iota_{body}".encode()) == []


@given(st.integers(0, 300), st.lists(st.integers(1, 120), max_size=12))
def test_a_secret_across_seams_is_found_once(lead: int, cuts: list[int]) -> None:
    """Data comes in pieces, cut anywhere; line and column are those of the whole."""
    data = b"x" * (lead // 2) + b"\n" * 3 + b"y" * lead + RAW + b" " * 400 + b"\n" + RAW
    seeker, seen, at = Seeker(), [], 0
    for cut in [*cuts, len(data)]:
        seen += seeker.feed(data[at : at + cut])
        at += cut
    assert [(match.line, match.column) for match in seen] == [(4, lead + 1), (5, 1)]
    assert [match.start for match in seen] == [lead // 2 + 3 + lead, len(data) - LENGTH]


def test_a_large_file_is_read_in_pieces(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Memory does not depend on a file's size, and the line is counted from its beginning."""
    monkeypatch.setattr(secret_scan, "CHUNK_BYTES", 1000)
    (tmp_path / "big").write_bytes(b"line\n" * 5000 + b"  " + RAW + b"\n" * 5000)
    (seen,) = Scan().files_below([tmp_path])
    assert (seen.line, seen.column) == (5001, 3)


def test_two_on_a_line_are_two(tmp_path: Path) -> None:
    """Each is named with its own place."""
    other = new_secret()
    (tmp_path / "a").write_text(f"{SECRET},{other}")
    assert [(seen.column, seen.shown) for seen in Scan().files_below([tmp_path])] == [
        (1, shortened(SECRET)),
        (LENGTH + 2, shortened(other)),
    ]


def test_the_secret_itself_is_not_in_what_is_seen(tmp_path: Path) -> None:
    """A finding goes into logs and tickets: prefix and four letters of the checksum."""
    (tmp_path / "a").write_text(SECRET)
    scan = Scan()
    (seen,) = scan.files_below([tmp_path])
    assert seen.shown == f"iota_…{SECRET[-4:]}"
    assert SECRET not in repr((seen, scan, next(matches(RAW))))


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    for name in ("a/b/deep.txt", ".hidden", ".git/objects/x", ".iotauth/credentials/x.json", "sp ace\n.bin"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"\x00" + RAW)
    (tmp_path / "link").symlink_to(tmp_path / ".iotauth" / "credentials" / "x.json")
    (tmp_path / "loop").symlink_to(tmp_path)
    os.mkfifo(tmp_path / "pipe")
    return tmp_path


def test_files_below_a_folder_are_looked_at(tree: Path) -> None:
    """Hidden and binary ones too; not the private store, git's own files, links and pipes."""
    scan = Scan()
    assert [Path(seen.path).relative_to(tree).as_posix() for seen in scan.files_below([tree])] == [
        ".hidden",
        "a/b/deep.txt",
        "sp ace\n.bin",
    ]
    assert (scan.files, scan.found) == (3, 3)


def test_what_is_named_is_looked_at(tree: Path) -> None:
    """A folder that is passed over on the way counts when it is asked for; so does a link."""
    assert len(list(Scan().files_below([tree / ".iotauth", tree / "link"]))) == 2


def test_what_does_not_exist_is_refused(tmp_path: Path) -> None:
    """A mistyped path must not pass as clean."""
    with pytest.raises(InputError, match="there is no file or folder"):
        list(Scan().files_below([tmp_path / "nowhere"]))


def test_what_cannot_be_read_is_not_called_clean(tmp_path: Path) -> None:
    """The others are looked at; then the answer is that there is none."""
    (tmp_path / "ok").write_text(SECRET)
    scan = Scan()
    too_long = "x" * 300
    assert len(list(scan.listed([too_long, str(tmp_path / "ok"), str(tmp_path / "gone")]))) == 1
    with pytest.raises(IotauthError, match=r"not everything was looked at: cannot read `x*`: file name too") as refused:
        scan.check_readable()
    assert refused.value.exit_code == 3


def test_a_file_that_would_never_end_is_none(tmp_path: Path) -> None:
    """What says that it holds nothing is not read: some files of /proc are waited on for ever."""
    scan = Scan()
    assert list(scan.listed(["/proc/self/environ", os.devnull])) == []
    assert (scan.size, scan.unreadable) == (0, [])


RULE = REPOSITORY / "docs" / "guides" / "gitleaks.toml"


def test_the_gitleaks_rule_is_the_programs_own_pattern() -> None:
    """One rule, with our pattern, a keyword that every secret contains, and gitleaks' own rules kept."""
    tomllib = pytest.importorskip("tomllib")
    config = tomllib.loads(RULE.read_text())
    (rule,) = config["rules"]
    assert rule["regex"] == PATTERN
    assert config["extend"] == {"useDefault": True}
    assert all(keyword in SECRET for keyword in rule["keywords"])
    assert set(rule) == {"id", "description", "regex", "keywords"}


def test_the_published_pattern_meets_every_secret_and_no_near_miss() -> None:
    """A thousand generated ones; and none that is too short, too long or holds another character."""
    rule = re.search(r"regex = '''(.+?)'''", RULE.read_text())
    assert rule
    pattern = re.compile(rule[1], re.ASCII)
    for _ in range(1000):
        secret = new_secret()
        assert pattern.search(f'"{secret}"')
        for near in (
            secret[:-1],
            secret + "x",
            secret.replace("_", "-"),
            secret[:20] + "." + secret[21:],
            "x" + secret,
        ):
            assert not pattern.search(near)


def test_folders_may_lie_deeper_than_python_recurses(tmp_path: Path) -> None:
    """They are no reason to give up; here Python's limit is brought down to where the folders are."""
    folder = tmp_path.joinpath(*("d" * 300))
    folder.mkdir(parents=True)
    (folder / "f").write_text(SECRET)
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(len(inspect.stack(0)) + 150)
    try:
        seen = list(Scan().files_below([tmp_path]))
    finally:
        sys.setrecursionlimit(limit)
    assert len(seen) == 1


def test_a_name_with_a_line_end_stays_on_its_line() -> None:
    """It could pass for a line of ours otherwise."""
    seen = secret_scan.Seen("a\nno secret in 1 file", 1, 1, "iota_…abcd", "plain")
    assert render_scan.line(seen) == "a\\nno secret in 1 file:1:1: iota_…abcd"
