"""An installation as AWS has it, with every value that a template has to repeat.

What hangs together is found from the authorizer: its function, the other authorizers of that function, the table
that the function reads, its role and log group, and the endpoints that lead to one of the authorizers. What a
template of ours cannot carry is named in *left_out*, never dropped in silence. Nothing read here is a secret;
variables of the function that iotauth does not know may be, so their values are not kept.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from iotauth_authorizer.grants import ArnScope
from iotauth_authorizer.record import KEY
from iotauth_cli.aws import domains, iam, iot, lambda_, logs, surroundings, table, tags
from iotauth_cli.aws.lambda_ import FunctionArn
from iotauth_cli.aws.session import Session
from iotauth_cli.errors import NotFound
from iotauth_cli.operations.authorizers import every, require
from iotauth_cli.operations.installation.function import HANDLER, TABLE_VARIABLE, TIMERS
from iotauth_cli.operations.invoke_permission import permission_for

Document = dict[str, Any]
Tags = Mapping[str, str]

VARIABLES = (TABLE_VARIABLE, *TIMERS)
DEFAULT = domains.DEFAULT
NOBODYS = ("aws:", "lambda:createdBy")  # tags that only AWS and SAM can set
# What a function may have that no template of ours carries, as GetFunctionConfiguration names it.
UNCARRIED = ("VpcConfig", "Layers", "KMSKeyArn", "DeadLetterConfig", "FileSystemConfigs")


@dataclass(frozen=True)
class Authorizer:
    """*caching*: answers are remembered for HTTP clients. *permission* is the statement that lets AWS IoT call."""

    name: str
    is_active: bool
    signing_disabled: bool
    token_key_name: str | None
    public_keys: Mapping[str, str]
    caching: bool
    tags: Tags
    permission: str | None


@dataclass(frozen=True)
class Function:
    name: str
    description: str
    handler: str
    runtime: str
    architecture: str
    memory_mb: int
    timeout_s: int
    variables: Mapping[str, str]
    reserved_concurrency: int | None
    code_sha256: str
    tags: Tags


@dataclass(frozen=True)
class Role:
    name: str
    path: str
    description: str
    trust: Document
    policies: Mapping[str, Document]
    attached: tuple[str, ...]
    tags: Tags


@dataclass(frozen=True)
class LogGroup:
    name: str
    retention_days: int | None
    tags: Tags


@dataclass(frozen=True)
class Table:
    name: str
    is_on_demand: bool
    capacity: tuple[int, int] | None  # reads and writes a second, where they were bought ahead
    is_protected: bool
    is_recoverable: bool
    expiry_attribute: str | None
    tags: Tags


@dataclass(frozen=True)
class Domain:
    """A domain configuration that leads to *authorizer*; *domain_name* is None where AWS chose it."""

    name: str
    domain_name: str | None
    certificates: tuple[str, ...]
    authorizer: str
    allows_override: bool
    is_enabled: bool
    authentication: str
    protocol: str
    tags: Tags


@dataclass(frozen=True)
class Existing:
    """*function* and what belongs to it are None where the authorizers call one that does not run our code:
    *function_arn* is then all that is known. *default* is the authorizer of devices that name none, if it is here.
    """

    scope: ArnScope
    function_arn: str
    authorizers: tuple[Authorizer, ...]
    function: Function | None
    role: Role | None
    log_group: LogGroup | None
    table: Table | None
    domains: tuple[Domain, ...]
    default: str | None
    left_out: tuple[str, ...]


def read(session: Session, name: str) -> Existing:
    """Return the installation that authorizer *name* belongs to.

    Raises:
        NotFound: there is no such authorizer.
    """
    called = require(session, name).function_arn
    arn = FunctionArn.parse(called)
    configuration = configuration_of(session, arn)
    left_out: list[str] = []
    function = role = log_group = client_table = None
    if configuration is not None and configuration.get("Handler") == HANDLER and arn.qualifier is None:
        function = read_function(session, configuration)
        left_out += uncarried(configuration)
        role = read_role(session, str(configuration["Role"]).rpartition("/")[2], left_out)
        log_group = read_log_group(session, logs.group_of(function.name), left_out)
        client_table = read_table(session, function.variables.get(TABLE_VARIABLE), left_out)
    else:
        left_out.append(f"function `{arn.qualified_name}`, which {why_not(configuration, arn)}, and what belongs to it")
    statements = lambda_.statements(session, arn) if configuration is not None else []
    shared = [each for each in every(session) if each.function_arn == called]
    shared.sort(key=lambda each: (not each.signing_disabled, each.name))
    names = {each.name for each in shared}
    default = iot.find_default(session)
    return Existing(
        scope=session.scope,
        function_arn=called,
        authorizers=tuple(read_authorizer(session, each, statements) for each in shared),
        function=function,
        role=role,
        log_group=log_group,
        table=client_table,
        domains=tuple(read_domains(session, names)),
        default=default.name if default is not None and default.name in names else None,
        left_out=tuple(left_out),
    )


def why_not(configuration: Document | None, arn: FunctionArn) -> str:
    """Say why a function is not written."""
    if configuration is None:
        return "does not exist"
    return "is an alias or a version" if arn.qualifier else "does not run iotauth's code"


def configuration_of(session: Session, arn: FunctionArn) -> Document | None:
    try:
        return session.call("lambda", "get_function_configuration", FunctionName=arn.text)
    except NotFound:
        return None


def read_function(session: Session, found: Mapping[str, Any]) -> Function:
    name = found["FunctionName"]
    variables = found.get("Environment", {}).get("Variables", {})
    return Function(
        name=name,
        description=found.get("Description", ""),
        handler=found["Handler"],
        runtime=found["Runtime"],
        architecture=found.get("Architectures", ["x86_64"])[0],
        memory_mb=found["MemorySize"],
        timeout_s=found["Timeout"],
        variables={key: variables[key] for key in VARIABLES if key in variables},
        reserved_concurrency=surroundings.reserved_executions(session, name),
        code_sha256=found["CodeSha256"],
        tags=own(lambda_.tags(session, found["FunctionArn"])),
    )


def uncarried(found: Mapping[str, Any]) -> Iterator[str]:
    """Yield what the function has that a template of ours would lose."""
    variables = sorted(set(found.get("Environment", {}).get("Variables", {})) - set(VARIABLES))
    if variables:
        named = ", ".join(f"`{name}`" for name in variables)
        yield f"the function's own variables {named}, whose values may be secrets"
    for name in UNCARRIED:
        value = found.get(name)
        if value and (name != "VpcConfig" or value.get("SubnetIds")):
            yield f"the function's {name}"


def read_role(session: Session, name: str, left_out: list[str]) -> Role | None:
    try:
        found = session.call("iam", "get_role", RoleName=name)["Role"]
    except NotFound:
        left_out.append(f"role `{name}`, which does not exist")
        return None
    if found.get("PermissionsBoundary"):
        left_out.append(f"the permissions boundary of role `{name}`")
    names = session.call("iam", "list_role_policies", RoleName=name)["PolicyNames"]
    attached = session.call("iam", "list_attached_role_policies", RoleName=name)["AttachedPolicies"]
    policies = {each: iam.find_policy(session, name, each) for each in names}
    listed = session.call("iam", "list_role_tags", RoleName=name)
    return Role(
        name=name,
        path=found["Path"],
        description=found.get("Description", ""),
        trust=iam.document(found["AssumeRolePolicyDocument"]),
        policies={each: document for each, document in policies.items() if document is not None},
        attached=tuple(each["PolicyArn"] for each in attached),
        tags=own({tag["Key"]: tag["Value"] for tag in listed.get("Tags", ())}),
    )


def read_log_group(session: Session, name: str, left_out: list[str]) -> LogGroup | None:
    found = logs.find(session, name)
    if found is None:
        left_out.append(f"log group `{name}`, which does not exist")
        return None
    return LogGroup(name, found.retention_days, own(logs.tags(session, logs.arn(session.scope, name))))


def read_table(session: Session, name: str | None, left_out: list[str]) -> Table | None:
    """Return the client table; what it has that a template of ours would lose goes to *left_out*."""
    if name is None:
        left_out.append("the table: the function does not say which it reads")
        return None
    try:
        found = session.call("dynamodb", "describe_table", TableName=name)["Table"]
    except NotFound:
        left_out.append(f"table `{name}`, which does not exist")
        return None
    if [part["AttributeName"] for part in found["KeySchema"]] != [KEY]:
        left_out.append(f"table `{name}`, whose key is not `{KEY}` alone")
        return None
    left_out += [
        f"the table's {what}"
        for what in ("GlobalSecondaryIndexes", "LocalSecondaryIndexes", "StreamSpecification", "SSEDescription")
        if found.get(what)
    ]
    is_on_demand = found.get("BillingModeSummary", {}).get("BillingMode") == "PAY_PER_REQUEST"
    bought = found["ProvisionedThroughput"]
    return Table(
        name=name,
        is_on_demand=is_on_demand,
        capacity=None if is_on_demand else (bought["ReadCapacityUnits"], bought["WriteCapacityUnits"]),
        is_protected=bool(found.get("DeletionProtectionEnabled")),
        is_recoverable=table.is_recoverable(session, name),
        expiry_attribute=table.expiry_attribute(session, name),
        tags=own(table.tags(session, found["TableArn"])),
    )


def read_authorizer(session: Session, found: iot.Authorizer, statements: list[Document]) -> Authorizer:
    leave = (each.get("Sid") for each in statements if permission_for(found.arn, [each]).state == "given")
    return Authorizer(
        name=found.name,
        is_active=found.is_active,
        signing_disabled=found.signing_disabled,
        token_key_name=found.token_key_name,
        public_keys=dict(sorted(found.token_signing_public_keys.items())),
        caching=found.caching_for_http,
        tags=own(tags.of(session, found.arn)),
        permission=next(leave, None),
    )


def read_domains(session: Session, authorizers: set[str]) -> Iterator[Domain]:
    """Yield the domain configurations that lead to one of *authorizers*."""
    for found in domains.every(session, with_awss_own=True):
        if found.authorizer in authorizers:
            yield Domain(
                name=found.name,
                domain_name=None if found.is_managed else found.domain_name or None,
                certificates=() if found.is_managed else found.certificates,
                authorizer=found.authorizer,
                allows_override=found.allows_override,
                is_enabled=found.is_enabled,
                authentication=found.authentication,
                protocol=found.protocol,
                tags=own(tags.of(session, found.arn)),
            )


def own(found: Tags) -> Tags:
    return {key: value for key, value in sorted(found.items()) if not key.startswith(NOBODYS)}
