"""Our MQTT 5 codec beside two of other people: the Rust package `mqtt5`, and paho's properties.

Neither shares a line with ours, so what both sides read alike is read right.
"""

from __future__ import annotations

import contextlib
import importlib.util
import sys
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from iotauth_cli.emulator.mqtt.codec import Decoder, encode
from iotauth_cli.emulator.mqtt.packets import LEVEL_5, Connect, Packet, Properties, Publish
from iotauth_cli.emulator.mqtt.properties import encode_properties
from iotauth_cli.emulator.mqtt.wire import MalformedPacket, encode_length
from support import missing
from support_mqtt import TOPIC_ALIAS, USER_PROPERTY, packets_5, properties

HAS_BUILD = sys.version_info >= (3, 11)
# A property with this value says what its absence says; the peer leaves it out.
DEFAULTS = {0x01: 0, 0x11: 0, 0x17: 1, 0x18: 0, 0x19: 0, 0x21: 65_535, 0x22: 0, 0x25: 1, 0x28: 1, 0x29: 1, 0x2A: 1}


def decode(data: bytes) -> list[Packet]:
    decoder = Decoder(level=LEVEL_5)
    decoder.feed(data)
    return list(decoder.packets())


def meant(packet: Any) -> Any:
    """Return *packet* without what says nothing: defaults, and the order of its properties."""
    if isinstance(packet, Connect) and packet.will is not None:
        packet = replace(packet, will=meant(packet.will))
    if not hasattr(packet, "properties"):
        return packet
    kept = [pair for pair in packet.properties if DEFAULTS.get(pair[0]) != pair[1]]
    ordered = tuple(sorted(kept, key=lambda pair: pair[0]))
    is_tuple = isinstance(packet, tuple)
    return packet._replace(properties=ordered) if is_tuple else replace(packet, properties=ordered)


def is_left_to_the_session(packet: Packet) -> bool:
    """Tell whether the peer's codec refuses what only a session can judge: aliases."""
    return isinstance(packet, Publish) and (not packet.topic or (TOPIC_ALIAS, 0) in packet.properties)


@pytest.fixture(scope="module")
def rust() -> Any:
    """The peer, which begins with Python 3.11; before it there is nothing to demand."""
    if not HAS_BUILD:
        pytest.skip("mqtt5 has no build for Python 3.10")
    if importlib.util.find_spec("mqtt5") is None:
        missing("mqtt5 is not installed")
    return importlib.import_module("mqtt5")


@given(packet=packets_5)
def test_the_rust_codec_reads_what_we_write_and_the_other_way_round(rust: Any, packet: Packet) -> None:
    """Through its reader and its writer a packet comes back with the same meaning."""
    assume(not is_left_to_the_session(packet))
    encoded = encode(packet, LEVEL_5)
    read, length = rust.read(encoded)
    assert length == len(encoded)
    (back,) = decode(read.write())
    assert meant(back) == meant(packet)


# Most mutations break the packet, and what is broken for us is not asked of the peer.
@settings(suppress_health_check=[HealthCheck.filter_too_much])
@given(packet=packets_5, data=st.data())
def test_what_we_take_of_mutated_packets_the_rust_codec_takes(rust: Any, packet: Packet, data: st.DataObject) -> None:
    """With the same meaning. (The other way round it cannot be asked: broken UTF-8 makes it panic.)"""
    encoded = bytearray(encode(packet, LEVEL_5))
    position = data.draw(st.integers(1, len(encoded) - 1))
    encoded[position] = data.draw(st.integers(0, 255))
    ours: list[Packet] = []
    with contextlib.suppress(MalformedPacket):
        ours = decode(bytes(encoded))
    assume(len(ours) == 1 and not is_left_to_the_session(ours[0]))
    read, _ = rust.read(bytes(encoded))
    assert meant(decode(read.write())[0]) == meant(ours[0])


@given(properties(Publish, LEVEL_5))
def test_paho_reads_our_properties(written: Properties) -> None:
    """Each by its name in paho, with the value that was written."""
    from paho.mqtt import properties as paho
    from paho.mqtt.packettypes import PacketTypes

    encoded = encode_properties(written)
    reader: Any = paho.Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]
    assume((TOPIC_ALIAS, 0) not in written)  # paho looks at that too
    reader.unpack(encode_length(len(encoded)) + encoded)
    names = {identifier: name.replace(" ", "") for name, identifier in reader.names.items()}
    for identifier, value in written:
        read = getattr(reader, names[identifier])
        if identifier == USER_PROPERTY:
            assert value in read
        else:
            assert value in (read if isinstance(read, list) else [read])
