"""This machine: what runs here, its clock, and whether the project can be written."""

from __future__ import annotations

import calendar
import os
import re
import time

from iotauth_cli.aws import clock
from iotauth_cli.aws.session import Session
from iotauth_cli.errors import AwsError
from iotauth_cli.operations.doctor.finding import Finding, Outcome, Unseen, some
from iotauth_cli.operations.doctor.scene import Scene

# The end of a version's security fixes, year and month. Source: devguide.python.org/versions
PYTHON_ENDS = {(3, 10): (2026, 10), (3, 11): (2027, 10), (3, 12): (2028, 10), (3, 13): (2029, 10), (3, 14): (2030, 10)}
CLOCK_WRONG_S = 300.0  # AWS takes no signature that is older or younger (IAM user guide, "Signature Version 4")
CLOCK_OFF_S = 60.0


def python(scene: Scene) -> Outcome:
    """A Python without security fixes is said; others are not judged."""
    version = ".".join(map(str, scene.machine.python))
    ends = PYTHON_ENDS.get(scene.machine.python)
    today = time.gmtime(scene.now)[:2]
    if ends is not None and today > ends:
        sentence = f"Python {version} has had no security fixes since {calendar.month_name[ends[1]]} {ends[0]}"
        return Finding("note", sentence, "install iotauth with a newer Python")
    return f"Python {version}"


def packages(scene: Scene) -> Outcome:
    """Another program's installation may have put older packages in the place of ours."""
    machine = scene.machine
    absent = [name for name in machine.required if name not in machine.installed]
    old = [
        f"{name} {machine.installed[name]}"
        for name, bound in machine.required.items()
        if name in machine.installed and numbers(machine.installed[name]) < numbers(bound)
    ]
    if absent:
        return Finding("error", f"{some(absent)} is not installed", "pip install --upgrade iotauth")
    if old:
        return Finding("warning", f"{some(old)} is older than iotauth works with", "pip install --upgrade iotauth")
    return f"iotauth {machine.version}, boto3 {machine.installed.get('boto3', 'of unknown version')}"


def numbers(version: str) -> tuple[int, ...]:
    """Return the leading numbers of a version; `2.1` and `2.1.0` compare as equal."""
    found = [int(digits) for digits in re.findall(r"\d+", version.partition("+")[0])]
    return tuple((*found, 0, 0, 0)[:3])


def clock_right(scene: Scene) -> Outcome:
    session = scene.session
    try:
        ahead_s = ahead(scene, session)
    except AwsError as problem:  # behind a proxy, for one: this question goes past it
        raise Unseen(problem.message) from problem
    side = "ahead of" if ahead_s > 0 else "behind"
    if abs(ahead_s) < CLOCK_OFF_S:
        return "right within a few seconds"
    sentence = f"this machine's clock is {abs(ahead_s):.0f} s {side} AWS's"
    if abs(ahead_s) < CLOCK_WRONG_S:
        return Finding("warning", sentence, "sudo timedatectl set-ntp true")
    return Finding("error", f"{sentence}, and AWS refuses what is signed with it", "sudo timedatectl set-ntp true")


def ahead(scene: Scene, session: Session) -> float:
    """Return how far the clock is ahead of AWS's, in seconds, asked once."""
    return float(scene.once("clock", lambda: clock.ahead_s(session, scene.premises.timeout_s)))


def is_clock_wrong(scene: Scene) -> bool:
    """Tell whether AWS refuses every signature for the clock alone; False where its time is not known."""
    try:
        return abs(ahead(scene, scene.session)) >= CLOCK_WRONG_S
    except AwsError:
        return False


def writable(scene: Scene) -> Outcome:
    place = scene.iotauth if scene.iotauth.exists() else scene.premises.project_dir
    if os.access(place, os.W_OK | os.X_OK):
        return f"`{place}`"
    return Finding("error", f"`{place}` cannot be written, so no credential can be kept", f"ls -ld {place}")
