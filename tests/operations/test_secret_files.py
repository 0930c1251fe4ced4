"""Where rendered secrets go: private, whole, and never into a commit by accident."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from iotauth_cli.device.formats import Rendered, RenderedFile
from iotauth_cli.errors import InputError
from iotauth_cli.operations import git
from iotauth_cli.operations.secret_files import only_file, write
from support import require_peer

ONE = Rendered((RenderedFile("secrets.h", "one"),), 100, 103)
TWO = Rendered((RenderedFile("a.conf", "secret"), RenderedFile("a.ca.pem", b"public", is_secret=False)), 100, 103)
FOLDER = Rendered((RenderedFile("thermo/x.ino", "code", is_secret=False), RenderedFile("thermo/s.h", "secret")), 1, 1)


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    require_peer("git")
    subprocess.run(["git", "init", "-q", str(tmp_path)], check=True)
    return tmp_path


def untracked(repository: Path) -> set[str]:
    """Return what `git add .` would take."""
    command = ["git", "-C", str(repository), "-c", "core.quotePath=off", "ls-files", "-z", "-o", "--exclude-standard"]
    listed = subprocess.run(command, capture_output=True, check=True)
    return {name.decode() for name in listed.stdout.split(b"\0") if name}


@pytest.mark.skipif(os.name != "posix", reason="mode bits mean something on POSIX only")
def test_a_secret_is_private(tmp_path: Path) -> None:
    """0600 whatever the umask, also where a wider file was written over."""
    (tmp_path / "secrets.h").write_text("other")
    (tmp_path / "secrets.h").chmod(0o666)
    written = write(ONE, None, cwd=tmp_path, force=True)
    assert written.paths == (tmp_path / "secrets.h",)
    assert written.paths[0].stat().st_mode & 0o777 == 0o600
    assert written.paths[0].read_text() == "one"


@pytest.mark.skipif(os.name != "posix", reason="there are no pipes by name")
@pytest.mark.parametrize("force", [False, True])
def test_a_pipe_is_refused_and_not_waited_for(tmp_path: Path, force: bool) -> None:
    """Neither read, which would never end, nor replaced by a file."""
    os.mkfifo(tmp_path / "out")
    with pytest.raises(InputError, match="is no file"):
        write(ONE, "out", cwd=tmp_path, force=force)
    assert (tmp_path / "out").is_fifo()


def test_nothing_is_written_over_without_force(tmp_path: Path) -> None:
    """What lies there stays, and so does everything else of the same format."""
    (tmp_path / "a.ca.pem").write_text("mine")
    with pytest.raises(InputError, match=r"`a.ca.pem` exists already and holds something else"):
        write(TWO, None, cwd=tmp_path, force=False)
    assert [path.name for path in tmp_path.iterdir()] == ["a.ca.pem"]
    assert (tmp_path / "a.ca.pem").read_text() == "mine"


def test_the_same_again_is_no_overwriting(tmp_path: Path) -> None:
    """A second run with the same result needs no `--force`."""
    write(TWO, None, cwd=tmp_path, force=False)
    write(TWO, None, cwd=tmp_path, force=False)


@pytest.mark.parametrize(
    ("rendered", "out", "places"),
    [
        (ONE, None, ["secrets.h"]),
        (ONE, "x.h", ["x.h"]),
        (ONE, "there", ["there/secrets.h"]),
        (ONE, "new/", ["new/secrets.h"]),
        (ONE, "new/x.h", ["new/x.h"]),
        (TWO, "b.conf", ["b.conf", "a.ca.pem"]),
        (TWO, "there/b.conf", ["there/b.conf", "there/a.ca.pem"]),
        (FOLDER, None, ["thermo/x.ino", "thermo/s.h"]),
        (FOLDER, "new", ["new/thermo/x.ino", "new/thermo/s.h"]),
        (FOLDER, "there", ["there/thermo/x.ino", "there/thermo/s.h"]),
    ],
    ids=str,
)
def test_out_is_a_file_or_a_folder(tmp_path: Path, rendered: Rendered, out: str | None, places: list[str]) -> None:
    """A folder that is there, or a slash at the end, takes the usual names; else it is the name.

    A format's own folder keeps its name, which an Arduino sketch shares with its first file.
    """
    (tmp_path / "there").mkdir()
    written = write(rendered, out, cwd=tmp_path, force=False)
    assert [str(path.relative_to(tmp_path)) for path in written.paths] == places


def test_a_header_goes_where_platformio_looks(tmp_path: Path) -> None:
    """In a firmware project it belongs into `include`."""
    (tmp_path / "platformio.ini").touch()
    assert write(ONE, None, cwd=tmp_path, force=False).paths == (tmp_path / "include" / "secrets.h",)


def test_stdout_takes_one_file() -> None:
    """Two files in one stream are none."""
    assert only_file(ONE, "header") == b"one"
    with pytest.raises(InputError, match="format `conf` makes 2 files"):
        only_file(TWO, "conf")


def test_git_ignores_a_secret_and_keeps_the_rest(repository: Path) -> None:
    """The secret's path goes into .gitignore, once; what is public stays visible."""
    (repository / ".gitignore").write_text("*.o")  # without a line end
    first = write(TWO, "sub/dir/a.conf", cwd=repository, force=False)
    assert first.ignored == ("/sub/dir/a.conf",)
    assert first.ignore_file == repository / ".gitignore"
    assert (repository / ".gitignore").read_text() == "*.o\n/sub/dir/a.conf\n"
    assert untracked(repository) == {".gitignore", "sub/dir/a.ca.pem"}
    again = write(TWO, "sub/dir/a.conf", cwd=repository, force=True)
    assert again.ignored == ()
    assert (repository / ".gitignore").read_text() == "*.o\n/sub/dir/a.conf\n"


