"""Our template's stack from its creation to its end, by boto3 and by the AWS CLI, with what CloudFormation refuses."""

from __future__ import annotations

import asyncio
import base64
import json
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from iotauth_cli import bundle
from iotauth_cli.emulator import remote
from iotauth_cli.emulator.control.cloudformation import sam, syntax
from support import require_peer
from support_emulator import RunningEmulator, running_emulator
from support_stack import OURS, key_pair, wait_for

CAPABILITIES = ["CAPABILITY_IAM"]  # no role has a name of the template's
BUSY = ("CREATE_IN_PROGRESS", "UPDATE_IN_PROGRESS", "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS", "DELETE_IN_PROGRESS")


@pytest.fixture(scope="module")
def emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningEmulator]:
    with running_emulator(tmp_path_factory.mktemp("life")) as running:
        yield running


@pytest.fixture(scope="module")
def template(emulator: RunningEmulator) -> str:
    """The template as CloudFormation has it when AWS's translator has been at it; its code lies in a bucket."""
    content = base64.b64encode(bundle.authorizer_zip()).decode()
    place = remote.tell(emulator.state_dir, "packages/add", content=content)
    text = OURS.read_text().replace("CodeUri: .", f"CodeUri: s3://{place['bucket']}/{place['key']}")
    return json.dumps(asyncio.run(sam.transform(syntax.parse(text), {}, "eu-west-1")))


class Stacks:
    """Stacks of our template in one region, which no other test uses."""

    def __init__(self, emulator: RunningEmulator, template: str, region: str) -> None:
        import boto3

        self.region = region
        self._session: Any = boto3.session.Session("IOTAUTHEMULATOR", "emulator", region_name=region)
        self._url = emulator.variables["AWS_ENDPOINT_URL"]
        self.template = template
        self.cloudformation = self.client("cloudformation")

    def client(self, service: str) -> Any:
        return self._session.client(service, endpoint_url=self._url)

    def create(self, name: str = "doors", **parameters: str) -> str:
        return self._do(self.cloudformation.create_stack, name, parameters)

    def update(self, name: str = "doors", **parameters: str) -> str:
        return self._do(self.cloudformation.update_stack, name, parameters)

    def delete(self, name: str = "doors") -> str:
        stack_id = self.cloudformation.describe_stacks(StackName=name)["Stacks"][0]["StackId"]
        self.cloudformation.delete_stack(StackName=name)
        return self._ended(stack_id)

    def _do(self, call: Any, name: str, parameters: dict[str, str]) -> str:
        given = [{"ParameterKey": key, "ParameterValue": value} for key, value in parameters.items()]
        call(StackName=name, TemplateBody=self.template, Parameters=given, Capabilities=CAPABILITIES)
        return self._ended(name)

    def _ended(self, name: str) -> str:
        for status in BUSY:
            wait_for(self.cloudformation, name, leaving=status)
        return str(wait_for(self.cloudformation, name, leaving="none")["StackStatus"])

    def outputs(self, name: str = "doors") -> dict[str, str]:
        found = self.cloudformation.describe_stacks(StackName=name)["Stacks"][0]
        return {each["OutputKey"]: each["OutputValue"] for each in found.get("Outputs", ())}

    def reasons(self, name: str = "doors") -> str:
        found = self.cloudformation.describe_stack_events(StackName=name)["StackEvents"]
        return json.dumps([each.get("ResourceStatusReason") for each in found])


@pytest.fixture(scope="module")
def regions() -> Iterator[str]:
    """One for each test: so none meets what another has made."""
    return iter(["eu-west-1", "eu-west-2", "eu-west-3", "eu-north-1", "eu-south-1", "ca-central-1"])


@pytest.fixture
def stacks(emulator: RunningEmulator, template: str, regions: Iterator[str]) -> Stacks:
    return Stacks(emulator, template, next(regions))


def test_what_is_chosen_can_be_chosen_otherwise(stacks: Stacks) -> None:
    """Memory, timers, retention, concurrency, a second key: changed in place, with nothing made anew."""
    public = key_pair()[1]
    signed = {"WithUnsignedAuthorizer": "false", "SigningPublicKey": public}
    assert stacks.create(**signed, ReservedConcurrency="5") == "CREATE_COMPLETE"
    chosen = {
        "MemorySize": "512",
        "RefreshAfterSeconds": "600",
        "LogRetentionDays": "7",
        "NextSigningPublicKey": public,
        "AuthorizerStatus": "INACTIVE",
        "CachingForHttp": "true",
    }
    assert stacks.update(**signed, **chosen) == "UPDATE_COMPLETE", stacks.reasons()
    function = stacks.client("lambda").get_function(FunctionName="iotauth-authorizer")
    assert function["Configuration"]["MemorySize"] == 512
    assert function["Configuration"]["Environment"]["Variables"]["IOTAUTH_REFRESH_AFTER_S"] == "600"
    assert "Concurrency" not in function, "-1 is none of its own"
    described = stacks.client("iot").describe_authorizer(authorizerName="iotauth-signed")["authorizerDescription"]
    assert sorted(described["tokenSigningPublicKeys"]) == ["current", "next"]
    assert (described["status"], described["enableCachingForHttp"]) == ("INACTIVE", True)


