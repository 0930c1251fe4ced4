"""An authorizer as people made them by hand before there was iotauth: table, function, role and permission."""

from __future__ import annotations

import contextlib
import io
import json
import os
import ssl
import subprocess
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from queue import Queue
from typing import Any

import paho.mqtt.client as mqtt
import pytest
from paho.mqtt.enums import CallbackAPIVersion

from iotauth_cli.__main__ import main
from iotauth_cli.aws.client_table import ClientTable
from iotauth_cli.config import Target, load
from iotauth_cli.credentials import Store
from support import require_peer
from support_control import TRUST, zipped
from support_device import Device, text
from support_emulator import RunningEmulator
from support_installation import Watched
from support_scenarios import streams

AUTHORIZER, TABLE, FUNCTION = "Doors", "Door_Clients", "door-auth"
ARN = "arn:aws:lambda:us-east-1:123456789012:function:{}"

# As the tutorials have it: boto3's resource, a plain comparison, policies in AWS's wildcards.
PYTHON = """
import base64, os
import boto3

table = boto3.resource("dynamodb").Table(os.environ["CLIENTS"])
REGION = os.environ["AWS_REGION"]

def arn(context, kind, name):
    return "arn:aws:iot:%s:%s:%s/%s" % (REGION, context.invoked_function_arn.split(":")[4], kind, name)

def handler(event, context):
    mqtt = event["protocolData"]["mqtt"]
    client_id = mqtt["clientId"]
    password = base64.b64decode(mqtt["password"]).decode()
    username = mqtt["username"].split("?")[0]
    row = table.get_item(Key={"Client_ID": client_id}).get("Item")
    if not row or not row.get("allow_connect") or row.get("Password") != password:
        return answer(False, [])
    if row.get("Username", client_id) != username:
        return answer(False, [])
    allowed = [("iot:Connect", "client", client_id)]
    if row.get("allow_read"):
        allowed += [("iot:Subscribe", "topicfilter", row["read_topic"]), ("iot:Receive", "topic", row["read_topic"])]
    if row.get("allow_write"):
        allowed.append(("iot:Publish", "topic", row["write_topic"]))
    return answer(True, [{"Effect": "Allow", "Action": a, "Resource": arn(context, k, n)} for a, k, n in allowed])

def answer(ok, statements):
    return {
        "isAuthenticated": ok,
        "principalId": "device",
        "disconnectAfterInSeconds": 7200,
        "refreshAfterInSeconds": 600,
        "policyDocuments": [{"Version": "2012-10-17", "Statement": statements}] if statements else [],
    }
"""

# The same in JavaScript, by DynamoDB's own protocol: the emulator has no AWS SDK for Node.js.
NODE = """
const endpoint = process.env.AWS_ENDPOINT_URL_DYNAMODB || process.env.AWS_ENDPOINT_URL;
const scope = `IOTAUTHEMULATOR/20260101/${process.env.AWS_REGION}/dynamodb/aws4_request`;
exports.handler = async (event, context) => {
  const mqtt = event.protocolData.mqtt;
  const [region, account] = context.invokedFunctionArn.split(":").slice(3, 5);
  const answered = await fetch(endpoint, {
    method: "POST",
    headers: {
      "content-type": "application/x-amz-json-1.0",
      "x-amz-target": "DynamoDB_20120810.GetItem",
      authorization: `AWS4-HMAC-SHA256 Credential=${scope}, SignedHeaders=host, Signature=00`,
    },
    body: JSON.stringify({TableName: process.env.TABLE_ARN.split("/")[1], Key: {Client_ID: {S: mqtt.clientId}}}),
  });
  const row = (await answered.json()).Item;
  const ok = Boolean(row && row.allow_connect && row.allow_connect.BOOL
    && row.Password.S === Buffer.from(mqtt.password, "base64").toString()
    && (row.Username ? row.Username.S : mqtt.clientId) === mqtt.username.split("?")[0]);
  const arn = (kind, name) => `arn:aws:iot:${region}:${account}:${kind}/${name}`;
  const statements = [{Effect: "Allow", Action: "iot:Connect", Resource: arn("client", mqtt.clientId)}];
  if (ok && row.allow_write && row.allow_write.BOOL)
    statements.push({Effect: "Allow", Action: ["iot:Publish"], Resource: [arn("topic", row.write_topic.S)]});
  const policy = JSON.stringify({Version: "2012-10-17", Statement: statements});
  return {isAuthenticated: ok, principalId: "device", disconnectAfterInSeconds: 86400,
    refreshAfterInSeconds: 300, policyDocuments: ok ? [policy] : []};
};
"""

