"""What test-connect and the emulator's log look like, at 60 columns and at 80."""

from __future__ import annotations

from typing import Any

import pytest

from iotauth_cli.cli import render_connect, render_emulator
from iotauth_cli.emulator.attempts import Attempt
from iotauth_cli.probe.diagnose import Diagnosis
from iotauth_cli.probe.stages import Stage, StageName, Started, Symptom

USERNAME = "thermo-1?x-amz-customauthorizer-name=iotauth"
CERTIFICATE = {
    "server_name": "a1b2c3d4e5-ats.iot.eu-west-1.amazonaws.com",
    "subject": "*.iot.eu-west-1.amazonaws.com",
    "issuer": "Amazon RSA 2048 M01",
    "not_before": "2026-01-01T00:00:00Z",
    "not_after": "2027-02-01T23:59:59Z",
    "names": ["*.iot.eu-west-1.amazonaws.com"],
}
DEVICE = {"client_id": "thermo-1", "username": USERNAME, "password": True, "packet_bytes": 108}
CHAIN = {
    "chain": ["Amazon RSA 2048 M01"],
    "root": "Amazon Root CA 1",
    "root_not_after": "2038-01-17T00:00:00Z",
}
UPGRADE = {"path": "/mqtt", "carrier": "headers", "headers": ["x-amz-customauthorizer-name", "token"]}
REQUEST = {"topic": "a", "bytes": 56, "qos": 1, "retain": True, "headers": ["x-iotauth-client-id"]}
SHORT = {**DEVICE, "password": False}
STAGES: list[tuple[StageName, dict[str, Any], Symptom | None, str]] = [
    ("dns", {"addresses": ["127.0.0.1", "::1"]}, None, "127.0.0.1, ::1"),
    ("dns", {"error": "name or service not known"}, Symptom.NO_SUCH_HOST, "name or service not known"),
    ("tcp", {"address": "::1", "port": 443}, None, "::1, port 443"),
    ("tcp", {"tried": ["::1: timeout", "127.0.0.1: port-closed"]}, Symptom.PORT_CLOSED, "127.0.0.1: port-closed"),
    ("tls", {"version": "TLSv1.3", "cipher": "TLS_AES_256_GCM_SHA384", **CERTIFICATE}, None, "valid until 2027-02-01"),
    (
        "tls",
        {"version": "TLSv1.3", "cipher": "x", **CERTIFICATE, **CHAIN},
        None,
        "root `Amazon Root CA 1`, valid until",
    ),
    ("upgrade", {**UPGRADE, "status": 101, "subprotocol": "mqtt"}, None, "101, sub-protocol `mqtt`"),
    ("upgrade", {**UPGRADE, "status": 403, "reason": "status 403, `Forbidden`"}, Symptom.REFUSED, "status 403"),
    ("request", {**REQUEST, "status": 200, "answer": "200 OK", "message": "OK"}, None, "200 OK, `OK`"),
    ("request", {**REQUEST, "reason": "403 Forbidden"}, Symptom.REFUSED, "`a`, QoS 1, retained, 56 bytes"),
    ("connect", {**DEVICE, "reason": "accepted", "will": "a/gone", "terms": ["QoS up to 1"]}, None, "will on `a/gone`"),
    ("stay", {"lasted_s": 2.5}, None, "still connected after 2.5 s"),
    ("stay", {"lasted_s": 2.5, "reason": "closed before 9 s were over"}, Symptom.CLOSED, "closed before 9 s"),
    ("tls", {"error": "certificate has expired", **CERTIFICATE}, Symptom.EXPIRED, "Amazon RSA 2048 M01"),
    ("tls", {"error": "closed", "server_name": None}, Symptom.CLOSED, "no server name sent"),
    ("alpn", {"offered": ["mqtt"], "selected": "mqtt"}, None, "offered `mqtt`, selected `mqtt`"),
    ("alpn", {"offered": [], "selected": None}, None, "offered nothing, selected nothing"),
    ("connect", {**DEVICE, "reason": "accepted"}, None, "packet of 108 bytes"),
    ("connect", {**SHORT, "reason": "closed before CONNACK"}, Symptom.CLOSED, "no password was sent"),
    ("subscribe", {"filter": "sensors/thermo-1/#", "qos": 1}, None, "`sensors/thermo-1/#`, QoS 1"),
    ("subscribe", {"filter": "a/#", "reason": "SUBACK 0x80"}, Symptom.REFUSED, "filter `a/#`"),
    ("publish", {"topic": "a", "bytes": 56, "qos": 1}, None, "`a`, QoS 1"),
    ("publish", {"topic": "a", "reason": "closed before PUBACK"}, Symptom.CLOSED, "topic `a`"),
    ("receive", {"topic": "a", "bytes": 56}, None, "the message came back"),
    ("receive", {"reason": "no answer within 10 s"}, Symptom.TIMEOUT, "no answer within 10 s"),
    ("end", {}, None, "disconnected"),
    ("end", {}, Symptom.TIMEOUT, "timeout"),
]


