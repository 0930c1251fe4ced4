"""What AWS leaves open, each point with a way to see it from outside.

A probe is named by the choice of `Behaviour` that it looks at, or by a point that the emulator decides without a
choice; for such a one `POINTS` says how. It reports and judges nothing. What cannot be looked at stands in
`NOT_PROBED`; what would harm somebody's account, and is looked at on the emulator alone, in `NOT_ON_AWS`.
"""

from __future__ import annotations

import http.client
import json
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from iotauth_cli import token as tokens
from support_parity import mqtt
from support_parity.asking import PERMITTED, has_default, refused
from support_parity.world import ACCEPTED, CLOSED, NAME, SIGNATURE, Device, World

Value = bool | int | float | str
Seen = Mapping[str, "Sight"]


@dataclass(frozen=True)
class Sight:
    """What was observed of one point, and by what; *tolerance* in seconds for what was measured in time."""

    value: Value
    evidence: str
    tolerance: float = 0.0


@dataclass(frozen=True)
class Probe:
    keys: tuple[str, ...]
    look: Callable[[World], Seen]
    is_slow: bool
    is_account_wide: bool


class CannotTell(Exception):
    """Nothing was observed here; the sentence says why."""


PROBES: list[Probe] = []

NOT_PROBED: Mapping[str, str] = {
    "queued_messages": "it would take more than ten thousand messages",
    "unsent_bytes": "how much lies between AWS IoT and a slow client is not seen from outside",
    "authorizer_calls_per_second": "it would throttle the control plane for everybody in the account",
    "time_to_live_change_s": "it may take an hour",
    "custom_auth_domains_need_authorizers": "a domain configuration stays in the account for seven days",
    "cloudformation_updates_unsigned_authorizers": "it would take a stack of CloudFormation",
}
NOT_ON_AWS: Mapping[str, str] = {
    "aws_keys_may_do_anything": "on AWS it depends on the IAM policies of whoever runs this",
    "serves_domains_on_mqtt_port": "a domain configuration stays in the account for seven days",
    "managed_domain_deletion_wait_s": "a domain configuration stays in the account for seven days",
    "domains_per_region": "domain configurations stay in the account for seven days",
}

# What the emulator does where it has no choice to flip.
POINTS: Mapping[str, Value] = {
    "event_protocols_mqtt": "mqtt, tls",
    "event_protocols_websocket": "http, mqtt, tls",
    "event_protocols_https": "http, tls",
    "event_header_names": "lower case",
    "websocket_function_calls": 1,
    "thing_variables_have_values": False,
    "endpoint_form": "<prefix>-ats.iot.<region>",
    "create_checks_the_function": False,
    "white_space_counts_in_documents": False,
    "refresh_waits_for_the_client": False,
    "refresh_denied_reason": "AUTH_ERROR",
}


def probe(
    *keys: str, slow: bool = False, account_wide: bool = False
) -> Callable[[Callable[[World], Seen]], Callable[[World], Seen]]:
    def enter(look: Callable[[World], Seen]) -> Callable[[World], Seen]:
        PROBES.append(Probe(keys, look, slow, account_wide))
        return look

    return enter


def may_run(each: Probe, world: World, options: Callable[[str], Any]) -> str | None:
    """Return None, or why *each* is not to run in *world*."""
    if world.kind != "aws":
        return None
    for key in each.keys:
        if key in NOT_ON_AWS:
            return NOT_ON_AWS[key]
    if each.is_slow and not options("--aws-slow"):
        return "it waits for minutes and needs --aws-slow"
    if each.is_account_wide and not options("--aws-account-wide"):
        return "it changes what the whole account uses and needs --aws-account-wide"
    return None


def answered(device: Device) -> str:
    """Say what a device of MQTT 5 was told at the end."""
    assert device.client.is_closed(), f"{device.mark} is still connected"
    return "no DISCONNECT" if device.client.goodbye is None else f"DISCONNECT {device.client.goodbye:#04x}"


def told(device: Device, after: str) -> Sight:
    """Return the reason of the DISCONNECT that ends *device*."""
    evidence = f"{answered(device)} after {after}"
    return Sight("none" if device.client.goodbye is None else device.client.goodbye, evidence)


# Refusals


