"""MQTT 3.1.1 and 5 on the wire: every packet there and back, and no bytes whatever that break it."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from iotauth_cli.emulator.mqtt.bodies import UnsupportedLevel
from iotauth_cli.emulator.mqtt.codec import MAX_PACKET_BYTES, Decoder, encode
from iotauth_cli.emulator.mqtt.message import Message
from iotauth_cli.emulator.mqtt.packets import (
    LEVEL_3_1_1,
    LEVEL_5,
    Connect,
    Packet,
    Pingreq,
    Properties,
    Publish,
    Subscribe,
    Subscription,
)
from iotauth_cli.emulator.mqtt.properties import decode_properties, encode_properties
from iotauth_cli.emulator.mqtt.wire import MalformedPacket
from support_mqtt import packet_ids, packets, packets_5, payloads, properties, texts


def decode_all(data: bytes, level: int = LEVEL_3_1_1) -> list[Packet]:
    decoder = Decoder(level=level)
    decoder.feed(data)
    return list(decoder.packets())


@given(packets)
def test_every_packet_comes_back_as_it_was(packet: Packet) -> None:
    """decode(encode(packet)) is the packet."""
    assert decode_all(encode(packet)) == [packet]


@given(packets_5)
def test_every_packet_of_mqtt_5_comes_back_as_it_was(packet: Packet) -> None:
    """With its reasons and its properties in their order."""
    assert decode_all(encode(packet, LEVEL_5), LEVEL_5) == [packet]


@given(packets_5, packets_5)
def test_the_decoder_speaks_the_level_that_connect_chose(first: Packet, second: Packet) -> None:
    """A server need not be told: what follows a CONNECT of MQTT 5 is MQTT 5."""
    sent = [Connect("thermo-1", level=LEVEL_5), first, second]
    assert decode_all(b"".join(encode(each, LEVEL_5) for each in sent)) == sent


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


@given(st.binary(max_size=200), st.sampled_from([LEVEL_3_1_1, LEVEL_5]))
def test_arbitrary_bytes_are_packets_or_malformed(data: bytes, level: int) -> None:
    """The only exception is MalformedPacket."""
    with contextlib.suppress(MalformedPacket):
        decode_all(data, level)


@given(st.data(), st.sampled_from([LEVEL_3_1_1, LEVEL_5]))
def test_mutated_packets_are_packets_or_malformed(data: st.DataObject, level: int) -> None:
    """A valid packet with some bytes changed, cut out or put in raises nothing else either.

    What still is a packet can be encoded again, and is then the same.
    """
    encoded = bytearray(encode(data.draw(packets if level == LEVEL_3_1_1 else packets_5), level))
    for _ in range(data.draw(st.integers(1, 4))):
        start = data.draw(st.integers(0, len(encoded)))
        encoded[start : start + data.draw(st.integers(0, 3))] = data.draw(st.binary(max_size=3))
    with contextlib.suppress(MalformedPacket):
        for packet in decode_all(bytes(encoded), level):
            level = packet.level if isinstance(packet, Connect) else level
            assert decode_all(encode(packet, level), level) == [packet]


@given(properties(Publish, LEVEL_5))
def test_properties_that_were_kept_encoded_come_back(kept: Properties) -> None:
    """decode_properties(encode_properties(properties)) is the properties."""
    assert decode_properties(encode_properties(kept)) == kept


@given(texts, payloads, packet_ids, st.booleans(), st.booleans(), properties(Publish, LEVEL_5))
def test_a_message_is_encoded_as_its_publish(
    topic: str, payload: bytes, packet_id: int, retain: bool, is_duplicate: bool, kept: Properties
) -> None:
    """The short cut for fan-out gives the same bytes as the packet, at both levels and QoS, each time."""
    message = Message(topic, payload, retain=retain, properties=encode_properties(kept))
    for level in (LEVEL_3_1_1, LEVEL_5) * 2:
        at_most_once = Publish(topic, payload, retain=retain, properties=kept)
        at_least_once = Publish(topic, payload, 1, retain, is_duplicate, packet_id, kept)
        encoded = message.at(level)
        assert encoded.at_most_once() == encode(at_most_once, level)
        assert encoded.at_least_once(packet_id, is_duplicate=is_duplicate) == encode(at_least_once, level)


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


def connect_5(properties: bytes) -> bytes:
    body = b"\x00\x04MQTT\x05\x02\x00\x3c" + bytes((len(properties),)) + properties + b"\x00\x01a"
    return b"\x10" + bytes((len(body),)) + body


@pytest.mark.parametrize(
    ("data", "code", "sentence"),
    [
        pytest.param(b"\xf0\x00", 0x82, "AUTH, and AWS IoT has no", id="auth"),
        pytest.param(b"\x30\x03\x00\x01a", 0x81, "middle of a field", id="no-properties-length"),
        pytest.param(b"\x30\x05\x00\x01a\x01\x7f", 0x81, "PUBLISH has no property 0x7f", id="unknown-property"),
        pytest.param(b"\x30\x06\x00\x01a\x02\x24\x01", 0x81, "PUBLISH has no property 0x24", id="another-ones"),
        pytest.param(b"\x30\x08\x00\x01a\x04\x01\x00\x01\x00", 0x82, "0x01 is there twice", id="twice"),
        pytest.param(b"\x30\x06\x00\x01a\x02\x01\x02", 0x82, "0 or 1 is 2", id="flag"),
        pytest.param(b"\x30\x06\x00\x01a\x05\x01\x02", 0x81, "middle of a field", id="properties-cut"),
        pytest.param(b"\x30\x07\x00\x01a\xff\xff\xff\xff", 0x81, "longer than four bytes", id="length"),
        pytest.param(connect_5(b"\x21\x00\x00"), 0x82, "may not be 0 is 0", id="receive-maximum-0"),
        pytest.param(connect_5(b"\x27\x00\x00\x00\x00"), 0x82, "may not be 0 is 0", id="packet-size-0"),
        pytest.param(b"\x82\x07\x00\x01\x00\x00\x01a\x31", 0x82, "retain handling 3", id="retain-handling-3"),
        pytest.param(b"\x82\x07\x00\x01\x00\x00\x01a\x41", 0x81, "reserved bits", id="subscribe-reserved"),
        pytest.param(b"\x82\x07\x00\x01\x00\x00\x01a\x03", 0x81, "QoS 3", id="subscribe-qos-3"),
        pytest.param(b"\x40\x03\x00\x01\x42", 0x81, "PUBACK has no reason 0x42", id="puback-reason"),
        pytest.param(b"\xe0\x01\x8c", 0x81, "DISCONNECT has no reason 0x8c", id="disconnect-reason"),
        pytest.param(b"\x30\xff\xff\x7f", 0x95, "limit is", id="too-large"),
    ],
)
def test_what_breaks_a_rule_of_mqtt_5_has_its_reason_code(data: bytes, code: int, sentence: str) -> None:
    """Malformed, a protocol error, or too large: the three are told apart."""
    with pytest.raises(MalformedPacket, match=sentence) as caught:
        decode_all(data, LEVEL_5)
    assert caught.value.reason == code


def test_a_password_alone_is_allowed_in_mqtt_5() -> None:
    """3.1.1 forbids it; MQTT 5 lets a token be all there is."""
    packet = Connect("a", password=b"token", level=LEVEL_5)
    assert decode_all(encode(packet)) == [packet]


@pytest.mark.parametrize(
    ("body", "level"),
    [(b"\x00\x04MQTT\x06\x02\x00\x3c\x00\x00\x01a", 6), (b"\x00\x06MQIsdp\x03\x02\x00\x3c\x00\x01a", 3)],
)
def test_another_version_of_mqtt_is_told_apart_from_nonsense(body: bytes, level: int) -> None:
    """A CONNECT of MQTT 3.1, or of one to come, says which level it asks for."""
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
