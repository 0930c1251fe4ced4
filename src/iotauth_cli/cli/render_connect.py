"""What test-connect shows: a line for each step, its facts below, and the verdict.

Pure: values in, lines out, none longer than *width* where words allow.
"""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from iotauth_cli.operations.connect import Asking, Diagnosis, Report, Stage, Started
    from iotauth_cli.operations.repeat import Summary, Try

Facts = Mapping[str, Any]
INDENT = "    "  # what belongs to a step stands under its name
MAX_WIDTH = 100  # longer lines are hard to read


def waiting(event: Started | Stage | Asking) -> str:
    """Return what is being waited for after *event*, or nothing."""
    name, what = getattr(event, "name", None), getattr(event, "what", None)
    if what is not None:
        return f"asking about {what} …"
    return "" if hasattr(event, "ms") else f"{name} …"


def stage_lines(event: Started | Stage | Asking, width: int) -> list[str]:
    """Return the lines of a step that is over; none for the rest."""
    if not hasattr(event, "ms"):
        return []
    stage: Stage = event  # type: ignore[assignment]
    head, *more = [text for text in TELL[stage.name](stage.facts) if text] if stage.ok else failure(stage)
    first = f"{'ok' if stage.ok else 'no'}  {stage.name:<9} {duration(stage.ms):>7}  {head}"
    return [line for text in (first, *(INDENT + text for text in more)) for line in wrapped(text, width)]


def failure(stage: Stage) -> list[str]:
    """Return what a failed step met; what it was about stands below."""
    facts = stage.facts
    met = facts.get("reason") or facts.get("error") or ", ".join(facts.get("tried", ())) or str(stage.symptom)
    about = [text for text in ABOUT.get(stage.name, nothing)(facts) if text]
    return [met, *about]


def duration(ms: float) -> str:
    return f"{ms:.0f} ms" if ms < 10_000 else f"{ms / 1000:.1f} s"


def precise(ms: float) -> str:
    return f"{ms:.1f} ms" if ms < 100 else duration(ms)


def wrapped(text: str, width: int, indent: str = INDENT) -> list[str]:
    return textwrap.wrap(
        text,
        min(width, MAX_WIDTH),
        subsequent_indent=indent,
        break_long_words=False,
        break_on_hyphens=False,
        drop_whitespace=True,
    )


def nothing(_facts: Facts) -> Iterator[str]:
    yield from ()


def dns(facts: Facts) -> Iterator[str]:
    yield ", ".join(facts["addresses"])


def tcp(facts: Facts) -> Iterator[str]:
    yield f"{facts['address']}, port {facts['port']}"


def tls(facts: Facts) -> Iterator[str]:
    yield f"{facts['version']}, {facts['cipher']}"
    yield from certificate(facts)
    if facts.get("chain"):
        through = ", ".join(f"`{name}`" for name in facts["chain"])
        yield f"trusted by root `{facts['root']}`, valid until {facts['root_not_after'][:10]}, through {through}"


def certificate(facts: Facts) -> Iterator[str]:
    asked = f"for `{facts['server_name']}`" if facts["server_name"] else "no server name sent"
    shown = f"certificate `{facts['subject']}`, signed by `{facts['issuer']}`" if "subject" in facts else None
    until = f"valid until {facts['not_after'][:10]}" if "not_after" in facts else None
    yield ", ".join(filter(None, (asked, shown, until)))


def alpn(facts: Facts) -> Iterator[str]:
    offered = ", ".join(f"`{name}`" for name in facts["offered"]) or "nothing"
    selected = f"`{facts['selected']}`" if facts["selected"] else "nothing"
    yield f"offered {offered}, selected {selected}"


def upgrade(facts: Facts) -> Iterator[str]:
    yield f"{facts['status']}, sub-protocol `{facts['subprotocol']}`, path `{facts['path']}`"
    yield from carried(facts)


def carried(facts: Facts) -> Iterator[str]:
    headers = ", ".join(f"`{name}`" for name in facts["headers"])
    yield f"headers {headers}" if headers else ""


def request(facts: Facts) -> Iterator[str]:
    said = f", `{facts['message']}`" if "message" in facts else ""
    yield f"{facts['answer']}{said}"
    yield from posted(facts)


def posted(facts: Facts) -> Iterator[str]:
    kept = ", retained" if facts["retain"] else ""
    yield f"`{facts['topic']}`, QoS {facts['qos']}{kept}, {facts['bytes']} bytes"
    yield from carried(facts)


def connect(facts: Facts) -> Iterator[str]:
    yield f"{facts['reason']}{size(facts)}"
    yield f"user name `{facts['username']}`"
    yield by(facts)
    yield from will(facts)
    yield ", ".join(facts.get("terms", ()))


def size(facts: Facts) -> str:
    return f", packet of {facts['packet_bytes']} bytes" if "packet_bytes" in facts else ""