@probe("answers_refused_connect")
def refusals_of_connect(world: World) -> Seen:
    """MQTT 3.1.1, one cause after the other: does a CONNACK come, or the close alone?"""
    named = f"u?{NAME}={world.parts.name}"
    ways: dict[str, dict[str, Any]] = {
        "the function says no": {"answer": {"members": {"isAuthenticated": False}}},
        "it raises": {"answer": {"fail": True}},
        "no iot:Connect": {"answer": {"policy": [["Allow", "iot:Publish", "topic/x"]]}},
        "no such authorizer": {"authorizer": f"{world.prefix}-nobody"},
        "no permission": {"authorizer": world.parts.mute},
        "no signature": {"authorizer": world.parts.signed},
        "two question marks": {"username": f"{named}?x"},
    }
    seen = {}
    for cause, way in ways.items():
        options = {name: value for name, value in way.items() if name != "answer"}
        seen[cause] = world.connect(way.get("answer", {}), about="refused", **options).outcome
    kinds = {outcome != CLOSED for outcome in seen.values()}
    evidence = "; ".join(f"{cause}: {outcome}" for cause, outcome in seen.items())
    return {"answers_refused_connect": Sight(kinds.pop() if len(kinds) == 1 else "for some causes", evidence)}


@probe("answers_refused_subscribe", "answers_denied_publish")
def refusals_of_a_session(world: World) -> Seen:
    connecting = {"policy": [["Allow", "iot:Connect", "client/*"]]}
    device = world.connect(connecting, about="denied")
    codes = device.client.subscribe(f"{device.mark}/a")
    told_codes = "no SUBACK" if codes is None else f"SUBACK {', '.join(f'{code:#04x}' for code in codes)}"
    five = world.connect(connecting, about="denied", level=5)
    code = five.client.publish(f"{five.mark}/a")
    evidence = answered(five) if code is None else f"PUBACK {code:#04x}"
    return {
        "answers_refused_subscribe": Sight(codes is not None, f"MQTT 3.1.1: {told_codes}"),
        "answers_denied_publish": Sight(code is not None, f"MQTT 5, QoS 1: {evidence}"),
    }


@probe("payload_too_large_code", "packet_too_large_code", "too_many_filters_code")
def codes_of_mqtt_5(world: World) -> Seen:
    payload, packet, filters = (world.connect(about="code", level=5) for _ in range(3))
    payload.client.publish(f"{payload.mark}/a", bytes(128 * 1024 + 1), qos=0)
    user = bytes([mqtt.USER_PROPERTY]) + mqtt.text("x") + mqtt.text("x" * 50_000)
    packet.client.publish(f"{packet.mark}/a", qos=0, properties=user * 3)
    filters.client.subscribe(*(f"{filters.mark}/{number}" for number in range(9)))
    return {
        "payload_too_large_code": told(payload, "a payload of 128 KB and 1 byte"),
        "packet_too_large_code": told(packet, "150 KB of user properties"),
        "too_many_filters_code": told(filters, "a SUBSCRIBE of nine filters"),
    }


# Sessions


@probe("lifecycle_event_qos")
def quality_of_events(world: World) -> Seen:
    mark = world.mark("event")
    watcher = world.connect(about="watcher")
    watcher.client.subscribe(f"$aws/events/presence/connected/{mark}")
    world.connect(mark=mark)
    messages = watcher.client.wait_for_messages()
    if not messages:
        raise CannotTell("no lifecycle event came: the account may have switched them off")
    return {"lifecycle_event_qos": Sight(messages[0].qos, f"a connected event came with QoS {messages[0].qos}")}


@probe("shared_filter_alone_allows")
def shared_subscriptions(world: World) -> Seen:
    topic = world.topic("shared")
    policy = [["Allow", "iot:Connect", "client/*"], ["Allow", "iot:Subscribe", f"topicfilter/{topic}"]]
    device = world.connect({"policy": policy}, about="shared")
    codes = device.client.subscribe(f"$share/group/{topic}")
    evidence = "closed" if codes is None else f"SUBACK {codes}"
    return {"shared_filter_alone_allows": Sight(codes in ([0], [1]), f"granted topicfilter/<filter>: {evidence}")}


