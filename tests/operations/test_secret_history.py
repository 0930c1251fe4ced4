"""What git holds is looked through once: real repositories, a real git."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from iotauth_authorizer.credential import new_secret
from iotauth_cli.errors import InputError, IotauthError
from iotauth_cli.operations import secret_history
from iotauth_cli.operations.secret_scan import Scan, shortened
from support import REPOSITORY, require_peer

SECRET = new_secret()


class Repository:
    def __init__(self, folder: Path) -> None:
        self.git_program = require_peer("git")
        self.folder = folder
        self.git("init", "-q", "-b", "main")

    def git(self, *words: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        settings = ("-c", "user.name=a", "-c", "user.email=a@example.com", "-c", "commit.gpgsign=false")
        return subprocess.run(
            [self.git_program, "-C", str(self.folder), *settings, *words], capture_output=True, text=True, check=check
        )

    def commit(self, message: str, **files: str) -> str:
        for name, text in files.items():
            (self.folder / name).write_text(text)
        self.git("add", "-A")
        self.git("commit", "-q", "--allow-empty", "-m", message)
        return self.git("rev-parse", "HEAD").stdout.strip()


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    folder = tmp_path / "repository"
    folder.mkdir()
    return Repository(folder)


def test_a_secret_that_was_taken_out_again_is_found(repository: Repository) -> None:
    """With the commit that brought it, not the one that took it out; each version once."""
    repository.commit("begin", other="nothing")
    brought = repository.commit("oops", config=f"a\n  x={SECRET}\n")
    repository.commit("again", copy=f"a\n  x={SECRET}\n")
    repository.commit("fixed", config="a\n", copy="a\n")
    scan = Scan()
    (seen,) = secret_history.history(scan, repository.folder)
    assert (seen.commit, seen.line, seen.column, seen.shown) == (brought, 2, 5, shortened(SECRET))
    assert seen.path in ("config", "copy")


def test_messages_stashes_dropped_commits_and_the_index_count(repository: Repository) -> None:
    """Whoever clones or looks into the reflog can read them all."""
    in_message, stashed, dropped, indexed = (new_secret() for _ in range(4))
    repository.commit("begin", a="x")
    repository.commit(f"the secret was {in_message}")
    repository.commit("to be dropped", a=dropped)
    repository.git("reset", "-q", "--hard", "HEAD~1")
    (repository.folder / "a").write_text(stashed)
    repository.git("stash")
    (repository.folder / "b").write_text(indexed)
    repository.git("add", "b")
    seen = list(secret_history.history(Scan(), repository.folder))
    assert {each.shown for each in seen} == {shortened(each) for each in (in_message, stashed, dropped, indexed)}
    # The stash's own message quotes that of the commit it began from.
    assert {each.path for each in seen if each.shown == shortened(in_message)} == {"(commit message)"}
    assert [each.commit for each in seen if each.shown == shortened(indexed)] == [None]


def test_an_annotated_tag_counts(repository: Repository) -> None:
    """Its message is an object of its own."""
    repository.commit("begin", a="x")
    repository.git("tag", "-a", "v1", "-m", f"released with {SECRET}")
    (seen,) = secret_history.history(Scan(), repository.folder)
    assert seen.path == "v1"


def test_a_repository_without_commits_has_no_history(repository: Repository) -> None:
    """Nothing to read is nothing found, and no error."""
    assert list(secret_history.history(Scan(), repository.folder)) == []


def test_a_folder_that_is_no_repository_is_refused(tmp_path: Path) -> None:
    """Its history cannot be clean: there is none."""
    for look in (secret_history.history, secret_history.staged):
        with pytest.raises(InputError, match="cannot be read as a git repository"):
            list(look(Scan(), tmp_path))


def test_without_git_it_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A sentence, not a traceback."""
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(InputError, match="git is not installed"):
        list(secret_history.history(Scan(), tmp_path))


def test_whoever_stops_listening_leaves_no_process(repository: Repository) -> None:
    """The first finding is enough for some; both gits end then."""
    for number in range(3):
        repository.commit(str(number), a=new_secret())
    seen = secret_history.history(Scan(), repository.folder)
    next(seen)
    seen.close()  # type: ignore[attr-defined]  # would wait for ever for a process that does not end


def test_what_is_staged_counts_and_what_is_not_does_not(repository: Repository) -> None:
    """The index is looked at and not the folder: they may differ; a file that goes away cannot leak."""
    repository.commit("begin", gone=SECRET, kept="x")
    (repository.folder / "gone").unlink()
    (repository.folder / "new \n ü").write_text(SECRET)
    repository.git("add", "-A")
    (repository.folder / "new \n ü").write_text("clean")
    (repository.folder / "kept").write_text(SECRET)
    (seen,) = secret_history.staged(Scan(), repository.folder)
    assert seen.path == "new \n ü"


def test_staged_files_are_found_from_a_folder_below(repository: Repository) -> None:
    """Paths are those of the repository, wherever one stands in it."""
    below = repository.folder / "below"
    below.mkdir()
    (below / "x").write_text(SECRET)
    repository.git("add", "-A")
    assert [seen.path for seen in secret_history.staged(Scan(), below)] == ["below/x"]


def test_what_git_ignores_can_be_left_out(repository: Repository) -> None:
    """Asked for, and only then."""
    repository.commit("begin", **{".gitignore": "build\n"})
    (repository.folder / "build").write_text(SECRET)
    (repository.folder / "new").write_text(SECRET)
    listed = secret_history.not_ignored(repository.folder)
    assert [Path(seen.path).name for seen in Scan().listed(listed)] == ["new"]
    assert len(list(Scan().files_below([repository.folder]))) == 2


