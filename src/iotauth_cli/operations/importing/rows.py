"""What a row of the file asks for: parsed, checked, and made into a row of the table.

Most rows of a fleet differ in their client id and nothing else. So a row is looked up by what it
is apart from its id, and by the id's length: if one like it was checked, it is right too, and its
statement is made by filling in a form. That holds for ids of plain characters, which mean nothing
to topics, policies or JSON; every other row is parsed, checked and encoded for itself.
"""

from __future__ import annotations

import json
import re
from collections.abc import Hashable, Mapping
from typing import NamedTuple

from iotauth_authorizer.credential import Slot
from iotauth_authorizer.grants import (
    ArnScope,
    Grants,
    PolicyTooLarge,
    compile_policies,
    validate_client_id,
    validate_topic_filter,
)
from iotauth_authorizer.record import ClientRecord, Item, TokenNote, to_item
from iotauth_cli.aws import bulk
from iotauth_cli.aws.bulk import Shape
from iotauth_cli.aws.client_table import FIRST_VERSION
from iotauth_cli.errors import InputError
from iotauth_cli.operations.clients import MAX_PASSWORD_BYTES, once
from iotauth_cli.operations.durations import parse_date
from iotauth_cli.operations.importing.hashes import read_hash
from iotauth_cli.operations.importing.source import TOPICS, Cell
from iotauth_cli.secret import Secret

PLAIN = re.compile(r"[0-9A-Za-z_.-]{1,128}", re.ASCII)  # means nothing to topics, policies, JSON and CSV
PLACE = "{client_id}"  # in a template
HOLE = "\0"  # where a client id stood in a cell, in the key of a form
FILLED = (*TOPICS, "username", "note")  # columns in which a client id may stand
SECRET = ("password", "hash")
NO_TOPIC = "it could do nothing"  # how the sentence begins
MAX_FORMS = 4096
TRUE, FALSE = ("true", "yes", "1"), ("", "false", "no", "0")
MAX_TEXT_BYTES = 2048  # of a note, a tag or a user name: a row of the table stays small


class Wanted(NamedTuple):
    """What a row asks for. *form* is None where the row has none in common with others.

    Without *password* and *digest* the client gets a generated secret.
    """

    client_id: str
    cells: Mapping[str, Cell]
    form: Shape | None
    username: str | None
    password: Secret | None = None
    digest: str | None = None

    @property
    def is_generated(self) -> bool:
        return self.password is None and self.digest is None


