"""Signatures, against botocore's own signer."""

from __future__ import annotations

import calendar
import time

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials as BotocoreCredentials
from hypothesis import given
from hypothesis import strategies as st

from iotauth_authorizer.dynamodb import Credentials, sign

TOKENS = st.text(alphabet=st.characters(min_codepoint=33, max_codepoint=126), max_size=40)


@given(
    body=st.binary(max_size=200),
    session_token=st.none() | TOKENS,
    secret_key=st.text(min_size=1, max_size=40),
    operation=st.sampled_from(["GetItem", "PutItem", "BatchWriteItem"]),
    region=st.sampled_from(["us-east-1", "cn-north-1", "us-gov-west-1"]),
    endpoint=st.sampled_from(["https://dynamodb.us-east-1.amazonaws.com", "http://127.0.0.1:4588", "http://[::1]:1"]),
)
def test_a_signature_equals_botocore_s(
    body: bytes, session_token: str | None, secret_key: str, operation: str, region: str, endpoint: str
) -> None:
    """Whatever is signed, with and without a session token."""
    target = f"DynamoDB_20120810.{operation}"
    theirs = AWSRequest("POST", f"{endpoint}/", {"X-Amz-Target": target}, data=body)
    credentials = BotocoreCredentials("AKIDEXAMPLE", secret_key, session_token)
    SigV4Auth(credentials, "dynamodb", region).add_auth(theirs)
    ours = sign(
        Credentials("AKIDEXAMPLE", secret_key, session_token),
        region=region,
        host=endpoint.partition("//")[2],
        target=target,
        payload=body,
        at=calendar.timegm(time.strptime(theirs.headers["X-Amz-Date"], "%Y%m%dT%H%M%SZ")),
    )
    assert ours["authorization"] == theirs.headers["Authorization"]
    assert ours["x-amz-date"] == theirs.headers["X-Amz-Date"]
    assert ours.get("x-amz-security-token") == theirs.headers.get("X-Amz-Security-Token")


@pytest.mark.parametrize("session_token", [None, "FwoGZXIvYXdzE"])
def test_only_what_must_be_signed_is(session_token: str | None) -> None:
    """A proxy that adds or changes other headers breaks nothing."""
    headers = sign(
        Credentials("AKIDEXAMPLE", "secret", session_token),
        region="us-east-1",
        host="localhost",
        target="DynamoDB_20120810.GetItem",
        payload=b"{}",
        at=0,
    )
    token = ";x-amz-security-token" if session_token else ""
    assert f"SignedHeaders=host;x-amz-date{token};x-amz-target," in headers["authorization"]


def test_a_signature_of_long_ago_is_still_the_same() -> None:
    """A fixed vector from botocore 1.44, for interpreters without botocore."""
    headers = sign(
        Credentials("AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"),
        region="us-east-1",
        host="dynamodb.us-east-1.amazonaws.com",
        target="DynamoDB_20120810.GetItem",
        payload=b"{}",
        at=1_440_938_160,
    )
    assert headers["authorization"].endswith(
        "Signature=f9b34e28ef8019b4be443c31d79c585fd6271455bc6a8bd120916e61c82f0e9c"
    )
