"""The authorizer, the key that signs for it, and AWS IoT's permission to call its function."""

from __future__ import annotations

import contextlib
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from iotauth_cli.aws import iot, lambda_, tags
from iotauth_cli.aws.iot import TokenSigning
from iotauth_cli.aws.lambda_ import FunctionArn
from iotauth_cli.aws.polling import pauses
from iotauth_cli.aws.session import Session
from iotauth_cli.errors import Conflict, InputError, NotFound
from iotauth_cli.operations.installation.part import Part, SigningWish, TaggedPart, Wish
from iotauth_cli.operations.signing.keyring import TOKEN_KEY_NAME, Signing
from iotauth_cli.token import fingerprint

Conditions = dict[tuple[str, str], Any]
SOURCE, ACCOUNT = ("ArnLike", "aws:sourcearn"), ("StringEquals", "aws:sourceaccount")


class Authorizer(TaggedPart[iot.Authorizer]):
    resource = "authorizer"
    may_be_shared = False

    @property
    def name(self) -> str:
        return self.wish.authorizer

    @property
    def arn(self) -> str:
        return iot.arn(self.session.scope, self.name)

    @property
    def function_arn(self) -> str:
        return function_of(self.session, self.wish).text

    def look(self) -> iot.Authorizer | None:
        return iot.find(self.session, self.name)

    def drift(self, found: iot.Authorizer) -> list[str]:
        if self.wish.signing is not None:
            refuse_other_signing(found, self.wish.signing)
        drift = []
        if found.is_active != self.is_active:
            drift.append("it is active" if found.is_active else "it is not active")
        if found.function_arn != self.function_arn:
            drift.append(f"it calls `{found.function_arn}`")
        caching = self.wish.caching_for_http
        if caching not in (None, found.caching_for_http):
            drift.append(f"answers to HTTPS publishes are {'not ' if caching else ''}kept between them")
        return drift

    @property
    def is_active(self) -> bool:
        return self.wish.is_active is not False

    def question(self, found: iot.Authorizer) -> str | None:
        """Ask before another function decides about all of its devices, and before one that was switched off is on."""
        if found.function_arn != self.function_arn:
            return f"authorizer `{self.name}` calls `{found.function_arn}`: let it call `{self.function_arn}`?"
        if self.is_active and not found.is_active:
            return f"authorizer `{self.name}` was switched off: let devices in again?"
        return None

    def create(self) -> None:
        iot.create(
            self.session,
            self.name,
            self.function_arn,
            signing_of(self.wish),
            is_active=self.is_active,
            caching_for_http=bool(self.wish.caching_for_http),
            tags=self.first_tags,
        )

    def mend(self, found: iot.Authorizer) -> None:
        caching = self.wish.caching_for_http
        iot.update(
            self.session,
            self.name,
            function_arn=None if found.function_arn == self.function_arn else self.function_arn,
            is_active=None if found.is_active == self.is_active else self.is_active,
            caching_for_http=None if found.caching_for_http == caching else caching,
        )

    def read_tags(self, found: iot.Authorizer) -> Mapping[str, str]:
        return tags.of(self.session, found.arn)

    def put_tags(self, found: iot.Authorizer, added: Mapping[str, str]) -> None:
        tags.put(self.session, found.arn, added)

    def take_tags(self, found: iot.Authorizer, keys: Sequence[str]) -> None:
        tags.remove(self.session, found.arn, keys)

    def remove(self, found: iot.Authorizer) -> None:
        if found.is_active:
            iot.update(self.session, self.name, is_active=False)
        iot.delete(self.session, self.name)


