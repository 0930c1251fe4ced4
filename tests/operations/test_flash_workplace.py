"""The folder where firmware is built: a secret comes for a while, and goes however that ends."""

from __future__ import annotations

import contextlib
import os
import shutil
from pathlib import Path

import pytest

from iotauth_cli.bundle import firmware_template
from iotauth_cli.errors import Conflict, InputError
from iotauth_cli.operations.flash.workplace import (
    PLACEHOLDER,
    Workplace,
    clear_up,
    copy_firmware,
    opened,
    refuse_shadow,
)
from iotauth_cli.secret import Secret

SECRET = Secret('battery "staple"')
SPELT = ('battery "staple"', 'battery \\"staple\\"')


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "own" / "include").mkdir(parents=True)
    return tmp_path / "own"


def built(work: Workplace) -> list[str]:
    return sorted(path.name for path in work.build.rglob("*.o"))


def build(work: Workplace) -> None:
    for name, text in (("main.o", "nothing"), ("credentials.o", SPELT[0]), ("preprocessed.o", SPELT[1])):
        (work.build / name).write_text(text)
    (work.scratch / "cc1.s").write_text(SPELT[1])


def test_only_what_holds_the_secret_goes(project: Path, tmp_path: Path) -> None:
    """As it is and as C spells it; objects without it stay, for the next board's build."""
    with opened(tmp_path / ".iotauth", project) as work:
        with work.holding("#define X", [SECRET]):
            assert work.secrets_h.read_text() == "#define X"
            assert work.secrets_h.stat().st_mode & 0o077 == 0
            build(work)
        assert built(work) == ["main.o"]
        assert not work.secrets_h.exists()
        assert not (work.scratch / "cc1.s").exists()
        assert work.directory.stat().st_mode & 0o077 == 0


def test_an_exception_clears_up_and_puts_the_header_back(project: Path, tmp_path: Path) -> None:
    """Content and mode; its time is new, because a build must see that it changed."""
    header = project / "include" / "secrets.h"
    header.write_text("// mine")
    header.chmod(0o644)
    os.utime(header, (1, 1))
    interrupted = contextlib.suppress(KeyboardInterrupt)
    with opened(tmp_path / ".iotauth", project) as work, interrupted, work.holding("x", [SECRET]):
        build(work)
        raise KeyboardInterrupt
    assert header.read_text() == "// mine"
    assert header.stat().st_mode & 0o777 == 0o644
    assert header.stat().st_mtime > 1
    assert built(work) == ["main.o"]


def test_a_header_that_is_a_link_is_a_link_again(project: Path, tmp_path: Path) -> None:
    """What it leads to was kept out of the project on purpose, and is not written to."""
    header, elsewhere = project / "include" / "secrets.h", tmp_path / "elsewhere.h"
    elsewhere.write_text("// mine")
    header.symlink_to(elsewhere)
    with opened(tmp_path / ".iotauth", project) as work, work.holding("#define X", [SECRET]):
        assert header.read_text() == "#define X"
        assert elsewhere.read_text() == "// mine"
    assert header.readlink() == elsewhere
    assert elsewhere.read_text() == "// mine"


def test_what_a_killed_run_left_is_cleared_from_any_project(project: Path, tmp_path: Path) -> None:
    """The secret is not known then: everything built since the note goes, and what is older stays."""
    iotauth, header = tmp_path / ".iotauth", project / "include" / "secrets.h"
    header.write_text("// mine")
    with opened(iotauth, project) as work:
        (work.build / "framework.o").write_text("old")
        os.utime(work.build / "framework.o", (1, 1))
        work.note()
        work.secrets_h.write_text(SPELT[0])
        (header.parent / ".secrets.h.99").write_text(SPELT[0])
        build(work)
    clear_up(iotauth)
    assert header.read_text() == "// mine"
    assert built(work) == ["framework.o"]
    assert [path.name for path in header.parent.iterdir()] == ["secrets.h"]
    assert not list(work.scratch.glob("*.s"))
    assert not (work.directory / "pending.json").exists()


def test_two_at_once_are_one_too_many(project: Path, tmp_path: Path) -> None:
    """The second is refused, and does not clear up under the first."""
    with opened(tmp_path / ".iotauth", project) as work, work.holding("x", [SECRET]):
        build(work)
        clear_up(tmp_path / ".iotauth")
        with (
            pytest.raises(Conflict, match="another `iotauth flash` is at work"),
            opened(tmp_path / ".iotauth", project),
        ):
            pass
        assert len(built(work)) == 3


def test_the_copy_of_our_firmware_follows_the_original(tmp_path: Path) -> None:
    """What changed is copied, what was removed goes, what is the same keeps its time; `secrets.h` is a placeholder."""
    source, target = tmp_path / "source", tmp_path / "target"
    shutil.copytree(firmware_template(), source, ignore=shutil.ignore_patterns(".pio"))
    (source / "include" / "secrets.h").write_text("// somebody's own, in a checkout")
    copy_firmware(source, target)
    kept = target / "platformio.ini"
    os.utime(kept, (1, 1))
    (source / "src" / "main.cpp").write_text("// newer\n")
    (target / "src" / "forgotten.cpp").write_text("")
    (target / ".pio").mkdir()
    (target / ".pio" / "library").write_text("")
    copy_firmware(source, target)
    assert (target / "src" / "main.cpp").read_text() == "// newer\n"
    assert not (target / "src" / "forgotten.cpp").exists()
    assert (target / "include" / "secrets.h").read_text() == PLACEHOLDER
    assert (target / ".pio" / "library").exists()
    assert kept.stat().st_mtime == 1


def test_a_header_in_src_is_refused(project: Path) -> None:
    """The compiler would take it instead."""
    (project / "src").mkdir()
    refuse_shadow(project)
    (project / "src" / "secrets.h").write_text("")
    with pytest.raises(InputError, match="would be built in, and not the credential"):
        refuse_shadow(project)
