"""Serve the page's three files at ``/`` of the control port. They need nothing from any other machine.

Whoever may read the API may run code on this machine, so nothing else is let into the page: its policy
allows scripts and styles of this origin only, no frames around it, and no requests to anywhere else.
"""

from __future__ import annotations

import functools
from http import HTTPStatus
from pathlib import Path

from iotauth_cli.emulator.model import HttpRequest, HttpResponse

HERE = Path(__file__).parent
FILES = {
    "/": ("page.html", "text/html; charset=utf-8"),
    "/page.css": ("page.css", "text/css; charset=utf-8"),
    "/page.js": ("page.js", "text/javascript; charset=utf-8"),
}
CONTENT_SECURITY_POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "connect-src 'self'",  # which in CSP 3 takes a WebSocket to the same host and port too
        "img-src data:",  # the empty icon, so that browsers do not ask for one
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
        "require-trusted-types-for 'script'",  # no text becomes markup, not even by mistake
    )
)
HEADERS = (
    ("content-security-policy", CONTENT_SECURITY_POLICY),
    ("cross-origin-opener-policy", "same-origin"),
    ("cross-origin-resource-policy", "same-origin"),
    ("referrer-policy", "no-referrer"),
    ("x-content-type-options", "nosniff"),
    ("cache-control", "no-store"),  # the next version of the emulator may come on the same port
)


def wanted(request: HttpRequest) -> bool:
    """Tell whether *request* is a browser's for the page: AWS's requests are signed, also those to ``/``."""
    return request.method in ("GET", "HEAD") and request.target in FILES and request.header("authorization") is None


def serve(request: HttpRequest) -> HttpResponse:
    """Return the file that a request which is `wanted` asks for."""
    name, kind = FILES[request.target]
    return HttpResponse(HTTPStatus.OK, (("content-type", kind), *HEADERS), _read(name))


@functools.cache
def _read(name: str) -> bytes:
    return (HERE / name).read_bytes()
