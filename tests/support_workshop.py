"""From a client to a device that runs: its header or its partition, the flash, and somebody who watches it."""

from __future__ import annotations

import contextlib
import json
import struct
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from iotauth_cli.aws import iot
from iotauth_cli.device.formats import header, nvs_bin, nvs_csv
from iotauth_cli.device.login import DeviceLogin
from iotauth_cli.operations.device_secrets import login_for
from iotauth_cli.secret import Secret
from support_chip import FakeChip
from support_device import Device
from support_firmware import Program, run_flash, upload
from support_world import Place

WIFI, WIFI_PASSWORD = "lab", "correct horse"
NO_CREDENTIAL = '#include "placeholder.h"\n'  # secrets.h that comes and goes would cost PlatformIO's whole build
CHIPS = {"esp32": "esp32", "esp32nvs": "esp32", "esp8266": "esp8266"}


@dataclass(frozen=True)
class Workshop:
    """Makes devices out of one *project*. *place* is where they connect."""

    project: Path
    variables: dict[str, str]
    place: Place
    flashes: dict[str, bytes] = field(default_factory=dict)

    def login(self, client_id: str, *topics: str, **wish: Any) -> DeviceLogin:
        """Add a client and return what its device needs, for the endpoint's long name."""
        self.place.add(client_id, *(topics or (f"sensors/{client_id}",)), **wish)
        return login_for(
            self.place.session,
            self.place.store,
            client_id,
            endpoint=iot.data_endpoint(self.place.session),
            wifi_ssid=WIFI,
            wifi_password=Secret(WIFI_PASSWORD),
        )

    def write_header(self, text: str) -> None:
        (self.project / "include" / "secrets.h").write_text(text)

    def flash(self, chip: FakeChip, name: str, login: DeviceLogin) -> str:
        """Bring *login* into *chip* by environment *name*; return what PlatformIO or esptool said."""
        if name.endswith("nvs"):
            self.write_program(chip, name)
            return self.write_partition(chip, login)
        self.write_header(header.text(login))
        return upload(self.project, name, chip, self.variables)

    def write_program(self, chip: FakeChip, name: str) -> None:
        """Have *chip* hold the program that every device has; it is built and uploaded once a session."""
        if name not in self.flashes:
            self.write_header(NO_CREDENTIAL)
            with FakeChip(CHIPS[name]) as first:
                upload(self.project, name, first, self.variables)
            self.flashes[name] = bytes(first.flash)
        chip.flash[:] = self.flashes[name]

    def write_partition(self, chip: FakeChip, login: DeviceLogin) -> str:
        """Write *login* into *chip*'s partition `creds`, by esptool."""
        image = self.project.parent / "creds.bin"
        image.write_bytes(nvs_bin.image(nvs_csv.text(login)))
        command = [sys.executable, "-m", "esptool", "--chip", chip.kind, "--port", chip.port, "write-flash"]
        ran = subprocess.run([*command, hex(nvs_bin.OFFSET), str(image)], capture_output=True, text=True)
        assert ran.returncode == 0, ran.stdout + ran.stderr
        return ran.stdout

    def run(self, chip: FakeChip, **options: Any) -> Program:
        """Start the device in reach of its Wi-Fi and of the emulator, unless *options* say otherwise."""
        address = ("127.0.0.1", self.place.emulator.ready.data_endpoint.port)
        return run_flash(chip, **{"connect_to": address, "wifi": f"{WIFI}/{WIFI_PASSWORD}", **options})

    @contextlib.contextmanager
    def device(self, name: str, login: DeviceLogin, **options: Any) -> Iterator[Program]:
        """Yield a new device of *login* that runs."""
        with FakeChip(CHIPS[name]) as chip:
            self.flash(chip, name, login)
            with self.run(chip, **options) as program:
                yield program

    @contextlib.contextmanager
    def watcher(self, *filters: str) -> Iterator[Watcher]:
        """Yield somebody who hears everything below *filters*."""
        with Watcher(self.place.emulator) as watcher:
            assert watcher.connect(f"watcher-{len(filters)}-{id(watcher)}") == (0, False)
            for each in filters:
                assert watcher.subscribe(each, qos=0) == 0
            yield watcher


class Watcher(Device):
    """A connection that may do everything."""

    def __enter__(self) -> Watcher:
        return self

    def hear(self, topic: str, **members: Any) -> dict[str, Any]:
        """Wait for a message on *topic* whose JSON has *members*; `retained` is its flag."""
        while (packet := self.receive_whole()) is not None:
            first, body = packet
            (size,) = struct.unpack_from(">H", body)
            if first & 0xF0 != 0x30 or body[2 : 2 + size] != topic.encode():
                continue
            message: dict[str, Any] = json.loads(body[2 + size :])
            if all(message.get(name) == value for name, value in members.items()):
                return {**message, "retained": bool(first & 1)}
        raise AssertionError(f"nothing came on {topic}")

    def receive_whole(self) -> tuple[int, bytes] | None:
        """As `receive`, with the flags of the packet's first byte."""
        head = self._read(1)
        if not head:
            return None
        size = shift = 0
        while True:
            (byte,) = self._read(1)
            size |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return head[0], self._read(size)