@probe("assigns_client_id", "requires_server_name")
def what_a_client_may_leave_out(world: World) -> Seen:
    anybody = {"policy": [["Allow", "iot:Connect", "client/*"]]}
    nameless = world.connect(anybody, about="nameless", client_id="").outcome
    try:
        without = world.connect(about="sni", pipe=world.pipe(server_name=None)).outcome
    except OSError as error:
        without = f"no handshake ({type(error).__name__})"
    return {
        "assigns_client_id": Sight(nameless == ACCEPTED, f"MQTT 3.1.1, clean, no client id: {nameless}"),
        "requires_server_name": Sight(without != ACCEPTED, f"TLS without SNI: {without}"),
    }


@probe("connect_timeout_s", slow=True)
def patience_before_connect(world: World) -> Seen:
    with closing(world.pipe()) as pipe:
        took_s = world.seconds_until(lambda: has_ended(pipe), 1.0, 180)
    if took_s is None:
        raise CannotTell("a connection without a CONNECT was still open after 180 s")
    return {"connect_timeout_s": Sight(round(took_s), f"closed after {took_s:.1f} s without a CONNECT", 2)}


def has_ended(pipe: mqtt.Pipe) -> bool:
    try:
        return pipe.read(0.02) == b""
    except TimeoutError:
        return False


@probe("redelivery_interval_s", slow=True)
def redelivery(world: World) -> Seen:
    device = world.connect(about="again")
    device.client.acknowledges = False
    topic = world.topic("again")
    device.client.subscribe(topic)
    world.connect(about="speaker").client.publish(topic)
    assert device.client.wait_for_messages(), "the message did not come at all"
    took_s = world.seconds_until(lambda: len(device.client.collect(0)) > 1, 1.0, 180)
    if took_s is None:
        raise CannotTell("a message without its PUBACK was not sent again within 180 s")
    return {"redelivery_interval_s": Sight(round(took_s), f"sent again after {took_s:.1f} s", 2)}


# The function's answer


@probe("clamps_timers", "takes_authenticated_as_text", "white_space_counts_in_documents")
def answers_at_the_edge(world: World) -> Seen:
    below, above, as_text, spaced = (
        world.connect(answer, about="edge").outcome
        for answer in (
            {"members": {"refreshAfterInSeconds": 299}},
            {"members": {"disconnectAfterInSeconds": 86_401}},
            {"members": {"isAuthenticated": "true"}},
            {"characters": 2048, "as_text": "documents"},
        )
    )
    kinds = {below == ACCEPTED, above == ACCEPTED}
    clamps: Value = kinds.pop() if len(kinds) == 1 else "on one side"
    return {
        "clamps_timers": Sight(clamps, f"refresh after 299 s: {below}; disconnect after 86401 s: {above}"),
        "takes_authenticated_as_text": Sight(as_text == ACCEPTED, f'isAuthenticated "true": {as_text}'),
        "white_space_counts_in_documents": Sight(
            spaced != ACCEPTED, f"2048 characters, and white space beside them: {spaced}"
        ),
    }


@probe("thing_variables_have_values")
def thing_variables(world: World) -> Seen:
    mark = world.mark("thing")
    if world.kind == "aws":  # the emulator has no things
        iot = world.boto("iot")
        world.parts.later(f"thing {mark}", lambda: iot.delete_thing(thingName=mark))
        code = refused(lambda: iot.create_thing(thingName=mark))[0]
        if code != PERMITTED:
            world.parts.never_mind(f"thing {mark}")
            raise CannotTell(f"CreateThing answered {code}")
    policy = [["Allow", "iot:Connect", "client/${iot:Connection.Thing.ThingName}"]]
    outcome = world.connect({"policy": policy}, mark=mark).outcome
    return {"thing_variables_have_values": Sight(outcome == ACCEPTED, f"Connect on the thing's own name: {outcome}")}


# The event


@probe("event_protocols_mqtt", "event_protocols_websocket", "event_protocols_https", "event_header_names")
def shapes_of_events(world: World) -> Seen:
    plain = world.event(world.connect(about="shape").mark)
    socket = world.event(world.connect(about="shape", pipe=world.websocket()).mark)
    message = world.publish_over_http(world.topic("shape"), headers={"X-Parity-Case": "x"})
    https = world.event(message.mark)
    names = [name for name in https["protocolData"]["http"]["headers"] if name.lower() == "x-parity-case"]
    case = {"x-parity-case": "lower case", "X-Parity-Case": "as sent"}.get(names[0], "otherwise") if names else "absent"
    events = {"mqtt": plain, "websocket": socket, "https": https}
    return {
        **{f"event_protocols_{way}": protocols(event) for way, event in events.items()},
        "event_header_names": Sight(case, f"sent as X-Parity-Case, told as {', '.join(names) or 'nothing'}"),
    }


