"""Every transcript in `scenarios/` is what a person sees; `support_scenarios` says how they are written."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from iotauth_cli.operations.doctor import machine
from support_scenarios import Scenario, in_process, replay

SCENARIOS = sorted((Path(__file__).parent / "scenarios").glob("*.txt"))


@pytest.mark.parametrize("path", SCENARIOS, ids=lambda path: path.stem)
def test_scenario(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    """The program says what the transcript says, line by line, on the right stream, with the right exit code."""
    scenario = Scenario.parse(path.read_text(encoding="utf-8"))
    work = tmp_path / "work"
    work.mkdir()
    monkeypatch.chdir(work)
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("XDG_CONFIG_HOME", "XDG_STATE_HOME"):
        monkeypatch.delenv(name)
    monkeypatch.setattr(machine, "PYTHON_ENDS", {})  # what doctor says of a Python depends on the day
    if scenario.needs_emulator:
        monkeypatch.setenv("IOTAUTH_EMULATOR", "1")
        monkeypatch.setenv("IOTAUTH_STATE_DIR", str(request.getfixturevalue("emulator").state_dir))
        assert in_process(["authorizer", "create", "--quiet", "--json"], b"")[-1] == "}"
        remove_every_client()
    expected, seen = replay(scenario, work, monkeypatch.setenv)
    assert seen == expected, f"{path.name} saw:\n\n{seen}\n"


def remove_every_client() -> None:
    """Begin with an empty table, whichever transcripts were played before and wherever one of them failed."""
    for client in json.loads("".join(in_process(["client", "list", "--json", "--quiet"], b""))):
        in_process(["client", "remove", client["client_id"], "--yes", "--no-disconnect"], b"")
