"""Every check of the checklist, triggered by breaking precisely what it looks at; and a healthy installation."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from iotauth_cli.aws import clock, iam, iot, lambda_, table
from iotauth_cli.aws.session import Session
from iotauth_cli.emulator import environment, lifecycle
from iotauth_cli.errors import AccessDenied, AwsError, ConfigError, EmulatorError, InputError, IotauthError, NotFound
from iotauth_cli.operations import authorizers, doctor, rotation
from iotauth_cli.operations.doctor import Began, Check, Premises, Result, endpoint
from iotauth_cli.operations.doctor.scene import Machine, Scene
from iotauth_cli.operations.fleet import journal
from iotauth_cli.operations.fleet.selection import Where
from iotauth_cli.operations.installation.function import POLICY_NAME, Role
from iotauth_cli.operations.signing.keyring import Keyring, Signing
from iotauth_cli.probe.stages import Endpoint
from iotauth_cli.probe.tls import AMAZON_ROOTS
from iotauth_cli.secret import Secret
from support import REPOSITORY
from support_emulator import running_emulator
from support_world import Place, installed, zipped

DAY_S = 86_400
SIGNED = "locks"
MACHINE = Machine((3, 13), "1.0.0", {"boto3": "1.40"}, {"boto3": "1.40.1"})


@dataclass(frozen=True)
class Answering(Session):
    """A session with answers laid over the real ones: an error, or what changes the answer."""

    told: dict[str, Any] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)

    def call(self, service: str, operation: str, **parameters: Any) -> dict[str, Any]:
        self.asked.append(f"{operation} {json.dumps(parameters, sort_keys=True)}")
        told = self.told.get(operation)
        if isinstance(told, Exception):
            raise told
        if told is not None and "real" not in told:
            return dict(told)
        answer = super().call(service, operation, **parameters)
        return answer if told is None else {**answer, **told["real"]}


@dataclass
class Bench:
    """An installation to break: where it is, what the settings say of it, and what answers are laid over its own."""

    place: Place
    patch: pytest.MonkeyPatch
    project: Path
    told: dict[str, Any] = field(default_factory=dict)
    changes: dict[str, Any] = field(default_factory=dict)
    target: dict[str, Any] = field(default_factory=dict)

    @property
    def session(self) -> Answering:
        session = Answering(self.place.target._replace(**self.target), time.sleep, self.told)
        session._clients.update(self.place.session._clients)
        return session

    @property
    def premises(self) -> Premises:
        usual = Premises(
            wish=self.place.wish,
            project_dir=self.project,
            state_dir=self.place.emulator.state_dir,
            door=self.session,
            now=time.time(),
            timeout_s=10,
            store_name="emulator",
        )
        return replace(usual, **self.changes)

    @property
    def iotauth(self) -> Path:
        return self.project / ".iotauth"

    def client(self, service: str) -> Any:
        return self.place.session.client(service)

    def look(self, *names: str) -> list[Result]:
        events = doctor.examine(self.premises, doctor.choose(names))
        return [event for event in events if isinstance(event, Result)]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """An installation with an unsigned authorizer and a signed one, for all cases: each mends what it breaks."""
    root = tmp_path_factory.mktemp("doctor")
    with running_emulator(root) as emulator, installed(emulator, root) as place:
        for service in ("sts", "iot", "lambda", "dynamodb", "iam", "logs"):
            place.session.client(service)
        install(place)
        yield place


def install(place: Place) -> None:
    signed = authorizers.signed(replace(place.wish, authorizer=SIGNED), place.store, now=0)
    for wish in (place.wish, signed):
        list(authorizers.apply(place.session, authorizers.plan(place.session, wish)))


@pytest.fixture
def bench(world: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
    project = tmp_path / "project"
    place = replace(world, project=project)
    place.store.prepare()
    yield Bench(place, monkeypatch, project)
    place.table.close()
    install(world)


Break = Callable[[Bench], "Callable[[], Any] | None"]


@dataclass(frozen=True)
class Case:
    """*break_it* returns what takes it back, where installing anew does not. *mends*: the repair does mend it."""

    check: str
    break_it: Break
    status: str
    words: str
    mends: bool = False


CASES: list[Case] = []


def case(check: str, status: str, words: str, *, mends: bool = False) -> Callable[[Break], Break]:
    def add(break_it: Break) -> Break:
        CASES.append(Case(check, break_it, status, words, mends))
        return break_it

    return add


# --- this machine ---------------------------------------------------------------------------------


@case("python", "note", "Python 3.10 has had no security fixes since October 2026")
def old_python(bench: Bench) -> None:
    bench.changes.update(machine=replace(MACHINE, python=(3, 10)), now=1_800_000_000)


@case("packages", "warning", "`boto3 1.9` is older than iotauth works with")
def old_package(bench: Bench) -> None:
    bench.changes.update(machine=replace(MACHINE, installed={"boto3": "1.9"}))


@case("packages", "error", "`boto3` is not installed")
def no_package(bench: Bench) -> None:
    bench.changes.update(machine=replace(MACHINE, installed={}))


@case("clock", "error", "s ahead of AWS's, and AWS refuses what is signed with it")
def clock_ahead(bench: Bench) -> None:
    bench.patch.setattr(clock, "time", SimpleNamespace(time=lambda: time.time() + 400))


@case("clock", "warning", "s behind AWS's")
def clock_behind(bench: Bench) -> None:
    bench.patch.setattr(clock, "time", SimpleNamespace(time=lambda: time.time() - 90))


@case("project", "error", "cannot be written, so no credential can be kept")
def no_project(bench: Bench) -> None:
    bench.changes.update(project_dir=bench.project / "nowhere")


@case("store-modes", "error", "others than their owner can get at `credentials/emulator/a.json`", mends=True)
def open_credential(bench: Bench) -> None:
    path = bench.place.store.folder / "a.json"
    path.write_text("{}")
    path.chmod(0o644)


@case("store-modes", "error", "can get at `credentials`", mends=True)
def open_folder(bench: Bench) -> None:
    (bench.iotauth / "credentials").chmod(0o755)


@case("gitignore", "error", "does not keep git from taking what is in it", mends=True)
def no_gitignore(bench: Bench) -> None:
    (bench.iotauth / ".gitignore").write_text("audit\n")


@case("git-history", "error", "whoever has the repository has these secrets")
def tracked(bench: Bench) -> None:
    (bench.place.store.folder / "a.json").write_text("{}")
    for words in (["init", "--quiet"], ["add", "--force", ".iotauth"]):
        subprocess.run(["git", *words], cwd=bench.project, check=True)


@case("stored-credentials", "warning", "is broken")
def broken_credential(bench: Bench) -> None:
    (bench.place.store.folder / "a.json").write_text("{")


@case("unfinished-secrets", "warning", "a new secret was begun for `thermo-9` and did not come to its end")
def begun_secret(bench: Bench) -> None:
    bench.place.store.begin("thermo-9", Secret("canary"))


@case("unfinished-writes", "warning", "`credentials/emulator/.a.json.4711` in")
def torn_write(bench: Bench) -> None:
    path = bench.place.store.folder / ".a.json.4711"
    path.write_text("{")
    path.chmod(0o600)
    os.utime(path, (0, 0))


@case("unfinished-flash", "error", "a `flash` was killed", mends=True)
def killed_flash(bench: Bench) -> None:
    work = bench.iotauth / "firmware" / "template"
    for name in ("build", "scratch"):
        (work / name).mkdir(parents=True)
    secrets_h = bench.project / "secrets.h"
    secrets_h.write_text("canary")
    (work / "pending.json").write_text(json.dumps({"secrets_h": str(secrets_h), "mode": None}))


@case("unfinished-rotation", "warning", "a rotation of table `doors-clients` in `emulator` is unfinished")
def cut_off_rotation(bench: Bench) -> None:
    folder = bench.iotauth / "rotations"
    folder.mkdir()
    note = journal.Note("doors-clients", "emulator", Where.parse(("tag=site:berlin",)), 0)
    (folder / "a.csv.unfinished").write_text(journal.build_note(note))


# --- emulator, credentials ------------------------------------------------------------------------


@case("emulator", "error", "the emulator is not running")
def no_emulator(bench: Bench) -> None:
    bench.changes.update(door=EmulatorError("the emulator is not running"))


@case("emulator-version", "warning", "the running emulator is of iotauth 0.0.1")
def old_emulator(bench: Bench) -> None:
    state_dir = bench.project / "state"
    state_dir.mkdir(mode=0o700)
    environment.write(replace(bench.place.emulator.ready, state_dir=state_dir, version="0.0.1"))
    bench.changes.update(state_dir=state_dir)
    bench.patch.setattr(lifecycle, "status", lambda _: lifecycle.Status(True, state_dir))


@case("emulator-modes", "error", "can get at `ca-key.pem`", mends=True)
def open_state(bench: Bench) -> None:
    state_dir = bench.project / "state"
    state_dir.mkdir(mode=0o700)
    (state_dir / "ca-key.pem").write_text("key")
    (state_dir / "ca-key.pem").chmod(0o640)
    bench.changes.update(state_dir=state_dir)


@case("region", "error", "no AWS region is set")
def no_region(bench: Bench) -> None:
    bench.changes.update(door=ConfigError("no AWS region is set"))


@case("identity", "error", "the SSO session has expired")
def expired_login(bench: Bench) -> None:
    bench.told.update(get_caller_identity=ConfigError("the SSO session has expired", "log in with `aws sso login`"))


@case("identity", "error", "AWS eu-west-1 gave no answer")
def unreachable(bench: Bench) -> None:
    bench.told.update(get_caller_identity=AwsError("AWS eu-west-1 gave no answer: no network", "check the network"))


@case("identity", "unseen", "the clock is wrong, and AWS refuses every signature for that alone")
def wrong_clock_alone(bench: Bench) -> None:
    clock_ahead(bench)
    bench.told.update(get_caller_identity=ConfigError("AWS does not accept these keys"))


@case("identity", "warning", "the account's root user")
def root_keys(bench: Bench) -> None:
    bench.told.update(get_caller_identity={"real": {"Arn": "arn:aws:iam::123456789012:root"}})


@case("account", "error", "these keys belong to account 123456789012, and the settings name 210987654321")
def other_account(bench: Bench) -> None:
    bench.changes.update(account="210987654321")


# --- endpoint -------------------------------------------------------------------------------------


@case("endpoint-name", "error", "cannot be looked up: not a host name")
def no_such_name(bench: Bench) -> None:
    bench.target.update(data_host="a" * 70 + ".example")


@case("endpoint-port", "error", "does not answer: ")
def closed_port(bench: Bench) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        bench.target.update(data_port=server.getsockname()[1])


@case("endpoint-certificate", "error", "the handshake with `localhost:")
def foreign_root(bench: Bench) -> None:
    bench.target.update(ca_file=AMAZON_ROOTS)


@case("endpoint-certificate", "warning", "in 0 days")
def old_certificate(bench: Bench) -> None:
    bench.changes.update(now=time.time() + 1000 * DAY_S)


@case("endpoint-alpn", "error", "does not choose ALPN `mqtt`")
def other_alpn(bench: Bench) -> None:
    bench.patch.setattr(endpoint, "Endpoint", partial(Endpoint, alpn=("http/1.1",)))


# --- authorizer -----------------------------------------------------------------------------------


@case("authorizer", "error", "there is no authorizer `nobody` in the emulator")
def no_authorizer(bench: Bench) -> None:
    bench.changes.update(wish=replace(bench.place.wish, authorizer="nobody"))


@case("authorizer-status", "error", "authorizer `doors` is inactive, so nobody is let in")
def inactive(bench: Bench) -> None:
    iot.update(bench.place.session, "doors", is_active=False)


@case("authorizer-function", "error", "calls function `doors-authorizer`, which does not exist")
def no_function_to_call(bench: Bench) -> None:
    bench.told.update(get_function_configuration=NotFound("no such function"))


@case("authorizer-function", "error", "calls function `doors-authorizer:prod`, which does not exist")
def no_alias_to_call(bench: Bench) -> Callable[[], Any]:
    arn = bench.client("lambda").get_function_configuration(FunctionName=FUNCTION)["FunctionArn"]
    named = {"authorizerName": "doors"}
    bench.client("iot").update_authorizer(**named, authorizerFunctionArn=f"{arn}:prod")
    return lambda: bench.client("iot").update_authorizer(**named, authorizerFunctionArn=arn)


@case("authorizer-function", "note", "calls `doors-authorizer`, and the settings name `other`")
def another_function(bench: Bench) -> None:
    bench.changes.update(wish=replace(bench.place.wish, function="other"))


@case("signing-keys", "error", "is not in ")
def lost_key(bench: Bench) -> None:
    keep_keys(bench, Signing("token", "1970-01-01"))


@case("signing-keys", "error", "is none of those of authorizer `locks`")
def own_key(bench: Bench) -> None:
    keep_keys(bench, Signing("token", "other")).generate("other")


@case("token-key-name", "error", "devices are told to send their token as `jwt`, and authorizer `locks` wants it as")
def another_name(bench: Bench) -> None:
    keep_keys(bench, Signing("jwt", None))


def keep_keys(bench: Bench, signing: Signing) -> Keyring:
    bench.changes.update(wish=replace(bench.place.wish, authorizer=SIGNED))
    keyring = Keyring.of(bench.place.store, SIGNED)
    keyring.sign_with(signing)
    return keyring


@case("roll-over", "note", "takes tokens of `1970-01-01`, `2000-01-01`: a change of keys is under way")
def two_keys(bench: Bench) -> Callable[[], Any]:
    bench.changes.update(wish=replace(bench.place.wish, authorizer=SIGNED))
    found = iot.find(bench.place.session, SIGNED)
    assert found is not None
    one = dict(found.token_signing_public_keys)
    iot.update(bench.place.session, SIGNED, public_keys={**one, "2000-01-01": one["1970-01-01"]})
    return lambda: iot.update(bench.place.session, SIGNED, public_keys=one)


FUNCTION = "doors-authorizer"


@case("permission", "error", "function `doors-authorizer`: AWS IoT may not call it, so nobody is let in", mends=True)
def forbidden(bench: Bench) -> None:
    take_permissions_back(bench)


@case("permission", "error", "it may be called for `arn:aws:iot:us-east-1:123456789012:authorizer/locks`", mends=True)
def for_another(bench: Bench) -> None:
    bench.client("lambda").remove_permission(FunctionName=FUNCTION, StatementId="iotauth-doors")


@case("permission-bound", "warning", "may be called without `SourceArn`, `SourceAccount`")
def unbound(bench: Bench) -> Callable[[], Any]:
    take_permissions_back(bench)
    named = {"FunctionName": FUNCTION, "StatementId": "anybody"}
    bench.client("lambda").add_permission(**named, Action="lambda:InvokeFunction", Principal="iot.amazonaws.com")
    return lambda: bench.client("lambda").remove_permission(**named)


@case("permission-bound", "warning", "may be called without `SourceArn`, `SourceAccount`")
def open_beside_a_bound_one(bench: Bench) -> Callable[[], Any]:
    named = {"FunctionName": FUNCTION, "StatementId": "anybody"}
    bench.client("lambda").add_permission(**named, Action="lambda:InvokeFunction", Principal="*")
    return lambda: bench.client("lambda").remove_permission(**named)


def take_permissions_back(bench: Bench) -> None:
    arn = lambda_.FunctionArn.parse(f"arn:aws:lambda:us-east-1:123456789012:function:{FUNCTION}")
    for statement in lambda_.statements(bench.place.session, arn):
        lambda_.forbid(bench.place.session, arn, statement["Sid"])


@case("default-authorizer", "note", "are sent to `locks`, not to `doors`")
def another_default(bench: Bench) -> Callable[[], Any]:
    bench.client("iot").set_default_authorizer(authorizerName=SIGNED)
    return lambda: bench.client("iot").clear_default_authorizer()


@case("domains", "warning", "names the authorizer and is disabled")
def disabled_domain(bench: Bench) -> None:
    named = {"authorizerConfig": {"defaultAuthorizerName": "doors"}, "domainConfigurationStatus": "DISABLED"}
    bench.told.update(describe_domain_configuration={"real": named})


@case("domains", "warning", "names the authorizer and authenticates by `AWS_X509`, without it")
def domain_of_certificates(bench: Bench) -> None:
    named = {"authorizerConfig": {"defaultAuthorizerName": "doors"}, "authenticationType": "AWS_X509"}
    bench.told.update(describe_domain_configuration={"real": named})


@case("iot-logging", "note", "logs every message of every device, and each line is paid for")
def loud_log(bench: Bench) -> None:
    bench.told.update(get_v2_logging_options={"defaultLogLevel": "DEBUG", "disableAllLogs": False})


@case("iot-logging", "note", "logs every message of `CLIENT_ID thermo-1`, and each line is paid for")
def loud_log_of_one(bench: Bench) -> None:
    bench.told.update(get_v2_logging_options={"defaultLogLevel": "DISABLED", "disableAllLogs": False})
    levels = [("CLIENT_ID thermo-1", "DEBUG")]
    bench.patch.setattr(iot, "logging_levels", lambda _: iter(levels))


# --- function -------------------------------------------------------------------------------------


@case("function", "error", "is not ready")
def being_changed(bench: Bench) -> None:
    bench.told.update(get_function_configuration={"real": {"State": "Pending"}})


@case("function", "error", "fails before it runs: its role was made anew since, and cannot open its variables")
def another_role_of_the_name(bench: Bench) -> None:
    changed = bench.client("lambda").get_function_configuration(FunctionName=bench.place.wish.function)["LastModified"]
    role = bench.client("iam").get_role(RoleName=f"{bench.place.wish.function}-{bench.place.target.region}")["Role"]
    later = datetime.strptime(changed, "%Y-%m-%dT%H:%M:%S.%f%z") + timedelta(days=1)
    bench.told.update(get_role={"real": {"Role": {**role, "CreateDate": later}}})


@case("function", "error", "there is no function `doors-authorizer`")
def no_function(bench: Bench) -> None:
    bench.told.update(get_function_configuration=NotFound("no such function"))


@case("function-code", "warning", "the code of function `doors-authorizer` is not that of iotauth")
def other_code(bench: Bench) -> None:
    bench.client("lambda").update_function_code(FunctionName=FUNCTION, ZipFile=zipped("x = 1"))
    lambda_.wait_until_ready(bench.place.session, FUNCTION)


@case("function-code", "error", "function `doors-authorizer` runs `handler.main`, which is not in iotauth's code")
def other_handler(bench: Bench) -> None:
    configured(bench, Handler="handler.main")


def configured(bench: Bench, **members: Any) -> None:
    bench.client("lambda").update_function_configuration(FunctionName=FUNCTION, **members)
    lambda_.wait_until_ready(bench.place.session, FUNCTION)


@case("function-runtime", "warning", "runs on `python3.12`, not on `python3.13`", mends=True)
def other_runtime(bench: Bench) -> None:
    configured(bench, Runtime="python3.12")


@case("function-timeout", "warning", "may run for 30 s, and AWS IoT waits 5 s", mends=True)
def long_timeout(bench: Bench) -> None:
    configured(bench, Timeout=30)


@case("function-timeout", "warning", "may run for 1 s, and a cold start may take longer", mends=True)
def short_timeout(bench: Bench) -> None:
    configured(bench, Timeout=1)


@case("function-memory", "note", "has 128 MB of memory, and 256 MB let it start in half the time")
def small_memory(bench: Bench) -> Callable[[], Any]:
    configured(bench, MemorySize=128)
    return lambda: configured(bench, MemorySize=256)


@case("function-table", "error", "reads table `elsewhere`, and the settings name `doors-clients`")
def other_table(bench: Bench) -> None:
    configured(bench, Environment={"Variables": {"IOTAUTH_TABLE": "elsewhere"}})


@case("function-reserved", "error", "is turned off: no call of it may run")
def no_calls(bench: Bench) -> Callable[[], Any]:
    bench.client("lambda").put_function_concurrency(FunctionName=FUNCTION, ReservedConcurrentExecutions=0)
    return lambda: bench.client("lambda").delete_function_concurrency(FunctionName=FUNCTION)


@case("concurrency", "note", "no more than 10 function calls may run at once")
def few_calls(bench: Bench) -> None:
    bench.told.update(get_account_settings={"AccountLimit": {"ConcurrentExecutions": 10}})


GROUP = f"/aws/lambda/{FUNCTION}"


@case("log-group", "warning", "there is no log group", mends=True)
def no_log_group(bench: Bench) -> None:
    bench.client("logs").delete_log_group(logGroupName=GROUP)


@case("log-group", "warning", "keeps every line forever")
def endless_log(bench: Bench) -> Callable[[], Any]:
    bench.client("logs").delete_retention_policy(logGroupName=GROUP)
    return lambda: retained(bench, 30)


@case("log-group", "note", "keeps lines for 1 day only")
def short_log(bench: Bench) -> Callable[[], Any]:
    retained(bench, 1)
    return lambda: retained(bench, 30)


def retained(bench: Bench, days: int) -> None:
    bench.client("logs").put_retention_policy(logGroupName=GROUP, retentionInDays=days)


ROLE = f"{FUNCTION}-us-east-1"


@case("role", "error", "trusts others than Lambda, or not Lambda", mends=True)
def trusting(bench: Bench) -> None:
    part = Role(bench.place.session, bench.place.wish)
    other = {"Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::123456789012:root"}, "Action": "sts:AssumeRole"}
    iam.trust(bench.place.session, ROLE, {**part.trust, "Statement": [*part.trust["Statement"], other]})


@case("role", "error", "there is no role")
def no_role(bench: Bench) -> None:
    bench.told.update(get_role=NotFound("no such role"))


@case("role-policy", "warning", "it adds `dynamodb:*`")
def wide_policy(bench: Bench) -> None:
    wide = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "dynamodb:*", "Resource": "*"}]}
    iam.put_policy(bench.place.session, ROLE, POLICY_NAME, wide)


@case("role-policy", "error", "has no policy `iotauth`, so the function can read no client", mends=True)
def no_policy(bench: Bench) -> None:
    bench.client("iam").delete_role_policy(RoleName=ROLE, PolicyName=POLICY_NAME)


@case("role-policy", "error", "gives no `dynamodb:GetItem`, `dynamodb:UpdateItem`, so the function reads no client")
def forbidding_policy(bench: Bench) -> None:
    policy = Role(bench.place.session, bench.place.wish).policy
    deny = {"Effect": "Deny", "Action": "dynamodb:*", "Resource": "*"}
    iam.put_policy(bench.place.session, ROLE, POLICY_NAME, {**policy, "Statement": [*policy["Statement"], deny]})


@case("role-policy", "warning", "it lacks `dynamodb:UpdateItem`")
def narrow_policy(bench: Bench) -> None:
    policy = Role(bench.place.session, bench.place.wish).policy
    read = {**policy["Statement"][0], "Action": "dynamodb:GetItem"}
    iam.put_policy(bench.place.session, ROLE, POLICY_NAME, {**policy, "Statement": [read, policy["Statement"][1]]})


@case("role-policy", "warning", "has more policies than `iotauth`: `all`, `AdministratorAccess`")
def more_policies(bench: Bench) -> Callable[[], Any]:
    wide = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
    iam.put_policy(bench.place.session, ROLE, "all", wide)
    attached = {"RoleName": ROLE, "PolicyArn": "arn:aws:iam::aws:policy/AdministratorAccess"}
    bench.client("iam").attach_role_policy(**attached)

    def undo() -> None:
        bench.client("iam").delete_role_policy(RoleName=ROLE, PolicyName="all")
        bench.client("iam").detach_role_policy(**attached)

    return undo


# --- table ----------------------------------------------------------------------------------------

TABLE = "doors-clients"


@case("table", "error", "there is no table `elsewhere`, so every client is unknown")
def no_table(bench: Bench) -> None:
    bench.changes.update(wish=replace(bench.place.wish, table="elsewhere"))


@case("table-billing", "warning", "has fixed capacity")
def bought_ahead(bench: Bench) -> Callable[[], Any]:
    units = {"ReadCapacityUnits": 5, "WriteCapacityUnits": 5}
    change = bench.client("dynamodb").update_table
    change(TableName=TABLE, BillingMode="PROVISIONED", ProvisionedThroughput=units)
    return lambda: change(TableName=TABLE, BillingMode="PAY_PER_REQUEST")


@case("table-protection", "warning", "can be deleted by accident, and every client with it", mends=True)
def unprotected(bench: Bench) -> None:
    table.protect(bench.place.session, TABLE, on=False)


@case("table-recovery", "warning", "point-in-time recovery of table `doors-clients` is off", mends=True)
def unrecoverable(bench: Bench) -> None:
    off = {"PointInTimeRecoveryEnabled": False}
    bench.client("dynamodb").update_continuous_backups(TableName=TABLE, PointInTimeRecoverySpecification=off)


def expiring(bench: Bench, attribute: str) -> None:
    found = {"TimeToLiveStatus": "ENABLED", "AttributeName": attribute}
    bench.told.update(describe_time_to_live={"TimeToLiveDescription": found})


@case("table-expiry", "note", "of table `doors-clients` by `ttl`, an attribute that iotauth does not set")
def expiring_by_another(bench: Bench) -> None:
    expiring(bench, "ttl")


@case("table-expiry", "error", "by `Updated`, which is always over: it deletes all")
def expiring_by_stamp(bench: Bench) -> None:
    expiring(bench, "Updated")


@case("plain-passwords", "warning", "the passwords of `old-1` lie in the table as text (seen in 2 rows)")
def plain_password(bench: Bench) -> Callable[[], Any]:
    bench.place.update_row("old-1", Password={"S": "canary"}, allow_connect={"BOOL": True})
    return lambda: bench.place.table.remove("old-1")


@case("rotations", "warning", "the rotations of `slow-1` have waited too long")
def waiting_rotation(bench: Bench) -> Callable[[], Any]:
    bench.place.add("slow-1", "slow/1")
    before = bench.place.table.find("slow-1")
    assert before is not None
    after = rotation.begin(before, Secret("canary"), now=int(time.time()) - 30 * DAY_S, grace_s=60)  # type: ignore[arg-type]
    bench.place.table.change(before, after)  # type: ignore[arg-type]
    return lambda: bench.place.table.remove("slow-1")


@case("refused-rows", "warning", "`torn-1` can never be let in as their rows are")
def torn_row(bench: Bench) -> Callable[[], Any]:
    bench.place.update_row("torn-1", publish_topics={"N": "1"})
    return lambda: bench.place.table.remove("torn-1")


@case("permissions", "note", "you may not call `iam:GetRole`; what would let you see everything")
def denied(bench: Bench) -> None:
    bench.told.update(get_role=denial("iam:GetRole"))


def denial(action: str) -> AccessDenied:
    error = AccessDenied(f"`ann` may not call `{action}`")
    error.action = action
    return error


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.check}-{case.break_it.__name__}")
def test_what_is_broken_is_found(bench: Bench, case: Case) -> None:
    """The check names what was broken; where its repair is safe, carrying it out mends it."""
    undo = case.break_it(bench)
    try:
        names = (case.check, "role") if case.check == "permissions" else (case.check,)
        result = found(bench, *names)[case.check]
        assert result.status == case.status, result.sentence
        assert case.words in result.sentence
        assert result.fix or case.check == "permissions" or case.status == "unseen"
        assert (result.repair is not None) is case.mends
        if result.repair is not None:
            assert [each.what for each in doctor.carry_out(bench.premises, [result.repair])] == [result.repair.what]
            assert found(bench, case.check)[case.check].status == "fine"
    finally:
        if undo is not None:
            undo()


def found(bench: Bench, *names: str) -> dict[str, Result]:
    return {result.check.id: result for result in bench.look(*names)}


def test_every_check_has_a_case() -> None:
    """No check is believed that was never seen to find something."""
    assert {case.check for case in CASES} == {check.id for check in doctor.CHECKS}


def test_a_healthy_installation_has_no_findings(bench: Bench) -> None:
    """Nothing is said of what is well, and all of it was looked at."""
    results = bench.look()
    assert [result.check for result in results] == list(doctor.CHECKS)
    odd = {result.check.id: result.sentence for result in results if result.status != "fine"}
    assert not odd
    assert doctor.Examination(tuple(results)).ok


def test_a_signed_authorizer_is_well_too(bench: Bench, world: Place) -> None:
    """The project that signs for it has the key and the name."""
    bench.changes.update(wish=replace(world.wish, authorizer=SIGNED), project_dir=world.project)
    results = found(bench, "authorizer")
    assert results["signing-keys"].sentence == "key `1970-01-01` signs here and verifies there"
    assert results["token-key-name"].sentence == "`token`"
    assert results["roll-over"].sentence == "one key, `1970-01-01`"


def test_nothing_is_installed(bench: Bench) -> None:
    """One error says so; what else is missing follows from it."""
    bench.changes.update(wish=replace(bench.place.wish, authorizer="a", table="bbb", function="c"))
    results = found(bench, "authorizer", "function", "table")
    assert [name for name, result in results.items() if not result.ok] == ["authorizer"]
    assert results["function"].sentence == "there is no authorizer `a`"


def test_each_question_is_asked_once(bench: Bench) -> None:
    """However many checks want to know, AWS is asked once, and nothing is changed."""
    session = bench.session
    bench.changes.update(door=session)
    bench.look()
    assert len(session.asked) == len(set(session.asked))
    assert all(question.startswith(("describe_", "get_", "list_")) for question in session.asked)


def test_what_is_denied_is_said_and_not_guessed(bench: Bench) -> None:
    """Every read denied: no finding but the note that names the permissions, and who prints them."""
    reads = [
        *("describe_authorizer", "describe_default_authorizer", "get_v2_logging_options", "describe_table"),
        *("get_function_configuration", "get_policy", "get_account_settings", "describe_domain_configuration"),
    ]
    bench.told.update({name: denial(f"x:{name}") for name in reads})
    results = bench.look()
    assert doctor.Examination(tuple(results)).ok
    needed = {result.needs for result in results if result.needs}
    assert needed == {f"x:{name}" for name in reads if name != "get_policy"}  # which is asked of an authorizer
    last = results[-1]
    assert (last.check.id, last.status) == ("permissions", "note")
    assert last.fix == "iotauth policy readonly"


@pytest.mark.parametrize(
    "why",
    [EmulatorError("the emulator is not running"), ConfigError("no AWS region is set")],
    ids=lambda why: why.code,
)
def test_where_nobody_could_be_asked_nothing_is_well(bench: Bench, why: IotauthError) -> None:
    """No finding is no good news then, whichever checks were chosen."""
    bench.changes.update(door=why)
    results = tuple(bench.look("table-expiry"))
    assert [(result.status, result.sentence) for result in results] == [("unseen", why.message)]
    assert not doctor.Examination(results).ok


def test_silence_is_not_well_and_what_is_not_implemented_is(bench: Bench) -> None:
    """AWS's word counts, whatever it says; the reason for silence is told once, elsewhere."""
    bench.told.update(get_role=AwsError("AWS eu-west-1 gave no answer: no network"))
    silent = tuple(bench.look("role"))
    assert silent[0].sentence == "AWS eu-west-1 gave no answer"
    assert not doctor.Examination(silent).ok
    assert doctor.Examination(tuple(bench.look("concurrency"))).ok