def test_an_unsigned_authorizer_is_not_changed_by_cloudformation(stacks: Stacks) -> None:
    """AWS's handler sends signing fields: the update fails and is rolled back; what else is chosen can be changed."""
    assert stacks.create() == "CREATE_COMPLETE"
    assert stacks.update(AuthorizerStatus="INACTIVE") == "UPDATE_ROLLBACK_COMPLETE"
    assert "Token signing is disabled" in stacks.reasons()
    described = stacks.client("iot").describe_authorizer(authorizerName="iotauth")["authorizerDescription"]
    assert described["status"] == "ACTIVE"
    assert stacks.update(MemorySize="512") == "UPDATE_COMPLETE"
    assert stacks.update(AuthorizerName="other", MemorySize="512") == "UPDATE_COMPLETE", "another name is another one"
    names = [each["authorizerName"] for each in stacks.client("iot").list_authorizers()["authorizers"]]
    assert names == ["other"]


def test_the_table_outlives_the_stack(stacks: Stacks) -> None:
    """Its clients are not to go with a stack; everything else does."""
    stacks.create(SigningPublicKey=key_pair()[1])
    assert stacks.delete() == "DELETE_COMPLETE"
    assert stacks.client("dynamodb").list_tables()["TableNames"] == ["iotauth-clients"]
    assert stacks.client("iot").list_authorizers()["authorizers"] == []
    assert stacks.client("lambda").list_functions()["Functions"] == []
    assert stacks.client("logs").describe_log_groups()["logGroups"] == []


def test_a_failed_creation_leaves_nothing_behind(stacks: Stacks) -> None:
    """The table, which would stay and be in the way of the next attempt, is made last."""
    stacks.client("iot").create_authorizer(
        authorizerName="iotauth",
        authorizerFunctionArn=f"arn:aws:lambda:{stacks.region}:123456789012:function:other",
        signingDisabled=True,
    )
    assert stacks.create() == "ROLLBACK_COMPLETE"
    assert "already exists" in stacks.reasons()
    assert stacks.client("dynamodb").list_tables()["TableNames"] == []


def test_either_authorizer_may_be_left_out(stacks: Stacks) -> None:
    """Not both; and outputs tell of what is there."""
    with pytest.raises(ClientError, match="without an unsigned authorizer there must be a signed one"):
        stacks.create(WithUnsignedAuthorizer="false")
    assert stacks.create() == "CREATE_COMPLETE"
    told = stacks.outputs()
    assert told == {
        "TableName": "iotauth-clients",
        "AuthorizerFunctionArn": f"arn:aws:lambda:{stacks.region}:123456789012:function:iotauth-authorizer",
        "UnsignedAuthorizerName": "iotauth",
        "UnsignedAuthorizerStatus": "ACTIVE",
    }
    both = {"SigningPublicKey": key_pair()[1], "SignedAuthorizerName": "with-token"}
    assert stacks.update(**both) == "UPDATE_COMPLETE"
    assert stacks.outputs() == {**told, "SignedAuthorizerName": "with-token"}


def test_the_aws_cli_deploys_and_deletes_it(stacks: Stacks, emulator: RunningEmulator, tmp_path: Any) -> None:
    """`aws cloudformation deploy`, as the template's guide has it."""
    (tmp_path / "packaged.yaml").write_text(stacks.template)
    environment = {"PATH": "/usr/bin:/bin", "HOME": str(tmp_path), **emulator.variables, "AWS_PAGER": ""}
    environment |= {"AWS_DEFAULT_REGION": stacks.region, "AWS_REGION": stacks.region}

    def aws(*words: str) -> str:
        command = [require_peer("aws"), "cloudformation", *words]
        ran = subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=60)
        assert ran.returncode == 0, ran.stdout + ran.stderr
        return ran.stdout

    deploying = ["--template-file", "packaged.yaml", "--stack-name", "doors", "--capabilities", *CAPABILITIES]
    aws("deploy", *deploying, "--parameter-overrides", "MemorySize=128")
    assert stacks.outputs()["UnsignedAuthorizerName"] == "iotauth"
    aws("delete-stack", "--stack-name", "doors")
