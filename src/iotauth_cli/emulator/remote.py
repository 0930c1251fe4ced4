"""Talk to a running emulator's own API: the other end of `emulator.admin`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from iotauth_cli.emulator import environment, lock
from iotauth_cli.emulator.admin import HEADER, PATH
from iotauth_cli.errors import EmulatorError, InputError

TIMEOUT_S = 60.0  # a clock that is moved by a day calls functions on the way

Members = dict[str, Any]


def ask(state_dir: Path, noun: str, **query: str) -> Members:
    """Return what the emulator of *state_dir* says of *noun*.

    Raises:
        EmulatorError: it is not running, or does not answer.
        InputError: it does not understand *query*.
    """
    from urllib.parse import urlencode

    return _call(state_dir, "GET", f"{noun}?{urlencode(query)}" if query else noun)


def tell(state_dir: Path, verb: str, **members: Any) -> Members:
    """Have the emulator of *state_dir* do *verb*, and return what it says.

    Raises:
        EmulatorError: it is not running, does not answer, or cannot do it now.
        InputError: it does not take *members*.
    """
    return _call(state_dir, "POST", verb, members)


def _call(state_dir: Path, method: str, path: str, members: Members | None = None) -> Members:
    import http.client
    from urllib.parse import urlsplit

    address = urlsplit(_control_endpoint(state_dir)).netloc
    connection = http.client.HTTPConnection(address, timeout=TIMEOUT_S)
    try:
        body = None if members is None else json.dumps(members)
        connection.request(method, PATH + path, body, {HEADER: "1", "content-type": "application/json"})
        response = connection.getresponse()
        answer: Members = json.loads(response.read())
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise EmulatorError(f"the emulator at {address} does not answer: {error}") from error
    finally:
        connection.close()
    if response.status != http.client.OK:
        raise _error(answer)
    return answer


def _control_endpoint(state_dir: Path) -> str:
    ready = environment.read(state_dir)
    if ready is None or not lock.is_held(state_dir):
        raise EmulatorError("the emulator is not running", hint="start it with `iotauth emulator start`")
    return ready.control_endpoint


def _error(answer: Members) -> EmulatorError | InputError:
    kind = InputError if answer.get("error") == InputError.code else EmulatorError
    return kind(str(answer.get("message")), answer.get("hint"))
