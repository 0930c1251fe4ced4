"""Secrets in messages that come: a device may publish its own by mistake, and a screen is seen by others."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

from iotauth_authorizer.credential import PATTERN, is_intact
from iotauth_cli.probe.conversation import Message
from iotauth_cli.secret import MASK, Secret

SHORTEST = 8  # bytes; a shorter password of one's own may be a word that messages are full of
GENERATED = re.compile(PATTERN.encode())
IN_BASE64 = re.compile(rb"(?<![A-Za-z0-9+/])aW90YV[A-Za-z0-9+/]{45}[A-Za-z0-9+/]?=?")  # `iota_…`, as events carry it


def masked(message: Message, known: Iterable[Secret]) -> Message:
    """Return *message* without a secret of ours in its topic, payload or properties."""
    hide = hider(known)
    clean = replace(message, topic=hide(message.topic.encode(errors="surrogatepass")).decode(errors="replace"))
    return replace(clean, payload=hide(message.payload), properties=hidden(message.properties, hide))


def hider(known: Iterable[Secret]) -> Callable[[bytes], bytes]:
    """Return what masks generated secrets, by their checksum, and the *known* ones, the longest first."""
    texts = sorted((each.reveal().encode() for each in known), key=len, reverse=True)
    texts = [text for text in texts if len(text) >= SHORTEST]

    def is_generated(found: re.Match[bytes]) -> bytes:
        return MASK.encode() if is_intact(found[0].decode()) else found[0]

    def is_encoded(found: re.Match[bytes]) -> bytes:
        text = base64.b64decode(found[0].rstrip(b"=") + b"==", validate=False)
        return MASK.encode() if is_intact(text.decode(errors="replace")) else found[0]

    def hide(data: bytes) -> bytes:
        for text in texts:
            data = data.replace(text, MASK.encode())
        return IN_BASE64.sub(is_encoded, GENERATED.sub(is_generated, data))

    return hide


def hidden(value: Any, hide: Callable[[bytes], bytes]) -> Any:
    if isinstance(value, str):
        return hide(value.encode(errors="surrogatepass")).decode(errors="replace")
    if isinstance(value, list):
        return [hidden(each, hide) for each in value]
    return {name: hidden(each, hide) for name, each in value.items()} if isinstance(value, dict) else value
