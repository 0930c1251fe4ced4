"""A day's behaviour in a second: the real emulator's process, with its clock moved."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest

from iotauth_cli.emulator import lifecycle, remote
from iotauth_cli.errors import InputError
from support_device import Device, calls_about, create_dictated_authorizer, create_role
from support_emulator import RunningEmulator, running_emulator

PUBLISHING = {"actions": ["iot:Connect", "iot:Publish"]}
CONNECTING = {"actions": "iot:Connect"}


@pytest.fixture(scope="module")
def emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningEmulator]:
    """One whose time these tests may move."""
    with running_emulator(tmp_path_factory.mktemp("time")) as running:
        create_dictated_authorizer(running)
        yield running


def advance(emulator: RunningEmulator, seconds: float, *, pinging: bool = False) -> Any:
    return remote.tell(emulator.state_dir, "clock/advance", seconds=seconds, pinging=pinging)


def last_reason(emulator: RunningEmulator, client_id: str) -> str:
    return lifecycle.attempts(emulator.state_dir, client_id=client_id)[-1].decided_by


def test_row_072_a_session_ends_when_disconnect_after_has_passed(emulator: RunningEmulator) -> None:
    """A second before it the client is served; at 300 s it is cut off, with AWS's reason."""
    with Device(emulator) as device:
        assert device.connect("row-72", {"disconnectAfterInSeconds": 300}) == (0, False)
        assert advance(emulator, 290)["disconnected"] == []
        assert device.ping()
        assert advance(emulator, 10)["disconnected"] == ["row-72"]
        assert device.is_closed()
    assert last_reason(emulator, "row-72") == "CUSTOMAUTH_TTL_EXPIRATION"


def test_row_073_the_function_is_called_again_and_its_new_policy_is_in_force(emulator: RunningEmulator) -> None:
    """When `advance` returns, the refresh is done: what was allowed before is denied now."""
    with Device(emulator) as device:
        device.connect("row-73", {"refreshAfterInSeconds": 300, **PUBLISHING}, CONNECTING)
        assert device.publish("doors/7")
        advance(emulator, 300)
        assert calls_about(emulator, "row-73") == 2
        assert not device.publish("doors/7")
    assert last_reason(emulator, "row-73") == "iot:Publish"


def test_row_074_a_refresh_does_not_move_the_cut_off(emulator: RunningEmulator) -> None:
    """The refresh at 300 s answers a day, and the client is cut off after the 600 s of its CONNECT."""
    first = {"refreshAfterInSeconds": 300, "disconnectAfterInSeconds": 600}
    with Device(emulator) as device:
        device.connect("row-74", first, {"disconnectAfterInSeconds": 86_400})
        assert advance(emulator, 590)["disconnected"] == []
        assert calls_about(emulator, "row-74") == 2
        assert advance(emulator, 10)["disconnected"] == ["row-74"]
        assert device.is_closed()


@pytest.mark.parametrize("second", [{"isAuthenticated": False}, "fail", {"principalId": "not_plain"}])
def test_row_075_a_refresh_that_denies_or_fails_ends_the_session(emulator: RunningEmulator, second: Any) -> None:
    """A no, an exception and an answer that AWS IoT does not take: each closes the connection at once."""
    client_id = f"row-75-{str(second)[:6]}".translate({ord(mark): None for mark in "{' "})
    with Device(emulator) as device:
        device.connect(client_id, {"refreshAfterInSeconds": 300}, second)
        assert advance(emulator, 300)["disconnected"] == [client_id]
        assert device.is_closed()
    assert calls_about(emulator, client_id) == 2


@pytest.mark.parametrize(
    ("asked_s", "dropped_after_s"), [(10, 45), (0, 1800), (5000, 1800)], ids=["10 s", "none", "5000 s"]
)
def test_row_096_a_silent_client_is_dropped_after_one_and_a_half_keep_alives(
    emulator: RunningEmulator, asked_s: int, dropped_after_s: int
) -> None:
    """A keep-alive of 10 s counts as 30, none and 5000 as 1200; the client is heard until it is not."""
    client_id = f"row-96-{asked_s}"
    with Device(emulator) as device:
        device.connect(client_id, keep_alive_s=asked_s)
        advance(emulator, dropped_after_s - 5)
        assert device.ping()
        advance(emulator, dropped_after_s - 5)
        assert device.ping()
        assert advance(emulator, dropped_after_s)["disconnected"] == [client_id]
        assert device.is_closed()
    assert last_reason(emulator, client_id) == "MQTT_KEEP_ALIVE_TIMEOUT"


