"""An IAM in front of the emulator, which has none: every call that its policy does not allow is denied in AWS's words.

What a request needs is worked out from what came over the wire, by botocore's models; who may do it, by the policy that
a test gives. What is allowed goes on to the emulator and its answer back, byte by byte.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import re
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache, cached_property
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from iotauth_authorizer.grants import ArnScope
from iotauth_cli.aws import iam_actions
from iotauth_cli.aws.iam_actions import Right
from iotauth_cli.policy.match import compile_pattern
from support_operations import model

USER = "arn:aws:iam::123456789012:user/ann"
REQUEST_ID = "7a62c49f-347e-4fc4-9331-6e8eEXAMPLE"
SERVICES = {"iotdata": "iot-data", "execute-api": "iot"}  # what requests are signed for, where boto3's name is another
Document = dict[str, Any]


def is_allowed(document: Document, right: Right) -> bool:
    """Decide as IAM does, as far as our documents go: Allow, actions by name, resources by pattern, PassedToService."""
    return any(grants(each, right) for each in document["Statement"])


def grants(statement: Document, right: Right) -> bool:
    passed_to = statement.get("Condition", {}).get("StringEquals", {}).get("iam:PassedToService")
    return (
        right.action in listed(statement["Action"])
        and passed_to in (None, right.passed_to)
        and any(meets(pattern, right.resource) for pattern in listed(statement["Resource"]))
    )


def meets(pattern: str, resource: str) -> bool:
    """Tell whether a document's resource covers one that was asked for, by the one matcher that the program has."""
    return pattern == resource or compile_pattern([pattern]).matches(resource)


def listed(value: str | list[str]) -> list[str]:
    return [value] if isinstance(value, str) else value


@dataclass
class Iam:
    """*policy* is what the caller may do now. *is_terse*: denials come without a sentence, as some services' do.

    *denied* and *asked* are the rights that were asked for, in order.
    """

    upstream: str
    scope: ArnScope
    policy: Document = field(default_factory=lambda: {"Version": "2012-10-17", "Statement": []})
    is_terse: bool = False
    asked: list[Right] = field(default_factory=list)
    denied: list[Right] = field(default_factory=list)
    url: str = ""

    def missing(self, handler: Handler, body: bytes) -> tuple[Right | None, str]:
        """Return the first right that a request lacks, and the protocol in which to say so."""
        service, operation, parameters = understood(handler, body)
        for right in iam_actions.rights(service, operation, parameters, self.scope):
            self.asked.append(right)
            if not is_allowed(self.policy, right):
                self.denied.append(right)
                return right, model(service).protocol
        return None, ""

    def words(self, right: Right) -> str:
        if self.is_terse:
            return ""
        return (
            f"User: {USER} is not authorized to perform: {right.action} on resource: {right.resource} "
            f"because no identity-based policy allows the {right.action} action"
        )


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    iam: Iam

    def answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        right, protocol = self.iam.missing(self, body) if "authorization" in self.headers else (None, "")
        if right is not None:
            self.deny(right, protocol)
            return
        self.upstream.request(self.command, self.path, body, dict(self.headers.items()))
        found = self.upstream.getresponse()
        kept = [(name, value) for name, value in found.getheaders() if name.lower() not in HOP_BY_HOP]
        self.send(found.status, kept, found.read())

    @cached_property
    def upstream(self) -> http.client.HTTPConnection:
        """One connection for each of the caller's."""
        where = urlsplit(self.iam.upstream)
        return http.client.HTTPConnection(where.hostname or "", where.port)

    def finish(self) -> None:
        self.upstream.close()
        super().finish()

    do_GET = do_POST = do_PUT = do_DELETE = do_PATCH = do_HEAD = answer

    def deny(self, right: Right, protocol: str) -> None:
        """Say no as the service's protocol says it."""
        words = self.iam.words(right)
        code = "AccessDenied" if protocol == "query" else "AccessDeniedException"
        if protocol == "query":
            text = (
                '<ErrorResponse xmlns="https://iam.amazonaws.com/doc/2010-05-08/"><Error><Type>Sender</Type>'
                f"<Code>{code}</Code><Message>{words}</Message></Error><RequestId>{REQUEST_ID}</RequestId></ErrorResponse>"
            )
        else:
            text = json.dumps({"__type": f"com.amazon.coral.service#{code}", "message": words})
        headers = [("x-amzn-RequestId", REQUEST_ID), ("x-amzn-ErrorType", f"{code}:")]
        self.send(400 if protocol == "json" else 403, headers, text.encode())

    def send(self, status: int, headers: list[tuple[str, str]], body: bytes) -> None:
        self.send_response_only(status)
        for name, value in [*headers, ("content-length", str(len(body)))]:
            self.send_header(name, value)
        self._headers_buffer.append(b"\r\n" + body)  # type: ignore[attr-defined]  # one packet: two would wait
        self.flush_headers()

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


HOP_BY_HOP = {"connection", "content-length", "transfer-encoding", "keep-alive"}


def understood(handler: Handler, body: bytes) -> tuple[str, str, dict[str, Any]]:
    """Return service, operation and parameters of a signed request."""
    signed_for = handler.headers["authorization"].partition("Credential=")[2].split("/")[3]
    service = SERVICES.get(signed_for, signed_for)
    path, _, query = handler.path.partition("?")
    if target := handler.headers.get("x-amz-target"):
        return service, target.rpartition(".")[2], json.loads(body)
    if model(service).protocol == "query" or (path == "/" and body.startswith(b"Action=")):
        form = dict(parse_qsl(body.decode()))
        return service, form.pop("Action"), form
    for pattern, method, operation, names in routes(service):
        found = re.fullmatch(pattern, path)
        if method == handler.command and found:
            given = dict(zip(names, map(unquote, found.groups()), strict=True))
            said = json.loads(body) if body.startswith(b"{") and operation not in ("Publish", "Invoke") else {}
            return service, operation, {**dict(parse_qsl(query)), **said, **given}
    raise AssertionError(f"{service} has no operation for {handler.command} {path}")


@cache
def routes(service: str) -> list[tuple[str, str, str, list[str]]]:
    """Return the paths of a REST service: pattern, method, operation, and the names of what stands in the path."""
    found = []
    for name in model(service).operation_names:
        operation = model(service).operation_model(name)
        uri = operation.http["requestUri"].partition("?")[0]
        members = operation.input_shape.members.items() if operation.input_shape else ()
        located = {shape.serialization.get("name", member): member for member, shape in members}
        names = [located.get(each.rstrip("+"), each) for each in re.findall(r"{([^}]+)}", uri)]
        parts = re.split(r"{([^}]+)}", uri)
        pattern = "".join(
            re.escape(part) if index % 2 == 0 else "(.+)" if part.endswith("+") else "([^/]+)"
            for index, part in enumerate(parts)
        )
        found.append((pattern + "/?", operation.http["method"], name, names))
    # A path without parameters is more certain than one with.
    return sorted(found, key=lambda each: len(each[3]))


@contextlib.contextmanager
def iam_before(upstream: str, scope: ArnScope) -> Iterator[Iam]:
    """Stand before the APIs at *upstream* until the `with` ends; *url* is where to ask instead."""
    iam = Iam(upstream, scope)
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Bound", (Handler,), {"iam": iam}))
    server.daemon_threads = True
    iam.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield iam
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
