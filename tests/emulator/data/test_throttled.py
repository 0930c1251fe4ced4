"""What a device meets when Lambda has no place for the call."""

from __future__ import annotations

import dataclasses

import pytest

from support_data import Plane, in_loop


@in_loop
async def test_a_function_without_concurrency_lets_nobody_in(plane: Plane, monkeypatch: pytest.MonkeyPatch) -> None:
    """Reserved concurrency 0 is a refusal that names it; the function is not called."""
    find = plane.functions.find

    def switched_off(function_arn: str) -> object:
        function = find(function_arn)
        return function and dataclasses.replace(function, reserved_concurrency=0)

    monkeypatch.setattr(plane.functions, "find", switched_off)
    device = plane.device()
    await device.connect()
    assert device.is_closed
    assert device.received == []
    assert plane.runner.events == []
    assert (plane.last.decided_by, plane.last.function_called) == ("throttled", False)
    assert "throttled function `iotauth-doors`: its reserved concurrency is 0" in plane.last.sentence
