"""What an adoption remembers in the project's folder: the way back, and iotauth.yaml as it was.

The tag on the authorizer is what counts; this is for a machine that may not read tags, and for
putting the settings back. `.iotauth/adoption/<store>/<authorizer>.json`, with names and no secret.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from iotauth_cli.credentials import Store, file_name
from iotauth_cli.files import private_directory, read_text, remove, write_private


@dataclass(frozen=True)
class Memory:
    """*before* and *after* are the texts of iotauth.yaml around the adoption; None where there was no file."""

    authorizer: str
    previous_function: str
    function: str
    table: str
    before: str | None = None
    after: str | None = None


def path_of(store: Store, authorizer: str) -> Path:
    return store.directory / "adoption" / store.target_name / file_name(authorizer)


def recall(store: Store, authorizer: str) -> Memory | None:
    """Return what is remembered of *authorizer*; None where nothing is, or nothing that can be read."""
    text = read_text(path_of(store, authorizer))
    try:
        return None if text is None else Memory(**json.loads(text))
    except (ValueError, TypeError):
        return None


def keep(store: Store, memory: Memory) -> None:
    path = path_of(store, memory.authorizer)
    private_directory(path.parent, top=store.directory)
    write_private(path, json.dumps(asdict(memory), indent=2, ensure_ascii=False) + "\n")


def forget(store: Store, authorizer: str) -> None:
    remove(path_of(store, authorizer))
