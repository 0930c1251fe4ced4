"""Asking an authorizer about a client: AWS IoT calls the real function with the real rows."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from iotauth_cli.credentials import Store
from iotauth_cli.errors import AwsError, InputError, NotFound
from iotauth_cli.operations import authorizers, clients
from iotauth_cli.operations.authorizers import Attempt
from iotauth_cli.operations.clients import NewClient
from iotauth_cli.secret import Secret
from support_installation import WISH, Account, Watched


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / ".iotauth", "emulator")


@pytest.fixture
def session(account: Account, store: Store) -> Watched:
    """An installed authorizer with one client, whose credential is kept."""
    session = account.session()
    list(authorizers.apply(session, authorizers.plan(session, WISH)))
    wish = NewClient("door-7", WISH.authorizer, topics=("doors/7",))
    clients.add(account.table(), store, wish, partition="aws", now=1763640000)
    return session


def test_a_client_is_let_in_with_its_stored_credential(session: Watched, store: Store) -> None:
    """The password goes through unharmed: encoded once, by botocore, decoded once, by the function."""
    attempt = authorizers.attempt(store, client_id="door-7")
    answer = authorizers.test_invoke(session, WISH.authorizer, attempt)
    assert answer.is_authenticated
    assert answer.principal_id.startswith("door7x")
    assert "topic/doors/7" in answer.policy_documents[0]
    assert (answer.refresh_after_s, answer.disconnect_after_s) == (3600, 86400)


@pytest.mark.parametrize(
    "change",
    [{"password": Secret("wrong")}, {"username": "somebody"}, {"client_id": "door-8"}],
    ids=["password", "user name", "client id"],
)
def test_anything_wrong_is_refused(session: Watched, store: Store, change: dict[str, Any]) -> None:
    """A refusal is an answer, not an error."""
    kept = store.load("door-7")
    assert kept is not None
    attempt = replace(Attempt("door-7", "door-7", kept.password), **change)
    assert not authorizers.test_invoke(session, WISH.authorizer, attempt).is_authenticated


def test_an_unknown_authorizer_is_an_error(account: Account) -> None:
    """With the command that creates it."""
    with pytest.raises(NotFound, match="there is no authorizer `doors` in the account") as caught:
        authorizers.test_invoke(account.session(), "doors", Attempt(client_id="x"))
    assert caught.value.hint == "create it with `iotauth authorizer create doors`"


def test_what_is_given_beats_what_is_stored(session: Watched, store: Store) -> None:
    """A password on stdin tries another one for the same client."""
    found = authorizers.attempt(store, client_id="door-7", password=Secret("other"))
    assert found == Attempt("door-7", "door-7", Secret("other"))


@pytest.mark.parametrize(
    ("given", "words"),
    [({}, "there is nobody to ask about"), ({"client_id": "door-9"}, "no credential of client `door-9` is kept in")],
)
def test_an_attempt_needs_something_to_present(store: Store, given: dict[str, Any], words: str) -> None:
    """Nothing given and nothing kept: an error with the option that is missing."""
    with pytest.raises(InputError, match=words):
        authorizers.attempt(store, **given)


def test_a_user_name_cannot_bring_its_own_parameters(session: Watched) -> None:
    """Two question marks would make AWS IoT refuse the whole user name."""
    with pytest.raises(InputError, match="has a `\\?`"):
        authorizers.test_invoke(session, WISH.authorizer, Attempt(client_id="door-7", username="a?b"))


def test_the_user_name_is_composed_as_a_device_would(session: Watched) -> None:
    """Authorizer, token under the authorizer's own key, signature: each encoded once."""
    found = authorizers.require(session, WISH.authorizer)
    signed = replace(found, signing_disabled=False, token_key_name="key")
    attempt = Attempt(username="ann", token=Secret("a token"), signature="a+b/c==")
    assert authorizers.device_username(signed, attempt) == (
        "ann?x-amz-customauthorizer-name=doors&key=a%20token&x-amz-customauthorizer-signature=a%2Bb%2Fc%3D%3D"
    )


def test_a_signed_token_goes_along(account: Account, session: Watched, store: Store) -> None:
    """Token and signature reach AWS IoT as they are; with a wrong signature the function is not even asked."""
    from base64 import b64encode

    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import padding, rsa

    key = rsa.generate_private_key(65537, 2048)
    pem = key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    arn = authorizers.require(session, WISH.authorizer).function_arn
    account.client("iot").create_authorizer(
        authorizerName="signed",
        authorizerFunctionArn=arn,
        tokenKeyName="token",
        tokenSigningPublicKeys={"first": pem.decode()},
        status="ACTIVE",
    )
    account.client("lambda").add_permission(
        FunctionName=WISH.function, StatementId="signed", Action="lambda:InvokeFunction", Principal="iot.amazonaws.com"
    )
    signature = b64encode(key.sign(b"door-7.1763640000", padding.PKCS1v15(), hashes.SHA256())).decode()
    attempt = authorizers.attempt(store, client_id="door-7", token=Secret("door-7.1763640000"), signature=signature)
    assert authorizers.test_invoke(session, "signed", attempt).is_authenticated
    with pytest.raises(AwsError):
        authorizers.test_invoke(session, "signed", replace(attempt, signature=b64encode(b"x" * 256).decode()))
    shown = authorizers.show(session, replace(WISH, authorizer="signed"), store)
    assert shown.authorizer.token_key_name == "token"
    assert shown.drift[0].resource == "permission"
