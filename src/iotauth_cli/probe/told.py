"""The evidence that stands beside a cause: each a sentence for the person, or None where there is nothing to tell."""

from __future__ import annotations

from iotauth_authorizer.credential import PREFIX, is_intact
from iotauth_authorizer.event import MIN_TIMER_S
from iotauth_authorizer.grants import MAX_TOPIC_BYTES, MAX_TOPIC_SLASHES
from iotauth_cli.probe.clues import MAX_PAYLOAD_BYTES, answered_too_late, clock_of, is_on_this_machine, topic_of
from iotauth_cli.probe.evidence import Case, DomainFound
from iotauth_cli.probe.stages import StageName

TRACE_LINES = 4  # statements shown of a policy; the deciding one is named before them

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
    """The grant that was perhaps meant; else the statements about this action, and why each does not fit."""
    found = case.decision
    if found is None or found.deciding is not None:
        return None
    about = [line for line in found.trace if not line.endswith(f" {found.action}")]
    meant = [str(nearest) for nearest in case.near_misses[:1]]
    return "; ".join(meant or about[:TRACE_LINES]) or None


def spelling(case: Case) -> str | None:
    """Whether a password that was typed can be one of iotauth's at all; its checksum tells."""
    secret = case.attempt.login.password
    text = secret.reveal() if secret else ""
    if "password" not in case.attempt.typed or not text.startswith(PREFIX) or is_intact(text):
        return None
    return "its checksum is wrong: it was mistyped or cut off"
