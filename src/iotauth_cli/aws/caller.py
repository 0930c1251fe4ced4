"""Whose keys these are: STS's one question, without boto3, whose import alone would cost a quarter of a second."""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import json
import re
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

from iotauth_authorizer.aws_credentials import Credentials
from iotauth_authorizer.http1 import Broken, Connection, Response
from iotauth_cli.aws import partitions
from iotauth_cli.aws.errors import from_code, sentence, unreachable
from iotauth_cli.errors import AwsError, InputError, IotauthError, Throttled
from iotauth_cli.files import private_directory, read_text, write_private

if TYPE_CHECKING:
    from pathlib import Path

    from iotauth_cli.aws.session import Session
    from iotauth_cli.config import Target

TIMEOUT_S = 1.0  # connecting included; whoever asks has done their work already and waits for the prompt
PATIENCE_S = 5.0  # where nothing may be done before the answer is there; for each attempt
ATTEMPTS = 3
PAUSE_S = 0.2  # before the second attempt; doubled before each further one
QUESTION = b"Action=GetCallerIdentity&Version=2011-06-15"
FORM = "application/x-www-form-urlencoded"
ACTION = "sts:GetCallerIdentity"
# Nothing in an ARN or an account is ever escaped in XML; what an error says is.
ARN = re.compile(r"<Arn>([^<]+)</Arn>")
ACCOUNT = re.compile(r"<Account>(\d{12})</Account>")
CALLER = re.compile(r"arn:[\w-]+:\w+::(\d{12}):\S+")
CODE = re.compile(r"<Code>([^<]+)</Code>")
MESSAGE = re.compile(r"<Message>([^<]*)</Message>")
FILE_NAME = "callers.json"
MOST_CALLERS = 50  # temporary keys come and go; the oldest are forgotten


class Identity(NamedTuple):
    """Whose keys these are, as STS says it."""

    account: str
    arn: str

    @classmethod
    def of(cls, arn: str) -> Identity | None:
        """Return the caller whose ARN was kept, unless that is none."""
        found = CALLER.fullmatch(arn)
        return cls(found[1], arn) if found else None

    @property
    def name(self) -> str:
        """The caller without partition and account: `user/anna`, `assumed-role/Admin/anna@example.com`."""
        return self.arn.rpartition(":")[2]


class Endpoint(NamedTuple):
    """Where a service answers, and the region that a signature for it names."""

    url: str
    region: str


class Callers:
    """Who is behind each key, so that STS is asked once for it; beside the audit log in *folder*, or only while we run.

    An access key id belongs to one account for good and is never given to another, and whoever presents it with the
    wrong secret is refused by whatever is called next: so the answer may be kept. It may not be passed on
    between what only looks like AWS, such as a company's test stand, and AWS itself: the name that an
    answer is kept under says where it came from.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self.lock = threading.Lock()  # held by whoever asks: the others wait for the answer
        self.found: dict[str, Identity] = {}  # by access key id, as AWS or whoever stands for it said it now
        self._folder = folder

    def kept(self, name: str) -> str | int | None:
        """Return what is kept under *name*: an ARN, or when to ask again, in epoch seconds."""
        return self._kept().get(name)

    def keep(self, name: str, known: str | int) -> None:
        """Keep *known*; a folder that cannot be written to keeps nothing."""
        if self._folder is None:
            return
        newest = dict(list({**self._kept(), name: known}.items())[-MOST_CALLERS:])
        with contextlib.suppress(InputError):
            private_directory(self._folder, top=self._folder.parent)
            write_private(self._folder / FILE_NAME, json.dumps(newest, indent=2) + "\n")

    def _kept(self) -> dict[str, str | int]:
        if self._folder is None:
            return {}
        try:
            found = json.loads(read_text(self._folder / FILE_NAME) or "{}")
            return {str(name): known for name, known in found.items() if isinstance(known, (str, int))}
        except (InputError, ValueError, AttributeError):
            return {}


def name_of(access_key: str, target: Target, place: Endpoint) -> str:
    """Return what a key's owner is kept under: the key, with the account that is meant.

    An address that is not AWS's own stands there too; the emulator has one key, and may be given any account.
    """
    is_usual = target.endpoint_url is not None or place.url == partitions.endpoint("sts", target.region)
    return " ".join(filter(None, [access_key, target.account, None if is_usual else place.url]))


def arn(session: Session) -> str | None:
    """Return the ARN that the session's keys belong to, or None if it cannot be had within the time."""
    try:
        return session.ask_identity(attempts=1, timeout_s=TIMEOUT_S).arn
    except (IotauthError, OSError, ValueError):
        return None


