"""Connect as a device would; if it is refused, ask the other side and say the one thing that is wrong."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from iotauth_authorizer.username import AUTHORIZER_NAME, compose
from iotauth_cli.aws import iot
from iotauth_cli.aws.session import Session
from iotauth_cli.credentials import Credential, Store
from iotauth_cli.errors import InputError
from iotauth_cli.operations.host import check_host
from iotauth_cli.operations.installation import Wish
from iotauth_cli.operations.mistakes import MISTAKES
from iotauth_cli.operations.other_side import Asking, look
from iotauth_cli.probe.cause import REFUSED
from iotauth_cli.probe.diagnose import Diagnosis, diagnose
from iotauth_cli.probe.errand import check, choose
from iotauth_cli.probe.evidence import Attempt, AuthorizerFound, Case, Names, OtherSide
from iotauth_cli.probe.stages import PLAIN, Carrier, Client, Endpoint, Errand, Login, Manner, Stage, Started, Transport
from iotauth_cli.probe.walk import walk
from iotauth_cli.secret import Secret

__all__ = ["Asking", "Diagnosis", "Knock", "Report", "Stage", "Started", "Visit", "knock", "prepare"]

TIMEOUT_S = 10.0  # for one step; AWS IoT itself gives up on the function after 5 s


@dataclass(frozen=True)
class Visit:
    """What was typed; None is what was not. *alpn* empty offers none, *username* is the part before `?`.

    *is_old* asks for the secret that a rotation is replacing. *mistake* is one of `MISTAKES`, made on purpose.
    """

    client_id: str | None = None
    endpoint: str | None = None
    port: int | None = None
    ca_file: Path | None = None
    alpn: tuple[str, ...] | None = None
    username: str | None = None
    password: Secret | None = None
    authorizer: str | None = None
    publish: str | None = None
    subscribe: str | None = None
    timeout_s: float = TIMEOUT_S
    is_old: bool = False
    manner: Manner = PLAIN
    retain: bool = False
    will: str | None = None
    stay_s: float = 0.0
    mistake: str | None = None

    @property
    def typed(self) -> frozenset[str]:
        members = {
            "endpoint": self.endpoint,
            "port": self.port,
            "ca": self.ca_file,
            "password": self.password,
            "username": self.username,
            "authorizer": self.authorizer,
            "publish": self.publish,
            "subscribe": self.subscribe,
        }
        return frozenset(name for name, value in members.items() if value is not None)


@dataclass(frozen=True)
class Knock:
    """Everything a device needs to know before it connects."""

    endpoint: Endpoint
    login: Login
    errand: Errand
    names: Names
    typed: frozenset[str] = frozenset()
    timeout_s: float = TIMEOUT_S
    manner: Manner = PLAIN
    is_first_use: bool = False  # of the new secret in a rotation, for all that is known here


@dataclass(frozen=True)
class Report:
    """How it ended. *ok*: connected, and everything that was asked for was done.

    *was_called*: whether the function was, for this attempt, as its log says; None if unknown or
    not asked.
    """

    knock: Knock
    stages: tuple[Stage, ...]
    diagnosis: Diagnosis | None = None
    was_called: bool | None = None

    @property
    def ok(self) -> bool:
        return all(stage.ok for stage in self.stages)

    @property
    def was_refused(self) -> bool:
        """Whether the answer is no; otherwise a failure means that no answer could be had."""
        return self.diagnosis is not None and self.diagnosis.answer == REFUSED

    def as_document(self) -> dict[str, Any]:
        endpoint = self.knock.endpoint
        return {
            "ok": self.ok,
            "client": self.knock.login.client_id,
            "endpoint": {"host": endpoint.host, "port": endpoint.port},
            "over": self.knock.manner.words,
            "stages": [stage.as_document() for stage in self.stages],
            "diagnosis": self.diagnosis.as_document() if self.diagnosis else None,
        }


def prepare(session: Session, store: Store, settings: Wish, visit: Visit, *, where: str = "") -> Knock:
    """Fill in what was not typed: from the stored credential, then the settings, then AWS.

    *where* are the flags that commands to type next need to mean the same place.

    Raises:
        InputError: it is not clear which client is meant, there is no password for it, or a
            topic is none.
        AwsError: AWS IoT did not say where devices connect.
    """
    wanted = Errand(visit.publish, visit.subscribe, retain=visit.retain, will=visit.will, stay_s=visit.stay_s)
    check(wanted)
    client_id, kept = choose_client(store, visit)
    authorizer = visit.authorizer or (kept.authorizer if kept else settings.authorizer)
    user = visit.username if visit.username is not None else kept.username if kept else client_id
    right = Knock(
        endpoint=find_endpoint(session, visit),
        login=Login(
            client_id,
            device_username(user, authorizer, kept),
            choose_password(visit, kept),
        ),
        errand=errand_of(visit, choose(wanted, kept.publish, kept.subscribe) if kept else wanted),
        names=Names(
            authorizer=authorizer,
            function=settings.function,
            table=kept.table if kept else settings.table,
            place=session.target.label,
            where=where,
            aws=session.target.aws_command,
        ),
        typed=visit.typed,
        timeout_s=visit.timeout_s,
        manner=visit.manner,
        is_first_use=bool(kept and kept.previous) and not visit.is_old and visit.password is None,
    )
    return right if visit.mistake is None else MISTAKES[visit.mistake].make(right)


def mistake_words(name: str) -> str:
    """Return what a device does that makes mistake *name*, to stand behind "the device"."""
    return MISTAKES[name].words


def errand_of(visit: Visit, chosen: Errand) -> Errand:
    """Return what can be done in this manner: one HTTPS request publishes, and does nothing else."""
    if visit.manner.transport != "http":
        return chosen
    if visit.subscribe is not None or visit.will is not None or visit.stay_s:
        hint = "leave out `--subscribe`, `--will` and `--stay`"
        raise InputError("over HTTPS a device can only publish", hint=hint)
    if chosen.publish is None:
        raise InputError("over HTTPS a device can only publish, and no topic is known", hint="name one: `--publish`")
    return replace(chosen, subscribe=None)


def manner_of(
    *, is_websocket: bool, is_http: bool, is_mqtt5: bool, carrier: Carrier | None, client: Client = "paho"
) -> Manner:
    """Return how to talk.

    Raises:
        InputError: it cannot be done so.
    """
    if is_http and (is_websocket or is_mqtt5):
        other = "websocket" if is_websocket else "mqtt5"
        raise InputError(f"`--http` and `--{other}` exclude each other", hint="give one of them")
    if carrier == "username" and is_http:
        raise InputError("an HTTPS request has no user name", hint="give `--credentials-in headers` or `query`")
    if carrier not in (None, "username") and not (is_http or is_websocket):
        raise InputError(f"MQTT has no {carrier}", hint="add `--websocket` or `--http`")
    if client != "paho" and (is_http or is_websocket or is_mqtt5):
        hint = "leave out `--client`, or `--http`, `--websocket` and `--mqtt5`"
        raise InputError(f"`{client}` is tried over MQTT 3.1.1 alone", hint=hint)
    transport: Transport = "http" if is_http else "websocket" if is_websocket else "mqtt"
    return Manner(transport, carrier or ("headers" if is_http else "username"), is_mqtt5, client)


def choose_client(store: Store, visit: Visit) -> tuple[str, Credential | None]:
    """Return the client to connect as and its stored credential: the named one, else the only one."""
    if visit.client_id is not None:
        kept = store.load(visit.client_id)
        if kept is None and visit.password is None:
            raise InputError(
                f"no credential of client `{visit.client_id}` is kept in `{store.folder}`",
                hint="see which clients there are with `iotauth client list`; the password of one that was added "
                "elsewhere is given with `--password-stdin`",
            )
        return visit.client_id, kept
    kept_here = store.list()
    if not kept_here:
        raise InputError(
            f"no credential is kept in `{store.folder}`",
            hint="add a client: `iotauth client add thermo-1 --topic sensors/thermo-1`",
        )
    if len(kept_here) > 1:
        some = ", ".join(f"`{each.client_id}`" for each in kept_here[:5])
        raise InputError(
            f"there are {len(kept_here)} clients to connect as: {some}",
            hint=f"name one: `iotauth test-connect {kept_here[0].client_id}`",
        )
    return kept_here[0].client_id, kept_here[0]


def choose_password(visit: Visit, kept: Credential | None) -> Secret | None:
    """Return the password to log in with: the typed one, else the client's newest, or its old one if asked for."""
    if not visit.is_old:
        return visit.password or (kept.password if kept else None)
    if visit.password is not None:
        raise InputError("`--slot old` and `--password-stdin` exclude each other", hint="give one of them")
    if kept is None or kept.previous is None:
        raise InputError(
            f"no old password of client `{visit.client_id or (kept.client_id if kept else '')}` is kept",
            hint="`iotauth client rotate` keeps it until the rotation is confirmed",
        )
    return kept.previous


