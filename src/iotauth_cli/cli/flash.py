"""`iotauth flash`."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple, TypeVar

import typer

from iotauth_cli.cli.boards import Pio, Project
from iotauth_cli.cli.context import Context
from iotauth_cli.errors import InputError
from iotauth_cli.secret import Secret

if TYPE_CHECKING:
    from iotauth_cli.operations.device_secrets import DeviceLogin
    from iotauth_cli.operations.flash import Bench, Seen, Wish

Answer = TypeVar("Answer")
Names = list[str] | None
WAIT_S = 60.0


def flash(
    ctx: typer.Context,
    clients: Annotated[Names, typer.Argument(metavar="[CLIENT]…", help="Else the only one with a credential.")] = None,
    board: Annotated[str | None, typer.Option(metavar="NAME", help="As `iotauth boards` lists it.")] = None,
    port: Annotated[Names, typer.Option(metavar="PORT", help="Where the board is; else the only likely one.")] = None,
    mode: Annotated[str, typer.Option(metavar="header|nvs", help="Into the program, or beside it.")] = "header",
    wifi_ssid: Annotated[str | None, typer.Option(metavar="NAME", help="The network that the device joins.")] = None,
    wifi_password_stdin: Annotated[
        bool, typer.Option("--wifi-password-stdin", help="Read the network's password from stdin.")
    ] = False,
    verify: Annotated[bool, typer.Option("--verify", help="Compare the flash with what was written.")] = False,
    wait: Annotated[bool, typer.Option("--wait", help="Wait until the device was let in.")] = False,
    monitor: Annotated[bool, typer.Option("--monitor", help="Then show and explain what it says.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say each step and do none.")] = False,
    new: Annotated[bool, typer.Option("--new", help="Add the client first.")] = False,
    topic: Annotated[Names, typer.Option(metavar="TOPIC", help="With --new: as for `client add`.")] = None,
    publish: Annotated[Names, typer.Option(metavar="FILTER", help="With --new: as for `client add`.")] = None,
    subscribe: Annotated[Names, typer.Option(metavar="FILTER", help="With --new: as for `client add`.")] = None,
    rotate: Annotated[bool, typer.Option("--rotate", help="Hand out a new secret first.")] = False,
    fleet: Annotated[Path | None, typer.Option(metavar="FILE", help="A CSV of clients, a board for each.")] = None,
    all_: Annotated[bool, typer.Option("--all", help="A board for every client with a credential.")] = False,
    again: Annotated[bool, typer.Option("--again", help="With several: boards that are done, too.")] = False,
    project: Project = None,
    pio: Pio = None,
) -> int:
    """Put a client's credential on a board, with a proof that it is this one and no other.

    With several clients, board after board gets the next one.

    Example: iotauth flash --board esp32 thermo-1 --wifi-ssid workshop --wifi-password-stdin
    """
    from iotauth_cli.operations.flash import Wish

    context = ctx.obj
    job = Job(
        context,
        Wish(board, project, pio, mode, verify),
        tuple(port or ()),
        Network(wifi_ssid, context.output.read_password() if wifi_password_stdin else None),
    )
    topics = Topics(tuple(topic or ()), tuple(publish or ()), tuple(subscribe or ()))
    if not (new or rotate):
        context.note_nothing()
    check(clients or [], topics, new=new, rotate=rotate, many=fleet is not None or all_)
    if fleet or all_ or len(clients or []) > 1:
        if monitor or wait or dry_run:
            raise InputError("`--monitor`, `--wait` and `--dry-run` are for one board", hint="name one client")
        return flash_many(job, clients or [], fleet, again=again)
    client_id = clients[0] if clients else None
    if dry_run:
        return plan(job, client_id)
    return flash_one(job, client_id, Before(topics if new else None, rotate), wait=wait, monitor=monitor)


class Network(NamedTuple):
    ssid: str | None
    password: Secret | None


class Topics(NamedTuple):
    topics: tuple[str, ...]
    publish: tuple[str, ...]
    subscribe: tuple[str, ...]


class Before(NamedTuple):
    """What happens to the client before its board: it is added with *topics*, or gets a new secret."""

    topics: Topics | None
    rotate: bool


class Job(NamedTuple):
    context: Context
    wish: Wish
    ports: tuple[str, ...]
    network: Network


def check(clients: list[str], topics: Topics, *, new: bool, rotate: bool, many: bool) -> None:
    """Refuse what cannot be meant."""
    if new and rotate:
        raise InputError("a client cannot be new and get a new secret", hint="give `--new` or `--rotate`")
    if new and len(clients) != 1:
        raise InputError("`--new` adds one client", hint="name it: `iotauth flash thermo-1 --new --topic a/b`")
    if any(topics) and not new:
        raise InputError("`--topic`, `--publish` and `--subscribe` are for a new client", hint="add `--new`")
    if rotate and (many or len(clients) > 1):
        raise InputError("`--rotate` is for one client", hint="rotate many with `iotauth client rotate --all`")
    if many and clients:
        raise InputError("clients are named, and a list of them too", hint="give one of them")


@contextlib.contextmanager
def opened(job: Job) -> Iterator[Bench]:
    """Prepare the bench, for firmware that will find a network."""
    from iotauth_cli.operations import flash as operation

    with operation.opened(job.context.store, job.wish) as bench:
        if job.wish.project is None and job.network.ssid is None:
            raise InputError(
                "the firmware would know no Wi-Fi network", hint="name it: `--wifi-ssid NAME --wifi-password-stdin`"
            )
        yield bench


def flash_one(job: Job, client_id: str | None, before: Before, *, wait: bool, monitor: bool) -> int:
    """Flash one board; return the exit code: 1 if it was waited for the device and it was not let in."""
    from iotauth_cli.cli import render_flash as render
    from iotauth_cli.operations import flash as operation

    context, store = job.context, job.context.store
    with opened(job) as bench:
        port = chosen_port(job, bench)
        chip = bench.probe(port)
        close = prepare(context, client_id, before)
        bench = operation.on_store(bench, store)
        login = login_for(job, client_id)
        written = told(context, bench.flash(login, port, chip))
        close()
        clock = bench.clock
    since_ms = int((time.time() - 1) * 1000)
    seen = waited(context, login, since_ms) if wait else None
    context.output.result(render.written_document(written, seen, clock), render.written(written, seen))
    if monitor:
        listen(context, port, login, bench.board.monitor_speed)
    elif seen is None:
        context.output.say(*render.after_flashing(written, context.command))
    return 0 if seen is None or seen.was_let_in else 1


def prepare(context: Context, client_id: str | None, before: Before) -> Callable[[], None]:
    """Add the client, or hand out a new secret for it; both end in the private store and nowhere else.

    What is returned closes that when the board has the secret: until then the same command gives the same one again.
    """
    if before.topics is not None and client_id is not None:
        from iotauth_cli.cli.keys import passphrase_file
        from iotauth_cli.operations import clients, keys

        authorizer = context.settings.authorizer
        token = keys.for_clients(context.store, authorizer, None, passphrase_file(context))
        wish = clients.NewClient(client_id, authorizer, *before.topics, token=token)
        clients.add(context.clients, context.store, wish, partition=context.partition, now=int(time.time()))
        context.note(client=client_id, slot="A")
        context.output.say(
            f"added client `{client_id}` to table `{context.settings.table}`; to flash it again leave out `--new`"
        )
    elif before.rotate:
        from iotauth_cli.operations import client_rotation, device_secrets

        name = device_secrets.kept_credential(context.store, client_id).client_id
        wanted = client_rotation.RotationWish(name, context.settings.authorizer)
        rotated = client_rotation.rotate(context.clients, context.store, wanted, now=int(time.time()))
        context.note(client=name, slot=rotated.slot)
        context.output.say(f"handed out a new secret for client `{name}`; the old one goes on counting")
        return lambda: client_rotation.handed_out(context.store, rotated)
    return lambda: None


def login_for(job: Job, client_id: str | None) -> DeviceLogin:
    from iotauth_cli.operations import device_secrets

    context = job.context
    return device_secrets.login_for(
        context.session, context.store, client_id, wifi_ssid=job.network.ssid, wifi_password=job.network.password
    )


def chosen_port(job: Job, bench: Bench) -> str:
    """Return where the board is: the port that was named, the only one, or the one that somebody chooses."""
    from iotauth_cli.operations import flash as operation

    found = operation.candidates(bench, job.ports)
    if len(found) > 1 and not job.ports:
        chosen = job.context.output.choose("which board?", [f"{port.port}  {port.adapter or ''}" for port in found])
        found = found if chosen is None else found[chosen : chosen + 1]
    return operation.port_of(found)


def plan(job: Job, client_id: str | None) -> int:
    from iotauth_cli.operations import device_secrets
    from iotauth_cli.operations import flash as operation

    name = client_id or device_secrets.kept_credential(job.context.store, None).client_id
    with opened(job) as bench:
        is_there = bool(operation.candidates(bench, job.ports))
        port = chosen_port(job, bench) if is_there else "PORT"
        steps = operation.steps(bench, name, port)
    document = {"client": name, "board": bench.board.name, "port": port, "mode": bench.mode, "steps": steps}
    job.context.output.result(document, [f"{number}. {step}" for number, step in enumerate(steps, 1)])
    job.context.output.say(
        "nothing was done" + ("" if is_there else "; no board is plugged in, PORT stands for its port")
    )
    return 0


def flash_many(job: Job, clients: list[str], fleet: Path | None, *, again: bool) -> int:
    """Flash board after board; return 1 if a client has none in the end, 3 if a board failed."""
    from iotauth_cli.cli import render_flash as render
    from iotauth_cli.operations import flash as operation

    context, store = job.context, job.context.store
    listed = [operation.Wanted(name) for name in clients or [kept.client_id for kept in store.list()]]
    wish = operation.read_list(fleet) if fleet else tuple(listed)
    for each in wish:
        login_for(job, each.client_id)
    with opened(job) as bench:
        row = operation.Row(
            bench=bench,
            wish=wish,
            journal=operation.journal_of(store),
            candidates=lambda: [port.port for port in operation.candidates(bench, job.ports)],
            login=lambda name: login_for(job, name),
            may_wait=context.output.may_wait,
            again=again,
        )
        ended = told(context, row.run())
    context.output.result(render.fleet_document(ended), render.fleet(ended))
    context.output.say(*render.after_fleet(ended))
    return 3 if ended.failed else 1 if ended.left else 0


def waited(context: Context, login: DeviceLogin, since_ms: int) -> Seen:
    from iotauth_cli.operations.flash import wait

    return told(context, wait(context.session, context.settings.function, login.client_id, since_ms, WAIT_S))


def told(context: Context, events: Generator[Any, None, Answer]) -> Answer:
    """Say what happens as it happens; return what came out. Whatever ends us, *events* clear up first."""
    from iotauth_cli.cli import render_flash as render

    output = context.output
    with contextlib.closing(events):
        while True:
            try:
                event = next(events)
            except StopIteration as ended:
                output.waiting()
                found: Answer = ended.value
                return found
            passing = render.passing(event)
            output.waiting(passing or "")
            if passing is None:
                output.say(*render.event(event))


def listen(context: Context, port: str, login: DeviceLogin, speed: int) -> None:
    """Show what the board says, and what it means, until Ctrl-C."""
    from iotauth_cli.operations.flash.listening import listen as words

    context.output.say(f"listening to `{port}`; Ctrl-C ends it")
    with contextlib.suppress(KeyboardInterrupt), contextlib.closing(words(port, login, speed)) as said:
        for line in said:
            context.output.stream({"line": line.text, "meaning": line.meaning}, line.text)
            if line.meaning:
                context.output.say(f"  ^ {line.meaning}")
