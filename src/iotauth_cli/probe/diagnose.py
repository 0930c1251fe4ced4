"""From what is known of a failed attempt to the one thing that is wrong, and what mends it. Pure.

The knowledge lies in `causes` as a table. The first row that fits decides: its stage is the one
that failed, its symptom the one that was seen, and every condition holds for the evidence. A row
whose conditions lean on something nobody could see does not fit, so what is said is carried by
the evidence that is shown with it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from iotauth_cli.probe.causes import CAUSES
from iotauth_cli.probe.evidence import AuthorizerFound, Case, DomainFound
from iotauth_cli.probe.told import STEPS, device_side, domain


@dataclass(frozen=True)
class Diagnosis:
    """What is wrong. *cause* is stable; *remedy* is one command or edit; *answer* as `cause` defines it."""

    cause: str
    sentence: str
    evidence: tuple[str, ...]
    remedy: str
    reference: str
    answer: str

    def as_document(self) -> dict[str, Any]:
        return {
            "cause": self.cause,
            "sentence": self.sentence,
            "evidence": list(self.evidence),
            "remedy": self.remedy,
            "reference": self.reference,
        }


def diagnose(case: Case) -> Diagnosis:
    """Return the first cause of the table that fits *case*; the last row fits everything."""
    cause = next(cause for cause in CAUSES if cause.fits(case))
    names = names_of(case)
    told = [tell(case) for tell in (device_side, domain, *cause.evidence)]
    unseen = [f"not seen: {what}" for what in case.other.unseen]
    return Diagnosis(
        cause=cause.name,
        sentence=cause.says.format_map(names),
        evidence=tuple(dict.fromkeys(filter(None, [*told, *unseen]))),
        remedy=cause.remedy.format_map(names),
        reference=cause.reference,
        answer=cause.answer,
    )


def names_of(case: Case) -> Mapping[str, Any]:
    """Return what a sentence may name: the user's own words, and facts of the failing stage."""
    attempt, other, failed = case.attempt, case.other, case.failed
    found = other.authorizer if isinstance(other.authorizer, AuthorizerFound) else None
    arrived = other.domain if isinstance(other.domain, DomainFound) else None
    action, resource = case.asked or ("", "")
    command = f"iotauth test-connect {attempt.login.client_id}"
    return {
        "client": attempt.login.client_id,
        "user": attempt.user.user if attempt.user else "",
        "host": attempt.endpoint.host,
        "port": attempt.endpoint.port,
        "server_name": attempt.endpoint.server_name or "",
        "domain": arrived.name if arrived else "",
        "again": f"{command}{attempt.manner.flags}",
        "in_mqtt5": f"{command}{replace(attempt.manner, is_mqtt5=True, client='paho').flags}",
        "step": STEPS[failed.name],
        "stay": f"{attempt.errand.stay_s:g}",
        "will": attempt.errand.will,
        "endpoint": str(attempt.endpoint),
        "ca_file": attempt.endpoint.ca_file,
        "topic": attempt.errand.publish,
        "filter": attempt.errand.subscribe,
        "authorizer": case.authorizer_name or case.names.authorizer,
        "function": case.names.function,
        "table": case.names.table,
        "place": case.names.place,
        "where": case.names.where,
        "aws": case.names.aws,
        "function_arn": found.function_arn if found else "",
        "action": action,
        "resource": resource,
        "reason": other.call.reason if other.call else "",
        "cause": (other.call.cause if other.call else None) or "no reason given",
        "fault": other.fault.sentence if other.fault else "",
        "met": failed.facts.get("reason") or failed.facts.get("error", ""),
        "certified": next(iter(failed.facts.get("names", ())), ""),
    }