def find_endpoint(session: Session, visit: Visit) -> Endpoint:
    """Return where to connect. The target's CA vouches for the target's host, and for nobody else's."""
    target = session.target
    if visit.endpoint:
        check_host(visit.endpoint)
    return Endpoint(
        host=visit.endpoint or target.data_host or iot.data_endpoint(session),
        port=visit.port or target.data_port,
        ca_file=visit.ca_file or target.ca_file,
        alpn=visit.manner.alpn if visit.alpn is None else visit.alpn,
    )


def device_username(user: str, authorizer: str, kept: Credential | None = None) -> str:
    """Return the user name as a device sends it; one typed with parameters goes out as it is.

    The token of a stored credential is good for its own authorizer only.
    """
    if "?" in user:
        return user
    is_its_own = kept is not None and kept.authorizer == authorizer
    return compose(user, kept.parameters if kept and is_its_own else [(AUTHORIZER_NAME, authorizer)])


def knock(session: Session, knock: Knock) -> Generator[Started | Stage | Asking, None, Report]:
    """Walk to the broker and back; yield what happens, return how it ended and, if badly, why."""
    stages = []
    steps = walk(knock.endpoint, knock.login, knock.errand, timeout_s=knock.timeout_s, manner=knock.manner)
    for event in steps:
        if isinstance(event, Stage):
            stages.append(event)
        yield event
    attempt = Attempt(knock.endpoint, knock.login, knock.errand, tuple(stages), knock.typed, knock.manner)
    if attempt.failed is None:
        return Report(knock, attempt.stages)
    found = yield from look(session, attempt)
    diagnosis = diagnose(Case(attempt, named(knock.names, found), found))
    return Report(knock, attempt.stages, diagnosis, found.was_called)


def named(names: Names, found: OtherSide) -> Names:
    """Return *names* with the function that the authorizer really calls."""
    if not isinstance(found.authorizer, AuthorizerFound):
        return names
    function = found.authorizer.function_arn.split(":")[6]
    return replace(names, function=function)
