"""Functions as people have them: with bundled libraries, among them an AWS SDK from before the emulator's variable."""

from __future__ import annotations

import asyncio
import io
import json
import subprocess
import sys
import textwrap
import zipfile
from pathlib import Path
from typing import Any

import pytest

from iotauth_cli.emulator.lambda_runtime.interpreter import OLDEST, search_python
from support import missing
from support_control import TRUST
from support_emulator import RunningEmulator
from support_runtime import OWN_RUNTIME, function, invoke

OLD_SDK = ("boto3==1.24.96", "botocore==1.27.96")  # 1.28 and 1.31 were the first to read AWS_ENDPOINT_URL
LAST_FOR_OLD_SDK = 12  # Python 3.13 lacks `cgi`, which that botocore imports


@pytest.fixture(scope="session")
def old_sdk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A function's directory with an AWS SDK of 2022 in it, as `pip install --target` bundles it."""
    directory = tmp_path_factory.mktemp("bundle")
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-compile", "--target", str(directory), *OLD_SDK]
    installed = subprocess.run(command, capture_output=True, text=True, check=False)
    if installed.returncode != 0:
        missing(f"{' '.join(OLD_SDK)} cannot be installed")
    return directory


@pytest.fixture(scope="session")
def old_python() -> str:
    """A runtime that the old SDK runs on, and that this machine has."""
    minors = range(min(sys.version_info.minor, LAST_FOR_OLD_SDK), OLDEST - 1, -1)
    found = next((minor for minor in minors if asyncio.run(search_python(minor)).note is None), None)
    if found is None:
        missing("no Python of 3.9 to 3.12 is on this machine")
    return f"python3.{found}"


SOURCE = """
import boto3, botocore.session
def handler(event, context):
    sts = boto3.client("sts")
    regional = boto3.client("sts", endpoint_url="https://sts.eu-west-1.amazonaws.com")
    table = boto3.resource("dynamodb").Table("no-such-table")
    try:
        table.load()
    except table.meta.client.exceptions.ResourceNotFoundException as error:
        missing = error.response["Error"]["Code"]
    bare = botocore.session.get_session().create_client("lambda")
    return {
        "version": boto3.__version__,
        "accounts": [client.get_caller_identity()["Account"] for client in (sts, regional)],
        "missing": missing,
        "functions": len(bare.list_functions(FunctionVersion="ALL")["Functions"]),
        "endpoints": sorted({client.meta.endpoint_url for client in (sts, regional, bare, table.meta.client)}),
    }
"""


def heard(directory: Path, emulator: RunningEmulator, runtime: str = OWN_RUNTIME) -> dict[str, object]:
    endpoint_url = emulator.ready.control_endpoint
    wanted = function(directory, SOURCE, runtime=runtime, timeout_s=30)
    invocation, log = invoke(wanted, endpoint_url=endpoint_url)
    assert not any("was not reached" in message for message in log.messages)
    answer: dict[str, object] = json.loads(invocation.payload)
    assert answer["endpoints"] == [endpoint_url]
    return answer


def test_a_bundled_sdk_of_old_reaches_the_emulator(old_sdk: Path, old_python: str, emulator: RunningEmulator) -> None:
    """botocore 1.27 knows nothing of AWS_ENDPOINT_URL; clients, resources and bare sessions come here all the same."""
    answer = heard(old_sdk, emulator, old_python)
    assert answer["version"] == "1.24.96"
    assert answer["accounts"] == ["123456789012"] * 2
    assert answer["missing"] == "ResourceNotFoundException"


AUTHORIZER = """
import base64, os
import boto3

table = boto3.resource("dynamodb").Table(os.environ["TABLE_NAME"])

def lambda_handler(event, context):
    mqtt = event["protocolData"]["mqtt"]
    item = table.get_item(Key={"Client_ID": mqtt["clientId"]}).get("Item")
    password = base64.b64decode(mqtt["password"]).decode()
    statement = {"Effect": "Allow", "Action": "iot:Connect", "Resource": "*"}
    return {
        "isAuthenticated": item is not None and item["Password"] == password,
        "principalId": boto3.__version__.replace(".", ""),
        "policyDocuments": [{"Version": "2012-10-17", "Statement": [statement]}],
        "disconnectAfterInSeconds": 86400,
        "refreshAfterInSeconds": 300,
    }
"""


