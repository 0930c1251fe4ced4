"""The parts of an installation and their order.

Every part is looked at before it is touched and can be brought to what is wanted from any
state in between, so the next run finishes what an interrupted one began, and a second run
changes nothing. Nothing is remembered outside AWS.

Parts that somebody else made under the same name are not taken over: a function or role of
ours says so in its description.
"""

from __future__ import annotations

from typing import Any

from iotauth_cli.aws.session import Session
from iotauth_cli.operations.installation.authorizer import Authorizer, Permission, SigningKey
from iotauth_cli.operations.installation.function import Function, Role
from iotauth_cli.operations.installation.part import FunctionSettings, Part, SigningWish, Step, Wish
from iotauth_cli.operations.installation.storage import LogGroup, Table
from iotauth_cli.operations.installation.ways_in import AlpnFreeEndpoint, DefaultAuthorizer

__all__ = ["AnyPart", "Authorizer", "FunctionSettings", "SigningWish", "Step", "Wish", "parts"]

AnyPart = Part[Any]


def parts(session: Session, wish: Wish) -> list[AnyPart]:
    """Return the parts in the order in which they are made; each needs only those before it."""
    role = Role(session, wish)
    own: list[AnyPart] = [LogGroup(session, wish), Table(session, wish), role, Function(session, wish, role)]
    signed = wish.signing is not None and wish.signing.is_wanted
    key: list[AnyPart] = [SigningKey(session, wish)] if signed else []
    shared: list[AnyPart] = [kind(session, wish) for kind in (Authorizer, Permission)]
    ways_in: list[AnyPart] = [DefaultAuthorizer(session, wish)] if wish.is_default else []
    ways_in += [AlpnFreeEndpoint(session, wish)] if wish.alpn_free else []
    return [*([] if wish.function_arn else own), *key, *shared, *ways_in]
