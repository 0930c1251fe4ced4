"""What IAM decides on when AWS is called: for each operation the actions, each with the resource it is held to.

IAM's word for a call is mostly the service and the operation, `iot:CreateAuthorizer`; what is otherwise, and what
a call needs beside its own action, is data here. So is the parameter that says which resource is meant.
Sources: Service Authorization Reference ("Actions, resources, and condition keys" of each service) for names and
resource types; where a row says something else, its own.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from iotauth_authorizer.grants import ArnScope

ANY = "*"  # IAM supports no resource for the action

PREFIXES = {"iot-data": "iot", "iotdevicegateway": "iot"}  # where IAM's name of a service is not boto3's
READS = ("Get", "List", "Describe", "Filter", "BatchGet", "Scan", "Query", "Test", "AssumeRole")
LISTENS = ("Connect", "Subscribe", "Receive")  # on a WebSocket: nothing of AWS's is changed by that
READING_STATEMENT = "SELECT"


@dataclass(frozen=True)
class Right:
    """One action on one resource. *resource* is an ARN, or `*`; *passed_to* is the service that gets a role."""

    action: str
    resource: str
    passed_to: str | None = None


@dataclass(frozen=True)
class Rule:
    """A right that a call needs: *resource* names it by the call's parameters, in braces.

    With *given* the right is needed only by a call that has this parameter.
    """

    action: str
    resource: str = ANY
    given: str | None = None
    passed_to: str | None = None


# The parameter that names the resource, and how its ARN ends; the first that a call has counts.
RESOURCES: dict[str, tuple[tuple[str, str], ...]] = {
    "cloudformation": (("StackName", "cloudformation:{region}:{account}:stack/{StackName}/*"),),
    "dynamodb": (
        ("TableName", "dynamodb:{region}:{account}:table/{TableName}"),
        ("ResourceArn", "{ResourceArn}"),
    ),
    "iam": (("RoleName", "iam::{account}:role/{RoleName}"),),
    "iot": (
        ("authorizerName", "iot:{region}:{account}:authorizer/{authorizerName}"),
        # The ARN ends with an id that AWS makes up.
        ("domainConfigurationName", "iot:{region}:{account}:domainconfiguration/{domainConfigurationName}/*"),
        ("clientId", "iot:{region}:{account}:client/{clientId}"),
        ("topic", "iot:{region}:{account}:topic/{topic}"),
        ("topicFilter", "iot:{region}:{account}:topicfilter/{topicFilter}"),
        ("resourceArn", "{resourceArn}"),
    ),
    "lambda": (
        ("FunctionName", "lambda:{region}:{account}:function:{FunctionName}"),
        ("Resource", "{Resource}"),
    ),
    # Every action on a group but tagging is held to its streams, "log-group:NAME:*".
    # Source: CloudWatch Logs API reference, LogGroup, `arn`.
    "logs": (
        ("logGroupName", "logs:{region}:{account}:log-group:{logGroupName}:log-stream:"),
        ("resourceArn", "{resourceArn}"),
    ),
    "sts": (("RoleArn", "{RoleArn}"),),
}

ROLE_OF_LAMBDA = Rule("iam:PassRole", "{Role}", given="Role", passed_to="lambda.amazonaws.com")
ROLE_OF_IOT = Rule("iam:PassRole", "{roleArn}", given="roleArn", passed_to="iot.amazonaws.com")
TABLE = "dynamodb:{region}:{account}:table/{table}"
FUNCTION = "lambda:{region}:{account}:function:{FunctionName}"
AUTHORIZER = "iot:{region}:{account}:authorizer/{authorizerName}"

# What is not `service:Operation` on the resource above, or is more than that.
RULES: dict[str, tuple[Rule, ...]] = {
    # "Any IAM identity may call it": STS API reference, GetCallerIdentity.
    "sts:GetCallerIdentity": (),
    # IAM's reference calls what the API calls Invoke "InvokeFunction".
    "lambda:Invoke": (Rule("lambda:InvokeFunction", FUNCTION),),
    # Dependent action in the reference; and "to tag a function on creation": Lambda developer guide, "Using tags".
    "lambda:CreateFunction": (
        Rule("lambda:CreateFunction", FUNCTION),
        ROLE_OF_LAMBDA,
        Rule("lambda:TagResource", FUNCTION, given="Tags"),
    ),
    "lambda:UpdateFunctionConfiguration": (Rule("lambda:UpdateFunctionConfiguration", FUNCTION), ROLE_OF_LAMBDA),
    "dynamodb:CreateTable": (
        Rule("dynamodb:CreateTable", "dynamodb:{region}:{account}:table/{TableName}"),
        Rule("dynamodb:TagResource", "dynamodb:{region}:{account}:table/{TableName}", given="Tags"),
    ),
    "iam:CreateRole": (
        Rule("iam:CreateRole", "iam::{account}:role/{RoleName}"),
        Rule("iam:TagRole", "iam::{account}:role/{RoleName}", given="Tags"),
    ),
    "iot:CreateAuthorizer": (
        Rule("iot:CreateAuthorizer", AUTHORIZER),
        Rule("iot:TagResource", AUTHORIZER, given="tags"),
    ),
    "iot:CreateDomainConfiguration": (
        Rule("iot:CreateDomainConfiguration", "iot:{region}:{account}:domainconfiguration/{domainConfigurationName}/*"),
        Rule(
            "iot:TagResource",
            "iot:{region}:{account}:domainconfiguration/{domainConfigurationName}/*",
            given="tags",
        ),
    ),
    # AWS IoT developer guide, "Configure AWS IoT logging": the caller passes the logging role.
    "iot:SetV2LoggingOptions": (Rule("iot:SetV2LoggingOptions"), ROLE_OF_IOT),
    # A filter on a thing that reads what is retained is decided by its own action.
    "iot:Publish": (
        Rule("iot:Publish", "iot:{region}:{account}:topic/{topic}"),
        # AWS IoT developer guide, "AWS IoT Core policy actions": a retained message needs both.
        Rule("iot:RetainPublish", "iot:{region}:{account}:topic/{topic}", given="retain"),
    ),
    # Tagging at creation; CloudWatch Logs API reference, CreateLogGroup, `tags`. The group itself, not its streams.
    "logs:CreateLogGroup": (
        Rule("logs:CreateLogGroup", "logs:{region}:{account}:log-group:{logGroupName}:log-stream:"),
        Rule("logs:TagResource", "logs:{region}:{account}:log-group:{logGroupName}", given="tags"),
    ),
}

STATEMENT = re.compile(
    r"""\s*(?P<verb>INSERT|SELECT|UPDATE|DELETE)\b.*?(?:INTO|FROM|UPDATE)?\s+"(?P<table>[^"]+)\"""", re.S
)
PARTIQL = {"INSERT": "Insert", "SELECT": "Select", "UPDATE": "Update", "DELETE": "Delete"}
IN_BATCHES = ("BatchGetItem", "BatchWriteItem")
TABLES_IN = {"RequestItems", "Statement", "Statements", "TransactStatements"}  # parameters that name tables inside
STATEMENTS = ("ExecuteStatement", "BatchExecuteStatement", "ExecuteTransaction")


def prefix(service: str) -> str:
    """Return what IAM calls boto3's *service*."""
    return PREFIXES.get(service, service)