def test_a_file_that_may_not_be_read_is_not_seen(bench: Bench) -> None:
    """What the operating system says is told with the file's name."""

    def forbidden_file(scene: Scene) -> str:
        raise PermissionError(13, "Permission denied", "/a/b")

    (result,) = doctor.examine(bench.premises, (Check("x", "machine", "a file", forbidden_file),))
    assert isinstance(result, Result)
    assert (result.status, result.sentence) == ("unseen", "permission denied: `/a/b`")


def test_what_is_mended_before_a_failure_stays_mended(bench: Bench) -> None:
    """Each is told when it is done; the one that fails says why, and the rest waits for the next run."""
    no_gitignore(bench)
    table.protect(bench.place.session, TABLE, on=False)
    repairs = doctor.Examination(tuple(bench.look("gitignore", "table-protection"))).repairs
    bench.changes.update(door=EmulatorError("the emulator is not running"))
    done = doctor.carry_out(bench.premises, repairs)
    assert next(done) == repairs[0]
    with pytest.raises(EmulatorError):
        next(done)
    assert found(bench, "gitignore")["gitignore"].status == "fine"


def test_two_findings_may_have_one_repair(bench: Bench) -> None:
    """The table is mended once for protection and recovery."""
    table.protect(bench.place.session, TABLE, on=False)
    unrecoverable(bench)
    results = bench.look("table-protection", "table-recovery")
    assert len([result for result in results if result.repair]) == 2
    assert len(doctor.Examination(tuple(results)).repairs) == 1


