"""The page's WebSocket, ``GET /_emulator/messages``: the MQTT test client of AWS's console, in JSON.

    page                                              emulator
    {"subscribe": "a/#"}                              {"answer": {"topic_filter": "a/#"}}
    {"unsubscribe": "a/#"}                            {"answer": {"topic_filter": "a/#"}}
    {"publish": {"topic", "payload", "qos", …}}       {"answer": {"topic": "a/b", "bytes": 5}}
    anything else                                     {"error", "message", "hint"}
                                                      {"messages": [{"topic", …}, …], "dropped": 0}

A frame of text is one request and gets one answer, in its order. Messages come in between, several in a
frame: what passes quickly costs devices the noting only. To a page that does not read nothing is sent until
it does, and nothing of it is read; so what waits for it is bounded.
"""

from __future__ import annotations

import asyncio
import io
import json
from collections.abc import Callable, Mapping
from typing import Any

from wsproto.events import Message, TextMessage
from wsproto.frame_protocol import CloseReason

from iotauth_cli.emulator.admin import Members, Socket, explain, parse, text
from iotauth_cli.emulator.behaviour import Behaviour
from iotauth_cli.emulator.broker import Broker
from iotauth_cli.emulator.page.traffic import Watch, publish
from iotauth_cli.emulator.websocket import WebSocket
from iotauth_cli.errors import InputError, IotauthError

SUBPROTOCOL = "iotauth.messages.v1"
MAX_CHARACTERS = 1_048_576  # of a request; 128 KB of payload are six times as many if JSON escapes each
TELL_AFTER_S = 0.05  # a person sees no delay


class MessageSockets:
    """The WebSockets of all pages that are open, for `Admin`."""

    def __init__(self, broker: Broker, behaviour: Behaviour) -> None:
        self._broker = broker
        self._behaviour = behaviour
        self._open: set[WebSocket] = set()
        self.sockets: Mapping[str, Socket] = {"messages": Socket(SUBPROTOCOL, self._new)}

    def close(self) -> None:
        """Hang up on every page."""
        for websocket in list(self._open):
            websocket.hang_up()

    def _new(self) -> WebSocket:
        return MessageSocket(self._broker, self._behaviour, self._open)


class MessageSocket(WebSocket):
    """One page's."""

    kind = TextMessage

    def __init__(self, broker: Broker, behaviour: Behaviour, open_websockets: set[WebSocket]) -> None:
        super().__init__(open_websockets)
        self._broker = broker
        self._behaviour = behaviour
        self._request = io.StringIO()
        self._telling: asyncio.TimerHandle | None = None
        self._handlers: Mapping[str, Callable[[Members], Members]] = {
            "subscribe": self._subscribe,
            "unsubscribe": self._unsubscribe,
            "publish": self._publish,
        }

    def opened(self, transport: asyncio.Transport) -> None:
        self._watch = Watch(self._broker, self._behaviour.subscriptions_per_connection, self._tell_soon)

    def lost(self, exc: Exception | None) -> None:
        self._watch.close()
        if self._telling is not None:
            self._telling.cancel()

    def received(self, message: Message[Any]) -> None:
        self._request.write(message.data)
        if self._request.tell() > MAX_CHARACTERS:
            self.close(CloseReason.MESSAGE_TOO_BIG)
        elif message.message_finished:
            request, self._request = self._request.getvalue(), io.StringIO()
            self._say(self._answer(request))

    def pause_writing(self) -> None:
        super().pause_writing()
        if self._transport is not None:
            self._transport.pause_reading()

    def resume_writing(self) -> None:
        super().resume_writing()
        if self._transport is not None:
            self._transport.resume_reading()
        self._tell()

    # Requests

    def _answer(self, request: str) -> Members:
        try:
            members = parse(request)
            name = next(iter(members), "")
            if len(members) != 1 or name not in self._handlers:
                raise InputError(f"a request is one of {', '.join(f'`{each}`' for each in self._handlers)}")
            return {"answer": self._handlers[name](members)}
        except IotauthError as error:
            return explain(error)
        except UnicodeEncodeError:
            return explain(InputError("half of a surrogate pair is no text"))

    def _subscribe(self, members: Members) -> Members:
        topic_filter = text(members, "subscribe")
        self._watch.subscribe(topic_filter)
        return {"topic_filter": topic_filter}

    def _unsubscribe(self, members: Members) -> Members:
        topic_filter = text(members, "unsubscribe")
        self._watch.unsubscribe(topic_filter)
        return {"topic_filter": topic_filter}

    def _publish(self, members: Members) -> Members:
        message = members["publish"]
        if not isinstance(message, dict):
            raise InputError("`publish` must be a JSON object")
        return publish(self._broker, self._behaviour, message)

    # Messages

    def _tell_soon(self) -> None:
        self._telling = asyncio.get_running_loop().call_later(TELL_AFTER_S, self._tell)

    def _tell(self) -> None:
        news = None if self._is_paused else self._watch.take()
        if news is not None:
            self._say(news)

    def _say(self, members: Members) -> None:
        self.send(TextMessage(json.dumps(members)))
