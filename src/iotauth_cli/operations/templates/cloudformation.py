"""An installation as a template of CloudFormation, and of SAM, which differs in how a function is written.

What the stack tells at its end has the names of `lambda_src/template.yaml`, so that `init --from-stack` knows it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from iotauth_cli.aws.iot import PRINCIPAL
from iotauth_cli.operations.templates import arns
from iotauth_cli.operations.templates.existing import (
    DEFAULT,
    Authorizer,
    Domain,
    Existing,
    Function,
    LogGroup,
    Role,
    Table,
    Tags,
)
from iotauth_cli.operations.templates.written import CODE_FOLDER, CODE_ZIP, File, Written, comment
from iotauth_cli.operations.templates.yaml_text import GetAtt, Ref, Sub, dump

Resource = dict[str, Any]

SAM = "AWS::Serverless-2016-10-31"
KEY = "Client_ID"
# What CloudFormation knows each type by, and which it can import. A permission's id is CloudFormation's own to
# choose, so permissions are made anew by the update after the import; the old ones do no harm beside them.
# Source: `primaryIdentifier` and `handlers` of the types' schemas.
IDENTIFIERS = {
    "AWS::DynamoDB::Table": "TableName",
    "AWS::Logs::LogGroup": "LogGroupName",
    "AWS::IAM::Role": "RoleName",
    "AWS::Lambda::Function": "FunctionName",
    "AWS::IoT::Authorizer": "AuthorizerName",
    "AWS::IoT::DomainConfiguration": "DomainConfigurationName",
}
TABLE, LOGS, ROLE, FUNCTION = "ClientTable", "FunctionLogs", "FunctionRole", "AuthorizerFunction"
KEPT = {"DeletionPolicy": "Retain", "UpdateReplacePolicy": "Retain"}


def sam(found: Existing) -> Written:
    """Return a SAM template; the function's code is the folder beside it."""
    document = {**head(found), "Transform": SAM, "Resources": resources(found, is_sam=True), "Outputs": outputs(found)}
    how = ["Deploy:  sam build && sam deploy --guided --capabilities CAPABILITY_NAMED_IAM"]
    if found.function is not None:
        how.append(f"The function's code is the folder `{CODE_FOLDER}` beside this file.")
    how += ["Where these names are taken already, CloudFormation cannot make them again: deploy into another region or"]
    how += ["account, or use the format `cloudformation`, which says how to import what is there."]
    return Written((File("template.yaml", text(how, found, document)),), notes(found))


def plain(found: Existing) -> Written:
    """Return a template without transforms, and what CloudFormation needs to import what is there."""
    parameters = code_parameters() if found.function is not None else {}
    made = resources(found, is_sam=False)
    document = {**head(found), **parameters, "Resources": made, "Outputs": outputs(found)}
    bare = {**head(found), **parameters, "Resources": to_import(made)}
    return Written(
        (
            File("template.yaml", text(deploying(found), found, document)),
            File("import.yaml", text(importing(found), found, bare)),
            File("import.json", (json.dumps(identifiers(made, found), indent=2) + "\n").encode()),
        ),
        notes(found),
    )


def head(found: Existing) -> dict[str, Any]:
    name = found.authorizers[0].name
    return {
        "AWSTemplateFormatVersion": "2010-09-09",
        "Description": f"AWS IoT custom authentication, authorizer {name} (iotauth).",
    }


def text(how: Iterable[str], found: Existing, document: Mapping[str, Any]) -> bytes:
    lines = [*how, *(f"Left out: {each}." for each in found.left_out)]
    if found.default is not None:
        lines.append(
            "CloudFormation cannot make an authorizer the default one. Afterwards: "
            f"aws iot set-default-authorizer --authorizer-name {found.default}"
        )
    if any(each.domain_name is None for each in found.domains):
        lines += [
            "AWS deletes an endpoint whose name it has chosen only after it was DISABLED for 7 days. So deleting the",
            "stack disables it and fails; repeat that a week later, or with `--retain-resources Domain`.",
        ]
    return f"{comment(lines)}\n{dump(document)}".encode()


def notes(found: Existing) -> tuple[str, ...]:
    return tuple(f"left out: {each}" for each in found.left_out)


def deploying(found: Existing) -> list[str]:
    code = [
        f"The function's code is `{CODE_ZIP}`; CloudFormation takes it from S3, from a bucket of the same region:",
        f"  aws s3 cp {CODE_ZIP} s3://BUCKET/{CODE_ZIP}",
    ]
    return [
        *(code if found.function is not None else ["Deploy:"]),
        "  aws cloudformation deploy --template-file template.yaml --stack-name iotauth \\",
        "    --capabilities CAPABILITY_NAMED_IAM"
        + (" --parameter-overrides CodeBucket=BUCKET" if found.function is not None else ""),
        "Where these names are taken already, import what is there first: see import.yaml.",
    ]


