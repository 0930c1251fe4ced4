"""The control plane's front: every request of every service comes in here and gets an answer.

The order is AWS's: signed at all, then which operation, then the parameters, then the service.
Before that comes a check of ours: whoever may call Lambda here may run code on this machine, so
a request must name this machine as its host. A web page that has its own name lead to loopback
(DNS rebinding) does not get in. What is then not for AWS but for the emulator goes to `admin`, and a
browser that asks for ``/`` gets the emulator's page.

A handler that fails is an InternalFailure to the caller and one line in the log. The line names
the place and the kind of the failure and nothing of the request, which may hold secrets.
"""

from __future__ import annotations

import inspect
import logging
import re
from collections.abc import Callable, Sequence

from iotauth_cli.emulator.admin import PATH as ADMIN_PATH
from iotauth_cli.emulator.admin import Admin
from iotauth_cli.emulator.control.service import (
    Context,
    Handler,
    NotImplementedHere,
    Result,
    Service,
    ServiceError,
)
from iotauth_cli.emulator.control.sts import StsService
from iotauth_cli.emulator.control.wire import exchange
from iotauth_cli.emulator.model import ACCOUNT, HttpRequest, HttpResponse
from iotauth_cli.emulator.own_faults import way_to
from iotauth_cli.emulator.page import files as page

PORT = re.compile(r":\d*$")
EXPIRED = {"json": ("ExpiredTokenException", 400), "query": ("ExpiredToken", 403)}  # by protocol
LOCAL_HOSTS = ("localhost", "127.0.0.1", "[::1]")

logger = logging.getLogger(__name__)


class ControlPlane:
    """Answer the AWS APIs of *services* for one *account*, and the emulator's own and its page if *admin* is there.

    *any_host* is for a port whose TLS has checked the name already.
    """

    def __init__(
        self,
        services: Sequence[Service],
        account: str = ACCOUNT,
        log: Callable[[str], None] = logger.error,
        *,
        admin: Admin | None = None,
        any_host: bool = False,
    ) -> None:
        self._services = {service.name: service for service in services}
        self._account = account
        self._log = log
        self._admin = admin
        self._any_host = any_host

    async def handle(self, request: HttpRequest) -> HttpResponse:
        """Return the answer to *request*; a failure of any kind is an answer too."""
        envelope = exchange.open_envelope(request)
        try:
            if not self._any_host:
                require_local_host(request)
            if self._admin is not None and request.target.startswith(ADMIN_PATH):
                return await self._admin.handle(request)
            if self._admin is not None and page.wanted(request):
                return page.serve(request)
            return exchange.build(envelope, await self._answer(envelope))
        except ServiceError as error:
            return exchange.build_error(envelope, error)
        except Exception as error:
            self._log(f"{envelope.title} failed: {way_to(error)}")
            return exchange.build_error(envelope, internal_failure())

    async def _answer(self, envelope: exchange.Envelope) -> Result:
        handler = self._handler(envelope)
        call = exchange.parse(envelope)
        self._refuse_expired(envelope)
        context = Context(call.region, self._account, call.request_id, envelope.access_key)
        result = handler(call.parameters, context)
        return await result if inspect.isawaitable(result) else result

    def _refuse_expired(self, envelope: exchange.Envelope) -> None:
        sts = self._services.get("sts")
        if isinstance(sts, StsService) and sts.has_expired(envelope.access_key):
            code, status = EXPIRED.get(envelope.protocol, ("ExpiredTokenException", 403))
            raise ServiceError(code, "The security token included in the request is expired", status)

    def _handler(self, envelope: exchange.Envelope) -> Handler:
        if envelope.service is None:
            raise missing_authentication(envelope.protocol)
        if envelope.service in self._services and envelope.operation is None:
            raise unknown_operation(envelope)
        service = self._services.get(envelope.service)
        handler = service.operations.get(envelope.operation_name or "") if service else None
        if handler is None:
            raise NotImplementedHere(envelope.title)
        return handler


def require_local_host(request: HttpRequest) -> None:
    """Raise AccessDeniedException, 403, for a request that was sent to some other machine's name."""
    name = PORT.sub("", request.header("host") or "localhost").lower()
    if name not in LOCAL_HOSTS and not name.endswith(".localhost"):
        message = f"the iotauth emulator answers to names of this machine only, not to {name}"
        raise ServiceError("AccessDeniedException", message, 403)


def missing_authentication(protocol: str) -> ServiceError:
    code = "MissingAuthenticationToken"
    if protocol in ("query", "ec2"):
        return ServiceError(code, "Request is missing Authentication Token", 403)
    return ServiceError(f"{code}Exception", "Missing Authentication Token", 403)


def unknown_operation(envelope: exchange.Envelope) -> ServiceError:
    if envelope.protocol == "query":
        return ServiceError("InvalidAction", f"Could not find operation {envelope.operation_name}", 400)
    status = 400 if envelope.protocol == "json" else 404
    return ServiceError("UnknownOperationException", f"no operation answers to {envelope.title}", status)


def internal_failure() -> ServiceError:
    return ServiceError("InternalFailure", "the iotauth emulator failed; its log says where", 500)
