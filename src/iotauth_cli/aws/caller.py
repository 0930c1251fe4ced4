"""Whose keys these are: STS's one question, without boto3, whose import alone would cost a quarter of a second."""

from __future__ import annotations

import hashlib
import hmac
import re
import time

from iotauth_authorizer.aws_credentials import Credentials
from iotauth_authorizer.http1 import Broken, Connection
from iotauth_cli.aws.session import Session, partition
from iotauth_cli.errors import IotauthError

TIMEOUT_S = 1.0  # connecting included; whoever asks has done their work already and waits for the prompt
QUESTION = b"Action=GetCallerIdentity&Version=2011-06-15"
FORM = "application/x-www-form-urlencoded"
ARN = re.compile(r"<Arn>([^<]+)</Arn>")  # nothing in an ARN is ever escaped in XML


def arn(session: Session) -> str | None:
    """Return the ARN that the session's keys belong to, or None if it cannot be had within the time."""
    target = session.target
    try:
        connection = Connection(target.identity_url or endpoint(target.region), ca_file=target.table_ca)
        credentials = session.credentials()
    except (IotauthError, OSError, ValueError):
        return None
    try:
        headers = sign(credentials, region=target.region, host=connection.host, path=connection.path, at=time.time())
        answer = connection.request("POST", connection.path, headers, QUESTION, timeout_s=TIMEOUT_S)
    except Broken:
        return None
    finally:
        connection.close()
    found = ARN.search(answer.body.decode(errors="replace")) if answer.status == 200 else None
    return found[1] if found else None


def endpoint(region: str) -> str:
    suffix = "amazonaws.com.cn" if partition(region) == "aws-cn" else "amazonaws.com"
    return f"https://sts.{region}.{suffix}"


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
