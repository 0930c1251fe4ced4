"""Which function AWS IoT calls, and whether it keeps the answers.

Another function is first permitted, then called, and only then the old one's permission is taken away, so that
AWS IoT may call whichever of the two it knows of.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import replace

from iotauth_cli.aws import iot
from iotauth_cli.aws.session import Session
from iotauth_cli.errors import NotFound
from iotauth_cli.operations.authorizer_changes.change import Change, Changes
from iotauth_cli.operations.authorizers import require
from iotauth_cli.operations.installation import Step, Wish
from iotauth_cli.operations.installation.authorizer import Permission, function_of

SPREADING_S = 2.0  # AWS IoT may call the old function for a moment longer; how long is not documented


class AuthorizerChange(Change):
    resource = "authorizer"

    @property
    def name(self) -> str:
        return self.wish.authorizer

    def differences(self) -> list[str]:
        found, wanted = require(self.session, self.name), self.changes
        words = []
        if wanted.function_arn not in (None, found.function_arn):
            words.append(f"it calls `{wanted.function_arn}`, not `{found.function_arn}`")
        if wanted.caching_for_http not in (None, found.caching_for_http):
            words.append(
                f"AWS IoT {'keeps' if wanted.caching_for_http else 'no longer keeps'} answers to HTTPS publishes"
            )
        return words

    def bring(self) -> None:
        arn, caching = self.changes.function_arn, self.changes.caching_for_http
        iot.update(self.session, self.name, function_arn=arn, caching_for_http=caching)
        if arn is not None:
            self.session.sleep(SPREADING_S)


class Permitting(Change):
    """AWS IoT may call the function of the wish, which is the new one."""

    resource = "permission"

    @property
    def part(self) -> Permission:
        return Permission(self.session, self.wish)

    @property
    def name(self) -> str:
        return self.part.name

    def differences(self) -> list[str]:
        found = self.part.look()
        if found is None:
            return [f"AWS IoT may call `{self.wish.function_arn}`"]
        return self.part.drift(found)

    def step(self) -> Step:
        step = super().step()
        return replace(step, action="create") if self.part.look() is None else step

    def bring(self) -> None:
        self.part.bring()


class Forbidding(Permitting):
    """AWS IoT may no longer call the function of the wish, which is the old one."""

    def differences(self) -> list[str]:
        return [f"AWS IoT may no longer call `{function_of(self.session, self.wish).text}`"]

    def step(self) -> Step:
        return self.part.step("delete", *self.differences())

    def bring(self) -> None:
        with contextlib.suppress(NotFound):  # somebody was faster
            self.part.take_away()


class Leaving(Change):
    """The old function is nobody's to delete here: it is the way back."""

    resource = "function"

    @property
    def name(self) -> str:
        return function_of(self.session, self.wish).qualified_name

    def differences(self) -> list[str]:
        return []

    def step(self) -> Step:
        return Step("keep", self.resource, self.name, "it stays as it is, for the way back")

    def bring(self) -> None:
        """Leave it."""


def leaving(session: Session, wish: Wish, changes: Changes) -> Iterator[Change]:
    """Yield what becomes of the functions that AWS IoT may have been permitted to call: its present one, and ours.

    An interrupted run may have left the permission on one that is called no more.
    """
    own = replace(wish, function_arn=None)
    for arn, old in {function_of(session, each).text: each for each in (own, wish)}.items():
        if arn == changes.function_arn:
            continue
        if Permission(session, old).look() is not None:
            yield Forbidding(session, old, changes)
        if old is wish:
            yield Leaving(session, old, changes)
