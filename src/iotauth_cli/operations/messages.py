"""Listen and publish: as one of the clients, or as the operator with AWS credentials of one's own.

A client's word and ear reach as far as its policy; what AWS IoT refuses is explained by the policy engine,
asked about the client's row. The operator comes through a WebSocket that their AWS keys sign, is held to
IAM alone, and disturbs no device: a client id can be connected only once, so whoever listens as `thermo-1`
throws `thermo-1` out.
"""

from __future__ import annotations

import secrets
import shlex
import time
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, replace

from iotauth_authorizer.grants import MAX_TOPIC_BYTES, MAX_TOPIC_SLASHES, ArnScope
from iotauth_cli.aws import iot, iot_data
from iotauth_cli.aws.client_table import ClientTable
from iotauth_cli.aws.session import Session
from iotauth_cli.aws.signed_websocket import signed_path
from iotauth_cli.credentials import Credential, Store
from iotauth_cli.errors import AwsError, InputError, IotauthError
from iotauth_cli.operations import policies
from iotauth_cli.operations.durations import parse_duration
from iotauth_cli.operations.message_secrets import masked
from iotauth_cli.probe import http_publish, messaging, websocket
from iotauth_cli.probe.conversation import Conversation, HungUp, Line, Message, NotConnected, Refused, open_tls
from iotauth_cli.probe.errand import check, is_filter
from iotauth_cli.probe.messaging import Connected, Cut
from iotauth_cli.probe.stages import CUSTOM_AUTH_ALPN, Endpoint, Errand, Login, Manner, Symptom
from iotauth_cli.secret import Secret

__all__ = ["Connected", "Cut", "Message", "Participant", "Published", "Refused", "Sending", "Wanted"]

EVERYTHING = ("#",)
LIFECYCLE = ("$aws/events/presence/#", "$aws/events/subscriptions/#")
MAX_PAYLOAD_BYTES = 128 * 1024  # AWS IoT quotas, "Message broker": a larger one ends the connection
MAX_SUBSCRIPTIONS = 50  # on one connection; AWS IoT quotas, "Message broker"
FOREVER = float("inf")
OVER_HTTP = Manner("http", "headers")


@dataclass(frozen=True)
class Wanted:
    """What was typed: as whom, and how to get there. *where* are the flags for commands to type next."""

    client_id: str | None = None
    as_operator: bool = False
    is_websocket: bool = False
    is_mqtt5: bool = False
    timeout_s: float = 10.0
    where: str = ""


@dataclass(frozen=True)
class Participant:
    """Who takes part, and the line to talk on. *kept* is the client's credential, None for the operator."""

    line: Line
    kept: Credential | None = None
    where: str = ""

    @property
    def is_operator(self) -> bool:
        return self.kept is None

    @property
    def client_id(self) -> str:
        return self.line.login.client_id

    @property
    def filters(self) -> tuple[str, ...]:
        """What to listen to when nobody said: all that the client may, or everything."""
        return EVERYTHING if self.kept is None else self.kept.subscribe

    @property
    def is_first_use(self) -> bool:
        """Whether this uses the new secret of a rotation, for all that is known here for the first time."""
        return self.kept is not None and self.kept.previous is not None

    @property
    def secrets(self) -> tuple[Secret, ...]:
        """What must not be shown, whatever message it comes in."""
        kept = self.kept
        if kept is None:
            return ()
        signature = Secret(kept.signature) if kept.signature else None
        return tuple(each for each in (kept.password, kept.previous, kept.token, signature) if each)


@dataclass(frozen=True)
class Sending:
    """How to publish: *count* times, *every_s* seconds apart; *is_http* with one request each."""

    qos: int = 1
    retain: bool = False
    content_type: str | None = None
    count: int = 1
    every_s: float = 1.0
    is_http: bool = False


@dataclass(frozen=True)
class Published:
    """One message was taken; *ms* until that was known."""

    size: int
    ms: float


