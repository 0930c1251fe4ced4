"""`iotauth template`: an installation as SAM, CloudFormation and Terraform, and what each of them makes of it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import hcl2
import pytest
import yaml

from iotauth_cli import bundle
from iotauth_cli.aws.session import Session
from iotauth_cli.emulator.model import ACCOUNT
from iotauth_cli.operations import authorizers, templates
from iotauth_cli.operations.installation import FunctionSettings, Wish
from iotauth_cli.operations.installation.stack import stack_of
from iotauth_cli.operations.templates import existing, hcl
from iotauth_cli.operations.templates.existing import Existing
from support import REPOSITORY, missing, require_peer
from support_desk import Desk
from support_emulator import RunningEmulator, running_emulator
from support_stack import OURS, deploy_template, key_pair, wait_for
from support_world import Place

SECRET = "not-for-a-template"
ODD = 'Says ${a} and %{b}: "yes"'  # which languages of templates would take for theirs
HERE, THERE = "us-east-1", "eu-central-1"
REAL_HOME = Path.home()  # taken when pytest starts: every test gets a home of its own
OWN_SAM = REPOSITORY / ".venvs" / "sam" / "bin" / "sam"  # made by scripts/sam


@dataclass(frozen=True)
class Site:
    """An emulator where somebody has installed by hand, and what is read of it."""

    place: Place

    @cached_property
    def found(self) -> Existing:
        return templates.read(self.place.session, "gates")

    def in_region(self, region: str) -> Session:
        return Session(self.place.target._replace(region=region))

    def client(self, service: str, region: str = HERE) -> Any:
        return self.in_region(region).client(service)


@pytest.fixture(scope="module")
def emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningEmulator]:
    with running_emulator(tmp_path_factory.mktemp("templates")) as running:
        yield running


@pytest.fixture(scope="module")
def site(emulator: RunningEmulator, tmp_path_factory: pytest.TempPathFactory) -> Site:
    """Two authorizers over one function, with nothing as it usually is."""
    place = Place(emulator, tmp_path_factory.mktemp("project"), Wish("gates", "gates-clients", "gates-authorizer"))
    settings = FunctionSettings(512, "x86_64", 3, 7, 600, 7200)
    wish = replace(place.wish, settings=settings, tags={"site": "north"}, is_default=True, alpn_free="gates-plain")
    (place.project / "public.pem").write_text(key_pair()[1])
    signed = authorizers.signed(
        replace(place.wish, authorizer="gates-signed", caching_for_http=True),
        place.store,
        now=int(time.time()),
        token_key_name="ticket",
        public_key=place.project / "public.pem",
    )
    for each in (wish, signed):
        list(authorizers.apply(place.session, authorizers.plan(place.session, each)))
    functions = emulator.client("lambda")
    variables = functions.get_function_configuration(FunctionName="gates-authorizer")["Environment"]["Variables"]
    environment = {"Variables": {**variables, "API_KEY": SECRET}}
    functions.update_function_configuration(
        FunctionName="gates-authorizer", Environment=environment, Description=f"{ODD}, made by iotauth"
    )
    return Site(place)


@pytest.fixture(params=templates.FORMATS)
def written(site: Site, request: pytest.FixtureRequest) -> templates.Written:
    return templates.write(site.found, request.param)


def test_no_secret_and_no_account_is_written(written: templates.Written) -> None:
    """The account's number is asked where it is needed; a variable that is not ours is named, not told."""
    for file in [each for each in written.files if not each.name.startswith("function")]:
        assert ACCOUNT.encode() not in file.content, file.name
        assert SECRET.encode() not in file.content, file.name
    assert "`API_KEY`" in written.text
    assert any("`API_KEY`" in note for note in written.notes)
    assert "set-default-authorizer --authorizer-name gates" in written.text


