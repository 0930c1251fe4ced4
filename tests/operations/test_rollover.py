"""Another key for an authorizer's tokens: begun, handed out, watched, finished, and nobody locked out on the way."""

from __future__ import annotations

import copy
import csv
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from iotauth_authorizer.record import ClientRecord, TokenNote
from iotauth_authorizer.username import parse, parse_token
from iotauth_cli import credentials, files
from iotauth_cli import token as tokens
from iotauth_cli.aws import iot, workers
from iotauth_cli.aws import table as tables
from iotauth_cli.aws.client_table import ClientTable
from iotauth_cli.credentials import Credential, Store
from iotauth_cli.errors import Conflict, InputError, NotFound
from iotauth_cli.operations import authorizers, client_rotation, clients, keys
from iotauth_cli.operations.client_rotation import RotationWish
from iotauth_cli.operations.clients import NewClient
from iotauth_cli.operations.fleet import handout
from iotauth_cli.operations.fleet.rotation import Journal, Order, Rotation
from iotauth_cli.operations.fleet.selection import Where
from iotauth_cli.operations.signing import keyring as keyrings
from iotauth_cli.operations.signing import resign, rollover
from iotauth_cli.operations.signing.keyring import Keyring
from iotauth_cli.operations.signing.resign import Totals
from support import require_peer
from support_installation import WISH, Account

NOW = 1763640000  # 2025-11-20
IDS = ("door-1", "door-2")


@dataclass
class Doors:
    """The signed authorizer `doors` with two clients, and the tokens that their devices have."""

    account: Account
    store: Store
    now: int = NOW
    devices: dict[str, Credential] = field(default_factory=dict)
    table: ClientTable = field(init=False)

    def __post_init__(self) -> None:
        session = self.account.session()
        tables.create(session, WISH.table)
        tables.wait_until_active(session, WISH.table)
        arn = self.account.function("def handler(event, context): return {}", "mine")
        wish = authorizers.signed(replace(WISH, function_arn=arn), self.store, now=NOW)
        list(authorizers.apply(session, authorizers.plan(session, wish)))
        self.table = self.account.table()
        for client_id in IDS:
            self.add(client_id)
        self.deliver()

    @property
    def keyring(self) -> Keyring:
        return Keyring.of(self.store, WISH.authorizer)

    @property
    def held(self) -> dict[str, str]:
        """The keys that AWS IoT has."""
        found = iot.find(self.account.session(), WISH.authorizer)
        assert found is not None
        return dict(found.token_signing_public_keys)

    def add(self, client_id: str, *, is_kept: bool = True) -> None:
        wish = NewClient(client_id, WISH.authorizer, topics=("a",), token=keys.for_clients(self.store, WISH.authorizer))
        clients.add(self.table, self.store if is_kept else None, wish, partition="aws", now=self.now)

    def begin(self, **members: Any) -> rollover.Begun:
        self.now += 1000
        return rollover.begin(self.account.session(), self.keyring, now=self.now, **members)

    def sign(self, **members: Any) -> Totals:
        totals = Totals()
        run = resign.prepare(self.table, self.store, self.keyring, now=self.now + 5, **members)
        assert run is not None
        for each in run.events():
            totals.count(each)
        return totals

    def deliver(self, *client_ids: str) -> None:
        """Bring devices what is kept for them, and let the function see it."""
        for client_id in client_ids or IDS:
            kept = self.store.load(client_id)
            assert kept is not None
            self.devices[client_id] = kept
            self.see(client_id, issued_in(kept))

    def see(self, client_id: str, issued_at: int) -> None:
        row = self.row(client_id)
        assert row.token is not None
        self.table.change(row, row._replace(token=row.token._replace(seen_at=issued_at)))

    def retire(self, *, force: bool = False) -> rollover.Retired:
        found = self.status()
        rollover.check_retirement(found, force=force)
        return rollover.retire(self.account.session(), self.keyring, found)

    def status(self) -> rollover.Status:
        return rollover.status(self.account.session(), self.table, self.keyring)

    def row(self, client_id: str) -> ClientRecord:
        row = self.table.find(client_id)
        assert isinstance(row, ClientRecord)
        return row

    def locked_out(self) -> list[str]:
        """Return whose device AWS IoT would not let through now."""
        held = self.held.values()
        return [name for name, kept in self.devices.items() if not any(is_signed(kept, pem) for pem in held)]