class SigningKey(Part[Signing]):
    """What this project has to know to sign: the private key, or that it is kept elsewhere.

    It is made before the authorizer, which must not trust a key that nobody has, and stays when that goes.
    """

    resource = "signing key"
    may_be_shared = False

    @property
    def wanted(self) -> SigningWish:
        assert self.wish.signing is not None
        return self.wish.signing

    @property
    def name(self) -> str:
        known = self.wanted.keyring.signing
        return (known and known.signer) or self.wanted.key_name

    def look(self) -> Signing | None:
        return self.wanted.keyring.signing

    def drift(self, found: Signing) -> list[str]:
        """A key that was kept elsewhere may have been copied here since; another authorizer may have the name now."""
        authorizer = iot.find(self.session, self.wish.authorizer)
        if authorizer is None:
            return []
        kept = self.kept_keys(authorizer)
        if found.signer is None:
            return ["it is kept here now"] if kept else []
        return [] if found.signer in kept else ["the one that signs here is none of the authorizer's"]

    def kept_keys(self, found: iot.Authorizer) -> list[str]:
        """Return which of the authorizer's keys have their private half here."""
        keyring, held = self.wanted.keyring, found.token_signing_public_keys
        names = [name for name in keyring.names() if name in held]
        return [name for name in names if fingerprint(keyring.public(name)) == fingerprint(held[name])]

    def signing(self, found: iot.Authorizer) -> Signing:
        """Return how tokens for *found* are made here, by its newest key."""
        kept = self.kept_keys(found)
        return Signing(str(found.token_key_name), kept[-1] if kept else None)

    def create(self) -> None:
        """Make the key; for an authorizer that is there already, remember where its key is."""
        wanted, found = self.wanted, iot.find(self.session, self.wish.authorizer)
        if found is not None and found.token_key_name:
            wanted.keyring.sign_with(self.signing(found))
            return
        if wanted.public_key is None:
            wanted.keyring.generate(wanted.key_name)
        signer = None if wanted.public_key else wanted.key_name
        wanted.keyring.sign_with(Signing(wanted.token_key_name or TOKEN_KEY_NAME, signer))

    def mend(self, found: Signing) -> None:
        authorizer = iot.find(self.session, self.wish.authorizer)
        if authorizer is not None:
            self.wanted.keyring.sign_with(replace(self.signing(authorizer), roll_over=found.roll_over))

    def remove(self, found: Signing) -> None:
        """It stays: what it has signed is only worthless once the authorizer is gone."""


def signing_of(wish: Wish) -> TokenSigning | None:
    """Return what AWS IoT is told of the tokens it has to verify; None for none. The key is made before."""
    wanted = wish.signing
    if wanted is None or not wanted.is_wanted:
        return None
    known = wanted.keyring.signing
    assert known is not None
    name = wanted.token_key_name or known.token_key_name
    if wanted.public_key is not None:
        return TokenSigning(name, {wanted.key_name: wanted.public_key})
    if known.signer is None:
        raise InputError(
            f"the key that signed for authorizer `{wish.authorizer}` is kept elsewhere",
            hint=f"give its public half: `iotauth authorizer create {wish.authorizer} --signed --public-key FILE`",
        )
    return TokenSigning(name, {known.signer: wanted.keyring.public(known.signer)})


def refuse_other_signing(found: iot.Authorizer, wanted: SigningWish) -> None:
    """Refuse what AWS IoT cannot change, and what would lock every device out."""
    name = found.name
    if wanted.is_wanted == found.signing_disabled:
        is_, to = ("no signed tokens", "signed") if found.signing_disabled else ("signed tokens", "unsigned")
        raise Conflict(
            f"authorizer `{name}` asks for {is_}, and AWS IoT cannot change that",
            hint=f"move its clients to a second one: `iotauth authorizer migrate {name} --to {to}`",
        )
    if wanted.token_key_name not in (None, found.token_key_name):
        raise Conflict(
            f"devices send their token to authorizer `{name}` as `{found.token_key_name}`, "
            f"and with `{wanted.token_key_name}` none of them would get in",
            hint="leave `--token-key-name` out",
        )
    known = {fingerprint(pem) for pem in found.token_signing_public_keys.values()}
    if wanted.public_key is not None and fingerprint(wanted.public_key) not in known:
        raise Conflict(
            f"authorizer `{name}` verifies tokens with another key",
            hint=f"add yours beside it: `iotauth authorizer rotate-key {name} --public-key FILE`",
        )