class Parser:
    """Reads the rows of one file. *template* is the topic of rows that name none; *now* in epoch seconds."""

    def __init__(
        self,
        columns: tuple[str, ...],
        *,
        table: str,
        scope: ArnScope,
        template: str | None,
        hashed: bool,
        now: int,
    ) -> None:
        self.columns = columns
        self.table = table
        self.scope = scope
        self.template = template
        self.hashed = hashed
        self.now = now
        self.token: TokenNote | None = None
        self._id_at = columns.index("client_id")
        self._filled = frozenset(index for index, name in enumerate(columns) if name in FILLED)
        self._secret_at = {name: columns.index(name) for name in SECRET if name in columns}
        self._forms: dict[tuple[Hashable, ...], Shape] = {}

    def expect(self, token: TokenNote) -> None:
        """Let every row from now on say *token* of the signed token that its client gets."""
        self.token = token
        self._forms.clear()

    def parse(self, cells: tuple[Cell, ...]) -> Wanted:
        """Return what a row asks for, checked.

        Raises:
            ValueError: with the sentence to show.
        """
        client_id = cells[self._id_at]
        if not isinstance(client_id, str):
            raise ValueError("its client id is no text")
        key = self._key(client_id, cells)
        form = self._forms.get(key) if key else None
        named = dict(zip(self.columns, cells, strict=True))
        if form is None:
            self.check(self.record(client_id, named))
            form = self._learn(key, named) if key else None
        username = named.get("username")
        wanted = Wanted(client_id, named, form, username if isinstance(username, str) and username else None)
        return self._with_secret(wanted, named) if self._secret_at else wanted

    def record(self, client_id: str, named: Mapping[str, Cell]) -> ClientRecord:
        """Return the row that *named* cells ask for, without a secret, unchecked.

        Raises:
            ValueError: a cell cannot be read.
        """
        return ClientRecord(
            client_id,
            username=text_of(named, "username"),
            enabled=truth_of(named, "enabled", default=True),
            grants=self.grants(client_id, named),
            expires_at=moment_of(named),
            tags=tags_of(named.get("tags", "")),
            note=text_of(named, "note"),
            created_at=self.now,
            updated_at=self.now,
            version=FIRST_VERSION,
            token=self.token,
        )

    def grants(self, client_id: str, named: Mapping[str, Cell]) -> Grants:
        topic, publish, subscribe = (topics_of(named.get(name, ""), name) for name in TOPICS[:3])
        older_read, older_write = text_of(named, "read_topic"), text_of(named, "write_topic")
        if self.template and not (topic or publish or subscribe or older_read or older_write):
            topic = (self.template.replace(PLACE, client_id),)
        below = [Grants.for_topic(each) for each in topic]
        published = once(*(grant.publish for grant in below), publish)
        return Grants(
            publish=published,
            subscribe=once(*(grant.subscribe for grant in below), subscribe),
            retain=extent_of(named.get("retain", ""), published, "retain"),
            will=extent_of(named.get("will", ""), published, "will"),
            older_read=older_read,
            older_write=older_write,
        )

    def check(self, record: ClientRecord) -> None:
        """Refuse what `client add` would refuse.

        Raises:
            ValueError: with the sentence to show.
        """
        validate_client_id(record.client_id)
        grants = record.grants
        for topic in (*grants.publish, *grants.subscribe, *grants.retain, *grants.will):
            validate_topic_filter(topic)
        if not any(grants):
            raise ValueError(f"{NO_TOPIC}: the row has no topic, and no `--template` gives it one")
        if record.username is not None and "?" in record.username:
            raise ValueError("its user name has a `?`, which begins the authorizer's name")
        if record.username is not None and ("\n" in record.username or "\r" in record.username):
            raise ValueError("its user name has a line end in it")
        for text in (record.username, record.note, *record.tags, *record.tags.values()):
            check_text(text or "")
        try:
            compile_policies(grants, record.client_id, self.scope)
        except PolicyTooLarge as problem:
            raise ValueError(f"its topics are too many for AWS IoT: {problem}") from problem

    def row(self, wanted: Wanted, digest: str) -> bulk.Row:
        """Return the row to send for *wanted*, with *digest* as the hash of its secret."""
        if wanted.form is not None:
            return wanted.form.row(wanted.client_id, digest)
        return bulk.row(self.table, to_item(self.whole(wanted, digest)))

    def whole(self, wanted: Wanted, digest: str) -> ClientRecord:
        record = self.record(wanted.client_id, wanted.cells)
        return record._replace(slots={"A": Slot(digest, self.now)})

    def _key(self, client_id: str, cells: tuple[Cell, ...]) -> tuple[Hashable, ...] | None:
        """Return what the row is apart from its client id, or None where it cannot stand for others."""
        if not PLAIN.fullmatch(client_id):
            return None
        key: list[Hashable] = [len(client_id)]
        for index, cell in enumerate(cells):
            if index == self._id_at or index in self._secret_at.values():
                continue
            if index in self._filled:
                if not isinstance(cell, str) or HOLE in cell:
                    return None
                # What begins with `$` is read by what follows it, so an id is no hole there.
                key.append(cell if "$" in cell else cell.replace(client_id, HOLE))
            else:
                key.append(cell)
        return tuple(key)

    def _learn(self, key: tuple[Hashable, ...], named: Mapping[str, Cell]) -> Shape:
        left = iter(key[1:])
        holed = {name: "" if name in (*SECRET, "client_id") else next(left) for name in named}

        def item_of(client_id: str, digest: str) -> Item:
            filled = {
                name: cell.replace(HOLE, client_id) if isinstance(cell, str) else cell for name, cell in holed.items()
            }
            record = self.record(client_id, filled)
            return to_item(record._replace(slots={"A": Slot(digest, self.now)}))

        if len(self._forms) >= MAX_FORMS:
            self._forms.clear()
        form = self._forms[key] = Shape.of(self.table, item_of)
        return form

    def _with_secret(self, wanted: Wanted, named: Mapping[str, Cell]) -> Wanted:
        password, digest = named.get("password", ""), named.get("hash", "")
        if password and digest:
            raise ValueError("it has a password and a hash; one of them must do")
        if digest and not self.hashed:
            raise ValueError("it has a hash; say that this is meant with `--hashed`")
        if digest:
            return wanted._replace(digest=read_hash(str(digest)))
        if not password:
            return wanted
        if not isinstance(password, str):
            raise ValueError("its password is no text; write it in quotation marks")
        if len(password.encode()) > MAX_PASSWORD_BYTES:
            raise ValueError(f"its password is longer than {MAX_PASSWORD_BYTES} bytes")
        return wanted._replace(password=Secret(password))


