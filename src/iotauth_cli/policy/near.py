"""What almost allows a request, and what keeps it from doing so.

A refusal is silent on the wire, and the reason is most often a grant that means something else
than its author thought: MQTT's wildcards where a policy compares text, a filter where a topic is
asked, a slash. Each statement that would allow the request but for one such thing is a near miss.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from iotauth_cli.policy.binding import BoundStatement, StatementReference, bind, resource_name
from iotauth_cli.policy.document import Document
from iotauth_cli.policy.evaluate import Request
from iotauth_cli.policy.match import compile_pattern
from iotauth_cli.policy.variables import NoValue, expand

MQTT_WILDCARDS = str.maketrans("+#", "**")


@dataclass(frozen=True)
class NearMiss:
    """A statement that nearly allows it. *granted* is its resource in short, *why* what differs."""

    where: StatementReference
    granted: str
    why: str

    def __str__(self) -> str:
        return f"{self.where}: {self.why}"


def near_misses(documents: Sequence[Document], request: Request) -> tuple[NearMiss, ...]:
    """Return the near misses of *request*, which *documents* do not allow, the nearest first."""
    found: list[tuple[int, NearMiss]] = []
    for bound in bind(documents, request.context):
        if bound.is_deny or bound.statement.is_not_resource:
            continue
        for resource in bound.statement.resources:
            miss = next(_of(bound, resource, request), None)
            if miss is not None:
                distance, why = miss
                found.append((distance, NearMiss(bound.reference, resource_name(resource), why)))
    return tuple(miss for _, miss in sorted(found, key=lambda each: each[0]))


def _of(bound: BoundStatement, resource: str, request: Request) -> Iterator[tuple[int, str]]:
    """Yield how far off *resource* is and why, the nearest first."""
    granted, asked = resource_name(resource), resource_name(request.resource)
    if not bound.covers_action(request.action):
        if _matches(_rest(granted), _rest(asked), request):
            actions = ", ".join(bound.statement.actions)
            distance = 5 + (_kind(granted) != _kind(asked))
            yield distance, f"{granted} is granted for {actions}, and {request.action} is asked"
        return
    if _matches(resource, request.resource, request):
        yield 0, bound.explain(request.action, request.resource).reason
        return
    if _matches(granted, asked, request):
        scope, own = (text.removesuffix(resource_name(text)) for text in (resource, request.resource))
        yield 2, f"{granted} is granted in `{scope}`, and this connection is in `{own}`"
    yield from _by_text(granted, asked, request)
    if _kind(granted) != _kind(asked) and _matches(_rest(granted), _rest(asked), request):
        yield 2, f"{granted} is granted, and {request.action} asks about {asked}"


def _by_text(granted: str, asked: str, request: Request) -> Iterator[tuple[int, str]]:
    starred = granted.translate(MQTT_WILDCARDS)
    if starred != granted and _matches(starred, asked, request):
        yield 1, f"{granted} is compared as text, where `+` and `#` are plain characters; {starred} would match {asked}"
    if granted.endswith("/*") and _matches(granted[:-2], asked, request):
        yield 1, f"{granted} covers what lies below {asked}, not {asked} itself"
    if _matches(_squeezed(granted), _squeezed(asked), request):
        yield 1, f"{granted} and {asked} differ by a slash, which makes another topic"
    if _matches(granted.lower(), asked.lower(), request):
        yield 1, f"{granted} and {asked} differ in upper and lower case"


def _matches(pattern: str, text: str, request: Request) -> bool:
    try:
        return compile_pattern(expand(pattern, request.context.variables)).matches(text)
    except NoValue:
        return False


def _kind(name: str) -> str:
    return name.partition("/")[0]


def _rest(name: str) -> str:
    kind, slash, rest = name.partition("/")
    return rest if slash and kind in ("topic", "topicfilter", "client") else name


def _squeezed(name: str) -> str:
    return "/".join(level for level in name.split("/") if level)