@pytest.mark.parametrize("format_", ["sam", "cloudformation"])
def test_the_table_outlives_what_is_written(site: Site, format_: str) -> None:
    """Whoever deletes the stack keeps every client. What Terraform has for that is looked at below."""
    made = yaml.load(templates.write(site.found, format_).text, Plain)["Resources"]
    kept = {"DeletionPolicy": "Retain", "UpdateReplacePolicy": "Retain"}
    assert {name: made["ClientTable"].get(name) for name in kept} == kept


def test_nothing_of_it_is_left_out(site: Site) -> None:
    """What was chosen is what is read: of function, timers, retention, tags, keys, authorizers, endpoint."""
    found = site.found
    assert [each.name for each in found.authorizers] == ["gates", "gates-signed"]
    assert found.function is not None
    assert (found.function.memory_mb, found.function.architecture) == (512, "x86_64")
    assert found.function.reserved_concurrency == 3
    assert found.function.variables["IOTAUTH_REFRESH_AFTER_S"] == "600"
    assert found.log_group is not None
    assert found.log_group.retention_days == 7
    assert found.authorizers[1].caching
    assert found.authorizers[1].token_key_name == "ticket"
    assert list(found.authorizers[1].public_keys.values()) == [key_pair()[1]]
    assert found.default == "gates"
    assert [each.authorizer for each in found.domains] == ["gates"]
    assert found.function.tags["site"] == "north"


def alike(found: Existing) -> Existing:
    """Return *found* without what another place or CloudFormation names otherwise, and no template carries."""
    assert found.role is not None
    assert found.function is not None
    text = json.dumps([found.role.trust, dict(found.role.policies)]).replace(found.scope.region, HERE)
    trust, policies = json.loads(text)
    return replace(
        found,
        scope=found.scope._replace(region=HERE),
        function_arn="",
        authorizers=tuple(replace(each, permission=each.permission and "given") for each in found.authorizers),
        function=replace(found.function, code_sha256=""),
        role=replace(
            found.role, name=found.role.name.replace(found.scope.region, HERE), trust=trust, policies=policies
        ),
        default=None,
        left_out=(),
    )


@pytest.mark.parametrize("format_", ["cloudformation", "sam"])
def test_what_it_makes_elsewhere_is_the_same(site: Site, tmp_path: Path, format_: str) -> None:
    """Deployed in a second region, every part reads as the one that it was written from."""
    region = {"cloudformation": THERE, "sam": "ap-south-1"}[format_]
    written = templates.write(site.found, format_)
    templates.save(written, tmp_path / "out", force=False)
    session = site.in_region(region)
    assert deploy_template(session, site.place.emulator, tmp_path / "out" / "template.yaml").ok
    assert alike(templates.read(session, "gates")) == alike(site.found)


def test_linters_of_aws_find_nothing(site: Site, tmp_path: Path) -> None:
    """cfn-lint passes both templates and the one that imports."""
    for name in ("sam", "cloudformation"):
        templates.save(templates.write(site.found, name), tmp_path / name, force=False)
    paths = [*tmp_path.glob("sam/*.yaml"), *tmp_path.glob("cloudformation/*.yaml")]
    ran = subprocess.run([require_peer("cfn-lint"), *map(str, paths)], capture_output=True, text=True)
    assert (len(paths), ran.returncode) == (3, 0), ran.stdout


def test_what_an_import_names_is_what_each_type_is_known_by(site: Site) -> None:
    """`import.json` has the identifiers of the types' own schemas; each resource outlives the stack."""
    from cfnlint.schema import PROVIDER_SCHEMA_MANAGER

    files = {file.name: file.content.decode() for file in templates.write(site.found, "cloudformation").files[:3]}
    template = yaml.load(files["import.yaml"], Plain)
    listed = json.loads(files["import.json"])
    assert {each["LogicalResourceId"] for each in listed} == set(template["Resources"])
    for each in listed:
        schema = PROVIDER_SCHEMA_MANAGER.get_resource_schema(HERE, each["ResourceType"]).schema
        identifiers = [path.removeprefix("/properties/") for path in schema["primaryIdentifier"]]
        assert list(each["ResourceIdentifier"]) == identifiers
        assert "read" in schema["handlers"]
        resource = template["Resources"][each["LogicalResourceId"]]
        assert (resource["Type"], resource["DeletionPolicy"]) == (each["ResourceType"], "Retain")
    assert "Outputs" not in template
    names = [name for each in listed for name in each["ResourceIdentifier"].values()]
    assert f"gates-authorizer-{HERE}" in names


