"""MQTT 3.1.1 on the wire: every packet there and back, and no bytes whatever that break it."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from iotauth_cli.emulator.mqtt.codec import (
    MAX_PACKET_BYTES,
    Decoder,
    Message,
    UnsupportedLevel,
    encode,
)
from iotauth_cli.emulator.mqtt.packets import Connect, Packet, Pingreq, Publish, Subscribe, Subscription
from iotauth_cli.emulator.mqtt.wire import MalformedPacket
from support_mqtt import packet_ids, packets, payloads, texts


def decode_all(data: bytes) -> list[Packet]:
    decoder = Decoder()
    decoder.feed(data)
    return list(decoder.packets())


@given(packets)
def test_every_packet_comes_back_as_it_was(packet: Packet) -> None:
    """decode(encode(packet)) is the packet."""
    assert decode_all(encode(packet)) == [packet]


@given(st.lists(packets, max_size=5), st.data())
def test_bytes_may_come_in_any_pieces(sent: list[Packet], data: st.DataObject) -> None:
    """Wherever the stream is cut, the same packets come out, and nothing is left over."""
    stream = b"".join(map(encode, sent))
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=8)))
    decoder, received = Decoder(), []
    for start, end in zip([0, *cuts], [*cuts, len(stream)], strict=True):
        decoder.feed(stream[start:end])
        received += list(decoder.packets())
    assert received == sent
    assert decoder.waiting_bytes == 0


@given(st.lists(packets, min_size=2, max_size=5), st.data())
def test_a_reader_may_stop_and_go_on(sent: list[Packet], data: st.DataObject) -> None:
    """Packets not yet taken wait, also when more bytes are fed in between."""
    decoder = Decoder()
    first = data.draw(st.integers(1, len(sent) - 1))
    decoder.feed(b"".join(map(encode, sent[:first])))
    received = [next(decoder.packets())]
    decoder.feed(b"".join(map(encode, sent[first:])))
    assert received + list(decoder.packets()) == sent


@given(st.binary(max_size=200))
def test_arbitrary_bytes_are_packets_or_malformed(data: bytes) -> None:
    """The only exception is MalformedPacket."""
    with contextlib.suppress(MalformedPacket):
        decode_all(data)


@given(packets, st.data())
def test_mutated_packets_are_packets_or_malformed(packet: Packet, data: st.DataObject) -> None:
    """A valid packet with some bytes changed, cut out or put in raises nothing else either."""
    encoded = bytearray(encode(packet))
    for _ in range(data.draw(st.integers(1, 4))):
        start = data.draw(st.integers(0, len(encoded)))
        encoded[start : start + data.draw(st.integers(0, 3))] = data.draw(st.binary(max_size=3))
    with contextlib.suppress(MalformedPacket):
        decode_all(bytes(encoded))


@given(texts, payloads, packet_ids, st.booleans(), st.booleans())
def test_a_message_is_encoded_as_its_publish(
    topic: str, payload: bytes, packet_id: int, retain: bool, is_duplicate: bool
) -> None:
    """The short cut for fan-out gives the same bytes as the packet, at both QoS, each time."""
    message = Message(topic, payload, retain=retain)
    for _ in range(2):
        assert message.at_most_once() == encode(Publish(topic, payload, retain=retain))
        assert message.at_least_once(packet_id, is_duplicate=is_duplicate) == encode(
            Publish(topic, payload, 1, retain, is_duplicate, packet_id)
        )


CONNECT = b"\x00\x04MQTT\x04\x02\x00\x3c\x00\x01a"


def connect(flags: int, rest: bytes = b"") -> bytes:
    body = b"\x00\x04MQTT\x04" + bytes((flags,)) + b"\x00\x3c\x00\x01a" + rest
    return b"\x10" + bytes((len(body),)) + body


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        pytest.param(b"\x00\x00", "no packet begins with 0x00", id="type-0"),
        pytest.param(b"\xf0\x00", "no packet begins with 0xf0", id="type-15"),
        pytest.param(b"\x11\x0d" + CONNECT, "0x11", id="connect-flags"),
        pytest.param(b"\x80\x06\x00\x01\x00\x01a\x00", "0x80", id="subscribe-flags"),
        pytest.param(b"\x36\x05\x00\x01a\x00\x01", "0x36", id="publish-qos-3"),
        pytest.param(b"\x38\x03\x00\x01a", "0x38", id="duplicate-at-qos-0"),
        pytest.param(b"\x32\x05\x00\x01a\x00\x00", "packet id is 0", id="packet-id-0"),
        pytest.param(b"\x30\x02\x00\x01", "middle of a field", id="topic-missing"),
        pytest.param(b"\x30\x03\x00\x01\xff", "not UTF-8", id="topic-not-utf-8"),
        pytest.param(b"\x30\x05\x00\x03\xed\xa0\x80", "not UTF-8", id="surrogate"),
        pytest.param(b"\x30\x04\x00\x02a\x00", r"U\+0000", id="null"),
        pytest.param(b"\x82\x02\x00\x01", "middle of a field", id="subscribe-without-filter"),
        pytest.param(b"\x82\x06\x00\x01\x00\x01a\x03", "QoS 3", id="subscribe-qos-3"),
        pytest.param(b"\xa2\x02\x00\x01", "middle of a field", id="unsubscribe-without-filter"),
        pytest.param(b"\xc0\x01\x00", "longer than its fields", id="ping-with-a-body"),
        pytest.param(b"\x40\x03\x00\x01\x00", "longer than its fields", id="puback-too-long"),
        pytest.param(b"\x30\xff\xff\xff\xff\x01", "four bytes", id="length-of-five-bytes"),
        pytest.param(b"\x30\xff\xff\x7f", f"limit is {MAX_PACKET_BYTES}", id="too-large"),
        pytest.param(connect(0x03), "reserved", id="connect-reserved"),
        pytest.param(connect(0x42, b"\x00\x01p"), "no user name", id="password-alone"),
        pytest.param(connect(0x0A), "no will", id="will-qos-alone"),
        pytest.param(connect(0x22), "no will", id="will-retain-alone"),
        pytest.param(connect(0x1E, b"\x00\x01w\x00\x00"), "QoS 3", id="will-qos-3"),
        pytest.param(b"\x10\x0d\x00\x04MQTX\x04\x02\x00\x3c\x00\x01a", "another protocol", id="protocol"),
    ],
)
def test_what_breaks_a_rule_is_named(data: bytes, reason: str) -> None:
    """Each rule of the specification that a server can check has its sentence."""
    with pytest.raises(MalformedPacket, match=reason):
        decode_all(data)


@pytest.mark.parametrize(
    ("body", "level"),
    [(b"\x00\x04MQTT\x05\x02\x00\x3c\x00\x00\x01a", 5), (b"\x00\x06MQIsdp\x03\x02\x00\x3c\x00\x01a", 3)],
)
def test_another_version_of_mqtt_is_told_apart_from_nonsense(body: bytes, level: int) -> None:
    """A CONNECT of MQTT 3.1 or 5 says which level it asks for."""
    with pytest.raises(UnsupportedLevel) as caught:
        decode_all(b"\x10" + bytes((len(body),)) + body)
    assert caught.value.level == level


def test_packets_before_a_malformed_one_are_given_out() -> None:
    """What came whole and right is handled; the break comes after it."""
    decoder = Decoder()
    decoder.feed(encode(Pingreq()) + b"\xf0\x00")
    stream = decoder.packets()
    assert next(stream) == Pingreq()
    with pytest.raises(MalformedPacket):
        next(stream)


def test_a_packet_over_the_limit_is_refused_before_its_body_came() -> None:
    """Five bytes are enough to know; nothing is kept in memory for it."""
    decoder = Decoder(max_packet_bytes=100)
    decoder.feed(b"\x30\x65")
    with pytest.raises(MalformedPacket, match="101 bytes; the limit is 100"):
        next(decoder.packets())


def test_secrets_of_a_connect_do_not_print() -> None:
    """The user name may carry a token, the password is one: a traceback shows neither."""
    shown = repr(Connect("thermo-1", username="u?token=hunter2", password=b"hunter3"))
    assert "thermo-1" in shown
    assert "hunter" not in shown


def test_a_field_that_does_not_fit_is_a_value_error() -> None:
    """65,536 bytes have no two-byte length."""
    with pytest.raises(ValueError, match="65536 bytes do not fit"):
        encode(Subscribe(1, (Subscription("x" * 65_536),)))
