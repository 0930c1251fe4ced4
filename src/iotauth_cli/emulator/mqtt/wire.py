"""The fields of which MQTT packets are made: lengths, texts, binary data, packet ids.

Sources: MQTT 3.1.1, 1.5 and 2.2.3 (OASIS, 2014); MQTT 5, 1.5 and 2.1.4 (OASIS, 2019).
"""

from __future__ import annotations

MAX_TEXT_BYTES = 65_535  # a field's length is two bytes
MAX_LENGTH_BYTES = 4  # of the remaining length


class MalformedPacket(ValueError):
    """The bytes break a rule of MQTT; the message says which. *reason* is MQTT 5's code for it."""

    reason = 0x81


class ProtocolError(MalformedPacket):
    """A packet that can be read and must not be sent: MQTT 5 tells the two apart."""

    reason = 0x82


class PacketTooLarge(MalformedPacket):
    reason = 0x95


class Reader:
    """Reads one packet's body from front to back; running out of bytes is a malformed packet."""

    __slots__ = ("_body", "_position")

    def __init__(self, body: bytes) -> None:
        self._body = body
        self._position = 0

    def take(self, count: int) -> bytes:
        taken = self._body[self._position : self._position + count]
        if len(taken) < count:
            raise MalformedPacket("the packet ends in the middle of a field")
        self._position += count
        return taken

    def byte(self) -> int:
        return self.take(1)[0]

    def number(self) -> int:
        return int.from_bytes(self.take(2), "big")

    def variable(self) -> int:
        """Read a number of one to four bytes, seven bits in each."""
        value = 0
        for shift in range(0, 7 * MAX_LENGTH_BYTES, 7):
            byte = self.byte()
            value |= (byte & 127) << shift
            if byte < 128:
                return value
        raise MalformedPacket("a length is longer than four bytes")

    def packet_id(self) -> int:
        return checked_packet_id(self.number())

    def blob(self) -> bytes:
        return self.take(self.number())

    def text(self) -> str:
        return decode_text(self.blob())

    @property
    def is_at_end(self) -> bool:
        return self._position == len(self._body)

    def rest(self) -> bytes:
        return self.take(len(self._body) - self._position)

    def end(self) -> None:
        if not self.is_at_end:
            raise MalformedPacket("the packet is longer than its fields")


def decode_text(data: bytes) -> str:
    """Well-formed UTF-8, so no surrogates, and without U+0000."""
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        raise MalformedPacket("a text is not UTF-8") from error
    if "\0" in text:
        raise MalformedPacket("a text contains U+0000")
    return text


def checked_packet_id(packet_id: int) -> int:
    if packet_id == 0:
        raise MalformedPacket("the packet id is 0")
    return packet_id


def encode_text(value: str) -> bytes:
    return encode_blob(value.encode())


def encode_blob(data: bytes) -> bytes:
    if len(data) > MAX_TEXT_BYTES:
        raise ValueError(f"{len(data)} bytes do not fit into a field of {MAX_TEXT_BYTES}")
    return len(data).to_bytes(2, "big") + data


def encode_number(value: int) -> bytes:
    return value.to_bytes(2, "big")


def encode_length(length: int) -> bytes:
    """Seven bits a byte, the lowest first."""
    if length < 128:
        return bytes((length,))
    encoded = bytearray()
    while length > 127:
        encoded.append(length & 127 | 128)
        length >>= 7
    encoded.append(length)
    return bytes(encoded)


def decode_length(buffer: bytes, position: int) -> tuple[int, int]:
    """Return where the body starts and how long it is; (0, 0) when the length is not all there."""
    length = 0
    for shift in range(0, 7 * MAX_LENGTH_BYTES, 7):
        if position >= len(buffer):
            return 0, 0
        byte = buffer[position]
        position += 1
        length |= (byte & 127) << shift
        if byte < 128:
            return position, length
    raise MalformedPacket("the remaining length is longer than four bytes")
