"""What a run creates for itself, and how it is removed: on whatever world, with boto3 alone.

Each removal is noted before its creation is asked for, so that an answer which got lost, a failure or Ctrl-C at
any moment leaves nothing behind. Every part carries the run's name and a tag; `sweep` finds by them what runs
have left behind that were killed.
"""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from botocore.exceptions import ClientError

from support_parity import function

PREFIX = "iotauth-parity-"
CREATED = "iotauth-parity-created"  # the tag of every part: when the run began, in epoch seconds
GONE = ("ResourceNotFoundException", "NoSuchEntity", "NoSuchEntityException")
ROLE_PAUSE_S, ROLE_TRIES = 2.0, 30  # IAM tells Lambda of a new role within seconds, mostly
RETRY_PAUSE_S = 5.0
FUNCTION_MB = 1024
TRUST = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}],
}

Clients = Callable[[str], Any]


class Installation:
    """The parity function and its authorizers. *pause* lets seconds pass while the world makes up its mind."""

    def __init__(
        self,
        clients: Clients,
        name: str,
        key: str,
        arn_start: tuple[str, str, str],
        runtime: str,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        assert name.startswith(PREFIX)
        self.name, self.signed, self.mute, self.cached = name, f"{name}-signed", f"{name}-mute", f"{name}-cached"
        self._clients, self._key, self._runtime, self._pause = clients, key, runtime, pause
        self._partition, self._region, self._account = arn_start
        self._undo: list[tuple[str, Callable[[], object]]] = []
        self._tags = {CREATED: str(int(time.time()))}
        self.function_arn = ""

    @property
    def tags(self) -> list[dict[str, str]]:
        return [{"Key": key, "Value": value} for key, value in self._tags.items()]

    def create(self, signing_keys: dict[str, str]) -> None:
        """Make everything; call `remove` whatever becomes of this."""
        self._create_log_group()
        self._create_table()
        self.function_arn = self.create_function(self.name, self.create_role(self.name))
        self._clients("lambda").get_waiter("function_active_v2").wait(FunctionName=self.name, WaiterConfig={"Delay": 1})
        for name in (self.name, self.mute):
            self.create_authorizer(name)
        self.create_authorizer(self.cached, enableCachingForHttp=True)
        self.create_authorizer(
            self.signed, signingDisabled=False, tokenKeyName="token", tokenSigningPublicKeys=signing_keys
        )
        for name in (self.name, self.signed, self.cached):
            self.permit(name)

    def create_authorizer(self, name: str, **settings: Any) -> dict[str, Any]:
        """Create an authorizer, ACTIVE and unsigned unless *settings* say otherwise; it is removed at the end."""
        self._later(f"authorizer {name}", lambda: remove_authorizer(self._clients("iot"), name))
        settings = {"authorizerFunctionArn": self.function_arn, "signingDisabled": True, "status": "ACTIVE", **settings}
        given = {key: value for key, value in settings.items() if value is not None}
        try:
            made: dict[str, Any] = self._clients("iot").create_authorizer(authorizerName=name, tags=self.tags, **given)
        except ClientError as error:
            if code_of(error) == "InvalidRequestException":
                self._undo.pop()  # nothing was made, and nothing of that name could be asked for
            raise
        return made

    @contextlib.contextmanager
    def scratch(self, suffix: str, **settings: Any) -> Iterator[str]:
        """Yield the name of an authorizer that is removed at once: an account has room for few."""
        name = f"{self.name}-{suffix}"
        try:
            self.create_authorizer(name, **settings)
            yield name
        finally:
            self._undo_last(f"authorizer {name}")

    def forget(self, what: str) -> None:
        """Remove a part now, if it is there at all: `authorizer x`, `role x`, `function x`."""
        self._undo_last(what)

    def never_mind(self, what: str) -> None:
        """Take *what* for a part that was not made after all."""
        self._undo = [entry for entry in self._undo if entry[0] != what]

    def permit(self, authorizer: str) -> None:
        """Let AWS IoT call the function for *authorizer*; the statement goes with the function."""
        self._clients("lambda").add_permission(**self.permission(authorizer))

    def permission(self, authorizer: str) -> dict[str, str]:
        start = f"arn:{self._partition}:iot:{self._region}:{self._account}"
        return {
            "FunctionName": self.name,
            "StatementId": authorizer,
            "Action": "lambda:InvokeFunction",
            "Principal": "iot.amazonaws.com",
            "SourceArn": f"{start}:authorizer/{authorizer}",
            "SourceAccount": self._account,
        }

    def later(self, what: str, remove: Callable[[], object]) -> None:
        """Have *remove* done at the end too, before what was made until now is removed."""
        self._later(what, remove)

    def remove(self) -> list[str]:
        """Remove everything, newest first, going on after a failure; return a sentence for each that stayed.

        What fails is tried once more: AWS may not have heard yet that an authorizer is INACTIVE.
        """
        if self._problems():
            self._pause(RETRY_PAUSE_S)
        return self._problems()

    def _problems(self) -> list[str]:
        """Do every removal that is left; forget those that are done, and return what the others said."""
        problems = []
        for entry in self._undo[::-1]:
            try:
                without_missing(entry[1])
                self._undo.remove(entry)
            except Exception as error:
                problems.append(f"{entry[0]}: {error}")
        return problems

    def _later(self, what: str, remove: Callable[[], object]) -> None:
        self._undo.append((what, remove))

    def _undo_last(self, what: str) -> None:
        """Do the removal of *what* now. It is forgotten only when it is done."""
        entry = next(each for each in reversed(self._undo) if each[0] == what)
        without_missing(entry[1])
        self._undo.remove(entry)

    def _create_log_group(self) -> None:
        logs, group = self._clients("logs"), f"/aws/lambda/{self.name}"
        self._later(f"log group {group}", lambda: logs.delete_log_group(logGroupName=group))
        logs.create_log_group(logGroupName=group, tags=self._tags)
        logs.put_retention_policy(logGroupName=group, retentionInDays=1)

    def _create_table(self) -> None:
        tables = self._clients("dynamodb")
        self._later(f"table {self.name}", lambda: remove_table(tables, self.name))
        keys = [("Mark", "S", "HASH"), ("Number", "N", "RANGE")]
        tables.create_table(
            TableName=self.name,
            BillingMode="PAY_PER_REQUEST",
            AttributeDefinitions=[{"AttributeName": name, "AttributeType": kind} for name, kind, _ in keys],
            KeySchema=[{"AttributeName": name, "KeyType": kind} for name, _, kind in keys],
            Tags=self.tags,
        )
        tables.get_waiter("table_exists").wait(TableName=self.name, WaiterConfig={"Delay": 2})

    def create_role(self, name: str) -> str:
        """Create the function's role, or another for a test; return its ARN."""
        iam = self._clients("iam")
        self._later(f"role {name}", lambda: remove_role(iam, name))
        made = iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(TRUST), Tags=self.tags)
        iam.put_role_policy(RoleName=name, PolicyName="parity", PolicyDocument=json.dumps(self._role_policy()))
        return str(made["Role"]["Arn"])

    def _role_policy(self) -> dict[str, Any]:
        place = f"{self._region}:{self._account}"
        table = f"arn:{self._partition}:dynamodb:{place}:table/{self.name}"
        group = f"arn:{self._partition}:logs:{place}:log-group:/aws/lambda/{self.name}:*"
        granted = [
            (["dynamodb:UpdateItem", "dynamodb:PutItem"], table),
            (["logs:CreateLogStream", "logs:PutLogEvents"], group),
        ]
        statements = [{"Effect": "Allow", "Action": actions, "Resource": each} for actions, each in granted]
        return {"Version": "2012-10-17", "Statement": statements}

    def create_function(self, name: str, role_arn: str) -> str:
        """Create the parity function, or another for a test, as soon as Lambda knows the role; return its ARN."""
        functions = self._clients("lambda")
        self._later(f"function {name}", lambda: functions.delete_function(FunctionName=name))
        variables = {function.TABLE: self.name, function.KEY: self._key, function.PREFIX: self.name}
        for tries_left in reversed(range(ROLE_TRIES)):
            try:
                made = functions.create_function(
                    FunctionName=name,
                    Runtime=self._runtime,
                    Role=role_arn,
                    Handler=function.HANDLER,
                    Code={"ZipFile": function.zipped()},
                    Timeout=10,
                    MemorySize=FUNCTION_MB,
                    Environment={"Variables": variables},
                    Tags=self._tags,
                )
                return str(made["FunctionArn"])
            except ClientError as error:
                if code_of(error) != "InvalidParameterValueException" or not tries_left:
                    raise
                self._pause(ROLE_PAUSE_S)
        raise AssertionError("the last try raises")


