"""A real emulator for tests of every room: its own process, free ports, a state directory of its own."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from iotauth_cli.emulator import environment, lifecycle, lock
from iotauth_cli.emulator.environment import Ready


class RunningEmulator:
    """What a test holds of an emulator. After `stop` or `kill`, `start` brings it back on the same state."""

    def __init__(
        self,
        state_dir: Path,
        region: str | None = None,
        behaviour: Sequence[str] = (),
        proxy_port: int | None = None,
        mqtt_port: int | None = None,
    ) -> None:
        self.state_dir = state_dir
        self.proxy_port = proxy_port
        self.mqtt_port = mqtt_port
        self.behaviour = behaviour
        self._region = region
        self.ready: Ready = self.start()

    @property
    def variables(self) -> dict[str, str]:
        """The environment that points programs at it."""
        return environment.variables(self.ready)

    def client(self, service: str) -> Any:
        """Return a boto3 client of *service* that talks to it and repeats nothing."""
        import boto3
        from botocore.config import Config

        return boto3.client(  # type: ignore[call-overload]  # the stubs know services by literal name only
            service,
            endpoint_url=self.ready.control_endpoint,
            region_name=self.ready.region,
            aws_access_key_id=environment.ACCESS_KEY_ID,
            aws_secret_access_key=environment.SECRET_ACCESS_KEY,
            config=Config(retries={"total_max_attempts": 1}),
        )

    def start(self, control_port: int = 0) -> Ready:
        """Start it on free ports, or its APIs on *control_port*."""
        self.ready = lifecycle.start(
            self.state_dir,
            port=0,
            control_port=control_port,
            region=self._region,
            proxy_port=self.proxy_port,
            mqtt_port=self.mqtt_port,
            behaviour=self.behaviour,
            wait_s=30,
        )
        return self.ready

    def stop(self) -> bool:
        return lifecycle.stop(self.state_dir)

    def kill(self) -> None:
        """End it as `kill -9` does, and wait until it is gone."""
        os.kill(self.ready.pid, signal.SIGKILL)
        while lock.is_held(self.state_dir):
            pass

    def log(self) -> str:
        return (self.state_dir / lifecycle.LOG_FILE).read_text(encoding="utf-8")


@contextlib.contextmanager
def running_emulator(
    directory: Path,
    *,
    region: str | None = None,
    behaviour: Sequence[str] = (),
    proxy_port: int | None = None,
    mqtt_port: int | None = None,
) -> Iterator[RunningEmulator]:
    """Start an emulator whose state lies in *directory*, and stop it at the end."""
    emulator = RunningEmulator(directory / "emulator", region, behaviour, proxy_port, mqtt_port)
    try:
        yield emulator
    finally:
        emulator.stop()
