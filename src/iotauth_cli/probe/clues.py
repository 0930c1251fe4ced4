"""The words in which the table of causes is written: conditions that hold or not, evidence that is told.

Every function takes a case. A condition is true only if it was *seen* to hold; evidence is a
sentence for the person, or None where there is nothing to tell.
"""

from __future__ import annotations

import base64
from datetime import datetime, timezone

from iotauth_authorizer.credential import PREFIX, is_intact
from iotauth_authorizer.event import ANSWER_LIMIT_S, MIN_TIMER_S
from iotauth_authorizer.grants import MAX_TOPIC_BYTES, MAX_TOPIC_SLASHES
from iotauth_authorizer.username import SIGNATURE
from iotauth_cli.policy.evaluate import EXPLICIT_DENY, IMPLICIT_DENY
from iotauth_cli.probe.cause import Condition
from iotauth_cli.probe.certificates import stamp
from iotauth_cli.probe.evidence import Absent, AuthorizerFound, Call, Case, DomainFound, FunctionFound
from iotauth_cli.probe.mqtt5 import QOS_NOT_SUPPORTED
from iotauth_cli.probe.stages import CUSTOM_AUTH_ALPN, StageName, Symptom

CERTIFICATE_PORT = 8883  # MQTT with a client certificate: AWS IoT, "Protocols"
MAX_PAYLOAD_BYTES = 128 * 1024  # AWS IoT Core quotas
TRACE_LINES = 4  # statements shown of a policy; the deciding one is named before them

# --- conditions ---------------------------------------------------------------------------------


def typed(option: str) -> Condition:
    return lambda case: option in case.attempt.typed


def is_on_this_machine(case: Case) -> bool:
    host = case.attempt.endpoint.host
    return host in ("localhost", "::1") or host.startswith("127.")


def is_not_where_devices_connect(case: Case) -> bool:
    right = case.other.data_endpoint
    return right is not None and right != str(case.attempt.endpoint) and isinstance(case.other.domain, Absent)


def leaf_is_in_date(case: Case) -> bool:
    end = case.failed.facts.get("not_after")
    return end is not None and end > clock_of(case)


def offers_no_alpn(case: Case) -> bool:
    return not case.attempt.endpoint.alpn and not case.attempt.manner.speaks_http and alpn_decides(case)


def offers_mqtt_to_http(case: Case) -> bool:
    return CUSTOM_AUTH_ALPN in case.attempt.endpoint.alpn and case.attempt.manner.speaks_http


def offers_another_alpn(case: Case) -> bool:
    offered = case.attempt.endpoint.alpn
    is_another = bool(offered) and CUSTOM_AUTH_ALPN not in offered
    return is_another and not case.attempt.manner.speaks_http and alpn_decides(case)


def alpn_decides(case: Case) -> bool:
    """Whether ALPN says what is spoken: a domain configuration may have settled that before."""
    domain = case.other.domain
    return isinstance(domain, Absent) or (isinstance(domain, DomainFound) and not domain.chooses_protocol)


def sent_no_server_name(case: Case) -> bool:
    tls = case.attempt.stage("tls")
    return tls is not None and tls.facts.get("server_name", "") is None


def sent_another_server_name(case: Case) -> bool:
    return bool(case.attempt.endpoint.server_name)


def is_port_for_certificates(case: Case) -> bool:
    return case.attempt.endpoint.port == CERTIFICATE_PORT


def user_name_is_malformed(case: Case) -> bool:
    return case.attempt.user is None


def names_no_authorizer(case: Case) -> bool:
    return case.attempt.user is not None and not case.authorizer_name


def authorizer_is_absent(case: Case) -> bool:
    return isinstance(case.other.authorizer, Absent)


def authorizer_is_inactive(case: Case) -> bool:
    found = case.other.authorizer
    return isinstance(found, AuthorizerFound) and not found.is_active


def authorizer_is_active(case: Case) -> bool:
    found = case.other.authorizer
    return isinstance(found, AuthorizerFound) and found.is_active


