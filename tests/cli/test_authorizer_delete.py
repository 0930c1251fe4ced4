"""What `authorizer delete` says of a part that AWS keeps for a week."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from support_desk import Desk
from support_emulator import RunningEmulator, running_emulator


@pytest.fixture(scope="module")
def emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningEmulator]:
    """One that keeps a managed domain configuration disabled as long as AWS does."""
    wait = ["managed_domain_deletion_wait_s=604800"]
    with running_emulator(tmp_path_factory.mktemp("week"), behaviour=wait) as running:
        yield running


def test_a_part_that_stays_for_a_week_is_said_to(at_emulator: Desk) -> None:
    """The first run says what stays and until when; one that comes too early deletes nothing, and its code is no."""
    at_emulator("authorizer", "create", "doors", "--alpn-free")
    first = at_emulator("authorizer", "delete", "doors", "--table", "--yes")
    assert first.code == 0
    assert "deleted authorizer `doors`; domain configuration `doors-alpn-free` stays for now" in first.lines
    [kept] = [line for line in first.lines if line.startswith("! kept")]
    assert "AWS lets it go on 20" in kept
    early = at_emulator("authorizer", "delete", "doors", "--yes")
    assert early.code == 1
    assert "nothing was deleted: domain configuration `doors-alpn-free` stays for now" in early.lines
    assert any("days; it is off since 20" in line for line in early.lines)
    document = at_emulator("authorizer", "delete", "doors", "--yes", "--json").document
    assert (document["applied"], [step["action"] for step in document["steps"]]) == (False, ["keep"])
