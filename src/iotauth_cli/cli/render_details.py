"""What `authorizer show` and `authorizer list` tell beside the authorizer itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from iotauth_cli.cli.render import NOTHING, Facts, Table, moment, several
from iotauth_cli.cli.render_authorizer import authorizer_document, signing, status

if TYPE_CHECKING:
    from iotauth_cli.operations.authorizer_details import Details, DomainConfiguration, FunctionDetails, Listed


def details(found: Details) -> Facts:
    """Return the facts, in the order in which `authorizer update` has its options."""
    return [
        ("made by", "iotauth" if found.is_ours else "somebody else"),
        *([("default", "it decides about devices that name no authorizer")] if found.is_default else []),
        *(function(found.function) if found.function else []),
        *several("without ALPN", [endpoint(each) for each in found.endpoints]),
        *([("tags", ", ".join(f"{key}={value}" for key, value in sorted(found.tags.items())))] if found.tags else []),
        *([("changed", moment(found.changed_at))] if found.changed_at is not None else []),
    ]


def function(found: FunctionDetails) -> Facts:
    kept = found.reserved_concurrency
    facts = [("runs with", f"{found.memory_mb} MB, {found.architecture}, {found.runtime}")]
    if found.refresh_after_s is not None:
        facts.append(
            ("timers", f"asked again after {found.refresh_after_s} s, cut off after {found.disconnect_after_s} s")
        )
    if kept is not None:
        facts.append(("kept calls", f"{kept} at once, and no more"))
    if found.retention_days is not None:
        facts.append(("log", f"kept {found.retention_days} days"))
    return facts


def endpoint(found: DomainConfiguration) -> str:
    return f"{found.domain_name} ({found.name}{'' if found.is_enabled else ', disabled'})"


def details_document(found: Details) -> dict[str, Any]:
    return {
        "made_by_iotauth": found.is_ours,
        "is_default": found.is_default,
        "tags": dict(found.tags),
        "changed_at": found.changed_at,
        "domain_configurations": [
            {"name": each.name, "host": each.domain_name, "is_enabled": each.is_enabled} for each in found.endpoints
        ],
        "function": asdict(found.function) if found.function else None,
    }


def listed(found: Sequence[Listed]) -> Table:
    rows: list[Sequence[str]] = [
        (
            each.authorizer.name,
            status(each.authorizer) + (", default" if each.is_default else ""),
            "iotauth" if each.is_ours else NOTHING,
            signing(each.authorizer),
            each.authorizer.function_arn,
        )
        for each in found
    ]
    return ("authorizer", "status", "made by", "signing", "function"), rows


def listed_document(found: Listed) -> dict[str, Any]:
    return {**authorizer_document(found.authorizer), "made_by_iotauth": found.is_ours, "is_default": found.is_default}
