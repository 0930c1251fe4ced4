"""`--dry-run` changes nothing: every command that has it is run with it, and every call that it makes is looked at."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from iotauth_cli.cli import Root
from iotauth_cli.cli.lazy import LazyGroup
from support_desk import Desk
from support_emulator import RunningEmulator, running_emulator
from support_recorded import recorded

# Ways to run each command that has `--dry-run`, on an installation with two clients. `{mine}` is the ARN of a
# function that is not iotauth's.
LINES: dict[str, tuple[str, ...]] = {
    "authorizer create": ("new", "dry --memory 512 --tag site=north", "dry --function {mine} --yes", "dry --default"),
    "authorizer delete": ("dry", "dry --table"),
    "authorizer migrate": ("dry --to signed",),
    "authorizer update": (
        "dry --memory 512 --arch x86_64 --refresh-after 15m --disconnect-after 2h --reserved-concurrency 3",
        "dry --retention 90 --caching --tag site=north --untag made",
        "dry --function {mine}",
        "dry --reserved-concurrency none",
    ),
    "client import": ("fleet.csv --template doors/{{client_id}}",),
    "client migrate": ("",),
    "flash": ("door-1 --board esp32 --wifi-ssid barn --wifi-password-stdin",),
    "init": ("foreign --adopt --table dry",),
}
OFFLINE = {"client import", "flash"}  # they may ask nobody


def commands(group: LazyGroup, path: tuple[str, ...] = ()) -> Iterator[tuple[str, bool]]:
    """Yield every command with whether it has `--dry-run`."""
    for name in group.table:
        loaded = group.load(name)
        if isinstance(loaded, LazyGroup):
            yield from commands(loaded, (*path, name))
        else:
            options = {option for parameter in loaded.params for option in parameter.opts}
            yield " ".join((*path, name)), "--dry-run" in options


DRY = sorted(name for name, has_it in commands(Root()) if has_it)


@pytest.fixture(scope="module")
def emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningEmulator]:
    with running_emulator(tmp_path_factory.mktemp("dry")) as running:
        yield running


def export(patch: pytest.MonkeyPatch, emulator: RunningEmulator, folder: Path) -> None:
    patch.chdir(folder)
    settings = {"EMULATOR": "1", "STATE_DIR": str(emulator.state_dir)}
    for name, value in {**settings, **dict.fromkeys(("AUTHORIZER", "TABLE", "FUNCTION"), "dry")}.items():
        patch.setenv(f"IOTAUTH_{name}", value)


@pytest.fixture(scope="module")
def project(emulator: RunningEmulator, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A project with an installation; and the ARN of a function of somebody else's beside it."""
    folder = tmp_path_factory.mktemp("project")
    with pytest.MonkeyPatch.context() as patch:
        export(patch, emulator, folder)
        desk = Desk(folder)
        assert desk("authorizer", "create").code == 0
        assert desk("client", "add", "door-1", "--topic", "doors/1").code == 0
    (folder / "fleet.csv").write_text("client_id,password\ndoor-8,correct-horse-battery\n")
    return folder, foreign(emulator)


@pytest.fixture
def place(project: tuple[Path, str], emulator: RunningEmulator, monkeypatch: pytest.MonkeyPatch) -> tuple[Desk, str]:
    export(monkeypatch, emulator, project[0])
    return Desk(project[0]), project[1]


def foreign(emulator: RunningEmulator) -> str:
    """Make a function and an authorizer by hand; return the function's ARN."""
    from support_control import TRUST, zipped

    role = emulator.client("iam").create_role(RoleName="by-hand", AssumeRolePolicyDocument=TRUST)["Role"]["Arn"]
    arn = emulator.client("lambda").create_function(
        FunctionName="by-hand",
        Runtime="python3.13",
        Role=role,
        Handler="app.handler",
        Code={"ZipFile": zipped({"app.py": "def handler(event, context): return {}"})},
    )["FunctionArn"]
    emulator.client("iot").create_authorizer(
        authorizerName="foreign", authorizerFunctionArn=arn, signingDisabled=True, status="ACTIVE"
    )
    return str(arn)


def test_every_command_with_a_dry_run_is_known_here() -> None:
    """A new one brings the lines to run it by: LINES above."""
    assert len(DRY) > 5
    assert not set(DRY) - LINES.keys(), "add lines that run them: nothing else sees that their dry run changes nothing"


@pytest.mark.parametrize("command", DRY)
def test_a_dry_run_makes_no_mutating_call(place: tuple[Desk, str], command: str) -> None:
    """It asks, says what it would do, changes nothing in AWS or the emulator, and leaves no line in the audit log."""
    desk, mine = place
    audited = sorted(path.read_text() for path in (desk.folder / ".iotauth" / "audit").glob("*.jsonl"))
    for line in LINES[command]:
        words = line.format(mine=mine).split()
        with recorded() as calls:
            ran = desk(*command.split(), *words, "--dry-run", stdin="secret-of-the-barn\n")
        assert ran.code == 0, ran.text
        assert calls or command in OFFLINE, line
        assert [str(call) for call in calls if call.is_mutating] == [], line
    assert sorted(path.read_text() for path in (desk.folder / ".iotauth" / "audit").glob("*.jsonl")) == audited


def test_a_run_that_is_no_dry_one_is_seen_to_change_something(place: tuple[Desk, str]) -> None:
    """The recorder that finds nothing above does find what is there to find."""
    desk, _ = place
    with recorded() as calls:
        assert desk("authorizer", "update", "--refresh-after", "20m").code == 0
    assert "lambda:UpdateFunctionConfiguration" in {str(call) for call in calls if call.is_mutating}
