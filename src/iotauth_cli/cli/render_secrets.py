"""What `secrets render` tells: where the files lie, how big the CONNECT is, whom the device trusts. No secret."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from iotauth_cli.cli.render import Facts, several

if TYPE_CHECKING:
    from iotauth_cli.operations.device_secrets import DeviceLogin, Rendered, Root
    from iotauth_cli.operations.secret_files import Written

DEFAULT_BUFFER = 256  # bytes; what PubSubClient 2.8 has unless told more


def facts(rendered: Rendered, trusted: Sequence[Root], paths: Sequence[str]) -> Facts:
    return [
        *several("file", paths),
        ("connect", size(rendered)),
        *several("trusts", [root.line for root in trusted]),
    ]


def size(rendered: Rendered) -> str:
    """Say whether a small client library can send the packet as it comes."""
    packet, buffer = rendered.connect_bytes, rendered.buffer_bytes
    if buffer <= DEFAULT_BUFFER:
        return f"{packet} bytes, in a buffer of {buffer}: PubSubClient's {DEFAULT_BUFFER} will do"
    return f"{packet} bytes, in a buffer of {buffer}: call PubSubClient's `setBufferSize({buffer})`"


def document(login: DeviceLogin, rendered: Rendered, trusted: Sequence[Root], written: Written) -> dict[str, Any]:
    return {
        "client_id": login.client_id,
        "files": [str(path) for path in written.paths],
        "ignored": list(written.ignored),
        "connect_bytes": rendered.connect_bytes,
        "buffer_bytes": rendered.buffer_bytes,
        "emulator": login.is_emulator,
        "trusts": [{"name": root.name, "until": root.until, "sha256": root.sha256} for root in trusted],
        "notes": [*login.marks, *rendered.notes],
    }


def remarks(login: DeviceLogin, rendered: Rendered) -> list[str]:
    return [*login.marks, *(f"note: {note}" for note in rendered.notes)]


def after(
    login: DeviceLogin, rendered: Rendered, written: Written, paths: Sequence[str], ignore_file: str
) -> list[str]:
    """Return what to tell beside the files: what git was told, what to mind, what to type next."""
    ignored = [f"added `{line}` to `{ignore_file}`" for line in written.ignored]
    command = [f"next: `{filled(rendered.command, paths[0])}`"] if rendered.command else []
    return [*ignored, *remarks(login, rendered), *command]


def filled(command: str, path: str) -> str:
    """Put *path* and its folder where *command* names them, quoted for a shell."""
    folder = path.rpartition("/")[0] or "."
    return command.replace("{path}", shlex.quote(path)).replace("{folder}", shlex.quote(folder))
