"""`iotauth init --adopt` and `iotauth init --rollback`."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING, Any

from iotauth_cli.cli import render_adoption as render
from iotauth_cli.cli.place import where
from iotauth_cli.cli.steps import carry_out
from iotauth_cli.errors import InputError

if TYPE_CHECKING:
    from iotauth_cli.cli.context import Context
    from iotauth_cli.operations.adoption.compare import Comparison
    from iotauth_cli.operations.adoption.find import Around, Candidate, TableFound
    from iotauth_cli.operations.adoption.rollback import Plan as Back
    from iotauth_cli.operations.adoption.rollback import Stranded
    from iotauth_cli.operations.adoption.rows import Census, Login
    from iotauth_cli.operations.authorizers import Plan

COMPARED = 200  # logins, unless somebody says otherwise: a minute of calls, and rows of one tool are much alike


@dataclass(frozen=True)
class Said:
    """What was typed. *compare* is how many logins both functions are asked about; None was not said."""

    authorizer: str | None = None
    table: str | None = None
    function: str | None = None
    compare: int | None = None
    keep: bool = False
    force: bool = False
    dry_run: bool = False

    @property
    def compared(self) -> int:
        """How many logins to compare. A call of somebody else's function may write somewhere: no dry run by itself."""
        return (0 if self.dry_run else COMPARED) if self.compare is None else self.compare


@dataclass(frozen=True)
class Adoption:
    """What was found out, and what is to be done. *before* and *after* are iotauth.yaml as it is and is to be."""

    candidate: Candidate
    table: str
    around: Around
    census: Census
    compared: Comparison | None
    logins: list[Login]
    plan: Plan
    before: str | None
    after: str

    @property
    def document(self) -> dict[str, Any]:
        return {
            "authorizer": self.candidate.name,
            "table": self.table,
            "function": self.plan.wish.function,
            "previous_function": self.candidate.old_function,
            "rows": render.rows_document(self.census),
            "comparison": render.comparison_document(self.compared),
            "steps": render.steps_document(self.plan.steps),
        }


def adopt(context: Context, said: Said) -> int:
    """Find what is to be adopted, show what both functions do, and switch."""
    from iotauth_cli.operations.adoption import find

    now = int(time.time())
    context.note(option="--adopt")
    candidate = choose(context, said.authorizer)
    find.check(candidate)
    table = choose_table(context, candidate, said.table)
    function = said.function or (candidate.function and candidate.previous and candidate.function.name)
    context = context.with_flags(authorizer=candidate.name, table=table.name, function=function or None)
    found = examined(context, said, candidate, table, now)
    note(context, found.document)
    context.output.say(*render.planned(found.plan.steps, where(context)))
    if found.before != found.after:
        context.output.say(f"  write the three names into `{context.shown(settings_path(context))}`")
    differs = found.compared is not None and found.compared.differences
    against = refused(candidate.name, "adopted", "the two functions differ") if differs else None
    question = render.question(candidate.name, found.plan.wish.function, found.around) if found.plan.changes else None
    if (code := held_back(context, said, found.document, against, question)) is not None:
        return code
    return switch_over(context, found, now)


def examined(context: Context, said: Said, candidate: Candidate, table: TableFound, now: int) -> Adoption:
    """Look at everything and let both functions be asked; say what there is, and change nothing."""
    from iotauth_cli.operations.adoption import find, names, switch

    output, session = context.output, context.session
    around = find.around(session, candidate)
    output.say(*render.found(candidate, table, around))
    census = count(context, now, said.compared)
    output.say(*render.rows(census, table.name))
    is_switched = candidate.previous is not None
    compared = None if is_switched else compare(context, candidate.old_function, census, said, now)
    logins = (compared.let_in if compared else []) or admitted(context, census, now)
    if not is_switched:
        output.say(*timers(compared))
    settings = switch.settings_of(compared.usual_timers if compared else None)
    plan = switch.plan(session, replace(context.wish(), settings=settings), candidate.old_function)
    before, after = names.planned(settings_path(context), names_of(context), **flags(context))
    return Adoption(candidate, table.name, around, census, compared, logins, plan, before, after)


def timers(compared: Comparison | None) -> list[str]:
    """Return which timers ours gets, and why."""
    from iotauth_cli.operations.adoption.compare import OUR_TIMERS

    return [render.own_timers(OUR_TIMERS)] if compared is None else render.timers(compared.usual_timers, compared)


