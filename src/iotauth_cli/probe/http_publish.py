"""One HTTPS request that publishes, as a device without MQTT makes it, over the socket that TLS has opened.

Source: AWS IoT developer guide, "HTTPS" (device communication protocols) and "Custom authentication".
"""

from __future__ import annotations

import json
import ssl
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from iotauth_cli.probe.carriage import headers_of, masked, query_of
from iotauth_cli.probe.reach import hanging_up_after
from iotauth_cli.probe.stages import Endpoint, Errand, Finding, Login, Manner, Symptom

if TYPE_CHECKING:
    from http.client import HTTPResponse

SHOWN_CHARACTERS = 200  # of an answer's text
MAX_ANSWER_BYTES = 65_536
FORBIDDEN = (401, 403)


def target_of(errand: Errand, login: Login, manner: Manner) -> str:
    """Return path and query of the request."""
    parameters = [f"qos={errand.qos}", "retain=true" if errand.retain else "", query_of(login, manner)]
    return f"/topics/{quote(errand.publish or '', safe='')}?{'&'.join(filter(None, parameters))}"


def publish(
    tls: ssl.SSLSocket,
    endpoint: Endpoint,
    login: Login,
    errand: Errand,
    manner: Manner,
    *,
    payload: bytes,
    timeout_s: float,
) -> Finding:
    """POST *payload* over *tls* and read the answer. The caller closes the socket.

    Raises:
        InputError: the login cannot stand in headers.
    """
    from http.client import HTTPConnection, HTTPException

    target, headers = target_of(errand, login, manner), headers_of(login, manner)
    facts: dict[str, Any] = {
        "topic": errand.publish,
        "bytes": len(payload),
        "qos": errand.qos,
        "retain": errand.retain,
        "headers": sorted(headers),
        "request_bytes": len(target) + sum(len(name) + len(value) + 4 for name, value in headers.items()),
    }
    connection = HTTPConnection(endpoint.host, endpoint.port, timeout=timeout_s)
    tls.settimeout(timeout_s)
    connection.sock = tls
    with hanging_up_after(tls, timeout_s) as is_over:
        try:
            connection.request("POST", target, body=payload, headers=headers)
            with connection.getresponse() as response:
                return answered(facts, response, login)
        except (OSError, HTTPException) as error:
            if is_over.is_set() or isinstance(error, TimeoutError):
                return Finding({**facts, "reason": f"no answer within {timeout_s:g} s"}, Symptom.TIMEOUT)
            if isinstance(error, OSError):  # also what http.client makes of a hang-up
                return Finding({**facts, "reason": "closed before an answer"}, Symptom.CLOSED)
            return Finding({**facts, "reason": "the answer was not HTTP"}, Symptom.NOT_HTTP)


def answered(facts: dict[str, Any], response: HTTPResponse, login: Login) -> Finding:
    facts = {**facts, **answer_facts(response.status, response.reason, dict(response.getheaders()), login)}
    told = told_by(response.read(MAX_ANSWER_BYTES))
    facts.update({name: masked(value, login)[:SHOWN_CHARACTERS] for name, value in told.items()})
    said = facts.get("message")
    reason = f"{facts['answer']}, `{said}`" if said else facts["answer"]
    return Finding({**facts, "reason": reason}, symptom_of(response.status))


def answer_facts(status: int, phrase: str, headers: dict[str, str], login: Login) -> dict[str, Any]:
    """Return the facts of an answer's first line and headers; *phrase* and headers are anybody's words."""
    lower = {name.lower(): value for name, value in headers.items()}
    kind = lower.get("x-amzn-errortype", "").partition(":")[0]
    words = " ".join(filter(None, (str(status), phrase)))
    return {
        "status": status,
        "answer": masked(words, login)[:SHOWN_CHARACTERS],
        **({"error_type": masked(kind, login)[:SHOWN_CHARACTERS]} if kind else {}),
    }


def told_by(body: bytes) -> dict[str, str]:
    """Return AWS IoT's message and trace id; nothing of what is not its JSON."""
    try:
        found = json.loads(body)
    except ValueError:
        return {}
    names = {"message": "message", "traceId": "trace_id"}
    texts = found.items() if isinstance(found, dict) else ()
    return {names[name]: value for name, value in texts if name in names and isinstance(value, str)}


def symptom_of(status: int) -> Symptom | None:
    if 200 <= status < 300:
        return None
    return Symptom.REFUSED if status in FORBIDDEN else Symptom.REJECTED