def take_part(session: Session, store: Store, wanted: Wanted) -> Participant:
    """Choose who takes part: the named client, the operator, or else the only client that is kept here.

    Raises:
        InputError: it is not clear which client is meant, or nothing is kept of it.
        AwsError: AWS IoT did not say where to connect.
    """
    if wanted.as_operator and wanted.client_id is not None:
        raise InputError("`--as` and `--operator` exclude each other", hint="give one of them")
    kept = None if wanted.as_operator else choose(store, wanted.client_id)
    if kept is None:
        return operator(session, wanted)
    return Participant(
        line_of(session, wanted, Login(kept.client_id, kept.device_username, kept.password)), kept, wanted.where
    )


def choose(store: Store, client_id: str | None) -> Credential | None:
    """Return the credential of the client that is meant; None for the operator, where none is kept.

    Raises:
        InputError: nothing is kept of the client, or there are several and none was named.
    """
    if client_id is not None:
        kept = store.load(client_id)
        if kept is None:
            raise InputError(
                f"no credential of client `{client_id}` is kept in `{store.folder}`",
                hint="name another with `--as`, or use your own AWS keys with `--operator`",
            )
        return kept
    kept_here = store.list()
    if len(kept_here) > 1:
        some = ", ".join(f"`{each.client_id}`" for each in kept_here[:5])
        raise InputError(
            f"credentials of {len(kept_here)} clients are kept here: {some}",
            hint=f"name one, `--as {kept_here[0].client_id}`, or use your own AWS keys with `--operator`",
        )
    return kept_here[0] if kept_here else None


def filters_for(who: Participant, typed: Sequence[str], *, lifecycle: bool) -> tuple[str, ...]:
    """Return what to subscribe to: what was typed, AWS IoT's events, or all that the client may.

    Raises:
        InputError: a filter is none, or nobody named one and the client may subscribe to nothing.
    """
    if lifecycle and typed:
        raise InputError("topics and `--lifecycle` exclude each other", hint="run them side by side")
    filters = LIFECYCLE if lifecycle else tuple(typed) or who.filters
    if not filters:
        raise InputError(
            f"client `{who.client_id}` may subscribe to nothing", hint="name a topic, or listen with `--operator`"
        )
    for topic_filter in filters:
        check_filter(topic_filter)
    if len(filters) > MAX_SUBSCRIPTIONS:
        raise InputError(
            f"{len(filters)} topics, and AWS IoT takes {MAX_SUBSCRIPTIONS} subscriptions on a connection",
            hint="name fewer, or a filter that covers several",
        )
    return filters


def parse_time(text: str) -> int:
    """Return `30s` or `5m` in seconds.

    Raises:
        InputError: it is no time, or none at all.
    """
    seconds = parse_duration(text, "--for")
    if not seconds:
        raise InputError("`--for` wants a time that is more than nothing", hint="write it as `--for 30s` or `5m`")
    return seconds


def line_of(session: Session, wanted: Wanted, login: Login) -> Line:
    target = session.target
    endpoint = Endpoint(
        host=target.data_host or iot.data_endpoint(session),
        port=target.data_port,
        ca_file=target.ca_file,
        alpn=() if wanted.is_websocket else (CUSTOM_AUTH_ALPN,),
    )
    return Line(endpoint, login, wanted.is_websocket, wanted.is_mqtt5, timeout_s=wanted.timeout_s)


def operator(session: Session, wanted: Wanted, now: Callable[[], float] = time.time) -> Participant:
    """Return the operator: a client id that no device has, and a path signed anew for each connection."""
    login = Login(f"iotauth-{secrets.token_hex(4)}", None, None)
    line = line_of(session, replace(wanted, is_websocket=True), login)

    def path() -> str:
        host = websocket.host_header(line.endpoint)
        return signed_path(session.credentials(), host=host, region=session.target.region, now=now())

    return Participant(replace(line, path=path), where=wanted.where)


