"""Bad days by order: what a device meets, what the log says, and when it is over."""

from __future__ import annotations

import asyncio
import json
import ssl
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any

import pytest

from iotauth_cli.emulator import ca, unreliable
from iotauth_cli.emulator.attempts import ADMITTED, CUT_OFF, INJECTED, REFUSED
from iotauth_cli.emulator.ca import Certificates
from iotauth_cli.emulator.control.service import Context, ServiceError
from iotauth_cli.emulator.inject import KINDS, InjectionDesk, Injections
from iotauth_cli.emulator.mqtt.packets import Connack
from iotauth_cli.emulator.unreliable import (
    Breaker,
    UnreliableGateway,
    UnreliableRunner,
    UnreliableTables,
    client_id_of,
    show_expired,
)
from iotauth_cli.errors import InputError
from support_data import ACCOUNT, REGION, Plane, in_loop, settle


@dataclass
class BadDay:
    """A data plane on which things can be made to go wrong."""

    plane: Plane
    injections: Injections
    breaker: Breaker

    @property
    def told(self) -> list[tuple[str, str]]:
        """Outcome and check of every line in the log, oldest first."""
        return [(each.outcome, each.decided_by) for each in self.plane.attempts.recent()]


@pytest.fixture
def bad_day(plane: Plane, monkeypatch: pytest.MonkeyPatch) -> BadDay:
    monkeypatch.setattr(unreliable, "AFTER_CONNACK_S", 0.0)
    injections = Injections(plane.attempts, plane.clock)
    breaker = Breaker(injections, plane.broker)
    plane.gateway = UnreliableGateway(
        injections,
        breaker.strike_soon,
        plane.authorizers,
        plane.functions,
        UnreliableRunner(plane.runner, injections),
        account=ACCOUNT,
        region=REGION,
        attempts=plane.attempts,
        clock=plane.clock,
        behaviour=plane.behaviour,
    )
    return BadDay(plane, injections, breaker)


@pytest.mark.parametrize(
    ("kind", "decided_by", "is_called"),
    [
        ("function-throttled", "throttled", False),
        ("function-crash", "function-error", True),
        ("function-wrong-answer", "answer", True),
    ],
)
def test_a_function_that_fails_by_order_lets_nobody_in(
    bad_day: BadDay, kind: str, decided_by: str, is_called: bool
) -> None:
    """The device is refused as it would be, the next one is let in, and the log has order and effect."""
    bad_day.injections.add(kind)

    @in_loop
    async def connect_twice() -> None:
        refused = bad_day.plane.device()
        await refused.connect()
        assert refused.is_closed
        assert bad_day.plane.last.function_called is is_called
        await bad_day.plane.connected()

    connect_twice()
    assert bad_day.told == [(INJECTED, kind), (REFUSED, decided_by), (ADMITTED, "iot:Connect")]
    assert len(bad_day.plane.runner.events) == 1


@in_loop
async def test_a_slow_function_is_waited_for_within_the_callers_patience(bad_day: BadDay) -> None:
    """The delay is part of the five seconds: what is left is all that the function gets."""
    bad_day.injections.add("function-slow", delay_s=0.05)
    device = bad_day.plane.device()
    await device.connect()
    assert device.received == []
    await asyncio.sleep(0.1)
    assert device.received == [Connack()]
    assert bad_day.plane.runner.limits == [pytest.approx(4.95)]


@in_loop
async def test_a_function_that_is_slower_than_that_is_a_timeout(bad_day: BadDay) -> None:
    """It is not run at all: the answer would come to nobody."""
    runner = UnreliableRunner(bad_day.plane.runner, bad_day.injections)
    function = bad_day.plane.functions.find(bad_day.plane.authorizers.add().function_arn)
    assert function is not None
    bad_day.injections.add("function-slow")
    invocation = await runner.invoke(function, b"{}", limit_s=0.01)
    assert (invocation.timed_out, bad_day.plane.runner.events) == (True, [])


@in_loop
async def test_a_late_connack_comes_late(bad_day: BadDay) -> None:
    """The function was asked at once; only the answer is kept back."""
    bad_day.injections.add("connack-delay", delay_s=0.05)
    device = bad_day.plane.device()
    await device.connect()
    assert (device.received, len(bad_day.plane.runner.events)) == ([], 1)
    await asyncio.sleep(0.1)
    assert device.received == [Connack()]
    assert (INJECTED, "connack-delay") in bad_day.told


