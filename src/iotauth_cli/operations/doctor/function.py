"""The function that decides: its state, its code, how it runs, and where it logs."""

from __future__ import annotations

import contextlib
from shlex import quote

from iotauth_cli import bundle
from iotauth_cli.aws import lambda_, logs, surroundings
from iotauth_cli.errors import AccessDenied
from iotauth_cli.operations.doctor.authorizer import bring, create
from iotauth_cli.operations.doctor.finding import Finding, Outcome, Repair, counted
from iotauth_cli.operations.doctor.scene import Scene
from iotauth_cli.operations.installation.function import (
    HANDLER,
    MEMORY_MB,
    RUNTIME,
    TABLE_VARIABLE,
    TIMEOUT_S,
    Function,
    table_read_by,
)
from iotauth_cli.operations.installation.storage import RETENTION_DAYS, LogGroup

MOST_CALLS = 100  # at once; new accounts have as few as 10


def state(scene: Scene) -> Outcome:
    arn = scene.function_arn()
    found = lambda_.find(scene.session, arn.name)
    if found is None:
        return Finding("error", scene.absent(f"there is no function `{arn.name}`"), create(scene))
    if not found.is_ready:
        fix = scene.aws(f"lambda get-function-configuration --function-name {found.name}")
        return Finding("error", f"function `{found.name}` is not ready: it is being changed, or a change failed", fix)
    if isinstance(scene.own_function(), lambda_.Function):
        with contextlib.suppress(AccessDenied):  # who may not see roles hears of it from devices
            orphaned = Function(scene.session, scene.wish()).orphaned(found)
            if orphaned:
                return Finding("error", f"function `{found.name}` fails before it runs: {orphaned}", create(scene))
    return f"`{found.name}` is ready"


def code(scene: Scene) -> Outcome:
    """Whether older or newer than this version cannot be told, so it is only named."""
    found = scene.own_function()
    if isinstance(found, str):
        return found
    if found.configuration.handler != HANDLER:
        sentence = f"function `{found.name}` runs `{found.configuration.handler}`, which is not in iotauth's code"
        return Finding("error", sentence, create(scene))
    stack = scene.stack()
    if stack is not None:  # whoever packaged it made another zip of the same files
        return f"as stack `{stack}` has it"
    if found.code_sha256 == bundle.code_sha256(bundle.authorizer_zip()):
        return f"of iotauth {scene.machine.version}"
    sentence = f"the code of function `{found.name}` is not that of iotauth {scene.machine.version}"
    return Finding("warning", sentence, create(scene))


def runtime(scene: Scene) -> Outcome:
    found = scene.own_function()
    if isinstance(found, str):
        return found
    ours = found.configuration.runtime
    if ours == RUNTIME:
        return f"`{ours}`, {found.architecture}"
    sentence = f"function `{found.name}` runs on `{ours}`, not on `{RUNTIME}`"
    return Finding("warning", sentence, create(scene), settled(scene, found))


def timeout(scene: Scene) -> Outcome:
    """AWS IoT waits five seconds; a function that takes longer is paid for and not heard."""
    found = scene.function()
    limit_s = found.configuration.timeout_s
    if limit_s == TIMEOUT_S or (limit_s < TIMEOUT_S and not isinstance(scene.own_function(), lambda_.Function)):
        return f"{limit_s} s"
    why = f"AWS IoT waits {TIMEOUT_S} s" if limit_s > TIMEOUT_S else "a cold start may take longer"
    sentence = f"function `{found.name}` may run for {limit_s} s, and {why}"
    return Finding("warning", sentence, create(scene), settled(scene, found))


def memory(scene: Scene) -> Outcome:
    """CPU comes with memory: with too little, cold starts are slow. It may be meant, so it is only named."""
    found = scene.own_function()
    if isinstance(found, str):
        return found
    size = found.configuration.memory_mb
    if size >= MEMORY_MB:
        return f"{size} MB"
    sentence = f"function `{found.name}` has {size} MB of memory, and {MEMORY_MB} MB let it start in half the time"
    return Finding("note", sentence, f"{create(scene)} --memory {MEMORY_MB}")


