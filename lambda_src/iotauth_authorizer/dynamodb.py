"""A light DynamoDB client: signed requests over one kept-alive connection.

boto3 would triple the function's cold start. What it does that matters is here too: the
credentials are read at each signature and a session token is signed; a connection gone
stale while Lambda froze the process is replaced at once; throttling, 5xx and broken answers
are retried with jitter, all within one time budget. HTTP and TLS are `http1`'s.

A `Client` serves one caller at a time. Rows are DynamoDB's typed JSON, as in `record`.
"""

from __future__ import annotations

import binascii
import hashlib
import hmac
import json
import time
from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from typing import Any

from iotauth_authorizer.aws_credentials import Credentials, NoCredentials, environment_credentials
from iotauth_authorizer.http1 import Broken, Connection, Response, Unreachable

__all__ = [
    "Client",
    "ConnectionLost",
    "Credentials",
    "DynamoDBError",
    "NoCredentials",
    "environment_credentials",
    "sign",
]

Item = dict[str, dict[str, Any]]

BUDGET_S = 3.0  # for one call with all its retries, unless the caller says otherwise
CONNECT_TRIES = 3  # a wrong address or a dead network does not mend itself within any budget
ATTEMPT_S = 1.0  # for one attempt, connecting included; DynamoDB answers in milliseconds
FIRST_PAUSE_S = 0.05  # the longest first pause; doubles with each attempt
LONGEST_PAUSE_S = 1.0

_compact = json.JSONEncoder(separators=(",", ":")).encode
_VERSION = "DynamoDB_20120810"
_TRANSIENT = {
    "InternalServerError",
    "ProvisionedThroughputExceededException",
    "RequestLimitExceeded",
    "ServiceUnavailable",
    "ThrottlingException",
    "TransactionInProgressException",
}


class DynamoDBError(Exception):
    """DynamoDB answered with an error. *code* is its name, such as `ResourceNotFoundException`."""

    def __init__(self, code: str, message: str, status: int, request_id: str | None = None) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.status = status
        self.request_id = request_id

    @property
    def is_transient(self) -> bool:
        return self.status >= 500 or self.code in _TRANSIENT

    @property
    def is_condition_failed(self) -> bool:
        return self.code == "ConditionalCheckFailedException"


class ConnectionLost(Exception):
    """No whole answer came.

    *was_reused* says that the connection had been open before this request, *is_unreachable* that
    there was none to be had.
    """

    def __init__(self, message: str, *, was_reused: bool = False, is_unreachable: bool = False) -> None:
        super().__init__(message)
        self.was_reused = was_reused
        self.is_unreachable = is_unreachable


def sign(
    credentials: Credentials, *, region: str, host: str, target: str, payload: bytes, at: float, path: str = "/"
) -> dict[str, str]:
    """Return the headers of a signed request to DynamoDB (Signature Version 4).

    *target* is `DynamoDB_20120810.GetItem` and the like; *at* is epoch seconds. Signed are
    `host`, `x-amz-date`, `x-amz-target` and, where there is one, the session token.
    """
    stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(at))
    headers = {"host": host, "x-amz-date": stamp}
    if credentials.session_token:
        headers["x-amz-security-token"] = credentials.session_token
    headers["x-amz-target"] = target
    names = ";".join(headers)  # built in alphabetical order, as a signature wants them
    lines = "".join(f"{name}:{value}\n" for name, value in headers.items())
    request = f"POST\n{path}\n\n{lines}\n{names}\n{hashlib.sha256(payload).hexdigest()}"
    scope = f"{stamp[:8]}/{region}/dynamodb/aws4_request"
    text = f"AWS4-HMAC-SHA256\n{stamp}\n{scope}\n{hashlib.sha256(request.encode()).hexdigest()}"
    signature = _mac(_signing_key(credentials.secret_key, stamp[:8], region), text).hex()
    headers["authorization"] = (
        f"AWS4-HMAC-SHA256 Credential={credentials.access_key}/{scope}, SignedHeaders={names}, Signature={signature}"
    )
    return headers


