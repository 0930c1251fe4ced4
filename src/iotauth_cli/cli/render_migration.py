"""What `client migrate` shows. No password is in any of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from iotauth_cli.cli.render import counted

if TYPE_CHECKING:
    from iotauth_cli.operations.adoption.memory import Memory
    from iotauth_cli.operations.migration import Counts, Found


def found(what: Found, table: str) -> list[str]:
    if not what.plain:
        return [f"table `{table}` has no plain password to hash"]
    names = ", ".join(f"`{name}`" for name in what.named)
    more = f" and {what.plain - len(what.named):,} more" if what.plain > len(what.named) else ""
    who = f"{counted(what.plain, 'client')} of table `{table}` {'has' if what.plain == 1 else 'have'}"
    return [f"{who} a plain password: {names}{more}; nothing was changed"]


def found_document(what: Found) -> dict[str, Any]:
    return {"plain": what.plain, "crowded": what.crowded, "unreadable": what.unreadable, "migrated": 0}


def set_aside(what: Found) -> list[str]:
    """Return what has to be mended by hand first."""
    lines = [
        f"client `{name}` has two secrets beside its plain password; run `iotauth client confirm {name}` first"
        for name in what.crowded
    ]
    if what.unreadable:
        lines.append(
            f"{counted(what.unreadable, 'client')} cannot be read; see `iotauth client list --where broken=yes`"
        )
    return lines


def no_way_back(adopted: Memory) -> str:
    """Say what hashing means for an authorizer that was adopted."""
    old = adopted.previous_function.partition(":function:")[2]
    return f"`{old}` cannot read them then, so `iotauth init --rollback` would lock these clients out"


def question(what: Found, table: str) -> str:
    return (
        f"hash the plain passwords of {counted(what.plain, 'client')} in table `{table}`? "
        "Devices keep them; tools that read the attribute `Password` cannot any more"
    )


def migrated(counts: Counts, table: str) -> list[str]:
    lines = [f"hashed {counted(counts.migrated, 'password')} in table `{table}`"]
    if counts.gone:
        lines.append(f"{counted(counts.gone, 'client')} had been changed or removed by somebody else meanwhile")
    return lines


def document(what: Found, counts: Counts) -> dict[str, Any]:
    failed = [{"client_id": client_id, "problem": why} for client_id, why in counts.failed]
    return {**found_document(what), "migrated": counts.migrated, "gone": counts.gone, "failed": failed}
