"""STS's one question over the light HTTP: signed as botocore signs it, and never in the way."""

from __future__ import annotations

import calendar
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials as BotocoreCredentials

from iotauth_authorizer.aws_credentials import Credentials
from iotauth_cli.aws import caller, partitions
from iotauth_cli.aws.session import Session
from iotauth_cli.secret import Secret
from support_aws import aws_target

ANNA = "arn:aws:sts::123456789012:assumed-role/Admin/anna@example.com"
ANSWER = (
    '<GetCallerIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><GetCallerIdentityResult>'
    f"<Arn>{ANNA}</Arn><UserId>AROA:anna</UserId><Account>123456789012</Account>"
    "</GetCallerIdentityResult></GetCallerIdentityResponse>"
)


class Sts(HTTPServer):
    """Answers every POST with *status* and *body*, and keeps what it was sent."""

    status = 200
    body = ANSWER.encode()

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.seen: list[tuple[dict[str, str], bytes]] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/"


class Handler(BaseHTTPRequestHandler):
    server: Sts

    def do_POST(self) -> None:
        sent = self.rfile.read(int(self.headers["content-length"]))
        self.server.seen.append(({name.lower(): value for name, value in self.headers.items()}, sent))
        self.send_response(self.server.status)
        self.send_header("content-length", str(len(self.server.body)))
        self.end_headers()
        self.wfile.write(self.server.body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[Sts]:
    with Sts() as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        yield server
        server.shutdown()


def session(url: str | None) -> Session:
    target = aws_target()._replace(access_key="AKIA", secret_key=Secret("shh"), session_token=Secret("token/+="))
    return Session(target._replace(identity_url=url))


def test_the_arn_is_read_from_the_answer(server: Sts) -> None:
    """One request, and the caller's ARN out of STS's XML."""
    assert caller.arn(session(server.url)) == ANNA
    assert server.seen[0][1] == caller.QUESTION


def test_the_question_is_signed_as_botocore_signs_it(server: Sts) -> None:
    """Same keys, same second, same headers: the same signature."""
    caller.arn(session(server.url))
    ours, body = server.seen[0]
    at = calendar.timegm(time.strptime(ours["x-amz-date"], "%Y%m%dT%H%M%SZ"))
    request = AWSRequest("POST", server.url, {"Content-Type": caller.FORM}, body)
    request.context["timestamp"] = ours["x-amz-date"]
    signer = SigV4Auth(BotocoreCredentials("AKIA", "shh", "token/+="), "sts", "eu-west-1")
    theirs = caller.sign(
        Credentials("AKIA", "shh", "token/+="), region="eu-west-1", host=ours["host"], path="/", at=float(at)
    )
    request.headers["X-Amz-Date"] = ours["x-amz-date"]
    request.headers["X-Amz-Security-Token"] = "token/+="
    canonical = signer.canonical_request(request)
    signature = signer.signature(signer.string_to_sign(request, canonical), request)
    assert ours["authorization"] == theirs["authorization"]
    assert ours["authorization"].endswith(f"Signature={signature}")


@pytest.mark.parametrize(
    ("status", "body"),
    [(403, b"<Error/>"), (200, b""), (200, b"\xff<Arn></Arn>"), (500, ANSWER.encode())],
    ids=["refused", "empty", "not XML", "broken"],
)
def test_any_other_answer_is_none(server: Sts, status: int, body: bytes) -> None:
    """Whoever cannot be named is nobody, and no error."""
    server.status, server.body = status, body
    assert caller.arn(session(server.url)) is None


@pytest.mark.parametrize("url", ["http://127.0.0.1:1/", "nowhere"], ids=["nobody listens", "no address"])
def test_nobody_there_is_none(url: str) -> None:
    """A network that is down costs no error."""
    assert caller.arn(session(url)) is None


def test_each_partition_has_its_own_address() -> None:
    """The regional endpoint, as AWS recommends."""
    assert partitions.endpoint("sts", "eu-west-1") == "https://sts.eu-west-1.amazonaws.com"
    assert partitions.endpoint("sts", "cn-north-1") == "https://sts.cn-north-1.amazonaws.com.cn"
