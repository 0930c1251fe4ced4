"""One client's row: the table's one schema, rows of older tools included.

=====================================  =======  ================================================
attribute                              type     meaning
=====================================  =======  ================================================
Client_ID                              S        the key
Username                               S        must be the user part of the name, when present
allow_connect                          BOOL     may connect at all; absent means no
Secret_A, Secret_B                     M        Hash (S), Created (N), State (S), Expires (N), First_used (N),
                                                Grace (N): seconds that a retiring one has from the other's first use
publish_topics, subscribe_topics,      L of S   MQTT topic filters
retain_topics, will_topics
Expires, Created, Updated              N        epoch seconds
Token                                  M        signed tokens, by when they were issued: Issued (N), newest handed out;
                                                Key (S), which key signed that; Seen (N), newest seen;
                                                Required (BOOL): nobody gets in without;
                                                Unsigned (N): when somebody first got in without
Tags                                   M of S   what the user groups clients by
Note                                   S        what the user wrote
Version                                N        counts the changes that people make; absent in rows of older tools
Password                               S        older rows: the password itself
allow_read, allow_write                BOOL     older rows: whether the topic below counts; absent means no
read_topic, write_topic                S        older rows: one topic each, in AWS's wildcards
=====================================  =======  ================================================

Rows are also written by hand, so a truth may be `true` in text or the number 1, and other
attributes are let be. Anything that is not clearly true is false.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple, get_args

from iotauth_authorizer.credential import Slot, SlotState
from iotauth_authorizer.grants import Grants

SLOT_NAMES = ("A", "B")
SLOT_STATES: tuple[SlotState, ...] = get_args(SlotState)
_STATE_OF_TEXT: Mapping[str, SlotState] = {state: state for state in SLOT_STATES}
KEY = "Client_ID"
MAX_NUMBER = 10**15  # thirty million years: no point in time, and more than a calendar can show

Item = dict[str, dict[str, Any]]  # as DynamoDB's JSON has it: {"Client_ID": {"S": "thermo-1"}}

_NOTHING: Mapping[str, Any] = MappingProxyType({})


class MalformedRecord(ValueError):
    """An attribute has the wrong type. The message names the attribute, never its value."""


class TokenNote(NamedTuple):
    """What is known of a client's signed tokens, by when they were issued, in epoch seconds.

    *issued_at* is the newest that was handed out, *seen_at* the newest that the function has seen.
    *unsigned_at* is when the client first logged in without one, where none is required.
    *key* names the key that signed the newest handed out; the function makes nothing of it.
    """

    issued_at: int | None = None
    seen_at: int | None = None
    is_required: bool = False
    unsigned_at: int | None = None
    key: str | None = None


class ClientRecord(NamedTuple):
    """A client as the table knows it. Times are epoch seconds.

    *username* is None when any is refused but an empty one or the client id itself;
    *plain_password* is set in rows of older tools only.
    """

    client_id: str
    username: str | None = None
    enabled: bool = True
    slots: Mapping[str, Slot] = _NOTHING
    plain_password: str | None = None
    grants: Grants = Grants()
    expires_at: int | None = None
    tags: Mapping[str, str] = _NOTHING
    note: str | None = None
    created_at: int | None = None
    updated_at: int | None = None
    version: int | None = None
    token: TokenNote | None = None

    def __repr__(self) -> str:
        # The default would print the password of an older row.
        return f"ClientRecord(client_id={self.client_id!r}, enabled={self.enabled}, slots={self.slots!r}, …)"


def key(client_id: str) -> Item:
    """Return the key of a client's row."""
    return {KEY: {"S": client_id}}


def from_item(item: Mapping[str, Any]) -> ClientRecord:
    """Read a row as DynamoDB's typed JSON gives it.

    Raises:
        MalformedRecord: the key is missing, or an attribute that counts has the wrong type.
    """
    client_id = _text(item, KEY)
    if not client_id:
        raise MalformedRecord(f"`{KEY}` is missing")
    return ClientRecord(
        client_id=client_id,
        username=_text(item, "Username"),
        enabled=_truth(item, "allow_connect"),
        slots=_slots(item),
        plain_password=_text(item, "Password"),
        grants=_grants(item),
        expires_at=_number(item, "Expires"),
        tags=_tags(item),
        note=_text(item, "Note"),
        created_at=_number(item, "Created"),
        updated_at=_number(item, "Updated"),
        version=_number(item, "Version"),
        token=_token(item),
    )


def to_item(record: ClientRecord) -> Item:
    """Write a row: `from_item(to_item(record)) == record`. What is None or empty is left out."""
    grants = record.grants
    return _present(
        {
            KEY: _s(record.client_id),
            "Username": _s(record.username),
            "allow_connect": {"BOOL": record.enabled},
            **{f"Secret_{name}": slot_attribute(slot) for name, slot in record.slots.items()},
            "Password": _s(record.plain_password),
            "publish_topics": _l(grants.publish),
            "subscribe_topics": _l(grants.subscribe),
            "retain_topics": _l(grants.retain),
            "will_topics": _l(grants.will),
            **_older_topic("read", grants.older_read),
            **_older_topic("write", grants.older_write),
            "Expires": _n(record.expires_at),
            "Tags": {"M": {name: {"S": value} for name, value in record.tags.items()}} if record.tags else None,
            "Note": _s(record.note),
            "Created": _n(record.created_at),
            "Updated": _n(record.updated_at),
            "Version": _n(record.version),
            "Token": None if record.token is None else token_attribute(record.token),
        }
    )