def importing(found: Existing) -> list[str]:
    code = " --parameters ParameterKey=CodeBucket,ParameterValue=BUCKET" if found.function is not None else ""
    return [
        "Brings what exists under CloudFormation without making it again. Deploy template.yaml over the same stack",
        "afterwards: it adds what an import cannot bring, outputs and permissions.",
        "  aws cloudformation create-change-set --stack-name iotauth --change-set-name adopt \\",
        "    --change-set-type IMPORT --template-body file://import.yaml \\",
        f"    --resources-to-import file://import.json --capabilities CAPABILITY_NAMED_IAM{code}",
        "  aws cloudformation execute-change-set --stack-name iotauth --change-set-name adopt",
    ]


def code_parameters() -> dict[str, Any]:
    bucket = {"Type": "String", "Description": f"The S3 bucket that {CODE_ZIP} was uploaded to, in this region."}
    return {
        "Parameters": {"CodeBucket": bucket, "CodeKey": {"Type": "String", "Default": CODE_ZIP}},
    }


def resources(found: Existing, *, is_sam: bool) -> dict[str, Resource]:
    """Return every resource by its name in the template."""
    made: dict[str, Resource] = {}
    labels = authorizer_labels(found)
    if found.table is not None:
        made[TABLE] = table(found.table, after=[f"{label}Permission" for label in labels.values()])
    if found.log_group is not None:
        made[LOGS] = log_group(found.log_group)
    if found.role is not None:
        made[ROLE] = role(found.role, found)
    if found.function is not None:
        made[FUNCTION] = function(found.function, found, is_sam=is_sam)
    for each in found.authorizers:
        made[f"{labels[each.name]}Authorizer"] = authorizer(each, found)
        made[f"{labels[each.name]}Permission"] = permission(labels[each.name], found)
    for number, domain in enumerate(found.domains, start=1):
        made[f"Domain{number if number > 1 else ''}"] = domain_configuration(domain, labels, found)
    return made


def authorizer_labels(found: Existing) -> dict[str, str]:
    """Return what each authorizer is called in the template: `Unsigned`, `Signed`, `Unsigned2`."""
    labels: dict[str, str] = {}
    for kind, is_disabled in (("Unsigned", True), ("Signed", False)):
        names = [each.name for each in found.authorizers if each.signing_disabled is is_disabled]
        labels |= {name: f"{kind}{number if number > 1 else ''}" for number, name in enumerate(names, start=1)}
    return labels


def table(found: Table, *, after: list[str]) -> Resource:
    """Return the table, made last: a stack that fails on its way leaves none behind that would be in the way."""
    reads, writes = found.capacity or (0, 0)
    bought = {"ProvisionedThroughput": {"ReadCapacityUnits": reads, "WriteCapacityUnits": writes}}
    expiry = {"TimeToLiveSpecification": {"AttributeName": found.expiry_attribute, "Enabled": True}}
    return {
        "Type": "AWS::DynamoDB::Table",
        "DependsOn": after,
        **KEPT,
        "Properties": {
            "TableName": found.name,
            "BillingMode": "PAY_PER_REQUEST" if found.is_on_demand else "PROVISIONED",
            **({} if found.is_on_demand else bought),
            "AttributeDefinitions": [{"AttributeName": KEY, "AttributeType": "S"}],
            "KeySchema": [{"AttributeName": KEY, "KeyType": "HASH"}],
            **(expiry if found.expiry_attribute else {}),
            "PointInTimeRecoverySpecification": {"PointInTimeRecoveryEnabled": found.is_recoverable},
            "DeletionProtectionEnabled": found.is_protected,
            **tags(found.tags),
        },
    }


def log_group(found: LogGroup) -> Resource:
    kept = {} if found.retention_days is None else {"RetentionInDays": found.retention_days}
    return {
        "Type": "AWS::Logs::LogGroup",
        "DeletionPolicy": "Delete",
        "UpdateReplacePolicy": "Delete",
        "Properties": {"LogGroupName": found.name, **kept, **tags(found.tags)},
    }


def role(found: Role, of: Existing) -> Resource:
    """Return the role. One that is named after its region has another name elsewhere: roles are the account's."""
    name: Any = found.name
    if name.endswith(f"-{of.scope.region}"):
        name = Sub(f"{name.removesuffix(of.scope.region)}${{AWS::Region}}")
    policies = [
        {"PolicyName": each, "PolicyDocument": general(document, of)} for each, document in found.policies.items()
    ]
    return {
        "Type": "AWS::IAM::Role",
        "Properties": {
            "RoleName": name,
            **({"Path": found.path} if found.path != "/" else {}),
            **({"Description": found.description} if found.description else {}),
            "AssumeRolePolicyDocument": general(found.trust, of),
            **({"Policies": policies} if policies else {}),
            **({"ManagedPolicyArns": general(list(found.attached), of)} if found.attached else {}),
            **tags(found.tags),
        },
    }


