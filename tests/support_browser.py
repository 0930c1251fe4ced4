"""A real Chromium without a screen, and an emulator with an authorizer and a client for it to look at."""

from __future__ import annotations

import base64
import contextlib
import json
import os
import ssl
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import paho.mqtt.client as mqtt
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from paho.mqtt.enums import CallbackAPIVersion
from playwright.sync_api import Browser, sync_playwright

from support import require_peer
from support_emulator import RunningEmulator

# What a machine without a network, a screen or a sandbox of its own needs.
SWITCHES = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


@contextlib.contextmanager
def chromium(*switches: str) -> Iterator[Browser]:
    """Run the machine's Chromium; Playwright brings none."""
    program = require_peer("chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=[*SWITCHES, *switches])
        try:
            yield browser
        finally:
            browser.close()


def trusting(certificate_file: Path) -> str:
    """Return the switch by which Chromium trusts whoever has this certificate's key, and nobody else besides."""
    key = x509.load_pem_x509_certificate(certificate_file.read_bytes()).public_key()
    encoded = key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    digest = hashes.Hash(hashes.SHA256())
    digest.update(encoded)
    return f"--ignore-certificate-errors-spki-list={base64.b64encode(digest.finalize()).decode()}"


@dataclass(frozen=True)
class Fleet:
    """An emulator with the authorizer `iotauth` and one client."""

    emulator: RunningEmulator
    client_id: str
    username: str
    password: str

    @property
    def url(self) -> str:
        return self.emulator.ready.control_endpoint

    @contextlib.contextmanager
    def device(self, client_id: str | None = None, password: str | None = None) -> Iterator[mqtt.Client]:
        """Connect with paho; wait until it is let in, or turned away."""
        device = mqtt.Client(
            CallbackAPIVersion.VERSION2, client_id=client_id or self.client_id, reconnect_on_failure=False
        )
        device.username_pw_set(self.username, password or self.password)
        context = ssl.create_default_context(cafile=str(self.emulator.ready.ca_file))
        context.set_alpn_protocols(["mqtt"])
        device.tls_set_context(context)
        decided = threading.Event()
        device.on_connect = lambda *_: decided.set()
        device.on_disconnect = lambda *_: decided.set()
        device.connect("localhost", self.emulator.ready.data_endpoint.port)
        device.loop_start()
        try:
            assert decided.wait(20)
            yield device
        finally:
            device.disconnect()
            device.loop_stop()


def make_fleet(emulator: RunningEmulator, folder: Path, client_id: str, topic: str) -> Fleet:
    """Set up *emulator* by the program itself, with its project in *folder*."""

    def iotauth(*arguments: str) -> Any:
        environment = {**os.environ, **emulator.variables, "HOME": str(folder)}
        ran = subprocess.run(
            [sys.executable, "-m", "iotauth_cli", *arguments, "--json"],
            cwd=folder,
            env=environment,
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
        )
        return json.loads(ran.stdout)

    iotauth("authorizer", "create")
    added = iotauth("client", "add", client_id, "--topic", topic)
    return Fleet(emulator, client_id, added["username"], added["password"])