def remove_authorizer(iot: Any, name: str) -> None:
    iot.update_authorizer(authorizerName=name, status="INACTIVE")
    iot.delete_authorizer(authorizerName=name)


def remove_role(iam: Any, name: str) -> None:
    for policy in iam.list_role_policies(RoleName=name)["PolicyNames"]:
        iam.delete_role_policy(RoleName=name, PolicyName=policy)
    iam.delete_role(RoleName=name)


def remove_table(tables: Any, name: str) -> None:
    """Delete a table, also one that `iotauth authorizer create` has protected."""
    if tables.describe_table(TableName=name)["Table"].get("DeletionProtectionEnabled"):
        tables.update_table(TableName=name, DeletionProtectionEnabled=False)
    tables.delete_table(TableName=name)


def without_missing(remove: Callable[[], object]) -> None:
    """Remove, and take it for done when it is not there."""
    try:
        remove()
    except ClientError as error:
        if code_of(error) not in GONE:
            raise


def code_of(error: ClientError) -> str:
    return str(error.response["Error"]["Code"])


def sweep(clients: Clients, older_than_s: float, now: float) -> Iterator[str]:
    """Remove what earlier runs left behind that began longer ago than *older_than_s*; yield a sentence for each.

    Only what carries both the name's prefix and the tag is ours: a part that somebody called alike stays.
    """
    for what, tags, remove in _candidates(clients):
        began = tags.get(CREATED, "")
        if began.isdigit() and int(began) < now - older_than_s:
            try:
                without_missing(remove)
                yield f"swept {what}, which an earlier run had left behind"
            except ClientError as error:
                yield f"still there: {what}: {error}"


