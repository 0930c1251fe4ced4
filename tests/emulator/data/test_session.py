"""The session alone: whatever bytes come, it answers, ignores or ends, and never fails."""

from __future__ import annotations

import contextlib

from hypothesis import given
from hypothesis import strategies as st

from iotauth_cli.emulator.behaviour import Behaviour
from iotauth_cli.emulator.mqtt.codec import Decoder, encode
from iotauth_cli.emulator.mqtt.packets import (
    LEVEL_3_1_1,
    LEVEL_5,
    Connack,
    Connect,
    Disconnect,
    Packet,
    Pingreq,
    Pingresp,
)
from iotauth_cli.emulator.mqtt.session import DisconnectReason, Ended, Event, Phase, Session
from iotauth_cli.emulator.mqtt.wire import MalformedPacket
from support_mqtt import packets, packets_5

levels = st.sampled_from([LEVEL_3_1_1, LEVEL_5])


def run(session: Session, data: bytes) -> list[Event]:
    """Feed *data*, letting every CONNECT in."""
    events = []
    for event in session.receive(data, 0.0):
        events.append(event)
        if isinstance(event, Connect):
            session.accept(0.0, session_present=False)
            events += list(session.receive(b"", 0.0))
    return events


def opened(level: int) -> Session:
    session = Session(Behaviour())
    run(session, encode(Connect("thermo-1", level=level)))
    session.take_output()
    return session


def check_consistent(session: Session, events: list[Event]) -> None:
    """An end is the last event and means that nothing more is taken; all output is well-formed."""
    ends = [event for event in events if isinstance(event, Ended | Disconnect)]
    assert len(ends) <= 1
    assert (session.phase is Phase.ENDED) == bool(ends)
    assert not ends or events[-1] is ends[0]
    assert list(session.receive(encode(Pingreq()), 0.0)) == [] or not ends
    output = Decoder(level=session.level)
    output.feed(session.take_output())
    with contextlib.suppress(MalformedPacket):  # the refusal of a later version is in MQTT 5's form
        answered = list(output.packets())
        assert all(isinstance(packet, Connack | Pingresp | Disconnect) for packet in answered)
        assert not any(isinstance(packet, Disconnect) for packet in answered[:-1])
        assert session.level == LEVEL_5 or Disconnect not in map(type, answered)


@given(st.lists(st.binary(max_size=60), max_size=8))
def test_arbitrary_bytes_before_connect(pieces: list[bytes]) -> None:
    """A stranger's bytes lead to events alone."""
    session = Session(Behaviour())
    check_consistent(session, [event for piece in pieces for event in run(session, piece)])


@given(st.lists(st.binary(max_size=60), max_size=8), levels)
def test_arbitrary_bytes_after_connect(pieces: list[bytes], level: int) -> None:
    """Nor does a client that was let in and went mad raise anything."""
    session = opened(level)
    check_consistent(session, [event for piece in pieces for event in run(session, piece)])


@given(st.lists(packets, max_size=12))
def test_arbitrary_packets_in_any_order(sent: list[Packet]) -> None:
    """Valid packets in an order that no client would send them in."""
    session = Session(Behaviour())
    check_consistent(session, run(session, b"".join(map(encode, sent))))


@given(st.lists(packets_5, max_size=12))
def test_arbitrary_packets_of_mqtt_5_in_any_order(sent: list[Packet]) -> None:
    """With whatever properties, after a CONNECT that chose the level."""
    session = opened(LEVEL_5)
    check_consistent(session, run(session, b"".join(encode(packet, LEVEL_5) for packet in sent)))


def test_while_the_authorizer_decides_nothing_is_handled() -> None:
    """Bytes wait as bytes, even broken ones, and come to their turn after the CONNACK."""
    session = Session(Behaviour())
    assert list(session.receive(encode(Connect("thermo-1")), 0.0)) == [Connect("thermo-1")]
    assert list(session.receive(encode(Pingreq()) + b"\xff", 0.0)) == []
    assert (session.phase, session.take_output(), session.waiting_bytes) == (Phase.DECIDING, b"", 3)
    session.accept(0.0, session_present=False)
    (ended,) = session.receive(b"", 0.0)
    assert isinstance(ended, Ended)
    assert ended.reason is DisconnectReason.CLIENT_ERROR
    assert session.take_output() == encode(Connack()) + encode(Pingresp())