ROWS: tuple[dict[str, Any], ...] = (  # plain passwords, as the older tool wrote them
    {"Client_ID": "door-1", "Password": "open sesame", "allow_connect": True, "allow_write": True}
    | {"write_topic": "doors/1/*", "allow_read": True, "read_topic": "doors/1/*"},
    {"Client_ID": "door-2", "Username": "hall", "Password": "pass word", "allow_connect": True, "allow_write": True}
    | {"write_topic": "doors/2"},
    {"Client_ID": "door-3", "Password": "off", "allow_connect": False},
)


@dataclass(frozen=True)
class Older:
    """What somebody made by hand on an emulator or an account. *aws* gives boto3's clients, by service."""

    aws: Any
    authorizer: str = AUTHORIZER
    table: str = TABLE
    function: str = FUNCTION

    @property
    def function_arn(self) -> str:
        return ARN.format(self.function)

    def make(self, source: str = PYTHON, *, rows: tuple[dict[str, Any], ...] = ROWS, **settings: Any) -> None:
        """Make everything, with a role and a permission as a tutorial has them."""
        self.make_table(rows)
        self.make_function(source, **settings)
        self.permit()
        self.make_authorizer()

    def make_table(self, rows: tuple[dict[str, Any], ...] = ROWS, key: str = "Client_ID") -> None:
        self.aws("dynamodb").create_table(
            TableName=self.table,
            KeySchema=[{"AttributeName": key, "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": key, "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
        )
        for row in rows:
            self.put(row)

    def put(self, row: Mapping[str, Any]) -> None:
        from boto3.dynamodb.types import TypeSerializer

        item = {name: TypeSerializer().serialize(value) for name, value in row.items()}
        self.aws("dynamodb").put_item(TableName=self.table, Item=item)

    def make_function(self, source: str = PYTHON, **settings: Any) -> None:
        role = f"role-of-{self.function}"
        made = self.aws("iam").create_role(RoleName=role, AssumeRolePolicyDocument=TRUST)["Role"]
        resource = f"arn:aws:dynamodb:us-east-1:123456789012:table/{self.table}"
        statement = {"Effect": "Allow", "Action": "dynamodb:GetItem", "Resource": resource}
        document = json.dumps({"Version": "2012-10-17", "Statement": statement})
        self.aws("iam").put_role_policy(RoleName=role, PolicyName="table", PolicyDocument=document)
        is_node = source.lstrip().startswith(("const", "exports"))
        self.aws("lambda").create_function(
            FunctionName=self.function,
            Runtime="nodejs20.x" if is_node else "python3.13",
            Role=made["Arn"],
            Handler="app.handler",
            Code={"ZipFile": zipped({"app.js" if is_node else "app.py": source})},
            Environment={"Variables": {"TABLE_ARN": resource, "CLIENTS": self.table}},
            **{"Timeout": 5, "MemorySize": 256, **settings},
        )

    def permit(self, **conditions: str) -> None:
        """Let AWS IoT call the function; by hand, mostly without SourceAccount."""
        given = conditions or {"SourceArn": f"arn:aws:iot:us-east-1:123456789012:authorizer/{self.authorizer}"}
        self.aws("lambda").add_permission(
            FunctionName=self.function,
            StatementId=f"Id-{self.authorizer}",
            Action="lambda:InvokeFunction",
            Principal="iot.amazonaws.com",
            **given,
        )

    def make_authorizer(self) -> None:
        self.aws("iot").create_authorizer(
            authorizerName=self.authorizer,
            authorizerFunctionArn=self.function_arn,
            status="ACTIVE",
            signingDisabled=True,
        )

    @property
    def called(self) -> str:
        """The name of the function that the authorizer calls now."""
        found = self.aws("iot").describe_authorizer(authorizerName=self.authorizer)["authorizerDescription"]
        return str(found["authorizerFunctionArn"]).rpartition(":")[2]


def older(emulator: RunningEmulator, **names: str) -> Older:
    clients: dict[str, Any] = {}

    def aws(service: str) -> Any:
        if service not in clients:
            clients[service] = emulator.client(service)
        return clients[service]

    return Older(aws, **names)


@dataclass(frozen=True)
class Bench:
    """A project folder before an emulator that holds what others made by hand."""

    emulator: RunningEmulator
    project: Path

    @cached_property
    def older(self) -> Older:
        return older(self.emulator)

    @cached_property
    def target(self) -> Target:
        flags = {"emulator": True, "state_dir": str(self.emulator.state_dir)}
        return load(flags, {"HOME": str(self.project)}, self.project).target({})

    @cached_property
    def session(self) -> Watched:
        return self.watched()

    def watched(self, *, fail_at: int | None = None, after: bool = False) -> Watched:
        """Return a session whose change number *fail_at* breaks, which waits for nothing and shares its clients."""
        return Watched.sharing(self.target, fail_at=fail_at, after=after)

    @cached_property
    def store(self) -> Store:
        return Store(self.project / ".iotauth", self.target.store_name)

    def table(self) -> ClientTable:
        return ClientTable.open(self.session, self.older.table)

    def run(self, *arguments: str, stdin: bytes = b"") -> tuple[int, str, str]:
        """Run a command in this process; return its exit code and what it said on stdout and stderr."""
        out, err = io.StringIO(), io.StringIO()
        with streams(io.TextIOWrapper(io.BytesIO(stdin), "utf-8"), out, err):
            code = main(list(arguments))
        return code, out.getvalue(), err.getvalue()

    def document(self, *arguments: str, code: int = 0) -> dict[str, Any]:
        """Return the JSON that a command prints."""
        ended, out, err = self.run(*arguments, "--json")
        assert ended == code, out + err
        found: dict[str, Any] = json.loads(out)
        return found

    def gets_in(self, client_id: str, password: str, username: str | None = None) -> bool:
        """Connect as a device would, over TLS, and leave again."""
        with Device(self.emulator) as device:
            return self.log_in(device, client_id, password, username)

    def log_in(self, device: Device, client_id: str, password: str, username: str | None = None) -> bool:
        name = f"{username or client_id}?x-amz-customauthorizer-name={self.older.authorizer}"
        fields = b"".join(map(text, (client_id, name, password)))
        device.send(0x10, text("MQTT") + bytes([4, 0xC2]) + b"\x04\xb0" + fields)
        answer = device.receive()
        return answer is not None and answer[1][1] == 0

    def clear(self) -> None:
        """Take away whatever stands in the account."""
        aws = self.older.aws
        with contextlib.suppress(aws("iot").exceptions.ResourceNotFoundException):
            aws("iot").clear_default_authorizer()
        for each in aws("iot").list_domain_configurations()["domainConfigurations"]:
            name = {"domainConfigurationName": each["domainConfigurationName"]}
            if not name["domainConfigurationName"].startswith("iot:"):
                aws("iot").update_domain_configuration(**name, domainConfigurationStatus="DISABLED")
                aws("iot").delete_domain_configuration(**name)
        for each in aws("iot").list_authorizers()["authorizers"]:
            aws("iot").update_authorizer(authorizerName=each["authorizerName"], status="INACTIVE")
            aws("iot").delete_authorizer(authorizerName=each["authorizerName"])
        for each in aws("lambda").list_functions()["Functions"]:
            aws("lambda").delete_function(FunctionName=each["FunctionName"])
        for role in aws("iam").list_roles()["Roles"]:
            for name in aws("iam").list_role_policies(RoleName=role["RoleName"])["PolicyNames"]:
                aws("iam").delete_role_policy(RoleName=role["RoleName"], PolicyName=name)
            aws("iam").delete_role(RoleName=role["RoleName"])
        for name in aws("dynamodb").list_tables()["TableNames"]:
            aws("dynamodb").update_table(TableName=name, DeletionProtectionEnabled=False)
            aws("dynamodb").delete_table(TableName=name)
        for group in aws("logs").describe_log_groups()["logGroups"]:
            aws("logs").delete_log_group(logGroupName=group["logGroupName"])

    def stopped(self, patch: pytest.MonkeyPatch, fail_at: int | None, after: bool, *arguments: str) -> tuple[int, str]:
        """Run a command whose change number *fail_at* breaks; return its exit code and all it said."""
        session = self.watched(fail_at=fail_at, after=after)
        with patch.context() as patched:
            patched.setattr("iotauth_cli.aws.session.Session", lambda *_, **__: session)
            code, out, err = self.run(*arguments)
        return code, out + err

    def aws_cli(self, *arguments: str) -> None:
        """Run the AWS CLI against the emulator, as somebody does who makes an authorizer by hand."""
        environment = {**os.environ, **self.emulator.variables, "AWS_PAGER": ""}
        ran = subprocess.run([require_peer("aws"), *arguments], env=environment, capture_output=True, text=True)
        assert ran.returncode == 0, ran.stderr

    def asked(self, function: str) -> int:
        """Return how many times *function* has decided, by its log."""
        group = f"/aws/lambda/{function}"
        events = self.older.aws("logs").filter_log_events(logGroupName=group)["events"]
        return sum("START" in each["message"] for each in events)


class Phone:
    """paho as people use it: connected once, its messages kept. *disconnects* counts how often it was thrown out."""

    def __init__(self, bench: Bench, client_id: str, password: str) -> None:
        self.messages: Queue[tuple[str, bytes]] = Queue()
        self.disconnects = 0
        self.connected = threading.Event()
        self.subscribed = threading.Event()
        client = self.client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id)
        client.username_pw_set(f"{client_id}?x-amz-customauthorizer-name={AUTHORIZER}", password)
        context = ssl.create_default_context(cafile=str(bench.emulator.ready.ca_file))
        context.set_alpn_protocols(["mqtt"])
        client.tls_set_context(context)
        client.on_connect = lambda *_: self.connected.set()
        client.on_subscribe = lambda *_: self.subscribed.set()
        client.on_disconnect = self.lost
        client.on_message = lambda _client, _data, message: self.messages.put((message.topic, bytes(message.payload)))
        client.connect("localhost", bench.emulator.ready.data_endpoint.port, keepalive=1200)
        client.loop_start()
        assert self.connected.wait(10)

    def lost(self, *_: Any) -> None:
        self.disconnects += not self.ending
        self.connected.clear()

    ending = False

    def __enter__(self) -> Phone:
        return self

    def __exit__(self, *_: object) -> None:
        self.ending = True
        self.client.disconnect()
        self.client.loop_stop()

    def subscribe(self, topic_filter: str) -> None:
        self.client.subscribe(topic_filter)
        assert self.subscribed.wait(10)

    def echo(self, topic: str, payload: bytes) -> bool:
        """Publish to itself; tell whether the message came back."""
        self.client.publish(topic, payload, qos=1)
        return self.messages.get(timeout=10) == (topic, payload)


class Knocker:
    """A device that connects over and over, in a thread of its own, as long as the block lasts."""

    def __init__(self, bench: Bench, client_id: str, password: str) -> None:
        self.admitted = self.refused = 0
        self.is_over = threading.Event()
        self.thread = threading.Thread(target=self.knock, args=(bench, client_id, password), daemon=True)

    def knock(self, bench: Bench, client_id: str, password: str) -> None:
        while not self.is_over.is_set():
            if bench.gets_in(client_id, password):
                self.admitted += 1
            else:
                self.refused += 1
            self.is_over.wait(0.05)

    def __enter__(self) -> Knocker:
        self.thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.is_over.set()
        self.thread.join(20)
