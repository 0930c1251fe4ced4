"""The signing keys that a project keeps: a folder for each authorizer, a file for each key.

`.iotauth/keys/<store>/<authorizer>/<key name>.pem`, private keys of mode 0600 beside a `signing.json`
that says under which name devices send their token and which key signs new ones. As credentials
are, the folder is named after the target: a key of the emulator signs nothing for AWS.
"""

from __future__ import annotations

import json
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from iotauth_cli import token as tokens
from iotauth_cli.credentials import Store, file_name
from iotauth_cli.errors import InputError
from iotauth_cli.files import private_directory, read_text, remove, write_private
from iotauth_cli.secret import Secret

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

FORMAT = 1  # raised when a file of this version could be misread by older code
TOKEN_KEY_NAME = "token"  # under this name devices send their token, unless another is chosen


def key_name(now: int) -> str:
    """Return the name of a key that is made *now*: the day, in UTC."""
    return time.strftime("%Y-%m-%d", time.gmtime(now))


@dataclass(frozen=True)
class RollOver:
    """A change of keys that is under way: *new* signs every token that is issued after *since*, in epoch seconds.

    *old* are the keys that it is to replace. *is_kept*: the private half of the new one is kept here.
    """

    new: str
    old: tuple[str, ...]
    since: int
    is_kept: bool = True


@dataclass(frozen=True)
class Signing:
    """How tokens for an authorizer are made. Without a *signer* its private key is kept elsewhere."""

    token_key_name: str
    signer: str | None
    roll_over: RollOver | None = None

    @property
    def is_half_begun(self) -> bool:
        """Whether a change of keys was begun whose new key, kept here, does not sign yet."""
        roll_over = self.roll_over
        return roll_over is not None and roll_over.is_kept and self.signer != roll_over.new


@dataclass(frozen=True)
class Keyring:
    """The keys of one authorizer of one target."""

    folder: Path
    authorizer: str

    @classmethod
    def of(cls, store: Store, authorizer: str) -> Keyring:
        folder = store.directory / "keys" / store.target_name / file_name(authorizer).removesuffix(".json")
        return cls(folder, authorizer)

    def path(self, name: str) -> Path:
        return self.folder / f"{name}.pem"

    @property
    def signing(self) -> Signing | None:
        """How tokens are made; None where this project knows of no signing for the authorizer.

        Raises:
            InputError: the file that says it is broken.
        """
        path = self.folder / "signing.json"
        text = read_text(path)
        if text is None:
            return None
        try:
            found = json.loads(text)
            if found["format"] != FORMAT:
                raise ValueError("unknown format")
            signer = found["signer"]
            roll_over = parse_roll_over(found["roll_over"]) if "roll_over" in found else None
            return Signing(str(found["token_key_name"]), None if signer is None else str(signer), roll_over)
        except (ValueError, KeyError, TypeError) as problem:
            raise InputError(
                f"`{path}` is broken",
                hint=f"delete it; `iotauth authorizer create {self.authorizer} --signed` then writes it anew",
            ) from problem

    def sign_with(self, signing: Signing) -> None:
        """Remember how tokens are made from now on; write nothing if it is known."""
        if self.signing != signing:
            self.prepare()
            document = {
                "format": FORMAT,
                "token_key_name": signing.token_key_name,
                "signer": signing.signer,
                **({"roll_over": asdict(signing.roll_over)} if signing.roll_over else {}),
            }
            write_private(self.folder / "signing.json", json.dumps(document, indent=2) + "\n")

    def prepare(self) -> None:
        private_directory(self.folder, top=self.folder.parent.parent.parent)  # the project's `.iotauth`

    def names(self) -> tuple[str, ...]:
        """Return the names of the private keys that are kept here."""
        return tuple(sorted(path.stem for path in self.folder.glob("*.pem") if not path.name.startswith(".")))

    def generate(self, name: str, bits: int = tokens.MIN_BITS) -> str:
        """Make and keep a private key, or find the one of that *name*; return its public half.

        It is kept before anybody else hears of it: a key that AWS knows and nobody has would sign nothing.
        """
        if not self.path(name).exists():
            self.prepare()
            write_private(self.path(name), tokens.generate(bits).reveal(), overwrite=False)
        return self.public(name)

    def load(self, name: str, passphrase: Secret | None = None) -> RSAPrivateKey:
        """Return the private key *name*.

        Raises:
            InputError: it is not kept here, or is none, or is encrypted and *passphrase* does not open it.
        """
        path = self.path(name)
        text = read_text(path)
        if text is None:
            raise InputError(
                f"the private key `{name}` of authorizer `{self.authorizer}` is not kept in `{self.folder}`",
                hint=f"copy it to `{path}`, or sign with another one: `iotauth keys sign --key FILE`",
            )
        pem = Secret(text)
        try:
            return tokens.load_private_key(pem, passphrase if tokens.is_encrypted(pem) else None, is_own=True)
        except InputError as problem:
            raise InputError(f"`{path}`: {problem.message}", problem.hint) from problem

    def public(self, name: str) -> str:
        """Return the public half of the private key *name*, as AWS IoT takes it."""
        return tokens.public_key_pem(self.load(name))

    def remove(self, name: str) -> bool:
        """Delete the private key *name*; tell whether there was one."""
        return remove(self.path(name))


def parse_roll_over(found: Any) -> RollOver:
    return RollOver(str(found["new"]), tuple(map(str, found["old"])), int(found["since"]), bool(found["is_kept"]))
