"""Answers of authorizers that are kept for HTTP: with `enableCachingForHttp`, on one open connection.

An answer counts for the next request only if that brings the same credentials: a proxy may send
the requests of many devices over one connection, and none may come in on another's answer. What
a function can see is everything, so everything must be the same but what describes the message.
Source: AWS IoT developer guide, "Understanding the custom authentication workflow".
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass

from iotauth_authorizer.event import Answer, ConnectRequest
from iotauth_cli.emulator.model import Authorizer
from iotauth_cli.emulator.presented import Pairs, http_parameters

MAX_CONNECTIONS = 1024  # with a kept answer; the one that was silent longest asks its function again
ABOUT_THE_MESSAGE = frozenset(
    {"qos", "retain", "contenttype", "responsetopic", "messageexpiry"}
    | {"content-length", "content-type", "transfer-encoding", "expect", "date"}
    | {"x-amz-mqtt5-correlation-data", "x-amz-mqtt5-payload-format-indicator", "x-amz-mqtt5-user-properties"}
)


@dataclass(frozen=True)
class Question:
    """Who is asked about whom: requests whose questions are equal may share an answer."""

    authorizer: Authorizer
    server_name: str | None
    token: str | None
    credentials: Pairs


def question(authorizer: Authorizer, request: ConnectRequest) -> Question:
    """Return what *request* asks of *authorizer*, without what it says of its message."""
    pairs = http_parameters(request.http_headers.items(), request.query_string)
    credentials = tuple(pair for pair in pairs if pair[0] not in ABOUT_THE_MESSAGE)
    # The token by itself, because its owner may have named it like a header that describes the message.
    return Question(authorizer, request.server_name, request.token, credentials)


class AnswerCache:
    """The last answer of each connection, for as long as it may be used (the emulator's seconds)."""

    def __init__(self) -> None:
        self._kept: OrderedDict[str, tuple[Question, Answer, float]] = OrderedDict()

    def find(self, connection: str, asked: Question, now: float) -> Answer | None:
        kept = self._kept.get(connection)
        if kept is None or kept[0] != asked or now >= kept[2]:
            return None
        self._kept.move_to_end(connection)
        return kept[1]

    def keep(self, connection: str, asked: Question, answer: Answer, now: float) -> None:
        until = now + min(answer.refresh_after_s, answer.disconnect_after_s)
        self._kept[connection] = (asked, answer, until)
        self._kept.move_to_end(connection)
        if len(self._kept) > MAX_CONNECTIONS:
            self._kept.popitem(last=False)