class Permission(Part[dict[str, Any]]):
    """AWS IoT may call the function: for this authorizer and this account, for nobody else."""

    resource = "permission"
    may_be_shared = False

    @property
    def name(self) -> str:
        return statement_id(self.wish.authorizer)

    @property
    def function(self) -> FunctionArn:
        return function_of(self.session, self.wish)

    def look(self) -> dict[str, Any] | None:
        found = lambda_.statements(self.session, self.function)
        return next((statement for statement in found if statement.get("Sid") == self.name), None)

    def drift(self, found: dict[str, Any]) -> list[str]:
        allows = found.get("Effect"), found.get("Action")
        checks = {
            "permission names somebody else than AWS IoT": found.get("Principal") == {"Service": iot.PRINCIPAL},
            "permission does not allow to call the function": allows == ("Allow", "lambda:InvokeFunction"),
        }
        drift = [words for words, is_well in checks.items() if not is_well]
        return drift + self.bound_otherwise(conditions_of(found))

    def bound_otherwise(self, found: Conditions) -> list[str]:
        """Say how the conditions of a permission differ from those of this authorizer and account."""
        source, account = found.get(SOURCE), found.get(ACCOUNT)
        drift = []
        if source is None:
            drift.append("permission is for every authorizer")
        elif account_of(source) not in (None, self.session.account):
            drift.append(f"permission names another account: {account_of(source)}")
        elif source != self.conditions[SOURCE]:
            name = str(source).rpartition("/")[2]
            drift.append(f"permission is for another authorizer: `{source if name == self.wish.authorizer else name}`")
        if account is None:
            drift.append("permission names no account")
        elif account not in (self.session.account, account_of(source)):
            drift.append(f"permission names another account: {account}")
        if found.keys() - self.conditions.keys():
            drift.append("permission has more conditions than those")
        return drift

    @property
    def conditions(self) -> Conditions:
        """The form in which Lambda stores SourceArn and SourceAccount."""
        return {SOURCE: iot.arn(self.session.scope, self.wish.authorizer), ACCOUNT: self.session.account}

    def create(self) -> None:
        lambda_.permit(
            self.session,
            self.function,
            self.name,
            principal=iot.PRINCIPAL,
            source_arn=iot.arn(self.session.scope, self.wish.authorizer),
            source_account=self.session.account,
        )

    def mend(self, found: dict[str, Any]) -> None:
        """Take it back and give it anew: AWS has no way to change one. Somebody else may be doing the same.

        Until AWS has seen everywhere that the old one is gone it may refuse one of the same name; without any,
        nobody gets in, so this is done when the new one was seen.
        """
        with contextlib.suppress(NotFound):
            lambda_.forbid(self.session, self.function, self.name)
        for pause in pauses(lambda_.PROPAGATION_S):
            with contextlib.suppress(Conflict):
                self.create()
            given = self.look()
            if given is not None and not self.drift(given):
                return
            self.session.sleep(pause)
        raise Conflict(
            f"permission `{self.name}` was taken back, and AWS does not show it given anew",
            hint="run the same command again; until then the authorizer may let nobody in",
        )

    def remove(self, found: dict[str, Any]) -> None:
        lambda_.forbid(self.session, self.function, self.name)


def conditions_of(statement: dict[str, Any]) -> Conditions:
    """Return the conditions of *statement*, by operator and key; keys have no case."""
    return {
        (operator, key.lower()): value
        for operator, pairs in statement.get("Condition", {}).items()
        for key, value in pairs.items()
    }


def account_of(arn: object) -> str | None:
    parts = str(arn).split(":")
    return parts[4] or None if len(parts) > 5 else None


def function_of(session: Session, wish: Wish) -> FunctionArn:
    if wish.function_arn:
        return FunctionArn.parse(wish.function_arn)
    return FunctionArn.parse(lambda_.arn(session.scope, wish.function))


def statement_id(authorizer: str) -> str:
    """Return the permission's id: stable, one of a kind, and of letters, digits, `-` and `_` (at most 100)."""
    plain = "".join(letter if letter.isalnum() or letter in "-_" else "-" for letter in authorizer)[:80]
    return f"iotauth-{plain}" if plain == authorizer else f"iotauth-{plain}-{zlib.crc32(authorizer.encode()):08x}"