def signature_is_missing(case: Case) -> bool:
    found, user = case.other.authorizer, case.attempt.user
    wants = isinstance(found, AuthorizerFound) and not found.signing_disabled
    if not (wants and user is not None):
        return False
    key_name = found.token_key_name if isinstance(found, AuthorizerFound) else None
    return user.get(SIGNATURE) is None or (key_name is not None and user.get(key_name) is None)


def signature_is_wrong(case: Case) -> bool:
    found = case.other.authorizer
    return isinstance(found, AuthorizerFound) and found.is_signature_right is False


def signed_when(mended: str) -> Condition:
    """Whether the signature would be right if the token, or the signature, had come unspoilt."""
    return lambda case: (
        isinstance(case.other.authorizer, AuthorizerFound) and case.other.authorizer.signed_when == mended
    )


def password_is_in_base64(case: Case) -> bool:
    """Tell whether what was sent is base64 of a secret of iotauth's; its checksum leaves no doubt."""
    secret = case.attempt.login.password
    try:
        inner = base64.b64decode(secret.reveal(), validate=True).decode() if secret else ""
    except ValueError:
        return False
    return inner.startswith(PREFIX) and is_intact(inner)


def credentials_are_refused(case: Case) -> bool:
    return logged("wrong-password")(case) or test_call("refused")(case)


def status_is(*statuses: int) -> Condition:
    return lambda case: case.failed.facts.get("status") in statuses


def server_failed(case: Case) -> bool:
    return int(case.failed.facts.get("status", 0)) >= 500


def code_is(code: int) -> Condition:
    """Whether the broker gave this MQTT 5 reason."""
    return lambda case: case.failed.facts.get("code") == code


def policy_is_unknown(case: Case) -> bool:
    """Whether nobody could see what the policy says about the failing step."""
    return case.decision is None


def is_mqtt3(case: Case) -> bool:
    """Whether the broker could not have given a reason: in MQTT 3.1.1 it only hangs up."""
    return not case.attempt.manner.is_mqtt5


def gave_no_code(case: Case) -> bool:
    return "code" not in case.failed.facts


def publishes_at_qos_2(case: Case) -> bool:
    return case.attempt.errand.qos == 2


def qos_was_not_taken(case: Case) -> bool:
    """AWS IoT leaves QoS 2 unanswered, or names it in MQTT 5; a mere hang-up says nothing of it."""
    return case.failed.symptom is Symptom.TIMEOUT or code_is(QOS_NOT_SUPPORTED)(case)


def payload_is_too_large(case: Case) -> bool:
    return int(case.failed.facts.get("bytes", 0)) > MAX_PAYLOAD_BYTES


def topic_of(case: Case) -> str:
    """The topic or the filter of the failing step, without what AWS IoT does not count of it."""
    errand = case.attempt.errand
    topic = (errand.subscribe if case.failed.name == "subscribe" else errand.publish) or ""
    free = 3 if topic.startswith("$aws/rules/") else 2 if topic.startswith("$share/") else 0
    return topic.split("/", free)[-1]


def topic_is_too_deep(case: Case) -> bool:
    return topic_of(case).count("/") > MAX_TOPIC_SLASHES


def topic_is_too_long(case: Case) -> bool:
    return len(topic_of(case).encode()) > MAX_TOPIC_BYTES


def decided_by(action: str) -> Condition:
    """Whether it is this action on which the policy's decision about the step hangs."""
    return lambda case: case.decision is not None and case.decision.action == action


def function_is_absent(case: Case) -> bool:
    return isinstance(case.other.function, Absent)


def function_is_not_ready(case: Case) -> bool:
    return isinstance(case.other.function, FunctionFound) and not case.other.function.is_ready


def function_is_ours(case: Case) -> bool:
    return isinstance(case.other.function, FunctionFound) and case.other.function.is_ours


def permission_is(state: str) -> Condition:
    return lambda case: case.other.permission is not None and case.other.permission.state == state


def was_not_called(case: Case) -> bool:
    return case.other.was_called is False


def may_not_have_been_called(case: Case) -> bool:
    """Nothing says that the function was called. Its log may be closed to this user."""
    return case.other.was_called is not True


