"""The conditions in which the table of causes is written: true only of what was *seen* to hold."""

from __future__ import annotations

import base64
from datetime import datetime, timezone

from iotauth_authorizer.credential import PREFIX, is_intact
from iotauth_authorizer.event import ANSWER_LIMIT_S
from iotauth_authorizer.grants import MAX_TOPIC_BYTES, MAX_TOPIC_SLASHES
from iotauth_authorizer.username import SIGNATURE
from iotauth_cli.policy.evaluate import EXPLICIT_DENY, IMPLICIT_DENY
from iotauth_cli.probe.cause import Condition
from iotauth_cli.probe.certificates import stamp
from iotauth_cli.probe.evidence import Absent, AuthorizerFound, Call, Case, DomainFound, FunctionFound
from iotauth_cli.probe.mqtt5 import QOS_NOT_SUPPORTED
from iotauth_cli.probe.stages import CUSTOM_AUTH_ALPN, Symptom

CERTIFICATE_PORT = 8883  # MQTT with a client certificate: AWS IoT, "Protocols"
MAX_PAYLOAD_BYTES = 128 * 1024  # AWS IoT Core quotas


def typed(option: str) -> Condition:
    return lambda case: option in case.attempt.typed


def is_on_this_machine(case: Case) -> bool:
    host = case.attempt.endpoint.host
    return host in ("localhost", "::1") or host.startswith("127.")


def is_not_where_devices_connect(case: Case) -> bool:
    right = case.other.data_endpoint
    return right is not None and right != str(case.attempt.endpoint) and isinstance(case.other.domain, Absent)


def clock_of(case: Case) -> str:
    return stamp(datetime.fromtimestamp(case.failed.started_at, timezone.utc))


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


def domain_is_disabled(case: Case) -> bool:
    return isinstance(case.other.domain, DomainFound) and not case.other.domain.is_enabled


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