@in_loop
async def test_live_connections_break_at_once_the_oldest_first(bad_day: BadDay) -> None:
    """One is cut and told nothing; a takeover ends the other, as the real thing would."""
    older, newer = await bad_day.plane.connected("a"), await bad_day.plane.connected("b")
    bad_day.injections.add("connection-cut")
    bad_day.injections.add("duplicate-client-id")
    bad_day.breaker.strike()
    await settle()
    assert (older.is_closed, newer.is_closed) == (True, True)
    assert [each.client_id for each in bad_day.plane.attempts.recent(3)] == ["a", "b", "b"]
    assert bad_day.told[-3:] == [
        (INJECTED, "connection-cut"),
        (INJECTED, "duplicate-client-id"),
        (CUT_OFF, "DUPLICATE_CLIENTID"),
    ]


@in_loop
async def test_the_oldest_connection_is_not_that_of_the_oldest_session(bad_day: BadDay) -> None:
    """A client that came back to its session has a younger connection than one that never left."""
    leaving = await bad_day.plane.connected("a", clean=False)
    await leaving.vanish()
    bad_day.plane.clock.now += 1
    staying = await bad_day.plane.connected("b")
    bad_day.plane.clock.now += 1
    back = await bad_day.plane.connected("a", clean=False)
    bad_day.injections.add("connection-cut")
    bad_day.breaker.strike()
    await settle()
    assert (back.is_closed, staying.is_closed) == (False, True)


@in_loop
async def test_whoever_connects_later_is_cut_after_the_connack(bad_day: BadDay) -> None:
    """For one client only: the other stays, and so does the first when the count is used up."""
    bad_day.injections.add("connection-cut", client_id="a", count=1)
    spared = await bad_day.plane.connected("b")
    cut = await bad_day.plane.connected("a")
    await asyncio.sleep(0.01)
    assert (spared.is_closed, cut.is_closed) == (False, True)
    again = await bad_day.plane.connected("a")
    await asyncio.sleep(0.01)
    assert not again.is_closed


def test_an_injection_ends_with_its_count_or_its_time(bad_day: BadDay) -> None:
    """Times are the emulator's, so a clock that is moved on ends them too."""
    bad_day.injections.add("function-crash", count=2)
    bad_day.injections.add("function-slow", seconds=60)
    taken = [bad_day.injections.take("function-crash", "a", "crashed") is not None for _ in range(3)]
    assert taken == [True, True, False]
    assert bad_day.injections.take("function-slow", None, "slow") is not None
    bad_day.plane.clock.now += 60
    assert bad_day.injections.take("function-slow", None, "slow") is None
    assert not bad_day.injections.active()


def test_what_is_for_one_client_spares_the_others(bad_day: BadDay) -> None:
    """Nor does it meet a request that has no client id."""
    bad_day.injections.add("function-crash", client_id="a")
    assert [bad_day.injections.take("function-crash", each, "no") for each in ("b", None)] == [None, None]
    assert bad_day.injections.take("function-crash", "a", "crashed") is not None


@pytest.mark.parametrize(
    ("kind", "limits", "words"),
    [
        ("rain", {}, "nothing called `rain`"),
        ("certificate-expired", {"client_id": "a"}, "before a client is known"),
        ("function-crash", {"count": 1, "seconds": 1.0}, "not both"),
        ("function-crash", {"count": 0}, "cannot happen 0 times"),
        ("function-crash", {"count": 10**22}, "cannot happen"),
        ("function-crash", {"seconds": float("nan")}, "cannot last"),
        ("function-crash", {"seconds": 1e99}, "cannot last"),
        ("function-crash", {"delay_s": 1.0}, "has no delay"),
        ("function-slow", {"delay_s": -1.0}, "cannot come -1 s late"),
    ],
)
def test_what_cannot_be_meant_is_refused(bad_day: BadDay, kind: str, limits: dict[str, Any], words: str) -> None:
    """The sentence names the rule, and nothing is on the list."""
    with pytest.raises(InputError, match=words):
        bad_day.injections.add(kind, **limits)
    assert not bad_day.injections