@pytest.mark.parametrize("width", [60, 80])
@pytest.mark.parametrize(("name", "facts", "symptom", "told"), STAGES)
def test_a_step_is_told_within_the_width(
    name: StageName, facts: dict[str, Any], symptom: Symptom | None, told: str, width: int
) -> None:
    """One line begins with the verdict, the name and the time; what belongs to it is indented."""
    lines = render_connect.stage_lines(Stage(name, 12.3, 0.0, facts, symptom), width)
    assert lines[0].startswith(f"{'no' if symptom else 'ok'}  {name:<9}   12 ms  ")
    assert all(line.startswith("    ") for line in lines[1:])
    assert all(len(line) <= width for line in lines)
    assert told in " ".join(line.strip() for line in lines)


def test_names_and_times_stand_in_columns() -> None:
    """Whatever took however long, the facts begin at the same place."""
    times = (0.2, 9.6, 303.0, 9999.0, 12_345.0)
    lines = [render_connect.stage_lines(Stage("end", ms, 0.0), 80)[0] for ms in times]
    assert {line.index("disconnected") for line in lines} == {23}
    assert [line[14:21].strip() for line in lines] == ["0 ms", "10 ms", "303 ms", "9999 ms", "12.3 s"]


@pytest.mark.parametrize("width", [60, 80])
def test_a_diagnosis_is_told_within_the_width(width: int) -> None:
    """Each part has its label once, and what is too long goes on below, not under the label."""
    found = Diagnosis(
        cause="no-permission",
        sentence="AWS IoT may not invoke function `iotauth-authorizer`",
        evidence=("its resource policy does not name iot.amazonaws.com", "function `x` was not called " * 5),
        remedy="permit it: `iotauth authorizer create iotauth`",
        reference='AWS IoT developer guide, "Troubleshooting your authorizers"',
        answer="refused",
    )
    lines = render_connect.diagnosis(found, width)
    assert all(len(line) <= width for line in lines)
    labels = [line[:11].strip() for line in lines if line[:11].strip()]
    assert labels == ["diagnosis", "evidence", "remedy", "reference"]


def test_only_what_is_under_way_is_waited_for() -> None:
    """A step that began is named; one that ended is not."""
    assert render_connect.waiting(Started("connect")) == "connect …"
    assert render_connect.waiting(Stage("connect", 1.0, 0.0)) == ""


@pytest.mark.parametrize(
    ("attempt", "told"),
    [
        (
            Attempt("refused", "authorizer", "there is no authorizer `x`", client_id="c", at=0.0),
            [
                "1970-01-01 00:00:00 UTC  refused client `c`",
                "    there is no authorizer `x`; the function was not called",
            ],
        ),
        (
            Attempt("refused", "alpn", "no ALPN", peer="127.0.0.1", at=0.0, repeats=1, last_at=61.0),
            [
                "1970-01-01 00:00:00 UTC  refused somebody at 127.0.0.1, and once more until 00:01:01 UTC",
                "    no ALPN; the function was not called",
            ],
        ),
        (
            Attempt("cut-off", "iot:Publish", "no statement", client_id="c", authorizer="a", at=0.0, repeats=7),
            [
                "1970-01-01 00:00:00 UTC  cut off client `c`, authorizer `a`, and 7 times more until 00:00:00 UTC",
                "    no statement",
            ],
        ),
    ],
    ids=["refused", "nobody-known", "cut-off-again-and-again"],
)
def test_an_attempt_is_told_in_words(attempt: Attempt, told: list[str]) -> None:
    """Who, what, why; whether the function was called where that is the question; how often."""
    assert render_emulator.attempts([attempt], 120) == told


def test_variables_are_written_as_a_shell_reads_them() -> None:
    """A path with a space or a quote survives `eval`."""
    assert render_emulator.exports({"A": "plain", "B": "it's here"}) == ["export A=plain", "export B='it'\"'\"'s here'"]
