"""The wheel alone, in an environment of its own, run from an empty directory, does the whole job."""

from __future__ import annotations

import json
import subprocess
import sys
import sysconfig
import venv
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from support import REPOSITORY
from support_shell import Shell


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder), str(REPOSITORY)]
    subprocess.run(command, check=True, capture_output=True)
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Install the wheel where nothing of the checkout can be seen; its libraries come from the test environment."""
    environment = tmp_path_factory.mktemp("environment")
    venv.create(environment, with_pip=False)
    python = environment / "bin" / "python"
    pip = [sys.executable, "-m", "pip", "--python", str(python), "--disable-pip-version-check", "--quiet"]
    subprocess.run([*pip, "install", "--no-deps", "--no-index", str(wheel)], check=True)
    libraries = sysconfig.get_paths()["purelib"]
    (site,) = (environment / "lib").glob("python3*/site-packages")
    (site / "libraries.pth").write_text(libraries + "\n")
    return environment / "bin" / "iotauth"


@pytest.fixture
def shell(installed: Path, tmp_path: Path) -> Iterator[Shell]:
    (tmp_path / "empty").mkdir()
    shell = Shell(cwd=tmp_path / "empty", home=tmp_path, program=(str(installed),))
    yield shell
    shell.stop_emulator()


def test_the_wheel_holds_both_packages_and_what_goes_with_them(wheel: Path) -> None:
    """CLI, kernel, SAM template and firmware travel together; tests and documents do not."""
    names = zipfile.ZipFile(wheel).namelist()
    for wanted in (
        "iotauth_cli/__main__.py",
        "iotauth_cli/emulator/lambda_runtime/node/client.mjs",
        "iotauth_authorizer/handler.py",
        "iotauth_authorizer/roots.pem",
        "iotauth_cli/_packaged/template.yaml",
        "iotauth_cli/_packaged/firmware_template/platformio.ini",
        "iotauth_cli/_packaged/firmware_template/partitions.csv",
        "iotauth_cli/_packaged/firmware_template/.gitignore",
        "iotauth_cli/_packaged/firmware_template/.vscode/extensions.json",
        "iotauth_cli/_packaged/firmware_template/include/placeholder.h",
        "iotauth_cli/_packaged/firmware_template/src/main.cpp",
    ):
        assert wanted in names
    assert not [name for name in names if name.startswith(("tests", "docs", "benchmarks")) or ".pyc" in name]
    assert not [name for name in names if name.endswith("secrets.h") or "/.pio/" in name]


def test_the_installed_wheel_carries_the_whole_job(shell: Shell, installed: Path) -> None:
    """From nothing to a device that is let in, with no file of the checkout in reach."""
    where = [
        str(installed.parent / "python"),
        "-c",
        "import iotauth_cli, iotauth_authorizer as k; print(k.__file__)",
    ]
    assert str(REPOSITORY) not in subprocess.run(where, capture_output=True, text=True, check=True).stdout
    shell.run("init", "--emulator")
    shell.start_emulator()
    shell.run("authorizer", "create")
    shell.run("client", "add", "thermo-1", "--topic", "sensors/thermo-1")
    told = json.loads(shell.run("test-connect", "thermo-1", "--json").out)
    assert told["ok"] is True
    assert [row["client_id"] for row in json.loads(shell.run("client", "list", "--json").out)] == ["thermo-1"]


def test_the_same_source_gives_the_same_function_bytes(shell: Shell, installed: Path) -> None:
    """The zip built from the wheel equals the zip built from the checkout, byte for byte."""
    from iotauth_cli.bundle import authorizer_zip

    code = "import sys; from iotauth_cli.bundle import authorizer_zip; sys.stdout.buffer.write(authorizer_zip())"
    python = installed.parent / "python"
    from_wheel = subprocess.run([python, "-c", code], capture_output=True, check=True, cwd=shell.cwd).stdout
    assert from_wheel == authorizer_zip() == authorizer_zip()


def test_a_stack_can_be_made_from_the_wheel_alone(shell: Shell) -> None:
    """`template --new` writes SAM's template with the function's code; deployed, every command works on the stack."""
    shell.run("template", "--new", "-o", "infrastructure")
    shell.start_emulator()
    shell.run("emulator", "deploy", "infrastructure/template.yaml", "--stack-name", "doors")
    shell.run("init", "--from-stack", "doors", "--emulator")
    shell.run("client", "add", "thermo-1", "--topic", "sensors/thermo-1")
    assert json.loads(shell.run("test-connect", "thermo-1", "--json").out)["ok"] is True
