"""What is really in an image: the proof that a board gets its own credential and nobody else's.

A build system can hand out yesterday's object file, and often does so for good reasons: PlatformIO does not see
a header that came by `-include`, nor one whose time did not change. So nobody is trusted: the bytes that are
about to be written are searched. Strings lie in an ESP image as they are, each ended by NUL.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from iotauth_authorizer.credential import PATTERN
from iotauth_cli.errors import DeviceError
from iotauth_cli.secret import Secret

GENERATED = re.compile(PATTERN.replace(r"\b", "").encode())
MIN_TELLING_BYTES = 8  # a shorter text may be in any program by accident


@dataclass(frozen=True)
class Known:
    """A credential by which an image can be recognised. *username* is complete, as the device sends it."""

    client_id: str
    username: str
    password: Secret

    def __repr__(self) -> str:
        return f"Known(client_id={self.client_id!r}, …)"

    @property
    def texts(self) -> tuple[bytes, bytes]:
        return self.password.reveal().encode(), self.username.encode()


def prove(image: bytes, own: Known | None, others: Iterable[Known], what: str) -> None:
    """Make sure that *image* holds the credential of *own* and none else; with None, that it holds none at all.

    Raises:
        DeviceError: it holds less or more. The sentence names clients, never secrets.
    """
    if own is not None:
        for text, name in zip(own.texts, ("password", "user name"), strict=True):
            if text not in image:
                raise DeviceError(
                    f"{what} does not hold the {name} of client `{own.client_id}`, so it was not written to the board",
                    hint="does the firmware include `secrets.h`, and use `MQTT_PASSWORD` and `MQTT_USERNAME` of it?",
                )
    stranger = next(iter(strangers(image, own, others)), None)
    if stranger is not None:
        raise DeviceError(
            f"{what} holds the credential of {stranger}, so it was not written to the board",
            hint="remove what was built before, and look for a second `secrets.h` in the project",
        )


def strangers(image: bytes, own: Known | None, others: Iterable[Known]) -> Iterator[str]:
    """Yield in words whose credential else is in *image*."""
    spans = own_spans(image, own)
    passwords: dict[bytes, str] = {}
    for other in others:
        if own is not None and other.client_id == own.client_id:
            # Its former password is no stranger's, but it is not what this board is to have either.
            texts: Sequence[bytes] = [text for text in other.texts[:1] if text not in own.texts]
        else:
            texts = [text for text in other.texts if own is None or text not in own.texts]
        passwords[other.texts[0]] = other.client_id
        if any(is_foreign(image, text, spans) for text in texts):
            yield f"client `{other.client_id}`"
    for found in GENERATED.finditer(image):
        if not is_inside(found.span(), spans) and found[0] not in passwords:
            yield "a client that is not known here"


def own_spans(image: bytes, own: Known | None) -> list[tuple[int, int]]:
    return [span for text in (own.texts if own else ()) for span in occurrences(image, text)]


def is_foreign(image: bytes, text: bytes, spans: Sequence[tuple[int, int]]) -> bool:
    """Tell whether *text* is in *image* other than as a part of what belongs there: `door-1` is in `my-door-1` too."""
    if len(text) < MIN_TELLING_BYTES:
        return False
    return any(not is_inside(span, spans) for span in occurrences(image, text))


def is_inside(span: tuple[int, int], spans: Iterable[tuple[int, int]]) -> bool:
    return any(begin <= span[0] and span[1] <= end for begin, end in spans)


def occurrences(image: bytes, text: bytes) -> Iterator[tuple[int, int]]:
    at = image.find(text) if text else -1
    while at >= 0:
        yield at, at + len(text)
        at = image.find(text, at + 1)


@dataclass(frozen=True)
class Partition:
    """A row of a partition table; offset and size in bytes."""

    name: str
    kind: str
    subtype: str
    offset: int
    size: int


FIRST_OFFSET = 0x9000  # behind bootloader and table; where a row leaves its offset out, it follows the one before
ALIGNMENT: Mapping[str, int] = {"app": 0x10000}  # Source: ESP-IDF, "Partition Tables"


def partitions(text: str) -> tuple[Partition, ...]:
    """Read a partition table as a CSV file, in ESP-IDF's spelling.

    Raises:
        ValueError: a row is none.
    """
    found: list[Partition] = []
    at = FIRST_OFFSET
    for line in text.splitlines():
        cells = [cell.strip() for cell in line.split("#")[0].split(",")]
        if not any(cells):
            continue
        name, kind, subtype, offset, size = cells[:5]
        grain = ALIGNMENT.get(kind, 0x1000)
        begin = number(offset) if offset else -(-at // grain) * grain
        found.append(Partition(name, kind, subtype, begin, number(size)))
        at = begin + found[-1].size
    return tuple(found)


def number(text: str) -> int:
    """Read `0x6000`, `24576`, `24K` or `1M`."""
    factor = {"k": 1024, "m": 1024 * 1024}.get(text[-1:].lower(), 1)
    return int(text[:-1] if factor > 1 else text, 0) * factor