def by(facts: Facts) -> str:
    return f"by `{facts['client']}`, which makes a connection of its own" if "client" in facts else ""


def will(facts: Facts) -> Iterator[str]:
    yield f"with a will on `{facts['will']}`" if "will" in facts else ""


def device(facts: Facts) -> Iterator[str]:
    yield f"user name `{facts['username']}`{size(facts)}"
    yield by(facts)
    yield "" if facts["password"] else "no password was sent"
    yield from will(facts)


def subscribe(facts: Facts) -> Iterator[str]:
    yield f"`{facts['filter']}`, QoS {facts['qos']}"


def publish(facts: Facts) -> Iterator[str]:
    yield f"`{facts['topic']}`, QoS {facts['qos']}{', retained' if facts.get('retain') else ''}"


def receive(_facts: Facts) -> Iterator[str]:
    yield "the message came back"


def stay(facts: Facts) -> Iterator[str]:
    yield f"still connected after {facts['lasted_s']:g} s"


def end(_facts: Facts) -> Iterator[str]:
    yield "disconnected"


Tell = Callable[[Facts], Iterator[str]]
TELL: Mapping[str, Tell] = {
    "dns": dns,
    "tcp": tcp,
    "tls": tls,
    "alpn": alpn,
    "upgrade": upgrade,
    "request": request,
    "connect": connect,
    "subscribe": subscribe,
    "publish": publish,
    "receive": receive,
    "stay": stay,
    "end": end,
}
ABOUT: Mapping[str, Tell] = {
    "tls": certificate,
    "upgrade": carried,
    "request": posted,
    "connect": device,
    "subscribe": lambda facts: iter([f"filter `{facts['filter']}`"]),
    "publish": lambda facts: iter([f"topic `{facts['topic']}`"]),
}


def try_lines(done: Try, width: int) -> list[str]:
    """Return one try in a line: how long it took, or what stopped it."""
    report, number = done.report, f"{done.number:>{len(str(done.of))}}"
    last = report.stages[-1]
    if report.ok:
        return [f"ok  {number}  {duration(sum(stage.ms for stage in report.stages)):>7}"]
    cause = report.diagnosis.cause if report.diagnosis else str(last.symptom)
    return wrapped(f"no  {number}  {duration(last.ms):>7}  {last.name}: {failure(last)[0]} ({cause})", width)


def progress(seen: Summary, event: Started | Stage | Asking | Try) -> str:
    """Return the line that says how far the tries have come, and what is being waited for."""
    now = waiting(event) if not hasattr(event, "report") else ""
    return f"{seen.count} of {seen.of or '…'} tries, {seen.ok} ok{'; ' + now if now else ''}"


def summary(seen: Summary, width: int) -> list[str]:
    """Return what the tries came to: counts, causes, and the times of each step."""
    of = f" of {seen.of}" if seen.count < seen.of else ""
    unknown = seen.count - seen.ok - seen.refused
    counts = [f"{seen.ok} ok", f"{seen.refused} refused"] + ([f"{unknown} without an answer"] if unknown else [])
    lines = ["", f"{seen.count}{of} {'try' if seen.count == 1 else 'tries'}: {', '.join(counts)}"]
    for cause, count in seen.causes.most_common():
        lines += wrapped(f"{count} × {cause}: {seen.sentences[cause]}", width)
    lines += ["", f"{'step':<9}  {'ok':>5}  {'min':>8}  {'median':>8}  {'max':>8}"] if seen.stages else []
    for name, (count, *times) in seen.stages.items():
        lines.append(f"{name:<9}  {count:>5}  " + "  ".join(f"{precise(ms):>8}" for ms in times))
    return lines


def verdict(report: Report, width: int) -> list[str]:
    """Return how it ended, and on a bad end the one thing that is wrong and what mends it."""
    client = report.knock.login.client_id
    if report.diagnosis is not None:
        return ["", *diagnosis(report.diagnosis, width)]
    came_back = any(stage.name == "receive" for stage in report.stages)
    is_request = any(stage.name == "request" for stage in report.stages)
    done = "and its message was taken" if is_request else "and did what it was asked to"
    message = "and its message came back" if came_back else done
    return ["", *wrapped(f"client `{client}` was let in by `{report.knock.endpoint}`, {message}", width, "")]


def diagnosis(found: Diagnosis, width: int) -> list[str]:
    parts = [
        ("diagnosis", found.sentence),
        *(("evidence", text) for text in found.evidence),
        ("remedy", found.remedy),
        ("reference", found.reference),
    ]
    before = ["", *(label for label, _ in parts)]
    return [
        line
        for (label, text), last in zip(parts, before, strict=False)
        for line in wrapped(f"{'' if label == last else label:<9}  {text}", width, " " * 11)
    ]
