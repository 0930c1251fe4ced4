"""What listen and publish show: a line of facts for each message, its payload below, and what happens to the line.

Pure: values in, lines out. JSON is only given its line breaks: numbers, order and doubled names stay as they came.
"""

from __future__ import annotations

import base64
import json
import re
import shlex
import textwrap
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from iotauth_cli.operations.messages import Cut, Explained, Message, Participant, Published, Refused, Sending

INDENT = "  "
MAX_WIDTH = 100  # longer lines are hard to read
HEX_SHOWN = 256  # bytes of a binary payload
BYTES_A_LINE = 16
MANY = 3  # connections in a row that did not last
TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|[{}\[\],:]|[^\s{}\[\],:"]+')
LABELS = {
    "content_type": "content type",
    "response_topic": "response topic",
    "correlation_data": "correlation data",
    "expires_in_s": "expires in",
    "payload_format": "payload format",
    "user_properties": "user property",
}
# What text keeps as it is; a payload with other control characters is shown as bytes.
MAX_DEPTH = 100  # levels of JSON that are set out line by line
NOT_TEXT = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")


def message(found: Message) -> list[str]:
    """Return a message's lines."""
    facts = [f"QoS {found.qos}", *(["retained"] if found.retain else []), size(len(found.payload))]
    head = f"{clock(found.at)}  `{found.topic}`  {', '.join(facts)}"
    return [head, *(INDENT + line for line in (*properties(found.properties), *payload(found.payload)))]


def clock(at: float) -> str:
    milliseconds = int(at * 1000)
    return f"{time.strftime('%H:%M:%S', time.gmtime(milliseconds // 1000))}.{milliseconds % 1000:03d}Z"


def size(count: int) -> str:
    return f"{count:,} byte{'' if count == 1 else 's'}"


def properties(found: Any) -> list[str]:
    lines = []
    for name, value in found.items():
        if name == "user_properties":
            lines += [f"{LABELS[name]}: {key} = {text}" for key, text in value]
        else:
            lines.append(f"{LABELS.get(name, name)}: {value}{' s' if name == 'expires_in_s' else ''}")
    return lines


def payload(content: bytes) -> list[str]:
    """Return JSON with line breaks, text as it is, anything else in hexadecimal."""
    if not content:
        return ["(empty)"]
    text = as_text(content)
    if text is None:
        return hexadecimal(content)
    if text[:1] in "{[" and is_json(text):
        return indented(text)
    return text.splitlines() or [text]


def as_text(content: bytes) -> str | None:
    try:
        text = content.decode()
    except UnicodeDecodeError:
        return None
    return None if NOT_TEXT.search(text) else text


def is_json(text: str) -> bool:
    return parsed(text) is not None


def parsed(text: str) -> tuple[Any] | None:
    """Return the JSON value in *text*, alone in a tuple; None if it is none that JSON can say again, or too deep."""
    try:
        value = json.loads(text, parse_constant=refuse, parse_float=finite)
    except (ValueError, RecursionError):
        return None
    return None if is_deep(value) else (value,)


def is_deep(value: Any) -> bool:
    """Tell whether *value* is nested deeper than anybody reads; how deep json goes depends on the Python."""
    level = [value]
    for _ in range(MAX_DEPTH):
        level = [
            inner
            for each in level
            if isinstance(each, (dict, list))
            for inner in (each.values() if isinstance(each, dict) else each)
        ]
        if not level:
            return False
    return True


def refuse(text: str) -> Any:
    raise ValueError(f"{text} is not JSON")


def finite(text: str) -> float:
    number = float(text)
    return refuse(text) if number in (float("inf"), float("-inf")) else number


def indented(text: str) -> list[str]:
    """Return JSON *text* on lines of its own, not a character of its values changed."""
    lines, line, depth, before = [], "", 0, ""
    for token in TOKEN.findall(text):
        closes, is_first = token in "}]", before in ("{", "[")
        depth -= closes
        if before == "," or closes != is_first:  # an empty object stays on its line
            lines.append(line)
            line = INDENT * depth
        line += f"{token} " if token == ":" else token
        depth += token in "{["
        before = token
    return [*lines, line]


def hexadecimal(content: bytes) -> list[str]:
    lines = list(hex_lines(content[:HEX_SHOWN]))
    left = len(content) - HEX_SHOWN
    return [*lines, f"… and {size(left)} more"] if left > 0 else lines


def hex_lines(content: bytes) -> Iterator[str]:
    for start in range(0, len(content), BYTES_A_LINE):
        part = content[start : start + BYTES_A_LINE]
        letters = "".join(chr(byte) if 0x20 <= byte < 0x7F and byte != 0x60 else "." for byte in part)
        yield f"{start:04x}  {part.hex(' '):<{BYTES_A_LINE * 3 - 1}}  {letters}"


def message_document(found: Message) -> dict[str, Any]:
    return {
        "at": f"{time.strftime('%Y-%m-%dT', time.gmtime(found.at))}{clock(found.at)}",
        "topic": found.topic,
        "qos": found.qos,
        "retain": found.retain,
        "bytes": len(found.payload),
        **payload_members(found.payload),
        **({"properties": dict(found.properties)} if found.properties else {}),
    }


def payload_members(content: bytes) -> dict[str, Any]:
    """Return the payload in the form that loses nothing: a JSON value, a text, or base64."""
    try:
        text = content.decode()
    except UnicodeDecodeError:
        return {"encoding": "base64", "payload": base64.b64encode(content).decode()}
    value = parsed(text)
    if value is None:
        return {"encoding": "text", "payload": text}
    return {"encoding": "json", "payload": value[0]}


def connected(who: Participant, filters: list[str], *, again: bool) -> list[str]:
    """Return what is said when the connection stands."""
    name = "with your AWS keys" if who.is_operator else f"as `{who.client_id}`"
    if again:
        return [f"connected again {name}"]
    return [f"listening {name} at {who.line.endpoint} to {', '.join(f'`{each}`' for each in filters)}"]


def cut(found: Cut, who: Participant, command: Callable[[str], str]) -> list[str]:
    """Return what is said when the connection is gone; what to do about it, once that is worth a thought."""
    lines = [f"the connection is gone: {found.reason}; trying again in {found.wait_s:g} s"]
    if found.times != MANY or who.is_operator:
        return lines
    if found.was_refused:
        return [*lines, f"ask why: {command(f'test-connect {shlex.quote(who.client_id)}')}"]
    return [
        *lines,
        f"perhaps a device is connected as `{who.client_id}`, and each throws the other out; "
        f"listen without disturbing it: {command('listen --operator')}",
    ]


def refusal(found: Refused, explained: Explained, hint: str, width: int) -> list[str]:
    """Return why something was refused, as far as is known."""
    from iotauth_cli.cli import render_policy

    what = "to subscribe to" if found.verb == "subscribe" else "to publish to"
    how = f"answered with {found.reason}" if found.is_certain else f"the connection was {found.reason}"
    lines = [f"refused {what} `{found.topic}`: {how}"]
    if explained.ruling is None:
        lines.append(f"why: {explained.unknown}")
    elif explained.ruling.allowed:
        lines.append(f"its row in the table would allow it, so the cause lies elsewhere; ask: {hint}")
    else:
        return [*folded(lines, width), *render_policy.ruling(explained.ruling)]
    return folded(lines, width)


def folded(lines: list[str], width: int) -> list[str]:
    return [
        part
        for line in lines
        for part in textwrap.wrap(
            line, min(width, MAX_WIDTH), subsequent_indent=INDENT, break_long_words=False, break_on_hyphens=False
        )
    ]


def refusal_document(found: Refused, explained: Explained) -> dict[str, Any]:
    from iotauth_cli.cli import render_policy

    policy = render_policy.ruling_document(explained.ruling) if explained.ruling else None
    return {
        "ok": False,
        "refused": {
            "action": found.verb,
            "topic": found.topic,
            "reason": found.reason,
            "policy": policy,
            "unknown": explained.unknown,
        },
    }


def published(topic: str, found: Published, how: Sending, who: Participant) -> str:
    name = "with your AWS keys" if who.is_operator else f"as `{who.client_id}`"
    way = "over HTTPS" if how.is_http else f"at QoS {how.qos}"
    kept = ", retained" if how.retain else ""
    return f"published {size(found.size)} to `{topic}` {name} {way}{kept}; taken after {found.ms:.0f} ms"


def published_document(topic: str, sent: list[Published], how: Sending, who: Participant) -> dict[str, Any]:
    return {
        "ok": True,
        "client": None if who.is_operator else who.client_id,
        "topic": topic,
        "qos": how.qos,
        "retain": how.retain,
        "bytes": sent[0].size if sent else 0,
        "ms": [round(each.ms, 1) for each in sent],
    }
