"""The decision: who may connect, and with which policy. Pure; starts from deny.

Every branch returns a `Decision`, and all refusals carry the same answer: which of them it
was is for the log alone. In the order in which they are checked:

====================  ==========================================================================
reason                meaning
====================  ==========================================================================
`signature-required`  the function or the client's row wants a signed token, and none was verified
`no-client-id`        there is none, or one that AWS IoT would not take
`no-password`         there is none, or an empty one
`unknown-client`      the table has no such row
`wrong-password`      it matches neither slot, nor the plain password of an older row
`secret-retired`      it matches a slot that a rotation has retired
`secret-expired`      it matches a slot whose time is over
`wrong-username`      the user part of the user name is not this client's
`wrong-token`         the token is signed, and for another client than this
`disabled`            the row's `allow_connect` is not true
`expired`             the client's time is over
`policy-too-large`    its grants do not fit into ten policy documents
`malformed-record`    a value in the row cannot stand in a policy
`ok`                  may connect
====================  ==========================================================================

What comes after the password concerns clients who proved who they are. An unknown client and a
wrong password cost the same two hashes; only a row hashed with scrypt is slower than a
stranger's, since making every stranger cost as much would let strangers stop the fleet.
"""

from __future__ import annotations

from typing import NamedTuple

from iotauth_authorizer.credential import DUMMY, Slot, equal, verify
from iotauth_authorizer.event import MAX_TIMER_S, MIN_TIMER_S, REFUSAL, Answer, ConnectRequest
from iotauth_authorizer.grants import (
    MAX_CLIENT_ID_BYTES,
    ArnScope,
    PolicyTooLarge,
    compile_policies,
    principal_id,
)
from iotauth_authorizer.record import SLOT_NAMES, ClientRecord
from iotauth_authorizer.username import parse_token, user_part

CLIENT_ID_HEADER = "x-iotauth-client-id"
USERNAME_HEADER = "x-iotauth-username"
PASSWORD_HEADER = "x-iotauth-password"


class Settings(NamedTuple):
    """What the function's environment decides. The timers are held to what AWS IoT takes."""

    refresh_after_s: int = 3600  # a disabled client that nobody disconnects is out within the hour
    disconnect_after_s: int = MAX_TIMER_S
    require_signature: bool = False


class Decision(NamedTuple):
    """What was decided and why. *slot* is the one that the password matched, if it was a slot.

    *first_use* says that a pending slot has just been seen for the first time; *token_note* what is to
    be noted of signed tokens: a member of the row's `Token` and its time.
    """

    allowed: bool
    reason: str
    answer: Answer
    slot: str | None = None
    first_use: bool = False
    token_note: tuple[str, int] | None = None


class Credentials(NamedTuple):
    """What a request presents, whichever way it came in. *user* is the user part only.

    *token* is one whose signature AWS IoT has verified, and nothing else.
    """

    client_id: str
    user: str
    password: bytes
    over_http: bool
    token: str | None = None

    def __repr__(self) -> str:
        return f"Credentials(client_id={self.client_id!r}, …)"


class _Match(NamedTuple):
    reason: str
    slot: str | None = None


def client_id_of(request: ConnectRequest) -> str | None:
    """Return the client id under which the row lies: CONNECT's, or over plain HTTP the header's.

    One that AWS IoT would not take, 1 to 128 bytes of UTF-8 and no `$` in front, counts as absent.
    """
    client_id = request.http_headers.get(CLIENT_ID_HEADER) if _is_http(request) else request.client_id
    if not client_id or client_id[0] == "$":
        return None
    try:
        return client_id if len(client_id.encode()) <= MAX_CLIENT_ID_BYTES else None
    except UnicodeEncodeError:
        return None


def examine(request: ConnectRequest, settings: Settings) -> Credentials | Decision:
    """Take the credentials out of a request, or refuse it: what no row could change costs no look-up.

    CONNECT carries them, over WebSocket too. A plain HTTP publish has no CONNECT; there they
    are the headers `x-iotauth-client-id` and `x-iotauth-password` (the text itself, not
    base64), and `x-iotauth-username` for a client that has one.
    """
    client_id = client_id_of(request)
    over_http = _is_http(request)
    password = _bytes(request.http_headers.get(PASSWORD_HEADER, "")) if over_http else request.password
    username = request.http_headers.get(USERNAME_HEADER) if over_http else request.username
    if settings.require_signature and request.signature_verified is not True:
        return refuse("signature-required")
    if client_id is None:
        return refuse("no-client-id")
    if not password:
        return refuse("no-password")
    token = (request.token or "") if request.signature_verified is True else None
    return Credentials(client_id, user_part(username or ""), password, over_http, token)


def refuse(reason: str, slot: str | None = None) -> Decision:
    """Refuse, as every refusal does: one answer for all reasons."""
    return Decision(False, reason, REFUSAL, slot)


def decide(
    request: ConnectRequest, record: ClientRecord | None, *, now: int, scope: ArnScope, settings: Settings
) -> Decision:
    """Decide about *request*, given the row of its client id, or None when there is none."""
    credentials = examine(request, settings)
    if isinstance(credentials, Decision):
        return credentials
    return judge(credentials, record, now=now, scope=scope, settings=settings)


