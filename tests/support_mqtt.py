"""Every MQTT 3.1.1 packet, for hypothesis."""

from __future__ import annotations

from hypothesis import strategies as st

from iotauth_cli.emulator.mqtt.packets import (
    Connack,
    Connect,
    Disconnect,
    Packet,
    Pingreq,
    Pingresp,
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
wills = st.builds(Will, topic=texts, payload=payloads, qos=st.integers(0, 2), retain=st.booleans())


@st.composite
def connects(draw: st.DrawFn) -> Connect:
    username = draw(st.none() | texts)
    return Connect(
        client_id=draw(texts),
        clean_start=draw(st.booleans()),
        keep_alive_s=draw(st.integers(0, 65_535)),
        username=username,
        password=None if username is None else draw(st.none() | payloads),
        will=draw(st.none() | wills),
    )


@st.composite
def publishes(draw: st.DrawFn) -> Publish:
    qos = draw(st.integers(0, 2))
    return Publish(
        topic=draw(texts),
        payload=draw(payloads),
        qos=qos,
        retain=draw(st.booleans()),
        is_duplicate=draw(st.booleans()) if qos else False,
        packet_id=draw(packet_ids) if qos else None,
    )


subscriptions = st.builds(Subscription, texts, st.integers(0, 2))

packets: st.SearchStrategy[Packet] = st.one_of(
    connects(),
    st.builds(Connack, st.integers(0, 255), st.booleans()),
    publishes(),
    st.builds(Puback, packet_ids),
    st.builds(Pubrec, packet_ids),
    st.builds(Pubrel, packet_ids),
    st.builds(Pubcomp, packet_ids),
    st.builds(Subscribe, packet_ids, st.lists(subscriptions, min_size=1, max_size=9).map(tuple)),
    st.builds(Suback, packet_ids, st.lists(st.sampled_from([0, 1, 2, 0x80]), min_size=1).map(tuple)),
    st.builds(Unsubscribe, packet_ids, st.lists(texts, min_size=1, max_size=9).map(tuple)),
    st.builds(Unsuback, packet_ids),
    st.just(Pingreq()),
    st.just(Pingresp()),
    st.just(Disconnect()),
)
