"""The function that decides, and the role that it runs under."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

from iotauth_authorizer.grants import ArnScope
from iotauth_cli import bundle
from iotauth_cli.aws import iam, iot, lambda_, logs, surroundings, table
from iotauth_cli.aws.lambda_ import FunctionArn
from iotauth_cli.errors import Conflict, InputError
from iotauth_cli.operations.installation.authorizer import ACCOUNT, SOURCE, conditions_of
from iotauth_cli.operations.installation.part import MADE_BY, TaggedPart

RUNTIME = "python3.13"  # the newest that every region has; supported until mid-2029
ARCHITECTURE = "arm64"  # a fifth cheaper than x86_64, and the function is pure Python
MEMORY_MB = 256  # CPU grows with memory: a cold start takes half the time of 128 MB
TIMEOUT_S = 5  # AWS IoT waits no longer
HANDLER = "iotauth_authorizer.handler.handler"
TABLE_VARIABLE = "IOTAUTH_TABLE"
TIMERS = {  # settings by the variables that the function reads them from
    "IOTAUTH_REFRESH_AFTER_S": "refresh_after_s",
    "IOTAUTH_DISCONNECT_AFTER_S": "disconnect_after_s",
}
SAID = {  # variables in the words of the options that set them
    "IOTAUTH_REFRESH_AFTER_S": "its refresh timer in s",
    "IOTAUTH_DISCONNECT_AFTER_S": "its disconnect timer in s",
}
LEAST_UNRESERVED = 100  # calls at once that AWS keeps for functions that reserve none
POLICY_NAME = "iotauth"


def role_name(function: str, region: str) -> str:
    # Roles belong to the account, functions to a region.
    return f"{function}-{region}"


def table_read_by(found: lambda_.Function | None) -> str | None:
    """Return the client table that a function of ours reads; None where there is no function, or it does not say."""
    return found.configuration.environment.get(TABLE_VARIABLE) if found else None


def permissions(scope: ArnScope, client_table: str, function: str) -> iam.Document:
    """Return what the function is allowed: to read and mark rows of one table, and to write its own log."""
    return {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Sid": "ReadClientsAndMarkFirstUse",
                "Effect": "Allow",
                "Action": ["dynamodb:GetItem", "dynamodb:UpdateItem"],
                "Resource": table.arn(scope, client_table),
            },
            {
                "Sid": "WriteItsLog",
                "Effect": "Allow",
                "Action": ["logs:CreateLogStream", "logs:PutLogEvents"],
                "Resource": logs.arn(scope, logs.group_of(function)) + ":*",
            },
        ],
    }


@dataclass(frozen=True)
class Role(TaggedPart[iam.Role]):
    """What the function may do: read and mark rows of this table, write to its own log group.

    *seen* is what `look` has found so far: others need not ask for it again.
    """

    seen: list[iam.Role | None] = field(default_factory=list, compare=False, repr=False)
    resource = "role"

    @property
    def name(self) -> str:
        return role_name(self.wish.function, self.session.target.region)

    @property
    def arn(self) -> str:
        return iam.arn(self.session.scope, self.name)

    @property
    def trust(self) -> iam.Document:
        statement = {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
        return {"Version": "2012-10-17", "Statement": [statement]}

    @property
    def policy(self) -> iam.Document:
        """Return what the function does, and no more.

        UpdateItem could be held to attributes (`dynamodb:Attributes`); the function writes inside of maps, and what
        that key holds of a path into a map is not documented: if it were the path, no first use would be noted.
        """
        return permissions(self.session.scope, self.wish.table, self.wish.function)

    def look(self) -> iam.Role | None:
        self.seen.append(iam.find(self.session, self.name, POLICY_NAME))
        return self.seen[-1]

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
        description = f"Runs {self.wish.function}, {MADE_BY}"
        iam.create(self.session, self.name, trust=self.trust, description=description, tags=self.first_tags)

    def mend(self, found: iam.Role) -> None:
        if found.trust != self.trust:
            iam.trust(self.session, self.name, self.trust)
        if found.policy != self.policy:
            iam.put_policy(self.session, self.name, POLICY_NAME, self.policy)

    def remove(self, found: iam.Role) -> None:
        iam.delete(self.session, self.name, POLICY_NAME)

    def read_tags(self, found: iam.Role) -> Mapping[str, str]:
        return found.tags

    def put_tags(self, found: iam.Role, added: Mapping[str, str]) -> None:
        iam.tag(self.session, self.name, added)

    def take_tags(self, found: iam.Role, keys: Sequence[str]) -> None:
        iam.untag(self.session, self.name, keys)


@dataclass(frozen=True)
class Function(TaggedPart[lambda_.Function]):
    """The function itself. *role* is the part that was looked at before, where there is one."""

    role: Role | None = None
    resource = "function"

    @property
    def name(self) -> str:
        return self.wish.function

    @cached_property
    def code(self) -> bytes:
        return bundle.authorizer_zip()

    @cached_property
    def code_sha256(self) -> str:
        return bundle.code_sha256(self.code)

    @property
    def wanted(self) -> lambda_.Configuration:
        """How a new function is to run."""
        return self.configuration(None)

    def configuration(self, found: lambda_.Function | None) -> lambda_.Configuration:
        """Return how the function is to run: what is a matter of choice and was not said, as it is in *found*."""
        usual_mb = found.configuration.memory_mb if found else MEMORY_MB
        said = {name: getattr(self.wish.settings, setting) for name, setting in TIMERS.items()}
        return lambda_.Configuration(
            role=Role(self.session, self.wish).arn,
            runtime=RUNTIME,
            handler=HANDLER,
            memory_mb=self.wish.settings.memory_mb or usual_mb,
            timeout_s=TIMEOUT_S,
            environment={
                **(found.configuration.environment if found else {}),
                TABLE_VARIABLE: self.wish.table,
                **{name: str(value) for name, value in said.items() if value is not None},
            },
            description=f"Decides which devices AWS IoT lets in, {MADE_BY}",
        )

    def architecture(self, found: lambda_.Function | None) -> str:
        return self.wish.settings.architecture or (found.architecture if found else ARCHITECTURE)

    def look(self) -> lambda_.Function | None:
        found = lambda_.find(self.session, self.name)
        if found is None or self.wish.settings.reserved_concurrency is None:
            return found
        return replace(found, reserved_concurrency=surroundings.reserved_executions(self.session, self.name))

    def description_of(self, found: lambda_.Function) -> str:
        return found.configuration.description

    def refuse(self, found: lambda_.Function | None) -> None:
        """Refuse to lose variables, and to keep more calls at once than the others of the account can spare.

        Raises:
            Conflict: the function's variables are sealed with a key that this user may not use; any change of it names
                all of them anew.
            InputError: AWS keeps the last 100 for those that reserve none. Source: Lambda developer guide,
                "Configuring reserved concurrency".
        """
        if found is not None and found.sealed:
            raise Conflict(
                f"the variables of function `{self.name}` are not shown, and a change would lose them: {found.sealed}",
                hint=f"have whoever owns its key let you use it: `{self.session.target.aws_command} lambda "
                f"get-function-configuration --function-name {self.name} --query KMSKeyArn`",
            )
        wanted = self.wish.settings.reserved_concurrency
        if not wanted:
            return
        ours = found.reserved_concurrency if found else None
        account = lambda_.concurrency(self.session)
        most = account.unreserved + (ours or 0) - min(LEAST_UNRESERVED, account.limit)
        if wanted > max(most, ours or 0):
            raise InputError(
                f"`--reserved-concurrency {wanted}` leaves too few calls to the other functions: the account may run "
                f"{account.limit} at once, and {max(most, 0)} of them can still be kept for this one",
                hint="choose fewer, or ask AWS for more: quota L-B99A9384 of Lambda, in Service Quotas",
            )

    def drift(self, found: lambda_.Function) -> list[str]:
        orphaned = self.orphaned(found)
        drift = [orphaned] if orphaned else []
        drift += [] if found.code_sha256 == self.code_sha256 else ["function code differs from this version's"]
        if found.architecture != self.architecture(found):
            drift.append(f"it runs on `{found.architecture}`, not `{self.architecture(found)}`")
        drift += differences(found.configuration, self.configuration(found))
        reserved = self.wish.settings.reserved_concurrency
        if reserved not in (None, found.reserved_concurrency):
            kept = "none" if found.reserved_concurrency is None else found.reserved_concurrency
            drift.append(f"calls at once that are kept for it are `{kept}`, not `{reserved}`")
        return drift

    def question(self, found: lambda_.Function) -> str | None:
        """Ask before no device gets in, and before clients are looked for in another table than theirs."""
        if self.wish.settings.reserved_concurrency == 0 and found.reserved_concurrency != 0:
            return f"with no calls at once, function `{self.name}` is never called and no device gets in: turn it off?"
        table_now = table_read_by(found)
        if table_now not in (None, self.wish.table):
            return self.question_of_table(table_now, self.others(found.arn))
        asks = f"function `{self.name}` has to be deleted and made anew, with what it has: do it?"
        return asks if self.orphaned(found) else None

    def question_of_table(self, table_now: str, others: list[str]) -> str:
        """Ask before the function turns away from a table: whoever is in no other one is locked out."""
        table, mine = self.wish.table, self.wish.authorizer
        if not others:
            return (
                f"function `{self.name}` reads table `{table_now}`, and clients that are only there would be refused: "
                f"let it read table `{table}`?"
            )
        named = " and ".join(f"`{name}`" for name in others)
        own = re.sub(r"[^a-zA-Z0-9_-]", "-", f"iotauth-{mine}")
        return (
            f"function `{self.name}` decides for {named} too, whose clients are in table `{table_now}` and would be "
            f"refused (`IOTAUTH_FUNCTION={own}` gives `{mine}` a function of its own): let it read table "
            f"`{table}` for all of them?"
        )

    def orphaned(self, found: lambda_.Function) -> str | None:
        """Say if the function's role is another of the same name than the one that it was given.

        Lambda seals the variables of a function for its role. One that was deleted and made anew cannot open them: the
        function fails before its code runs, whatever its policy says, until it gets another role or is made anew.
        Source: AWS re:Post, "KMSAccessDeniedException errors from Lambda"; hashicorp/terraform-provider-aws#9703.
        """
        role = self.role or Role(self.session, self.wish)
        if found.configuration.role != role.arn:
            return None
        known = role.seen[-1] if role.seen else iam.find_bare(self.session, role.name)
        if known is None:
            return "its role is gone, and one made anew cannot open its variables"
        is_anew = known.created_at and found.changed_at and known.created_at > found.changed_at
        return "its role was made anew since, and cannot open its variables" if is_anew else None

    def others(self, function_arn: str) -> list[str]:
        """Return the other authorizers that call the function."""
        found = (iot.find(self.session, name) for name in iot.names(self.session))
        mine = self.wish.authorizer
        return [each.name for each in found if each and each.name != mine and each.function_arn == function_arn]

    def create(self) -> None:
        lambda_.create(self.session, self.name, self.code, self.architecture(None), self.wanted, self.first_tags)
        lambda_.wait_until_ready(self.session, self.name)

    def mend(self, found: lambda_.Function) -> None:
        if self.orphaned(found):
            self.renew(found)
            return
        lambda_.wait_until_ready(self.session, self.name)
        architecture, wanted = self.architecture(found), self.configuration(found)
        if found.code_sha256 != self.code_sha256 or found.architecture != architecture:
            lambda_.update_code(self.session, self.name, self.code, architecture)
            lambda_.wait_until_ready(self.session, self.name)
        if differences(found.configuration, wanted):
            lambda_.update_configuration(self.session, self.name, wanted)
            lambda_.wait_until_ready(self.session, self.name)
        reserved = self.wish.settings.reserved_concurrency
        if reserved is not None and reserved != found.reserved_concurrency:
            lambda_.reserve(self.session, self.name, reserved)

    def renew(self, found: lambda_.Function) -> None:
        """Make the function anew with its settings, tags, kept calls and whatever service may call it."""
        arn = FunctionArn.parse(found.arn)
        given = lambda_.statements(self.session, arn)
        own_tags = {key: value for key, value in self.read_tags(found).items() if not key.startswith("aws:")}
        reserved = self.wish.settings.reserved_concurrency
        if reserved is None:
            reserved = surroundings.reserved_executions(self.session, self.name)
        architecture, wanted = self.architecture(found), self.configuration(found)
        lambda_.delete(self.session, self.name)
        lambda_.create(self.session, self.name, self.code, architecture, wanted, {**own_tags, **self.first_tags})
        lambda_.wait_until_ready(self.session, self.name)
        for each in given:
            self.permit_again(arn, each)
        if reserved is not None:
            lambda_.reserve(self.session, self.name, reserved)

    def permit_again(self, arn: FunctionArn, statement: dict[str, Any]) -> None:
        """Give back what a service was permitted for one source of one account."""
        principal, bound = statement.get("Principal"), conditions_of(statement)
        if isinstance(principal, dict) and "Service" in principal and {SOURCE, ACCOUNT} == bound.keys():
            lambda_.permit(
                self.session,
                arn,
                statement["Sid"],
                principal=principal["Service"],
                source_arn=bound[SOURCE],
                source_account=bound[ACCOUNT],
            )

    def remove(self, found: lambda_.Function) -> None:
        lambda_.delete(self.session, self.name)

    def read_tags(self, found: lambda_.Function) -> Mapping[str, str]:
        return lambda_.tags(self.session, found.arn)

    def put_tags(self, found: lambda_.Function, added: Mapping[str, str]) -> None:
        lambda_.tag(self.session, found.arn, added)

    def take_tags(self, found: lambda_.Function, keys: Sequence[str]) -> None:
        lambda_.untag(self.session, found.arn, keys)


def differences(found: lambda_.Configuration, wanted: lambda_.Configuration) -> list[str]:
    """Say how a function's configuration differs. Variables that somebody added are let be."""
    facts: list[tuple[str, object, object]] = [
        ("its role", found.role, wanted.role),
        ("its runtime", found.runtime, wanted.runtime),
        ("its handler", found.handler, wanted.handler),
        ("its memory in MB", found.memory_mb, wanted.memory_mb),
        ("its time limit in s", found.timeout_s, wanted.timeout_s),
    ]
    facts += [
        (SAID.get(name, f"`{name}`"), found.environment.get(name), value) for name, value in wanted.environment.items()
    ]
    return [
        f"{what} is not set" if is_ is None else f"{what} is `{is_}`, not `{should}`"
        for what, is_, should in facts
        if is_ != should
    ]
