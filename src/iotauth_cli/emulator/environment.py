"""The ready file: how a running emulator says where it is, and what programs need to find it.

The server writes the file last, when both ports accept, and takes it away when it ends. Light on
imports, because every command of the CLI may read it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from iotauth_cli import files

if TYPE_CHECKING:
    from iotauth_cli.emulator.behaviour import Value

FILE_NAME = "emulator.json"
ACCESS_KEY_ID = "IOTAUTHEMULATOR"
SECRET_ACCESS_KEY = "emulator"  # known to everybody; it opens a port on loopback


@dataclass(frozen=True)
class Endpoint:
    host: str
    port: int


@dataclass(frozen=True)
class ProxyEndpoint:
    """An HTTP proxy through which *endpoint*, a name of AWS's form, leads to the data port by its port 443."""

    host: str
    port: int
    endpoint: str


@dataclass(frozen=True)
class Ready:
    """A running emulator. *started_at* is epoch seconds."""

    pid: int
    region: str
    account: str
    control_endpoint: str  # "http://127.0.0.1:4588"
    data_endpoint: Endpoint
    ca_file: Path
    state_dir: Path
    started_at: int
    behaviour: Mapping[str, Value] = field(default_factory=dict, hash=False)  # the choices that are not the default
    proxy: ProxyEndpoint | None = None
    mqtt_port: int | None = None  # the port for client certificates
    version: str | None = None  # iotauth's, whose code runs


def write(ready: Ready) -> Path:
    """Write the ready file of *ready* whole or not at all, for its owner alone, and return its path."""
    path = ready.state_dir / FILE_NAME
    files.write_private(path, json.dumps(build(ready)))
    return path


def read(state_dir: Path) -> Ready | None:
    """Return what the ready file in *state_dir* says, or None when there is none that can be read."""
    try:
        return parse(json.loads((state_dir / FILE_NAME).read_text(encoding="utf-8")))
    except (OSError, ValueError):
        return None


def build(ready: Ready) -> dict[str, Any]:
    """Return the document of the ready file, which ``status --json`` shows too."""
    return {
        "ready": True,
        "pid": ready.pid,
        "region": ready.region,
        "account": ready.account,
        "control_endpoint": ready.control_endpoint,
        "data_endpoint": {"host": ready.data_endpoint.host, "port": ready.data_endpoint.port},
        "ca_file": str(ready.ca_file),
        "state_dir": str(ready.state_dir),
        "started_at": ready.started_at,
        "behaviour": dict(ready.behaviour),
        "proxy": asdict(ready.proxy) if ready.proxy else None,
        "mqtt_port": ready.mqtt_port,
        "version": ready.version,
    }


def parse(document: object) -> Ready:
    """Return what `build` was given.

    Raises:
        ValueError: a member is missing or of another kind.
    """
    try:
        members: Mapping[str, Any] = document  # type: ignore[assignment]  # checked by the look-ups below
        endpoint, proxy = members["data_endpoint"], members.get("proxy")
        return Ready(
            pid=int(members["pid"]),
            region=str(members["region"]),
            account=str(members["account"]),
            control_endpoint=str(members["control_endpoint"]),
            data_endpoint=Endpoint(str(endpoint["host"]), int(endpoint["port"])),
            ca_file=Path(members["ca_file"]),
            state_dir=Path(members["state_dir"]),
            started_at=int(members["started_at"]),
            behaviour=dict(members.get("behaviour", {})),
            proxy=ProxyEndpoint(str(proxy["host"]), int(proxy["port"]), str(proxy["endpoint"])) if proxy else None,
            mqtt_port=members.get("mqtt_port"),
            version=members.get("version"),
        )
    except (KeyError, TypeError) as error:
        raise ValueError(f"not a ready file: {error}") from error


def variables(ready: Ready) -> dict[str, str]:
    """Return the environment that points boto3, the AWS CLI and iotauth at the emulator."""
    return {
        "AWS_ENDPOINT_URL": ready.control_endpoint,
        "AWS_ACCESS_KEY_ID": ACCESS_KEY_ID,
        "AWS_SECRET_ACCESS_KEY": SECRET_ACCESS_KEY,
        "AWS_REGION": ready.region,
        "AWS_DEFAULT_REGION": ready.region,
        "IOTAUTH_EMULATOR": "1",
        "IOTAUTH_STATE_DIR": str(ready.state_dir),
    }
