"""The hand-out for somebody else's eyes: encrypted with `age` or `gpg`, where they are installed.

While the import runs, the secrets stand in a private journal below `.iotauth`, since a run must be
able to go on where it ended. It is encrypted when every row is written, and then deleted. The program
gets the secrets on its stdin, and the recipient, which is public, as an argument.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from iotauth_authorizer.credential import fingerprint
from iotauth_cli.errors import InputError
from iotauth_cli.files import private_directory, remove, replacing

AGE = re.compile(r"(age1|ssh-)\S.*")
FINGERPRINT = re.compile(r"(0x)?[0-9A-Fa-f]{40}", re.ASCII)
PACKAGES = {"age": "age", "gpg": "gnupg"}


@dataclass(frozen=True)
class Envelope:
    """Where the encrypted file is to lie, for whom, and the *journal* that holds it in the open until then."""

    path: Path
    recipient: str
    journal: Path

    @classmethod
    def of(cls, path: Path, recipient: str, directory: Path) -> Envelope:
        """Return the envelope for *path*, its journal below *directory*, the project's `.iotauth`."""
        name = f"{path.name}-{fingerprint(str(path.absolute()))}.csv"
        return cls(path, recipient, directory / "imports" / name)

    @property
    def program(self) -> str:
        return "age" if AGE.fullmatch(self.recipient) else "gpg"

    def prepare(self) -> None:
        """Make the journal's folder, and see before anything is written that the file can be encrypted.

        Raises:
            InputError: the program is missing or does not know the recipient, or the file is there already.
        """
        if self.path.exists():
            raise InputError(f"`{self.path}` exists already", hint="name a file that does not exist yet")
        if shutil.which(self.program) is None:
            raise InputError(
                f"`{self.program}` is not installed", hint=f"install it, with `apt install {PACKAGES[self.program]}`"
            )
        with open(os.devnull, "rb") as nothing, open(os.devnull, "wb") as nowhere:
            self._encrypt(nothing, nowhere)
        private_directory(self.journal.parent, top=self.journal.parent.parent)

    def seal(self) -> None:
        """Encrypt the journal to its place and delete it.

        Raises:
            InputError: it cannot be encrypted; the journal stays.
        """
        with replacing(self.path) as sealed, self.journal.open("rb") as plain:
            self._encrypt(plain, sealed)
        remove(self.journal)

    def _encrypt(self, plain: IO[bytes], sealed: IO[bytes]) -> None:
        ran = subprocess.run(self._command(), stdin=plain, stdout=sealed, stderr=subprocess.PIPE, check=False)
        if ran.returncode:
            said = " ".join(ran.stderr.decode(errors="replace").split("\n")[0].split())
            raise InputError(
                f"`{self.program}` cannot encrypt to `{self.recipient}`: {said or 'it does not say why'}",
                hint="give a public key of age (`age1…`), or the fingerprint of one in gpg's keyring",
            )

    def _command(self) -> list[str]:
        if self.program == "age":
            return ["age", "--encrypt", "--recipient", self.recipient]
        # A fingerprint names one key for certain; a name or address only as far as gpg trusts it.
        trust = ["--trust-model", "always"] if FINGERPRINT.fullmatch(self.recipient) else []
        return ["gpg", "--batch", "--yes", *trust, "--encrypt", "--recipient", self.recipient, "--output", "-"]