def switch_over(context: Context, found: Adoption, now: int) -> int:
    """Remember the way back, switch, let AWS IoT ask our function, and write the names into the settings."""
    from iotauth_cli.operations.adoption import memory, names, switch

    output, session, name = context.output, context.session, found.candidate.name
    wish, previous, path = found.plan.wish, found.candidate.old_function, settings_path(context)
    known = memory.recall(context.store, name)
    before = known.before if known else found.before
    memory.keep(context.store, memory.Memory(name, previous, wish.function, found.table, before, found.after))
    carry_out(output, switch.apply(session, found.plan, previous, found.logins, now), found.plan.steps)
    proof = switch.prove(session, wish, previous, found.logins)
    is_written = names.write(path, found.after)
    if is_written:
        output.say(f"wrote `{context.shown(path)}`")
    ready = f"authorizer `{name}` calls `{wish.function}`"
    text = ready if found.plan.changes or is_written else f"{ready} already; nothing was changed"
    document = {**found.document, "applied": True, "proof": proof.client_id}
    output.result(document, [render.proven(proof, name), text])
    output.say(*afterwards(context, found.census, found.logins))
    return 0


def afterwards(context: Context, census: Census, logins: list[Login]) -> list[str]:
    """Return what to do next, and what that means for the way back."""
    overriding = [
        f"`{source}` is set and beats iotauth.yaml"
        for source in dict.fromkeys(context.settings.sources[name] for name in ("authorizer", "table", "function"))
        if source.startswith("IOTAUTH_")
    ]
    one = quote(logins[0].client_id) if logins else "ID"
    back = context.command("init --rollback")
    lines = [*overriding, f"the way back, as long as passwords stay as they are: {back}"]
    if census.plain:
        lines.append(
            f"later: {context.command('client migrate')} hashes the passwords; the old function cannot read them then"
        )
    lines.append("the table is left as it is; `iotauth doctor` says what would protect it")
    return [*lines, f"next: {context.command(f'test-connect {one} --password-stdin')}"]


def rollback(context: Context, said: Said) -> int:
    """Let the authorizer call its old function again, and take away what was made beside it."""
    from iotauth_cli.operations.adoption import rollback as way_back

    output, session = context.output, context.session
    context.note(option="--rollback")
    adopted = way_back.find(session, context.store, said.authorizer, context.settings.authorizer)
    adopted = replace(adopted, table=said.table or adopted.table)
    name, previous = adopted.authorizer, render.short(adopted.previous)
    context = context.with_flags(authorizer=name, table=adopted.table or None, function=adopted.function or None)
    plan = way_back.plan(session, adopted, keep=said.keep)
    output.say(render.back(adopted, plan.was_switched))
    stranded, compared, logins = who_would_notice(context, plan, said)
    document = {
        "authorizer": name,
        "function": adopted.function,
        "previous_function": adopted.previous,
        "rows": render.stranded_document(stranded),
        "comparison": render.comparison_document(compared),
        "steps": render.steps_document(plan.steps),
    }
    note(context, document)
    output.say(*render.planned(plan.steps, where(context)))
    is_known = bool(adopted.table) or not plan.was_switched
    if not (is_known or said.dry_run):
        output.say(render.unknown_table(adopted))
    is_safe = is_known and stranded.is_safe and not (compared and compared.differences)
    against = None if is_safe else refused(name, "switched back", "devices would notice")
    question = f"let authorizer `{name}` call `{previous}` again?"
    if (code := held_back(context, said, document, against, question)) is not None:
        return code
    carry_out(output, way_back.apply(session, plan, logins), plan.steps)
    put_settings_back(context, name)
    output.result({**document, "applied": True}, f"authorizer `{name}` calls `{previous}` again")
    return 0


def who_would_notice(context: Context, plan: Back, said: Said) -> tuple[Stranded, Comparison | None, list[Login]]:
    """Count whom the old function would keep out and compare both; return logins to try, none if ours is unused."""
    from iotauth_cli.operations.adoption import rollback as way_back

    stranded, now = way_back.Stranded(), int(time.time())
    if not (plan.was_switched and plan.adopted.table):
        return stranded, None, []
    with context.output.progress("reading", unit="clients") as progress:
        for each in way_back.stranded(context.clients, stranded):
            progress.advance(each)
    context.output.say(*render.stranded(stranded, plan.adopted.previous))
    census = count(context, now, said.compared)
    compared = compare(context, plan.adopted.previous, census, said, now)
    return stranded, compared, (compared.let_in if compared else []) or admitted(context, census, now)


def put_settings_back(context: Context, authorizer: str) -> None:
    """Make iotauth.yaml what it was before the adoption, where that is known, and forget it."""
    from iotauth_cli.operations.adoption import memory, names

    known, path = memory.recall(context.store, authorizer), settings_path(context)
    shown = context.shown(path)
    if known is not None and names.put_back(path, known.before, known.after):
        context.output.say(f"`{shown}` is what it was")
    elif known is None:
        context.output.say(f"`{shown}` is left as it is: what stood there before is known where it was adopted")
    memory.forget(context.store, authorizer)


