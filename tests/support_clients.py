"""Real MQTT clients before a data plane of real sockets: what the function answers them, and how to wait for them."""

from __future__ import annotations

import asyncio
import base64
import subprocess
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, TypeVar

import pytest

from iotauth_cli.emulator.ca import Certificates
from support import require_peer
from support_data import Plane, answer, listening, policy, statement

USERNAME = "thermo?x-amz-customauthorizer-name=doors"
T = TypeVar("T")


def decide(event: dict[str, Any]) -> dict[str, Any]:
    """Let in who says `right`, for `doors/a` and its reply alone."""
    mqtt = event["protocolData"]["mqtt"]
    return answer(
        policy(
            statement("iot:Connect", "client/${iot:ClientId}"),
            statement(["iot:Publish", "iot:Receive"], "topic/doors/a"),
            statement("iot:Subscribe", "topicfilter/doors/a"),
        ),
        isAuthenticated=base64.b64decode(mqtt.get("password", "")) == b"right",
    )


@asynccontextmanager
async def serving(plane: Plane, certificates: Certificates) -> AsyncIterator[int]:
    """Serve *plane* to who says `right`; yield the port."""
    plane.runner.reply = decide
    async with listening(plane, certificates) as listener:
        yield listener.port


async def elsewhere(work: Callable[[], T]) -> T:
    """Run a client that blocks, beside the event loop that serves it."""
    return await asyncio.get_running_loop().run_in_executor(None, work)


async def until(condition: Callable[[], bool]) -> None:
    """Wait for something that a client in another thread or process brings about."""
    for _ in range(2000):
        if condition():
            return
        await asyncio.sleep(0.01)
    pytest.fail("it did not happen within 20 s")


def decided(plane: Plane, outcome: str) -> list[str]:
    """Return which check decided each attempt that ended in *outcome*."""
    return [attempt.decided_by for attempt in plane.attempts.recent() if attempt.outcome == outcome]


def mosquitto(
    program: str, port: int, certificates: Certificates, *arguments: str, version: str = "mqttv311"
) -> list[str]:
    """Return the command line of mosquitto_pub or mosquitto_sub."""
    return [
        require_peer(program),
        *("-h", "localhost", "-p", str(port), "--cafile", str(certificates.ca_file), "--tls-alpn", "mqtt"),
        *("-V", version, "-u", USERNAME, *arguments),
    ]


def run(command: list[str]) -> int:
    """Return the exit code of *command*."""
    return subprocess.run(command, capture_output=True, timeout=10, check=False).returncode