def test_what_exists_is_imported_and_made_no_second_time(site: Site, tmp_path: Path) -> None:
    """As the comments of both files say: import.yaml first, then template.yaml over the same stack."""
    session = site.in_region("eu-west-3")
    wish = Wish("iotauth", "iotauth-clients", "iotauth-authorizer")
    list(authorizers.apply(session, authorizers.plan(session, wish)))
    before = templates.read(session, "iotauth")
    templates.save(templates.write(before, "cloudformation"), tmp_path, force=False)
    stacks = session.client("cloudformation")
    stacks.create_change_set(
        StackName="doors",
        ChangeSetName="adopt",
        ChangeSetType="IMPORT",
        TemplateBody=(tmp_path / "import.yaml").read_text(),
        ResourcesToImport=json.loads((tmp_path / "import.json").read_text()),
        Parameters=[{"ParameterKey": "CodeBucket", "ParameterValue": "bucket"}],
        Capabilities=["CAPABILITY_NAMED_IAM"],
    )
    stacks.execute_change_set(StackName="doors", ChangeSetName="adopt")
    assert wait_for(stacks, "doors", leaving="IMPORT_IN_PROGRESS")["StackStatus"] == "IMPORT_COMPLETE"
    assert deploy_template(session, site.place.emulator, tmp_path / "template.yaml").ok
    after = templates.read(session, "iotauth")
    assert alike(after) == alike(before)
    assert after.role == before.role, "the same role, not another"
    assert stack_of(session, "iotauth-authorizer") == "doors"


class Plain(yaml.SafeLoader):
    """YAML whose short functions are read as their arguments."""


Plain.add_multi_constructor("!", lambda loader, _suffix, node: loader.construct_scalar(node))


# --- SAM -----------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def sam() -> str:
    if not OWN_SAM.exists():
        missing(f"`{OWN_SAM}` is not there; `scripts/sam` installs it")
    return str(OWN_SAM)


def run_sam(sam: str, folder: Path, *arguments: str) -> None:
    environment = {
        "PATH": "/usr/bin:/bin",
        "HOME": str(folder),
        "SAM_CLI_TELEMETRY": "0",
        "AWS_DEFAULT_REGION": HERE,
    }
    command = [sam, *arguments]
    ran = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=100)
    assert ran.returncode == 0, ran.stdout + ran.stderr


def test_sam_validates_and_builds_both_templates(sam: str, site: Site, tmp_path: Path) -> None:
    """The one for a new stack, from the wheel's files alone, and the one of what exists; nothing is downloaded."""
    for name, written in (("new", templates.blank()), ("existing", templates.write(site.found, "sam"))):
        folder = tmp_path / name
        templates.save(written, folder, force=False)
        run_sam(sam, folder, "validate", "--lint")
    run_sam(sam, tmp_path / "new", "build", "--build-dir", "built")
    built = tmp_path / "new" / "built" / "AuthorizerFunction" / "iotauth_authorizer"
    for path in [each for each in bundle.authorizer_package().iterdir() if each.suffix in bundle.IN_THE_ZIP]:
        assert (built / path.name).read_bytes() == path.read_bytes()


# --- Terraform -----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def main_tf(site: Site) -> Any:
    """`main.tf` as an HCL parser reads it."""
    return hcl2.loads(templates.write(site.found, "terraform").text)


def plain(value: Any) -> Any:
    """Return what the parser read without its quotes, its own notes and its lists of one."""
    if isinstance(value, dict):
        return {plain(key): plain(each) for key, each in value.items() if not key.startswith("__")}
    if isinstance(value, list):
        return [plain(each) for each in value]
    if isinstance(value, str) and value.startswith('"'):
        return json.loads(value)
    return value


