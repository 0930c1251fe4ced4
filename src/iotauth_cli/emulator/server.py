"""The emulator as a process: one event loop, two ports on loopback, and two more on demand.

    control port   HTTP   ControlPlane: AWS's APIs and the emulator's own, over one SQLite file
    data port      TLS    Listener → Gateway → FunctionPool (the uploaded code) → Broker
    MQTT port      TLS    the same Listener, for client certificates; on demand
    proxy port     HTTP   Proxy: AWS's own host name and port 443 lead to the data port; on demand

The ready file is written when both accept and is the first thing to go. A process that is killed
leaves it behind, and the state as it was: SQLite's log takes it up again at the next start.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import re
import signal
import socket
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

from iotauth_cli import __version__, files
from iotauth_cli.emulator import environment, flips, lifecycle, lock, ports
from iotauth_cli.emulator.assembly import Rooms, Site, assemble
from iotauth_cli.emulator.control.router import ControlPlane
from iotauth_cli.emulator.environment import Endpoint, ProxyEndpoint, Ready
from iotauth_cli.emulator.flips import Flips
from iotauth_cli.emulator.http import HttpProtocol
from iotauth_cli.emulator.listener import Listener
from iotauth_cli.emulator.model import ACCOUNT, DEFAULT_REGION
from iotauth_cli.emulator.proxy import Proxy
from iotauth_cli.errors import InputError

DATA_PORT = 8443
CONTROL_PORT = 4588
HTTPS_PORT = 443  # where AWS IoT has custom authentication, and the proxy what leads to the data port
MAX_PORT = 65_535
REGION = re.compile(r"[a-z0-9-]{1,63}")  # it becomes a label of the endpoint's name

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Settings:
    """*port* is the data port, and *mqtt_port*, if there is one, that for client certificates, AWS IoT's 8883.

    Without a *proxy_port* there is no proxy. Port 0 lets the system choose. *flips* are laid over those of
    earlier starts.
    """

    state_dir: Path
    port: int
    control_port: int
    region: str
    flips: Flips
    proxy_port: int | None
    mqtt_port: int | None


def settings(
    state_dir: Path,
    port: int | None = None,
    control_port: int | None = None,
    region: str | None = None,
    behaviour: Sequence[str] = (),
    proxy_port: int | None = None,
    mqtt_port: int | None = None,
) -> Settings:
    """Return settings in which None stands for the default; *behaviour* holds flips, as ``key=value``.

    Raises:
        InputError: a port, the region or a flip cannot be one.
    """
    for number in (port, control_port, proxy_port, mqtt_port):
        if number is not None and not 0 <= number <= MAX_PORT:
            raise InputError(f"port {number} is not between 0 and {MAX_PORT}")
    if region and not REGION.fullmatch(region):
        raise InputError(f"`{region}` is not the name of a region")
    return Settings(
        state_dir=state_dir,
        port=DATA_PORT if port is None else port,
        control_port=CONTROL_PORT if control_port is None else control_port,
        region=region or DEFAULT_REGION,
        flips=flips.parse(behaviour),
        proxy_port=proxy_port,
        mqtt_port=mqtt_port,
    )


def run(settings: Settings, *, log: int) -> Iterator[Ready]:
    """Run the emulator: yield once when it is ready, end when SIGTERM or Ctrl-C has ended it.

    *log* is the file descriptor of its log; the state directory exists.

    Raises:
        EmulatorError: it cannot start, and why.
    """
    _log_to(log)
    with lock.hold(settings.state_dir), contextlib.closing(asyncio.new_event_loop()) as loop:
        files.remove(settings.state_dir / environment.FILE_NAME)  # a killed emulator's
        asyncio.set_event_loop(loop)
        stack = AsyncExitStack()
        try:
            stopped = _stopped_by_signal(loop)
            yield loop.run_until_complete(_open(settings, stack))
            loop.run_until_complete(stopped.wait())
        finally:
            loop.run_until_complete(stack.aclose())
            _finish(loop)
            asyncio.set_event_loop(None)


async def _open(settings: Settings, stack: AsyncExitStack) -> Ready:
    """Bring everything up; *stack* takes it down again, the other way round."""
    control_sockets = _bind_control_port(settings, stack)
    control_endpoint = f"http://127.0.0.1:{control_sockets[0].getsockname()[1]}"
    state = lifecycle.open_state(settings.state_dir)
    stack.callback(state.close)
    flipped = flips.keep(state, settings.flips)
    rooms = assemble(
        Site(state, settings.region, control_endpoint, has_proxy=settings.proxy_port is not None),
        flips.laid_over_defaults(flipped),
        stack,
    )
    with ports.explained(settings.port, "--port"):
        await rooms.listener.start(settings.port)
    stack.push_async_callback(rooms.listener.stop)
    mqtt_port = await _open_mqtt_port(settings, rooms.listener)
    await _serve(rooms.control_plane, control_sockets, stack)
    ready = Ready(
        pid=os.getpid(),
        region=settings.region,
        account=ACCOUNT,
        control_endpoint=control_endpoint,
        data_endpoint=Endpoint("localhost", rooms.listener.port),
        ca_file=rooms.identity.certificates.ca_file,
        state_dir=settings.state_dir,
        started_at=int(time.time()),
        behaviour=flipped,
        proxy=await _open_proxy(settings, rooms, stack),
        mqtt_port=mqtt_port,
        version=__version__,
    )
    stack.callback(files.remove, environment.write(ready))
    log.info("ready: control port at %s, data port %d", control_endpoint, rooms.listener.port)
    return ready


async def _open_mqtt_port(settings: Settings, listener: Listener) -> int | None:
    """Listen on the port for client certificates, if it was asked for, and return its number."""
    if settings.mqtt_port is None:
        return None
    with ports.explained(settings.mqtt_port, "--mqtt-port"):
        return await listener.start_mqtt(settings.mqtt_port)


async def _open_proxy(settings: Settings, rooms: Rooms, stack: AsyncExitStack) -> ProxyEndpoint | None:
    """Start the proxy that was asked for, and return where it is."""
    if settings.proxy_port is None:
        return None
    proxy = Proxy(rooms.listener.serves, {HTTPS_PORT: rooms.listener.port}, rooms.attempts)
    with ports.explained(settings.proxy_port, "--proxy-port"):
        await proxy.start(settings.proxy_port)
    stack.push_async_callback(proxy.stop)
    return ProxyEndpoint("127.0.0.1", proxy.port, rooms.identity.aws_names[-1])


def _bind_control_port(settings: Settings, stack: AsyncExitStack) -> list[socket.socket]:
    with ports.explained(settings.control_port, "--control-port"):
        sockets = ports.bind(settings.control_port)
    for each in sockets:
        stack.callback(each.close)
    if len(sockets) == 1:
        log.info("this machine has no IPv6: only 127.0.0.1 is served")
    return sockets


async def _serve(control_plane: ControlPlane, sockets: Sequence[socket.socket], stack: AsyncExitStack) -> None:
    """Let *control_plane* answer on *sockets*, until *stack* closes them and every connection."""
    connections: set[HttpProtocol] = set()
    loop = asyncio.get_running_loop()
    for listening in sockets:
        server = await loop.create_server(
            lambda: HttpProtocol(control_plane.handle, open_connections=connections), sock=listening
        )
        stack.callback(server.close)
    stack.callback(_close_all, connections)


def _close_all(connections: Iterable[HttpProtocol]) -> None:
    for connection in list(connections):
        connection.close()


def _stopped_by_signal(loop: asyncio.AbstractEventLoop) -> asyncio.Event:
    """Return an event that the first SIGTERM or Ctrl-C sets."""
    stopped = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        with contextlib.suppress(NotImplementedError):  # Windows; there the process is simply ended
            loop.add_signal_handler(number, stopped.set)
    return stopped


def _finish(loop: asyncio.AbstractEventLoop) -> None:
    """Cancel what still runs, as asyncio.run does: answers to clients that nobody waits for any more."""
    tasks = asyncio.all_tasks(loop)
    for task in tasks:
        task.cancel()
    loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))
    loop.run_until_complete(loop.shutdown_asyncgens())


def _log_to(descriptor: int) -> None:
    stream = open(descriptor, "a", encoding="utf-8", closefd=False)  # noqa: SIM115 (as long as the process)
    handler = logging.StreamHandler(stream)
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)
