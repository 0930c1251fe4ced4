"""What a fleet does in a month: how often it connects, how often the function is asked, what is sent.

A device connects K times a day, and each session lasts L = connected seconds / K. AWS IoT calls the
function when the session begins and again each time the refresh timer runs out while it lasts, so
⌈L / refresh⌉ times: with one connect a day and 300 s, that is 288 calls. A month has thirty days, as
in AWS's own examples. All numbers are exact fractions.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

from iotauth_authorizer.event import MAX_TIMER_S, MIN_TIMER_S
from iotauth_cli.errors import InputError

DAY_S = 86_400
DAYS = 30  # of a month, as AWS's worked examples count
METERED_BYTES = 5 * 1024  # a message unit; AWS IoT Core pricing
READ_UNIT_BYTES = 4096  # of a consistent read, which is what the function makes
ROW_BYTES = 341  # of a client with one secret and one topic, measured
ROW_EXTRA_BYTES = 100  # that DynamoDB adds to each row it stores; DynamoDB developer guide
LOG_BYTES = (138, 71, 52, 140)  # of a call: the function's own line, and Lambda's START, END and REPORT; measured
LOG_EXTRA_BYTES = 26  # of each line; CloudWatch Logs counts them, PutLogEvents
LOG_KEPT = Fraction(15, 100)  # of what was taken in, compressed; AWS Pricing Calculator
GB = 1_000_000_000
ROTATIONS_A_YEAR = 1  # of each client's secret
WRITES_OF_A_ROTATION = 3  # the new secret, its first use, the old one's end
COLD_SHARE = Fraction(1, 100)  # of calls that start an environment; AWS Compute Blog, 2025-04: typically under 1 %

MAX_DEVICES = 10_000_000
MAX_MESSAGE_BYTES = 128 * 1024
MAX_PUBLISHES_A_DAY = 100 * DAY_S  # a connection may publish a hundred times a second
MAX_FILTERS = 50  # subscriptions of a connection

Protocol = Literal["mqtt", "http"]
Architecture = Literal["arm64", "x86_64"]


@dataclass(frozen=True)
class Fleet:
    """The devices and their habits. Timers in seconds; the defaults are what `authorizer create` makes.

    *receivers* are clients that get each message; *filters* what a device subscribes to at each connect.
    *is_cached* is HTTP caching switched on and devices that keep their connection.
    """

    devices: int
    refresh_s: int = 3600
    disconnect_s: int = MAX_TIMER_S
    connects_per_day: Fraction = Fraction(1)
    connect_hours: Fraction = Fraction(24)
    messages_per_day: Fraction = Fraction(288)
    message_bytes: int = 256
    receivers: Fraction = Fraction(1)
    filters: int = 1
    protocol: Protocol = "mqtt"
    is_cached: bool = False


@dataclass(frozen=True)
class Function:
    """The authorizer's function: what is billed of it, and what its log keeps. Durations in milliseconds.

    *warm_ms* is a call, *init_ms* what a new environment takes before its first. *retention_days* is the log's.
    """

    memory_mb: int = 256
    architecture: Architecture = "arm64"
    warm_ms: int = 10
    init_ms: int = 150
    retention_days: int = 30

    @property
    def cold_s(self) -> Fraction:
        """How long a call is under way that finds no environment ready, in seconds."""
        return Fraction(self.init_ms + self.warm_ms, 1000)


@dataclass(frozen=True)
class Load:
    """What *fleet* uses: by price key for a month, and of one device a day.

    *messages* says what the metered messages are made of, for a month.
    """

    connects: Fraction
    session_s: Fraction
    calls: Fraction
    monthly: Mapping[str, Fraction]
    messages: Mapping[str, Fraction]
    calls_per_s: Fraction
    connects_per_s: Fraction
    published_per_s: Fraction
    delivered_per_s: Fraction

    @property
    def calls_per_month(self) -> Fraction:
        return self.monthly["lambda-requests"]


def load_of(fleet: Fleet, function: Function) -> Load:
    """Return what *fleet* uses in a month of *function*, its table, its log and AWS IoT."""
    connects, session_s = sessions(fleet)
    calls = calls_per_day(fleet, connects, session_s)
    month = Fraction(fleet.devices * DAYS)
    messages = {name: month * each for name, each in messages_per_day(fleet, connects).items()}
    per_s = Fraction(fleet.devices, DAY_S)
    return Load(
        connects=connects,
        session_s=session_s,
        calls=calls,
        monthly={
            "iot-connectivity": month * fleet.connect_hours * 60 if fleet.protocol == "mqtt" else Fraction(0),
            "iot-messages": sum(messages.values(), Fraction(0)),
            **authorizer_use(fleet, function, month * calls),
        },
        messages=messages,
        calls_per_s=per_s * calls,
        connects_per_s=per_s * connects,
        published_per_s=per_s * fleet.messages_per_day,
        delivered_per_s=per_s * fleet.messages_per_day * fleet.receivers,
    )


def sessions(fleet: Fleet) -> tuple[Fraction, Fraction]:
    """Return how often a device connects in a day, and how long each session lasts, in seconds.

    It connects as often as it wants to, or as the disconnect timer makes it, and once at least.
    """
    connected_s = fleet.connect_hours * 3600
    connects = max(fleet.connects_per_day, connected_s / fleet.disconnect_s, Fraction(1))
    return connects, connected_s / connects


def calls_per_day(fleet: Fleet, connects: Fraction, session_s: Fraction) -> Fraction:
    """Return how often the function is asked about one device in a day.

    Over HTTPS that is once for each message, unless the answer is cached for a connection that is kept.
    """
    of_sessions = connects * math.ceil(session_s / fleet.refresh_s)
    if fleet.protocol == "mqtt":
        return of_sessions
    return min(of_sessions, fleet.messages_per_day) if fleet.is_cached else fleet.messages_per_day


def messages_per_day(fleet: Fleet, connects: Fraction) -> dict[str, Fraction]:
    """Return the metered messages of one device in a day, by what they are.

    CONNECT and SUBSCRIBE count, PINGREQ and every answer of AWS IoT's do not; over HTTPS the answer's body does.
    """
    published = fleet.messages_per_day * max(1, math.ceil(Fraction(fleet.message_bytes, METERED_BYTES)))
    if fleet.protocol == "http":
        own = {"answers": fleet.messages_per_day}
    else:
        own = {"connects": connects, "subscriptions": connects * fleet.filters}
    return {"published": published, "delivered": published * fleet.receivers, **own}


def authorizer_use(fleet: Fleet, function: Function, calls: Fraction) -> dict[str, Fraction]:
    """Return what *calls* of a month use of Lambda, DynamoDB and CloudWatch Logs."""
    billed_s = Fraction(function.warm_ms, 1000) + COLD_SHARE * Fraction(function.init_ms, 1000)
    logged = calls * sum(each + LOG_EXTRA_BYTES for each in LOG_BYTES) / GB
    stored = Fraction(fleet.devices * (ROW_BYTES + ROW_EXTRA_BYTES), GB)
    return {
        "lambda-requests": calls,
        f"lambda-{function.architecture}": calls * billed_s * Fraction(function.memory_mb, 1024),
        "table-reads": calls * read_units(),
        "table-writes": Fraction(fleet.devices * ROTATIONS_A_YEAR * WRITES_OF_A_ROTATION, 12),
        "table-storage": stored,
        "table-recovery": stored,
        "log-ingestion": logged,
        "log-storage": logged * LOG_KEPT * Fraction(function.retention_days, DAYS),
    }


def read_units() -> int:
    """Return the read units of a call: the row is read consistently, and an unknown client costs the same."""
    return math.ceil(ROW_BYTES / READ_UNIT_BYTES)


def check(fleet: Fleet, function: Function) -> None:
    """Refuse what no fleet can be.

    Raises:
        InputError: a value is outside what AWS takes, or what makes sense.
    """
    within("--devices", fleet.devices, 1, MAX_DEVICES, "")
    within("--refresh", fleet.refresh_s, MIN_TIMER_S, MAX_TIMER_S, " s")
    within("--disconnect", fleet.disconnect_s, MIN_TIMER_S, MAX_TIMER_S, " s")
    within("--reconnects-per-day", fleet.connects_per_day, 0, DAY_S, "")
    within("--connect-hours-per-day", fleet.connect_hours, 0, 24, "")
    if not fleet.connect_hours:
        raise InputError(
            "`--connect-hours-per-day 0` is a fleet that never connects", hint="write how long, such as `0.5`"
        )
    within("--messages-per-day", fleet.messages_per_day, 0, MAX_PUBLISHES_A_DAY, "")
    within("--message-size", fleet.message_bytes, 0, MAX_MESSAGE_BYTES, " bytes")
    within("--receivers", fleet.receivers, 0, MAX_DEVICES, "")
    within("--subscriptions", fleet.filters, 0, MAX_FILTERS, "")
    within("--memory", function.memory_mb, 128, 10_240, " MB")
    within("--duration-ms", function.warm_ms, 1, 5000, " ms")
    within("--init-ms", function.init_ms, 0, 10_000, " ms")
    within("--retention-days", function.retention_days, 1, 3653, " days")
    if fleet.is_cached and fleet.protocol != "http":
        raise InputError("`--http-caching` has no effect on MQTT", hint="say `--protocol http` too, or leave it out")


def within(option: str, value: int | Fraction, least: int, most: int, unit: str) -> None:
    if not least <= value <= most:
        shown = int(value) if value == int(value) else float(value)
        raise InputError(
            f"`{option} {shown}` is outside what is possible", hint=f"it goes from {least:,} to {most:,}{unit}"
        )
