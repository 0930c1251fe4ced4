"""What a client may do, and the AWS IoT policy documents that say so.

Grants are written as MQTT topic filters and compiled to concrete ARNs, with no policy
variables. The two languages do not quite meet:

- `+` and `#` are plain characters in a policy, so both become `*`, which also crosses
  levels: `doors/+/state` then covers `doors/1/2/state` too. AWS has nothing narrower.
- `*` needs a level after the slash: as AWS IoT's own broker does, `sensor/#` leaves out `sensor`.
- `*` matches a leading `$`, which MQTT's wildcards do not; so a filter that begins with a
  wildcard comes with a Deny for `$aws/`, where shadows and jobs of other things live.

Nothing is escaped, because whatever would need it is refused.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from json.encoder import encode_basestring
from typing import NamedTuple

from iotauth_authorizer.credential import fingerprint
from iotauth_authorizer.event import MAX_POLICY_DOCUMENT_CHARACTERS, MAX_POLICY_DOCUMENTS

MAX_CLIENT_ID_BYTES = 128
MAX_TOPIC_BYTES = 256
MAX_TOPIC_SLASHES = 7
_SHOWN_CHARACTERS = 300  # in a message: more than the longest that is allowed

_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f]")
_INEXPRESSIBLE = re.compile(rf"[*?]|\$[{{(]|{_CONTROL.pattern}")  # what a policy would read as its own
_SHARED = r"\$share/[^/+#]{1,128}/"
_UNCOUNTED = rf"{_SHARED}|\$aws/rules/[^/+#]+/"  # prefixes outside AWS's topic limits
_Statement = tuple[str, str, list[str]]  # effect, action, JSON texts of resources
_FRAME = '{"Version":"2012-10-17","Statement":[%s]}'


class PolicyTooLarge(ValueError):
    """The grants need more than 10 documents of 2,048 characters."""


class Grants(NamedTuple):
    """What a client may do, beside connecting under its own client id.

    MQTT topic filters, but for the last two: *older_read* and *older_write* are the one
    topic each that rows of older tools carry, already in AWS's wildcards (`*`, `?`).
    A topic in *retain* or *will* may be published to as well; AWS IoT asks for both.
    """

    publish: tuple[str, ...] = ()
    subscribe: tuple[str, ...] = ()
    retain: tuple[str, ...] = ()
    will: tuple[str, ...] = ()
    older_read: str | None = None
    older_write: str | None = None

    @classmethod
    def for_topic(cls, topic: str) -> Grants:
        """Grant publish, subscribe and receive on *topic* and on everything below it."""
        below = f"{topic}/#"
        has_below = not topic.endswith("#") and _counted(below).count("/") <= MAX_TOPIC_SLASHES
        filters = (topic, below) if has_below else (topic,)
        return cls(publish=filters, subscribe=filters)

    def publish_only(self) -> Grants:
        """Return what is left over HTTP, where nothing can be subscribed to."""
        return self._replace(subscribe=(), will=(), older_read=None)


class ArnScope(NamedTuple):
    """Where the resources of a policy are: `aws`, `eu-west-1`, `123456789012`."""

    partition: str
    region: str
    account: str

    @classmethod
    def parse(cls, arn: str) -> ArnScope:
        """Take the scope from any ARN of the same account, such as the running function's.

        Raises:
            ValueError: *arn* is not an ARN with a region and an account.
        """
        parts = arn.split(":")
        if len(parts) < 6 or parts[0] != "arn" or not all(parts[i] for i in (1, 3, 4)):
            raise ValueError(f"`{arn}` is not an ARN with a region and an account")
        return cls(partition=parts[1], region=parts[3], account=parts[4])

    def client(self, client_id: str) -> str:
        return self._arn("client", client_id)

    def topic(self, topic: str) -> str:
        return self._arn("topic", topic)

    def topicfilter(self, topic_filter: str) -> str:
        return self._arn("topicfilter", topic_filter)

    def _arn(self, kind: str, name: str) -> str:
        return f"arn:{self.partition}:iot:{self.region}:{self.account}:{kind}/{name}"


def validate_client_id(text: str) -> None:
    """Refuse a client id that a policy, an ARN or a lifecycle topic cannot hold as it stands.

    Raises:
        ValueError: with the sentence to show.
    """
    if not text:
        raise ValueError("the client id is empty")
    for character in text:
        if character in "+#*?$/" or character.isspace() or _CONTROL.match(character):
            raise ValueError(f"client id {_shown(text)} contains {_named(character)}")
    if _bytes(text, "client id") > MAX_CLIENT_ID_BYTES:
        raise ValueError(f"client id {_shown(text)} is longer than {MAX_CLIENT_ID_BYTES} bytes")


def validate_topic_filter(text: str) -> None:
    """Refuse a topic filter that MQTT or AWS IoT refuses, or that a policy cannot express.

    `$aws/…` and `$share/<name>/<filter>` are the only filters that may begin with `$`.

    Raises:
        ValueError: with the sentence to show.
    """
    if not text:
        raise ValueError("the topic filter is empty")
    _validate_characters(text)
    _validate_levels(text)
    counted = _counted(text)
    if _bytes(counted, "topic filter") > MAX_TOPIC_BYTES:
        raise ValueError(f"topic filter {_shown(text)} is longer than {MAX_TOPIC_BYTES} bytes")
    if counted.count("/") > MAX_TOPIC_SLASHES:
        raise ValueError(f"topic filter {_shown(text)} has more than {MAX_TOPIC_SLASHES} slashes")


def compile_policies(grants: Grants, client_id: str, scope: ArnScope) -> tuple[str, ...]:
    """Write *grants* as policy documents: compact JSON, at most 10, at most 2,048 characters each.

    `iot:Connect` is pinned to *client_id*. The older topics are checked for policy
    variables only, as their wildcards are meant.

    Raises:
        PolicyTooLarge: the documents would be too many, or one ARN alone too long.
        ValueError: the client id or a filter cannot stand in a policy; with a sentence.
    """
    documents = _documents(_statements(grants, client_id, scope))
    if len(documents) > MAX_POLICY_DOCUMENTS:
        raise PolicyTooLarge(
            f"the grants of client `{client_id}` need {len(documents)} policy documents, "
            f"and AWS IoT takes {MAX_POLICY_DOCUMENTS}"
        )
    return tuple(documents)


def principal_id(client_id: str) -> str:
    """Name a client in AWS IoT's logs: its letters and digits, then a fingerprint of the whole id.

    1 to 128 ASCII letters and digits, always the same for one client and never for two.
    """
    readable = re.sub("[^A-Za-z0-9]", "", client_id)
    return f"{readable[:100]}x{fingerprint(client_id)}"


def _statements(grants: Grants, client_id: str, scope: ArnScope) -> list[_Statement]:
    _validate_connect(client_id)
    for topic_filter in dict.fromkeys(grants.publish + grants.retain + grants.will + grants.subscribe):
        validate_topic_filter(topic_filter)
    topic, topicfilter = scope.topic(""), scope.topicfilter("")
    received = map(_unshared, grants.subscribe)
    return [
        ("Allow", "iot:Connect", [encode_basestring(scope.client(client_id))]),
        ("Allow", "iot:Publish", _globs(topic, grants.publish + grants.retain + grants.will, grants.older_write)),
        ("Allow", "iot:RetainPublish", _globs(topic, grants.retain)),
        ("Allow", "iot:Subscribe", _globs(topicfilter, grants.subscribe, grants.older_read)),
        ("Allow", "iot:Receive", _globs(topic, received, grants.older_read)),
        ("Deny", "iot:*", [encode_basestring(prefix + "$aws/*") for prefix in _reserved(grants, topic, topicfilter)]),
    ]


def _globs(prefix: str, topic_filters: Iterable[str], older: str | None = None) -> list[str]:
    """Turn filters, and one topic that is a glob already, into JSON texts of resources, each once."""
    globs = [topic_filter.replace("+", "*").replace("#", "*") for topic_filter in topic_filters]
    if older:
        _validate_no_variable(older)
        globs.append(older)
    return [encode_basestring(prefix + glob) for glob in dict.fromkeys(globs)]


def _reserved(grants: Grants, *prefixes: str) -> tuple[str, ...]:
    """Return *prefixes* if `$aws/` must be denied under them, because a grant begins with a wildcard."""
    filters = [*map(_unshared, grants.subscribe), *grants.publish, *grants.retain, *grants.will]
    firsts = {topic_filter[0] for topic_filter in filters}
    if not firsts & {"+", "#"}:
        return ()
    if "$" in firsts:
        raise ValueError(
            "a topic filter under `$aws/` cannot be granted beside one that begins with a wildcard: "
            "the denial that keeps `$aws/` out of the wildcard's reach would cover it"
        )
    return prefixes


def _documents(statements: Sequence[_Statement]) -> list[str]:
    whole = _document({(effect, action): texts for effect, action, texts in statements if texts})
    # Nearly every client's grants fit into one document.
    return [whole] if len(whole) <= MAX_POLICY_DOCUMENT_CHARACTERS else list(_split(statements))


def _split(statements: Sequence[_Statement]) -> Iterator[str]:
    """Fill documents one after the other; a statement that straddles two is written in both."""
    page: dict[tuple[str, str], list[str]] = {}
    length = len(_document({}))
    for effect, action, texts in statements:
        wrapper = len(_statement(effect, action, ())) + 1  # with the comma between statements
        for text in texts:
            added = len(text) + 1 + (0 if (effect, action) in page else wrapper)
            if page and length + added > MAX_POLICY_DOCUMENT_CHARACTERS:
                yield _document(page)
                page, length, added = {}, len(_document({})), len(text) + 1 + wrapper
            if length + added > MAX_POLICY_DOCUMENT_CHARACTERS:
                raise PolicyTooLarge(f"a policy document cannot hold a resource of {len(text)} characters")
            page.setdefault((effect, action), []).append(text)
            length += added
    yield _document(page)


def _document(page: Mapping[tuple[str, str], Sequence[str]]) -> str:
    return _FRAME % ",".join([_statement(effect, action, texts) for (effect, action), texts in page.items()])


def _statement(effect: str, action: str, texts: Sequence[str]) -> str:
    return f'{{"Effect":"{effect}","Action":"{action}","Resource":[{",".join(texts)}]}}'


def _unshared(topic_filter: str) -> str:
    return re.sub(f"^{_SHARED}", "", topic_filter) if topic_filter[0] == "$" else topic_filter


def _counted(topic_filter: str) -> str:
    return re.sub(f"^(?:{_UNCOUNTED})", "", topic_filter) if topic_filter[0] == "$" else topic_filter


def _validate_connect(client_id: str) -> None:
    # Looser than `validate_client_id`: rows written by older tools may hold a space or a slash,
    # which an ARN takes as they are. What a policy would read as something else stays out.
    if not client_id or "$" in client_id or _INEXPRESSIBLE.search(client_id):
        raise ValueError(f"client id {_shown(client_id)} cannot stand in a policy")


def _validate_no_variable(topic: str) -> None:
    if "${" in topic or "$(" in topic or _CONTROL.search(topic):
        raise ValueError(f"topic {_shown(topic)} contains a policy variable or a control character")


def _validate_characters(text: str) -> None:
    if wrong := _INEXPRESSIBLE.search(text):
        raise ValueError(f"topic filter {_shown(text)} contains {_named(wrong[0])}")
    if text[0] == "$" and not (text.startswith("$aws/") or re.match(_SHARED, text)):
        raise ValueError(f"topic filter {_shown(text)} begins with `$`, which is reserved for `$aws/` and `$share/`")


def _validate_levels(text: str) -> None:
    if "#" in text and not (text == "#" or (text.endswith("/#") and text.count("#") == 1)):
        raise ValueError(f"topic filter {_shown(text)} has a `#` that is not the whole last level")
    if "+" in text and any("+" in level and level != "+" for level in text.split("/")):
        raise ValueError(f"topic filter {_shown(text)} has a `+` that is not a whole level")


def _bytes(text: str, kind: str) -> int:
    try:
        return len(text.encode())
    except UnicodeEncodeError as error:
        raise ValueError(f"{kind} {_shown(text)} contains {_named(text[error.start])}, half a character") from error


def _shown(text: str) -> str:
    if len(text) > _SHOWN_CHARACTERS:
        text = f"{text[:_SHOWN_CHARACTERS]}…"
    return f"`{text}`" if text.isprintable() else f"`{ascii(text)[1:-1]}`"


def _named(characters: str) -> str:
    return "a space" if characters == " " else _shown(characters)
