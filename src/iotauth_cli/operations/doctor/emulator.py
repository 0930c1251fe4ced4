"""The emulator of this machine, whether or not the settings mean it."""

from __future__ import annotations

from iotauth_cli.emulator import environment, lifecycle
from iotauth_cli.errors import EmulatorError
from iotauth_cli.operations.doctor.finding import Finding, Outcome
from iotauth_cli.operations.doctor.project import private
from iotauth_cli.operations.doctor.scene import Scene

START = "iotauth emulator start"


def running(scene: Scene) -> Outcome:
    """Where the settings mean the emulator and it is not there, nothing else can be looked at."""
    door = scene.premises.door
    if isinstance(door, EmulatorError):
        return Finding("error", door.message, START)
    status = lifecycle.status(scene.premises.state_dir)
    if status.stale:
        return Finding("note", "the emulator was killed and has left its ready file", START)
    return f"running, process {status.pid}" if status.ready else "not running, and not meant"


def version(scene: Scene) -> Outcome:
    """One that was started before iotauth was brought up to date runs the older code."""
    ready = environment.read(scene.premises.state_dir)
    if ready is None or not lifecycle.status(scene.premises.state_dir).ready:
        return "none runs"
    ours = scene.machine.version
    if ready.version == ours:
        return f"iotauth {ours}"
    theirs = f"iotauth {ready.version}" if ready.version else "an older iotauth"
    sentence = f"the running emulator is of {theirs}, and this is iotauth {ours}"
    return Finding("warning", sentence, f"iotauth emulator stop, then {START}")


def modes(scene: Scene) -> Outcome:
    """Its state holds the key of its CA, which this machine's clients may trust."""
    place = scene.premises.state_dir
    return private(place, place, *(place.glob("*") if place.exists() else ()))
