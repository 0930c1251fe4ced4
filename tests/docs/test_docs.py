"""The documents say what is true: their commands run, their links lead somewhere, their reference is fresh."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from support import REPOSITORY
from support_shell import Shell

PAGES = sorted([REPOSITORY / "README.md", REPOSITORY / "CHANGELOG.md", *(REPOSITORY / "docs").rglob("*.md")])
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\((?!https?:|#)([^)#]+)")

# Shown to be typed on a fresh machine; each has its own test or is what runs these tests.
SETTING_UP = ("git clone", "cd ", "./scripts/", "pip install", "sam ")


def name(page: Path) -> str:
    return str(page.relative_to(REPOSITORY))


def commands(page: Path) -> list[tuple[str, str]]:
    """Return (command, expected output) of every ```console block: lines that begin with `$ `."""
    found: list[tuple[str, str]] = []
    for language, body in BLOCK.findall(page.read_text()):
        if language != "console":
            continue
        for part in re.split(r"^\$ ", body, flags=re.MULTILINE)[1:]:
            command, _, output = part.partition("\n")
            while command.endswith("\\"):
                more, _, output = output.partition("\n")
                command = command[:-1] + more.lstrip()
            found.append((command.split("  #")[0].strip(), output.rstrip()))
    return found


def write_files(page: Path, folder: Path) -> None:
    """Lay out the page's ```python and ```yaml blocks that begin with a comment naming their file."""
    for language, body in BLOCK.findall(page.read_text()):
        if language in ("python", "yaml") and (named := re.match(r"# ([\w.]+\.(?:py|yaml))$", body, re.MULTILINE)):
            (folder / named[1]).write_text(body)


@pytest.fixture
def shell(tmp_path: Path) -> Iterator[Shell]:
    (tmp_path / "work").mkdir()
    shell = Shell(cwd=tmp_path / "work", home=tmp_path)
    shell.extra = {
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "COLUMNS": "100",
        "IOTAUTH_PORT": "0",
        "IOTAUTH_CONTROL_PORT": "0",
    }
    yield shell
    shell.stop_emulator()


@pytest.mark.parametrize("page", [page for page in PAGES if commands(page)], ids=name)
def test_every_command_shown_runs(page: Path, shell: Shell) -> None:
    """A page's commands run in order, in one directory, and end as the page says."""
    write_files(page, shell.cwd)
    for command, shown in commands(page):
        if command.startswith(SETTING_UP):
            continue
        ran = subprocess.run(
            ["bash", "-c", command], cwd=shell.cwd, env=shell.environment(), capture_output=True, text=True, timeout=60
        )
        ended = re.search(r"^\[exit (\d+)\]$", shown, re.MULTILINE)
        expected = int(ended[1]) if ended else 0
        assert ran.returncode == expected, f"{name(page)}: $ {command}\n{ran.stdout}{ran.stderr}"
        printed = " ".join((ran.stdout + ran.stderr).split())
        for line in shown.splitlines():
            wanted = " ".join(line.split()).replace(":8443", "")
            if not wanted.startswith("[exit"):
                assert wanted in re.sub(r":\d{4,5}\b", "", printed), f"{name(page)}: $ {command}\nno: {line}\n{printed}"


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_links_lead_somewhere(page: Path) -> None:
    """A relative link names a file that is in the repository."""
    for target in LINK.findall(page.read_text()):
        assert (page.parent / target).exists(), f"{name(page)} links to {target}"


def test_scripts_shown_exist() -> None:
    """Every ./scripts/… a page names is there and can be executed."""
    for page in PAGES:
        for script in re.findall(r"\./(scripts/[\w.-]+)", page.read_text()):
            assert os.access(REPOSITORY / script, os.X_OK), f"{name(page)} names {script}"


def test_the_reference_is_what_the_program_says() -> None:
    """docs/reference is written by the program; run scripts/reference.py after a change."""
    script = str(REPOSITORY / "scripts" / "reference.py")
    ran = subprocess.run([sys.executable, script, "--check"], capture_output=True, text=True)
    assert ran.returncode == 0, ran.stdout + ran.stderr
