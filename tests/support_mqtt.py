"""Every MQTT packet of both levels, for hypothesis.

Which packet may carry which property is written down here once more, from the specification's
table (MQTT 5, 2.2.2.2), so that it is not the codec which says what the codec must take.
"""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from iotauth_cli.emulator.mqtt.packets import (
    LEVEL_3_1_1,
    LEVEL_5,
    Connack,
    Connect,
    Disconnect,
    Packet,
    Pingreq,
    Pingresp,
    Properties,
    Puback,
    Pubcomp,
    Publish,
    Pubrec,
    Pubrel,
    Suback,
    Subscribe,
    Subscription,
    Unsuback,
    Unsubscribe,
    Will,
)

packet_ids = st.integers(1, 65_535)
texts = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=40)
payloads = st.binary(max_size=300)
flags = st.integers(0, 1)
two_bytes, four_bytes = st.integers(0, 0xFFFF), st.integers(0, 0xFFFFFFFF)

USER_PROPERTY, TOPIC_ALIAS = 0x26, 0x23
# identifier: (values, the packets that may carry it)
PROPERTY_TABLE: dict[int, tuple[st.SearchStrategy[Any], str]] = {
    0x01: (flags, "Publish Will"),
    0x02: (four_bytes, "Publish Will"),
    0x03: (texts, "Publish Will"),
    0x08: (texts, "Publish Will"),
    0x09: (payloads, "Publish Will"),
    0x0B: (st.integers(1, 268_435_455), "Publish Subscribe"),
    0x11: (four_bytes, "Connect Connack Disconnect"),
    0x12: (texts, "Connack"),
    0x13: (two_bytes, "Connack"),
    0x15: (texts, "Connect Connack"),
    0x16: (payloads, "Connect Connack"),
    0x17: (flags, "Connect"),
    0x18: (four_bytes, "Will"),
    0x19: (flags, "Connect"),
    0x1A: (texts, "Connack"),
    0x1C: (texts, "Connack Disconnect"),
    0x1F: (texts, "Connack Puback Pubrec Pubrel Pubcomp Suback Unsuback Disconnect"),
    0x21: (st.integers(1, 0xFFFF), "Connect Connack"),
    0x22: (two_bytes, "Connect Connack"),
    0x23: (two_bytes, "Publish"),
    0x24: (flags, "Connack"),
    0x25: (flags, "Connack"),
    0x26: (
        st.tuples(texts, texts),
        "Connect Connack Publish Will Puback Pubrec Pubrel Pubcomp Subscribe Suback Unsubscribe Unsuback Disconnect",
    ),
    0x27: (st.integers(1, 0xFFFFFFFF), "Connect Connack"),
    0x28: (flags, "Connack"),
    0x29: (flags, "Connack"),
    0x2A: (flags, "Connack"),
}
ACKNOWLEDGED = [0x00, 0x10, 0x80, 0x83, 0x87, 0x90, 0x91, 0x97, 0x99]
SUBACK_REASONS = {
    LEVEL_3_1_1: [0, 1, 2, 0x80],
    LEVEL_5: [0, 1, 2, 0x80, 0x83, 0x87, 0x8F, 0x91, 0x97, 0x9E, 0xA1, 0xA2],
}
UNSUBACK_REASONS = [0, 0x11, 0x80, 0x83, 0x87, 0x8F, 0x91]
CONNACK_REASONS = [0, *range(0x80, 0x8B), 0x8C, 0x90, 0x95, 0x97, *range(0x99, 0x9E), 0x9F]
DISCONNECT_REASONS = [0, 4, *range(0x80, 0x84), 0x87, 0x89, 0x8B, 0x8D, 0x8E, 0x8F, 0x90, *range(0x93, 0xA3)]


