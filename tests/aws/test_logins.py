"""Every way to log in that boto3 has, for real: the same profile gives iotauth and the AWS CLI the same identity.

STS is the emulator's; SSO's portal, a container's endpoint and an instance's metadata are stand-ins on loopback. The
keys that they hand out are of sessions whose names tell who they are.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import subprocess
import sys
import time
import traceback
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import RefreshWithMFAUnsupportedError

from iotauth_cli.aws import login
from iotauth_cli.aws.client_table import ClientTable
from iotauth_cli.aws.errors import from_botocore, from_code
from iotauth_cli.aws.session import Session
from iotauth_cli.config import load
from iotauth_cli.emulator.control.iam.service import IamService
from iotauth_cli.emulator.control.service import Context, Handler, Parameters, Result
from iotauth_cli.emulator.control.sts import StsService
from iotauth_cli.emulator.state import State
from iotauth_cli.errors import AwsError, ConfigError, IotauthError
from support import require_peer
from support_aws import aws_target
from support_control import ControlServer
from support_stand_in import Answer, Request, StandIn, stand_in

ACCOUNT = "123456789012"
ROLE = f"arn:aws:iam::{ACCOUNT}:role"
SESSION = f"arn:aws:sts::{ACCOUNT}:assumed-role"
USER = f"arn:aws:iam::{ACCOUNT}:user/iotauth-emulator"
MFA = f"arn:aws:iam::{ACCOUNT}:mfa/anna"
START_URL = "https://example.awsapps.com/start"
KEYS = "aws_access_key_id = AKIAIOSFODNN7EXAMPLE\naws_secret_access_key = canary-secret\n"
ENVIRONMENT = {"AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE", "AWS_SECRET_ACCESS_KEY": "canary-secret"}


def trust(principal: Any, **more: Any) -> str:
    action = "sts:AssumeRoleWithWebIdentity" if "Federated" in principal else "sts:AssumeRole"
    statement = {"Effect": "Allow", "Principal": principal, "Action": action, **more}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


ROLES = {
    "Ops": trust({"AWS": f"arn:aws:iam::{ACCOUNT}:root"}),
    "Second": trust({"AWS": f"{ROLE}/Ops"}),
    "External": trust({"AWS": ACCOUNT}, Condition={"StringEquals": {"sts:ExternalId": "e-7"}}),
    "WithMfa": trust({"AWS": ACCOUNT}, Condition={"Bool": {"aws:MultiFactorAuthPresent": "true"}}),
    "Web": trust({"Federated": f"arn:aws:iam::{ACCOUNT}:oidc-provider/token.example.com"}),
}


class Rows:
    """A DynamoDB that has no rows, and remembers whose key asked for them."""

    name = "dynamodb"

    def __init__(self) -> None:
        self.keys: list[str] = []
        self.operations: dict[str, Handler] = {"Scan": self.scan}

    def scan(self, parameters: Parameters, context: Context) -> Result:
        self.keys.append(context.access_key)
        return {"Items": [], "Count": 0, "ScannedCount": 0}


class Portal:
    """What hands out keys besides STS: a container's endpoint, an instance's metadata, SSO and its renewal."""

    def __init__(self, server: ControlServer) -> None:
        self.server = server
        self.lasts_s = 3600
        self.is_sso_over = False

    def keys(self, session_name: str) -> dict[str, Any]:
        found = self.server.client("sts").assume_role(RoleArn=f"{ROLE}/Ops", RoleSessionName=session_name)
        keys: dict[str, Any] = found["Credentials"]
        return keys

    def __call__(self, request: Request) -> Answer:
        path = request.path.partition("?")[0]
        if path == "/container" and request.headers.get("authorization") == "Bearer of-the-container":
            return Answer(json.dumps({**self.session("container"), "AccountId": ACCOUNT}))
        if path == "/federation/credentials" and not self.is_sso_over:
            return self.role_of(request)
        if path == "/token" and not self.is_sso_over:
            return Answer(json.dumps({"accessToken": "renewed", "expiresIn": 3600, "tokenType": "Bearer"}))
        if path.startswith("/latest/"):
            return self.metadata(request, path)
        return Answer('{"__type": "UnauthorizedException", "message": "Session token not found or invalid"}', 401)

    def session(self, name: str) -> dict[str, str]:
        keys = self.keys(name)
        return {
            "AccessKeyId": keys["AccessKeyId"],
            "SecretAccessKey": keys["SecretAccessKey"],
            "Token": keys["SessionToken"],
            "Expiration": moment(self.lasts_s),
        }

    def role_of(self, request: Request) -> Answer:
        token = request.headers.get("x-amz-sso_bearer_token", "")
        keys = self.keys(f"sso-{token}")
        found = {
            "accessKeyId": keys["AccessKeyId"],
            "secretAccessKey": keys["SecretAccessKey"],
            "sessionToken": keys["SessionToken"],
            "expiration": int((time.time() + self.lasts_s) * 1000),
        }
        return Answer(json.dumps({"roleCredentials": found}))

    def metadata(self, request: Request, path: str) -> Answer:
        if path == "/latest/api/token" and request.method == "PUT":
            return Answer("metadata-token", type="text/plain")
        if request.headers.get("x-aws-ec2-metadata-token") != "metadata-token":  # as IMDSv2 wants it
            return Answer("", 401)
        if path.endswith("/InstanceRole"):
            found = {"Code": "Success", "Type": "AWS-HMAC", "LastUpdated": moment(-60), **self.session("instance")}
            return Answer(json.dumps(found))
        return Answer("InstanceRole", type="text/plain")


def moment(from_now_s: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + from_now_s))


@dataclass
class World:
    """The services, and a home to write AWS's files into."""

    server: ControlServer
    rows: Rows
    portal: Portal
    web: StandIn
    home: Path
    patch: pytest.MonkeyPatch
    opened: ExitStack
    environ: dict[str, str] = field(default_factory=dict)

    def write(self, config: str = "", credentials: str = "", environ: dict[str, str] | None = None) -> None:
        folder = self.home / ".aws"
        folder.mkdir(exist_ok=True)
        (folder / "config").write_text(config.format(**self.names))
        (folder / "credentials").write_text(credentials)
        (self.home / "token").write_text("a web identity's token")
        (self.home / "container-token").write_text("Bearer of-the-container")
        self.environ = {
            "HOME": str(self.home),
            "AWS_DEFAULT_REGION": "eu-west-1",
            "AWS_ENDPOINT_URL": self.server.url,
            "AWS_ENDPOINT_URL_SSO": self.web.url,
            "AWS_ENDPOINT_URL_SSO_OIDC": self.web.url,
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_MAX_ATTEMPTS": "1",
            **{name: value.format(**self.names) for name, value in (environ or {}).items()},
        }
        for name, value in self.environ.items():
            self.patch.setenv(name, value)

    @property
    def names(self) -> dict[str, str]:
        return {"home": str(self.home), "web": self.web.url, "role": ROLE, "mfa": MFA, "start": START_URL, "keys": KEYS}

    def log_in_by_sso(self, name: str, expires_s: float = 3600, **more: str) -> None:
        """Leave what `aws sso login` leaves: the token, under the name of the sso-session or the start URL."""
        folder = self.home / ".aws" / "sso" / "cache"
        folder.mkdir(parents=True, exist_ok=True)
        token = {"startUrl": START_URL, "region": "eu-west-1", "accessToken": "mine", "expiresAt": moment(expires_s)}
        (folder / f"{hashlib.sha1(name.encode()).hexdigest()}.json").write_text(json.dumps({**token, **more}))

    def log_in_at_the_console(self, name: str) -> None:
        """Leave what `aws login` leaves."""
        found = self.portal.session("login")
        keys = {
            "accessKeyId": found["AccessKeyId"],
            "secretAccessKey": found["SecretAccessKey"],
            "sessionToken": found["Token"],
            "accountId": ACCOUNT,
            "expiresAt": found["Expiration"],
        }
        token = {"accessToken": keys, "refreshToken": "r", "dpopKey": "k", "clientId": "c"}
        folder = self.home / ".aws" / "login" / "cache"
        folder.mkdir(parents=True)
        (folder / f"{hashlib.sha256(name.encode()).hexdigest()}.json").write_text(json.dumps(token))

    def session(self, profile: str | None, ask: login.Ask | None = None) -> Session:
        flags = {"profile": profile} if profile else {}
        target = load(flags, self.environ, self.home).target(self.environ)
        session = Session(target, sleep=lambda _: None, ask=ask)
        self.opened.callback(session.close)
        return session

    def table(self, session: Session) -> ClientTable:
        table = ClientTable.open(session, "doors")
        self.opened.callback(table.close)
        return table

    def by_boto3(self, session: Session) -> str:
        return str(session.call("sts", "get_caller_identity")["Arn"])

    def by_the_light_client(self, session: Session) -> str:
        """Return who STS says asked for rows, by the key that DynamoDB was shown."""
        self.table(session).count()
        known: Any = next(each for each in self.server._plane._services.values() if isinstance(each, StsService))
        issued = known._issued.get(self.rows.keys[-1])
        return issued.arn if issued else USER

    def by_the_aws_cli(self, profile: str | None) -> str:
        words = ["sts", "get-caller-identity", "--query", "Arn", "--output", "text"]
        command = [require_peer("aws"), *words, *(["--profile", profile] if profile else [])]
        environ = {"PATH": os.environ["PATH"], **self.environ}
        done = subprocess.run(
            command, env=environ, capture_output=True, text=True, timeout=60, stdin=subprocess.DEVNULL
        )
        return done.stdout.strip() or done.stderr