def issued_in(kept: Credential) -> int:
    found = parse_token(kept.token.reveal()) if kept.token else None
    assert found is not None
    return found[1]


def is_signed(kept: Credential, pem: str) -> bool:
    assert kept.token is not None
    return tokens.verify(kept.token.reveal(), str(kept.signature), pem)


@pytest.fixture
def doors(account: Account, tmp_path: Path) -> Doors:
    return Doors(account, Store(tmp_path / ".iotauth", "aws-eu-west-1"))


def test_a_roll_over_step_by_step(doors: Doors) -> None:
    """Second key beside the first, tokens of it for everybody, seen in use, first key gone."""
    begun = doors.begin()
    assert (begun.roll_over.new, begun.roll_over.old) == ("2025-11-20-2", ("2025-11-20",))
    assert doors.held == {name: doors.keyring.public(name) for name in ("2025-11-20", "2025-11-20-2")}
    assert doors.status().unsigned == IDS
    assert doors.sign() == Totals(signed=2)
    assert doors.status().unseen == IDS
    doors.deliver("door-1")
    assert (doors.status().moved, doors.status().unseen) == (1, ("door-2",))
    assert doors.locked_out() == []
    doors.deliver("door-2")
    assert doors.retire().old == ("2025-11-20",)
    assert doors.held == {"2025-11-20-2": doors.keyring.public("2025-11-20-2")}
    assert doors.keyring.names() == ("2025-11-20-2",)
    assert doors.locked_out() == []


def test_repeating_a_step_changes_nothing(doors: Doors) -> None:
    """No third key, no second token, no call that writes; also on another day."""
    doors.begin()
    doors.sign()
    before = (doors.held, [doors.store.load(name) for name in IDS], [doors.row(name) for name in IDS])
    assert doors.begin().changes == ()
    assert doors.sign() == Totals(as_it_was=2)
    assert (doors.held, [doors.store.load(name) for name in IDS], [doors.row(name) for name in IDS]) == before


def test_a_client_that_is_added_meanwhile_has_moved(doors: Doors) -> None:
    """The new key signs from the beginning; the newcomer is as good as re-signed."""
    doors.begin()
    doors.now += 1
    doors.add("door-3")
    assert doors.sign() == Totals(signed=2, as_it_was=1)
    assert doors.status().unseen == (*IDS, "door-3")