def logged(reason: str) -> Condition:
    return lambda case: case.other.call is not None and case.other.call.reason == reason


def logged_a_refusal(case: Case) -> bool:
    call = case.other.call
    return call is not None and call.allowed is False and call.reason is not None


def timed_out(case: Case) -> bool:
    fault, call, test = case.other.fault, case.other.call, case.other.test
    if fault is not None:
        return fault.rule == "timeout"
    if call is not None and call.error is not None:
        return "timed out" in call.error
    if answered_too_late(call):
        return True
    return test is not None and test.outcome == "no-answer" and test.took_s >= ANSWER_LIMIT_S


def answered_too_late(call: Call | None) -> bool:
    """Tell whether the function did answer, but after AWS IoT had gone; its own time limit may be longer."""
    return call is not None and call.duration_ms is not None and call.duration_ms >= ANSWER_LIMIT_S * 1000


def failed_with_an_error(case: Case) -> bool:
    fault, call = case.other.fault, case.other.call
    return (fault is not None and fault.rule == "error") or (call is not None and call.error is not None)


def answer_is_invalid(case: Case) -> bool:
    return case.other.fault is not None and case.other.fault.rule not in ("error", "timeout")


def test_call(outcome: str) -> Condition:
    return lambda case: case.other.test is not None and case.other.test.outcome == outcome


def policy_denies(case: Case) -> bool:
    return case.decision is not None and case.decision.effect == EXPLICIT_DENY


def policy_is_silent(case: Case) -> bool:
    return case.decision is not None and case.decision.effect == IMPLICIT_DENY


# --- evidence -----------------------------------------------------------------------------------

STEPS: dict[StageName, str] = {
    "dns": "the name",
    "tcp": "the port",
    "tls": "the TLS handshake",
    "alpn": "ALPN",
    "upgrade": "the upgrade",
    "request": "the request",
    "connect": "CONNECT",
    "subscribe": "SUBSCRIBE",
    "publish": "PUBLISH",
    "receive": "the message",
    "stay": "while connected",
    "end": "DISCONNECT",
}


def clock_of(case: Case) -> str:
    return stamp(datetime.fromtimestamp(case.failed.started_at, timezone.utc))


def device_side(case: Case) -> str:
    """What the device met, in one line."""
    facts = case.failed.facts
    told = facts.get("reason") or facts.get("error") or ", ".join(facts.get("tried", ())) or case.failed.symptom
    return f"{STEPS[case.failed.name]}: {told}"


def domain(case: Case) -> str | None:
    found = case.other.domain
    if not isinstance(found, DomainFound):
        return None
    chosen = f", which chooses authorizer `{found.authorizer}`" if found.authorizer else ""
    state = "" if found.is_enabled else " and is DISABLED" if chosen else ", which is DISABLED"
    return f"the device came by domain configuration `{found.name}`{chosen}{state}"


def data_endpoint(case: Case) -> str | None:
    return f"devices of this account connect to `{case.other.data_endpoint}`" if case.other.data_endpoint else None


def certificate(case: Case) -> str | None:
    facts = case.failed.facts
    if "subject" not in facts:
        return None
    return f"the certificate shown is of `{facts['subject']}`, signed by `{facts['issuer']}`"


def certificate_names(case: Case) -> str | None:
    names = case.failed.facts.get("names")
    return f"it is made out to {', '.join(f'`{name}`' for name in names)}" if names else None


def term(case: Case) -> str | None:
    facts = case.failed.facts
    if "not_after" not in facts:
        return None
    return f"it is valid from {facts['not_before']} to {facts['not_after']}; this machine's clock says {clock_of(case)}"


def trusted_root(case: Case) -> str | None:
    facts = case.failed.facts
    if "ca_subject" in facts:
        return f"the root in `{facts['ca_file']}` is `{facts['ca_subject']}`, valid until {facts['ca_not_after']}"
    if "ca_roots" in facts:
        return f"none of the {facts['ca_roots']} roots in `{facts['ca_file']}` has signed it"
    return "Amazon's roots and those of this system were asked" if case.attempt.endpoint.ca_file is None else None


