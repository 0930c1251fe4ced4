"""Private files: whole or not at all, for their owner alone."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from iotauth_cli.errors import InputError
from iotauth_cli.files import private_directory, read_text, remove, write_once, write_private, write_public

posix = pytest.mark.skipif(os.name != "posix", reason="mode bits mean something on POSIX only")


@posix
@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077], ids=oct)
def test_a_private_file_is_the_owners_whatever_the_umask(tmp_path: Path, umask: int) -> None:
    """Mode 0600 from its first byte on; a generous umask widens nothing."""
    path = tmp_path / "credential.json"
    before = os.umask(umask)
    try:
        write_private(path, "canary")
    finally:
        os.umask(before)
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.read_text() == "canary"


@posix
def test_a_wider_directory_is_narrowed(tmp_path: Path) -> None:
    """A .iotauth that an older tool made readable to all is closed."""
    place = tmp_path / ".iotauth"
    place.mkdir(mode=0o755)
    assert private_directory(place).stat().st_mode & 0o777 == 0o700


def test_a_private_directory_keeps_itself_out_of_git(tmp_path: Path) -> None:
    """It brings a .gitignore that names everything in it, and leaves one alone that is there."""
    place = private_directory(tmp_path / "a" / ".iotauth")
    assert (place / ".gitignore").read_text() == "*\n"
    (place / ".gitignore").write_text("mine\n")
    private_directory(place)
    assert (place / ".gitignore").read_text() == "mine\n"


def test_what_a_full_disk_left_of_a_gitignore_is_mended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty one would hand the secrets beside it to the next `git add`; and the full disk is named as such."""
    place = tmp_path / ".iotauth"
    place.mkdir()
    (place / ".gitignore").touch()

    def full(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        for folder in (place, tmp_path / "new"):
            with pytest.raises(InputError, match=r"cannot write `.*gitignore`: no space left on device"):
                private_directory(folder)
    for folder in (place, tmp_path / "new"):
        assert (private_directory(folder) / ".gitignore").read_text() == "*\n"


@pytest.mark.parametrize("number", [errno.EPERM, errno.ENOTSUP], ids=errno.errorcode.get)
def test_a_file_system_without_links_will_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    """A memory card knows none; what is there is left alone there too."""

    def refuse(_source: Path, _target: Path) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "link", refuse)
    path = tmp_path / "begun.json"
    assert write_once(path, "first")
    assert not write_once(path, "second")
    assert path.read_text() == "first"
    assert list(tmp_path.iterdir()) == [path]


def test_of_two_who_write_a_new_file_at_once_one_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A key that the other has shown to AWS already must not be replaced by ours."""
    path, link = tmp_path / "key.pem", os.link

    def late(source: Path, target: Path) -> None:
        target.write_text("theirs")
        link(source, target)

    monkeypatch.setattr(os, "link", late)
    with pytest.raises(InputError, match="exists already"):
        write_private(path, "ours", overwrite=False)
    assert path.read_text() == "theirs"


@posix
def test_a_device_or_a_pipe_is_not_replaced(tmp_path: Path) -> None:
    """Root could: /dev/null would be a file with a secret in it. And nobody waits for a pipe to end."""
    pipe, stdout = tmp_path / "pipe", tmp_path / "stdout"
    os.mkfifo(pipe)
    stdout.symlink_to("/proc/self/fd/1")
    for path in (pipe, stdout):
        with pytest.raises(InputError, match="is no file, but a device or a pipe"):
            write_private(path, "canary")
    assert pipe.is_fifo()
    assert stdout.is_symlink()
    assert not list(tmp_path.glob(".*"))


def test_what_was_there_survives_a_failed_write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A disk that fills up in the middle leaves the old content and nothing beside it."""
    path = tmp_path / "credential.json"
    write_private(path, "old")

    def full(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(InputError, match=f"cannot write `{path}`: no space left on device"):
        write_private(path, "new")
    assert path.read_text() == "old"
    assert [each.name for each in tmp_path.iterdir()] == ["credential.json"]


def test_an_interrupted_write_leaves_nothing_beside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C while the disk works: no half file, no temporary one."""

    def interrupt(_descriptor: int) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", interrupt)
    with pytest.raises(KeyboardInterrupt):
        write_private(tmp_path / "credential.json", "new")
    assert list(tmp_path.iterdir()) == []


def test_a_taken_name_is_not_overwritten_unasked(tmp_path: Path) -> None:
    """overwrite=False leaves what is there."""
    path = tmp_path / "key.pem"
    write_private(path, "old", overwrite=False)
    with pytest.raises(InputError, match="exists already"):
        write_private(path, "new", overwrite=False)
    with pytest.raises(InputError, match="exists already"):
        write_public(path, "new")
    assert path.read_text() == "old"


def test_a_place_that_is_a_file_is_refused_with_its_name(tmp_path: Path) -> None:
    """The error carries the user's path and the reason."""
    (tmp_path / "taken").write_text("")
    with pytest.raises(InputError, match=r"cannot create the directory `.*taken`: file exists"):
        private_directory(tmp_path / "taken")


def test_reading_says_none_error_or_text(tmp_path: Path) -> None:
    """Not there is None; there and unreadable is an error."""
    assert read_text(tmp_path / "nothing") is None
    assert read_text(tmp_path / "nothing" / "below") is None
    (tmp_path / "text").write_text("é", encoding="utf-8")
    assert read_text(tmp_path / "text") == "é"
    (tmp_path / "bytes").write_bytes(b"\xff")
    with pytest.raises(InputError, match="is not UTF-8 text"):
        read_text(tmp_path / "bytes")
    with pytest.raises(InputError, match="cannot read"):
        read_text(tmp_path)


def test_removing_tells_whether_there_was_something(tmp_path: Path) -> None:
    """Removing twice is no error."""
    write_private(tmp_path / "x", b"\x00")
    assert remove(tmp_path / "x") is True
    assert remove(tmp_path / "x") is False
    with pytest.raises(InputError, match="cannot remove"):
        remove(tmp_path)
