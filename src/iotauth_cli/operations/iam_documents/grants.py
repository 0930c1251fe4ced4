"""What the commands need of IAM, as data: actions, what they are held to, and why.

A test plays the commands, compares what they called with these rows, and finds what is missing and what nobody
needs. An action has `*` for its resource only where IAM supports none for it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Resource = Literal[
    "any",  # IAM supports no resource
    "authorizers",  # every one: `authorizer list`, `doctor` and the choice of a default look at their neighbours
    "authorizer",
    "table",
    "function",
    "role",
    "log-group",
    "log-group-itself",  # as tagging names it, without its streams
    "iot-log-group",
    "iot-log-role",
    "domains",
    "domain",
    "devices",
    "listener",  # the client ids under which `listen` and `publish` connect with AWS keys
    "topics",
    "filters",
    "other-function",  # somebody else's, that is to be adopted
    "stack",
]


@dataclass(frozen=True)
class Grant:
    """A statement: *sid* says in a word what it is for, *why* in a sentence. *passed_to* is who may get a role."""

    sid: str
    why: str
    actions: tuple[str, ...]
    resources: tuple[Resource, ...]
    passed_to: str | None = None


# What every command that changes nothing asks, and what the others ask before they change something.
READING: tuple[Grant, ...] = (
    Grant(
        "FindEndpointListsAndLimits",
        "the endpoint, the lists, the default, the log's options and the account's limits; "
        "IAM supports no resource for these",
        (
            "iot:DescribeDefaultAuthorizer",
            "iot:DescribeEndpoint",
            "iot:GetV2LoggingOptions",
            "iot:ListAuthorizers",
            "iot:ListDomainConfigurations",
            "iot:ListV2LoggingLevels",
            "lambda:GetAccountSettings",
            "logs:DescribeLogGroups",
        ),
        ("any",),
    ),
    Grant(
        "LookAtAuthorizers",
        "`authorizer list` shows every one, and another may stand in the way",
        ("iot:DescribeAuthorizer", "iot:ListTagsForResource"),
        ("authorizers",),
    ),
    Grant(
        "LookAtEndpoints",
        "`doctor` looks at every domain configuration, since each changes what devices meet",
        ("iot:DescribeDomainConfiguration", "iot:ListTagsForResource"),
        ("domains",),
    ),
    Grant(
        "TryTheAuthorizer",
        "`authorizer test-invoke`, and what `test-connect` and `policy --from answer` ask",
        ("iot:TestInvokeAuthorizer",),
        ("authorizer",),
    ),
    Grant(
        "LookAtTheFunction",
        "its code, settings and permissions, for `authorizer show`, `doctor` and `test-connect`",
        (
            "lambda:GetFunctionConcurrency",
            "lambda:GetFunctionConfiguration",
            "lambda:GetPolicy",
            "lambda:ListTags",
        ),
        ("function",),
    ),
    Grant(
        "LookAtTheRole",
        "what the function may do, and who may assume its role",
        (
            "iam:GetRole",
            "iam:GetRolePolicy",
            "iam:ListAttachedRolePolicies",
            "iam:ListRolePolicies",
            "iam:ListRoleTags",
        ),
        ("role",),
    ),
    Grant(
        "ReadClients",
        "the table, and its rows: `client list`, `show`, `export`, `audit`, and `policy can`",
        (
            "dynamodb:DescribeContinuousBackups",
            "dynamodb:DescribeTable",
            "dynamodb:DescribeTimeToLive",
            "dynamodb:GetItem",
            "dynamodb:ListTagsOfResource",
            "dynamodb:Scan",
        ),
        ("table",),
    ),
    Grant(
        "ReadLogs",
        "`logs` and `test-connect`: what the function and AWS IoT wrote",
        ("logs:FilterLogEvents",),
        ("log-group", "iot-log-group"),
    ),
    Grant(
        "ReadLogTags",
        "`template`; tags are the group's own, without its streams",
        ("logs:ListTagsForResource",),
        ("log-group-itself",),
    ),
    Grant("ListenAs", "`listen --operator`: under client ids that no device has", ("iot:Connect",), ("listener",)),
    Grant("ListenTo", "`listen --operator`, to any filter", ("iot:Subscribe",), ("filters",)),
    Grant("Hear", "`listen --operator`, on any topic", ("iot:Receive",), ("topics",)),
)
CHANGING: tuple[Grant, ...] = (
    Grant(
        "SwitchDefaultAndIotsLog",
        "`authorizer set-default` and `logs enable`; IAM supports no resource for these",
        ("iot:ClearDefaultAuthorizer", "iot:SetV2LoggingOptions"),
        ("any",),
    ),
    Grant(
        "ChangeTheAuthorizer",
        "`authorizer create`, `update`, `rotate-key`, `migrate`, `delete`",
        (
            "iot:CreateAuthorizer",
            "iot:DeleteAuthorizer",
            "iot:SetDefaultAuthorizer",
            "iot:TagResource",
            "iot:UntagResource",
            "iot:UpdateAuthorizer",
        ),
        ("authorizer",),
    ),
    Grant(
        "ChangeTheEndpoint",
        "`authorizer create --alpn-free`: a domain configuration of its own",
        (
            "iot:CreateDomainConfiguration",
            "iot:DeleteDomainConfiguration",
            "iot:TagResource",
            "iot:UntagResource",
            "iot:UpdateDomainConfiguration",
        ),
        ("domain",),
    ),
    Grant(
        "ChangeTheFunction",
        "its code, settings and who may call it; `test-connect` calls it itself where AWS IoT does not",
        (
            "lambda:AddPermission",
            "lambda:CreateFunction",
            "lambda:DeleteFunction",
            "lambda:DeleteFunctionConcurrency",
            "lambda:InvokeFunction",
            "lambda:PutFunctionConcurrency",
            "lambda:RemovePermission",
            "lambda:TagResource",
            "lambda:UntagResource",
            "lambda:UpdateFunctionCode",
            "lambda:UpdateFunctionConfiguration",
        ),
        ("function",),
    ),
    Grant(
        "ChangeTheRole",
        "the function's, and nobody else's",
        (
            "iam:CreateRole",
            "iam:DeleteRole",
            "iam:DeleteRolePolicy",
            "iam:DetachRolePolicy",
            "iam:PutRolePolicy",
            "iam:TagRole",
            "iam:UntagRole",
            "iam:UpdateAssumeRolePolicy",
        ),
        ("role",),
    ),
    Grant(
        "MakeIotsLogRole",
        "`logs enable`: the role under which AWS IoT writes its log",
        ("iam:CreateRole", "iam:GetRole", "iam:GetRolePolicy", "iam:PutRolePolicy", "iam:UpdateAssumeRolePolicy"),
        ("iot-log-role",),
    ),
    Grant(
        "GiveTheFunctionItsRole",
        "and to no other service",
        ("iam:PassRole",),
        ("role",),
        passed_to="lambda.amazonaws.com",
    ),
    Grant(
        "GiveIotItsLogRole",
        "and to no other service",
        ("iam:PassRole",),
        ("iot-log-role",),
        passed_to="iot.amazonaws.com",
    ),
    Grant(
        "ChangeClients",
        "the table, and rows one by one and by the thousand",
        (
            "dynamodb:BatchGetItem",
            "dynamodb:CreateTable",
            "dynamodb:DeleteItem",
            "dynamodb:DeleteTable",
            "dynamodb:PartiQLInsert",
            "dynamodb:PutItem",
            "dynamodb:TagResource",
            "dynamodb:UntagResource",
            "dynamodb:UpdateContinuousBackups",
            "dynamodb:UpdateItem",
            "dynamodb:UpdateTable",
            "dynamodb:UpdateTimeToLive",
        ),
        ("table",),
    ),
    Grant(
        "ChangeLogs",
        "the function's group and AWS IoT's, and how long they keep",
        ("logs:CreateLogGroup", "logs:PutRetentionPolicy"),
        ("log-group", "iot-log-group"),
    ),
    Grant("DeleteTheFunctionsLog", "`authorizer delete`", ("logs:DeleteLogGroup",), ("log-group",)),
    Grant(
        "TagLogs",
        "`--tag` and `--untag`",
        ("logs:TagResource", "logs:UntagResource"),
        ("log-group-itself",),
    ),
    Grant(
        "EndConnections",
        "`client disable`, `remove` and `rotate --now`: whoever is connected goes, and is seen to be gone",
        ("iot:DeleteConnection", "iot:GetConnection"),
        ("devices",),
    ),
    Grant("PublishTo", "`publish --operator`, to any topic", ("iot:Publish", "iot:RetainPublish"), ("topics",)),
)

# What `init --adopt` and `init --rollback` ask beside that; nobody needs it once the devices have settled.
ADOPTING: tuple[Grant, ...] = (
    Grant(
        "FindTables",
        "the tables that the other function may read; IAM supports no resource for this",
        ("dynamodb:ListTables",),
        ("any",),
    ),
    Grant(
        "AskTheOtherFunction",
        "how it is set up, who may call it, and what it says to the same logins",
        (
            "lambda:GetFunctionConcurrency",
            "lambda:GetFunctionConfiguration",
            "lambda:GetPolicy",
            "lambda:InvokeFunction",
            "lambda:ListTags",
        ),
        ("other-function",),
    ),
)
# What `init --from-stack` asks beside that.
READING_A_STACK: tuple[Grant, ...] = (
    Grant("ReadTheStack", "its outputs name everything else", ("cloudformation:DescribeStacks",), ("stack",)),
)