def resources(main_tf: Any) -> dict[str, dict[str, Any]]:
    """Return each resource's arguments by its address."""
    found: dict[str, dict[str, Any]] = {}
    for block in plain(main_tf["resource"]):
        for kind, labelled in block.items():
            found |= {f"{kind}.{label}": arguments for label, arguments in labelled.items()}
    return found


def test_terraform_has_every_value(site: Site, main_tf: Any) -> None:
    """Argument by argument, as the provider's documentation names them."""
    made, found = resources(main_tf), site.found
    assert found.function is not None
    table = made["aws_dynamodb_table.clients"]
    assert (table["name"], table["billing_mode"], table["hash_key"]) == (
        "gates-clients",
        "PAY_PER_REQUEST",
        "Client_ID",
    )
    assert table["deletion_protection_enabled"] is True
    assert table["attribute"] == [{"name": "Client_ID", "type": "S"}]
    assert table["point_in_time_recovery"] == [{"enabled": True}]
    assert table["lifecycle"] == [{"prevent_destroy": True}]
    assert table["ttl"] == [{"attribute_name": "Expires", "enabled": True}]
    group = made["aws_cloudwatch_log_group.function"]
    assert (group["name"], group["retention_in_days"]) == ("/aws/lambda/gates-authorizer", 7)
    function = made["aws_lambda_function.authorizer"]
    assert function["function_name"] == "gates-authorizer"
    assert function["handler"] == "iotauth_authorizer.handler.handler"
    assert (function["runtime"], function["architectures"]) == ("python3.13", ["x86_64"])
    assert (function["memory_size"], function["timeout"]) == (512, 5)
    assert function["reserved_concurrent_executions"] == 3
    assert function["environment"] == [{"variables": dict(found.function.variables)}]
    assert function["tags"]["site"] == "north"
    assert function["description"].startswith('Says $${a} and %%{b}: "yes"'), "a text that means itself"
    assert made["aws_iam_role.function"]["name"] == f"gates-authorizer-{HERE}"
    assert "lambda.amazonaws.com" in str(made["aws_iam_role.function"]["assume_role_policy"])
    policy = str(made["aws_iam_role_policy.function"]["policy"])
    assert "dynamodb:UpdateItem" in policy
    assert "${data.aws_caller_identity.current.account_id}:table/gates-clients" in policy
    unsigned, signed = made["aws_iot_authorizer.gates"], made["aws_iot_authorizer.gates_signed"]
    assert (unsigned["signing_disabled"], unsigned["status"]) == (True, "ACTIVE")
    assert "token_key_name" not in unsigned
    assert (signed["signing_disabled"], signed["token_key_name"]) == (False, "ticket")
    assert list(signed["token_signing_public_keys"].values()) == [key_pair()[1]]
    assert signed["enable_caching_for_http"] is True
    permission = made["aws_lambda_permission.gates"]
    assert permission["statement_id"] == "iotauth-gates"
    assert permission["principal"] == "iot.amazonaws.com"
    assert "aws_iot_authorizer.gates.arn" in permission["source_arn"]
    domain = made["aws_iot_domain_configuration.domain"]
    assert (domain["name"], domain["service_type"]) == ("gates-plain", "DATA")
    assert (domain["authentication_type"], domain["application_protocol"]) == ("CUSTOM_AUTH", "SECURE_MQTT")


def test_terraform_adopts_every_resource(main_tf: Any) -> None:
    """One import block for each, with the id that the provider asks for."""
    blocks = plain(main_tf["import"])
    imports = {each["to"].removeprefix("${").removesuffix("}"): each["id"] for each in blocks}
    assert imports.keys() == resources(main_tf).keys()
    assert imports["aws_iam_role_policy.function"] == f"gates-authorizer-{HERE}:iotauth"
    assert imports["aws_lambda_permission.gates"] == "gates-authorizer/iotauth-gates"
    assert imports["aws_dynamodb_table.clients"] == "gates-clients"


