"""Tags, put on every part that is iotauth's and taken away again."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from iotauth_cli.aws import domains
from iotauth_cli.aws.session import Session
from iotauth_cli.operations.authorizer_changes.change import Change, Changes
from iotauth_cli.operations.installation import AnyPart, Wish, parts
from iotauth_cli.operations.installation.part import TaggedPart
from iotauth_cli.operations.installation.stack import refuse_change
from iotauth_cli.operations.installation.ways_in import AlpnFreeEndpoint


@dataclass(frozen=True)
class TagChange(Change):
    part: TaggedPart[Any]

    @property
    def resource(self) -> str:
        return f"tags of {self.part.resource}"

    @property
    def name(self) -> str:
        return self.part.name

    def put_and_gone(self) -> tuple[dict[str, str], list[str]]:
        """Return the tags that are to be put on the part, and the keys of those that are to go."""
        found = self.part.look()
        if found is None:
            return {}, []
        there = self.part.read_tags(found)
        put = {key: value for key, value in self.changes.tags.items() if there.get(key) != value}
        return put, [key for key in self.changes.untag if key in there]

    def differences(self) -> list[str]:
        put, gone = self.put_and_gone()
        return [*(f"`{key}` becomes `{value}`" for key, value in put.items()), *(f"`{key}` goes" for key in gone)]

    def bring(self) -> None:
        put, gone = self.put_and_gone()
        found = self.part.look()
        if found is not None and put:
            self.part.put_tags(found, put)
        if found is not None and gone:
            self.part.take_tags(found, gone)


def tag_changes(session: Session, wish: Wish, changes: Changes) -> Iterator[Change]:
    """Yield a change for each part that has tags and is iotauth's, an endpoint without ALPN among them."""
    wish = replace(wish, tags=changes.tags)
    if not wish.function_arn:
        refuse_change(session, wish.function)
    endpoints = [each.name for each in domains.every(session) if each.authorizer == wish.authorizer]
    candidates: list[AnyPart] = [
        *parts(session, wish),
        *(AlpnFreeEndpoint(session, replace(wish, alpn_free=name)) for name in endpoints),
    ]
    for part in candidates:
        if not isinstance(part, TaggedPart):
            continue
        found = part.look()
        if found is not None and not part.is_foreign(found):
            yield TagChange(session, wish, changes, part)
