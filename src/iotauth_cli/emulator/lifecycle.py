"""Start, stop and look at the emulator from another process.

What runs is told by the lock of the state directory, which ends with the process that holds it; where it
runs, by the ready file, which only the holder of the lock writes. Together they are why `stop` never
signals a process that is not the emulator, whatever a crash has left behind.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from iotauth_cli import files
from iotauth_cli.emulator import environment, lock
from iotauth_cli.emulator.environment import Endpoint, ProxyEndpoint, Ready
from iotauth_cli.errors import EmulatorError, InputError, IotauthError

if TYPE_CHECKING:
    from iotauth_cli.emulator.attempts import Attempt
    from iotauth_cli.emulator.behaviour import Behaviour, Value
    from iotauth_cli.emulator.state import State

LOG_FILE = "emulator.log"
MAX_LOG_BYTES = 5_000_000  # a longer log is begun anew at the next start
STOP_LIMIT_S = 5.0  # for an orderly end; then it is killed
POLL_S = 0.01
STOP_FIRST = "stop it first with `iotauth emulator stop`"
MADE_FILES = (
    *("state.sqlite", "state.sqlite-wal", "state.sqlite-shm"),
    *("ca.pem", "ca-key.pem", "server.pem", "server-key.pem"),
    *(environment.FILE_NAME, LOG_FILE, lock.FILE_NAME),
)
MADE_DIRECTORIES = ("code",)


@dataclass(frozen=True)
class Status:
    """What is known about the emulator of a state directory; all behind *stale* only when it is ready.

    *stale*: it was killed and has left its ready file, which the next start or stop clears away.
    """

    ready: bool
    state_dir: Path
    stale: bool = False
    pid: int | None = None
    control_endpoint: str | None = None
    data_endpoint: Endpoint | None = None
    ca_file: Path | None = None
    behaviour: Mapping[str, Value] = field(default_factory=dict, hash=False)
    proxy: ProxyEndpoint | None = None
    mqtt_port: int | None = None


def start(
    state_dir: Path,
    *,
    port: int | None = None,
    control_port: int | None = None,
    region: str | None = None,
    proxy_port: int | None = None,
    mqtt_port: int | None = None,
    behaviour: Sequence[str] = (),
    wait_s: float = 10.0,
) -> Ready:
    """Start the emulator in the background and return when its ports accept.

    None stands for the default, which is none for *proxy_port* and *mqtt_port*, the port for client
    certificates; of port 0 the system makes a free one. *behaviour* holds flips, as
    ``key=value``. An emulator that already runs is left as it is and returned.

    Raises:
        EmulatorError: it could not start, with the reason it gave; or it runs otherwise than wanted.
        InputError: the state directory cannot be written, or a flip cannot be one.
    """
    state_dir = state_dir.absolute()
    running = _running(state_dir)
    ports = {"--port": port, "--control-port": control_port, "--proxy-port": proxy_port, "--mqtt-port": mqtt_port}
    if running is not None:
        return _as_wanted(running, ports, region, behaviour)
    options = {**ports, "--region": region}
    arguments = [f"{name}={value}" for name, value in options.items() if value is not None]
    report = _launch(state_dir, [*arguments, *(f"--behaviour={flip}" for flip in behaviour)], wait_s)
    if "ready" in report:
        return environment.parse(report)
    running = _running(state_dir)
    if running is not None:  # somebody else was faster
        return _as_wanted(running, ports, region, behaviour)
    raise _error(report, state_dir)


def foreground(
    state_dir: Path,
    *,
    port: int | None = None,
    control_port: int | None = None,
    region: str | None = None,
    proxy_port: int | None = None,
    mqtt_port: int | None = None,
    behaviour: Sequence[str] = (),
) -> Iterator[Ready]:
    """Run the emulator in this process: yield once when it is ready, end when Ctrl-C or SIGTERM ends it.

    Its log goes to the same file as that of an emulator in the background.

    Raises:
        EmulatorError, InputError: as `start`, and when it already runs.
    """
    from iotauth_cli.emulator import server

    settings = server.settings(state_dir.absolute(), port, control_port, region, behaviour, proxy_port, mqtt_port)
    log = _open_log(settings.state_dir)
    try:
        yield from server.run(settings, log=log)
    finally:
        os.close(log)


def stop(state_dir: Path) -> bool:
    """End the emulator of *state_dir* and wait until it is gone; tell whether one was running.

    Raises:
        EmulatorError: it does not end.
    """
    ready = _running(state_dir)
    log_hint = f"read `{state_dir / LOG_FILE}`"
    if ready is None and lock.is_held(state_dir):
        raise EmulatorError(f"an emulator on `{state_dir}` is starting and does not become ready", log_hint)
    if ready is None:
        files.remove(state_dir / environment.FILE_NAME)
        return False
    for number in (signal.SIGTERM, getattr(signal, "SIGKILL", signal.SIGTERM)):
        _signal(ready.pid, number)
        if _wait(lambda: not lock.is_held(state_dir), STOP_LIMIT_S):
            files.remove(state_dir / environment.FILE_NAME)
            return True
    raise EmulatorError(f"the emulator, process {ready.pid}, does not end", log_hint)


def status(state_dir: Path) -> Status:
    """Say whether an emulator runs on *state_dir*, and where."""
    ready = environment.read(state_dir)
    if ready is None or not lock.is_held(state_dir):
        return Status(ready=False, state_dir=state_dir.absolute(), stale=ready is not None)
    return Status(
        ready=True,
        state_dir=ready.state_dir,
        pid=ready.pid,
        control_endpoint=ready.control_endpoint,
        data_endpoint=ready.data_endpoint,
        ca_file=ready.ca_file,
        behaviour=ready.behaviour,
        proxy=ready.proxy,
        mqtt_port=ready.mqtt_port,
    )


def reset(state_dir: Path) -> list[Path]:
    """Remove what the emulator has made in *state_dir*, CA and log included, and return what was removed.

    Other files stay, and so does the directory while it holds any.

    Raises:
        EmulatorError: an emulator is running there.
        InputError: something cannot be removed.
    """
    if lock.is_held(state_dir):
        raise EmulatorError(f"the emulator is running on `{state_dir}`", "stop it with `iotauth emulator stop`")
    removed = [path for name in MADE_FILES if files.remove(path := state_dir / name)]
    for directory in [path for name in MADE_DIRECTORIES if (path := state_dir / name).is_dir()]:
        try:
            shutil.rmtree(directory)
        except OSError as error:
            raise files.cannot("remove", directory, error) from error
        removed.append(directory)
    if removed and not any(state_dir.iterdir()):
        state_dir.rmdir()
    return removed


def attempts(
    state_dir: Path, *, limit: int = 100, since: float | None = None, client_id: str | None = None
) -> list[Attempt]:
    """Return the last entries of the authorizer log, oldest first, whether the emulator runs or not.

    *since* is the emulator's time, in epoch seconds.

    Raises:
        EmulatorError, InputError: as `open_state`.
    """
    from iotauth_cli.emulator.attempts import AttemptLog
    from iotauth_cli.emulator.state import FILE_NAME

    if not (state_dir / FILE_NAME).exists():
        return []
    with contextlib.closing(open_state(state_dir)) as state:
        return AttemptLog(state).recent(limit, since=since, client_id=client_id)


def behaviour(state_dir: Path) -> Behaviour:
    """Return what the emulator of *state_dir* goes by, or would: the defaults, and what is flipped there.

    Raises:
        EmulatorError, InputError: as `open_state`.
    """
    from iotauth_cli.emulator import flips
    from iotauth_cli.emulator.behaviour import Behaviour
    from iotauth_cli.emulator.state import FILE_NAME

    if not (state_dir / FILE_NAME).exists():
        return Behaviour()
    with contextlib.closing(open_state(state_dir)) as state:
        return flips.laid_over_defaults(flips.kept(state))


def open_state(state_dir: Path) -> State:
    """Open or create the state in *state_dir*.

    Raises:
        EmulatorError: what lies there is not a database, or not one that can be used.
        InputError: the directory cannot be written.
    """
    import sqlite3

    from iotauth_cli.emulator.state import FILE_NAME, State

    path = state_dir / FILE_NAME
    try:
        return State.open(state_dir)
    except sqlite3.Error as error:
        raise EmulatorError(
            f"`{path}` cannot be used: {error}", "start afresh with `iotauth emulator reset`"
        ) from error
    except OSError as error:
        raise files.cannot("write", path, error) from error


def _running(state_dir: Path) -> Ready | None:
    """Return what runs on *state_dir*; one that is just starting or ending is waited for."""
    _wait(lambda: environment.read(state_dir) is not None or not lock.is_held(state_dir), STOP_LIMIT_S)
    ready = environment.read(state_dir)
    return ready if ready is not None and lock.is_held(state_dir) else None


def _as_wanted(running: Ready, ports: Mapping[str, int | None], region: str | None, behaviour: Sequence[str]) -> Ready:
    from iotauth_cli.emulator import flips

    if region not in (None, running.region):
        raise EmulatorError(f"the emulator already runs, in region `{running.region}` and not `{region}`", STOP_FIRST)
    found = {
        "--port": running.data_endpoint.port,
        "--control-port": int(running.control_endpoint.rpartition(":")[2]),
        "--proxy-port": running.proxy.port if running.proxy else None,
        "--mqtt-port": running.mqtt_port,
    }
    for option, actual in found.items():
        wanted = ports[option]
        if wanted is not None and actual is None:
            raise EmulatorError(f"the emulator already runs, without `{option}`", STOP_FIRST)
        if wanted not in (None, 0, actual):
            raise EmulatorError(f"the emulator already runs, on port {actual} and not {wanted}", STOP_FIRST)
    for key, value in flips.parse(behaviour).items():
        if running.behaviour.get(key, flips.DEFAULTS[key]) != value:
            raise EmulatorError(f"the emulator already runs, without `{key}={flips.shown(value)}`", STOP_FIRST)
    return running


def _launch(state_dir: Path, options: list[str], wait_s: float) -> dict[str, Any]:
    """Start the process and return its one line on standard output: where it is, or why it is not."""
    log = _open_log(state_dir)
    try:
        process = subprocess.Popen(
            [sys.executable, "-m", "iotauth_cli.emulator", "--detach", f"--state-dir={state_dir}", *options],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=log,
            cwd=state_dir,  # -m imports from here first, and no `secrets.py` of a project lies here
            start_new_session=True,
        )
    finally:
        os.close(log)
    with process:
        try:
            line, _ = process.communicate(timeout=wait_s)
        except subprocess.TimeoutExpired:
            _kill_session(process)
            raise EmulatorError(
                f"the emulator was not ready within {wait_s:.0f} s", f"read `{state_dir / LOG_FILE}`"
            ) from None
        except BaseException:  # whoever gives up waiting, by Ctrl-C say, leaves nobody behind
            _kill_session(process)
            raise
    report: dict[str, Any] = json.loads(line) if line else {}
    return report


def _open_log(state_dir: Path) -> int:
    """Make *state_dir* and open the log in it; return a descriptor that appends."""
    path = state_dir / LOG_FILE
    try:
        state_dir.mkdir(mode=files.DIRECTORY_MODE, parents=True, exist_ok=True)
        log = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, files.FILE_MODE)
        if os.fstat(log).st_size > MAX_LOG_BYTES:
            os.ftruncate(log, 0)
    except OSError as error:
        raise files.cannot("write", path, error) from error
    return log


def _error(report: dict[str, Any], state_dir: Path) -> IotauthError:
    """Rebuild the error that the process reported; without a report it ended in a way nobody foresaw."""
    if "error" not in report:
        return EmulatorError("the emulator ended while it was starting", f"read `{state_dir / LOG_FILE}`")
    kind = InputError if report["error"] == InputError.code else EmulatorError
    return kind(report["message"], report["hint"])


def _kill_session(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    if hasattr(os, "killpg"):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)  # the process that has detached is still of its session


def _signal(pid: int, number: int) -> None:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return
    except PermissionError as error:
        raise EmulatorError(f"the emulator, process {pid}, belongs to another user") from error


def _wait(condition: Callable[[], bool], limit_s: float) -> bool:
    give_up_at = time.monotonic() + limit_s
    while not condition():
        if time.monotonic() > give_up_at:
            return False
        time.sleep(POLL_S)
    return True