def identity(
    target: Target,
    credentials: Credentials,
    place: Endpoint,
    *,
    ca_file: str | None,
    attempts: int = ATTEMPTS,
    timeout_s: float = PATIENCE_S,
    sleep: Callable[[float], None] = time.sleep,
) -> Identity:
    """Ask STS at *place* whose *credentials* these are.

    Raises:
        IotauthError: it gave no answer in any of the *attempts*, or does not accept the keys.
    """
    try:
        connection = Connection(place.url, ca_file=ca_file)
    except ValueError as problem:
        raise AwsError(f"STS cannot be asked: {sentence(problem)}") from problem
    try:
        for attempt in range(attempts):
            if attempt:
                sleep(PAUSE_S * 2 ** (attempt - 1))
            try:
                return asked(target, credentials, place, connection, timeout_s)
            except (Broken, Throttled) as problem:
                failure = problem
    finally:
        connection.close()
    raise unreachable(sentence(failure), target) from failure


def asked(
    target: Target, credentials: Credentials, place: Endpoint, connection: Connection, timeout_s: float
) -> Identity:
    headers = sign(credentials, region=place.region, host=connection.host, path=connection.path, at=time.time())
    answer = connection.request("POST", connection.path, headers, QUESTION, timeout_s=timeout_s)
    text = answer.body.decode(errors="replace")
    found = ACCOUNT.search(text), ARN.search(text)
    if answer.status == 200 and found[0] and found[1]:
        return Identity(found[0][1], found[1][1])
    raise refused(answer, text, target)


def refused(answer: Response, text: str, target: Target) -> Exception:
    if answer.status >= 500:
        return Broken(f"STS answered {answer.status}")
    import html

    code, message = CODE.search(text), MESSAGE.search(text)
    if code is None:
        return AwsError(f"STS gave an answer that says nothing: {answer.status}")
    found = from_code(code[1], html.unescape(message[1]) if message else "", ACTION, target)
    found.request_id = answer.headers.get("x-amzn-requestid")
    return found


def sign(credentials: Credentials, *, region: str, host: str, path: str, at: float) -> dict[str, str]:
    """Return the headers of the signed question (Signature Version 4). *at* is in epoch seconds."""
    stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(at))
    headers = {"content-type": FORM, "host": host, "x-amz-date": stamp}
    if credentials.session_token:
        headers["x-amz-security-token"] = credentials.session_token
    names = ";".join(headers)  # built in alphabetical order, as a signature wants them
    lines = "".join(f"{name}:{value}\n" for name, value in headers.items())
    request = f"POST\n{path}\n\n{lines}\n{names}\n{hashlib.sha256(QUESTION).hexdigest()}"
    scope = f"{stamp[:8]}/{region}/sts/aws4_request"
    text = f"AWS4-HMAC-SHA256\n{stamp}\n{scope}\n{hashlib.sha256(request.encode()).hexdigest()}"
    key = f"AWS4{credentials.secret_key}".encode()
    for part in scope.split("/"):
        key = hmac.digest(key, part.encode(), "sha256")
    signature = hmac.digest(key, text.encode(), "sha256").hex()
    headers["authorization"] = (
        f"AWS4-HMAC-SHA256 Credential={credentials.access_key}/{scope}, SignedHeaders={names}, Signature={signature}"
    )
    return headers