class Client:
    """Calls DynamoDB in *region*, or whatever answers at *endpoint_url*, http or https.

    *credentials* is asked at each request. *ca_file* replaces the trusted roots. *budget_s*
    bounds a call with all its retries; *clock* (monotonic) and *sleep* are for tests.
    """

    def __init__(
        self,
        region: str,
        *,
        credentials: Callable[[], Credentials],
        endpoint_url: str | None = None,
        ca_file: str | None = None,
        budget_s: float = BUDGET_S,
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._region = region
        self._credentials = credentials
        self._connection = Connection(endpoint_url or _endpoint(region), ca_file=ca_file)
        self._budget_s = budget_s
        self._sleep = sleep
        self._clock = clock

    def connect(self) -> None:
        """Open the connection before the first call needs it.

        Raises:
            ConnectionLost: nobody answers. The next call tries again.
        """
        try:
            self._connection.open(ATTEMPT_S)
        except Broken as error:
            raise ConnectionLost(str(error)) from error

    def close(self) -> None:
        self._connection.close()

    def call(self, operation: str, body: Mapping[str, Any], *, budget_s: float | None = None) -> dict[str, Any]:
        """Call *operation* and return its answer; retries what passes, until the budget is spent.

        A request whose answer got lost is sent again, as the AWS SDKs do, so a conditional
        write may meet its own effect and fail its condition.

        Raises:
            DynamoDBError: DynamoDB refused, or kept being busy.
            ConnectionLost: no answer within the budget.
            NoCredentials: there is nothing to sign with.
        """
        return self.call_payload(operation, _compact(body).encode(), budget_s=budget_s)

    def call_payload(self, operation: str, payload: bytes, *, budget_s: float | None = None) -> dict[str, Any]:
        """Do what `call` does with a body that is JSON already."""
        deadline = self._clock() + (self._budget_s if budget_s is None else budget_s)
        attempt = unreached = 0
        while True:
            try:
                return self._send(operation, payload, deadline)
            except ConnectionLost as error:
                unreached += error.is_unreachable
                if unreached == CONNECT_TRIES:
                    raise
                failure: Exception = error
                pause_s = 0.0 if error.was_reused else _pause(attempt)
            except DynamoDBError as error:
                if not error.is_transient:
                    raise
                failure, pause_s = error, _pause(attempt)
            if self._clock() + pause_s >= deadline:
                raise failure
            self._sleep(pause_s)
            attempt += 1

    def get_item(
        self, table: str, key: Item, *, consistent: bool = True, projection: str | None = None, **rest: Any
    ) -> Item | None:
        """Return the row with *key*, or None. *rest*: further members of the request, under AWS's names."""
        body = _body(TableName=table, Key=key, ConsistentRead=consistent, ProjectionExpression=projection, **rest)
        item: Item | None = self.call("GetItem", body).get("Item")
        return item

    def put_item(
        self,
        table: str,
        item: Item,
        *,
        condition: str | None = None,
        names: Mapping[str, str] | None = None,
        values: Item | None = None,
    ) -> None:
        """Write a whole row; with *condition*, a row that does not meet it is left as it is."""
        self.call("PutItem", _body(TableName=table, Item=item, **_condition(condition, names, values)))

    def update_item(
        self,
        table: str,
        key: Item,
        update: str,
        *,
        condition: str | None = None,
        names: Mapping[str, str] | None = None,
        values: Item | None = None,
        returning: str | None = None,
        budget_s: float | None = None,
    ) -> Item:
        """Apply an update expression; return the attributes that *returning* (`ALL_NEW`, …) asks for."""
        body = _body(TableName=table, Key=key, UpdateExpression=update, ReturnValues=returning)
        answer = self.call("UpdateItem", body | _condition(condition, names, values), budget_s=budget_s)
        attributes: Item = answer.get("Attributes", {})
        return attributes

    def delete_item(
        self,
        table: str,
        key: Item,
        *,
        condition: str | None = None,
        names: Mapping[str, str] | None = None,
        values: Item | None = None,
    ) -> Item | None:
        """Delete a row and return it as it was, or None when there was none."""
        body = _body(TableName=table, Key=key, ReturnValues="ALL_OLD", **_condition(condition, names, values))
        item: Item | None = self.call("DeleteItem", body).get("Attributes")
        return item

    def scan(self, table: str, *, projection: str | None = None, **rest: Any) -> Iterator[list[Item]]:
        """Yield the table page by page. *rest*: further members of the request, under AWS's names."""
        body = _body(TableName=table, ProjectionExpression=projection, **rest)
        while True:
            page = self.call("Scan", body)
            yield page["Items"]
            if "LastEvaluatedKey" not in page:
                return
            body["ExclusiveStartKey"] = page["LastEvaluatedKey"]

    def _send(self, operation: str, payload: bytes, deadline: float) -> dict[str, Any]:
        connection = self._connection
        headers = sign(
            self._credentials(),
            region=self._region,
            host=connection.host,
            path=connection.path,
            target=f"{_VERSION}.{operation}",
            payload=payload,
            at=time.time(),
        )
        headers["content-type"] = "application/x-amz-json-1.0"
        left_s = deadline - self._clock()
        was_open = connection.is_open
        try:
            response = connection.request("POST", connection.path, headers, payload, timeout_s=min(left_s, ATTEMPT_S))
        except Broken as error:
            is_unreachable = isinstance(error, Unreachable)
            raise ConnectionLost(str(error), was_reused=was_open, is_unreachable=is_unreachable) from error
        return _decode(response)


def _endpoint(region: str) -> str:
    suffix = "amazonaws.com.cn" if region.startswith("cn-") else "amazonaws.com"
    return f"https://dynamodb.{region}.{suffix}"


def _decode(response: Response) -> dict[str, Any]:
    checksum = response.headers.get("x-amz-crc32")
    if checksum is not None and checksum != str(binascii.crc32(response.body)):
        raise ConnectionLost("the answer was damaged on its way: its CRC32 is wrong")
    try:
        answer = json.loads(response.body.decode())
    except ValueError:
        answer = None
    if not isinstance(answer, dict):
        raise DynamoDBError("UnreadableAnswer", "the answer is not a JSON object", response.status)
    if response.status != 200:
        code = str(answer.get("__type", "Unknown")).rpartition("#")[2]
        said = str(answer.get("message") or answer.get("Message") or "")
        raise DynamoDBError(code, said, response.status, response.headers.get("x-amzn-requestid"))
    return answer


def _pause(attempt: int) -> float:
    """Return how long to wait after the failure of *attempt* (from 0): anything up to a doubling limit."""
    # Imported here because a call that goes well never pauses.
    from random import uniform

    return uniform(0, min(FIRST_PAUSE_S * 2**attempt, LONGEST_PAUSE_S))


def _condition(condition: str | None, names: Mapping[str, str] | None, values: Item | None) -> dict[str, Any]:
    return _body(ConditionExpression=condition, ExpressionAttributeNames=names, ExpressionAttributeValues=values)


def _body(**members: Any) -> dict[str, Any]:
    return {name: value for name, value in members.items() if value is not None}


def _mac(key: bytes, text: str) -> bytes:
    return hmac.digest(key, text.encode(), "sha256")


@lru_cache(maxsize=4)  # it holds for a day
def _signing_key(secret_key: str, date: str, region: str) -> bytes:
    key = f"AWS4{secret_key}".encode()
    for part in (date, region, "dynamodb", "aws4_request"):
        key = _mac(key, part)
    return key
