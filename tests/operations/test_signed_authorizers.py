"""Authorizers that want signed tokens: made with a key that this project keeps, or with somebody's own."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from iotauth_cli import token
from iotauth_cli.aws import iot
from iotauth_cli.credentials import Store
from iotauth_cli.errors import Conflict, InputError
from iotauth_cli.operations import authorizers, keys
from iotauth_cli.operations.authorizers import Plan, Wish
from iotauth_cli.operations.signing.keyring import Keyring, Signing
from support_installation import WISH, Account, Broken, Watched

NOW = 1763640000  # 2025-11-20
LATER = NOW + 86400


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / ".iotauth", "aws-eu-west-1")


@pytest.fixture
def alone(account: Account) -> Wish:
    return replace(WISH, function_arn=account.function("def handler(event, context): return {}", "mine"))


def create(session: Watched, wish: Wish) -> Plan:
    plan = authorizers.plan(session, wish)
    assert tuple(authorizers.apply(session, plan)) == plan.changes
    return plan


def described(account: Account) -> dict[str, Any]:
    found: dict[str, Any] = account.client("iot").describe_authorizer(authorizerName=WISH.authorizer)
    return dict(found["authorizerDescription"])


def actions(plan: Plan) -> dict[str, str]:
    return {step.resource: step.action for step in plan.steps}


def test_a_signed_authorizer_verifies_with_the_key_that_is_kept(account: Account, alone: Wish, store: Store) -> None:
    """Signing on, the token's name, and the public half of a key that only its owner can read."""
    create(account.session(), authorizers.signed(alone, store, now=NOW, token_key_name="door-token"))
    keyring = Keyring.of(store, WISH.authorizer)
    found = described(account)
    assert (found["signingDisabled"], found["tokenKeyName"]) == (False, "door-token")
    assert found["tokenSigningPublicKeys"] == {"2025-11-20": keyring.public("2025-11-20")}
    assert keyring.signing == Signing("door-token", "2025-11-20")
    assert keyring.path("2025-11-20").stat().st_mode & 0o777 == 0o600
    assert keyring.folder == store.directory / "keys" / "aws-eu-west-1" / "doors"


def test_a_second_run_changes_nothing_on_another_day_either(account: Account, alone: Wish, store: Store) -> None:
    """With `--signed` and without: not one call writes, and no second key is made."""
    create(account.session(), authorizers.signed(alone, store, now=NOW))
    for wish in (authorizers.signed(alone, store, now=LATER), alone):
        again = account.session()
        assert set(actions(create(again, wish)).values()) == {"keep"}
        assert again.changes == []
    assert Keyring.of(store, WISH.authorizer).names() == ("2025-11-20",)
    assert authorizers.show(account.session(), alone, store).drift == ()


@pytest.mark.parametrize("after", [False, True], ids=["before it", "after it"])
def test_a_run_that_breaks_is_finished_with_the_same_key(
    account: Account, alone: Wish, store: Store, after: bool
) -> None:
    """The next run may come on the next day; the authorizer trusts the key that is kept, and only that."""
    wish = authorizers.signed(alone, store, now=NOW)
    with pytest.raises(Broken):
        create(account.session(fail_at=1, after=after), wish)
    create(account.session(), authorizers.signed(alone, store, now=LATER))
    keyring = Keyring.of(store, WISH.authorizer)
    assert keyring.names() == ("2025-11-20",)
    assert described(account)["tokenSigningPublicKeys"] == {"2025-11-20": keyring.public("2025-11-20")}


def test_a_key_of_the_users_own_is_trusted_and_none_is_made(account: Account, alone: Wish, store: Store) -> None:
    """--public-key FILE: its private half stays where it is, and whoever wants a token is told so."""
    made = keys.generate(store.directory.parent / "own.pem")
    create(account.session(), authorizers.signed(alone, store, now=NOW, public_key=made.public_at))
    assert described(account)["tokenSigningPublicKeys"] == {"2025-11-20": made.public_pem}
    assert Keyring.of(store, WISH.authorizer).names() == ()
    with pytest.raises(InputError, match="is kept elsewhere") as caught:
        keys.kept_signer(store, WISH.authorizer)
    assert "--key FILE" in str(caught.value.hint)


def test_the_private_key_may_be_given_for_its_public_half(account: Account, alone: Wish, store: Store) -> None:
    """What is sent is the public half, whichever file was named."""
    made = keys.generate(store.directory.parent / "own.pem")
    create(account.session(), authorizers.signed(alone, store, now=NOW, public_key=made.private_at))
    assert described(account)["tokenSigningPublicKeys"] == {"2025-11-20": made.public_pem}


def test_an_authorizer_of_another_machine_keeps_its_key(account: Account, alone: Wish, store: Store) -> None:
    """A project without its key makes no other one: it remembers that the key is elsewhere, and changes nothing."""
    create(account.session(), authorizers.signed(alone, store, now=NOW, token_key_name="t"))
    elsewhere = replace(store, directory=store.directory.parent / "second" / ".iotauth")
    session = account.session()
    create(session, authorizers.signed(alone, elsewhere, now=LATER))
    assert session.changes == []
    assert Keyring.of(elsewhere, WISH.authorizer).signing == Signing("t", None)


