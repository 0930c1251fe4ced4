"""The emulator's own API: who may call it, and what a refusal looks like at the other end."""

from __future__ import annotations

import asyncio
import contextlib
import json
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from iotauth_cli.emulator import admin, remote
from iotauth_cli.emulator.admin import Admin
from iotauth_cli.emulator.model import HttpRequest
from iotauth_cli.errors import EmulatorError, InputError
from support_emulator import RunningEmulator

OURS = (("host", "localhost"), (admin.HEADER, "1"))


async def echo(members: dict[str, Any]) -> dict[str, Any]:
    return {"got": members}


async def too_much(members: dict[str, Any]) -> dict[str, Any]:
    raise InputError("that is too much", hint="ask for less")


async def not_now(members: dict[str, Any]) -> dict[str, Any]:
    raise EmulatorError("not now")


def call(
    method: str,
    path: str,
    body: bytes = b"",
    headers: tuple[tuple[str, str], ...] = OURS,
    peer: str = "127.0.0.1",
) -> tuple[int, Any]:
    room = Admin(nouns={"weather": echo}, verbs={"rain": echo, "pour": too_much, "snow": not_now})
    request = HttpRequest(method, admin.PATH + path, headers, body, peer=peer)
    response = asyncio.run(room.handle(request))
    return response.status, json.loads(response.body)


def test_a_noun_gets_its_query_and_a_verb_its_members() -> None:
    """Rooms see plain dictionaries, whichever way the members came."""
    assert call("GET", "weather?place=K%C3%B6ln") == (200, {"got": {"place": "Köln"}})
    assert call("POST", "rain", b'{"mm": 3}') == (200, {"got": {"mm": 3}})
    assert call("POST", "rain") == (200, {"got": {}})


@pytest.mark.parametrize(
    ("headers", "peer"),
    [
        pytest.param((("host", "localhost"),), "127.0.0.1", id="without the header"),
        pytest.param((("host", "localhost"), (admin.HEADER, "0")), "127.0.0.1", id="with another value"),
        pytest.param(OURS, "192.0.2.7", id="from another machine"),
        pytest.param(OURS, "", id="from nobody knows where"),
    ],
)
def test_only_this_machine_may_call_and_no_web_page(headers: tuple[tuple[str, str], ...], peer: str) -> None:
    """The header is what a page of another origin cannot send; nothing is done without it."""
    status, body = call("POST", "rain", headers=headers, peer=peer)
    assert (status, body["error"]) == (403, "refused")


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("GET", "fog", 404), ("GET", "rain", 405), ("POST", "weather", 405), ("DELETE", "rain", 405)],
)
def test_what_is_not_there_is_not_found(method: str, path: str, status: int) -> None:
    """An unknown name and a wrong method are told apart."""
    assert call(method, path)[0] == status


@pytest.mark.parametrize("body", [b"{", b"[]", b"\xff"])
def test_a_verb_takes_a_json_object_and_nothing_else(body: bytes) -> None:
    """A broken body is the caller's fault and never reaches the room."""
    status, answer = call("POST", "rain", body)
    assert (status, answer["error"]) == (400, "bad-input")


def test_what_a_room_refuses_is_told_with_its_hint() -> None:
    """The sentence and its hint arrive; the status tells a wrong request from a wrong moment."""
    assert call("POST", "pour") == (400, {"error": "bad-input", "message": "that is too much", "hint": "ask for less"})
    assert call("POST", "snow") == (409, {"error": "emulator", "message": "not now", "hint": None})


@pytest.mark.parametrize(
    ("read", "good", "bad"),
    [
        (admin.text, ["", "a"], [None, 1, True]),
        (admin.number, [1, 0.5], [None, "1", True, 10**400]),
        (admin.flag, [True, False], [None, 1, "true"]),
    ],
)
def test_members_are_of_the_kind_that_the_room_wants(read: Any, good: list[Any], bad: list[Any]) -> None:
    """A member of another kind is refused by its name."""
    assert [read({"mm": value}, "mm") for value in good] == good
    for value in bad:
        with pytest.raises(InputError, match="`mm` must be"):
            read({"mm": value}, "mm")


@pytest.mark.parametrize(
    ("headers", "status"),
    [({}, 403), ({admin.HEADER: "1", "Host": "rebound.example.com"}, 403), ({admin.HEADER: "1"}, 200)],
    ids=["without the header", "by a name that was led here", "as ours"],
)
def test_the_running_emulator_answers_only_those_who_ask_properly(
    emulator: RunningEmulator, headers: dict[str, str], status: int
) -> None:
    """On the control port the path is the emulator's own, and both checks stand before it."""
    connection = HTTPConnection(urlsplit(emulator.ready.control_endpoint).netloc, timeout=10)
    with contextlib.closing(connection):
        connection.request("GET", f"{admin.PATH}clock", headers=headers)
        assert connection.getresponse().status == status


def test_asking_an_emulator_that_does_not_run_says_so(tmp_path: Path) -> None:
    """Nothing is connected to: the state directory tells."""
    with pytest.raises(EmulatorError, match="the emulator is not running"):
        remote.ask(tmp_path, "clock")
