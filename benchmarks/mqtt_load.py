"""An MQTT load client: many devices in one event loop, cheap enough not to be what is measured.

Frames are made once and counted by their length, so that neither side of a comparison pays for a
decoder here. Everything goes over TLS with ALPN `mqtt`.
"""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from iotauth_cli.emulator.mqtt.codec import encode
from iotauth_cli.emulator.mqtt.packets import Connect, Puback, Publish, Subscribe, Subscription

PAYLOAD = b"x" * 128
TOPIC = "bench/t"
PACKET_ID_AT = 3 + 2 + len(TOPIC)  # first byte, two of length, the topic with its length
CONNACK_BYTES, SUBACK_BYTES, PUBACK_BYTES = 4, 5, 4
AT_MOST_ONCE = encode(Publish(TOPIC, PAYLOAD))
AT_LEAST_ONCE = encode(Publish(TOPIC, PAYLOAD, 1, packet_id=1))
WAIT_S = 60.0  # a lost message ends a measurement with an error instead of never


@dataclass(frozen=True)
class Broker:
    """Where to connect, and as whom: the CONNECT packet of the device with a number."""

    name: str
    port: int
    context: ssl.SSLContext
    connect: Callable[[int], Connect]


class Device(asyncio.Protocol):
    """Counts what it gets; `until` waits for so many bytes more."""

    def __init__(self) -> None:
        self.transport: asyncio.Transport
        self.on_data: Callable[[bytes], None] = self._count
        self._bytes = 0
        self._wanted = 0
        self._reached: asyncio.Future[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.on_data(data)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._reached is not None and not self._reached.done():
            self._reached.set_exception(ConnectionError("the broker closed the connection"))

    def _count(self, data: bytes) -> None:
        self._bytes += len(data)
        if self._reached is not None and self._bytes >= self._wanted and not self._reached.done():
            self._reached.set_result(None)

    def expect(self, count: int) -> asyncio.Future[None]:
        """Return a future that is done when *count* bytes have come from now on."""
        self._bytes, self._wanted = 0, count
        self._reached = asyncio.get_running_loop().create_future()
        return self._reached

    def send(self, data: bytes) -> None:
        self.transport.write(data)


async def connect(broker: Broker, number: int) -> Device:
    """Connect the device with *number* and see its CONNACK."""
    loop = asyncio.get_running_loop()
    _, device = await loop.create_connection(
        Device, "127.0.0.1", broker.port, ssl=broker.context, server_hostname="localhost"
    )
    accepted = device.expect(CONNACK_BYTES)
    device.send(encode(broker.connect(number)))
    await asyncio.wait_for(accepted, WAIT_S)
    return device


async def connect_many(broker: Broker, numbers: Iterable[int], at_a_time: int) -> list[Device]:
    room = asyncio.Semaphore(at_a_time)

    async def one(number: int) -> Device:
        async with room:
            return await connect(broker, number)

    return list(await asyncio.gather(*map(one, numbers)))


async def subscribe(device: Device, qos: int) -> None:
    granted = device.expect(SUBACK_BYTES)
    device.send(encode(Subscribe(1, (Subscription(TOPIC, qos),))))
    await asyncio.wait_for(granted, WAIT_S)


async def close(devices: Iterable[Device]) -> None:
    for device in devices:
        device.transport.abort()
    await asyncio.sleep(0.1)


async def seconds_per_connect(broker: Broker, count: int, at_a_time: int = 50) -> float:
    began = time.perf_counter()
    devices = await connect_many(broker, range(count), at_a_time)
    took = time.perf_counter() - began
    await close(devices)
    return took / count


async def seconds_per_message_qos_0(broker: Broker, count: int, subscribers: int = 1) -> float:
    """One publisher, *subscribers* subscribers, end to end; per message that is delivered."""
    publisher, *others = await connect_many(broker, range(subscribers + 1), 50)
    for device in others:
        await subscribe(device, 0)
    began = time.perf_counter()
    arrived = [device.expect(count * len(AT_MOST_ONCE)) for device in others]
    for _ in range(0, count, 100):
        publisher.send(AT_MOST_ONCE * 100)
        await asyncio.sleep(0)
    await asyncio.wait_for(asyncio.gather(*arrived), WAIT_S)
    took = time.perf_counter() - began
    await close([publisher, *others])
    return took / (count * subscribers)


async def seconds_per_message_qos_1(broker: Broker, count: int, window: int = 50) -> float:
    """One publisher with *window* messages on their way, one subscriber, PUBACK on both sides."""
    publisher, subscriber = await connect_many(broker, range(2), 2)
    await subscribe(subscriber, 1)
    acknowledge(subscriber)
    began = time.perf_counter()
    await asyncio.wait_for(publish_in_window(publisher, count, window), WAIT_S)
    took = time.perf_counter() - began
    await close([publisher, subscriber])
    return took / count


async def publish_in_window(publisher: Device, count: int, window: int) -> None:
    """Publish *count* messages at QoS 1, each with an id that is not on its way."""
    done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    sent = acknowledged = bytes_over = 0
    frames = [numbered(packet_id) for packet_id in range(1, 2 * window + 1)]

    def send(number: int) -> None:
        nonlocal sent
        number = min(number, count - sent)
        publisher.send(b"".join(frames[(sent + index) % len(frames)] for index in range(number)))
        sent += number

    def on_pubacks(data: bytes) -> None:
        nonlocal acknowledged, bytes_over
        came, bytes_over = divmod(bytes_over + len(data), PUBACK_BYTES)
        acknowledged += came
        if acknowledged == count:
            done.set_result(None)
        elif sent < count and came:
            send(came)

    publisher.on_data = on_pubacks
    send(window)
    await done


def numbered(packet_id: int) -> bytes:
    return encode(Publish(TOPIC, PAYLOAD, 1, packet_id=packet_id))


def acknowledge(subscriber: Device) -> None:
    """Answer every PUBLISH of the one size that is sent here with its PUBACK."""
    rest = b""
    pubacks: dict[bytes, bytes] = {}

    def on_publishes(data: bytes) -> None:
        nonlocal rest
        data = rest + data
        whole = len(data) - len(data) % len(AT_LEAST_ONCE)
        rest = data[whole:]
        answers = []
        for start in range(0, whole, len(AT_LEAST_ONCE)):
            packet_id = data[start + PACKET_ID_AT : start + PACKET_ID_AT + 2]
            if packet_id not in pubacks:
                pubacks[packet_id] = encode(Puback(int.from_bytes(packet_id, "big")))
            answers.append(pubacks[packet_id])
        if answers:
            subscriber.send(b"".join(answers))

    subscriber.on_data = on_publishes
