"""The authorizer, and AWS IoT's permission to call its function."""

from __future__ import annotations

import zlib
from typing import Any

from iotauth_cli.aws import iot, lambda_
from iotauth_cli.aws.lambda_ import FunctionArn
from iotauth_cli.aws.session import Session
from iotauth_cli.errors import Conflict
from iotauth_cli.operations.installation.part import Part, Wish

Conditions = dict[tuple[str, str], Any]


class Authorizer(Part[iot.Authorizer]):
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
        if not found.signing_disabled:
            raise Conflict(
                f"authorizer `{self.name}` asks for signed tokens, and AWS IoT cannot change that",
                hint=f"choose another name, or delete it first: `iotauth authorizer delete {self.name}`",
            )
        drift = [] if found.is_active else ["it is not active"]
        if found.function_arn != self.function_arn:
            drift.append(f"it calls `{found.function_arn}`")
        return drift

    def create(self) -> None:
        iot.create(self.session, self.name, self.function_arn)

    def mend(self, found: iot.Authorizer) -> None:
        iot.update(
            self.session,
            self.name,
            function_arn=None if found.function_arn == self.function_arn else self.function_arn,
            is_active=None if found.is_active else True,
        )

    def remove(self, found: iot.Authorizer) -> None:
        if found.is_active:
            iot.update(self.session, self.name, is_active=False)
        iot.delete(self.session, self.name)


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
            "it names somebody else than AWS IoT": found.get("Principal") == {"Service": iot.PRINCIPAL},
            "it does not allow to call the function": allows == ("Allow", "lambda:InvokeFunction"),
            "it is not bound to this authorizer and account alone": conditions_of(found) == self.conditions,
        }
        return [words for words, is_well in checks.items() if not is_well]

    @property
    def conditions(self) -> Conditions:
        """The form in which Lambda stores SourceArn and SourceAccount."""
        return {
            ("ArnLike", "aws:sourcearn"): iot.arn(self.session.scope, self.wish.authorizer),
            ("StringEquals", "aws:sourceaccount"): self.session.account,
        }

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
        lambda_.forbid(self.session, self.function, self.name)  # AWS has no way to change one
        self.create()

    def remove(self, found: dict[str, Any]) -> None:
        lambda_.forbid(self.session, self.function, self.name)


def conditions_of(statement: dict[str, Any]) -> Conditions:
    """Return the conditions of *statement*, by operator and key; keys have no case."""
    return {
        (operator, key.lower()): value
        for operator, pairs in statement.get("Condition", {}).items()
        for key, value in pairs.items()
    }


def function_of(session: Session, wish: Wish) -> FunctionArn:
    if wish.function_arn:
        return FunctionArn.parse(wish.function_arn)
    scope = session.scope
    return FunctionArn.parse(f"arn:{scope.partition}:lambda:{scope.region}:{scope.account}:function:{wish.function}")


def statement_id(authorizer: str) -> str:
    """Return the permission's id: stable, one of a kind, and of letters, digits, `-` and `_` (at most 100)."""
    plain = "".join(letter if letter.isalnum() or letter in "-_" else "-" for letter in authorizer)[:80]
    return f"iotauth-{plain}" if plain == authorizer else f"iotauth-{plain}-{zlib.crc32(authorizer.encode()):08x}"
