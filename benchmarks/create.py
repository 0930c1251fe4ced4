"""Creating an installation on the emulator, and finding one complete, beside a boto3 script that does the same calls.

Run `python benchmarks/create.py [rounds]`. Each is timed as a whole process. In every round both make an
installation under a name of their own and look at it again; what they made is taken away in between, untimed.
The script knows no drift, no plan and no second try: it is what somebody would write for the day of the demo.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from table import Row, render

from cli import Commands, project
from iotauth_cli import bundle

MOST_S = {"create": 3.0, "again": 1.0}  # what a person waits for at most
GOALS = {"create": 1.5, "again": 1.5}  # highest ratio to the script that is good enough
NAMES = ("bench-ours", "bench-peer")

# Everything that `authorizer create` makes, in as many calls; with `again` it reads what shows that all is there.
SCRIPT = """
import json, sys, time
from pathlib import Path
import boto3
name, what, code = sys.argv[1], sys.argv[2], sys.argv[3]
logs, iam, functions, tables, iot, sts = map(boto3.client, ("logs", "iam", "lambda", "dynamodb", "iot", "sts"))
account, region = sts.get_caller_identity()["Account"], logs.meta.region_name
group, role, tags = f"/aws/lambda/{name}", f"{name}-{region}", {"made-by": "script"}
listed = [{"Key": key, "Value": value} for key, value in tags.items()]
if what == "again":
    logs.describe_log_groups(logGroupNamePrefix=group)
    tables.describe_table(TableName=name)
    tables.describe_continuous_backups(TableName=name)
    tables.describe_time_to_live(TableName=name)
    iam.get_role(RoleName=role)
    iam.get_role_policy(RoleName=role, PolicyName="script")
    functions.get_function_configuration(FunctionName=name)
    iot.describe_authorizer(authorizerName=name)
    functions.get_policy(FunctionName=name)
    sys.exit()
def policy(*statements):
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})
logs.create_log_group(logGroupName=group, tags=tags)
logs.put_retention_policy(logGroupName=group, retentionInDays=30)
key = "Client_ID"
tables.create_table(
    TableName=name, KeySchema=[{"AttributeName": key, "KeyType": "HASH"}], BillingMode="PAY_PER_REQUEST",
    AttributeDefinitions=[{"AttributeName": key, "AttributeType": "S"}], DeletionProtectionEnabled=True, Tags=listed,
)
tables.get_waiter("table_exists").wait(TableName=name)
tables.update_time_to_live(
    TableName=name, TimeToLiveSpecification={"Enabled": True, "AttributeName": "Expires"}
)
tables.update_continuous_backups(
    TableName=name, PointInTimeRecoverySpecification={"PointInTimeRecoveryEnabled": True}
)
trust = {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
made = iam.create_role(RoleName=role, AssumeRolePolicyDocument=policy(trust), Tags=listed)
reads = {"Effect": "Allow", "Action": "dynamodb:GetItem", "Resource": "*"}
iam.put_role_policy(RoleName=role, PolicyName="script", PolicyDocument=policy(reads))
function = functions.create_function(
    FunctionName=name, Role=made["Role"]["Arn"], Runtime="python3.13", Architectures=["arm64"], MemorySize=256,
    Handler="iotauth_authorizer.handler.handler", Timeout=5, Code={"ZipFile": Path(code).read_bytes()}, Tags=tags,
    Environment={"Variables": {"IOTAUTH_TABLE": name}},
)
functions.get_waiter("function_active_v2").wait(FunctionName=name)
authorizer = iot.create_authorizer(
    authorizerName=name, authorizerFunctionArn=function["FunctionArn"], signingDisabled=True, status="ACTIVE",
    tags=listed,
)
functions.add_permission(
    FunctionName=name, StatementId="script", Action="lambda:InvokeFunction", Principal="iot.amazonaws.com",
    SourceArn=authorizer["authorizerArn"], SourceAccount=account,
)
"""
WIPE = """
import sys
import boto3
name = sys.argv[1]
logs, iam, functions, tables, iot = map(boto3.client, ("logs", "iam", "lambda", "dynamodb", "iot"))
role = f"{name}-{logs.meta.region_name}"
iot.update_authorizer(authorizerName=name, status="INACTIVE")
iot.delete_authorizer(authorizerName=name)
functions.delete_function(FunctionName=name)
for policy in iam.list_role_policies(RoleName=role)["PolicyNames"]:
    iam.delete_role_policy(RoleName=role, PolicyName=policy)
iam.delete_role(RoleName=role)
logs.delete_log_group(logGroupName=f"/aws/lambda/{name}")
tables.update_table(TableName=name, DeletionProtectionEnabled=False)
tables.delete_table(TableName=name)
"""


class Round(NamedTuple):
    """Seconds of a round: ours and the script's."""

    ours: float
    peer: float


def measure(rounds: int = 7) -> list[Row]:
    """Measure both and return the rows. Takes about four seconds per round."""
    with place() as (commands, code):
        taken = [round_of(commands, code) for _ in range(rounds + 1)][1:]
    rows = []
    for what, words in (("create", "nothing there"), ("again", "all there")):
        found = [each[what] for each in taken]
        ours, peer = (statistics.median(getattr(each, name) for each in found) for name in Round._fields)
        ratio = statistics.median(each.ours / each.peer for each in found)
        name = f"authorizer create, {words}"
        rows.append(Row(f"{name} / boto3 script", f"{ours * 1000:.0f} ms", f"{peer * 1000:.0f} ms", ratio, GOALS[what]))
        limit = MOST_S[what]
        rows.append(Row(f"{name} / a person's patience", f"{ours * 1000:.0f} ms", f"{limit:g} s", ours / limit, 1.0))
    return rows


def round_of(commands: Commands, code: Path) -> Mapping[str, Round]:
    """Create, create again and take away, ours and the script's in turn."""
    ours, peer = (installers(commands, code)[name] for name in NAMES)
    found = {what: Round(ours(what), peer(what)) for what in MOST_S}
    for name in NAMES:
        commands.seconds([sys.executable, "-c", WIPE, name])
    return found


def installers(commands: Commands, code: Path) -> Mapping[str, Callable[[str], float]]:
    ours, peer = NAMES
    names = {f"IOTAUTH_{setting}": ours for setting in ("AUTHORIZER", "TABLE", "FUNCTION")}
    create = Commands(commands.directory, {**commands.environ, **names})
    return {
        ours: lambda what: create.seconds(create.ours("authorizer", "create")),
        peer: lambda what: commands.seconds([sys.executable, "-c", SCRIPT, peer, what, str(code)]),
    }


@contextmanager
def place() -> Iterator[tuple[Commands, Path]]:
    """Start an emulator with a project, and write the function's code to where the script finds it."""
    with tempfile.TemporaryDirectory() as folder, project() as commands:
        code = Path(folder) / "function.zip"
        code.write_bytes(bundle.authorizer_zip())
        yield commands, code


if __name__ == "__main__":
    print(render(measure(int(sys.argv[1]) if len(sys.argv) > 1 else 7)))