def properties(owner: type, level: int) -> st.SearchStrategy[Properties]:
    """Some properties of *owner*, each once except user properties; none at level 4."""
    if level == LEVEL_3_1_1:
        return st.just(())
    own = {key: values for key, (values, owners) in PROPERTY_TABLE.items() if owner.__name__ in owners.split()}
    once = [st.tuples(st.just(key), values) for key, values in own.items()]
    chosen = st.lists(st.one_of(once), max_size=4, unique_by=lambda pair: pair[0])
    repeated = st.lists(st.tuples(st.just(USER_PROPERTY), st.tuples(texts, texts)), max_size=2)
    return st.tuples(chosen, repeated).map(lambda lists: tuple(lists[0] + lists[1]))


def wills(level: int) -> st.SearchStrategy[Will]:
    return st.builds(Will, texts, payloads, st.integers(0, 2), st.booleans(), properties(Will, level))


@st.composite
def connects(draw: st.DrawFn, level: int) -> Connect:
    username = draw(st.none() | texts)
    return Connect(
        client_id=draw(texts),
        clean_start=draw(st.booleans()),
        keep_alive_s=draw(two_bytes),
        username=username,
        password=None if username is None and level == LEVEL_3_1_1 else draw(st.none() | payloads),
        will=draw(st.none() | wills(level)),
        level=level,
        properties=draw(properties(Connect, level)),
    )


@st.composite
def publishes(draw: st.DrawFn, level: int) -> Publish:
    qos = draw(st.integers(0, 2))
    return Publish(
        topic=draw(texts),
        payload=draw(payloads),
        qos=qos,
        retain=draw(st.booleans()),
        is_duplicate=draw(st.booleans()) if qos else False,
        packet_id=draw(packet_ids) if qos else None,
        properties=draw(properties(Publish, level)),
    )


def subscriptions(level: int) -> st.SearchStrategy[Subscription]:
    if level == LEVEL_3_1_1:
        return st.builds(Subscription, texts, st.integers(0, 2))
    return st.builds(Subscription, texts, st.integers(0, 2), st.booleans(), st.booleans(), st.integers(0, 2))


def reasoned(
    packet_type: type, level: int, reasons: list[int], *before: st.SearchStrategy[Any]
) -> st.SearchStrategy[Any]:
    """A packet that at level 5 has a reason and properties, and at level 4 neither."""
    if level == LEVEL_3_1_1:
        return st.tuples(*before).map(lambda values: packet_type(*values))
    return st.builds(packet_type, *before, st.sampled_from(reasons), properties(packet_type, level))


def packets_at(level: int) -> st.SearchStrategy[Packet]:
    """Every packet of one level."""

    def filters(each: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
        return st.lists(each, min_size=1, max_size=9).map(tuple)

    connack_reasons = st.integers(0, 255) if level == LEVEL_3_1_1 else st.sampled_from(CONNACK_REASONS)
    unsuback = filters(st.sampled_from(UNSUBACK_REASONS)) if level == LEVEL_5 else st.just(())
    suback = filters(st.sampled_from(SUBACK_REASONS[level]))
    return st.one_of(
        connects(level),
        st.builds(Connack, connack_reasons, st.booleans(), properties(Connack, level)),
        publishes(level),
        *(reasoned(each, level, ACKNOWLEDGED, packet_ids) for each in (Puback, Pubrec)),
        *(reasoned(each, level, [0, 0x92], packet_ids) for each in (Pubrel, Pubcomp)),
        st.builds(Subscribe, packet_ids, filters(subscriptions(level)), properties(Subscribe, level)),
        st.builds(Suback, packet_ids, suback, properties(Suback, level)),
        st.builds(Unsubscribe, packet_ids, filters(texts), properties(Unsubscribe, level)),
        st.builds(Unsuback, packet_ids, unsuback, properties(Unsuback, level)),
        st.just(Pingreq()),
        st.just(Pingresp()),
        reasoned(Disconnect, level, DISCONNECT_REASONS),
    )


packets = packets_at(LEVEL_3_1_1)
packets_5 = packets_at(LEVEL_5)