def bundled(sdk: Path) -> bytes:
    """Zip the authorizer with *sdk*, without the models of services it does not call, as people do to save space."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr("authorizer.py", AUTHORIZER)
        for path in sdk.rglob("*"):
            _, is_model, model = str(path.relative_to(sdk)).partition("/data/")
            if path.is_file() and (not is_model or "/" not in model or model.startswith("dynamodb/")):
                archive.write(path, path.relative_to(sdk))
    return content.getvalue()


def test_an_authorizer_that_bundles_an_old_sdk_decides_by_its_table(
    old_sdk: Path, old_python: str, emulator: RunningEmulator
) -> None:
    """Deployed through the API, and asked as AWS IoT asks: it reads the emulator's DynamoDB, for a yes and a no."""
    name = "other-peoples"
    key = "Client_ID"
    dynamodb, iot, lambda_ = (emulator.client(service) for service in ("dynamodb", "iot", "lambda"))
    dynamodb.create_table(
        TableName=name,
        AttributeDefinitions=[{"AttributeName": key, "AttributeType": "S"}],
        KeySchema=[{"AttributeName": key, "KeyType": "HASH"}],
        BillingMode="PAY_PER_REQUEST",
    )
    dynamodb.put_item(TableName=name, Item={key: {"S": "door-7"}, "Password": {"S": "open"}})
    role = emulator.client("iam").create_role(RoleName=name, AssumeRolePolicyDocument=TRUST)["Role"]["Arn"]
    created = lambda_.create_function(
        FunctionName=name,
        Runtime=old_python,
        Role=role,
        Handler="authorizer.lambda_handler",
        Code={"ZipFile": bundled(old_sdk)},
        Environment={"Variables": {"TABLE_NAME": name}},
        Timeout=30,
    )
    iot.create_authorizer(
        authorizerName=name, authorizerFunctionArn=created["FunctionArn"], status="ACTIVE", signingDisabled=True
    )
    permission = {"StatementId": "iot", "Action": "lambda:InvokeFunction", "Principal": "iot.amazonaws.com"}
    lambda_.add_permission(FunctionName=name, **permission)
    lambda_.invoke(FunctionName=name)  # fails for want of an event, and is warm then, whatever AWS IoT's patience

    def ask(password: bytes) -> dict[str, Any]:
        mqtt = {"clientId": "door-7", "username": "door-7", "password": password}
        answer: dict[str, Any] = iot.test_invoke_authorizer(authorizerName=name, mqttContext=mqtt)
        return answer

    answer = ask(b"open")
    assert (answer["isAuthenticated"], answer["principalId"]) == (True, "12496")
    assert ask(b"shut")["isAuthenticated"] is False


def test_so_does_the_sdk_of_today(tmp_path: Path, emulator: RunningEmulator) -> None:
    """Also where the function names an address of AWS itself."""
    answer = heard(tmp_path, emulator)
    assert answer["version"] != "1.24.96"
    assert answer["accounts"] == ["123456789012"] * 2


def test_an_old_sdk_does_not_leave_this_machine(old_sdk: Path, old_python: str) -> None:
    """A client for an address that is neither AWS's nor ours fails, with a sentence in the log."""
    source = """
    import boto3, botocore.config
    def handler(event, context):
        config = botocore.config.Config(retries={"total_max_attempts": 1})
        boto3.client("sts", endpoint_url="https://sts.example.com", config=config).get_caller_identity()
    """
    invocation, log = invoke(function(old_sdk, textwrap.dedent(source), runtime=old_python, timeout_s=30))
    assert json.loads(invocation.payload)["errorType"] == "EndpointConnectionError"
    sentence = "[ERROR] the iotauth emulator keeps functions on this machine: sts.example.com was not reached"
    assert log.messages.count(sentence) == 1


def test_an_address_that_the_function_sets_for_one_service_counts(tmp_path: Path) -> None:
    """AWS_ENDPOINT_URL_<SERVICE> in the function's own variables goes before the emulator's, as in the SDK."""
    source = "import boto3\ndef handler(event, context):\n    return boto3.client('dynamodb').meta.endpoint_url\n"
    own = {"AWS_ENDPOINT_URL_DYNAMODB": "http://localhost:8000"}
    invocation, _ = invoke(function(tmp_path, source, environment=own, timeout_s=30))
    assert json.loads(invocation.payload) == "http://localhost:8000"


def test_files_beside_the_code_are_where_lambda_has_them(tmp_path: Path) -> None:
    """By `__file__`, by LAMBDA_TASK_ROOT and from the working directory; a package's handler has them too."""
    (tmp_path / "doors").mkdir()
    (tmp_path / "doors" / "names.json").write_text('["door-7"]')
    (tmp_path / "doors" / "app.py").write_text(
        "import json, os, pathlib\n"
        "BESIDE = pathlib.Path(__file__).with_name('names.json')\n"
        "TASK = pathlib.Path(os.environ['LAMBDA_TASK_ROOT'], 'doors/names.json')\n"
        "def handler(event, context):\n"
        "    return [json.loads(path.read_text()) for path in (BESIDE, TASK, pathlib.Path('doors/names.json'))]\n"
    )
    wanted = function(tmp_path, "", handler="doors/app.handler")
    assert json.loads(invoke(wanted)[0].payload) == [["door-7"]] * 3


def test_bundled_shared_libraries_are_found(tmp_path: Path) -> None:
    """The bundle and its `lib` are on the loader's path, unless the function sets one of its own."""
    source = "import os\ndef handler(event, context):\n    return os.environ['LD_LIBRARY_PATH']\n"
    assert json.loads(invoke(function(tmp_path, source))[0].payload) == f"{tmp_path}:{tmp_path}/lib"
    own = function(tmp_path, source, environment={"LD_LIBRARY_PATH": "/opt/doors"})
    assert json.loads(invoke(own)[0].payload) == "/opt/doors"
