"""Authorizers: created, listed, shown and tried, each with the parts that it needs. `removal` takes them away."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from re import fullmatch, sub
from typing import Any

from iotauth_authorizer.username import AUTHORIZER_NAME, SIGNATURE, compose
from iotauth_cli.aws import domains, iot, lambda_
from iotauth_cli.aws.iot import Authorizer, InvokeAnswer
from iotauth_cli.aws.lambda_ import FunctionArn
from iotauth_cli.aws.session import Session
from iotauth_cli.credentials import Store
from iotauth_cli.errors import Conflict, InputError, NotFound
from iotauth_cli.operations.installation import AnyPart, SigningWish, Step, Wish, parts
from iotauth_cli.operations.installation.authorizer import Authorizer as AuthorizerPart
from iotauth_cli.operations.installation.authorizer import function_of
from iotauth_cli.operations.installation.names import validate, validate_authorizer
from iotauth_cli.operations.installation.part import AS_IT_SHOULD_BE
from iotauth_cli.operations.installation.stack import refuse_change, stack_behind
from iotauth_cli.operations.keys import public_of
from iotauth_cli.operations.signing.keyring import Keyring, key_name
from iotauth_cli.secret import Secret
from iotauth_cli.token import fingerprint

__all__ = ["Attempt", "Authorizer", "Installation", "InvokeAnswer", "Plan", "Step", "Wish"]

ALPN_FREE = "-alpn-free"
SIGNATURE_PATTERN = "[A-Za-z0-9+/]+={0,2}"  # TestInvokeAuthorizer, tokenSignature


@dataclass(frozen=True)
class KnownKey:
    """A public key of an authorizer. *is_kept*: its private half is kept here; *signs*: new tokens are signed by it."""

    name: str
    fingerprint: str
    is_kept: bool
    signs: bool


@dataclass(frozen=True)
class Plan:
    """What is to be done and why, part by part, in order."""

    wish: Wish
    steps: tuple[Step, ...]

    @property
    def changes(self) -> tuple[Step, ...]:
        return tuple(step for step in self.steps if step.action != "keep")


@dataclass(frozen=True)
class Installation:
    """An authorizer as it is. *drift* names what `authorizer create` would change; of a *stack* it changes nothing."""

    authorizer: Authorizer
    endpoint: str
    drift: tuple[Step, ...]
    keys: tuple[KnownKey, ...] = ()
    stack: str | None = None


@dataclass(frozen=True)
class Attempt:
    """What to present to an authorizer, as a device would."""

    client_id: str | None = None
    username: str | None = None
    password: Secret | None = None
    token: Secret | None = None
    signature: str | None = None


def plan(session: Session, wish: Wish) -> Plan:
    """Compare what AWS has with *wish*, and change nothing.

    Raises:
        InputError: a name that AWS would refuse.
        NotFound: the function that is to be used as it is does not exist.
        Conflict: something is in the way that is not ours to change.
    """
    validate(wish, session.target.region)
    if missing_function(session, wish):
        raise NotFound(
            f"there is no function `{wish.function_arn}`", hint="leave `--function` out and iotauth brings its own"
        )
    if wish.function_arn is None:
        refuse_change(session, wish.function)
    return Plan(wish, tuple(part.plan() for part in parts(session, wish)))


def apply(session: Session, plan: Plan) -> Iterator[Step]:
    """Carry *plan* out; yield each change when it is done.

    Whatever stops it in the middle, the same call finishes it later.
    """
    yield from carry_out(parts(session, plan.wish), plan)


def carry_out(all_parts: list[AnyPart], plan: Plan) -> Iterator[Step]:
    by_resource = {part.resource: part for part in all_parts}
    for step in plan.changes:
        by_resource[step.resource].bring()
        yield step


def with_its_function(session: Session, wish: Wish, found: Authorizer | None) -> Wish:
    """Return *wish* with the function that the authorizer really calls, if that is not ours."""
    if found is None or found.function_arn == function_of(session, wish).text:
        return wish
    return replace(wish, function_arn=found.function_arn)


def why_shared(session: Session, wish: Wish) -> str | None:
    """Return why the function and what belongs to it has to stay: another authorizer calls it."""
    function_arn = function_of(session, wish).text
    for other in every(session):
        if other.name != wish.authorizer and other.function_arn == function_arn:
            return f"authorizer `{other.name}` needs it"
    return None


def every(session: Session) -> Iterator[Authorizer]:
    """Yield every authorizer of the region, ours or not."""
    for name in iot.names(session):
        found = iot.find(session, name)
        if found is not None:
            yield found


def signed(
    wish: Wish, store: Store, *, now: int, token_key_name: str | None = None, public_key: Path | None = None
) -> Wish:
    """Return *wish* for an authorizer that wants signed tokens. The private key is made and kept in *store*,
    unless *public_key* is a file with the public half of one that is kept elsewhere.

    Raises:
        InputError: the file holds no key that AWS IoT takes.
    """
    keyring = Keyring.of(store, wish.authorizer)
    pem = public_of(public_key) if public_key is not None else None
    return replace(wish, signing=SigningWish(True, keyring, key_name(now), token_key_name, pem))


def unsigned(wish: Wish, store: Store) -> Wish:
    """Return *wish* for an authorizer that must not want signed tokens."""
    return replace(wish, signing=SigningWish(False, Keyring.of(store, wish.authorizer), ""))


def with_alpn_free(wish: Wish, name: str | None = None) -> Wish:
    """Return *wish* with an endpoint for clients without ALPN; without *name* it is called after the authorizer."""
    plain = sub(r"[^A-Za-z0-9_.-]", "-", wish.authorizer)[: 128 - len(ALPN_FREE)]
    return replace(wish, alpn_free=name or plain + ALPN_FREE)


def alpn_free_endpoint(session: Session, wish: Wish) -> dict[str, Any] | None:
    """Return name, host and port of the endpoint for clients without ALPN, if *wish* has one and it is there."""
    found = domains.find(session, wish.alpn_free) if wish.alpn_free else None
    if found is None:
        return None
    return {"name": found.name, "host": found.domain_name, "port": session.target.data_port}


def known_keys(found: Authorizer, store: Store) -> tuple[KnownKey, ...]:
    """Return the keys that AWS IoT verifies tokens of *found* with, and which of them this project signs with."""
    keyring = Keyring.of(store, found.name)
    signing, kept = keyring.signing, keyring.names()
    signer = signing.signer if signing else None
    return tuple(
        KnownKey(name, fingerprint(pem), name in kept, name == signer)
        for name, pem in sorted(found.token_signing_public_keys.items())
    )


def show(session: Session, wish: Wish, store: Store) -> Installation:
    """Return the authorizer, where devices connect, and what is not as `create` would make it."""
    found = require(session, wish.authorizer)
    wish = with_its_function(session, wish, found)
    stack = stack_behind(session, wish)
    compared = [AuthorizerPart(session, wish)] if stack else parts(session, wish)
    drift = tuple(step for part in compared if (step := examine(part)).reason != AS_IT_SHOULD_BE)
    keys = known_keys(found, store)
    return Installation(found, endpoint(session), missing_function(session, wish) + drift, keys, stack)


def endpoint(session: Session) -> str:
    """Return host and port that devices connect to."""
    target = session.target
    return f"{target.data_host or iot.data_endpoint(session)}:{target.data_port}"


def examine(part: AnyPart) -> Step:
    """Compare one part; what `create` would refuse to change is something to show here."""
    try:
        return part.plan()
    except (Conflict, InputError) as problem:
        return part.step("keep", problem.message)


def missing_function(session: Session, wish: Wish) -> tuple[Step, ...]:
    """Return the function that an authorizer calls and that does not exist; ours is a part of its own."""
    if not wish.function_arn or lambda_.find(session, FunctionArn.parse(wish.function_arn).name):
        return ()
    return (Step("create", "function", wish.function_arn, "there is none"),)


def attempt(
    store: Store,
    *,
    authorizer: str | None = None,
    client_id: str | None = None,
    username: str | None = None,
    password: Secret | None = None,
    token: Secret | None = None,
    signature: str | None = None,
) -> Attempt:
    """Fill in from *store* what was not given of a client's credential.

    A stored token goes with its signature, and only to the *authorizer* whose key has signed it.

    Raises:
        InputError: there is nothing to present.
    """
    if not (client_id or username or token):
        raise InputError("there is nobody to ask about", hint="name a client: `--client thermo-1`")
    if signature and not fullmatch(SIGNATURE_PATTERN, signature):
        raise InputError(
            f"signature `{signature}` is not Base64", hint="give `--signature` what `openssl base64 -A` prints of it"
        )
    kept = store.load(client_id) if client_id else None
    if client_id and not (kept or password or token):
        raise InputError(
            f"no credential of client `{client_id}` is kept in `{store.folder}`",
            hint=f"give its password: `iotauth authorizer test-invoke --client {client_id} --password-stdin`",
        )
    if kept and kept.authorizer == authorizer and not (token or signature):
        token, signature = kept.token, kept.signature
    return Attempt(
        client_id=client_id,
        username=username or (kept.username if kept else client_id),
        password=password or (kept.password if kept else None),
        token=token,
        signature=signature,
    )


def test_invoke(session: Session, name: str, attempt: Attempt) -> InvokeAnswer:
    """Let AWS IoT ask the authorizer's function about *attempt*, with no device and no broker.

    Raises:
        InputError: the user name cannot carry parameters.
        NotFound: there is no such authorizer.
    """
    found = require(session, name)
    if not found.signing_disabled and not (attempt.token and attempt.signature):
        raise InputError(
            f"authorizer `{name}` wants a signed token and none was given",
            hint=f"sign one with `iotauth keys sign --for-client {attempt.client_id or 'ID'}`, "
            "then pass `--token` and `--signature`",
        )
    username = device_username(found, attempt)
    context: dict[str, object] = {"username": username}
    if attempt.client_id:
        context["clientId"] = attempt.client_id
    if attempt.password and attempt.password.reveal():  # AWS takes no empty one, and a device's is as good as none
        context["password"] = attempt.password.reveal().encode()
    signed: dict[str, object] = {}
    if attempt.token:
        signed["token"] = attempt.token.reveal()
    if attempt.signature:
        signed["tokenSignature"] = attempt.signature
    return iot.test_invoke(session, name, mqttContext=context, **signed)


def device_username(authorizer: Authorizer, attempt: Attempt) -> str:
    """Compose the user name that a device would send."""
    parameters = [(AUTHORIZER_NAME, authorizer.name)]
    if attempt.token and authorizer.token_key_name:
        parameters.append((authorizer.token_key_name, attempt.token.reveal()))
    if attempt.signature:
        parameters.append((SIGNATURE, attempt.signature))
    try:
        return compose(attempt.username or "", parameters)
    except ValueError as problem:
        raise InputError(str(problem), hint="the authorizer's name is added here; leave it out") from problem


def require(session: Session, name: str) -> Authorizer:
    validate_authorizer(name)
    found = iot.find(session, name)
    if found is None:
        raise NotFound(
            f"there is no authorizer `{name}` in {session.target.label}",
            hint=f"create it with `iotauth authorizer create {name}`",
        )
    return found