def judge(
    credentials: Credentials, record: ClientRecord | None, *, now: int, scope: ArnScope, settings: Settings
) -> Decision:
    """Decide about *credentials* that `examine` took out of a request, given the row of their client id.

    The user part must equal the row's Username. A row without one accepts an empty user
    part or the client id itself: what the SDKs and what people put there. Anything else
    names somebody whom the row does not know, and is refused.
    """
    match = _match(record, credentials.client_id, credentials.password, now)
    if record is None or record.client_id != credentials.client_id:
        return refuse("unknown-client")
    if match.reason != "ok":
        return refuse(match.reason, match.slot)
    if not _is_username(record, credentials):
        return refuse("wrong-username", match.slot)
    issued_at = None
    if credentials.token is not None:
        issued_at = _issued_at(credentials.token, record.client_id)
        if issued_at is None:
            return refuse("wrong-token", match.slot)
    elif record.token is not None and record.token.is_required:
        return refuse("signature-required", match.slot)
    if not record.enabled:
        return refuse("disabled", match.slot)
    if _is_over(record.expires_at, now):
        return refuse("expired", match.slot)
    decision = _allow(record, match.slot, now=now, scope=scope, settings=settings, over_http=credentials.over_http)
    note = _token_note(record, issued_at, now)
    return decision._replace(token_note=note) if note is not None and decision.allowed else decision


def _allow(
    record: ClientRecord, slot_name: str | None, *, now: int, scope: ArnScope, settings: Settings, over_http: bool
) -> Decision:
    grants = record.grants.publish_only() if over_http else record.grants
    try:
        documents = compile_policies(grants, record.client_id, scope)
    except PolicyTooLarge:
        return refuse("policy-too-large", slot_name)
    except ValueError:
        return refuse("malformed-record", slot_name)
    slot = record.slots[slot_name] if slot_name else None
    answer = Answer(
        is_authenticated=True,
        principal_id=principal_id(record.client_id),
        policy_documents=documents,
        disconnect_after_s=_disconnect_after(record, slot, now, settings),
        refresh_after_s=_held(settings.refresh_after_s),
    )
    return Decision(True, "ok", answer, slot_name, _is_first_use(slot))


def _match(record: ClientRecord | None, client_id: str, password: bytes, now: int) -> _Match:
    """Say which of the client's secrets *password* is. Always two hashes and one comparison."""
    slots = record.slots if record else {}
    plain = (record and record.plain_password) or ""
    hashes = {name: slots[name].hash if name in slots else DUMMY for name in SLOT_NAMES}
    matched = [name for name in SLOT_NAMES if verify(hashes[name], client_id, password)]
    found = [_Match(_state(slots[name], now), name) for name in matched]
    if equal(_bytes(plain), password):  # no plain password is no match: an empty one never comes this far
        found.append(_Match("ok"))
    usable = [match for match in found if match.reason == "ok"]
    return (usable or found or [_Match("wrong-password")])[0]


def _state(slot: Slot, now: int) -> str:
    if slot.state == "retired":
        return "secret-retired"
    return "secret-expired" if _is_over(slot.expires_at, now) else "ok"


def _is_username(record: ClientRecord, credentials: Credentials) -> bool:
    if record.username is None:
        return credentials.user in ("", record.client_id)
    return equal(_bytes(record.username), _bytes(credentials.user))


def _issued_at(token: str, client_id: str) -> int | None:
    """Return when *token* was issued to this client; None where it is another's, or none of ours."""
    found = parse_token(token)
    return found[1] if found is not None and found[0] == client_id else None


def _token_note(record: ClientRecord, issued_at: int | None, now: int) -> tuple[str, int] | None:
    """Return what the row does not say yet: that a newer token is in use, or that none is."""
    note = record.token
    if issued_at is not None:
        is_news = note is None or note.seen_at is None or issued_at > note.seen_at
        return ("Seen", issued_at) if is_news else None
    return ("Unsigned", now) if note is not None and note.unsigned_at is None else None


def _is_first_use(slot: Slot | None) -> bool:
    return slot is not None and slot.state == "pending" and slot.first_used_at is None


def _disconnect_after(record: ClientRecord, slot: Slot | None, now: int, settings: Settings) -> int:
    """Return when the connection ends: at the latest with the credential, as near as AWS IoT's floor allows."""
    ends = [record.expires_at, slot.expires_at if slot else None]
    return _held(min([settings.disconnect_after_s, *(end - now for end in ends if end is not None)]))


def _held(seconds: int) -> int:
    return max(MIN_TIMER_S, min(seconds, MAX_TIMER_S))


def _is_over(expires_at: int | None, now: int) -> bool:
    return expires_at is not None and expires_at <= now


def _is_http(request: ConnectRequest) -> bool:
    """Tell a plain HTTP publish: no part of a CONNECT came with it, and none was announced."""
    return "mqtt" not in request.protocols and not (request.client_id or request.username or request.password)


def _bytes(text: str) -> bytes:
    # JSON can hold half a surrogate pair; it must compare as itself and raise nothing.
    return text.encode(errors="surrogatepass")