def test_looking_changes_nothing(bench: Bench) -> None:
    """A session of the checklist refuses whatever is no question."""
    with pytest.raises(AssertionError, match="changes something"):
        Scene(bench.premises).session.call("iot", "delete_authorizer", authorizerName="doors")


def test_a_check_that_hangs_is_named_and_left_behind(bench: Bench) -> None:
    """It is told which one is waited for, and after the time limit what is not known; others do not wait for it."""
    bench.changes.update(timeout_s=0.1)
    stuck = Check("stuck", "machine", "what hangs", lambda scene: str(time.sleep(0.2)))  # type: ignore[func-returns-value]
    quick = Check("quick", "machine", "what does not", lambda scene: "well")
    events = list(doctor.examine(bench.premises, (stuck, quick)))
    assert events[0] == Began(stuck)
    ends = [event for event in events if isinstance(event, Result)]
    assert [(end.check.id, end.status, end.sentence) for end in ends] == [
        ("stuck", "warning", "no answer within 0.1 s"),
        ("quick", "fine", "well"),
    ]


def test_a_bug_in_a_check_is_a_bug(bench: Bench) -> None:
    """What nobody foresaw is not swallowed on its thread."""

    def broken(scene: Scene) -> str:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        list(doctor.examine(bench.premises, (Check("broken", "machine", "a bug", broken),)))