def slot_attribute(slot: Slot) -> dict[str, Any]:
    """Write one slot as the attribute `Secret_A` or `Secret_B` holds it."""
    return {
        "M": _present(
            {
                "Hash": _s(slot.hash),
                "Created": _n(slot.created_at),
                "State": _s(slot.state),
                "Expires": _n(slot.expires_at),
                "First_used": _n(slot.first_used_at),
                "Grace": _n(slot.grace_s),
            }
        )
    }


def retirement(record: ClientRecord, used: str, now: int) -> tuple[str, int] | None:
    """Return which slot's grace begins with the first use of *used* and when it ends, or None if none does."""
    for name, slot in record.slots.items():
        if name != used and slot.state == "retiring" and slot.grace_s is not None:
            end = now + slot.grace_s
            return name, end if slot.expires_at is None else min(end, slot.expires_at)
    return None


def token_attribute(note: TokenNote) -> dict[str, Any]:
    """Write the attribute `Token`."""
    required = {"BOOL": True} if note.is_required else None
    times = {"Issued": _n(note.issued_at), "Seen": _n(note.seen_at), "Unsigned": _n(note.unsigned_at)}
    return {"M": _present({**times, "Required": required, "Key": _s(note.key)})}


def _value(item: Mapping[str, Any], name: str, kind: str) -> Any:
    """Return the attribute's value, or None when it is absent or NULL."""
    attribute = item.get(name)
    if attribute is None or "NULL" in attribute:
        return None
    if kind not in attribute:
        raise MalformedRecord(f"`{name}` is not of type {kind}")
    return attribute[kind]


def _text(item: Mapping[str, Any], name: str) -> str | None:
    value: str | None = _value(item, name, "S")
    return value


def _number(item: Mapping[str, Any], name: str) -> int | None:
    digits = _value(item, name, "N")
    try:
        number = None if digits is None else int(digits)
    except ValueError as error:
        raise MalformedRecord(f"`{name}` is not a whole number") from error
    if number is not None and not -MAX_NUMBER <= number <= MAX_NUMBER:
        raise MalformedRecord(f"`{name}` is larger than any time")
    return number


def _truth(item: Mapping[str, Any], name: str) -> bool:
    attribute = item.get(name, {})
    is_true: bool = attribute.get("BOOL") is True or attribute.get("N") == "1"
    return is_true or str(attribute.get("S")).lower() == "true"


def _texts(item: Mapping[str, Any], name: str) -> tuple[str, ...]:
    try:
        return tuple([entry["S"] for entry in _value(item, name, "L") or ()])
    except KeyError as error:
        raise MalformedRecord(f"`{name}` holds something else than texts") from error


def _tags(item: Mapping[str, Any]) -> dict[str, str]:
    members = _value(item, "Tags", "M") or {}
    return {name: _text(members, name) or "" for name in members}


def _token(item: Mapping[str, Any]) -> TokenNote | None:
    members = _value(item, "Token", "M")
    if members is None:
        return None
    issued_at, seen_at, unsigned_at = (_number(members, name) for name in ("Issued", "Seen", "Unsigned"))
    return TokenNote(issued_at, seen_at, _truth(members, "Required"), unsigned_at, _text(members, "Key"))


def _slots(item: Mapping[str, Any]) -> dict[str, Slot]:
    found = {name: _value(item, f"Secret_{name}", "M") for name in SLOT_NAMES}
    return {name: _slot(members, f"Secret_{name}") for name, members in found.items() if members is not None}


def _slot(members: Mapping[str, Any], name: str) -> Slot:
    encoded, created_at = _text(members, "Hash"), _number(members, "Created")
    state = _STATE_OF_TEXT.get(_text(members, "State") or "")
    if encoded is None or created_at is None or state is None:
        raise MalformedRecord(f"`{name}` lacks its hash, its date or a state that is known")
    times = [_number(members, member) for member in ("Expires", "First_used", "Grace")]
    return Slot(encoded, created_at, state, *times)


def _grants(item: Mapping[str, Any]) -> Grants:
    return Grants(
        publish=_texts(item, "publish_topics"),
        subscribe=_texts(item, "subscribe_topics"),
        retain=_texts(item, "retain_topics"),
        will=_texts(item, "will_topics"),
        older_read=_text(item, "read_topic") if _truth(item, "allow_read") else None,
        older_write=_text(item, "write_topic") if _truth(item, "allow_write") else None,
    )


def _older_topic(direction: str, topic: str | None) -> Item:
    if topic is None:
        return {}
    return {f"allow_{direction}": {"BOOL": True}, f"{direction}_topic": {"S": topic}}


def _present(attributes: Mapping[str, dict[str, Any] | None]) -> Item:
    return {name: attribute for name, attribute in attributes.items() if attribute is not None}


def _s(text: str | None) -> dict[str, Any] | None:
    return None if text is None else {"S": text}


def _n(number: int | None) -> dict[str, Any] | None:
    return None if number is None else {"N": str(number)}


def _l(texts: tuple[str, ...]) -> dict[str, Any] | None:
    return {"L": [{"S": text} for text in texts]} if texts else None
