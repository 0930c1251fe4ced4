"""The parity function: an authorizer that answers as the client orders, and notes each event in a table.

An order is JSON in URL-safe base64 behind `order:` or `order=`, wherever a client can put something: its password,
its user name, a header, the query string, the token. It carries a key that only this run knows: while the suite
runs, its authorizers stand open on the internet, and who does not know the key is refused and leaves no trace.

An order has a *mark*, under which its events are noted, and *answers*: the first for the first call, the next for
each further one. An answer may be

    {}                                let in, with everything under the run's prefix
    {"policy": [[effect, actions, resources], …]}      resources as `topic/a`; the ARN is put before them
    {"members": {…}}                  members of the answer that replace its own
    {"fail": true}, {"sleep": 6}      an exception, a pause before the answer
    {"copies": 11}, {"characters": 2049}               so many documents, a document of that length
    {"as_text": "answer"|"documents"}                  as JSON text instead of an object
"""

from __future__ import annotations

import base64
import io
import json
import zipfile
from typing import Any

HANDLER = "parity.handler"
TABLE, KEY, PREFIX = "PARITY_TABLE", "PARITY_KEY", "PARITY_PREFIX"

SOURCE = '''
import base64, hmac, json, os, re, time

import boto3

table = boto3.client("dynamodb")
ORDER = re.compile(r"order[:=]([A-Za-z0-9_-]+)")


def handler(event, context):
    order = find_order(event)
    if order is None:
        return {"isAuthenticated": False}
    number = note(order["mark"], event)
    answers = order["answers"]
    answer = answers[min(number, len(answers)) - 1]
    time.sleep(answer.get("sleep", 0))
    if answer.get("fail"):
        raise RuntimeError("as ordered")
    return carry_out(answer, context.invoked_function_arn)


def find_order(event):
    for text in places(event):
        for found in ORDER.findall(text):
            try:
                order = json.loads(base64.urlsafe_b64decode(found + "=" * (-len(found) % 4)))
            except ValueError:
                continue
            if isinstance(order, dict) and hmac.compare_digest(str(order.get("key")), os.environ["PARITY_KEY"]):
                return order
    return None


def places(event):
    data = event.get("protocolData") or {}
    mqtt, http = data.get("mqtt") or {}, data.get("http") or {}
    yield base64.b64decode(mqtt.get("password") or "").decode("latin-1")
    yield mqtt.get("username") or ""
    yield http.get("queryString") or ""
    yield from (http.get("headers") or {}).values()
    yield event.get("token") or ""


def note(mark, event):
    """Count the call and keep the event; return which call under this mark it is."""
    name = {"TableName": os.environ["PARITY_TABLE"]}
    counted = table.update_item(
        Key={"Mark": {"S": mark}, "Number": {"N": "0"}},
        UpdateExpression="ADD Calls :one",
        ExpressionAttributeValues={":one": {"N": "1"}},
        ReturnValues="UPDATED_NEW",
        **name,
    )
    number = counted["Attributes"]["Calls"]["N"]
    item = {"Mark": {"S": mark}, "Number": {"N": number}, "Event": {"S": json.dumps(event)}}
    table.put_item(Item=item, **name)
    return int(number)


def carry_out(answer, function_arn):
    _, partition, _, region, account, *_ = function_arn.split(":")
    prefix = os.environ["PARITY_PREFIX"]
    names = [f"client/{prefix}*"]
    names += [f"{kind}/{start}*" for kind in ("topic", "topicfilter") for start in (prefix, "$aws/events/")]
    policy = answer.get("policy", [["Allow", "iot:*", names]])
    statements = [statement(partition, region, account, *each) for each in policy]
    document = {"Version": "2012-10-17", "Statement": statements}
    missing = answer.get("characters", 0) - len(json.dumps(document, separators=(",", ":")))
    pad(statements[0], missing, f"arn:{partition}:iot:{region}:{account}:topic/")
    documents = [document] * answer.get("copies", 1)
    if answer.get("as_text") == "documents":
        documents = [json.dumps(each) for each in documents]
    made = {
        "isAuthenticated": True,
        "principalId": "parity",
        "policyDocuments": documents,
        "disconnectAfterInSeconds": 86400,
        "refreshAfterInSeconds": 86400,
        **answer.get("members", {}),
    }
    return json.dumps(made) if answer.get("as_text") == "answer" else made


def pad(statement, missing, start):
    """Make it longer by so many characters, with resources of up to 200: a longer one may be refused for itself."""
    while missing > 0:
        size = missing if missing <= 200 else min(200, missing - 100)
        statement["Resource"].append(start.ljust(size - len(\',""\'), "x"))
        missing -= size


def statement(partition, region, account, effect, actions, resources, member="Resource"):
    start = f"arn:{partition}:iot:{region}:{account}:"
    resources = [resources] if isinstance(resources, str) else resources
    return {"Effect": effect, "Action": actions, member: [start + each for each in resources]}
'''


def zipped() -> bytes:
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("parity.py", SOURCE)
    return archive.getvalue()


def order(key: str, mark: str, answers: list[dict[str, Any]]) -> str:
    """Return the order as it stands behind `order:` or `order=`: letters, digits, `-` and `_` only."""
    text = json.dumps({"key": key, "mark": mark, "answers": answers or [{}]}, separators=(",", ":"))
    return base64.urlsafe_b64encode(text.encode()).rstrip(b"=").decode()