def protocols(event: dict[str, Any]) -> Sight:
    """Return the protocols in alphabetical order, which says nothing; theirs is in the evidence."""
    found = event.get("protocols", [])
    parts = ", ".join(f"{name}: {'/'.join(data)}" for name, data in event.get("protocolData", {}).items())
    return Sight(", ".join(sorted(found)), f"in this order: {', '.join(found)}; {parts}")


# WebSockets and HTTPS


@probe("websocket_function_calls", "refuses_signature_in_upgrade")
def websockets(world: World) -> Seen:
    mark = world.mark("upgrade")
    order = f"order:{world.order(mark)}"
    headers = [(NAME, world.parts.name), ("x-parity", order)]
    pipe = world.websocket(headers=headers)
    at_upgrade = world.calls(mark)
    world.connect(mark=mark, pipe=pipe, username="", password=None)
    calls = world.calls(mark)
    bad = [(NAME, world.parts.signed), ("token", order), (SIGNATURE, tokens.sign("another", world.keys[0]))]
    status = world.websocket(headers=bad).status
    return {
        "websocket_function_calls": Sight(calls, f"{at_upgrade} at the upgrade, {calls} when CONNECT was answered"),
        "refuses_signature_in_upgrade": Sight(status != 101, f"a wrong signature in the upgrade: status {status}"),
    }


@probe("http_forbidden_status", "http_needs_connect")
def https_publish(world: World) -> Seen:
    topic = world.topic("https")
    publishing = ["Allow", "iot:Publish", f"topic/{topic}"]
    denied = world.publish_over_http(quote(topic, safe=""), {"policy": [["Allow", "iot:Publish", "topic/else"]]})
    alone = world.publish_over_http(quote(topic, safe=""), {"policy": [publishing]})
    both = world.publish_over_http(
        quote(topic, safe=""), {"policy": [publishing, ["Allow", "iot:Connect", "client/*"]]}
    )
    if both.status != http.client.OK:
        raise CannotTell(f"a publish that Connect and Publish allow was answered {both.status}")
    return {
        "http_forbidden_status": Sight(denied.status, f"not in the policy: {denied.status} {denied.body}"),
        "http_needs_connect": Sight(alone.status != http.client.OK, f"with iot:Publish alone: {alone.status}"),
    }


@probe("aws_keys_may_do_anything")
def an_operators_keys(world: World) -> Seen:
    from iotauth_authorizer.aws_credentials import Credentials
    from iotauth_cli.aws.signed_websocket import signed_path
    from iotauth_cli.emulator.environment import ACCESS_KEY_ID, SECRET_ACCESS_KEY

    keys = Credentials(ACCESS_KEY_ID, SECRET_ACCESS_KEY)
    target = signed_path(keys, host=world.host, region=world.region, now=time.time())
    status = world.websocket(target).status
    return {"aws_keys_may_do_anything": Sight(status == 101, f"an upgrade that AWS keys have signed: {status}")}


# The control plane


@probe("creates_authorizers_active", "active_delete_error", "create_checks_the_function")
def lives_of_authorizers(world: World) -> Seen:
    iot = world.boto("iot")
    with world.parts.scratch("status", status=None) as name:
        status = iot.describe_authorizer(authorizerName=name)["authorizerDescription"]["status"]
    with world.parts.scratch("active") as name:
        code, number = refused(lambda: iot.delete_authorizer(authorizerName=name))
    nobody = f"{world.parts.function_arn}-nobody"
    call = refused(lambda: world.parts.create_authorizer(f"{world.prefix}-nofunction", authorizerFunctionArn=nobody))
    if call[0] == PERMITTED:
        world.parts.forget(f"authorizer {world.prefix}-nofunction")
    return {
        "creates_authorizers_active": Sight(status == "ACTIVE", f"created without a status: {status}"),
        "active_delete_error": Sight(code, f"DeleteAuthorizer while ACTIVE: {code}, {number}"),
        "create_checks_the_function": Sight(call[0] != PERMITTED, f"CreateAuthorizer without the function: {call[0]}"),
    }