def alpn(case: Case) -> str | None:
    stage = case.attempt.stage("alpn")
    offered = ", ".join(f"`{name}`" for name in case.attempt.endpoint.alpn) or "nothing"
    selected = stage.facts.get("selected") if stage else None
    return (
        f"in TLS the device offered {offered} as ALPN, and the server chose {f'`{selected}`' if selected else 'none'}"
    )


def server_name(case: Case) -> str | None:
    sent = case.attempt.endpoint.server_name
    return f"in TLS the device asked for `{sent}`, and it connects to `{case.attempt.endpoint.host}`" if sent else None


def payload(case: Case) -> str | None:
    size = case.failed.facts.get("bytes")
    return f"the message has {size} bytes; AWS IoT takes {MAX_PAYLOAD_BYTES}" if size is not None else None


def topic_size(case: Case) -> str:
    topic = topic_of(case)
    return (
        f"it has {topic.count('/')} slashes and {len(topic.encode())} bytes; AWS IoT takes {MAX_TOPIC_SLASHES} and "
        f"{MAX_TOPIC_BYTES}"
    )


def lasted(case: Case) -> str | None:
    """How long the connection lasted; an authorizer's time limit is five minutes at least.

    On this machine nothing is said of the limit: the emulator's clock can be put forward meanwhile.
    """
    seconds = case.failed.facts.get("lasted_s")
    if seconds is None:
        return None
    is_too_short = seconds < MIN_TIMER_S and not is_on_this_machine(case)
    limit = f", so the authorizer's limit, {MIN_TIMER_S} s at least, is not it" if is_too_short else ""
    return f"the connection lasted {seconds:g} s{limit}"


def calls(case: Case) -> str | None:
    """What the function's log says of this attempt; None where it could not be read."""
    function, call = case.names.function, case.other.call
    if case.other.was_called is False:
        return f"function `{function}` was not called for it: its log shows the later test call and nothing before"
    if case.other.was_called is None or call is None:
        return None
    if call.reason is None:
        return f"function `{function}` was called for it"
    cause = f" ({call.cause})" if call.cause else ""
    verdict = "let it in" if call.allowed else f"refused it: `{call.reason}`{cause}"
    return f"function `{function}` was called for it and {verdict}"


def call_error(case: Case) -> str | None:
    call = case.other.call
    if call is None or not (call.error or answered_too_late(call)):
        return None
    return f"its log says: {call.error or f'Duration: {call.duration_ms:.0f} ms'}"


def test_outcome(case: Case) -> str | None:
    """What a test call through AWS IoT with the same credentials gave."""
    test = case.other.test
    if test is None:
        return None
    return {
        "allowed": "a test call with the same credentials is let in",
        "refused": "a test call with the same credentials is refused as well",
        "no-answer": f"a test call got no answer that AWS IoT takes: {test.sentence}",
    }[test.outcome]


def fault(case: Case) -> str | None:
    return f"called directly, the function gives this: {case.other.fault.sentence}" if case.other.fault else None


def permission(case: Case) -> str | None:
    found = case.other.permission
    if found is None:
        return None
    if found.state == "none":
        return "its resource policy does not name iot.amazonaws.com"
    listed = found.accounts if found.state == "other-account" else found.sources
    kind = "account" if found.state == "other-account" else "authorizer"
    return f"its resource policy lets AWS IoT call for {kind} {', '.join(f'`{each}`' for each in listed)}"


def decision(case: Case) -> str | None:
    return case.decision.because if case.decision else None


def near_misses(case: Case) -> str | None:
    """The statements about this action, each with the reason why it does not fit."""
    found = case.decision
    if found is None or found.deciding is not None:
        return None
    about = [line for line in found.trace if not line.endswith(f" {found.action}")]
    return "; ".join(about[:TRACE_LINES]) or None


def spelling(case: Case) -> str | None:
    """Whether a password that was typed can be one of iotauth's at all; its checksum tells."""
    secret = case.attempt.login.password
    text = secret.reveal() if secret else ""
    if "password" not in case.attempt.typed or not text.startswith(PREFIX) or is_intact(text):
        return None
    return "its checksum is wrong: it was mistyped or cut off"
