"""Change the key that signs an authorizer's tokens, with no device locked out.

    begin     a second key is made and kept, AWS IoT gets it beside the first, and it signs from now on
    re-sign   every client gets a token of the new key; the old tokens work on
    status    who has not shown a token of the new key yet
    retire    AWS IoT forgets the old keys, and tokens that they signed are worth nothing

Each step looks at what there is and does what is missing, so a run that was cut off anywhere is
finished by the next. What is remembered is in the keyring: which key replaces which, and since
when. A token says when it was issued and not who signed it, and a second machine may still sign
with the old key. So the row says which key signed the newest that was handed out, and a client has
moved once the function has seen that very one. Whether AWS IoT replaces the map of keys or merges into it is
not documented: it is always written whole, and looked at afterwards.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from iotauth_authorizer.record import TokenNote
from iotauth_cli import token as tokens
from iotauth_cli.aws import iot
from iotauth_cli.aws.client_table import BrokenRow, ClientTable
from iotauth_cli.aws.iot import Authorizer
from iotauth_cli.aws.polling import pauses
from iotauth_cli.aws.session import Session
from iotauth_cli.errors import Conflict, InputError, NotFound
from iotauth_cli.operations.signing.keyring import Keyring, RollOver, Signing, key_name

PATIENCE_S = 5.0  # until AWS IoT shows what was written
SOME = 5  # names in a sentence; `--status --json` has them all


@dataclass(frozen=True)
class Begun:
    """A roll-over that is under way. *changes* say what this run did to begin it; none if it had begun."""

    authorizer: str
    roll_over: RollOver
    changes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Status:
    """How far a roll-over has come, by client id.

    *unsigned* have no token of the new key, or a newer one that nobody noted; *unseen* have not shown theirs yet.
    """

    authorizer: str
    roll_over: RollOver
    moved: int
    unsigned: tuple[str, ...]
    unseen: tuple[str, ...]

    @property
    def ok(self) -> bool:
        return not self.lagging

    @property
    def lagging(self) -> tuple[str, ...]:
        return (*self.unsigned, *self.unseen)


@dataclass(frozen=True)
class Retired:
    """What a finished roll-over took away. *forced* are the clients that are locked out by it."""

    authorizer: str
    new: str
    old: tuple[str, ...]
    forced: tuple[str, ...]


def begin(
    session: Session, keyring: Keyring, *, now: int, bits: int = tokens.MIN_BITS, public_key: str | None = None
) -> Begun:
    """Have a second key beside the first, and let it sign; go on with a roll-over that has begun.

    With *public_key* the private half is kept elsewhere, and signs there.

    Raises:
        NotFound: there is no such authorizer.
        InputError: it asks for no signed tokens, or a roll-over to another key is under way.
    """
    found = require_signed(session, keyring.authorizer)
    signing = keyring.signing or Signing(str(found.token_key_name), None)
    if signing.roll_over is None:
        old = tuple(sorted(found.token_signing_public_keys))
        new = free_name(key_name(now), {*old, *keyring.names()})
        signing = replace(signing, roll_over=RollOver(new, old, now, is_kept=public_key is None))
        keyring.sign_with(signing)  # first of all: what comes next is done under this name, however often
    roll_over = require_roll_over(signing, keyring)
    changes = []
    pem = new_public_key(keyring, roll_over, found, bits, public_key)
    if add_key(session, found, roll_over.new, pem):
        changes.append(f"added key `{roll_over.new}` to authorizer `{found.name}`")
    signer = roll_over.new if roll_over.is_kept else None
    if signing.signer != signer:
        keyring.sign_with(replace(signing, signer=signer))
        changes.append(f"new tokens are signed by key `{roll_over.new}`")
    return Begun(found.name, roll_over, tuple(changes))


def new_public_key(keyring: Keyring, roll_over: RollOver, found: Authorizer, bits: int, public_key: str | None) -> str:
    """Return the public half of the new key, which is made if it is to be kept here and is not yet there."""
    if roll_over.is_kept:
        if public_key is not None:
            raise InputError(
                f"authorizer `{found.name}` is under way to key `{roll_over.new}`, which is kept here",
                hint="leave `--public-key` out, and retire the old key first",
            )
        return keyring.generate(roll_over.new, bits)
    known = public_key or found.token_signing_public_keys.get(roll_over.new)
    if known is None:
        raise InputError(
            f"authorizer `{found.name}` is under way to a key of your own",
            hint="name it again: `iotauth authorizer rotate-key --public-key FILE`",
        )
    return known


def require_roll_over(signing: Signing | None, keyring: Keyring) -> RollOver:
    if signing is None or signing.roll_over is None:
        raise InputError(
            f"authorizer `{keyring.authorizer}` is not under way to another key",
            hint=f"begin with `iotauth authorizer rotate-key {keyring.authorizer}`",
        )
    return signing.roll_over


def add_key(session: Session, found: Authorizer, name: str, public_key: str) -> bool:
    """Let AWS IoT verify with one more key; tell whether that was news.

    Raises:
        Conflict: it has another key of this name.
    """
    before = found.token_signing_public_keys
    if name in before and tokens.fingerprint(before[name]) == tokens.fingerprint(public_key):
        return False
    if name in before:
        raise Conflict(
            f"authorizer `{found.name}` has another key that is called `{name}`",
            hint="compare their fingerprints: `iotauth authorizer show`",
        )
    write_keys(session, found.name, {**before, name: public_key})
    return True


def write_keys(session: Session, name: str, keys: dict[str, str]) -> None:
    """Write the whole map, and make sure that it is the whole map.

    Raises:
        Conflict: AWS IoT has other keys afterwards: somebody changed them at the same time.
    """
    iot.update(session, name, public_keys=keys)
    after: set[str] = set()
    for pause in pauses(PATIENCE_S):
        after = set(require_signed(session, name).token_signing_public_keys)
        if after == set(keys):
            return
        session.sleep(pause)
    raise Conflict(
        f"authorizer `{name}` has the keys {', '.join(f'`{key}`' for key in sorted(after))} after a change",
        hint="somebody changes them too; run the same command again",
    )


def free_name(wanted: str, taken: set[str]) -> str:
    number = 2
    name = wanted
    while name in taken:
        name, number = f"{wanted}-{number}", number + 1
    return name


def require_signed(session: Session, name: str) -> Authorizer:
    found = iot.find(session, name)
    if found is None:
        raise NotFound(
            f"there is no authorizer `{name}` in {session.target.label}",
            hint="see which there are with `iotauth authorizer list`",
        )
    if found.signing_disabled:
        raise InputError(
            f"authorizer `{name}` asks for no signed tokens, so it has no key",
            hint=f"move its clients to one that does: `iotauth authorizer migrate {name} --to signed`",
        )
    return found


# --- how far it has come --------------------------------------------------------------------------


def status(session: Session, table: ClientTable, keyring: Keyring) -> Status:
    """Say who has shown a token of the new key, and who has not.

    Raises:
        InputError: no roll-over is under way.
        NotFound: there is no such authorizer.
    """
    roll_over = require_roll_over(keyring.signing, keyring)
    pem = require_signed(session, keyring.authorizer).token_signing_public_keys.get(roll_over.new)
    key = tokens.short_fingerprint(pem) if pem is not None else None
    moved, unsigned, unseen = 0, [], []
    for row in table.rows():
        if isinstance(row, BrokenRow) or row.token is None:
            continue
        if not has_new(row.token, roll_over, key):
            unsigned.append(row.client_id)
        elif row.token.seen_at == row.token.issued_at:
            moved += 1
        else:
            unseen.append(row.client_id)
    return Status(keyring.authorizer, roll_over, moved, tuple(sorted(unsigned)), tuple(sorted(unseen)))


def has_new(note: TokenNote, roll_over: RollOver, key: str | None) -> bool:
    """Tell whether the newest token that is known of was signed by the new key, whose short fingerprint is *key*.

    One that was seen and is newer than what was handed out was signed by whom nobody noted.
    """
    if key is None or note.key != key or note.issued_at is None:
        return False
    return note.issued_at > roll_over.since and note.issued_at >= (note.seen_at or 0)


def check_retirement(found: Status, *, force: bool) -> None:
    """Refuse to retire a key that devices still need, unless *force*.

    Raises:
        Conflict: names who they are.
    """
    if found.ok or force:
        return
    raise lockout(found.lagging, f"shown a token of key `{found.roll_over.new}`", "tokens")


def lockout(lagging: Sequence[str], what: str, given: str) -> Conflict:
    """Return the refusal to lock clients out that have not yet done *what*; they need their new *given* for it."""
    count = "1 client" if len(lagging) == 1 else f"{len(lagging):,} clients"
    names = ", ".join(f"`{name}`" for name in lagging[:SOME])
    more = f" and {len(lagging) - SOME:,} more" if len(lagging) > SOME else ""
    return Conflict(
        f"{count} would be locked out, not having {what}: {names}{more}",
        hint=f"give them their new {given} and wait; `--retire --force` locks them out",
    )


def retire(session: Session, keyring: Keyring, found: Status) -> Retired:
    """Let AWS IoT forget the old keys; then forget them here too."""
    roll_over = found.roll_over
    authorizer = require_signed(session, keyring.authorizer)
    held = authorizer.token_signing_public_keys
    if roll_over.new not in held:
        raise Conflict(
            f"authorizer `{authorizer.name}` does not have key `{roll_over.new}`, and nobody would get in",
            hint=f"add it: `iotauth authorizer rotate-key {authorizer.name}`",
        )
    rest = {name: pem for name, pem in held.items() if name not in roll_over.old}
    if rest != dict(held):
        write_keys(session, authorizer.name, rest)
    for name in roll_over.old:
        keyring.remove(name)
    signing = keyring.signing
    if signing is not None:
        keyring.sign_with(replace(signing, roll_over=None))
    return Retired(authorizer.name, roll_over.new, roll_over.old, found.lagging)
