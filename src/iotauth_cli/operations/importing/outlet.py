"""Where the secrets of an import go: a hand-out file, or for a few clients the private store.

Either is the journal too: what it holds of an earlier run is used again, and a secret that no row
came to have is taken out of it.
"""

from __future__ import annotations

from array import array
from dataclasses import replace
from pathlib import Path
from typing import Protocol

from iotauth_authorizer.record import ClientRecord
from iotauth_authorizer.username import parse, parse_token
from iotauth_cli import token as tokens
from iotauth_cli.credentials import Credential, Store
from iotauth_cli.operations.fleet import handout
from iotauth_cli.operations.fleet.handout import Handout, Index
from iotauth_cli.operations.importing.rows import Parser, Wanted
from iotauth_cli.operations.signing.issue import Signer, TokenWish
from iotauth_cli.secret import Secret

STORE_LIMIT = 1000  # clients whose secrets the private store takes without being asked: a file each


class Outlet(Protocol):
    def find(self, client_id: str) -> tuple[Secret, int] | None:
        """Return the secret that an earlier run put there, if it did, and its place."""

    def put(self, wanted: Wanted, secret: Secret) -> int:
        """Take a secret and return its place: a number by which it can be dropped."""

    def flush(self) -> None:
        """Make durable what was put; only then may rows be written."""

    def drop(self, client_id: str, place: int) -> None:
        """Take out at the end what no row has."""

    def close(self) -> None: ...


class FileOutlet:
    """A hand-out file. *example* shows how a device's user name is made, *token* what is signed for it."""

    def __init__(self, path: Path, example: Credential, parser: Parser, token: TokenWish | None = None) -> None:
        self.path = path
        self._example = example
        self._parser = parser
        self._token = token
        self._suffix = replace(example, username="x").device_username[1:]
        self._handout = Handout.open(path)
        try:
            self._index = Index(path)
        except BaseException:
            self._handout.close()
            raise
        self._dropped = array("q")  # a whole fleet may exist already; eight bytes a client are enough

    def find(self, client_id: str) -> tuple[Secret, int] | None:
        found = self._index.place(client_id)
        return (found[1].password, found[0]) if found else None

    def put(self, wanted: Wanted, secret: Secret) -> int:
        if self._token is None and wanted.form is not None and wanted.username is None:
            username = wanted.client_id + self._suffix
        else:
            username = self._complete(wanted).device_username
        return self._handout.put(wanted.client_id, secret, username=username)

    def _complete(self, wanted: Wanted) -> Credential:
        named = replace(self._example, client_id=wanted.client_id, username=wanted.username or wanted.client_id)
        return signed(named, self._token, self._parser, wanted)

    def flush(self) -> None:
        self._handout.flush()

    def drop(self, client_id: str, place: int) -> None:
        self._dropped.append(place)

    def close(self) -> None:
        self._index.close()
        self._handout.close(without=self._dropped)


class StoreOutlet:
    """The private store, one file for each client."""

    def __init__(self, store: Store, example: Credential, parser: Parser, token: TokenWish | None = None) -> None:
        self._token = token
        self._store = store
        self._example = example
        self._parser = parser
        self._put: set[str] = set()
        store.prepare()

    def find(self, client_id: str) -> tuple[Secret, int] | None:
        found = self._store.load(client_id)
        return (found.password, 0) if found and found.table == self._example.table else None

    def put(self, wanted: Wanted, secret: Secret) -> int:
        record: ClientRecord = self._parser.record(wanted.client_id, wanted.cells)
        grants = record.grants
        self._put.add(wanted.client_id)
        credential = replace(
            self._example,
            client_id=wanted.client_id,
            username=wanted.username or wanted.client_id,
            password=secret,
            publish=grants.publish,
            subscribe=grants.subscribe,
            retain=bool(grants.retain),
            will=bool(grants.will),
        )
        self._store.save(signed(credential, self._token, self._parser, wanted))
        return 0

    def flush(self) -> None:
        """Each was durable when it was put."""

    def drop(self, client_id: str, place: int) -> None:
        if client_id in self._put:  # what lay there before is not this run's to remove
            self._store.remove(client_id)

    def close(self) -> None:
        pass


def signed(credential: Credential, token: TokenWish | None, parser: Parser, wanted: Wanted) -> Credential:
    """Return *credential* with the signed token that its client's row speaks of, where the authorizer wants one."""
    if token is None:
        return credential
    return token.complete(credential, parser.record(wanted.client_id, wanted.cells))


def issued_at(path: Path, signer: Signer) -> int | None:
    """Return when the tokens in the hand-out at *path* were issued, if it is there and has any of *signer*'s.

    A repeated run issues what is missing as of the same moment: a row says when its token was
    issued, and the tokens that were handed out stay.
    """
    if not path.exists():
        return None
    first = next(iter(handout.read(path)), None)
    username = parse(first.username) if first else None
    text = username.get(signer.token_key_name) if username else None
    found = parse_token(text) if text else None
    if username is None or text is None or found is None:
        return None
    return found[1] if tokens.verify(text, username.signature or "", signer.public_pem) else None
