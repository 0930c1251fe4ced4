"""The mistakes of devices, made on purpose: each goes over the wire, and each is found out by its evidence."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import get_args

import pytest

from iotauth_cli.cli.test_connect import Mistake
from iotauth_cli.errors import InputError
from iotauth_cli.operations import authorizers, keys
from iotauth_cli.operations.connect import Report, Visit
from iotauth_cli.operations.mistakes import MISTAKES
from iotauth_cli.probe.stages import Manner
from iotauth_cli.secret import Secret
from support_emulator import running_emulator
from support_world import WISH, Place, standing

NOW = 1763640000
SIGNED = replace(WISH, authorizer="signed-doors")
SIGNED_CLIENT = "signed-1"
BEHAVIOUR = ("requires_server_name=yes",)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """A client of an unsigned authorizer and one of a signed one, where SNI is wanted as AWS wants it."""
    directory = tmp_path_factory.mktemp("mistakes")
    with running_emulator(directory, behaviour=BEHAVIOUR) as emulator, standing(emulator, directory) as place:
        place.install()
        place.add()
        wish = authorizers.signed(SIGNED, place.store, now=NOW)
        list(authorizers.apply(place.session, authorizers.plan(place.session, wish)))
        signed = Place(emulator, directory, SIGNED)
        signed.add(SIGNED_CLIENT, token=keys.for_clients(place.store, SIGNED.authorizer))
        yield place
        signed.table.close()


def cause_of(report: Report) -> str:
    assert report.diagnosis is not None
    return report.diagnosis.cause


PLAIN = {
    "no-alpn": "no-alpn",
    "wrong-alpn": "wrong-alpn",
    "no-sni": "no-server-name",
    "wrong-sni": "wrong-server-name",
    "port-8883": "wrong-endpoint",
    "base64-password": "password-in-base64",
    "two-question-marks": "two-question-marks",
    "qos-2": "qos-2",
    "large-payload": "payload-too-large",
    "deep-topic": "topic-too-deep",
}
TOKEN = {"token-newline": "token-with-newline", "unencoded-signature": "signature-not-encoded"}
OVER_HTTP = {"mqtt-alpn": "alpn-for-mqtt"}


@pytest.mark.parametrize(("mistake", "cause"), PLAIN.items(), ids=PLAIN)
def test_each_mistake_is_found_out(place: Place, mistake: str, cause: str) -> None:
    """By what the device meets and the other side says; nobody tells the diagnosis what was done on purpose."""
    assert cause_of(place.knock(mistake=mistake, timeout_s=0.5 if mistake == "qos-2" else 8)) == cause


@pytest.mark.parametrize(("mistake", "cause"), TOKEN.items(), ids=TOKEN)
def test_a_spoilt_token_is_told_from_one_that_nobody_signed(place: Place, mistake: str, cause: str) -> None:
    """Mended, the signature would be right; so it is the mistake and not the key. Without the mistake it gets in."""
    assert place.knock(Visit(SIGNED_CLIENT)).ok
    assert cause_of(place.knock(Visit(SIGNED_CLIENT, mistake=mistake))) == cause


def test_a_spoilt_token_in_an_upgrade_is_refused_there(place: Place) -> None:
    """The emulator answers 403 before any MQTT; the diagnosis is the same."""
    manner = Manner("websocket", "query")
    assert place.knock(Visit(SIGNED_CLIENT, manner=manner)).ok
    report = place.knock(Visit(SIGNED_CLIENT, manner=manner, mistake="token-newline"))
    assert (report.stages[-1].name, report.stages[-1].facts["status"]) == ("upgrade", 403)
    assert cause_of(report) == "token-with-newline"


def test_a_signature_of_nobody_is_no_spoilt_one(place: Place) -> None:
    kept = place.store.load(SIGNED_CLIENT)
    assert kept is not None
    name = kept.device_username.replace("token=", "token=x", 1)
    assert cause_of(place.knock(Visit(SIGNED_CLIENT, username=name))) == "signature-wrong"


@pytest.mark.parametrize("transport", ["websocket", "http"])
def test_alpn_for_mqtt_over_http(place: Place, transport: str) -> None:
    manner = Manner("websocket") if transport == "websocket" else Manner("http", "headers")
    assert cause_of(place.knock(mistake="mqtt-alpn", manner=manner)) == "alpn-for-mqtt"


def test_every_mistake_is_tried_and_offered_at_the_desk() -> None:
    assert {*PLAIN, *TOKEN, *OVER_HTTP} == set(MISTAKES)
    assert set(get_args(Mistake)) == set(MISTAKES)


HTTP = Manner("http", "headers")
IMPOSSIBLE = [
    ("mqtt-alpn", Visit("thermo-1"), "over HTTP alone"),
    ("no-alpn", Visit("thermo-1", manner=HTTP), "no mistake over HTTP"),
    ("qos-2", Visit("thermo-1", manner=HTTP), "no mistake over HTTP"),
    ("two-question-marks", Visit("thermo-1", manner=HTTP), "in a user name"),
    ("token-newline", Visit("thermo-1"), "carries none"),
    ("unencoded-signature", Visit("thermo-1"), "carries none"),
    ("unencoded-signature", Visit("thermo-1", manner=HTTP), "in a user name"),
    ("deep-topic", Visit("nobody-1", password=Secret("x")), "no topic is known"),
    ("large-payload", Visit("nobody-1", password=Secret("x")), "no topic is known"),
]


@pytest.mark.parametrize(("mistake", "visit", "said"), IMPOSSIBLE)
def test_a_mistake_that_cannot_be_made_is_refused(place: Place, mistake: str, visit: Visit, said: str) -> None:
    with pytest.raises(InputError, match=said) as refused:
        place.knock(replace(visit, mistake=mistake))
    assert refused.value.hint
