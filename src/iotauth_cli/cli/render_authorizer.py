"""What the authorizer commands show."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from iotauth_cli.cli.render import Facts, several
from iotauth_cli.cli.steps import planned_line

if TYPE_CHECKING:
    from iotauth_cli.config import Settings
    from iotauth_cli.operations.authorizers import (
        Attempt,
        Authorizer,
        Installation,
        InvokeAnswer,
        KnownKey,
        Plan,
        Wish,
    )


def heading(where: str) -> str:
    return f"plan for {where}:"


def plan(found: Plan, where: str) -> list[str]:
    """Return the plan, a line for each part."""
    return [heading(where), *(f"  {planned_line(step)}" for step in found.steps)]


def plan_document(found: Plan, *, applied: bool) -> dict[str, Any]:
    return {
        "authorizer": found.wish.authorizer,
        "applied": applied,
        "steps": [
            {
                "action": step.action,
                "resource": step.resource,
                "name": step.name,
                "reason": step.reason,
                **({"question": step.asks} if step.asks else {}),
            }
            for step in found.steps
        ],
    }


def ready(found: Plan, where: str) -> str:
    """Return the sentence that closes `authorizer create`."""
    name = f"authorizer `{found.wish.authorizer}` in {where}"
    return f"{name} is ready" if found.changes else f"{name} is as it should be; nothing was changed"


def alpn_free(endpoint: Mapping[str, Any] | None) -> list[str]:
    """Return what to type into a client that offers no ALPN."""
    if endpoint is None:
        return []
    return [f"clients without ALPN connect to host `{endpoint['host']}`, port `{endpoint['port']}`, with TLS"]


def unsettled(wish: Wish, settings: Settings) -> list[str]:
    """Say which names of *wish* other commands will not know unless the settings get them."""
    names = {"authorizer": wish.authorizer, "table": wish.table}
    return [
        f"to use it in other commands, write `{setting}: {name}` into iotauth.yaml"
        for setting, name in names.items()
        if name != getattr(settings, setting)
    ]


def authorizer_document(found: Authorizer) -> dict[str, Any]:
    return {
        "name": found.name,
        "arn": found.arn,
        "status": status(found),
        "signing_disabled": found.signing_disabled,
        "token_key_name": found.token_key_name,
        "token_signing_keys": sorted(found.token_signing_public_keys),
        "function_arn": found.function_arn,
    }


def status(found: Authorizer) -> str:
    return "active" if found.is_active else "inactive"


def signing(found: Authorizer) -> str:
    return "none" if found.signing_disabled else f"token in `{found.token_key_name}`"


def installation(found: Installation, details: Facts) -> Facts:
    """Return what is shown of an authorizer; *details* stand behind its function."""
    authorizer = found.authorizer
    drift = [f"{step.resource} `{step.name}`: {step.reason}" for step in found.drift]
    return [
        ("authorizer", authorizer.name),
        ("arn", authorizer.arn),
        ("status", status(authorizer)),
        ("signing", signing(authorizer)),
        *several("key", [known_key(key) for key in found.keys]),
        ("function", authorizer.function_arn),
        *([("stack", found.stack)] if found.stack else []),
        *details,
        ("endpoint", found.endpoint),
        *several("drift", drift or ["none: every part is as it should be"]),
    ]


def known_key(key: KnownKey) -> str:
    where = "signs here" if key.signs else "kept here" if key.is_kept else "kept elsewhere"
    return f"{key.name}  {where}  {key.fingerprint}"


def installation_document(found: Installation) -> dict[str, Any]:
    drift = [{"resource": step.resource, "name": step.name, "reason": step.reason} for step in found.drift]
    keys = [
        {"name": key.name, "fingerprint": key.fingerprint, "is_kept": key.is_kept, "signs": key.signs}
        for key in found.keys
    ]
    document = {**authorizer_document(found.authorizer), "keys": keys, "endpoint": found.endpoint, "drift": drift}
    return {**document, "stack": found.stack}


def answer(authorizer: str, attempt: Attempt, found: InvokeAnswer) -> Facts:
    """Return what the authorizer said; its policies as sentences."""
    who = attempt.client_id or attempt.username or "the token"
    if not found.is_authenticated:
        return [("answer", f"authorizer `{authorizer}` refuses `{who}`")]
    return [
        ("answer", f"authorizer `{authorizer}` lets `{who}` in"),
        ("principal", found.principal_id),
        ("refresh", f"after {found.refresh_after_s} s"),
        ("disconnect", f"after {found.disconnect_after_s} s"),
        *several("policy", statements(found.policy_documents)),
    ]


def answer_document(found: InvokeAnswer) -> dict[str, Any]:
    return {
        "ok": found.is_authenticated,
        "is_authenticated": found.is_authenticated,
        "principal_id": found.principal_id,
        "refresh_after_s": found.refresh_after_s,
        "disconnect_after_s": found.disconnect_after_s,
        "policy_documents": [json.loads(document) for document in found.policy_documents if found.is_authenticated],
    }


def statements(documents: Sequence[str]) -> list[str]:
    """Return each statement of *documents* as a line: `allow iot:Publish on topic/doors/1`."""
    found = [statement for document in documents for statement in texts(json.loads(document).get("Statement"))]
    return [
        f"{statement.get('Effect', '?').lower()} {side(statement, 'Action')} on {side(statement, 'Resource')}"
        for statement in found
    ]


def side(statement: dict[str, Any], name: str) -> str:
    """Return the actions or the resources of *statement*, or what it says that they are not."""
    turned = f"Not{name}" if f"Not{name}" in statement else ""
    shortened = [
        str(text).rpartition(":")[2] if name == "Resource" else str(text)
        for text in texts(statement.get(turned or name))
    ]
    return f"{turned} {', '.join(shortened)}".strip()


def texts(found: Any) -> list[Any]:
    """Return a list of what a policy may write alone or in a list."""
    return found if isinstance(found, list) else [] if found is None else [found]