def environment(scene: Scene) -> Outcome:
    """The function reads one table, the commands write another: then every client is unknown."""
    found = scene.own_function()
    if isinstance(found, str):
        return found
    ours, theirs = scene.premises.wish.table, table_read_by(found)
    if theirs == ours:
        return f"it reads table `{ours}`"
    reads = f"reads table `{theirs}`" if theirs else "is told of no table"
    sentence = f"function `{found.name}` {reads}, and the settings name `{ours}`"
    return Finding("error", sentence, f"iotauth config show, then {create(scene)}")


def settled(scene: Scene, found: lambda_.Function) -> Repair | None:
    """Return the repair of how a function runs, where that changes neither its code nor whose rows it reads."""
    part = Function(scene.session, scene.wish())
    wanted = part.wanted
    is_same = (
        found.code_sha256 == bundle.code_sha256(part.code)
        and found.configuration.role == wanted.role
        and found.configuration.handler == wanted.handler
        and table_read_by(found) == wanted.environment[TABLE_VARIABLE]
    )
    if not is_same or part.is_foreign(found) or scene.wish().function_arn is not None:
        return None
    if part.orphaned(found):  # which would delete it and make it anew
        return None
    return bring(part, "update", f"run function `{found.name}` as `authorizer create` makes it")


def log_group(scene: Scene) -> Outcome:
    """How long logs are kept is a matter of choice, and shortening it deletes the older ones: it is only named."""
    name = logs.group_of(scene.function_arn().name)
    found = logs.find(scene.session, name)
    if found is None:
        sentence = scene.absent(
            f"there is no log group `{name}`, so nobody can see why the function decides as it does"
        )
        is_ours = scene.wish().function_arn is None
        part = LogGroup(scene.session, scene.wish())
        repair = bring(part, "create", f"make log group `{name}`") if is_ours else None
        return Finding("warning", sentence, create(scene), repair)
    if found.retention_days is None:
        sentence = f"log group `{name}` keeps every line forever, and each is paid for"
        return Finding("warning", sentence, keep_logs(scene, name))
    if found.retention_days < RETENTION_DAYS:
        sentence = f"log group `{name}` keeps lines for {counted(found.retention_days, 'day')} only"
        return Finding("note", sentence, keep_logs(scene, name))
    return f"`{name}`, kept for {found.retention_days} days"


def keep_logs(scene: Scene, name: str) -> str:
    """Return the command that keeps the lines of group *name* as long as those of a new one."""
    if scene.wish().function_arn is None:
        return f"{create(scene)} --retention {RETENTION_DAYS}"
    return scene.aws(f"logs put-retention-policy --log-group-name {quote(name)} --retention-in-days {RETENTION_DAYS}")


def reserved(scene: Scene) -> Outcome:
    """Calls that are kept for a function are also the most it gets; none at all turns it off."""
    found = scene.function()
    number = surroundings.reserved_executions(scene.session, found.name)
    if number is None:
        return "none are reserved, and none refused"
    fix = scene.aws(f"lambda delete-function-concurrency --function-name {found.name}")
    if number == 0:
        return Finding("error", f"function `{found.name}` is turned off: no call of it may run", fix)
    return f"{number} calls at once are kept for it"


def concurrency(scene: Scene) -> Outcome:
    """A fleet that comes back after an outage calls the function as often at once as it has devices."""
    number = surroundings.concurrent_executions(scene.session)
    if number >= MOST_CALLS:
        return f"{number} calls at once"
    sentence = f"no more than {number} function calls may run at once in this account, and each connect is one"
    return Finding("note", sentence, "ask AWS for more: quota L-B99A9384 of Lambda, in Service Quotas")
