"""The kinds of resources that a stack may have, each by its type's name."""

from __future__ import annotations

from collections.abc import Mapping

from iotauth_cli.emulator.behaviour import Behaviour
from iotauth_cli.emulator.control.cloudformation.kinds.authorizer import AuthorizerKind
from iotauth_cli.emulator.control.cloudformation.kinds.domain import DomainKind
from iotauth_cli.emulator.control.cloudformation.kinds.function import FunctionKind
from iotauth_cli.emulator.control.cloudformation.kinds.kind import Kind
from iotauth_cli.emulator.control.cloudformation.kinds.log_group import LogGroupKind
from iotauth_cli.emulator.control.cloudformation.kinds.permission import PermissionKind
from iotauth_cli.emulator.control.cloudformation.kinds.role import RoleKind
from iotauth_cli.emulator.control.cloudformation.kinds.table import TableKind
from iotauth_cli.emulator.control.cloudformation.kinds.version import AliasKind, VersionKind
from iotauth_cli.emulator.control.cloudformation.packages import Packages

__all__ = ["Kind", "all_kinds"]


def all_kinds(packages: Packages, behaviour: Behaviour | None = None) -> Mapping[str, Kind]:
    """Return every kind by its type; functions find their uploaded code in *packages*."""
    kinds: tuple[Kind, ...] = (
        TableKind(),
        LogGroupKind(),
        RoleKind(),
        FunctionKind(packages),
        PermissionKind(),
        VersionKind(),
        AliasKind(),
        AuthorizerKind(is_updated_unsigned=(behaviour or Behaviour()).cloudformation_updates_unsigned_authorizers),
        DomainKind(),
    )
    return {kind.type: kind for kind in kinds}