def function(found: Function, of: Existing, *, is_sam: bool) -> Resource:
    in_s3 = {"Code": {"S3Bucket": Ref("CodeBucket"), "S3Key": Ref("CodeKey")}}
    reserved = found.reserved_concurrency
    tagged = ({"Tags": dict(found.tags)} if found.tags else {}) if is_sam else tags(found.tags)
    return {
        "Type": "AWS::Serverless::Function" if is_sam else "AWS::Lambda::Function",
        **({"DependsOn": LOGS} if of.log_group else {}),
        "Properties": {
            "FunctionName": found.name,
            **({"Description": found.description} if found.description else {}),
            **({"CodeUri": f"{CODE_FOLDER}/"} if is_sam else in_s3),
            "Handler": found.handler,
            "Runtime": found.runtime,
            "Architectures": [found.architecture],
            "MemorySize": found.memory_mb,
            "Timeout": found.timeout_s,
            **({} if reserved is None else {"ReservedConcurrentExecutions": reserved}),
            **({"Role": GetAtt(f"{ROLE}.Arn")} if of.role else {}),
            "Environment": {"Variables": dict(found.variables)},
            **tagged,
        },
    }


def authorizer(found: Authorizer, of: Existing) -> Resource:
    signing = {"TokenKeyName": found.token_key_name, "TokenSigningPublicKeys": dict(found.public_keys)}
    return {
        "Type": "AWS::IoT::Authorizer",
        "Properties": {
            "AuthorizerName": found.name,
            "AuthorizerFunctionArn": function_arn(of),
            "SigningDisabled": found.signing_disabled,
            "Status": "ACTIVE" if found.is_active else "INACTIVE",
            "EnableCachingForHttp": found.caching,
            **({} if found.signing_disabled else signing),
            **tags(found.tags),
        },
    }


def permission(label: str, of: Existing) -> Resource:
    return {
        "Type": "AWS::Lambda::Permission",
        "Properties": {
            "FunctionName": Ref(FUNCTION) if of.function is not None else function_arn(of),
            "Action": "lambda:InvokeFunction",
            "Principal": PRINCIPAL,
            "SourceArn": GetAtt(f"{label}Authorizer.Arn"),
            "SourceAccount": Ref("AWS::AccountId"),
        },
    }


def domain_configuration(found: Domain, labels: Mapping[str, str], of: Existing) -> Resource:
    own = {"DomainName": found.domain_name, "ServerCertificateArns": general(list(found.certificates), of)}
    decided = {"AuthenticationType": found.authentication, "ApplicationProtocol": found.protocol}
    return {
        "Type": "AWS::IoT::DomainConfiguration",
        "Properties": {
            "DomainConfigurationName": found.name,
            **(own if found.domain_name else {}),
            "ServiceType": "DATA",
            "AuthorizerConfig": {
                "DefaultAuthorizerName": Ref(f"{labels[found.authorizer]}Authorizer"),
                "AllowAuthorizerOverride": found.allows_override,
            },
            "DomainConfigurationStatus": "ENABLED" if found.is_enabled else "DISABLED",
            **{name: value for name, value in decided.items() if value != DEFAULT},
            **tags(found.tags),
        },
    }


def outputs(found: Existing) -> dict[str, Any]:
    told: dict[str, Any] = {}
    if found.table is not None:
        told["TableName"] = {"Value": Ref(TABLE)}
    told["AuthorizerFunctionArn"] = {"Value": function_arn(found)}
    labels = authorizer_labels(found)
    for each in found.authorizers:
        label = labels[each.name]
        told[f"{label}AuthorizerName"] = {"Value": Ref(f"{label}Authorizer")}
        if label == "Unsigned":
            told["UnsignedAuthorizerStatus"] = {"Value": "ACTIVE" if each.is_active else "INACTIVE"}
    return told


def to_import(made: Mapping[str, Resource]) -> dict[str, Resource]:
    """Return the resources that can be imported, each with the policy that an import asks for."""
    return {
        name: {**{key: value for key, value in each.items() if key != "DependsOn"}, **KEPT}
        for name, each in made.items()
        if each["Type"] in IDENTIFIERS
    }


def identifiers(made: Mapping[str, Resource], found: Existing) -> list[dict[str, Any]]:
    """Return what tells CloudFormation which existing resource each one is."""
    return list(_identifiers(made, found))


def _identifiers(made: Mapping[str, Resource], found: Existing) -> Iterator[dict[str, Any]]:
    for name, each in made.items():
        identifier = IDENTIFIERS.get(each["Type"])
        if identifier is None:
            continue
        value = found.role.name if name == ROLE and found.role else each["Properties"][identifier]
        yield {
            "ResourceType": each["Type"],
            "LogicalResourceId": name,
            "ResourceIdentifier": {identifier: value},
        }


def function_arn(of: Existing) -> Any:
    return GetAtt(f"{FUNCTION}.Arn") if of.function is not None else general(of.function_arn, of)


def general(value: Any, of: Existing) -> Any:
    return arns.everywhere(value, of.scope, substituted)


def substituted(marked: str) -> Sub:
    escaped = marked.replace("${", "${!")
    for mark, name in ((arns.PARTITION, "Partition"), (arns.REGION, "Region"), (arns.ACCOUNT, "AccountId")):
        escaped = escaped.replace(mark, f"${{AWS::{name}}}")
    return Sub(escaped)


def tags(found: Tags) -> dict[str, Any]:
    return {"Tags": [{"Key": key, "Value": value} for key, value in found.items()]} if found else {}