@probe("merges_signing_keys", "signing_keys_per_authorizer")
def keys_of_authorizers(world: World) -> Seen:
    iot, most = world.boto("iot"), 25
    pem = world.public_key(0)
    signing = {"signingDisabled": False, "tokenKeyName": "token", "tokenSigningPublicKeys": {"one": pem}}

    def update(keys: dict[str, str]) -> str:
        return refused(lambda: iot.update_authorizer(authorizerName=name, tokenSigningPublicKeys=keys))[0]

    with world.parts.scratch("keys", **signing) as name:
        update({"two": pem})
        kept = sorted(iot.describe_authorizer(authorizerName=name)["authorizerDescription"]["tokenSigningPublicKeys"])
    with world.parts.scratch("keys2", **signing) as name:
        codes = {}
        for count in range(2, most + 1):
            # With the keys that are there, so that adding and replacing come to the same.
            codes[count] = update({"one": pem, **{f"key{number}": pem for number in range(count - 1)}})
            if codes[count] != PERMITTED:
                break
            world.advance(0.2)  # ten calls a second are what an account has
    taken = max((count for count, code in codes.items() if code == PERMITTED), default=1)
    limit: Value = taken if taken < most else f"{most} or more"
    return {
        "merges_signing_keys": Sight("one" in kept, f"one, then an update with two: {', '.join(kept)}"),
        "signing_keys_per_authorizer": Sight(limit, f"{taken} keys were taken; then {codes[max(codes)]}"),
    }


@probe("deletes_default_authorizer", account_wide=True)
def deleting_the_default(world: World) -> Seen:
    iot = world.boto("iot")
    if has_default(world):
        raise CannotTell("the account has a default authorizer, and it is left alone")
    with world.parts.scratch("default") as name:
        world.parts.later("default authorizer", lambda: clear_default(world, name))
        iot.set_default_authorizer(authorizerName=name)
        iot.update_authorizer(authorizerName=name, status="INACTIVE")
        code, status = refused(lambda: iot.delete_authorizer(authorizerName=name))
        clear_default(world, name)
    evidence = f"DeleteAuthorizer of the INACTIVE default: {code}, {status}"
    return {"deletes_default_authorizer": Sight(code == PERMITTED, evidence)}


def clear_default(world: World, name: str) -> None:
    """Clear the default if it is *name*, and nobody else's."""
    iot = world.boto("iot")
    if has_default(world):
        found = iot.describe_default_authorizer()["authorizerDescription"]["authorizerName"]
        if found == name:
            iot.clear_default_authorizer()


@probe("authorizers_per_region")
def room_for_authorizers(world: World) -> Seen:
    if world.kind == "aws":
        return {"authorizers_per_region": quota(world)}
    count = len(world.boto("iot").list_authorizers(pageSize=250)["authorizers"])
    made: list[str] = []
    while refused(lambda: world.parts.create_authorizer(f"{world.prefix}-n{len(made)}"))[0] == PERMITTED:
        made.append(f"{world.prefix}-n{len(made)}")
    for name in (*made, f"{world.prefix}-n{len(made)}"):
        world.parts.forget(f"authorizer {name}")
    found = count + len(made)
    return {"authorizers_per_region": Sight(found, f"{found} were there, and one more was refused")}


def quota(world: World) -> Sight:
    """Read it where AWS shows it: nobody's account is filled."""
    quotas = world.boto("service-quotas")
    asked = {"ServiceCode": "iotcore", "QuotaCode": "L-78E3C43F"}  # "Maximum number of authorizers"
    code = refused(lambda: quotas.get_service_quota(**asked))[0]
    if code != PERMITTED:
        raise CannotTell(f"Service Quotas answered {code}")
    found = quotas.get_service_quota(**asked)["Quota"]
    return Sight(int(found["Value"]), f"Service Quotas: {found['QuotaName']}")


@probe("new_role_unknown_s")
def a_new_role(world: World) -> Seen:
    name = f"{world.prefix}-role"
    arn, began = world.parts.create_role(name), world.now()
    world.parts.create_function(name, arn)
    took_s = world.now() - began
    for what in ("function", "role"):
        world.parts.forget(f"{what} {name}")
    evidence = f"Lambda took the role {took_s:.1f} s after CreateRole"
    return {"new_role_unknown_s": Sight(round(took_s), evidence, 2.5)}