@in_loop
async def test_the_desk_takes_lists_and_clears(bad_day: BadDay) -> None:
    """What the command line and the page see is plain JSON; every new one may strike at once."""
    struck: list[int] = []
    desk = InjectionDesk(bad_day.injections, lambda: struck.append(1))
    added = await desk.add({"kind": "connack-delay", "count": 2, "delay_s": 3, "client_id": None, "seconds": None})
    assert added == {"number": 1, "kind": "connack-delay", "client_id": None, "left": 2, "ends_at": None, "delay_s": 3}
    assert json.loads(json.dumps(await desk.show({}))) == {"injections": [added]}
    with pytest.raises(InputError, match="`count` must be a whole number"):
        await desk.add({"kind": "connack-delay", "count": 1.5})
    assert (await desk.clear({}), await desk.clear({}), struck) == ({"cleared": 1}, {"cleared": 0}, [1])


class Tables:
    """A service with an operation on items and one on tables."""

    name = "dynamodb"

    def __init__(self) -> None:
        self.operations = {"GetItem": self._answer, "CreateTable": self._answer}

    def _answer(self, parameters: dict[str, Any], context: Context) -> dict[str, Any]:
        return parameters


def test_dynamodb_throttles_items_and_not_tables(bad_day: BadDay) -> None:
    """The error is one that every client tries again."""
    tables = UnreliableTables(Tables(), bad_day.injections)
    context = Context(REGION, ACCOUNT, "request-1")
    bad_day.injections.add("dynamodb-throttled")
    assert tables.operations["CreateTable"]({"a": 1}, context) == {"a": 1}
    with pytest.raises(ServiceError) as refused:
        tables.operations["GetItem"]({"a": 1}, context)
    assert (refused.value.code, refused.value.status) == ("ThrottlingException", 400)
    assert tables.operations["GetItem"]({"a": 1}, context) == {"a": 1}
    assert bad_day.plane.last.sentence == "DynamoDB throttled GetItem"


def test_an_expired_certificate_is_shown_to_a_client_that_looks(bad_day: BadDay, certificates: Certificates) -> None:
    """Signed by the same CA for the same names: only its date is wrong. The next handshake is well again."""
    server = ca.server_context(certificates)
    directory = certificates.ca_file.parent
    asked: list[str | None] = []
    server.sni_callback = lambda tls, name, context: asked.append(name)
    show_expired(
        server,
        bad_day.injections,
        lambda: ca.expired_context(directory, [], datetime.now(timezone.utc)),
    )
    bad_day.injections.add("certificate-expired")
    with pytest.raises(ssl.SSLCertVerificationError, match="certificate has expired"):
        shake_hands(server, certificates)
    assert shake_hands(server, certificates) == "mqtt"
    assert asked == ["localhost", "localhost"]
    assert not list(directory.glob("*expired*"))


def shake_hands(server: ssl.SSLContext, certificates: Certificates) -> str | None:
    """Go through a TLS handshake in memory; return the ALPN name that came of it."""
    context = ssl.create_default_context(cafile=str(certificates.ca_file))
    context.set_alpn_protocols(["mqtt"])
    up, down = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = context.wrap_bio(down, up, server_hostname="localhost")
    served = server.wrap_bio(up, down, server_side=True)
    waiting = [client, served]
    while waiting:
        for side in list(waiting):
            try:
                side.do_handshake()
                waiting.remove(side)
            except ssl.SSLWantReadError:
                continue
    return client.selected_alpn_protocol()


@pytest.mark.parametrize(
    ("event", "client_id"),
    [
        (b'{"protocolData": {"mqtt": {"clientId": "a"}}}', "a"),
        (b'{"protocolData": {"http": {}}}', None),
        (b'{"protocolData": {"mqtt": {"clientId": 1}}}', None),
        (b"[]", None),
        (b"{", None),
    ],
)
def test_the_client_of_an_event_is_known_or_not(event: bytes, client_id: str | None) -> None:
    """Whatever a caller of Invoke sends, it breaks nothing."""
    assert client_id_of(event) == client_id


def test_every_kind_can_be_ordered(bad_day: BadDay) -> None:
    """Nine kinds, each with its own name and what it is usually delayed by."""
    assert len(KINDS) == 9
    for kind in KINDS.values():
        assert bad_day.injections.add(kind.name).delay_s == kind.delay_s