def test_what_is_ignored_already_needs_no_line(repository: Path) -> None:
    """A rule of the user's own is enough."""
    (repository / ".gitignore").write_text("*.h\n")
    assert write(ONE, "include/", cwd=repository, force=False).ignored == ()


def test_a_path_that_git_tracks_is_refused(repository: Path) -> None:
    """Not even --force puts a secret where the next commit takes it."""
    (repository / "secrets.h").write_text("placeholder")
    subprocess.run(["git", "-C", str(repository), "add", "secrets.h"], check=True)
    with pytest.raises(InputError, match=r"git tracks `secrets\.h`") as refusal:
        write(ONE, None, cwd=repository, force=True)
    assert refusal.value.hint is not None
    assert "git rm --cached secrets.h" in refusal.value.hint
    assert (repository / "secrets.h").read_text() == "placeholder"


def test_a_path_that_git_insists_on_is_refused(repository: Path) -> None:
    """A later rule can take an earlier one back: then nothing is written."""
    (repository / "include").mkdir()
    (repository / "include" / ".gitignore").write_text("!secrets.h\n")
    with pytest.raises(InputError, match="git would not ignore"):
        write(ONE, "include/", cwd=repository, force=False)
    assert not (repository / "include" / "secrets.h").exists()


def test_a_way_through_a_symbolic_link_is_followed(repository: Path) -> None:
    """Git sees nothing behind a link, so the real place is named."""
    (repository / "real").mkdir()
    (repository / "link").symlink_to("real")
    assert write(ONE, "link/", cwd=repository, force=False).ignored == ("/real/secrets.h",)
    assert untracked(repository) == {".gitignore", "link"}


def test_without_git_the_line_is_written_all_the_same(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A repository on a machine that has no git today: the line is there when it has."""
    monkeypatch.setenv("PATH", "")
    assert write(ONE, None, cwd=repository, force=False).ignored == ("/secrets.h",)
    assert write(ONE, None, cwd=repository, force=True).ignored == ()


def test_a_hook_of_another_repository_does_not_mislead(
    repository: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Inside a hook GIT_DIR names a repository, which need not be the one that is written to."""
    other = tmp_path_factory.mktemp("other")
    subprocess.run(["git", "init", "-q", str(other)], check=True)
    (other / "secrets.h").touch()
    subprocess.run(["git", "-C", str(other), "add", "secrets.h"], check=True)
    with monkeypatch.context() as hook:
        hook.setenv("GIT_DIR", str(other / ".git"))
        assert write(ONE, None, cwd=repository, force=False).ignored == ("/secrets.h",)
    assert untracked(repository) == {".gitignore"}


NAMES = st.text(st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="/\0\n\r"), min_size=1, max_size=20)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(NAMES.filter(lambda name: name not in (".", "..", ".git") and len(name.encode()) < 200))
def test_the_line_means_this_path_alone(repository: Path, name: str) -> None:
    """Stars, brackets, backslashes and blanks at the end stand for themselves."""
    place = repository / "x" / name
    place.parent.mkdir(exist_ok=True)
    (repository / ".gitignore").write_text(git.pattern(place.relative_to(repository)) + "\n")
    assert git.is_ignored(repository, place)
    assert not git.is_ignored(repository, place.with_name("other" + name))
    assert not git.is_ignored(repository, repository / "y" / name)
