"""The whole command set, typed once at the emulator, and what it called: what IAM's documents are held against.

Names are the settings' own, so that a right on anything else shows. `READING` is played on an installation that is
there and has been used; what it calls is what somebody who only looks needs.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from support_adoption import Older, older
from support_control import TRUST, zipped
from support_desk import Desk
from support_emulator import RunningEmulator
from support_recorded import Call, recorded

SETTINGS = {
    "IOTAUTH_AUTHORIZER": "doors",
    "IOTAUTH_TABLE": "doors-clients",
    "IOTAUTH_FUNCTION": "doors-function",
}

CREATING = """
authorizer create --dry-run
authorizer create --tag team=doors --default --alpn-free --reserved-concurrency 5 --yes
authorizer create --memory 512 --retention 14 --refresh-after 15m --yes
authorizer update --tag site=berlin --reserved-concurrency 6 --memory 256
authorizer update --untag site --reserved-concurrency none --caching
logs enable --yes
client add door-1 --topic doors/1
client add door-2 --topic doors/2 --tag site:berlin
client update door-2 --note lobby
test-connect door-1
authorizer migrate --to signed
"""

READING = """
authorizer list
authorizer show
authorizer show --no-emulator
authorizer test-invoke --client door-1
authorizer test-invoke doors-signed --client door-1
client audit
client list
client list --lagging
client list --count
client show door-1
client export clients.csv
policy can door-1 publish doors/1
policy can door-1 publish doors/1 --from answer
policy show door-1 --from answer
policy lint
secrets render door-1 --format json --out -
template --format terraform
template --format sam
doctor
logs --client door-1
logs status
listen # --operator --for 1s
listen doors/1 --as door-1 --for 1s
test-connect door-1
test-connect door-1 --websocket
test-connect door-1 --no-alpn
test-connect door-1 --publish elsewhere
audit log
config show
"""

CHANGING = """
publish doors/1 open --operator
publish doors/1 open --operator --http
publish doors/1 open --operator --retain
logs disable
client rotate door-1
test-connect door-1
client confirm door-1
client rotate door-1 --now --yes
client rotate --all --yes --secrets-out rotated.csv
client confirm --all --force --yes
client disable door-1 --yes
client enable door-1
client import fleet.csv --template doors/{client_id} --secrets-out fleet-secrets.csv
client import fleet.csv --template doors/{client_id}/more --existing update
client disable --where tag=site:berlin --yes
client migrate --yes
authorizer disable --yes
doctor
authorizer enable
authorizer set-default --yes
! break the function
test-connect door-2
! let somebody else assume the role
authorizer create --yes
authorizer rotate-key doors-signed
authorizer rotate-key doors-signed --status
authorizer rotate-key doors-signed --retire --force --yes
authorizer migrate --to signed --status
authorizer migrate --to signed --retire --force --yes
client remove door-1 --yes
client remove door-2 --yes
"""
DELETING = """
! attach a policy to the role
authorizer delete doors-signed --dry-run
authorizer delete doors-signed --table --yes
"""


ADOPTING = """
! make an authorizer by hand
init --adopt --dry-run
init --adopt --yes
init --rollback --yes
! make a stack
init --from-stack doors-stack --force
"""
TOUR = (CREATING, READING, CHANGING, DELETING)
OLDER_FUNCTION, STACK = "older-function", "doors-stack"


@dataclass(frozen=True)
class Played:
    """What the commands called: *reading* is that of `READING` alone, *settled* of all but those that adopt.

    *ended* has each command with its exit code and what it said.
    """

    reading: tuple[Call, ...]
    settled: tuple[Call, ...]
    adopting: tuple[Call, ...]
    by_command: dict[str, tuple[Call, ...]]
    ended: tuple[tuple[str, int, str], ...]


def play(desk: Desk, emulator: RunningEmulator, folder: Path) -> Played:
    """Type everything, in an order in which every command has something to do."""
    ended: list[tuple[str, int, str]] = []
    by_command: dict[str, tuple[Call, ...]] = {}
    hands = Hands(emulator)
    with recorded() as calls:

        def type_all(text: str) -> Sequence[Call]:
            before = len(calls)
            for line in lines(text):
                if line.startswith("! "):
                    hands.do(line.removeprefix("! "))
                    continue
                begin = len(calls)
                typed = desk(*shlex.split(line))
                ended.append((line, typed.code, typed.text))
                by_command[line] = by_command.get(line, ()) + tuple(calls[begin:])
            return calls[before:]

        (folder / "fleet.csv").write_text("client_id\ndoor-8\ndoor-9\n", encoding="utf-8")
        type_all(CREATING)
        reading = tuple(type_all(READING))
        type_all(CHANGING)
        type_all(DELETING)
        settled = tuple(calls)
        adopting = tuple(type_all(ADOPTING))
    return Played(reading, settled, adopting, by_command, tuple(ended))


class Hands:
    """What somebody else does to the installation, past the program and unrecorded: clients of its own, made before."""

    def __init__(self, emulator: RunningEmulator) -> None:
        self.iam, self.functions = emulator.client("iam"), emulator.client("lambda")
        self.stacks = emulator.client("cloudformation")
        names = {name.removeprefix("IOTAUTH_").lower(): value for name, value in SETTINGS.items()}
        self.older = older(emulator, **{**names, "function": OLDER_FUNCTION})
        for service in ("dynamodb", "iam", "iot", "lambda"):
            self.older.aws(service)
        self.role = f"{SETTINGS['IOTAUTH_FUNCTION']}-{emulator.ready.region}"

    def do(self, what: str) -> None:
        if what == "break the function":
            code = zipped({"iotauth_authorizer/handler.py": "def handler(event, context):\n    return 7\n"})
            self.functions.update_function_code(FunctionName=SETTINGS["IOTAUTH_FUNCTION"], ZipFile=code)
        elif what == "let somebody else assume the role":
            trust = TRUST.replace("lambda.amazonaws.com", "iot.amazonaws.com")
            self.iam.update_assume_role_policy(RoleName=self.role, PolicyDocument=trust)
        elif what == "make an authorizer by hand":
            self.older.make()
        elif what == "make a stack":
            template = json.dumps(stack(self.older))
            self.stacks.create_stack(StackName=STACK, TemplateBody=template)
        else:
            assert what == "attach a policy to the role"
            self.iam.attach_role_policy(RoleName=self.role, PolicyArn="arn:aws:iam::aws:policy/ReadOnlyAccess")


def stack(older: Older) -> dict[str, Any]:
    """Return a template whose outputs lead to what stands there."""
    outputs = {
        "UnsignedAuthorizerName": older.authorizer,
        "TableName": older.table,
        "AuthorizerFunctionArn": older.function_arn,
    }
    return {
        "Resources": {"Group": {"Type": "AWS::Logs::LogGroup", "Properties": {"LogGroupName": STACK}}},
        "Outputs": {name: {"Value": value} for name, value in outputs.items()},
    }


def lines(text: str) -> Iterable[str]:
    return [line for line in text.splitlines() if line]
