"""The function that decides, and the role that it runs under."""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property

from iotauth_cli import bundle
from iotauth_cli.aws import iam, lambda_, logs, table
from iotauth_cli.operations.installation.part import MADE_BY, Part

RUNTIME = "python3.13"  # the newest that every region has; supported until mid-2029
ARCHITECTURE = "arm64"  # a fifth cheaper than x86_64, and the function is pure Python
MEMORY_MB = 256  # CPU grows with memory: a cold start takes half the time of 128 MB
TIMEOUT_S = 5  # AWS IoT waits no longer
HANDLER = "iotauth_authorizer.handler.handler"
POLICY_NAME = "iotauth"


class Role(Part[iam.Role]):
    """What the function may do: read and mark rows of this table, write to its own log group."""

    resource = "role"

    @property
    def name(self) -> str:
        # Roles belong to the account, functions to a region.
        return f"{self.wish.function}-{self.session.target.region}"

    @property
    def arn(self) -> str:
        scope = self.session.scope
        return f"arn:{scope.partition}:iam::{scope.account}:role/{self.name}"

    @property
    def trust(self) -> iam.Document:
        statement = {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
        return {"Version": "2012-10-17", "Statement": [statement]}

    @property
    def policy(self) -> iam.Document:
        scope = self.session.scope
        return {
            "Version": "2012-10-17",
            "Statement": [
                {
                    "Sid": "ReadClientsAndMarkFirstUse",
                    "Effect": "Allow",
                    "Action": ["dynamodb:GetItem", "dynamodb:UpdateItem"],
                    "Resource": table.arn(scope, self.wish.table),
                },
                {
                    "Sid": "WriteItsLog",
                    "Effect": "Allow",
                    "Action": ["logs:CreateLogStream", "logs:PutLogEvents"],
                    "Resource": logs.arn(scope, logs.group_of(self.wish.function)) + ":*",
                },
            ],
        }

    def look(self) -> iam.Role | None:
        return iam.find(self.session, self.name, POLICY_NAME)

    def description_of(self, found: iam.Role) -> str:
        return found.description

    def drift(self, found: iam.Role) -> list[str]:
        checks = {
            "Lambda may not assume it": found.trust == self.trust,
            "it has no policy": found.policy is not None,
            "its policy allows something else": found.policy in (None, self.policy),
        }
        return [words for words, is_well in checks.items() if not is_well]

    def create(self) -> None:
        iam.create(self.session, self.name, trust=self.trust, description=f"Runs {self.wish.function}, {MADE_BY}")

    def mend(self, found: iam.Role) -> None:
        if found.trust != self.trust:
            iam.trust(self.session, self.name, self.trust)
        if found.policy != self.policy:
            iam.put_policy(self.session, self.name, POLICY_NAME, self.policy)

    def remove(self, found: iam.Role) -> None:
        iam.delete(self.session, self.name, POLICY_NAME)


class Function(Part[lambda_.Function]):
    resource = "function"

    @property
    def name(self) -> str:
        return self.wish.function

    @cached_property
    def code(self) -> bytes:
        return bundle.authorizer_zip()

    @property
    def wanted(self) -> lambda_.Configuration:
        return lambda_.Configuration(
            role=Role(self.session, self.wish).arn,
            runtime=RUNTIME,
            handler=HANDLER,
            memory_mb=MEMORY_MB,
            timeout_s=TIMEOUT_S,
            environment={"IOTAUTH_TABLE": self.wish.table},
            description=f"Decides which devices AWS IoT lets in, {MADE_BY}",
        )

    def look(self) -> lambda_.Function | None:
        return lambda_.find(self.session, self.name)

    def description_of(self, found: lambda_.Function) -> str:
        return found.configuration.description

    def drift(self, found: lambda_.Function) -> list[str]:
        code = bundle.code_sha256(self.code)
        drift = [] if found.code_sha256 == code else ["its code is another version"]
        if found.architecture != ARCHITECTURE:
            drift.append(f"it runs on `{found.architecture}`, not `{ARCHITECTURE}`")
        return drift + differences(found.configuration, self.wanted)

    def create(self) -> None:
        lambda_.create(self.session, self.name, self.code, ARCHITECTURE, self.wanted)
        lambda_.wait_until_ready(self.session, self.name)

    def mend(self, found: lambda_.Function) -> None:
        lambda_.wait_until_ready(self.session, self.name)
        if found.code_sha256 != bundle.code_sha256(self.code) or found.architecture != ARCHITECTURE:
            lambda_.update_code(self.session, self.name, self.code, ARCHITECTURE)
            lambda_.wait_until_ready(self.session, self.name)
        if differences(found.configuration, self.wanted):
            lambda_.update_configuration(self.session, self.name, with_variables_of(found.configuration, self.wanted))
            lambda_.wait_until_ready(self.session, self.name)

    def remove(self, found: lambda_.Function) -> None:
        lambda_.delete(self.session, self.name)


def differences(found: lambda_.Configuration, wanted: lambda_.Configuration) -> list[str]:
    """Say how a function's configuration differs. Variables that somebody added are let be."""
    facts: list[tuple[str, object, object]] = [
        ("its role", found.role, wanted.role),
        ("its runtime", found.runtime, wanted.runtime),
        ("its handler", found.handler, wanted.handler),
        ("its memory in MB", found.memory_mb, wanted.memory_mb),
        ("its time limit in s", found.timeout_s, wanted.timeout_s),
    ]
    facts += [(f"`{name}`", found.environment.get(name), value) for name, value in wanted.environment.items()]
    return [f"{what} is `{is_}`, not `{should}`" for what, is_, should in facts if is_ != should]


def with_variables_of(found: lambda_.Configuration, wanted: lambda_.Configuration) -> lambda_.Configuration:
    return replace(wanted, environment={**found.environment, **wanted.environment})
