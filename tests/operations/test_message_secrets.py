"""What is masked in messages that come: secrets of ours, and nothing that only looks like one."""

from __future__ import annotations

import base64

from iotauth_authorizer.credential import new_secret
from iotauth_cli.operations.message_secrets import masked
from iotauth_cli.probe.conversation import Message
from iotauth_cli.secret import MASK, Secret

SECRET = new_secret()
NO_SECRET = SECRET[:-1] + ("0" if SECRET[-1] != "0" else "1")  # its checksum is wrong


def shown(payload: str, *known: str) -> str:
    return masked(Message("t", payload.encode()), [Secret(each) for each in known]).payload.decode()


def test_a_generated_secret_is_masked_wherever_it_stands() -> None:
    """In payload, topic and properties; somebody else's too, since it is known by its checksum."""
    properties = {"content_type": SECRET, "user_properties": [["password", SECRET]], "expires_in_s": 60}
    found = masked(Message(f"a/{SECRET}", f'{{"p":"{SECRET}"}}'.encode(), properties=properties), [])
    assert found.topic == f"a/{MASK}"
    assert found.payload.decode() == f'{{"p":"{MASK}"}}'
    assert found.properties == {"content_type": MASK, "user_properties": [["password", MASK]], "expires_in_s": 60}


def test_a_generated_secret_is_masked_in_base64_too() -> None:
    """So events carry passwords, and some devices send theirs so."""
    encoded = base64.b64encode(SECRET.encode()).decode()
    assert shown(f'{{"p":"{encoded}"}} {encoded.rstrip("=")}.') == f'{{"p":"{MASK}"}} {MASK}.'
    other = base64.b64encode(NO_SECRET.encode()).decode()
    assert shown(other) == other


def test_what_only_looks_like_one_stays() -> None:
    """A wrong checksum, a part, a longer word."""
    for text in (NO_SECRET, SECRET[:-1], f"x{SECRET}", "iota_", ""):
        assert shown(text) == text


def test_a_password_of_ones_own_is_masked_whole() -> None:
    """The longest first, so that nothing of it is left."""
    assert shown("say open sesame now", "open ses", "open sesame") == f"say {MASK} now"


def test_a_short_password_is_a_word() -> None:
    """It would be masked in messages that have nothing to do with it."""
    assert shown("the light is on", "on", "") == "the light is on"


def test_bytes_that_are_no_text_stay() -> None:
    """Only the secret goes."""
    found = masked(Message("t", b"\xff\x00" + SECRET.encode() + b"\xfe"), [])
    assert found.payload == b"\xff\x00" + MASK.encode() + b"\xfe"
