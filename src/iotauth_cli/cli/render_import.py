"""What `client import`, `client export` and `client migrate` show. No secret is in any of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from iotauth_cli.cli.render import counted

if TYPE_CHECKING:
    from iotauth_cli.operations.importing.run import Checked, Counts


def problems(name: str, checked: Checked) -> list[str]:
    """Return a line for each of the first bad rows; a single one is told in the error alone."""
    if checked.bad < 2:
        return []
    lines = [f"{name}, row {problem.row}: {problem.sentence}" for problem in checked.problems]
    left = checked.bad - len(lines)
    return [*lines, f"… and {left:,} more"] if left else lines


def plan(name: str, checked: Checked) -> list[str]:
    kinds = (
        (checked.generated, "get a new secret"),
        (checked.chosen, "bring a password"),
        (checked.hashed, "bring a hash"),
    )
    parts = ", ".join(f"{count:,} {what}" for count, what in kinds if count)
    return [f"{name} can be imported: {counted(checked.rows, 'client')}, of whom {parts}; nothing was written"]


def plan_document(checked: Checked) -> dict[str, Any]:
    return {
        "rows": checked.rows,
        "generated": checked.generated,
        "chosen": checked.chosen,
        "hashed": checked.hashed,
        "written": False,
    }


def imported(counts: Counts, table: str) -> list[str]:
    told = (
        (counts.added, "imported {} into table `{table}`"),
        (counts.updated, "updated {} of table `{table}`; the secrets are as they were"),
        (counts.resumed, "{} of the file stood in table `{table}` already, from an earlier run"),
    )
    lines = [line.format(counted(count, "client"), table=table) for count, line in told if count]
    return lines or [f"nothing was imported into table `{table}`"]


def document(counts: Counts, secrets_out: str | None) -> dict[str, Any]:
    return {
        "added": counts.added,
        "resumed": counts.resumed,
        "updated": counts.updated,
        "existing": counts.existing,
        "secrets_out": secrets_out,
    }


def afterwards(
    counts: Counts, checked: Checked, secrets_out: str | None, recipient: str | None, next_command: str
) -> list[str]:
    """Return what to tell beside the result: who was left alone, where the secrets are, what comes next."""
    lines = []
    if counts.existing:
        names = ", ".join(f"`{name}`" for name in counts.named)
        more = f" and {counts.existing - len(counts.named):,} more" if counts.existing > len(counts.named) else ""
        lines.append(f"left as they are, because such clients exist: {names}{more}")
    if checked.generated and (counts.added or counts.resumed):
        reader = f"`{recipient}`" if recipient else "you"
        place = f"in `{secrets_out}`, which only {reader} can read" if secrets_out else "kept in the private store"
        lines += [f"the new secrets are {place}", f"next: {next_command}"]
    return lines


def interrupted(counts: Counts | None) -> str:
    done = counted(counts.done if counts else 0, "client")
    return f"stopped after {done}; run the same command again to go on"
