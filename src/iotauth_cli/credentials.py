"""The project's private store: one file for each credential, so that nothing is pasted twice.

`.iotauth/credentials/<store>/<client id>.json`, files 0600 in directories 0700 with their own
`.gitignore`. The store is named after the target: a credential of the emulator never meets
one of AWS. The table holds only a hash; what is lost here is replaced by rotating.

A new secret lies in the folder `begun` before its hash is written to the table, and until it is
kept as the client's: whoever is interrupted between the two finds it there when they try again.
"""

from __future__ import annotations

import json
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from iotauth_authorizer.username import AUTHORIZER_NAME, SIGNATURE, compose
from iotauth_cli.errors import InputError
from iotauth_cli.files import private_directory, read_text, remove, write_once, write_private
from iotauth_cli.secret import Secret

FORMAT = 1  # raised when a file of this version could be misread by older code


@dataclass(frozen=True)
class Credential:
    """What a device needs to log in, and what it may do then.

    *username* is the part before the `?` that names the authorizer. *publish* and
    *subscribe* are MQTT topic filters; *created_at* is in epoch seconds. An authorizer that
    wants signed tokens has the *token* under *token_key_name*, and its *signature*.
    *previous* is the password that a rotation is replacing, for as long as it may still count.
    """

    client_id: str
    username: str
    password: Secret
    authorizer: str
    table: str
    publish: tuple[str, ...]
    subscribe: tuple[str, ...]
    created_at: int
    token: Secret | None = None
    signature: str | None = None
    token_key_name: str | None = None
    retain: bool = False  # may publish retained messages wherever it may publish; the same for a last will
    will: bool = False
    previous: Secret | None = None

    def __repr__(self) -> str:
        # The default would print the signature, which with its token is a password.
        return f"Credential(client_id={self.client_id!r}, authorizer={self.authorizer!r}, …)"

    @property
    def parameters(self) -> tuple[tuple[str, str], ...]:
        """What rides in the user name for AWS IoT: the authorizer's name, and a signed token if there is one."""
        named = (AUTHORIZER_NAME, self.authorizer)
        if self.token is None or self.signature is None or self.token_key_name is None:
            return (named,)
        return (named, (self.token_key_name, self.token.reveal()), (SIGNATURE, self.signature))

    @property
    def device_username(self) -> str:
        """The user name as the device has to send it. With a signed token in it, it is a password of its own."""
        return compose(self.username, self.parameters)


@dataclass(frozen=True)
class Store:
    """The credentials of one target below *directory*, the project's `.iotauth`."""

    directory: Path
    target_name: str

    @property
    def folder(self) -> Path:
        return self.directory / "credentials" / self.target_name

    def path(self, client_id: str) -> Path:
        return self.folder / file_name(client_id)

    def prepare(self) -> None:
        """Make the folder, or say why not, before anything is done that needs it."""
        private_directory(self.folder, top=self.directory)

    def save(self, credential: Credential) -> Path:
        self.prepare()
        path = self.path(credential.client_id)
        write_private(path, json.dumps(build(credential), indent=2, ensure_ascii=False) + "\n")
        return path

    def load(self, client_id: str) -> Credential | None:
        """Return the credential of *client_id*, or None if none was kept here."""
        path = self.path(client_id)
        text = read_text(path)
        if text is None:
            return None
        found = parse(text, path)
        return found if found.client_id == client_id else None

    def list(self) -> tuple[Credential, ...]:
        """Return every credential of this target, by client id."""
        found = (parse(read_text(path) or "", path) for path in self.folder.glob("*.json"))
        return tuple(sorted(found, key=lambda credential: credential.client_id))

    def remove(self, client_id: str) -> bool:
        """Forget the credential of *client_id*, a broken one too; tell whether there was one."""
        self.end(client_id)
        try:
            is_there = self.load(client_id) is not None
        except InputError:
            is_there = True
        return is_there and remove(self.path(client_id))

    def begin(self, client_id: str, secret: Secret) -> Secret:
        """Keep *secret* for a row that is about to get its hash; return the one to write.

        That is another one, if somebody began with that and has not come to the end.
        """
        self.prepare()
        path = self.begun_path(client_id)
        private_directory(path.parent)
        members = {"format": FORMAT, "client_id": client_id, "password": secret.reveal()}
        while not write_once(path, json.dumps(members, ensure_ascii=False) + "\n"):
            if (begun := self.begun(client_id)) is not None:  # else it came to its end just now
                return begun
        return secret

    def begun(self, client_id: str) -> Secret | None:
        """Return the secret that was begun with for *client_id*, if that has not come to its end."""
        path = self.begun_path(client_id)
        text = read_text(path)
        return None if text is None else parse_begun(text, path)

    def end(self, client_id: str) -> None:
        """Forget what was begun for *client_id*, if anything was."""
        remove(self.begun_path(client_id))

    def begun_path(self, client_id: str) -> Path:
        return self.folder / "begun" / file_name(client_id)


