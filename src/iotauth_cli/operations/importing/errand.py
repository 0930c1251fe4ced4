"""One import from beginning to end, as `client import` asks for it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from iotauth_authorizer.grants import ArnScope
from iotauth_cli.aws.client_table import ClientTable
from iotauth_cli.credentials import Credential, Store
from iotauth_cli.errors import InputError
from iotauth_cli.operations import git
from iotauth_cli.operations.clients import ANY_ACCOUNT
from iotauth_cli.operations.importing import run, source
from iotauth_cli.operations.importing.encryption import Envelope
from iotauth_cli.operations.importing.outlet import STORE_LIMIT, FileOutlet, Outlet, StoreOutlet, issued_at
from iotauth_cli.operations.importing.rows import NO_TOPIC, Parser, check_template
from iotauth_cli.operations.importing.run import Checked, Counts, Existing
from iotauth_cli.operations.importing.source import Source
from iotauth_cli.operations.signing.issue import TokenWish
from iotauth_cli.secret import Secret

CORRECT = "correct the file and run the same command again"
GIVE_TOPIC = "give each row a topic: add `--template 'sensors/{client_id}/#'`, or a column `topic` to the file"


@dataclass(frozen=True)
class Wish:
    """What was typed. *template* is the topic of rows that name none; *now* in epoch seconds."""

    file: str
    authorizer: str
    partition: str
    now: int
    template: str | None = None
    secrets_out: Path | None = None
    recipient: str | None = None
    existing: Existing = "fail"
    hashed: bool = False
    token: TokenWish | None = None


@dataclass
class Errand:
    """An import that is under way: *checked* is complete when `check` has ended.

    *ignored* is the line that .gitignore got for the hand-out.
    """

    table: ClientTable
    store: Store
    wish: Wish
    source: Source
    parser: Parser
    checked: Checked = field(default_factory=Checked)
    ignored: str | None = None

    def check(self) -> Iterator[int]:
        """Read the whole file; yield how many more rows were read. Nothing is written anywhere."""
        return run.check(self.source, self.parser, self.checked)

    def refuse_bad_rows(self) -> None:
        """Raise InputError if a row cannot be imported, or the secrets have no place to go."""
        checked, name = self.checked, self.source.name
        if checked.bad:
            first = checked.problems[0]
            more = f", and {checked.bad - 1:,} more rows are wrong" if checked.bad > 1 else ""
            raise InputError(
                f"{name}, row {first.row}: {first.sentence}{more}; nothing was imported",
                hint=GIVE_TOPIC if first.sentence.startswith(NO_TOPIC) else CORRECT,
            )
        if not checked.rows:
            raise InputError(f"{name} has no rows; nothing was imported", hint=source.HINT)
        if self.wish.token is not None and checked.generated < checked.rows:
            raise InputError(
                f"authorizer `{self.wish.authorizer}` wants signed tokens, and a row with its own password or hash "
                "gets none",
                hint="leave both columns out, or add these clients one by one with `iotauth client add`",
            )
        if checked.generated > STORE_LIMIT and self.wish.secrets_out is None:
            raise InputError(
                f"{checked.generated:,} clients need a secret, and the private store takes {STORE_LIMIT:,} at a time",
                hint="name a file for them: `--secrets-out secrets.csv`",
            )

    def write(self) -> Iterator[Counts]:
        """Write the rows; yield the counts so far after each request.

        Raises:
            InputError: the file was changed since it was checked, or the hand-out cannot be written.
            IotauthError: the table cannot be written. What was done is kept, for the next run.
        """
        if self.source.state() != self.checked.state:
            raise InputError(f"{self.source.name} was changed while it was read", hint="run the same command again")
        envelope = self._envelope()
        self._date_tokens(envelope.journal if envelope is not None else self.wish.secrets_out)
        outlet = self._outlet(envelope)
        try:
            importer = run.Importer(self.table, self.parser, outlet, self.wish.existing)
            yield from importer.write(self.source, has_passwords=self.checked.chosen > 0)
        finally:
            outlet.close()
        if envelope is not None:
            envelope.seal()

    def _date_tokens(self, journal: Path | None) -> None:
        token = self.wish.token
        if token is not None:
            earlier = issued_at(journal, token.signer) if journal and token.signer else None
            self.parser.expect(token.note(earlier or self.wish.now))

    def _envelope(self) -> Envelope | None:
        wish = self.wish
        if wish.recipient is None or wish.secrets_out is None:
            return None
        envelope = Envelope.of(wish.secrets_out, wish.recipient, self.store.directory)
        envelope.prepare()
        return envelope

    def _outlet(self, envelope: Envelope | None) -> Outlet:
        wish = self.wish
        example = Credential("x", "x", Secret(""), wish.authorizer, self.table.name, (), (), wish.now)
        path = envelope.journal if envelope is not None else wish.secrets_out
        if envelope is None and path is not None:
            self.ignored = git.keep_out(path, "choose a place outside of the repository with `--secrets-out`")
        if path is not None:
            return FileOutlet(path, example, self.parser, wish.token)
        return StoreOutlet(self.store, example, self.parser, wish.token)


@contextmanager
def opened(table: ClientTable, store: Store, wish: Wish) -> Iterator[Errand]:
    """Open the file that *wish* names.

    Raises:
        InputError: it cannot be read or is no fleet file, the template is no topic, or the hand-out is the file.
    """
    check_template(wish.template)
    if wish.recipient is not None and wish.secrets_out is None:
        raise InputError("`--recipient` needs a file to encrypt", hint="name it: `--secrets-out secrets.csv.age`")
    if wish.secrets_out is not None and wish.secrets_out.resolve() == Path(wish.file).resolve():
        raise InputError("`--secrets-out` is the file that is imported", hint="name another file")
    scope = ArnScope(wish.partition, table.target.region, ANY_ACCOUNT)
    with source.opened(wish.file, hashed=wish.hashed) as found:
        parser = Parser(
            found.columns, table=table.name, scope=scope, template=wish.template, hashed=wish.hashed, now=wish.now
        )
        yield Errand(table, store, wish, found, parser)