def test_a_key_that_is_copied_here_signs_from_then_on(account: Account, alone: Wish, store: Store) -> None:
    """The second machine of an operator: the file alone is enough, under its own name."""
    create(account.session(), authorizers.signed(alone, store, now=NOW))
    elsewhere = replace(store, directory=store.directory.parent / "second" / ".iotauth")
    create(account.session(), authorizers.signed(alone, elsewhere, now=LATER))
    there, here = Keyring.of(store, WISH.authorizer), Keyring.of(elsewhere, WISH.authorizer)
    here.path("2025-11-20").write_bytes(there.path("2025-11-20").read_bytes())
    create(account.session(), authorizers.signed(alone, elsewhere, now=LATER))
    assert here.signing == there.signing


def test_a_key_of_an_authorizer_that_is_gone_does_not_sign_for_its_successor(
    account: Account, alone: Wish, store: Store
) -> None:
    """Somebody made it anew with a key of their own: this project learns that it is kept elsewhere."""
    create(account.session(), authorizers.signed(alone, store, now=NOW))
    iot.update(account.session(), WISH.authorizer, is_active=False)
    iot.delete(account.session(), WISH.authorizer)
    elsewhere = replace(store, directory=store.directory.parent / "second" / ".iotauth")
    create(account.session(), authorizers.signed(alone, elsewhere, now=LATER))
    plan = create(account.session(), authorizers.signed(alone, store, now=LATER))
    assert actions(plan)["signing key"] == "update"
    assert Keyring.of(store, WISH.authorizer).signing == Signing("token", None)


def test_a_broken_file_is_named_and_written_anew(account: Account, alone: Wish, store: Store) -> None:
    """Deleted, it comes back as it was: the key is recognised by what AWS IoT has of it."""
    create(account.session(), authorizers.signed(alone, store, now=NOW))
    keyring = Keyring.of(store, WISH.authorizer)
    before = keyring.signing
    for text in ("", "{", "[]", '{"format": 2}', '{"format": 1, "token_key_name": "t"}'):
        (keyring.folder / "signing.json").write_text(text)
        with pytest.raises(InputError, match=r"signing\.json` is broken"):
            create(account.session(), authorizers.signed(alone, store, now=NOW))
    (keyring.folder / "signing.json").unlink()
    create(account.session(), authorizers.signed(alone, store, now=LATER))
    assert keyring.signing == before


@pytest.mark.parametrize("is_signed", [False, True], ids=["unsigned", "signed"])
def test_signing_is_not_switched_on_an_existing_authorizer(
    account: Account, alone: Wish, store: Store, is_signed: bool
) -> None:
    """AWS IoT cannot; the error says so and how to go on, and neither a call nor a key was made."""
    signed, unsigned = authorizers.signed(alone, store, now=NOW), authorizers.unsigned(alone, store)
    create(account.session(), signed if is_signed else unsigned)
    keyring, session = Keyring.of(store, WISH.authorizer), account.session()
    before = keyring.names()
    with pytest.raises(Conflict, match="and AWS IoT cannot change that") as caught:
        authorizers.plan(session, unsigned if is_signed else signed)
    assert "iotauth authorizer" in str(caught.value.hint)
    assert (session.changes, keyring.names()) == ([], before)


def test_what_would_lock_devices_out_is_refused(account: Account, alone: Wish, store: Store) -> None:
    """Another token key name, or another key in place of the one that has signed their tokens."""
    create(account.session(), authorizers.signed(alone, store, now=NOW))
    with pytest.raises(Conflict, match="send their token to authorizer `doors` as `token`"):
        authorizers.plan(account.session(), authorizers.signed(alone, store, now=NOW, token_key_name="other"))
    made = keys.generate(store.directory.parent / "own.pem")
    with pytest.raises(Conflict, match="verifies tokens with another key"):
        authorizers.plan(account.session(), authorizers.signed(alone, store, now=NOW, public_key=made.public_at))


@pytest.mark.parametrize("name", ["", "a b", "x" * 129, "x-amz-customauthorizer-signature"])
def test_a_token_key_name_that_cannot_be_one_is_refused(account: Account, alone: Wish, store: Store, name: str) -> None:
    """Before anything is made, with the name in the sentence."""
    with pytest.raises(InputError, match=f"`{name}` cannot name a token"):
        authorizers.plan(account.session(), authorizers.signed(alone, store, now=NOW, token_key_name=name))


def test_show_names_the_keys_and_which_of_them_signs_here(account: Account, alone: Wish, store: Store) -> None:
    """Name, fingerprint, whether the private half is kept here, and which one signs."""
    create(account.session(), authorizers.signed(alone, store, now=NOW))
    other = keys.generate(store.directory.parent / "own.pem")
    held = {**described(account)["tokenSigningPublicKeys"], "other": other.public_pem}
    account.client("iot").update_authorizer(authorizerName=WISH.authorizer, tokenSigningPublicKeys=held)
    shown = authorizers.show(account.session(), alone, store)
    assert [(key.name, key.is_kept, key.signs) for key in shown.keys] == [
        ("2025-11-20", True, True),
        ("other", False, False),
    ]
    assert shown.keys[1].fingerprint == other.fingerprint
    assert token.fingerprint(held["2025-11-20"]) == shown.keys[0].fingerprint
