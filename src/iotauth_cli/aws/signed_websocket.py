"""The way into AWS IoT with an operator's own AWS credentials: MQTT in a WebSocket whose path is signed.

Signature Version 4 in the query string, service `iotdevicegateway`. AWS IoT has one peculiarity: the session
token of temporary keys is appended after signing. Source: AWS IoT developer guide, "MQTT over the WebSocket
protocol".
"""

from __future__ import annotations

import hashlib
import hmac
import time
from urllib.parse import quote

from iotauth_authorizer.aws_credentials import Credentials

PATH = "/mqtt"
SERVICE = "iotdevicegateway"
ALGORITHM = "AWS4-HMAC-SHA256"
EXPIRES_S = 60  # the handshake follows at once
NO_BODY = hashlib.sha256(b"").hexdigest()


def signed_path(credentials: Credentials, *, host: str, region: str, now: float) -> str:
    """Return path and query of the upgrade. *host* is the Host header as it will be sent, *now* epoch seconds."""
    stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(now))
    scope = f"{stamp[:8]}/{region}/{SERVICE}/aws4_request"
    parameters = {  # in alphabetical order, as a signature wants them
        "X-Amz-Algorithm": ALGORITHM,
        "X-Amz-Credential": f"{credentials.access_key}/{scope}",
        "X-Amz-Date": stamp,
        "X-Amz-Expires": str(EXPIRES_S),
        "X-Amz-SignedHeaders": "host",
    }
    query = "&".join(f"{name}={encoded(value)}" for name, value in parameters.items())
    request = f"GET\n{PATH}\n{query}\nhost:{host}\n\nhost\n{NO_BODY}"
    text = f"{ALGORITHM}\n{stamp}\n{scope}\n{hashlib.sha256(request.encode()).hexdigest()}"
    key = f"AWS4{credentials.secret_key}".encode()
    for part in (*scope.split("/"), text):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    token = f"&X-Amz-Security-Token={encoded(credentials.session_token)}" if credentials.session_token else ""
    return f"{PATH}?{query}&X-Amz-Signature={key.hex()}{token}"


def encoded(text: str) -> str:
    return quote(text, safe="-_.~")
