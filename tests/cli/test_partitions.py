"""The main story in China and in GovCloud: what is created there and granted there is named there."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from support_desk import Desk
from support_emulator import RunningEmulator, running_emulator

ARN = re.compile(r"arn:([a-z-]+):[a-z0-9]+:([a-z0-9-]*):")
PARTITIONS = {"cn-north-1": "aws-cn", "us-gov-west-1": "aws-us-gov"}


@pytest.fixture(params=PARTITIONS)
def region(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def emulator(region: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[RunningEmulator]:
    with running_emulator(tmp_path, region=region) as running:
        monkeypatch.setenv("IOTAUTH_STATE_DIR", str(running.state_dir))
        monkeypatch.setenv("IOTAUTH_EMULATOR", "true")
        yield running


def everything(emulator: RunningEmulator) -> dict[str, Any]:
    """Return whatever the control plane tells of the installation."""
    client = emulator.client
    role = client("iam").list_roles()["Roles"][0]
    name = role["RoleName"]
    policies = client("iam").list_role_policies(RoleName=name)["PolicyNames"]
    return {
        "role": role,
        "policies": [client("iam").get_role_policy(RoleName=name, PolicyName=policy) for policy in policies],
        "function": client("lambda").get_function(FunctionName="iotauth-authorizer")["Configuration"],
        "permission": client("lambda").get_policy(FunctionName="iotauth-authorizer")["Policy"],
        "authorizer": client("iot").describe_authorizer(authorizerName="iotauth")["authorizerDescription"],
        "table": client("dynamodb").describe_table(TableName="iotauth-clients")["Table"],
        "logs": client("logs").describe_log_groups()["logGroups"],
        "caller": client("sts").get_caller_identity()["Arn"],
    }


def test_the_main_story_is_told_in_every_partition(emulator: RunningEmulator, region: str, desk: Desk) -> None:
    """Created, added, connected; and every ARN of it is of this partition, the answer's policies too."""
    created = desk("authorizer", "create")
    assert created.code == 0, created.text
    assert "as it should be" in desk("authorizer", "create").text
    assert desk("client", "add", "door-7", "--topic", "doors/7").code == 0
    connected = desk("test-connect", "door-7")
    assert connected.code == 0, connected.text
    invoked = desk("authorizer", "test-invoke", "--client", "door-7", "--json")
    shown = desk("authorizer", "show", "--json")
    told = json.dumps([everything(emulator), invoked.document, shown.document], default=str)
    found = {(partition, where) for partition, where in ARN.findall(told.replace("\\", ""))}
    assert {partition for partition, _ in found} == {PARTITIONS[region]}
    assert {where for _, where in found} == {region, ""}
    assert desk("policy", "can", "door-7", "publish", "doors/7").code == 0
    assert desk("publish", "doors/7", "hello").code == 0  # by a WebSocket whose path is signed for the region
    assert "ok" in desk("doctor", "--only", "role-policy").text
    assert desk("client", "remove", "door-7", "--yes").code == 0
    assert desk("authorizer", "delete", "--table", "--yes").code == 0


def test_an_endpoint_without_alpn_is_not_to_be_had_in_govcloud(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is said before anything is asked of AWS."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "canary-secret")
    typed = desk("authorizer", "create", "--alpn-free", "--region", "us-gov-west-1")
    assert "GovCloud has no types of endpoints" in typed.text
    assert typed.code == 2