def listen(
    who: Participant, filters: Sequence[str], *, qos: int = 1, for_s: float = FOREVER
) -> Generator[Connected | Message | Cut | Refused, None, None]:
    """Yield what comes to *filters* for so long, over as many connections as it takes; a refusal ends it.

    Whatever is a secret of iotauth's in a message is masked.

    Raises:
        AwsError: there is no way to AWS IoT, or no way in.
    """
    try:
        for event in messaging.listen(who.line, filters, qos=qos, end=time.monotonic() + for_s):
            yield masked(event, who.secrets) if isinstance(event, Message) else event
    except NotConnected as problem:
        raise turned_away(who, problem) from None


def check_filter(topic_filter: str) -> None:
    """Refuse what is no topic filter. `$share/<group>/` may stand before one.

    Raises:
        InputError: it is none.
    """
    if not topic_filter:
        raise InputError("an empty text is no topic filter", hint="name a topic, or `#` for all of them")
    check_size(topic_filter)
    group, _, inner = topic_filter.removeprefix("$share/").partition("/")
    if not (topic_filter.startswith("$share/") and group and is_filter(inner)):
        check(Errand(subscribe=topic_filter))


def check_size(topic: str) -> None:
    """Refuse what AWS IoT would hang up on without a word. Its own topics, `$…`, have limits of their own.

    Raises:
        InputError: too many bytes or slashes, or no UTF-8.
    """
    try:
        size = len(topic.encode())
    except UnicodeEncodeError:
        raise InputError(f"`{topic}` is not UTF-8 text", hint="MQTT's topics are") from None
    if topic.startswith("$"):
        return
    if size > MAX_TOPIC_BYTES:
        raise InputError(f"a topic of {size} bytes, and AWS IoT takes {MAX_TOPIC_BYTES}", hint="choose a shorter one")
    if topic.count("/") > MAX_TOPIC_SLASHES:
        raise InputError(
            f"`{topic}` has {topic.count('/')} slashes, and AWS IoT takes {MAX_TOPIC_SLASHES}",
            hint="choose one with fewer levels",
        )


def publish(
    session: Session, who: Participant, topic: str, payload: bytes, how: Sending
) -> Generator[Published | Refused, None, None]:
    """Publish *payload* as often as wanted; a refusal ends it.

    Raises:
        AwsError: there is no way to AWS IoT, or no way in, or it hung up.
    """
    if not how.is_http:
        yield from publish_over_mqtt(who, topic, payload, how)
        return
    for number in range(how.count):
        if number:
            time.sleep(how.every_s)
        began = time.perf_counter()
        refused = None
        if who.is_operator:
            post_with_keys(session, topic, payload, how)
        else:
            refused = post(who, topic, payload, how)
        yield refused or Published(len(payload), (time.perf_counter() - began) * 1000)
        if refused:
            return


def publish_over_mqtt(
    who: Participant, topic: str, payload: bytes, how: Sending
) -> Generator[Published | Refused, None, None]:
    conversation = Conversation(who.line)
    try:
        conversation.open()
        for number in range(how.count):
            if number:
                conversation.rest(how.every_s)
            began = time.perf_counter()
            refused = conversation.publish(
                topic, payload, qos=how.qos, retain=how.retain, content_type=how.content_type
            )
            yield refused or Published(len(payload), (time.perf_counter() - began) * 1000)
            if refused:
                return
    except NotConnected as problem:
        raise turned_away(who, problem) from None
    except HungUp as problem:
        raise AwsError(
            f"it is not known whether {who.line.endpoint} took the message: {problem.reason}",
            hint="run the same command again; at QoS 1 a message may come twice",
        ) from None
    finally:
        conversation.close()


def post_with_keys(session: Session, topic: str, payload: bytes, how: Sending) -> None:
    """Publish as the operator, with AWS IoT's API."""
    extra = {"contentType": how.content_type} if how.content_type is not None else {}
    iot_data.call(session, "publish", topic=topic, payload=payload, qos=how.qos, retain=how.retain, **extra)