@pytest.fixture(scope="module")
def services(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[ControlServer, Rows]]:
    server, rows = ControlServer(), Rows()

    def build() -> Any:
        iam = IamService(State.open(tmp_path_factory.mktemp("state")))
        return [StsService(iam), iam, rows]

    server.serve(build)
    for name, document in ROLES.items():
        server.client("iam").create_role(RoleName=name, AssumeRolePolicyDocument=document)
    yield server, rows
    server.close()


@pytest.fixture
def world(services: tuple[ControlServer, Rows], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    server, rows = services
    portal = Portal(server)
    cache = str(tmp_path / ".aws" / "sso" / "cache")  # botocore looks for the home when it is imported
    monkeypatch.setattr("botocore.credentials.SSOProvider._SSO_TOKEN_CACHE_DIR", cache)
    monkeypatch.setattr("botocore.tokens.SSOTokenProvider._SSO_TOKEN_CACHE_DIR", cache)
    with stand_in(portal) as web, ExitStack() as opened:
        yield World(server, rows, portal, web, tmp_path, monkeypatch, opened)


@dataclass(frozen=True)
class Way:
    """A way to log in, and who one is then."""

    who: str
    config: str = ""
    environ: dict[str, str] = field(default_factory=dict)
    profile: str | None = None
    sso: str | None = None
    sso_expires_s: float = 3600


SSO_SESSION = "[sso-session team]\nsso_region = eu-west-1\nsso_start_url = {start}\nsso_registration_scopes = x\n"
SSO_ROLE = f"sso_account_id = {ACCOUNT}\nsso_role_name = Admin\n"
LEGACY_SSO = f"[profile work]\nsso_region = eu-west-1\nsso_start_url = {{start}}\n{SSO_ROLE}"
ROLE_OF_BASE = "[profile base]\n{keys}[profile work]\nrole_arn = {role}/Ops\nsource_profile = base\n"
CONTAINER = {
    "AWS_CONTAINER_CREDENTIALS_FULL_URI": "{web}/container",
    "AWS_CONTAINER_AUTHORIZATION_TOKEN": "Bearer of-the-container",
}
POD = {
    "AWS_CONTAINER_CREDENTIALS_FULL_URI": "{web}/container",
    "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE": "{home}/container-token",
}
INSTANCE = {"AWS_EC2_METADATA_DISABLED": "false", "AWS_EC2_METADATA_SERVICE_ENDPOINT": "{web}/"}
WEB = {
    "AWS_ROLE_ARN": f"{ROLE}/Web",
    "AWS_WEB_IDENTITY_TOKEN_FILE": "{home}/token",
    "AWS_ROLE_SESSION_NAME": "web",
}
PROCESS = "[profile work]\ncredential_process = cat {home}/process.json\n"

WAYS = {
    "keys in the environment": Way(USER, environ=ENVIRONMENT),
    "keys of a profile": Way(USER, "[profile work]\n{keys}", profile="work"),
    "a profile beats the environment": Way(
        f"{SESSION}/Ops/r1", f"{ROLE_OF_BASE}role_session_name = r1\n", ENVIRONMENT, "work"
    ),
    "the environment beats AWS_PROFILE": Way(USER, ROLE_OF_BASE, ENVIRONMENT | {"AWS_PROFILE": "work"}),
    "AWS_PROFILE": Way(f"{SESSION}/Ops/r1", f"{ROLE_OF_BASE}role_session_name = r1\n", {"AWS_PROFILE": "work"}),
    "a role of a role": Way(
        f"{SESSION}/Second/two",
        f"{ROLE_OF_BASE}role_session_name = one\n"
        "[profile last]\nrole_arn = {role}/Second\nsource_profile = work\nrole_session_name = two\n",
        profile="last",
    ),
    "a role with an external id": Way(
        f"{SESSION}/External/ex",
        "[profile base]\n{keys}[profile work]\nrole_arn = {role}/External\nsource_profile = base\n"
        "external_id = e-7\nrole_session_name = ex\n",
        profile="work",
    ),
    "a role by the environment's keys": Way(
        f"{SESSION}/Ops/env",
        "[profile work]\nrole_arn = {role}/Ops\ncredential_source = Environment\nrole_session_name = env\n",
        ENVIRONMENT,
        "work",
    ),
    "a role by the container's keys": Way(
        f"{SESSION}/Second/cc",
        "[profile work]\nrole_arn = {role}/Second\ncredential_source = EcsContainer\nrole_session_name = cc\n",
        CONTAINER,
        "work",
    ),
    "a role by the instance's keys": Way(
        f"{SESSION}/Second/ii",
        "[profile work]\nrole_arn = {role}/Second\ncredential_source = Ec2InstanceMetadata\nrole_session_name = ii\n",
        INSTANCE,
        "work",
    ),
    "web identity": Way(f"{SESSION}/Web/web", environ=WEB),
    "web identity of a profile": Way(
        f"{SESSION}/Web/ww",
        "[profile work]\nrole_arn = {role}/Web\nweb_identity_token_file = {home}/token\nrole_session_name = ww\n",
        profile="work",
    ),
    "a process": Way(f"{SESSION}/Ops/process", PROCESS, profile="work"),
    "a container": Way(f"{SESSION}/Ops/container", environ=CONTAINER),
    "a pod": Way(f"{SESSION}/Ops/container", environ=POD),
    "an instance": Way(f"{SESSION}/Ops/instance", environ=INSTANCE),
    "aws login": Way(f"{SESSION}/Ops/login", f"[profile work]\nlogin_session = {USER}\n", profile="work"),
    "SSO": Way(
        f"{SESSION}/Ops/sso-mine", f"{SSO_SESSION}[profile work]\nsso_session = team\n{SSO_ROLE}", {}, "work", "team"
    ),
    "SSO, renewed": Way(
        f"{SESSION}/Ops/sso-renewed",
        f"{SSO_SESSION}[profile work]\nsso_session = team\n{SSO_ROLE}",
        {},
        "work",
        "team",
        sso_expires_s=60,
    ),
    "SSO of old": Way(f"{SESSION}/Ops/sso-mine", LEGACY_SSO, {}, "work", START_URL),
}


def prepare(world: World, way: Way) -> None:
    world.write(way.config, environ=way.environ)
    if way.sso:
        renewal = {"refreshToken": "r", "clientId": "c", "clientSecret": "s", "registrationExpiresAt": moment(86_400)}
        world.log_in_by_sso(way.sso, way.sso_expires_s, **renewal)
    if "login_session" in way.config:
        world.log_in_at_the_console(USER)
    if "process.json" in way.config:
        found = world.portal.session("process")
        found["SessionToken"] = found.pop("Token")
        (world.home / "process.json").write_text(json.dumps({"Version": 1, **found}))


@pytest.mark.parametrize("name", WAYS)
def test_both_doors_are_who_the_profile_says(name: str, world: World) -> None:
    """boto3 and the light client sign with the same keys, and STS says whose these are."""
    way = WAYS[name]
    prepare(world, way)
    session = world.session(way.profile)
    assert world.by_boto3(session) == way.who
    assert world.by_the_light_client(session) == way.who
    assert session.ask_identity() == (ACCOUNT, way.who)


CLI = (
    "a profile beats the environment",
    "the environment beats AWS_PROFILE",
    "a role of a role",
    "web identity",
    "a container",
    "an instance",
    "SSO, renewed",
)


@pytest.mark.parametrize("name", CLI)
def test_the_aws_cli_is_the_same(name: str, world: World) -> None:
    """The same files and variables: `aws sts get-caller-identity` names the same."""
    way = WAYS[name]
    prepare(world, way)
    assert world.by_the_aws_cli(way.profile) == way.who


WITH_MFA = (
    "[profile base]\n{keys}[profile work]\nrole_arn = {role}/WithMfa\nsource_profile = base\n"
    "mfa_serial = {mfa}\nrole_session_name = anna\n"
)


class Fingers:
    """Somebody who types *code* when asked."""

    def __init__(self, code: str = "123456") -> None:
        self.code = code
        self.asked: list[str] = []

    def __call__(self, question: str) -> str:
        self.asked.append(question)
        return self.code


def test_an_mfa_code_is_asked_for_once(world: World) -> None:
    """One code does for every door of a command, for the next command, and for the AWS CLI."""
    world.write(WITH_MFA)
    fingers = Fingers()
    session = world.session("work", fingers)
    assert world.by_the_light_client(session) == f"{SESSION}/WithMfa/anna"
    assert world.by_boto3(session) == f"{SESSION}/WithMfa/anna"
    assert world.by_boto3(world.session("work", fingers)) == f"{SESSION}/WithMfa/anna"
    assert fingers.asked == [f"MFA code of {MFA}: "]
    assert world.by_the_aws_cli("work") == f"{SESSION}/WithMfa/anna"


def test_what_is_kept_of_a_role_is_private(world: World) -> None:
    """Keys of a session lie where the AWS CLI keeps its own, readable for nobody else."""
    world.write(WITH_MFA)
    world.by_boto3(world.session("work", Fingers()))
    (kept,) = (world.home / ".aws" / "cli" / "cache").iterdir()
    assert kept.stat().st_mode & 0o077 == 0


def test_a_home_that_cannot_be_written_asks_once_all_the_same(world: World) -> None:
    """The keys are then kept as long as the command runs."""
    world.write(WITH_MFA)
    (world.home / ".aws" / "cli").write_text("no folder")
    fingers = Fingers()
    for _ in range(2):
        assert world.by_boto3(world.session("work", fingers)) == f"{SESSION}/WithMfa/anna"
    assert len(fingers.asked) == 1


def test_a_broken_file_of_the_aws_cli_is_passed_over(world: World) -> None:
    """Half a file there means another code, and no traceback."""
    world.write(WITH_MFA)
    world.by_boto3(world.session("work", Fingers()))
    (kept,) = (world.home / ".aws" / "cli" / "cache").iterdir()
    kept.write_text("{")
    assert world.by_boto3(world.session("work", Fingers())) == f"{SESSION}/WithMfa/anna"


def test_nobody_there_to_type_a_code_is_said(world: World) -> None:
    """Without a terminal nobody waits: the sentence names profile and device, the hint a way that works."""
    world.write(WITH_MFA)
    with pytest.raises(ConfigError) as caught:
        world.by_the_light_client(world.session("work"))
    assert caught.value.message == f"profile `work` wants an MFA code of `{MFA}`, and nobody can be asked for it"
    assert "`aws --region eu-west-1 --profile work sts get-caller-identity`" in str(caught.value.hint)


@pytest.mark.parametrize("code", ["", "12345", "abcdef", "1234567"])
def test_what_cannot_be_a_code_is_not_sent(world: World, code: str) -> None:
    """Six digits or nothing: a device is locked by wrong codes."""
    world.write(WITH_MFA)
    with pytest.raises(ConfigError, match="an MFA code has 6 digits"):
        world.by_boto3(world.session("work", Fingers(code)))


def test_a_wrong_code_is_not_told_as_a_missing_right() -> None:
    """STS calls both AccessDenied; its words tell them apart."""
    said = "MultiFactorAuthentication failed with invalid MFA one time pass code. "
    found = from_code("AccessDenied", said, "sts:AssumeRole", aws_target())
    assert type(found) is ConfigError
    assert found.message == "AWS does not accept this MFA code"


def test_a_code_for_a_session_that_ended_is_asked_for_by_the_next_command() -> None:
    """botocore asks once in a process, and says so when the role's hour is over."""
    found = from_botocore(RefreshWithMFAUnsupportedError(), aws_target())
    assert found.message == "the role's session has expired, and a new one wants an MFA code"
    assert "run the same command again" in str(found.hint)


@pytest.mark.parametrize("environ", [{}, ENVIRONMENT], ids=["alone", "beside keys"])
def test_a_profile_of_the_environment_that_is_not_there_is_named(world: World, environ: dict[str, str]) -> None:
    """Nobody typed it here, so the name is the only way to find it."""
    world.write(environ={**environ, "AWS_PROFILE": "nobody"})
    with pytest.raises(ConfigError, match="there is no AWS profile `nobody`"):
        world.by_boto3(world.session(None))


def test_what_a_process_prints_that_is_no_json_is_not_repeated(world: World) -> None:
    """It may be the keys themselves, printed as something else."""
    world.write("[profile work]\ncredential_process = echo export AWS_SECRET_ACCESS_KEY=canary\n")
    for door in (world.by_boto3, world.by_the_light_client):
        with pytest.raises(ConfigError, match="what `credential_process` printed is no JSON") as caught:
            door(world.session("work"))
        assert caught.value.__cause__ is None
        assert "canary" not in "".join(traceback.format_exception(caught.value))


REFUSED: dict[str, tuple[str, str, str | None, str, str]] = {
    "SSO": (
        f"{SSO_SESSION}[profile work]\nsso_session = team\n{SSO_ROLE}",
        "work",
        None,
        "the SSO session has expired",
        "`aws sso login --profile work`",
    ),
    "SSO of old": (LEGACY_SSO, "work", START_URL, "the SSO session has expired", "`aws sso login --profile work`"),
    "SSO behind a role": (
        LEGACY_SSO.replace("work", "people") + "[profile work]\nrole_arn = {role}/Ops\nsource_profile = people\n",
        "work",
        None,
        "the SSO session has expired",
        "`aws sso login --profile people`",
    ),
    "aws login": (
        f"[profile work]\nlogin_session = {USER}\n",
        "work",
        None,
        "the AWS login session has expired",
        "`aws login --profile work`",
    ),
    "a role that is not trusted": (
        "[profile base]\n{keys}[profile work]\nrole_arn = {role}/Second\nsource_profile = base\n",
        "work",
        None,
        "`sts:AssumeRole`",
        "",
    ),
    "a process that fails": (
        "[profile work]\ncredential_process = sh -c 'echo no >&2; exit 3'\n",
        "work",
        None,
        "AWS keys could not be had",
        "`aws configure list`",
    ),
    "a circle": (
        "[profile work]\nrole_arn = {role}/Ops\nsource_profile = other\n"
        "[profile other]\nrole_arn = {role}/Ops\nsource_profile = work\n",
        "work",
        None,
        "AWS keys could not be had",
        "`aws configure list`",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_login_that_fails_names_the_way_back(name: str, world: World) -> None:
    """One sentence, and the very command that logs in again, through both doors."""
    config, profile, sso, sentence, hint = REFUSED[name]
    world.write(config)
    world.portal.is_sso_over = True
    if sso:
        world.log_in_by_sso(sso)
    for door in (world.by_boto3, world.by_the_light_client):
        with pytest.raises(IotauthError) as caught:
            door(world.session(profile))
        assert sentence in caught.value.message
        assert hint in str(caught.value.hint)


def test_keys_are_renewed_in_the_middle_of_a_run(world: World) -> None:
    """An hour's keys are gone before a long run ends: each signature takes those of the moment."""
    world.write(environ=CONTAINER)
    world.portal.lasts_s = 120  # less than the ten minutes before which botocore insists on new ones
    session = world.session(None)
    table = world.table(session)
    for _ in range(3):
        table.count()
    assert len(set(world.rows.keys[-3:])) == 3


def test_renewed_keys_are_held_to_the_account_too(world: World) -> None:
    """What passed the guard in the beginning is asked again where the key is another."""
    world.write(environ=CONTAINER | {"IOTAUTH_ACCOUNT": ACCOUNT})
    world.portal.lasts_s = 120
    session = world.session(None)
    table = world.table(session)
    for _ in range(2):
        table.count()
    assert len(session.callers.found) == 2
    (first, second) = session.callers.found.values()
    assert first == second == (ACCOUNT, f"{SESSION}/Ops/container")


def test_an_expired_session_is_told_by_every_door(world: World, services: Any) -> None:
    """Keys of a session that is over, in the environment, where nobody can renew them."""
    keys = world.portal.keys("late")
    sts: Any = next(each for each in world.server._plane._services.values() if isinstance(each, StsService))
    issued = sts._issued[keys["AccessKeyId"]]
    sts._issued[keys["AccessKeyId"]] = type(issued)(issued.arn, issued.user_id, 0.0, True, False)
    world.write(
        environ={
            "AWS_ACCESS_KEY_ID": keys["AccessKeyId"],
            "AWS_SECRET_ACCESS_KEY": keys["SecretAccessKey"],
            "AWS_SESSION_TOKEN": keys["SessionToken"],
        }
    )
    for door in (world.by_boto3, world.by_the_light_client, lambda session: session.ask_identity()):
        with pytest.raises((ConfigError, AwsError), match="the AWS session has expired"):
            door(world.session(None))


def at_a_terminal(world: World, *arguments: str) -> tuple[int, str]:
    """Run iotauth at a terminal of its own; type a code when one is asked for. Return exit code and screen."""
    import pty  # which Windows has not

    environ = {"PATH": os.environ["PATH"], "NO_COLOR": "1", **world.environ}
    command = [sys.executable, "-m", "iotauth_cli", *arguments]
    ours, theirs = pty.openpty()
    try:
        child = subprocess.Popen(
            command, env=environ, cwd=world.home, stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True
        )
        os.close(theirs)
        screen = ""
        while "\n" not in screen.partition("MFA code")[2]:  # typed, or never asked for
            try:
                screen += os.read(ours, 4096).decode()
            except OSError:  # Linux says so at the end
                break
            if screen.endswith(f"MFA code of {MFA}: "):
                os.write(ours, b"123456\n")
        with contextlib.suppress(OSError):
            while piece := os.read(ours, 4096).decode():
                screen += piece
        return child.wait(timeout=30), screen
    finally:
        os.close(ours)


@pytest.mark.skipif(sys.platform == "win32", reason="there are no such terminals")
def test_the_code_is_asked_for_at_the_terminal_and_not_shown(world: World) -> None:
    """The command then goes its way, and the next one does not ask."""
    world.write(WITH_MFA)
    code, screen = at_a_terminal(world, "client", "list", "--profile", "work")
    assert code == 0, screen
    assert f"MFA code of {MFA}: " in screen
    assert "123456\n" not in screen.replace("\r", "").replace(MFA, "")
    code, screen = at_a_terminal(world, "client", "list", "--profile", "work")
    assert (code, "MFA" in screen) == (0, False)


@pytest.mark.skipif(sys.platform == "win32", reason="there are no such terminals")
def test_no_input_asks_for_no_code(world: World) -> None:
    """A script at a terminal is answered, not asked."""
    world.write(WITH_MFA)
    code, screen = at_a_terminal(world, "client", "list", "--profile", "work", "--no-input")
    assert code == 2
    assert "and nobody can be asked for it" in screen.replace("\r\n", " ")
