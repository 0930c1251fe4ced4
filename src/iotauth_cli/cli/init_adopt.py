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
    from iotauth_cli.operations.adoption.find import Candidate, TableFound
    from iotauth_cli.operations.adoption.rows import Census, Login

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


def adopt(context: Context, said: Said) -> int:
    """Find what is to be adopted, show what both functions do, and switch."""
    from iotauth_cli.operations.adoption import compare as comparing
    from iotauth_cli.operations.adoption import find, memory, names, switch

    output, session, now = context.output, context.session, int(time.time())
    context.note(option="--adopt")
    candidate = choose(context, said.authorizer)
    find.check(candidate)
    table = choose_table(context, candidate, said.table)
    function = said.function or (candidate.function and candidate.previous and candidate.function.name)
    context = context.with_flags(authorizer=candidate.name, table=table.name, function=function or None)
    around = find.around(session, candidate)
    output.say(*render.found(candidate, table, around))
    census = count(context, now, said.compared)
    output.say(*render.rows(census, table.name))
    is_switched = candidate.previous is not None
    compared = None if is_switched else compare(context, candidate.old_function, census, said, now)
    logins = (compared.let_in if compared else []) or admitted(context, census, now)
    timers = compared.usual_timers if compared else None
    if compared is not None:
        output.say(*render.timers(timers, compared))
    elif not is_switched:
        output.say(render.own_timers(comparing.OUR_TIMERS))
    wish = replace(context.wish(), settings=switch.settings_of(timers))
    plan = switch.plan(session, wish, candidate.old_function)
    path = settings_path(context)
    before, after = names.planned(path, names_of(context), **flags(context))
    document = {
        "authorizer": candidate.name,
        "table": table.name,
        "function": wish.function,
        "previous_function": candidate.old_function,
        "rows": render.rows_document(census),
        "comparison": render.comparison_document(compared),
        "steps": render.steps_document(plan.steps),
    }
    note(context, document)
    output.say(*render.planned(plan.steps, where(context)))
    if before != after:
        output.say(f"  write the three names into `{context.shown(path)}`")
    if said.dry_run:
        context.note_nothing()
        output.result({**document, "applied": False})
        return 0
    if compared is not None and compared.differences and not said.force:
        output.result({**document, "applied": False}, refused(candidate.name, "adopted", "the two functions differ"))
        return 1
    if plan.changes and not output.confirm(render.question(candidate.name, wish.function, around)):
        output.say("nothing was changed")
        return 1
    known = memory.recall(context.store, candidate.name)
    before = known.before if known else before
    memory.keep(
        context.store,
        memory.Memory(candidate.name, candidate.old_function, wish.function, table.name, before, after),
    )
    carry_out(output, switch.apply(session, plan, candidate.old_function, logins, now), plan.steps)
    proof = switch.prove(session, wish, candidate.old_function, logins)
    is_written = names.write(path, after)
    if is_written:
        output.say(f"wrote `{context.shown(path)}`")
    ready = f"authorizer `{candidate.name}` calls `{wish.function}`"
    text = ready if plan.changes or is_written else f"{ready} already; nothing was changed"
    output.result({**document, "applied": True, "proof": proof.client_id}, [render.proven(proof, candidate.name), text])
    output.say(*afterwards(context, census, logins))
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
    from iotauth_cli.operations.adoption import memory, names
    from iotauth_cli.operations.adoption import rollback as way_back

    output, session, now = context.output, context.session, int(time.time())
    context.note(option="--rollback")
    adopted = way_back.find(session, context.store, said.authorizer, context.settings.authorizer)
    adopted = replace(adopted, table=said.table or adopted.table)
    context = context.with_flags(
        authorizer=adopted.authorizer, table=adopted.table or None, function=adopted.function or None
    )
    plan = way_back.plan(session, adopted, keep=said.keep)
    output.say(render.back(adopted, plan.was_switched))
    stranded, compared, logins = way_back.Stranded(), None, []
    if plan.was_switched and adopted.table:
        with output.progress("reading", unit="clients") as progress:
            for each in way_back.stranded(context.clients, stranded):
                progress.advance(each)
        output.say(*render.stranded(stranded, adopted.previous))
        census = count(context, now, said.compared)
        compared = compare(context, adopted.previous, census, said, now)
        logins = (compared.let_in if compared else []) or admitted(context, census, now)
    document = {
        "authorizer": adopted.authorizer,
        "function": adopted.function,
        "previous_function": adopted.previous,
        "rows": render.stranded_document(stranded),
        "comparison": render.comparison_document(compared),
        "steps": render.steps_document(plan.steps),
    }
    note(context, document)
    output.say(*render.planned(plan.steps, where(context)))
    if said.dry_run:
        context.note_nothing()
        output.result({**document, "applied": False})
        return 0
    is_known = bool(adopted.table) or not plan.was_switched
    if not is_known:
        output.say(render.unknown_table(adopted))
    is_safe = is_known and stranded.is_safe and not (compared and compared.differences)
    if not is_safe and not said.force:
        output.result(
            {**document, "applied": False}, refused(adopted.authorizer, "switched back", "devices would notice")
        )
        return 1
    if not output.confirm(f"let authorizer `{adopted.authorizer}` call `{render.short(adopted.previous)}` again?"):
        output.say("nothing was changed")
        return 1
    carry_out(output, way_back.apply(session, plan, logins), plan.steps)
    known = memory.recall(context.store, adopted.authorizer)
    path = settings_path(context)
    if known is not None and names.put_back(path, known.before, known.after):
        output.say(f"`{context.shown(path)}` is what it was")
    elif known is None:
        output.say(f"`{context.shown(path)}` is left as it is: what stood there before is known where it was adopted")
    memory.forget(context.store, adopted.authorizer)
    text = f"authorizer `{adopted.authorizer}` calls `{render.short(adopted.previous)}` again"
    output.result({**document, "applied": True}, text)
    return 0


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