HOOK = "#!/bin/sh\nexec {python} -m iotauth_cli secrets scan --staged\n"


def test_a_git_hook_keeps_a_secret_out_of_a_commit(repository: Repository) -> None:
    """The hook of the guide: the commit is refused, also one of a part of what changed."""
    hook = repository.folder / ".git" / "hooks" / "pre-commit"
    hook.write_text(HOOK.format(python=sys.executable))
    hook.chmod(0o755)
    (repository.folder / "config.h").write_text(f'"{SECRET}"')
    (repository.folder / "clean.h").write_text("x")
    repository.git("add", "-A")
    refused = repository.git("commit", "-m", "oops", check=False)
    assert refused.returncode != 0
    assert f"config.h:1:2: {shortened(SECRET)}" in refused.stdout + refused.stderr
    assert repository.git("commit", "-m", "a part of it", "clean.h", check=False).returncode == 0


CONFIG = """\
repos:
- repo: local
  hooks:
  - id: iotauth-secrets
    name: iotauth device secrets
    entry: {python} -m {rest}
    language: system
    types: [file]
"""


def test_the_hook_works_under_pre_commit(repository: Repository, monkeypatch: pytest.MonkeyPatch) -> None:
    """pre-commit takes our manifest, and its entry refuses a secret and lets the rest pass."""
    pre_commit, manifest = require_peer("pre-commit"), REPOSITORY / ".pre-commit-hooks.yaml"
    monkeypatch.setenv("PRE_COMMIT_HOME", str(repository.folder.parent / "cache"))
    subprocess.run([pre_commit, "validate-manifest", str(manifest)], check=True)
    entry = next(line for line in manifest.read_text().splitlines() if "entry:" in line).partition("entry: ")[2]
    config = CONFIG.format(python=sys.executable, rest=entry.replace("iotauth ", "iotauth_cli ", 1))
    (repository.folder / ".pre-commit-config.yaml").write_text(config)
    (repository.folder / "-x.bin").write_bytes(b"\x00" + SECRET.encode())
    (repository.folder / "clean").write_text("x")
    repository.git("add", "-A")
    run = [pre_commit, "run", "iotauth-secrets"]
    refused = subprocess.run(run, cwd=repository.folder, capture_output=True, text=True)
    assert refused.returncode == 1
    assert f"-x.bin:1:2: {shortened(SECRET)}" in refused.stdout
    repository.git("rm", "-q", "--cached", "--", "-x.bin")
    assert subprocess.run(run, cwd=repository.folder, capture_output=True).returncode == 0


def test_a_staged_file_is_read_whatever_its_name_is(repository: Repository) -> None:
    """For git, `:1:x` is what the other side of a merge has of `x`, and `:0:y` is `y`."""
    (repository.folder / "1:x").write_text(SECRET)
    repository.git("add", "-A")
    assert [seen.path for seen in secret_history.staged(Scan(), repository.folder)] == ["1:x"]


def test_what_is_staged_above_a_folder_counts_whatever_git_is_set_to(repository: Repository) -> None:
    """`diff.relative` has git tell of the folder alone in which it is asked."""
    repository.git("config", "diff.relative", "true")
    (repository.folder / "below").mkdir()
    (repository.folder / "config").write_text(SECRET)
    repository.git("add", "-A")
    assert [seen.path for seen in secret_history.staged(Scan(), repository.folder / "below")] == ["config"]


def test_a_staged_file_that_git_has_lost_is_no_file_without_secrets(repository: Repository) -> None:
    """Not everything was looked at; that is said instead."""
    (repository.folder / "config").write_text(SECRET)
    repository.git("add", "-A")
    blob = repository.git("rev-parse", ":config").stdout.strip()
    (repository.folder / ".git" / "objects" / blob[:2] / blob[2:]).unlink()
    with pytest.raises(IotauthError, match="could not read what is staged of `config`"):
        list(secret_history.staged(Scan(), repository.folder))


def test_what_git_shows_in_the_place_of_a_file_hides_nothing(repository: Repository) -> None:
    """`git replace` has git show something else; whoever clones the repository gets the file."""
    repository.commit("oops", config=SECRET)
    repository.commit("later", config="clean")
    repository.git("replace", repository.git("rev-parse", "HEAD~1:config").stdout.strip(), "HEAD:config")
    assert [seen.path for seen in secret_history.history(Scan(), repository.folder)] == ["config"]


def test_a_staged_submodule_is_passed_over_and_its_files_are_not(repository: Repository, tmp_path: Path) -> None:
    """What git has of it is a commit's name; what lies there is looked through like the rest of the folder."""
    (tmp_path / "module").mkdir()
    Repository(tmp_path / "module").commit("begin", config=SECRET)
    repository.git("-c", "protocol.file.allow=always", "submodule", "add", str(tmp_path / "module"), "module")
    (repository.folder / "loose").mkdir()
    (repository.folder / "loose" / "note").write_text(SECRET)
    Repository(repository.folder / "loose")
    assert list(secret_history.staged(Scan(), repository.folder)) == []
    seen = Scan().listed(secret_history.not_ignored(repository.folder))
    found = {str(Path(each.path).relative_to(repository.folder)) for each in seen}
    assert found == {"module/config", "loose/note"}