def post(who: Participant, topic: str, payload: bytes, how: Sending) -> Refused | None:
    """Publish as a client, with one HTTPS request.

    Raises:
        AwsError: there was no answer that means yes or no.
    """
    line = replace(who.line, endpoint=replace(who.line.endpoint, alpn=()))
    errand = Errand(publish=topic, qos=how.qos, retain=how.retain)
    try:
        sock = open_tls(line.endpoint, line.timeout_s)
    except NotConnected as problem:
        raise turned_away(who, problem) from None
    with sock:
        finding = http_publish.publish(
            sock, line.endpoint, line.login, errand, OVER_HTTP, payload=payload, timeout_s=line.timeout_s
        )
    if finding.symptom is None:
        return None
    if finding.symptom is Symptom.REFUSED:
        return Refused("publish", topic, str(finding.facts["reason"]), is_certain=True)
    raise AwsError(f"{line.endpoint} did not take the message: {finding.facts['reason']}")


def check_sending(topic: str, payload: bytes, how: Sending, wanted: Wanted) -> None:
    """Refuse what cannot be published, before anybody is asked.

    Raises:
        InputError: the topic is none, the message too large, or two ways exclude each other.
    """
    if not topic:
        raise InputError("an empty text is no topic", hint="name one: `sensors/thermo-1`")
    check(Errand(publish=topic))
    check_size(topic)
    if len(payload) > MAX_PAYLOAD_BYTES:
        raise InputError(
            f"the message has more than the {MAX_PAYLOAD_BYTES:,} bytes that AWS IoT carries",
            hint="send it in parts, or put it into S3 and publish where it is",
        )
    if how.is_http and wanted.is_websocket:
        raise InputError("`--http` and `--websocket` exclude each other", hint="give one of them")
    if how.is_http and wanted.is_mqtt5 and not how.content_type:
        raise InputError("`--http` and `--mqtt5` exclude each other", hint="give one of them")
    if how.is_http and how.content_type and not wanted.as_operator:
        raise InputError("`--content-type` with `--http` goes only with `--operator`", hint="leave `--http` out")


def turned_away(who: Participant, problem: NotConnected) -> IotauthError:
    """Word a connection that did not come to be, with what to type next."""
    endpoint = who.line.endpoint
    if not who.is_operator:
        hint = f"ask why: `iotauth test-connect {shlex.quote(who.client_id)}{who.where}`"
        if problem.is_refusal:
            return AwsError(f"client `{who.client_id}` was not let in by {endpoint}: {problem.reason}", hint=hint)
        return AwsError(f"{endpoint} cannot be talked to: {problem.reason}", hint=hint)
    if problem.is_refusal:
        return AwsError(
            f"your AWS keys were not let in by {endpoint}: {problem.reason}",
            hint="they need `iot:Connect`, `iot:Subscribe`, `iot:Receive` and `iot:Publish`, and a clock that is right",
        )
    return AwsError(f"{endpoint} cannot be talked to: {problem.reason}", hint=f"see `iotauth config show{who.where}`")


@dataclass(frozen=True)
class Explained:
    """What is known of a refusal: the policy's answer, or why it could not be asked."""

    ruling: policies.Ruling | None = None
    unknown: str | None = None


def explain(
    refused: Refused, who: Participant, table: Callable[[], ClientTable], scope: Callable[[], ArnScope], *, retain: bool
) -> Explained:
    """Ask the policy engine about what was refused. The operator's IAM policies cannot be asked."""
    if who.is_operator:
        return Explained(unknown="IAM decides what your AWS keys may do, and it was not asked")
    verb: policies.Verb = "retain" if retain and refused.verb == "publish" else refused.verb
    try:
        held = policies.of_row(table(), who.client_id, scope(), int(time.time()))
        return Explained(policies.may(held, verb, refused.topic))
    except IotauthError as problem:
        return Explained(unknown=f"the client's row was not seen: {problem.message}")