def check_template(template: str | None) -> None:
    """Refuse a template that could give no client a topic of its own.

    Raises:
        InputError: it is no topic filter, or holds another placeholder.
    """
    if template is None:
        return
    filled = template.replace(PLACE, "x")
    if "{" in filled or "}" in filled:
        raise InputError(
            f"`--template {template}` has a placeholder that is not `{PLACE}`",
            hint=f"write it as `--template 'sensors/{PLACE}/#'`",
        )
    try:
        validate_topic_filter(filled)
    except ValueError as problem:
        raise InputError(f"`--template`: {problem}", hint=f"write it as `--template 'sensors/{PLACE}/#'`") from problem


def text_of(named: Mapping[str, Cell], name: str) -> str | None:
    cell = named.get(name, "")
    if not isinstance(cell, str):
        raise ValueError(f"its `{name}` is no text")
    return cell or None


def truth_of(named: Mapping[str, Cell], name: str, *, default: bool) -> bool:
    cell = named.get(name, "")
    if cell == "":
        return default
    word = str(cell).strip().lower()
    if word not in (*TRUE, *FALSE):
        raise ValueError(f"its `{name}` is neither `true` nor `false`")
    return word in TRUE


def topics_of(cell: Cell, name: str) -> tuple[str, ...]:
    """Return the topics in a cell: a JSON list, or texts with `;` between them."""
    if isinstance(cell, str):
        if cell.startswith("["):
            cell = list_in(cell, name)
        else:
            return tuple(part.strip() for part in cell.split(";") if part.strip())
    if not isinstance(cell, tuple) or not all(isinstance(each, str) for each in cell):
        raise ValueError(f"its `{name}` is no topic and no list of them")
    return tuple(str(each) for each in cell)


def list_in(cell: str, name: str) -> Cell:
    try:
        return tuple(json.loads(cell))
    except (ValueError, TypeError, RecursionError):
        raise ValueError(f"its `{name}` begins with `[` and is no JSON list") from None


def extent_of(cell: Cell, published: tuple[str, ...], name: str) -> tuple[str, ...]:
    """Return what *name*, retain or will, extends to: all that may be published, nothing, or topics of its own."""
    if isinstance(cell, (bool, int)) or (isinstance(cell, str) and cell.strip().lower() in (*TRUE, *FALSE)):
        is_wanted = truth_of({name: cell}, name, default=False)
        if is_wanted and not published:
            raise ValueError(f"it may publish nothing, so `{name}` means nothing")
        return published if is_wanted else ()
    return topics_of(cell, name)


def tags_of(cell: Cell) -> dict[str, str]:
    """Return tags from `site:berlin;floor:3`, or from a JSON object."""
    if isinstance(cell, str) and not cell.startswith("{"):
        pairs = [part.strip().partition(":") for part in cell.split(";") if part.strip()]
        if not all(name and colon for name, colon, _ in pairs):
            raise ValueError("its tags are not written as `site:berlin;floor:3`")
        return {name: value for name, _, value in pairs}
    try:
        found = dict(json.loads(cell)) if isinstance(cell, str) else dict(cell)  # type: ignore[call-overload]
    except (ValueError, TypeError, RecursionError):
        raise ValueError("its tags are no JSON object") from None
    if not all(name and isinstance(value, str) for name, value in found.items()):
        raise ValueError("its tags hold something else than texts")
    return found


def moment_of(named: Mapping[str, Cell]) -> int | None:
    """Return when the client expires: a date, a moment as `2027-01-31T12:00Z`, or epoch seconds."""
    cell = named.get("expires", "")
    if cell == "":
        return None
    text = str(cell).strip()
    if re.fullmatch(r"\d{9,11}", text, re.ASCII):
        return int(text)
    try:
        return parse_date(text)
    except InputError:
        raise ValueError("its `expires` is no date: write `2027-01-31`") from None


def check_text(text: str) -> None:
    try:
        size = len(text.encode())
    except UnicodeEncodeError:
        raise ValueError("it holds half a character") from None
    if size > MAX_TEXT_BYTES:
        raise ValueError(f"a text in it is longer than {MAX_TEXT_BYTES} bytes")
