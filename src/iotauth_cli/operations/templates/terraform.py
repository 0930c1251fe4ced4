"""An installation as Terraform for the provider `hashicorp/aws`, with an import block for each part that exists.

Applied where the installation is, it adopts every part and makes none again; applied elsewhere, without the import
blocks, it makes all of them.
Source: the provider's documentation of each resource, for arguments and the form of import ids.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from iotauth_cli.aws.iot import PRINCIPAL
from iotauth_cli.aws.lambda_ import FunctionArn
from iotauth_cli.operations.templates import arns, hcl
from iotauth_cli.operations.templates.existing import DEFAULT, Authorizer, Domain, Existing, Tags
from iotauth_cli.operations.templates.hcl import Block, Call, Raw, Template
from iotauth_cli.operations.templates.written import CODE_ZIP, File, Written, comment

# 1.5 knows import blocks; 6.0 of the provider knows the authentication of domain configurations (pull request 42534).
TERRAFORM, PROVIDER = ">= 1.5", ">= 6.0"
ACCOUNT_ID = "data.aws_caller_identity.current.account_id"
PARTITION = "data.aws_partition.current.partition"
KEY = "Client_ID"
NO_LIMIT = -1  # of reserved concurrency: none of its own


def write(found: Existing) -> Written:
    """Return `main.tf`."""
    text = comment(header(found)) + "\n" + hcl.document([*preamble(found), *parts(found)])
    notes = tuple(f"left out: {each}" for each in found.left_out)
    return Written((File("main.tf", text.encode()),), notes)


def header(found: Existing) -> list[str]:
    code = f"The function's code is `{CODE_ZIP}` beside this file. " if found.function is not None else ""
    lines = [
        f"{code}terraform init && terraform plan",
        "",
        "The import blocks adopt what exists: the plan is to import every resource and to replace none. It may show a",
        "change of the function's `filename`, which cannot be read from AWS; applying that uploads the same code once.",
        "To make the installation anew elsewhere, remove the import blocks.",
        *(f"Left out: {each}." for each in found.left_out),
    ]
    if any(each.domain_name is None for each in found.domains):
        lines.append(
            "AWS deletes an endpoint whose name it has chosen only after it was DISABLED for 7 days: until then"
        )
        lines.append("`terraform destroy` disables it and fails.")
    if found.default is not None:
        lines.append("The provider cannot make an authorizer the default one. Afterwards:")
        lines.append(f"  aws iot set-default-authorizer --authorizer-name {found.default}")
    return lines


def preamble(found: Existing) -> Iterator[Block]:
    provider = {"source": "hashicorp/aws", "version": PROVIDER}
    yield Block(
        "terraform",
        (),
        (("required_version", TERRAFORM), Block("required_providers", (), (("aws", provider),))),
    )
    yield Block("variable", ("region",), (("type", Raw("string")), ("default", found.scope.region)))
    yield Block("provider", ("aws",), (("region", Raw("var.region")),))
    yield Block("data", ("aws_caller_identity", "current"))
    yield Block("data", ("aws_partition", "current"))


def parts(found: Existing) -> Iterator[Block]:
    """Yield every resource, and before each one how it is imported."""
    labels = {each.name: label for each, label in zip(found.authorizers, authorizer_labels(found), strict=True)}
    yield from table(found)
    yield from log_group(found)
    yield from role(found)
    yield from function(found)
    for each in found.authorizers:
        yield from authorizer(each, labels[each.name], found)
    for number, domain in enumerate(found.domains, start=1):
        yield from domain_configuration(domain, f"domain{number if number > 1 else ''}", labels, found)
    yield from outputs(found, labels)


def authorizer_labels(found: Existing) -> list[str]:
    """Return what each authorizer is called: its name where that is one, made different where two are alike."""
    labels: list[str] = []
    for each in found.authorizers:
        plain = re.sub(r"[^a-z0-9_]+", "_", each.name.lower()).strip("_") or "authorizer"
        label = plain if plain[0].isalpha() else f"authorizer_{plain}"
        labels.append(label if label not in labels else f"{label}_{len(labels) + 1}")
    return labels


def adopted(kind: str, label: str, identifier: str | Template, *body: tuple[str, Any] | Block) -> Iterator[Block]:
    """Yield a resource with its import block."""
    yield Block("import", (), (("to", Raw(f"{kind}.{label}")), ("id", identifier)))
    yield Block("resource", (kind, label), body)


def table(found: Existing) -> Iterator[Block]:
    one = found.table
    if one is None:
        return
    reads, writes = one.capacity or (None, None)
    expiry = Block("ttl", (), (("attribute_name", one.expiry_attribute), ("enabled", True)))
    yield from adopted(
        "aws_dynamodb_table",
        "clients",
        one.name,
        ("name", one.name),
        ("billing_mode", "PAY_PER_REQUEST" if one.is_on_demand else "PROVISIONED"),
        ("read_capacity", reads),
        ("write_capacity", writes),
        ("hash_key", KEY),
        ("deletion_protection_enabled", one.is_protected),
        ("tags", tags(one.tags)),
        Block("attribute", (), (("name", KEY), ("type", "S"))),
        *([expiry] if one.expiry_attribute else []),
        Block("point_in_time_recovery", (), (("enabled", one.is_recoverable),)),
        Block("lifecycle", (), (("prevent_destroy", True),)),
    )


def log_group(found: Existing) -> Iterator[Block]:
    one = found.log_group
    if one is not None:
        yield from adopted(
            "aws_cloudwatch_log_group",
            "function",
            one.name,
            ("name", one.name),
            ("retention_in_days", one.retention_days),
            ("tags", tags(one.tags)),
        )


def role(found: Existing) -> Iterator[Block]:
    one = found.role
    if one is None:
        return
    yield from adopted(
        "aws_iam_role",
        "function",
        one.name,
        ("name", one.name),
        ("path", one.path if one.path != "/" else None),
        ("description", one.description or None),
        ("assume_role_policy", Call("jsonencode", general(one.trust, found))),
        ("tags", tags(one.tags)),
    )
    for number, (name, document) in enumerate(one.policies.items(), start=1):
        yield from adopted(
            "aws_iam_role_policy",
            f"function{number if number > 1 else ''}",
            f"{one.name}:{name}",
            ("name", name),
            ("role", Raw("aws_iam_role.function.name")),
            ("policy", Call("jsonencode", general(document, found))),
        )
    for number, arn in enumerate(one.attached, start=1):
        marked = arns.marked(arn, found.scope)
        yield from adopted(
            "aws_iam_role_policy_attachment",
            f"function{number if number > 1 else ''}",
            templated(f"{one.name}/{marked}") if arns.is_marked(marked) else f"{one.name}/{arn}",
            ("role", Raw("aws_iam_role.function.name")),
            ("policy_arn", general(arn, found)),
        )


def function(found: Existing) -> Iterator[Block]:
    one = found.function
    if one is None:
        return
    waits = [Raw("aws_cloudwatch_log_group.function")] if found.log_group else []
    reserved = NO_LIMIT if one.reserved_concurrency is None else one.reserved_concurrency
    yield from adopted(
        "aws_lambda_function",
        "authorizer",
        one.name,
        ("function_name", one.name),
        ("description", one.description or None),
        ("filename", Template(f"${{path.module}}/{CODE_ZIP}")),
        ("source_code_hash", Raw(f'filebase64sha256("${{path.module}}/{CODE_ZIP}")')),
        ("handler", one.handler),
        ("runtime", one.runtime),
        ("architectures", [one.architecture]),
        ("memory_size", one.memory_mb),
        ("timeout", one.timeout_s),
        ("reserved_concurrent_executions", reserved),
        ("role", Raw("aws_iam_role.function.arn") if found.role else None),
        Block("environment", (), (("variables", dict(one.variables)),)),
        ("tags", tags(one.tags)),
        ("depends_on", waits or None),
    )


def authorizer(one: Authorizer, label: str, found: Existing) -> Iterator[Block]:
    signed = not one.signing_disabled
    yield from adopted(
        "aws_iot_authorizer",
        label,
        one.name,
        ("name", one.name),
        ("authorizer_function_arn", function_arn(found)),
        ("signing_disabled", one.signing_disabled),
        ("status", "ACTIVE" if one.is_active else "INACTIVE"),
        ("enable_caching_for_http", one.caching),
        ("token_key_name", one.token_key_name if signed else None),
        ("token_signing_public_keys", dict(one.public_keys) if signed else None),
        ("tags", tags(one.tags)),
    )
    body: tuple[tuple[str, Any], ...] = (
        ("statement_id", one.permission or f"iotauth-{label}"),
        ("action", "lambda:InvokeFunction"),
        ("function_name", function_name(found)),
        ("principal", PRINCIPAL),
        ("source_arn", Raw(f"aws_iot_authorizer.{label}.arn")),
        ("source_account", Raw(ACCOUNT_ID)),
        ("qualifier", FunctionArn.parse(found.function_arn).qualifier),
    )
    if one.permission is None:
        yield Block("resource", ("aws_lambda_permission", label), body)
        return
    qualified = FunctionArn.parse(found.function_arn).qualified_name
    yield from adopted("aws_lambda_permission", label, f"{qualified}/{one.permission}", *body)


def domain_configuration(one: Domain, label: str, labels: Mapping[str, str], found: Existing) -> Iterator[Block]:
    config = (
        ("default_authorizer_name", Raw(f"aws_iot_authorizer.{labels[one.authorizer]}.name")),
        ("allow_authorizer_override", one.allows_override),
    )
    yield from adopted(
        "aws_iot_domain_configuration",
        label,
        one.name,
        ("name", one.name),
        ("domain_name", one.domain_name),
        ("server_certificate_arns", general(list(one.certificates), found) if one.certificates else None),
        ("service_type", "DATA"),
        ("status", "ENABLED" if one.is_enabled else "DISABLED"),
        ("authentication_type", None if one.authentication == DEFAULT else one.authentication),
        ("application_protocol", None if one.protocol == DEFAULT else one.protocol),
        Block("authorizer_config", (), config),
        ("tags", tags(one.tags)),
    )


def outputs(found: Existing, labels: Mapping[str, str]) -> Iterator[Block]:
    if found.table is not None:
        yield Block("output", ("table_name",), (("value", Raw("aws_dynamodb_table.clients.name")),))
    yield Block("output", ("authorizer_function_arn",), (("value", function_arn(found)),))
    names = {label: Raw(f"aws_iot_authorizer.{label}.name") for label in labels.values()}
    yield Block("output", ("authorizer_names",), (("value", names),))


def function_arn(found: Existing) -> Any:
    return Raw("aws_lambda_function.authorizer.arn") if found.function else general(found.function_arn, found)


def function_name(found: Existing) -> Any:
    if found.function is not None:
        return Raw("aws_lambda_function.authorizer.function_name")
    return FunctionArn.parse(found.function_arn).name


def general(value: Any, found: Existing) -> Any:
    return arns.everywhere(value, found.scope, templated)


def templated(marked: str) -> Template:
    text = hcl.escape(marked)
    for mark, name in ((arns.PARTITION, PARTITION), (arns.REGION, "var.region"), (arns.ACCOUNT, ACCOUNT_ID)):
        text = text.replace(mark, f"${{{name}}}")
    return Template(text)


def tags(found: Tags) -> dict[str, str] | None:
    return dict(found) or None
