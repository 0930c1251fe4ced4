"""A WebSocket that AWS credentials open: its query string is signed (Signature Version 4), service `iotdevicegateway`.

AWS IoT has one peculiarity: a session token is appended after signing, so it is not among what is signed.
Here only the emulator's own key opens one, and its signature is verified. The control plane takes any
key; but whoever is in by a key is asked nothing more.
Sources: AWS IoT developer guide, "MQTT over the WebSocket protocol"; IAM user guide, "Signature Version 4".
"""

from __future__ import annotations

import calendar
import hashlib
import hmac
import re
import time
from collections.abc import Sequence
from urllib.parse import quote, unquote

from iotauth_cli.emulator.environment import ACCESS_KEY_ID, SECRET_ACCESS_KEY
from iotauth_cli.emulator.model import HttpRequest

ALGORITHM = "AWS4-HMAC-SHA256"
SERVICE = "iotdevicegateway"
UNSIGNED = ("X-Amz-Signature", "X-Amz-Security-Token")
USUAL_EXPIRY_S = 300  # where X-Amz-Expires is not given; no source
MAX_SKEW_S = 300  # IAM user guide: a request is good for five minutes around its date
CREDENTIAL = re.compile(r"(?P<key>[^/]+)/(?P<date>\d{8})/(?P<region>[^/]+)/(?P<service>[^/]+)/aws4_request")
EVERYTHING = '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"iot:*","Resource":"*"}]}'

Pairs = Sequence[tuple[str, str]]


def is_signed(request: HttpRequest) -> bool:
    """Tell whether *request* says that AWS credentials have signed it."""
    return any(name == "X-Amz-Algorithm" for name, _ in parameters(request))


def problem(request: HttpRequest, region: str, now: float) -> str | None:
    """Return what is wrong with the signature of *request*; None, if nothing is. *now* is the machine's time."""
    pairs = parameters(request)
    found = dict(pairs)
    scope = CREDENTIAL.fullmatch(found.get("X-Amz-Credential", ""))
    if scope is None or found["X-Amz-Algorithm"] != ALGORITHM:
        return f"the request is not signed as {ALGORITHM} wants it"
    if scope["key"] != ACCESS_KEY_ID:
        return f"AWS access key `{scope['key'][:128]}` is not the emulator's, which is `{ACCESS_KEY_ID}`"
    if (scope["service"], scope["region"]) != (SERVICE, region):
        return f"the signature is for {scope['service']} in {scope['region']}, not {SERVICE} in {region}"
    late = expired(found, now)
    if late is not None:
        return late
    wanted = signature(request, pairs, found.get("X-Amz-Date", ""), scope)
    if not hmac.compare_digest(wanted.encode(), found.get("X-Amz-Signature", "").encode()):
        return "the signature does not match the request"
    return None


def expired(found: dict[str, str], now: float) -> str | None:
    try:
        at = calendar.timegm(time.strptime(found.get("X-Amz-Date", ""), "%Y%m%dT%H%M%SZ"))
        expiry_s = int(found.get("X-Amz-Expires", USUAL_EXPIRY_S))
    except ValueError:
        return "X-Amz-Date or X-Amz-Expires cannot be read"
    if at - MAX_SKEW_S <= now <= at + max(expiry_s, MAX_SKEW_S):
        return None
    return f"the signature is of another time: {found['X-Amz-Date']}"


def signature(request: HttpRequest, pairs: Pairs, stamp: str, scope: re.Match[str]) -> str:
    """Return the signature that *request* should have."""
    names = dict(pairs).get("X-Amz-SignedHeaders", "")
    canonical = "\n".join(
        [
            request.method,
            request.target.partition("?")[0],
            canonical_query(pairs),
            *(f"{name}:{header(request, name)}" for name in names.split(";")),
            "",
            names,
            hashlib.sha256(b"").hexdigest(),
        ]
    )
    text = "\n".join(
        [ALGORITHM, stamp, scope[0].partition("/")[2], hashlib.sha256(canonical.encode("latin-1")).hexdigest()]
    )
    key = f"AWS4{SECRET_ACCESS_KEY}".encode()
    for part in (scope["date"], scope["region"], scope["service"], "aws4_request", text):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    return key.hex()


def canonical_query(pairs: Pairs) -> str:
    encoded = sorted((encode(name), encode(value)) for name, value in pairs if name not in UNSIGNED)
    return "&".join(f"{name}={value}" for name, value in encoded)


def encode(text: str) -> str:
    return quote(text, safe="-_.~")


def header(request: HttpRequest, name: str) -> str:
    """Return the header's value as it is signed: of several lines one, blanks folded."""
    return ",".join(" ".join(value.split()) for key, value in request.headers if key == name)


def parameters(request: HttpRequest) -> list[tuple[str, str]]:
    """Return the decoded parameters of the query string."""
    query = request.target.partition("?")[2]
    pairs = (part.partition("=") for part in query.split("&") if part)
    return [(unquote(name), unquote(value)) for name, _, value in pairs]
