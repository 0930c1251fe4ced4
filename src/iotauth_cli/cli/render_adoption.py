"""What `init --adopt` and `init --rollback` show."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from iotauth_cli.cli.render import counted
from iotauth_cli.cli.steps import planned_line

if TYPE_CHECKING:
    from iotauth_cli.operations.adoption.compare import Comparison
    from iotauth_cli.operations.adoption.find import Around, Candidate, TableFound
    from iotauth_cli.operations.adoption.rollback import Adopted, Stranded
    from iotauth_cli.operations.adoption.rows import Census, Named
    from iotauth_cli.operations.adoption.switch import Proof
    from iotauth_cli.operations.authorizers import Step

SHOWN = 10
FEW = 5


def short(arn: str) -> str:
    return arn.partition(":function:")[2] or arn


def candidate(found: Candidate) -> str:
    return f"`{found.name}` (calls `{short(found.old_function)}`)"


def listed(names: Sequence[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def found(candidate: Candidate, table: TableFound, around: Around) -> list[str]:
    """Return what there is: the authorizer, its function, its table, and what else should be known."""
    name = candidate.name
    calls = f"authorizer `{name}` calls function `{short(candidate.authorizer.function_arn)}`"
    if candidate.previous is not None:
        calls += f", which is ours; before that it called `{short(candidate.previous)}`"
    return [calls, f"it reads table `{table.name}`: {table.because}", *surroundings(candidate, around)]


def some(names: Sequence[str]) -> str:
    rest = len(names) - FEW
    return listed(names[:FEW]) + (f" and {rest} more" if rest > 0 else "")


def surroundings(candidate: Candidate, around: Around) -> list[str]:
    name, lines = candidate.name, []
    if not candidate.authorizer.is_active:
        lines.append(f"authorizer `{name}` is inactive, and stays so")
    if around.is_default:
        lines.append(f"`{name}` is the default authorizer, and stays it")
    if around.domains:
        lines.append(f"`{name}` is the authorizer of domain configuration {listed(around.domains)}, and stays it")
    if around.shares_function:
        lines.append(f"the old function also serves {listed(around.shares_function)}; nothing changes there")
    if around.permission != "given" and candidate.previous is None:
        lines.append("AWS IoT may not call the old function for this authorizer, so nobody is let in now")
    if around.unbound:
        unbound = " and ".join(around.unbound)
        lines.append(f"the old function may be called without {unbound}; ours asks for SourceArn and SourceAccount")
    if around.may_also:
        lines.append(f"the old function may also {some(around.may_also)}; if it does, that ends with the switch")
    if around.reserved is not None:
        lines.append(
            f"{around.reserved:,} calls at once are kept for the old function, and none for ours: "
            f"`iotauth authorizer update {name} --reserved-concurrency {around.reserved}` keeps some"
        )
    if around.stack:
        lines.append(
            f"the old function belongs to CloudFormation stack `{around.stack}`: if authorizer `{name}` does too, "
            "a deployment that touches it switches it back, and deleting the stack deletes it"
        )
    return lines + [f"not seen: {each}" for each in around.unseen]


def rows(census: Census, table: str) -> list[str]:
    """Return what the table holds, and who would be refused with any password."""
    kinds = [
        counted(census.plain, "plain password"),
        *([f"{census.ours:,} of iotauth's own"] if census.ours else []),
        *([f"{census.empty:,} without password"] if census.empty else []),
        *([f"{census.unreadable:,} unreadable"] if census.unreadable else []),
        *([f"{census.disabled:,} disabled"] if census.disabled else []),
        *([f"{census.expired:,} expired"] if census.expired else []),
    ]
    lines = [f"table `{table}` has {counted(census.total, 'row')}: {', '.join(kinds)}"]
    if census.refused.count:
        lines.append(f"our function refuses {counted(census.refused.count, 'client')} of these whatever they present:")
        lines += named(census.refused)
    return lines


def named(found: Named) -> list[str]:
    rest = found.count - len(found.first)
    lines = [f"  `{client_id}`: {reason}" for client_id, reason in found.first]
    return lines + ([f"  and {rest:,} more"] if rest else [])


def comparison(found: Comparison) -> list[str]:
    """Return how many logins were compared, what differs, and what the old function is like."""
    asked = f"asked both functions about {counted(found.asked, 'login')}"
    if found.asked < found.wanted:
        asked += f" of {found.wanted:,}: {found.stopped}"
    lines = [f"{asked}, the slowest answer took {found.slowest_s * 1000:.0f} ms"]
    if not found.differences:
        return [*lines, "they decide alike" if found.let_in else "neither lets anybody in"]
    return [*lines, f"they decide {counted(len(found.differences), 'thing')} differently:", *differences(found)]


def differences(found: Comparison) -> list[str]:
    """Return a line for each kind of difference, with the first of the clients that it concerns."""
    kinds: dict[tuple[str, str], list[str]] = {}
    for each in found.differences:
        kinds.setdefault((each.case, each.words), []).append(each.client_id)
    lines = [line for (case, words), clients in kinds.items() for line in difference(clients, case, words)]
    rest = len(lines) - 2 * SHOWN
    return lines[: 2 * SHOWN] + ([f"  and {rest:,} more lines; `--json` has them all"] if rest > 0 else [])


def difference(clients: Sequence[str], case: str, words: str) -> list[str]:
    rest = len(clients) - SHOWN
    names = listed(clients[:SHOWN]) + (f" and {rest:,} more" if rest > 0 else "")
    return [f"  {names} {case}:", f"    {words}"]


def own_timers(refresh_and_disconnect: tuple[int, int]) -> str:
    refresh, disconnect = refresh_and_disconnect
    return f"so its timers are not known: ours asks for a refresh after {refresh} s and an end after {disconnect} s"


def timers(refresh_and_disconnect: tuple[int, int] | None, found: Comparison) -> list[str]:
    if refresh_and_disconnect is None:
        return []
    refresh, disconnect = refresh_and_disconnect
    mixed = " mostly" if len(found.timers) > 1 else ""
    return [
        f"the old function asks{mixed} for a refresh after {refresh} s and an end after {disconnect} s; so will ours"
    ]


def planned(steps: Sequence[Step], where: str) -> list[str]:
    return [f"plan for {where}:", *(f"  {planned_line(step)}" for step in steps)]


def proven(proof: Proof, authorizer: str) -> str:
    if proof.untried:
        return f"authorizer `{authorizer}` was not tried through AWS IoT: {proof.untried}"
    if proof.client_id is None:
        return f"AWS IoT got an answer from our function through authorizer `{authorizer}`"
    return f"through authorizer `{authorizer}` AWS IoT lets client `{proof.client_id}` in"


def question(authorizer: str, function: str, around: Around) -> str:
    """Return what is asked before the switch."""
    although = f", although stack `{around.stack}` may switch it back" if around.stack else ""
    return f"let authorizer `{authorizer}` call `{function}`{although}?"


def steps_document(steps: Sequence[Step]) -> list[dict[str, str]]:
    return [
        {"action": step.action, "resource": step.resource, "name": step.name, "reason": step.reason} for step in steps
    ]


def named_document(found: Named) -> dict[str, Any]:
    return {
        "count": found.count,
        "first": [{"client_id": client_id, "reason": reason} for client_id, reason in found.first],
    }


def rows_document(census: Census) -> dict[str, Any]:
    counts = ("total", "plain", "ours", "empty", "unreadable", "disabled", "expired")
    return {**{name: getattr(census, name) for name in counts}, "refused": named_document(census.refused)}


def comparison_document(found: Comparison | None) -> dict[str, Any] | None:
    if found is None:
        return None
    usual = found.usual_timers
    return {
        "wanted": found.wanted,
        "asked": found.asked,
        "stopped": found.stopped,
        "failures": found.failures,
        "slowest_s": round(found.slowest_s, 3),
        "refresh_after_s": usual[0] if usual else None,
        "disconnect_after_s": usual[1] if usual else None,
        "differences": [
            {"client_id": each.client_id, "case": each.case, "words": each.words} for each in found.differences
        ],
    }


def stranded(found: Stranded, previous: str) -> list[str]:
    """Return whom the old function would lock out, or treat otherwise."""
    lines = []
    if found.hashed.count:
        lines += [f"function `{short(previous)}` would lock out {counted(found.hashed.count, 'client')}:"]
        lines += named(found.hashed)
    if found.changed.count:
        lines += [f"function `{short(previous)}` would not know what {counted(found.changed.count, 'client')} may do:"]
        lines += named(found.changed)
    return lines


def unknown_table(adopted: Adopted) -> str:
    return (
        f"which table `{adopted.function}` read is not known any more, and so not whom `{short(adopted.previous)}` "
        "would lock out; `--table NAME` says which"
    )


def stranded_document(found: Stranded) -> dict[str, Any]:
    return {
        "total": found.total,
        "locked_out": named_document(found.hashed),
        "changed": named_document(found.changed),
    }


def back(adopted: Adopted, was_switched: bool) -> str:
    name, previous = adopted.authorizer, short(adopted.previous)
    if was_switched:
        return f"authorizer `{name}` calls `{adopted.function}`, and called `{previous}` before"
    return f"authorizer `{name}` calls `{previous}` again; the rest is taken away"