def file_name(client_id: str) -> str:
    """Return a name that is safe on every file system and one of a kind for *client_id*.

    A plain lower-case id is its own name. Where characters had to be replaced or cut, or a
    file system might fold `Door` and `door`, a checksum of the whole id keeps them apart.
    """
    from urllib.parse import quote

    plain = quote(client_id, safe="")[:120]  # with the rest under the usual limit of 255 bytes
    if plain != client_id or plain != plain.lower():
        plain += f"~{zlib.crc32(client_id.encode()):08x}"
    return plain + ".json"


def build(credential: Credential) -> dict[str, Any]:
    """Return the JSON document of a credential: the one place where its password and token are written."""
    return {
        "format": FORMAT,
        "client_id": credential.client_id,
        "username": credential.username,
        "password": credential.password.reveal(),
        "authorizer": credential.authorizer,
        "table": credential.table,
        "publish": list(credential.publish),
        "subscribe": list(credential.subscribe),
        "created_at": credential.created_at,
        **({"retain": True} if credential.retain else {}),
        **({"will": True} if credential.will else {}),
        **({"previous": credential.previous.reveal()} if credential.previous is not None else {}),
        **signed(credential),
    }


def signed(credential: Credential) -> dict[str, Any]:
    """Return the members that only the credential of a signed authorizer has."""
    members = {
        "token": credential.token.reveal() if credential.token is not None else None,
        "signature": credential.signature,
        "token_key_name": credential.token_key_name,
    }
    return {name: value for name, value in members.items() if value is not None}


def parse(text: str, path: Path) -> Credential:
    """Read a stored credential.

    Raises:
        InputError: the file is broken; its content is not repeated, since it may hold a password.
    """
    try:
        found = json.loads(text)
        if found["format"] != FORMAT:
            raise ValueError("unknown format")
        return Credential(
            client_id=str(found["client_id"]),
            username=str(found["username"]),
            password=Secret(str(found["password"])),
            authorizer=str(found["authorizer"]),
            table=str(found["table"]),
            publish=tuple(map(str, found["publish"])),
            subscribe=tuple(map(str, found["subscribe"])),
            created_at=int(found["created_at"]),
            token=Secret(str(found["token"])) if "token" in found else None,
            signature=optional_text(found, "signature"),
            token_key_name=optional_text(found, "token_key_name"),
            retain=found.get("retain") is True,
            will=found.get("will") is True,
            previous=Secret(str(found["previous"])) if "previous" in found else None,
        )
    except (ValueError, KeyError, TypeError):
        raise broken(path) from None


def parse_begun(text: str, path: Path) -> Secret:
    """Read a secret that was begun with; InputError as for a credential."""
    try:
        return Secret(str(json.loads(text)["password"]))
    except (ValueError, KeyError, TypeError):
        raise broken(path) from None


def broken(path: Path) -> InputError:
    # Raised `from None`: the cause quotes the text that could not be read.
    return InputError(
        f"the stored credential `{path}` is broken", hint="delete the file; the client then needs a new secret"
    )


def optional_text(found: dict[str, Any], name: str) -> str | None:
    return str(found[name]) if name in found else None