def held_back(
    context: Context, said: Said, document: Mapping[str, Any], against: str | None, question: str | None
) -> int | None:
    """Return the exit code where nothing is to be switched; None if it is.

    It is not in a dry run, nor where something is *against* it, except by force, nor after a no to the *question*.
    """
    output = context.output
    if said.dry_run:
        context.note_nothing()
        output.result({**document, "applied": False})
        return 0
    if against is not None and not said.force:
        output.result({**document, "applied": False}, against)
        return 1
    if question is not None and not output.confirm(question):
        output.say("nothing was changed")
        return 1
    return None


def refused(authorizer: str, done: str, because: str) -> str:
    return f"authorizer `{authorizer}` was not {done}: {because}; `--force` does it all the same"


def choose(context: Context, name: str | None) -> Candidate:
    """Return the authorizer that is meant: the named one, the only one, or the one that somebody chooses."""
    from iotauth_cli.operations.adoption import find

    session = context.session
    found = find.choose(list(find.candidates(session)), name, session.target.label)
    if len(found) == 1:
        return found[0]
    chosen = context.output.choose("which authorizer is to be adopted?", [render.candidate(each) for each in found])
    if chosen is None:
        raise InputError(
            f"{len(found)} authorizers call somebody else's function: {', '.join(map(render.candidate, found))}",
            hint=f"name one: {context.command(f'init --adopt {found[0].name}')}",
        )
    return found[chosen]


def choose_table(context: Context, candidate: Candidate, name: str | None) -> TableFound:
    """Return the table that is meant, as `choose`."""
    from iotauth_cli.operations.adoption import find

    session = context.session
    known = find.Tables() if name is not None else find.tables(session, candidate)
    found = find.choose_table(session, candidate, known, name)
    if len(found) == 1:
        return found[0]
    chosen = context.output.choose("which table does it read?", [f"`{each.name}`: {each.because}" for each in found])
    if chosen is None:
        words = f"init --adopt {candidate.name} --table {found[0].name}"
        raise InputError(
            f"function `{render.short(candidate.old_function)}` may read {len(found)} tables of clients: "
            f"{render.listed([each.name for each in found])}",
            hint=f"name the one that it reads: {context.command(words)}",
        )
    return found[chosen]


def count(context: Context, now: int, compared: int) -> Census:
    """Read every row of the table."""
    from iotauth_cli.operations.adoption.rows import Census, Count
    from iotauth_cli.operations.adoption.switch import TRIED

    census = Census()
    counting = Count(census, context.scope, now, max(compared, TRIED))
    with context.output.progress("reading", unit="clients") as progress:
        for each in counting.read(context.clients):
            progress.advance(each)
    return census


def compare(context: Context, old_function: str, census: Census, said: Said, now: int) -> Comparison | None:
    """Ask both functions about a sample of the logins, and say what came out; None where that is not wanted."""
    from iotauth_cli.operations.adoption import compare as comparing

    if not said.compared:
        why = "" if said.compare == 0 else f"; `--compare {COMPARED}` asks them, which calls the old function"
        context.output.say(f"the functions are not compared{why}")
        return None
    found = comparing.Comparison()
    logins = comparing.chosen(census, said.compared)
    old = comparing.Old.of(context.session, old_function, context.settings.authorizer)
    with context.output.progress("comparing", unit="logins", total=len(logins)) as progress:
        for each in comparing.compare(old, logins, context.scope, now, found):
            progress.advance(each)
    context.output.say(*render.comparison(found))
    return found


def admitted(context: Context, census: Census, now: int) -> list[Login]:
    from iotauth_cli.operations.adoption import compare as comparing

    return comparing.admitted(census, context.settings.authorizer, context.scope, now)


def names_of(context: Context) -> dict[str, str]:
    settings = context.settings
    return {"authorizer": settings.authorizer, "table": settings.table, "function": settings.function}


def settings_path(context: Context) -> Path:
    """Return the settings file that is in effect, or where a new one belongs."""
    from iotauth_cli.config import FILE_NAME

    named = context.flags.get("config") or context.environ.get("IOTAUTH_CONFIG")
    return context.cwd / named if named else context.settings.project_dir / FILE_NAME


def flags(context: Context) -> dict[str, Any]:
    """Return what a new settings file is written with."""
    given: Mapping[str, Any] = context.flags
    return {"emulator": bool(given.get("emulator")), "region": given.get("region"), "profile": given.get("profile")}


def note(context: Context, document: Mapping[str, Any]) -> None:
    """Tell the audit log what is about to be switched."""
    previous = render.short(str(document["previous_function"]))
    context.note(authorizer=document["authorizer"], function=document["function"], previous_function=previous)
