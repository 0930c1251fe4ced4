"""Where devices connect: the name, the port, the certificate and ALPN, each as a device meets it."""

from __future__ import annotations

import calendar
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from iotauth_cli.aws import iot
from iotauth_cli.operations.doctor.finding import Finding, Outcome, Unseen
from iotauth_cli.operations.doctor.scene import Scene
from iotauth_cli.probe import reach, tls
from iotauth_cli.probe.stages import CUSTOM_AUTH_ALPN, Endpoint, Symptom

SOON_S = 14 * 86_400  # AWS renews its own certificates long before that
STAGES = ("dns", "tcp", "tls")
TRY = "iotauth test-connect"


@dataclass(frozen=True)
class Way:
    """How far it went: *failed* is the stage that did, with what it met; *facts* are of the stages that went well."""

    endpoint: Endpoint
    facts: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    alpn: str | None = None
    failed: str | None = None
    met: str = ""
    symptom: Symptom | None = None


def walk(endpoint: Endpoint, timeout_s: float) -> Way:
    """Look the name up, open the port, shake hands; say nothing of MQTT and go."""
    name, addresses = reach.resolve(endpoint, timeout_s)
    if name.symptom is not None:
        return Way(endpoint, {}, None, "dns", told(name.facts), name.symptom)
    port, sock = reach.reach(addresses, timeout_s)
    if sock is None:
        return Way(endpoint, {"dns": name.facts}, None, "tcp", told(port.facts), port.symptom)
    hands, secured = tls.shake_hands(endpoint, tls.build_context(endpoint), sock, timeout_s)
    facts = {"dns": name.facts, "tcp": port.facts, "tls": hands.facts}
    if secured is None:
        return Way(endpoint, facts, None, "tls", told(hands.facts), hands.symptom)
    with secured:
        return Way(endpoint, facts, secured.selected_alpn_protocol())


def told(facts: Mapping[str, Any]) -> str:
    return str(facts.get("error") or ", ".join(facts.get("tried", ())))


def way(scene: Scene) -> Way:
    """Go the way once for all four checks.

    Raises:
        IotauthError: AWS IoT did not say where devices connect.
    """
    target = scene.session.target
    endpoint = Endpoint(target.data_host or iot.data_endpoint(scene.session), target.data_port, target.ca_file)
    found: Way = scene.once("way", lambda: walk(endpoint, scene.premises.timeout_s / len(STAGES)))
    return found


def come_to(scene: Scene, stage: str) -> Way:
    """Return the way, if it led as far as *stage*.

    Raises:
        Unseen: an earlier stage failed, and its check says so.
    """
    found = way(scene)
    if found.failed is not None and found.failed in STAGES[: STAGES.index(stage)]:
        raise Unseen(f"`{found.endpoint}` cannot be reached")
    return found


def name(scene: Scene) -> Outcome:
    found = come_to(scene, "dns")
    if found.failed == "dns":
        return Finding("error", f"the name `{found.endpoint.host}` cannot be looked up: {found.met}", TRY)
    return f"`{found.endpoint.host}` is {', '.join(found.facts['dns']['addresses'])}"


def port(scene: Scene) -> Outcome:
    found = come_to(scene, "tcp")
    if found.failed == "tcp":
        return Finding("error", f"`{found.endpoint}` does not answer: {found.met}", TRY)
    return f"port {found.endpoint.port} answers"


def certificate(scene: Scene) -> Outcome:
    """The chain ends in a root that devices are given, the name is the endpoint's, and it lasts a while."""
    found = come_to(scene, "tls")
    if found.failed == "tls":
        return Finding("error", f"the handshake with `{found.endpoint}` fails: {found.met}", TRY)
    facts = found.facts["tls"]
    until = facts["not_after"]
    left_s = calendar.timegm(time.strptime(until, "%Y-%m-%dT%H:%M:%SZ")) - scene.now
    if left_s < SOON_S:
        days = max(0, int(left_s // 86_400))
        return Finding("warning", f"the certificate of `{found.endpoint}` ends on {until[:10]}, in {days} days", TRY)
    return f"signed by `{facts['issuer']}`, valid until {until[:10]}"


def alpn(scene: Scene) -> Outcome:
    """Without ALPN `mqtt` port 443 expects HTTP; something in the way may take it out."""
    found = come_to(scene, "tls")
    if found.symptom is Symptom.NO_COMMON_PROTOCOL:
        return Finding("error", f"`{found.endpoint}` refuses ALPN `{CUSTOM_AUTH_ALPN}`", TRY)
    if found.failed is not None:
        raise Unseen(f"there is no encrypted connection to `{found.endpoint}`")
    if found.alpn != CUSTOM_AUTH_ALPN:
        sentence = f"`{found.endpoint}` does not choose ALPN `{CUSTOM_AUTH_ALPN}`: something answers in AWS IoT's place"
        return Finding("error", sentence, TRY)
    return f"`{CUSTOM_AUTH_ALPN}` is chosen"