@probe("endpoint_form")
def endpoint(world: World) -> Seen:
    host = world.boto("iot").describe_endpoint(endpointType="iot:Data-ATS")["endpointAddress"]
    first, _, rest = host.partition(".")
    form = f"<prefix>{'-ats' if first.endswith('-ats') else ''}.{rest.split(world.region)[0]}<region>"
    return {"endpoint_form": Sight(form, form)}


# Domain configurations: on the emulator alone, for on AWS they stay for a week


@probe("serves_domains_on_mqtt_port", "managed_domain_deletion_wait_s", "domains_per_region")
def domains(world: World) -> Seen:
    iot = world.boto("iot")
    settings = {"authenticationType": "CUSTOM_AUTH", "applicationProtocol": "SECURE_MQTT", "serviceType": "DATA"}
    made: list[str] = []
    while (
        refused(
            lambda: iot.create_domain_configuration(domainConfigurationName=f"{world.prefix}-{len(made)}", **settings)
        )[0]
        == PERMITTED
    ):
        made.append(f"{world.prefix}-{len(made)}")
    name = iot.describe_domain_configuration(domainConfigurationName=made[0])["domainName"]
    try:
        pipe = world.pipe(alpn=(), server_name=name, port=world.mqtt_port)
        outcome = world.connect(about="8883", pipe=pipe).outcome
    except OSError as error:
        outcome = f"no handshake ({type(error).__name__})"
    for each in made:
        iot.update_domain_configuration(domainConfigurationName=each, domainConfigurationStatus="DISABLED")
    waited_s = world.seconds_until(lambda: is_deleted(iot, made[0]), 600.0, 8 * 86_400)
    for each in made[1:]:
        iot.delete_domain_configuration(domainConfigurationName=each)
    if waited_s is None:
        raise CannotTell("a domain configuration could not be deleted within eight days")
    return {
        "serves_domains_on_mqtt_port": Sight(outcome == ACCEPTED, f"SECURE_MQTT on the port 8883: {outcome}"),
        "managed_domain_deletion_wait_s": Sight(round(waited_s), f"deleted after {waited_s:.0f} s", 300),
        "domains_per_region": Sight(len(made), f"{len(made)} were created, and one more was refused"),
    }


def is_deleted(iot: Any, name: str) -> bool:
    return refused(lambda: iot.delete_domain_configuration(domainConfigurationName=name))[0] == PERMITTED


# Five minutes


@probe(
    "cut_off_code",
    "refresh_denied_code",
    "refresh_denied_reason",
    "refresh_checks_connect",
    "refresh_waits_for_the_client",
    slow=True,
)
def five_minutes(world: World) -> Seen:
    """All in the same five minutes, and every device silent, so that none is asked to act."""
    soon: dict[str, Any] = {"members": {"refreshAfterInSeconds": 300}}
    publishing = {"policy": [["Allow", "iot:Publish", f"topic/{world.prefix}*"]]}
    cut = world.connect({"members": {"disconnectAfterInSeconds": 300}}, about="cut", level=5)
    denied = world.connect(soon, {"members": {"isAuthenticated": False}}, about="denied", level=5)
    narrowed = world.connect(soon, publishing, about="narrowed")
    silent = world.connect(soon, {}, about="silent")
    watcher = world.connect(about="watcher")
    watcher.client.subscribe(f"$aws/events/presence/disconnected/{denied.mark}")
    world.advance(315)
    refreshes = world.calls(silent.mark) - 1
    silent.client.ping()
    for device in (denied, narrowed):  # a refresh that waits for the client has its occasion now
        device.client.ping()
    is_out = narrowed.client.is_closed(2 * world.quiet_s + 1)
    events = [json.loads(each.payload) for each in watcher.client.wait_for_messages()]
    reason = str(events[0]["disconnectReason"]) if events else "no event"
    return {
        "cut_off_code": told(cut, "disconnectAfterInSeconds had passed"),
        "refresh_denied_code": told(denied, "a refresh that was denied"),
        "refresh_denied_reason": Sight(reason, f"disconnected event: {reason}"),
        "refresh_checks_connect": Sight(is_out, f"refreshed without iot:Connect: {'closed' if is_out else 'open'}"),
        "refresh_waits_for_the_client": Sight(refreshes == 0, f"{refreshes} calls about a silent client in 315 s"),
    }


@contextmanager
def disconnecting(world: World) -> Iterator[None]:
    """End a probe's devices when it is over."""
    try:
        yield
    finally:
        world.disconnect_all()