def _candidates(clients: Clients) -> Iterator[tuple[str, dict[str, str], Callable[[], object]]]:
    """Yield whatever has our prefix, with its tags and how to remove it; authorizers first, they stand open."""
    iot, functions, iam, tables, logs = (clients(each) for each in ("iot", "lambda", "iam", "dynamodb", "logs"))
    for authorizer in _pages(iot, "list_authorizers", "authorizers"):
        name, arn = authorizer["authorizerName"], authorizer["authorizerArn"]
        if name.startswith(PREFIX):
            tags = _plain(iot.list_tags_for_resource(resourceArn=arn)["tags"])
            yield f"authorizer {name}", tags, partial(remove_authorizer, iot, name)
    for each in _pages(functions, "list_functions", "Functions"):
        name = each["FunctionName"]
        if name.startswith(PREFIX):
            tags = functions.list_tags(Resource=each["FunctionArn"]).get("Tags", {})
            yield f"function {name}", tags, partial(functions.delete_function, FunctionName=name)
    for each in _pages(iam, "list_roles", "Roles"):
        name = each["RoleName"]
        if name.startswith(PREFIX):
            tags = _plain(iam.list_role_tags(RoleName=name)["Tags"])
            yield f"role {name}", tags, partial(remove_role, iam, name)
    for name in _pages(tables, "list_tables", "TableNames"):
        if name.startswith(PREFIX):
            arn = tables.describe_table(TableName=name)["Table"]["TableArn"]
            tags = _plain(tables.list_tags_of_resource(ResourceArn=arn)["Tags"])
            yield f"table {name}", tags, partial(remove_table, tables, name)
    for group in _pages(logs, "describe_log_groups", "logGroups", logGroupNamePrefix=f"/aws/lambda/{PREFIX}"):
        name, arn = group["logGroupName"], group["arn"].removesuffix(":*")
        tags = logs.list_tags_for_resource(resourceArn=arn)["tags"]
        yield f"log group {name}", tags, partial(logs.delete_log_group, logGroupName=name)


def _pages(client: Any, operation: str, member: str, **parameters: Any) -> list[Any]:
    """Return all at once: what is removed meanwhile would shift the pages."""
    paginator = client.get_paginator(operation)
    return [item for page in paginator.paginate(**parameters) for item in page.get(member, ())]


def _plain(tags: list[dict[str, str]]) -> dict[str, str]:
    return {tag["Key"]: tag.get("Value", "") for tag in tags}
