"""TestInvokeAuthorizer: ask an authorizer's function as a connection would, and show the answer.

The event holds what the request gives and nothing else, so a token alone makes an event without
``protocolData`` (row 29). An inactive authorizer can be tested too: INFERRED, it is what testing is
for. That the call needs the function's resource permission is INFERRED as well: AWS IoT has no
other right to call it.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any

from iotauth_authorizer.event import Answer, ConnectRequest
from iotauth_cli.emulator.control.iot.authorizers import Authorizers
from iotauth_cli.emulator.control.iot.errors import invalid_response
from iotauth_cli.emulator.control.iot.signing import check_token
from iotauth_cli.emulator.control.service import Context, Handler, Parameters, Result
from iotauth_cli.emulator.model import AuthorizerFailure, AuthorizerInvoker


class InvokeTest:
    def __init__(self, authorizers: Authorizers, invoker: AuthorizerInvoker) -> None:
        self._authorizers = authorizers
        self._invoker = invoker
        self.operations: Mapping[str, Handler] = {"TestInvokeAuthorizer": self.test_invoke_authorizer}

    async def test_invoke_authorizer(self, parameters: Parameters, context: Context) -> Result:
        """Return what the function answers; a refusal is an answer, a failure is InvalidResponseException."""
        authorizer = self._authorizers.existing(parameters["authorizerName"], context).authorizer
        is_verified = check_token(authorizer, parameters.get("token"), parameters.get("tokenSignature"))
        answer = await self._invoker.invoke(authorizer, _request(parameters, is_verified))
        if isinstance(answer, AuthorizerFailure):
            raise invalid_response(answer.sentence)
        return _shown(answer)


def _request(parameters: Parameters, is_verified: bool) -> ConnectRequest:
    tls, http, mqtt = (parameters.get(f"{name}Context") for name in ("tls", "http", "mqtt"))
    contexts = {"tls": tls, "http": http, "mqtt": mqtt}
    return ConnectRequest(
        protocols=tuple(name for name, given in contexts.items() if given is not None),
        connection_id=str(uuid.uuid4()),
        client_id=_member(mqtt, "clientId"),
        username=_member(mqtt, "username"),
        password=_member(mqtt, "password"),
        token=parameters.get("token"),
        signature_verified=is_verified,
        server_name=_member(tls, "serverName"),
        http_headers={name.lower(): value for name, value in (_member(http, "headers") or {}).items()},
        query_string=_with_question_mark(_member(http, "queryString")),
    )


def _member(given: Mapping[str, Any] | None, name: str) -> Any:
    return given.get(name) if given is not None else None


def _with_question_mark(query: str | None) -> str | None:
    return query if query is None or query.startswith("?") else f"?{query}"


def _shown(answer: Answer) -> Result:
    if not answer.is_authenticated:
        return {"isAuthenticated": False}
    return {
        "isAuthenticated": True,
        "principalId": answer.principal_id,
        "policyDocuments": list(answer.policy_documents),
        "refreshAfterInSeconds": answer.refresh_after_s,
        "disconnectAfterInSeconds": answer.disconnect_after_s,
    }