def test_nobody_is_added_with_the_old_key_once_the_change_has_begun(
    doors: Doors, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Tokens are told apart by their times: this one would pass for one of the new key, and be locked out."""
    with monkeypatch.context() as patch:
        effects(patch, Reaper(2, after=False))
        with pytest.raises(Killed):
            doors.begin()
    doors.now += 10
    with pytest.raises(InputError, match="half way") as caught:
        doors.add("door-3", is_kept=False)
    assert caught.value.hint == f"finish that first: `iotauth authorizer rotate-key {WISH.authorizer}`"
    doors.begin()
    doors.add("door-3")
    doors.sign()
    doors.deliver(*IDS, "door-3")
    doors.retire()
    assert doors.locked_out() == []


def elsewhere(doors: Doors, directory: Path) -> Doors:
    """Another machine's project over the same table, with a copy of the keys as they are now."""
    shutil.copytree(doors.store.directory / "keys", directory / "keys")
    other = copy.copy(doors)
    other.store = Store(directory, doors.store.target_name)
    return other


@pytest.mark.parametrize("is_kept", [True, False], ids=["kept there", "kept nowhere"])
def test_a_client_that_another_machine_adds_with_the_old_key_has_not_moved(
    doors: Doors, tmp_path: Path, is_kept: bool
) -> None:
    """Its token is younger than the roll-over and in use; the old key has signed it all the same, and stays."""
    other = elsewhere(doors, tmp_path / "other")
    doors.begin()
    doors.sign()
    doors.deliver()
    other.now = doors.now + 10
    other.add("door-3", is_kept=is_kept)
    doors.see("door-3", other.now)
    assert (doors.status().moved, doors.status().unsigned) == (2, ("door-3",))
    with pytest.raises(Conflict, match=r"1 client would be locked out.*: `door-3`"):
        doors.retire()
    out = tmp_path / "names.csv"
    assert doors.sign(out=out) == Totals(signed=1, as_it_was=2)
    assert doors.status().unseen == ("door-3",)
    assert doors.sign(out=out) == Totals(as_it_was=3)
    new = doors.row("door-3").token
    assert new is not None
    assert new.issued_at is not None
    [line] = csv.DictReader(out.read_text().splitlines())
    assert parse(line["username"]).get("token") == f"door-3.{new.issued_at}"
    doors.see("door-3", new.issued_at)
    doors.retire()
    assert doors.locked_out() == []


def test_the_old_key_named_by_hand_counts_as_the_old_one(doors: Doors, tmp_path: Path) -> None:
    """The new key is kept elsewhere, and `client add --key` got the one from before."""
    old = tmp_path / "old.pem"
    shutil.copy(doors.keyring.path("2025-11-20"), old)
    own = keys.generate(tmp_path / "own.pem")
    doors.begin(public_key=own.public_pem)
    for client_id, key in (("door-3", old), ("door-4", own.private_at)):
        wish = keys.for_clients(doors.store, WISH.authorizer, key)
        new = NewClient(client_id, WISH.authorizer, topics=("a",), token=wish)
        clients.add(doors.table, doors.store, new, partition="aws", now=doors.now + 5)
    doors.deliver(*IDS, "door-3", "door-4")
    assert (doors.status().moved, doors.status().unsigned) == (1, (*IDS, "door-3"))
    signer = keys.signer_with(own.private_at, doors.store, WISH.authorizer)
    assert doors.sign(signer=signer) == Totals(signed=3, as_it_was=1)
    assert doors.status().unseen == (*IDS, "door-3")
    doors.deliver(*IDS, "door-3")
    doors.retire()
    assert doors.locked_out() == []


def test_a_token_that_nobody_noted_is_not_taken_for_the_new_keys(doors: Doors) -> None:
    """`keys sign --for-client` touches no row: a token seen that is newer than the noted one may be anybody's."""
    doors.begin()
    doors.sign()
    doors.deliver("door-1")
    doors.see("door-2", doors.now + 900)
    assert (doors.status().moved, doors.status().unsigned) == (1, ("door-2",))
    assert doors.sign() == Totals(signed=1, as_it_was=1)
    doors.deliver()
    assert doors.status().moved == 2


def test_the_old_keys_token_in_use_does_not_count_after_the_new_one_was_handed_out(
    doors: Doors, tmp_path: Path
) -> None:
    """Seen after the roll-over began, and the row names the new key: yet what was seen is the other machine's."""
    other = elsewhere(doors, tmp_path / "other")
    doors.begin()
    other.now = doors.now + 1
    other.add("door-3", is_kept=False)
    doors.sign(out=tmp_path / "names.csv")
    doors.see("door-3", other.now)
    assert doors.status().unseen == (*IDS, "door-3")


def test_a_row_of_an_older_version_is_signed_for_again(doors: Doors, tmp_path: Path) -> None:
    """It does not say which key signed; what is kept here can be looked at, what is not gets another token."""
    doors.begin()
    doors.now += 1
    doors.add("door-3", is_kept=False)
    doors.sign()
    for client_id in (*IDS, "door-3"):
        row = doors.row(client_id)
        assert row.token is not None
        doors.table.change(row, row._replace(token=row.token._replace(key=None)))
    doors.deliver()
    assert doors.status().unsigned == (*IDS, "door-3")
    before = [doors.store.load(name) for name in IDS]
    assert doors.sign(out=tmp_path / "names.csv") == Totals(signed=3)
    assert [doors.store.load(name) for name in IDS] == before
    assert (doors.status().moved, doors.status().unseen) == (2, ("door-3",))


@pytest.mark.parametrize("is_fleet", [False, True], ids=["one client", "a fleet"])
def test_a_secret_rotated_with_the_old_key_says_so(doors: Doors, tmp_path: Path, is_fleet: bool) -> None:
    """The other machine makes the token of a client that is kept nowhere again: another one, of a time of its own."""
    doors.add("door-3", is_kept=False)
    other = elsewhere(doors, tmp_path / "other")
    doors.begin()
    doors.sign(out=tmp_path / "names.csv")
    new = doors.row("door-3").token
    assert new is not None
    assert new.issued_at is not None
    doors.deliver()
    doors.see("door-3", new.issued_at)
    assert doors.status().ok
    if is_fleet:
        text = rotated_in_a_fleet(other, tmp_path / "secrets.csv")
    else:
        wish = RotationWish("door-3", WISH.authorizer)
        text = client_rotation.rotate(other.table, other.store, wish, now=doors.now + 50).credential.device_username
    assert parse(text).get("token") == f"door-3.{new.issued_at + 1}"
    assert doors.status().unsigned == ("door-3",)
    assert doors.sign(out=tmp_path / "names.csv") == Totals(signed=1, as_it_was=2)


def rotated_in_a_fleet(doors: Doors, out: Path) -> str:
    """Rotate `door-3` as one of a fleet; return the user name that was handed out."""
    where, now = Where.parse(("prefix=door-3",)), doors.now + 50
    journal = Journal.open(out, doors.store, doors.table.name, where, now)
    list(Rotation(doors.table, doors.store, journal, Order(where, WISH.authorizer, 60), now).outcomes())
    [handed] = handout.read(out)
    return handed.username


def test_a_client_whose_adding_is_finished_with_another_key_says_so(
    doors: Doors, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The row was written with the first key; the run that hands the credential out signs with the second."""
    old = tmp_path / "old.pem"
    shutil.copy(doors.keyring.path("2025-11-20"), old)
    doors.begin()
    with monkeypatch.context() as patch:
        patch.setattr(clients, "keep", Reaper(1, after=False).around(clients.keep))
        with pytest.raises(Killed):
            doors.add("door-3")
    first = doors.row("door-3").token
    assert first is not None
    assert first.issued_at is not None
    token = keys.for_clients(doors.store, WISH.authorizer, old)
    wish = NewClient("door-3", WISH.authorizer, topics=("a",), token=token)
    added = clients.add(doors.table, doors.store, wish, partition="aws", now=doors.now + 5)
    assert issued_in(added.credential) == first.issued_at + 1
    doors.deliver("door-3")
    assert "door-3" in doors.status().unsigned


def test_a_key_that_is_in_use_is_not_retired(doors: Doors) -> None:
    """Who would be locked out is named; --force does it all the same."""
    doors.begin()
    doors.sign()
    doors.deliver("door-1")
    with pytest.raises(Conflict, match=r"1 client would be locked out.*: `door-2`"):
        doors.retire()
    assert set(doors.held) == {"2025-11-20", "2025-11-20-2"}
    assert doors.retire(force=True).forced == ("door-2",)
    assert doors.locked_out() == ["door-2"]


def test_a_key_that_somebody_added_by_hand_stays(doors: Doors, tmp_path: Path) -> None:
    """The whole map is written, and only what the roll-over replaces is left out of it."""
    doors.begin()
    foreign = keys.generate(tmp_path / "foreign.pem").public_pem
    iot.update(doors.account.session(), WISH.authorizer, public_keys={**doors.held, "foreign": foreign})
    doors.sign()
    doors.deliver()
    doors.retire()
    assert set(doors.held) == {"2025-11-20-2", "foreign"}


def test_clients_that_are_kept_elsewhere_are_left_or_written_to_a_file(doors: Doors, tmp_path: Path) -> None:
    """Without a file their rows stay as they are; with one, each user name in it carries a token that verifies."""
    doors.add("door-3", is_kept=False)
    doors.begin()
    before = doors.row("door-3")
    assert doors.sign() == Totals(signed=2, left=["door-3"])
    assert doors.row("door-3") == before
    out = tmp_path / "names.csv"
    assert doors.sign(out=out) == Totals(signed=1, as_it_was=2)
    assert out.stat().st_mode & 0o777 == 0o600
    [line] = csv.DictReader(out.read_text().splitlines())
    assert line["client_id"] == "door-3"
    name = parse(line["username"])
    assert tokens.verify(str(name.get("token")), str(name.signature), doors.keyring.public("2025-11-20-2"))
    first = out.read_text()
    assert doors.sign(out=out) == Totals(as_it_was=3)
    assert out.read_text() == first
    assert doors.status().unseen == (*IDS, "door-3")


def test_git_does_not_get_the_user_names(tmp_path: Path) -> None:
    """With their signatures they are passwords."""
    subprocess.run([require_peer("git"), "init", "--quiet", str(tmp_path)], check=True)
    assert resign.check_out(tmp_path / "names.csv") == "/names.csv"
    assert resign.check_out(tmp_path / "names.csv") is None
    assert (tmp_path / ".gitignore").read_text() == "/names.csv\n"


def test_a_file_of_something_else_is_not_overwritten(doors: Doors, tmp_path: Path) -> None:
    """A fleet file named by mistake stays as it is."""
    doors.begin()
    out = tmp_path / "fleet.csv"
    out.write_text("client_id,topic\ndoor-1,a\n")
    with pytest.raises(InputError, match="is no file of user names"):
        doors.sign(out=out)
    with pytest.raises(InputError, match="there is no directory"):
        doors.sign(out=tmp_path / "nowhere" / "names.csv")
    assert out.read_text().startswith("client_id,topic")


def test_a_row_without_tokens_and_one_of_another_authorizer_are_let_be(doors: Doors) -> None:
    """An unsigned authorizer may share the table."""
    plain = NewClient("plain", "windows", topics=("a",))
    clients.add(doors.table, doors.store, plain, partition="aws", now=NOW)
    other = NewClient("other", "gates", topics=("a",), token=keys.for_clients(doors.store, WISH.authorizer))
    clients.add(doors.table, doors.store, other, partition="aws", now=NOW)
    doors.begin()
    assert doors.sign() == Totals(signed=2, left=["other"])
    assert doors.row("plain").token is None


def test_a_key_of_the_users_own_signs_elsewhere(doors: Doors, tmp_path: Path) -> None:
    """AWS IoT gets its public half; nothing is signed here, until the private one is named."""
    own = keys.generate(tmp_path / "own.pem")
    begun = doors.begin(public_key=own.public_pem)
    assert not begun.roll_over.is_kept
    assert doors.held["2025-11-20-2"] == own.public_pem
    assert resign.prepare(doors.table, doors.store, doors.keyring, now=doors.now) is None
    assert doors.begin().changes == ()
    signer = keys.signer_with(own.private_at, doors.store, WISH.authorizer)
    assert doors.sign(signer=signer) == Totals(signed=2)
    doors.deliver()
    doors.retire()
    assert doors.held == {"2025-11-20-2": own.public_pem}
    assert doors.locked_out() == []


def test_another_key_in_the_middle_of_a_roll_over_is_refused(doors: Doors, tmp_path: Path) -> None:
    """One at a time: who signs must be clear."""
    doors.begin()
    with pytest.raises(InputError, match="is under way to key `2025-11-20-2`"):
        doors.begin(public_key=keys.generate(tmp_path / "own.pem").public_pem)


def test_what_cannot_be_rolled_over_is_refused(doors: Doors) -> None:
    """No authorizer, an unsigned one, and steps of a roll-over that has not begun."""
    with pytest.raises(InputError, match="is not under way to another key"):
        doors.status()
    with pytest.raises(InputError, match="is not under way to another key"):
        doors.sign()
    session = doors.account.session()
    with pytest.raises(NotFound, match="there is no authorizer `nobody`"):
        rollover.begin(session, Keyring.of(doors.store, "nobody"), now=NOW)
    iot.create(session, "plain", "arn:aws:lambda:eu-west-1:123456789012:function:mine")
    with pytest.raises(InputError, match="asks for no signed tokens"):
        rollover.begin(session, Keyring.of(doors.store, "plain"), now=NOW)


def test_a_row_that_somebody_changes_meanwhile_gets_its_token_all_the_same(
    doors: Doors, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A conflict is looked at again, and what the other did stays."""
    doors.begin()
    original = ClientTable.change
    met: set[str] = set()

    def after_somebody(self: ClientTable, before: ClientRecord, after: ClientRecord) -> ClientRecord:
        if before.client_id not in met:
            met.add(before.client_id)
            original(self, before, before._replace(note="theirs"))
        return original(self, before, after)

    monkeypatch.setattr(ClientTable, "change", after_somebody)
    assert doors.sign() == Totals(signed=2)
    row = doors.row("door-1")
    kept = doors.store.load("door-1")
    assert kept is not None
    assert (row.note, row.token and row.token.issued_at) == ("theirs", issued_in(kept))


# --- cut off anywhere ---------------------------------------------------------------------------


class Killed(BaseException):
    """The process ends here."""


class Reaper:
    """Kills at effect number *at*, before it or after it."""

    def __init__(self, at: int, after: bool) -> None:
        self.left = at
        self.after = after

    def around(self, effect: Callable[..., Any]) -> Callable[..., Any]:
        def watched(*arguments: Any, **named: Any) -> Any:
            self.left -= 1
            is_due = self.left == 0
            if is_due and not self.after:
                raise Killed
            result = effect(*arguments, **named)
            if is_due:
                raise Killed
            return result

        return watched


def effects(patch: pytest.MonkeyPatch, reaper: Reaper) -> None:
    """Let *reaper* watch everything that leaves a trace: files, AWS IoT, rows."""
    patch.setattr(credentials, "write_private", reaper.around(files.write_private))
    patch.setattr(keyrings, "write_private", reaper.around(files.write_private))
    patch.setattr(keyrings, "remove", reaper.around(files.remove))
    patch.setattr(iot, "update", reaper.around(iot.update))
    patch.setattr(ClientTable, "change", reaper.around(ClientTable.change))


@pytest.fixture
def one_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Effects have an order only if the rows are changed one after the other."""
    monkeypatch.setattr(resign, "run", lambda table, rows, work: workers.run(table, rows, work, limit=1))


@pytest.mark.usefixtures("one_at_a_time")
@pytest.mark.parametrize("after", [False, True], ids=["before it", "after it"])
def test_a_roll_over_that_is_killed_at_any_effect_is_finished_by_the_next(doors: Doors, after: bool) -> None:
    """Its first file, its second …: nobody is locked out then or later, and the same commands complete it."""
    number = 0
    while True:
        number += 1
        was_killed = False
        with pytest.MonkeyPatch.context() as patch:
            effects(patch, Reaper(number, after))
            try:
                doors.begin()
                doors.sign()
            except Killed:
                was_killed = True
        assert doors.locked_out() == []
        doors.begin()
        doors.sign()
        doors.deliver()
        with pytest.MonkeyPatch.context() as patch:
            effects(patch, Reaper(number, after))
            try:
                doors.retire()
            except Killed:
                was_killed = True
        assert doors.locked_out() == []
        if doors.keyring.signing and doors.keyring.signing.roll_over:
            doors.retire()
        assert_whole(doors)
        if not was_killed:
            break
    assert number > 8


def assert_whole(doors: Doors) -> None:
    """One key, known to AWS IoT and kept here, has signed every token that is kept; the rows say which those are."""
    signing = doors.keyring.signing
    assert signing is not None
    assert signing.signer is not None
    assert signing.roll_over is None
    assert doors.keyring.names() == (signing.signer,)
    assert doors.held == {signing.signer: doors.keyring.public(signing.signer)}
    for client_id in IDS:
        kept = doors.store.load(client_id)
        assert kept is not None
        assert is_signed(kept, doors.held[signing.signer])
        key = tokens.short_fingerprint(doors.held[signing.signer])
        assert doors.row(client_id).token == TokenNote(issued_in(kept), issued_in(kept), is_required=True, key=key)
