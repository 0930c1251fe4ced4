"""HTTP services on loopback in the place of AWS's that hand out keys: they count and keep what they were asked."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass(frozen=True)
class Request:
    """What was asked. *headers* have lower case names."""

    method: str
    path: str
    headers: dict[str, str]
    body: str

    @property
    def access_key(self) -> str | None:
        """The key that signed it."""
        credential = self.headers.get("authorization", "").partition("Credential=")[2]
        return credential.partition("/")[0] or None

    @property
    def service(self) -> str | None:
        """The service that its signature is for."""
        return self.scope[3] if len(self.scope) == 5 else None

    @property
    def region(self) -> str | None:
        """The region that its signature is for."""
        return self.scope[2] if len(self.scope) == 5 else None

    @property
    def scope(self) -> list[str]:
        return self.headers.get("authorization", "").partition("Credential=")[2].split(",")[0].split("/")


@dataclass(frozen=True)
class Answer:
    body: str = "{}"
    status: int = 200
    type: str = "application/json"


Answering = Callable[[Request], Answer]


@dataclass
class StandIn:
    """A service at *url*; *requests* are those that came, in their order."""

    url: str
    requests: list[Request] = field(default_factory=list)


@contextlib.contextmanager
def stand_in(answer: Answering) -> Iterator[StandIn]:
    """Serve *answer* on a port of its own."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def serve(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length") or 0)).decode(errors="replace")
            headers = {name.lower(): value for name, value in self.headers.items()}
            request = Request(self.command, self.path, headers, body)
            found.requests.append(request)
            given = answer(request)
            self.send_response(given.status)
            self.send_header("content-type", given.type)
            self.send_header("content-length", str(len(given.body.encode())))
            self.end_headers()
            self.wfile.write(given.body.encode())

        do_GET = do_POST = do_PUT = do_DELETE = do_PATCH = serve  # the names are http.server's

        def log_message(self, *_: object) -> None:
            pass

    class Server(ThreadingHTTPServer):
        daemon_threads = True

    with Server(("127.0.0.1", 0), Handler) as server:
        found = StandIn(f"http://127.0.0.1:{server.server_port}")
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        try:
            yield found
        finally:
            server.shutdown()


def identity_xml(arn: str) -> str:
    """Return STS's answer to GetCallerIdentity for *arn*."""
    account = arn.split(":")[4]
    return (
        '<GetCallerIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><GetCallerIdentityResult>'
        f"<Arn>{arn}</Arn><UserId>AIDAEXAMPLE</UserId><Account>{account}</Account></GetCallerIdentityResult>"
        "<ResponseMetadata><RequestId>0f1e2d3c</RequestId></ResponseMetadata></GetCallerIdentityResponse>"
    )