def test_terraform_itself_would_lay_it_out_so(site: Site, tmp_path: Path) -> None:
    """`terraform fmt` has nothing to change; `terraform validate` has nothing to say, where the provider is at hand."""
    program = shutil.which("terraform")
    if program is None:
        pytest.skip("terraform is not installed; the test above reads its language without it")
    templates.save(templates.write(site.found, "terraform"), tmp_path, force=False)
    ran = subprocess.run([program, "fmt", "-check", "-diff"], cwd=tmp_path, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stdout
    if next((REAL_HOME / ".terraform.d" / "plugins").glob("*/hashicorp/aws"), None):
        own = {**os.environ, "HOME": str(REAL_HOME)}
        subprocess.run([program, "init", "-backend=false"], cwd=tmp_path, check=True, capture_output=True, env=own)
        ran = subprocess.run([program, "validate"], cwd=tmp_path, capture_output=True, text=True, env=own)
        assert ran.returncode == 0, ran.stdout + ran.stderr


@pytest.mark.parametrize(
    ("text", "quoted"),
    [
        ("${a}", '"$${a}"'),
        ("%{ if }", '"%%{ if }"'),
        ('a"b\\c', '"a\\"b\\\\c"'),
        ("one\ntwo", '"one\\ntwo"'),
        ("\b\\b\f", '"\\u0008\\\\b\\u000c"'),
    ],
)
def test_a_text_means_itself(text: str, quoted: str) -> None:
    """Whatever somebody wrote into a tag or a description, Terraform reads the same."""
    assert hcl.quoted(text) == quoted
    read = plain(hcl2.loads(f"locals {{\n  a = {quoted}\n}}\n"))["locals"][0]["a"]
    assert read.replace("$${", "${").replace("%%{", "%{") == text


# --- what else may be found ----------------------------------------------------------------------------


def test_a_function_of_somebody_elses_is_only_named(site: Site) -> None:
    """The authorizer and its permission are written; the function and what belongs to it stay whose they are."""
    with site.place.deployed("theirs", "def handler(event, context):\n    return {}\n"):
        found = templates.read(site.place.session, "theirs")
    assert (found.function, found.role, found.table) == (None, None, None)
    plain_ = templates.write(found, "cloudformation")
    assert [file.name for file in plain_.files] == ["template.yaml", "import.yaml", "import.json"]
    document = yaml.load(plain_.text, Plain)
    assert set(document["Resources"]) == {"UnsignedAuthorizer", "UnsignedPermission"}
    assert "Parameters" not in document
    assert "which does not run iotauth's code" in plain_.text
    terraform = hcl2.loads(templates.write(found, "terraform").text)
    assert set(resources(terraform)) == {"aws_iot_authorizer.theirs", "aws_lambda_permission.theirs"}
    assert "function:theirs" in str(resources(terraform)["aws_iot_authorizer.theirs"]["authorizer_function_arn"])


def test_what_others_have_made_differently_is_written_too(site: Site) -> None:
    """A role as Lambda's console makes it, a table with capacity bought ahead, names that Terraform cannot have."""
    found = site.found
    assert found.role is not None
    assert found.table is not None
    attached = ("arn:aws:iam::aws:policy/AWSXRayDaemonWriteAccess", f"arn:aws:iam::{ACCOUNT}:policy/ours")
    other = replace(
        found,
        role=replace(found.role, name="gates-role-x1", path="/service-role/", attached=attached),
        table=replace(found.table, is_on_demand=False, capacity=(5, 2), expiry_attribute=None),
        authorizers=tuple(
            replace(each, name=name) for each, name in zip(found.authorizers, ("7=@", "7-@"), strict=True)
        ),
        domains=(),
    )
    text = templates.write(other, "cloudformation").text
    made = yaml.load(text, Plain)["Resources"]
    assert (made["FunctionRole"]["Properties"]["RoleName"], made["FunctionRole"]["Properties"]["Path"]) == (
        "gates-role-x1",
        "/service-role/",
    )
    assert (
        made["FunctionRole"]["Properties"]["ManagedPolicyArns"][1]
        == "arn:${AWS::Partition}:iam::${AWS::AccountId}:policy/ours"
    )
    assert made["ClientTable"]["Properties"]["ProvisionedThroughput"] == {
        "ReadCapacityUnits": 5,
        "WriteCapacityUnits": 2,
    }
    assert "TimeToLiveSpecification" not in made["ClientTable"]["Properties"]
    terraform = templates.write(other, "terraform").text
    assert ACCOUNT not in text + terraform
    resources_ = resources(hcl2.loads(terraform))
    assert resources_["aws_iam_role.function"]["path"] == "/service-role/"
    assert resources_["aws_dynamodb_table.clients"]["read_capacity"] == 5
    assert [name for name in resources_ if name.startswith("aws_iot_authorizer")] == [
        "aws_iot_authorizer.authorizer_7",
        "aws_iot_authorizer.authorizer_7_2",
    ]


def test_what_is_gone_is_said(site: Site) -> None:
    """An authorizer whose function somebody deleted is written alone."""
    iot_ = site.client("iot")
    arn = f"arn:aws:lambda:{HERE}:{ACCOUNT}:function:nowhere"
    iot_.create_authorizer(authorizerName="orphan", authorizerFunctionArn=arn, signingDisabled=True, status="INACTIVE")
    found = templates.read(site.place.session, "orphan")
    iot_.delete_authorizer(authorizerName="orphan")
    assert found.left_out == ("function `nowhere`, which does not exist, and what belongs to it",)
    assert "INACTIVE" in templates.write(found, "sam").text


def test_the_sam_template_makes_what_authorizer_create_makes(site: Site) -> None:
    """Part by part, with the defaults of both: they cannot drift apart without this test."""
    region_of = {"create": "eu-west-1", "template": "eu-west-2"}
    sessions = {name: site.in_region(region) for name, region in region_of.items()}
    wish = Wish("iotauth", "iotauth-clients", "iotauth-authorizer")
    list(authorizers.apply(sessions["create"], authorizers.plan(sessions["create"], wish)))
    assert deploy_template(sessions["template"], site.place.emulator, OURS).ok
    found = {name: alike(templates.read(session, "iotauth")) for name, session in sessions.items()}
    made, stack = found["create"], found["template"]
    assert made.function is not None
    assert stack.function is not None
    assert stack.role is not None
    usual = {"IOTAUTH_REFRESH_AFTER_S": "3600", "IOTAUTH_DISCONNECT_AFTER_S": "86400"}  # the function's own defaults
    assert stack.function.variables == {**made.function.variables, **usual}
    assert made.role is not None
    stack = replace(
        stack,
        function=replace(stack.function, variables=made.function.variables),
        role=replace(stack.role, name=made.role.name),  # CloudFormation chooses it
    )
    assert stack == made
    assert leave(sessions["template"], "iotauth-authorizer") == leave(sessions["create"], "iotauth-authorizer")


def leave(session: Session, function: str) -> list[dict[str, Any]]:
    """Return who may call a function, under names and in places that do not matter."""
    policy = session.client("lambda").get_policy(FunctionName=function)["Policy"].replace(session.target.region, HERE)
    return [{**each, "Sid": ""} for each in json.loads(policy)["Statement"]]


def test_variables_of_the_function_are_those_that_it_reads() -> None:
    """What `existing` takes for ours is what the kernel's handler names."""
    handler = (bundle.authorizer_package() / "handler.py").read_text()
    assert all(name in handler for name in existing.VARIABLES)


# --- the command ---------------------------------------------------------------------------------------


@pytest.fixture
def desk(site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("IOTAUTH_EMULATOR", "1")
    monkeypatch.setenv("IOTAUTH_STATE_DIR", str(site.place.emulator.state_dir))
    return Desk(tmp_path)


def test_the_template_is_printed_or_written(desk: Desk) -> None:
    """To stdout, into one file, or into a folder with the code; nothing is written over unasked."""
    printed = desk("template", "gates", "--format", "terraform")
    assert printed.code == 0, printed.text
    assert 'resource "aws_iot_authorizer" "gates"' in printed.text
    one = desk("template", "gates", "-o", "gates.yaml")
    assert one.lines[-2:] == [
        "wrote `gates.yaml`",
        "! next: `iotauth template gates --format sam -o infrastructure` writes the function's code beside it",
    ]
    said = (
        "! left out: `gates` is the default authorizer; where you deploy this, `iotauth authorizer set-default gates`"
    )
    assert said in one.lines
    assert [path.name for path in desk.folder.iterdir()] == ["gates.yaml"]
    all_ = desk("template", "gates", "--format", "cloudformation", "-o", "infrastructure")
    assert all_.lines[-2] == "wrote `infrastructure/function.zip`"
    assert (desk.folder / "infrastructure" / "function.zip").read_bytes() == bundle.authorizer_zip()
    again = desk("template", "gates", "--format", "cloudformation", "-o", "infrastructure")
    assert (again.code, "exists already" in again.text) == (2, True)
    assert desk("template", "gates", "--format", "cloudformation", "-o", "infrastructure", "--force").code == 0
    document = desk("template", "gates", "--json").document
    assert document["format"] == "sam"
    assert document["left_out"]


def test_a_link_is_not_written_through(desk: Desk) -> None:
    """One that leads nowhere is in the way, too; with `--force` it is the link that is replaced."""
    for target in ("missing", "precious"):
        link, behind = desk.folder / f"{target}.yaml", desk.folder / target
        link.symlink_to(behind)
        if target == "precious":
            behind.write_text("mine")
        assert desk("template", "gates", "-o", link.name).code == 2
        assert desk("template", "gates", "-o", link.name, "--force").code == 0
        assert not link.is_symlink()
        assert behind.read_text() == "mine" if target == "precious" else not behind.exists()


@pytest.mark.parametrize("format_", templates.FORMATS)
def test_no_name_ends_a_comment(site: Site, format_: str) -> None:
    """What is left out is named in comments; to YAML four characters more end a line than to others."""
    names = tuple(f"role `a{end}!evil:{end}" for end in ("\n", "\r\n", "\x0b", "\x85", "\u2028", "\u2029"))
    files = templates.write(replace(site.found, left_out=names), format_).files
    for file in files[: 2 if format_ == "cloudformation" else 1]:
        text = file.content.decode()
        assert [line for line in text.splitlines() if "evil" in line and not line.startswith("#")] == []
        assert len([line for line in text.splitlines() if "evil" in line]) == len(names)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--format", "pulumi"], "there is no format `pulumi`"),
        (["nobody"], "there is no authorizer `nobody` in the emulator"),
        (["--new", "--format", "terraform"], "`--new` is a SAM template for any authorizer"),
    ],
)
def test_what_cannot_be_written_is_said(desk: Desk, words: list[str], said: str) -> None:
    typed = desk("template", *words)
    assert typed.code != 0
    assert said in typed.text
    assert "! hint: " in typed.text


def test_a_new_stack_needs_no_installation(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """`--new` asks nobody: the template that the wheel brings, with the code beside it."""
    monkeypatch.setenv("IOTAUTH_EMULATOR", "0")
    typed = desk("template", "--new", "-o", "infrastructure")
    assert typed.code == 0, typed.text
    text = (desk.folder / "infrastructure" / "template.yaml").read_text()
    assert "CodeUri: function/" in text
    assert text.replace("CodeUri: function/", "CodeUri: .") == OURS.read_text()
    assert (desk.folder / "infrastructure" / "function" / "iotauth_authorizer" / "handler.py").exists()