@pytest.mark.parametrize(
    ("names", "chosen"),
    [((), len(doctor.CHECKS)), (("clock",), 1), (("endpoint",), 4), (("endpoint", "endpoint-alpn"), 4)],
)
def test_checks_are_chosen_by_id_or_group(names: Sequence[str], chosen: int) -> None:
    """Each once, in the table's order."""
    assert len(doctor.choose(tuple(names))) == chosen


def test_an_unknown_check_is_refused() -> None:
    """With the name that was probably meant."""
    with pytest.raises(InputError) as refused:
        doctor.choose(("table-recover",))
    assert refused.value.hint == "did you mean `table-recovery`?"


def test_ids_and_groups_are_one_of_a_kind() -> None:
    """`--only` would not know which is meant; a group of the same name as a check includes it."""
    ids = [check.id for check in doctor.CHECKS]
    assert len(set(ids)) == len(ids)
    for name in set(ids) & set(doctor.GROUPS):
        assert next(check.group for check in doctor.CHECKS if check.id == name) == name
    assert list(dict.fromkeys(check.group for check in doctor.CHECKS)) == list(doctor.GROUPS)


def test_the_guide_names_every_check() -> None:
    """Below its group, in the table's order."""
    guide = (REPOSITORY / "docs" / "guides" / "doctor.md").read_text()
    for group in doctor.GROUPS:
        ids = [f"`{check.id}`" for check in doctor.CHECKS if check.group == group]
        assert f"| `{group}` | {' '.join(ids)} |" in guide