def test_a_day_of_refreshes_passes_in_a_second(emulator: RunningEmulator) -> None:
    """A device that pings is asked about every five minutes, 287 times, until its day is over."""
    with Device(emulator) as device:
        device.connect("daily", {"refreshAfterInSeconds": 300}, keep_alive_s=60)
        assert advance(emulator, 86_390, pinging=True)["disconnected"] == []
        assert device.ping()
        assert calls_about(emulator, "daily") == 1 + 287
        assert advance(emulator, 10, pinging=True)["disconnected"] == ["daily"]


def test_a_device_that_does_not_ping_is_not_there_for_its_refresh(emulator: RunningEmulator) -> None:
    """Silence counts unless one says otherwise, so that a keep-alive runs out before the five minutes do."""
    with Device(emulator) as device:
        device.connect("silent", {"refreshAfterInSeconds": 300}, keep_alive_s=60)
        assert advance(emulator, 300)["disconnected"] == ["silent"]
    assert calls_about(emulator, "silent") == 1


def test_a_persistent_session_is_kept_for_its_hour(emulator: RunningEmulator) -> None:
    """Within the hour the session is found again, after it a new one begins."""
    kept = []
    for seconds in (None, 3500, 3700):
        if seconds is not None:
            advance(emulator, seconds)
        with Device(emulator) as device:
            kept.append(device.connect("hourly", clean=False))
            device.send(0xE0, b"")
            assert device.is_closed()
    assert kept == [(0, False), (0, True), (0, False)]


def test_items_whose_time_is_over_go_from_the_table(emulator: RunningEmulator) -> None:
    """DynamoDB's time to live follows: AWS takes up to two days, and two days are a moment here."""
    tables = emulator.client("dynamodb")
    tables.create_table(
        TableName="short-lived",
        KeySchema=[{"AttributeName": "Client_ID", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "Client_ID", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    settings = {"AttributeName": "Expires", "Enabled": True}
    tables.update_time_to_live(TableName="short-lived", TimeToLiveSpecification=settings)
    now = remote.ask(emulator.state_dir, "clock")["now"]
    tables.put_item(
        TableName="short-lived", Item={"Client_ID": {"S": "door-7"}, "Expires": {"N": str(int(now) + 3600)}}
    )
    advance(emulator, 3000)
    assert "Item" in tables.get_item(TableName="short-lived", Key={"Client_ID": {"S": "door-7"}})
    advance(emulator, 3 * 86_400)
    assert "Item" not in tables.get_item(TableName="short-lived", Key={"Client_ID": {"S": "door-7"}})


def test_dates_and_attempts_are_the_emulators_and_a_functions_lines_the_machines(emulator: RunningEmulator) -> None:
    """A function stamps its lines with the time that it sees, and that does not move."""
    advance(emulator, 7 * 86_400)
    began = remote.ask(emulator.state_dir, "clock")["now"]
    with Device(emulator) as device:
        device.connect("dated")
    create_role(emulator, "dated")
    lines = emulator.client("logs").filter_log_events(
        logGroupName="/aws/lambda/dictated", filterPattern='"asked about dated"'
    )["events"]
    moved = (
        lifecycle.attempts(emulator.state_dir, client_id="dated")[-1].at,
        emulator.client("iam").get_role(RoleName="dated")["Role"]["CreateDate"].timestamp(),
    )
    assert all(began - 1 <= moment < began + 60 for moment in moved)
    assert time.time() - 60 < lines[-1]["timestamp"] / 1000 <= time.time()


def test_the_clock_stays_ahead_over_a_restart(emulator: RunningEmulator) -> None:
    """The dates in the state lie in the past after it, as they did before."""
    advance(emulator, 60)
    before = remote.ask(emulator.state_dir, "clock")
    emulator.stop()
    emulator.start()
    after = remote.ask(emulator.state_dir, "clock")
    assert after["ahead_s"] == before["ahead_s"] >= 60
    assert after["now"] >= before["now"] > time.time()


def test_a_span_that_cannot_be_meant_is_told_to_the_caller(emulator: RunningEmulator) -> None:
    """Backwards is not a direction."""
    with pytest.raises(InputError, match="only goes forward"):
        advance(emulator, -1)