def name(service: str, operation: str) -> str:
    """Return IAM's word for a call: `lambda:InvokeFunction` for `lambda` and `Invoke`."""
    usual = f"{prefix(service)}:{operation}"
    rules = RULES.get(usual)
    return rules[0].action if rules else usual


def rights(service: str, operation: str, parameters: Mapping[str, Any], scope: ArnScope) -> tuple[Right, ...]:
    """Return what a call needs to be allowed, its own action first; nothing where everybody may call.

    A right whose resource the parameters do not tell is for every resource, `*`.
    """
    usual = f"{prefix(service)}:{operation}"
    if prefix(service) == "dynamodb" and TABLES_IN & parameters.keys():
        return tuple(dict.fromkeys(_of_tables(operation, parameters, scope)))
    rules = RULES.get(usual)
    if rules is None:
        rules = (Rule(usual, _resource_of(prefix(service), parameters)),)
    needed = [rule for rule in rules if rule.given is None or parameters.get(rule.given)]
    return tuple(Right(rule.action, _arn(rule.resource, parameters, scope), rule.passed_to) for rule in needed)


def is_mutating(service: str, operation: str, parameters: Mapping[str, Any]) -> bool:
    """Tell whether a call changes what AWS holds, makes code run, or reaches a device.

    TestInvokeAuthorizer counts as reading, as in IAM's reference, though it runs the function.
    """
    if operation in STATEMENTS:
        texts = (text for text, _ in _statements(parameters))
        return any(not text.lstrip().upper().startswith(READING_STATEMENT) for text in texts)
    return not operation.startswith((*READS, *LISTENS))


def _resource_of(service: str, parameters: Mapping[str, Any]) -> str:
    for parameter, resource in RESOURCES.get(service, ()):
        if parameters.get(parameter):
            return resource
    return ANY


def _arn(resource: str, parameters: Mapping[str, Any], scope: ArnScope) -> str:
    if resource == ANY:
        return ANY
    try:
        text = resource.format(**{**parameters, **scope._asdict()})
    except KeyError:
        return ANY
    # A parameter may be an ARN itself: Lambda takes one for a function's name.
    within = re.search(r"(?<=.)arn:aws[a-z-]*:.+", text)
    if within:
        return within[0]
    qualifier = parameters.get("Qualifier")
    text += f":{qualifier}" if qualifier and ":function:" in text else ""
    return text if text.startswith("arn:") else f"arn:{scope.partition}:{text}"


def _of_tables(operation: str, parameters: Mapping[str, Any], scope: ArnScope) -> Iterator[Right]:
    if operation in IN_BATCHES:
        tables: Iterable[str] = parameters.get("RequestItems", {})
        for table in tables:
            yield Right(f"dynamodb:{operation}", _arn(TABLE, {"table": table}, scope))
        return
    for text, _ in _statements(parameters):
        found = STATEMENT.match(text)
        verb = PARTIQL[found["verb"].upper()] if found else "Select"
        table = found["table"] if found else ANY
        yield Right(f"dynamodb:PartiQL{verb}", _arn(TABLE, {"table": table}, scope))


def _statements(parameters: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Yield the texts of a PartiQL call's statements, each with its parameters."""
    several = parameters.get("Statements") or parameters.get("TransactStatements") or [parameters]
    for each in several:
        yield str(each.get("Statement", "")), each.get("Parameters", ())
