"""What `lint` knows, as a table: each rule with the reason why it is one.

`error` is what AWS IoT refuses or what keeps the device out; `warning` is what works otherwise
than it reads, or gives more than it should.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

Severity = Literal["error", "warning"]


@dataclass(frozen=True)
class Rule:
    """A rule of lint. *example* is the smallest text that breaks it, *better* what to write instead."""

    slug: str
    severity: Severity
    explanation: str
    example: str
    better: str


_TABLE = (
    Rule(
        "any-client",
        "warning",
        "iot:Connect on every client id lets a device log in under another's, which throws that one out and takes "
        "over its queued messages. `client/${iot:ClientId}` is no better: every client has its own client id.",
        "Allow iot:Connect on client/*",
        "Allow iot:Connect on client/door-7",
    ),
    Rule(
        "client-id-injection",
        "warning",
        "The device chooses its client id freely and a variable puts it into other resources, so the device chooses "
        "whose topics it gets.",
        "Allow iot:Connect on client/*, iot:Publish on topic/${iot:ClientId}/*",
        "Allow iot:Connect on client/door-7, iot:Publish on topic/door-7/*",
    ),
    Rule(
        "deny-subscribe-only",
        "warning",
        "A Deny of iot:Subscribe compares filter texts. Whoever subscribes to a wider filter, `#` for one, still gets "
        "the messages; only a Deny of iot:Receive keeps them back.",
        "Deny iot:Subscribe on topicfilter/secret/*",
        "Deny iot:Subscribe on topicfilter/secret/*, iot:Receive on topic/secret/*",
    ),
    Rule(
        "document-too-long",
        "error",
        "AWS IoT takes documents of 2,048 characters from an authorizer and refuses the whole answer otherwise: "
        "the device is not let in.",
        "a document of 2,049 characters",
        "two documents, or one `*` for several topics",
    ),
    Rule(
        "duplicate",
        "warning",
        "A statement that says what another says uses up characters and hides which of them counts.",
        "the same statement twice",
        "one of them",
    ),
    Rule(
        "mqtt-wildcard",
        "warning",
        "In a policy `+` and `#` are plain characters. No topic that is published has them, so a topic/… resource "
        "with one matches nothing. In topicfilter/… they are right: the filter's own text is compared.",
        "Allow iot:Publish on topic/doors/+/state",
        "Allow iot:Publish on topic/doors/*/state",
    ),
    Rule(
        "never-applies",
        "warning",
        "An explicit Deny beats every Allow, so an Allow that a Deny covers whole gives nothing.",
        "Allow iot:Publish on topic/a/b, Deny iot:Publish on topic/a/*",
        "a narrower Deny, or no Allow",
    ),
    Rule(
        "no-connect",
        "error",
        "Without iot:Connect the device is refused at CONNECT, whatever else it may do.",
        "Allow iot:Publish on topic/a",
        "Allow iot:Connect on client/door-7, iot:Publish on topic/a",
    ),
    Rule(
        "no-value",
        "warning",
        "No thing and no certificate belongs to a connection with custom authentication, so their variables have no "
        "value, and what names them matches nothing.",
        "Allow iot:Publish on topic/${iot:Connection.Thing.ThingName}",
        "Allow iot:Publish on topic/door-7",
    ),
    Rule(
        "over-broad",
        "warning",
        "A grant of every topic, or of every action, makes one leaked password the password of the whole fleet.",
        "Allow iot:Publish on topic/*",
        "Allow iot:Publish on topic/doors/door-7/*",
    ),
    Rule(
        "shadowed",
        "warning",
        "Another statement says this and more, so this one changes nothing, and whoever narrows it sees no effect.",
        "Allow iot:Publish on topic/a/*, Allow iot:Publish on topic/a/b",
        "one of them",
    ),
    Rule(
        "subscribe-without-receive",
        "warning",
        "iot:Subscribe lets the device subscribe, iot:Receive lets messages through. Without the second the "
        "subscription is granted and stays silent.",
        "Allow iot:Subscribe on topicfilter/a",
        "Allow iot:Subscribe on topicfilter/a, iot:Receive on topic/a",
    ),
    Rule(
        "too-many-documents",
        "error",
        "AWS IoT takes ten documents from an authorizer and refuses the whole answer otherwise.",
        "eleven documents",
        "more statements in each",
    ),
    Rule(
        "unknown-condition",
        "warning",
        "AWS IoT documents few condition keys for policies, and fewer that have a value under custom authentication. "
        "An Allow whose condition cannot be told gives nothing.",
        "Condition Bool on iot:Connection.Thing.IsAttached",
        "a condition on iot:ClientId, or the decision in the function",
    ),
    Rule(
        "variables-not-replaced",
        "warning",
        "`${…}` is a variable under Version 2012-10-17 only; before, and without a Version, it is plain text.",
        "no Version, topic/${iot:ClientId}",
        "Version 2012-10-17",
    ),
    Rule(
        "wrong-resource-type",
        "warning",
        "Each action asks about one kind of resource: iot:Connect about client/…, iot:Subscribe about topicfilter/…, "
        "the others about topic/…. Another kind never matches.",
        "Allow iot:Subscribe on topic/a",
        "Allow iot:Subscribe on topicfilter/a",
    ),
)

RULES: Mapping[str, Rule] = {rule.slug: rule for rule in _TABLE}
