"""What the policy commands show."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from iotauth_cli.cli.output import terminal_width

if TYPE_CHECKING:
    from iotauth_cli.operations.policies import Finding, Held, Linted, Ruling, Survey

NEAR_SHOWN = 2
GRANTED_SHOWN = 4
NAME_WIDTH = 11
PHRASES = {
    "connect": "connect",
    "publish": "publish to",
    "retain": "publish a retained message to",
    "will": "leave a last will on",
    "subscribe": "subscribe to",
    "receive": "receive what is published to",
}


def ruling(found: Ruling) -> list[str]:
    what = PHRASES[found.verb] + (f" `{found.topic}`" if found.topic else "")
    answer = f"yes: client `{found.held.client_id}` may {what}"
    if not found.allowed:
        answer = f"no: client `{found.held.client_id}` may not {what}"
    facts = [("because", reason) for reason in reasons(found)]
    facts += [("near miss", str(miss)) for miss in found.near[:NEAR_SHOWN]]
    if not found.allowed and not found.near and found.granted:
        more = f" and {len(found.granted) - GRANTED_SHOWN} more" if len(found.granted) > GRANTED_SHOWN else ""
        facts.append(("granted", ", ".join(found.granted[:GRANTED_SHOWN]) + more))
    facts += [("but", note) for note in found.notes]
    return [answer, *(line for name, text in (*facts, ("source", found.held.source)) for line in fact(name, text))]


def reasons(found: Ruling) -> list[str]:
    if found.held.kept_out is not None:
        return [found.held.kept_out]
    if found.barred is not None:
        return [found.barred]
    # That it may connect goes without saying, where that is not the question.
    decisions = found.decisions if found.verb == "connect" or not found.allowed else found.decisions[1:]
    return [decision.because for decision in decisions if decision.allowed == found.allowed]


def fact(name: str, text: str) -> list[str]:
    """Return `name  text`, folded to the terminal's width under its first line."""
    import textwrap

    width = max(terminal_width() - NAME_WIDTH, 20)
    lines = textwrap.wrap(text, width, break_long_words=False, break_on_hyphens=False) or [""]
    return [f"{name:<{NAME_WIDTH}}{lines[0]}", *(" " * NAME_WIDTH + line for line in lines[1:])]


def ruling_document(found: Ruling) -> dict[str, Any]:
    return {
        "ok": found.allowed,
        "client_id": found.held.client_id,
        "action": found.verb,
        "topic": found.topic,
        "source": found.held.source,
        "kept_out": found.held.kept_out,
        "barred": found.barred,
        "decisions": [
            {
                "effect": decision.effect,
                "action": decision.action,
                "resource": decision.resource,
                "because": decision.because,
                "trace": list(decision.trace),
            }
            for decision in found.decisions
        ],
        "near_misses": [
            {
                "document": miss.where.document,
                "statement": miss.where.statement,
                "granted": miss.granted,
                "why": miss.why,
            }
            for miss in found.near
        ],
        "granted": list(found.granted),
        "notes": list(found.notes),
    }


def held(found: Held) -> list[str]:
    lines = [f"{found.kept_out}: AWS IoT gets no policy of it"] if found.kept_out else []
    for number, (text, document) in enumerate(zip(found.texts, found.documents, strict=True), 1):
        lines.append(f"document {number} of {len(found.texts)}, {document.characters} of 2048 characters")
        lines += json.dumps(json.loads(text), indent=2, ensure_ascii=False).splitlines()
    return [*lines, *fact("source", found.source)]


def held_document(found: Held) -> dict[str, Any]:
    return {
        "ok": found.kept_out is None,
        "client_id": found.client_id,
        "source": found.source,
        "kept_out": found.kept_out,
        "policy_documents": [json.loads(text) for text in found.texts],
        "characters": [document.characters for document in found.documents],
    }


def survey(found: Survey) -> list[str]:
    lines = [line for each in found.unwell for line in linted(each)]
    total = sum(len(each.findings) + (each.problem is not None) for each in found.unwell)
    policies = "policy" if found.looked_at == 1 else "policies"
    return [*lines, f"{total or 'no'} finding{'' if total == 1 else 's'} in {found.looked_at} {policies}"]


def linted(found: Linted) -> list[str]:
    lines = [] if found.problem is None else [f"error: {found.subject}: {found.problem}"]
    for finding in found.findings:
        place = f"{found.subject}, {finding.place}" if finding.place else found.subject
        lines.append(f"{finding.severity} {finding.slug}: {place}")
        lines += [*fact("  found", finding.sentence), *fact("  remedy", finding.remedy)]
    return lines


def survey_document(found: Survey) -> dict[str, Any]:
    return {
        "ok": found.ok,
        "policies": found.looked_at,
        "findings": [
            {"subject": each.subject, **finding_document(finding)} for each in found.unwell for finding in each.findings
        ],
        "problems": [
            {"subject": each.subject, "problem": each.problem} for each in found.unwell if each.problem is not None
        ],
    }


def finding_document(finding: Finding) -> dict[str, Any]:
    return {
        "rule": finding.slug,
        "severity": finding.severity,
        "document": finding.document,
        "statement": finding.statement,
        "sentence": finding.sentence,
        "remedy": finding.remedy,
    }


def rules() -> list[str]:
    from iotauth_cli.operations.policies import RULES

    lines: list[str] = []
    for rule in RULES.values():
        lines += [f"{rule.slug} ({rule.severity})", *fact("", rule.explanation)]
        lines += [*fact("  not", rule.example), *fact("  but", rule.better)]
    return lines


def rules_document() -> list[dict[str, str]]:
    from dataclasses import asdict

    from iotauth_cli.operations.policies import RULES

    return [asdict(rule) for rule in RULES.values()]
