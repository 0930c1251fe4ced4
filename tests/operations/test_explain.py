"""`explain`: codes, names and pasted lines lead to what they mean, and to nothing else."""

from __future__ import annotations

import errno
import os
import re
import socket
import ssl
import subprocess
from importlib import import_module
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from iotauth_authorizer import authorize, event
from iotauth_cli import errors
from iotauth_cli.errors import InputError
from iotauth_cli.operations import explain
from iotauth_cli.probe.causes import CAUSES
from iotauth_cli.probe.explanation import Explanation
from iotauth_cli.probe.explanations import EXPLANATIONS, FAMILIES
from iotauth_cli.probe.explanations.ours import ANSWERS, ERRORS, REASONS
from support import REPOSITORY, require_peer
from support_broker import broker
from support_causes import assert_typable
from support_tls import IN_DATE, NOT_YET, OVER, Authority, Span

ASKED: list[tuple[str, list[str]]] = [
    ("-4", ["MQTT_CONNECTION_TIMEOUT", "LWMQTT_NETWORK_TIMEOUT", "Tasmota rc -4"]),
    ("-2", ["MQTT_CONNECT_FAILED", "LWMQTT_VARNUM_OVERFLOW", "Tasmota rc -2"]),
    ("state -4", ["MQTT_CONNECTION_TIMEOUT"]),
    ("pubsubclient -4", ["MQTT_CONNECTION_TIMEOUT"]),
    ("PubSubClient state: -4", ["MQTT_CONNECTION_TIMEOUT"]),
    ("lastError -10", ["LWMQTT_CONNECTION_DENIED"]),
    ("tasmota -1002", ["Tasmota TLS error -1002"]),
    ("-1002", ["Tasmota TLS error -1002"]),
    ("tasmota rc -4", ["Tasmota rc -4"]),
    ("tasmota 5", ["Tasmota rc 5", "BR_ERR_BAD_LENGTH"]),
    ("MQT: Connect failed to abc.example.com:443, rc -2. Retry in 10 sec", ["Tasmota rc -2"]),
    ("MQT: TLS connection error: 296", ["alert handshake_failure"]),
    ("54", ["BR_ERR_X509_EXPIRED"]),
    ("bearssl 62", ["BR_ERR_X509_NOT_TRUSTED"]),
    ("0x801A", ["ESP_ERR_MBEDTLS_SSL_HANDSHAKE_FAILED"]),
    ("0x8001", ["ESP_ERR_ESP_TLS_CANNOT_RESOLVE_HOSTNAME"]),
    ("-0x2700", ["MBEDTLS_ERR_X509_CERT_VERIFY_FAILED"]),
    ("-9984", ["MBEDTLS_ERR_X509_CERT_VERIFY_FAILED"]),
    ("0x7780", ["MBEDTLS_ERR_SSL_FATAL_ALERT_MESSAGE"]),
    ("-0x0050", ["MBEDTLS_ERR_NET_CONN_RESET"]),
    (
        "E (3274) esp-tls-mbedtls: mbedtls_ssl_handshake returned -0x2700",
        ["MBEDTLS_ERR_X509_CERT_VERIFY_FAILED"],
    ),
    (
        "[ 2546][E][ssl_client.cpp:37] _handle_error(): [start_ssl_client():273]: (-9984) X509 - Certificate "
        "verification failed, e.g. CRL, CA or signature check failed",
        ["MBEDTLS_ERR_X509_CERT_VERIFY_FAILED"],
    ),
    ("[E][WiFiClientSecure.cpp:132] connect(): start_ssl_client: -9984", ["MBEDTLS_ERR_X509_CERT_VERIFY_FAILED"]),
    ("_handle_error(): [send_ssl_data():382]: (-80) UNKNOWN ERROR CODE (0050)", ["MBEDTLS_ERR_NET_CONN_RESET"]),
    ("TLS: (-30592)", ["MBEDTLS_ERR_SSL_FATAL_ALERT_MESSAGE"]),
    ("E (9) mqtt_client: Connection refused, not authorized", ["MQTT_CONNECTION_REFUSE_NOT_AUTHORIZED"]),
    ("AWS_ERROR_MQTT_UNEXPECTED_HANGUP", ["AWS_ERROR_MQTT_UNEXPECTED_HANGUP"]),
    ("aws error mqtt unexpected hangup", ["AWS_ERROR_MQTT_UNEXPECTED_HANGUP"]),
    ("Connection failed with error code 5134", ["AWS_ERROR_MQTT_UNEXPECTED_HANGUP"]),
    ("AwsCrtError: AWS_IO_TLS_ERROR_NEGOTIATION_FAILURE: TLS failed", ["AWS_IO_TLS_ERROR_NEGOTIATION_FAILURE"]),
    ("rc=5", ["Tasmota rc 5", "CONNACK 5", "MQTT_ERR_CONN_REFUSED"]),
    ("paho rc=5", ["MQTT_ERR_CONN_REFUSED"]),
    ("Not authorized", ["CONNACK 5", "Not authorized"]),
    ("0x87", ["Not authorized"]),
    ("mqtt5 135", ["Not authorized"]),
    ("reason code 142", ["Session taken over"]),
    ("SUBACK 0x80", ["SUBACK 0x80"]),
    ("connack 5", ["CONNACK 5"]),
    ("DUPLICATE_CLIENTID", ["DUPLICATE_CLIENTID"]),
    ('"disconnectReason":"CUSTOMAUTH_TTL_EXPIRATION"', ["CUSTOMAUTH_TTL_EXPIRATION"]),
    ("connect_failed", ["AUTHORIZATION_FAILED"]),
    ("< HTTP/1.1 403 Forbidden", ["403 Forbidden"]),
    ('{"message":"Forbidden","traceId":"x"}', ["403 Forbidden"]),
    ("2026-01-01T10:00:00Z 8f task timed out after 3.00 seconds", ["Task timed out"]),
    ("Runtime.ImportModuleError: Unable to import module 'app'", ["Runtime.ImportModuleError"]),
    ("[ERROR] KeyError: 'password'", ["KeyError: 'password'"]),
    (
        "[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed: certificate has expired (_ssl.c:1006)",
        ["CERTIFICATE_VERIFY_FAILED", "certificate has expired"],
    ),
    ("[Errno 111] Connection refused", ["ECONNREFUSED"]),
    ("errno=104", ["ECONNRESET"]),
    ("Error: The connection was lost.", ["Error: The connection was lost."]),
    ("wrong-password", ["wrong-password"]),
    ("wrong password", ["wrong-password"]),
    ('{"reason": "disabled", "client": "door-7"}', ["disabled"]),
    ("no alpn", ["no-alpn"]),
    ("mqtt-wildcard", ["mqtt-wildcard"]),
    ("principal-id", ["principal-id"]),
    ("exit code 3", ["exit code 3"]),
    ("access-denied", ["access-denied"]),
]


@pytest.mark.parametrize(("asked", "names"), ASKED, ids=[asked for asked, _ in ASKED])
def test_a_symptom_is_found_however_it_is_pasted(asked: str, names: list[str]) -> None:
    """Precisely these rows and no other: a wrong reading sends somebody the wrong way."""
    assert sorted(row.name for row in explain.explain(asked).rows) == sorted(names)


@pytest.mark.parametrize(
    "line",
    [
        "the client has expired his patience",
        "hello 7",
        "started at 10:05:03 in 12 ms",
        "tasmota -77",
        "",
        "retry in 5 s",
    ],
)
def test_what_is_no_symptom_is_not_taken_for_one(line: str) -> None:
    """Words of everyday language and numbers of another kind mean nothing."""
    assert explain.explain(line).rows == ()


def test_a_misspelt_name_leads_to_the_near_ones() -> None:
    """They are named and not told as if they had been asked for."""
    found = explain.answer("AWS_ERROR_MQTT_UNEXPECTD_HANGUP")
    assert found.rows == ()
    assert found.near[0] == "AWS_ERROR_MQTT_UNEXPECTED_HANGUP"
    assert explain.answer("xyzzy").near == ()


def test_lines_of_a_log_are_told_once_each() -> None:
    """What repeats every ten seconds is said where it first stands."""
    lines = ["booting", "MQT: Connect failed, rc -4. Retry", "idle", "MQT: Connect failed, rc -4. Retry", "rc -2 MQT"]
    assert [number for number, _ in explain.survey(lines)] == [2, 5]


def test_a_family_that_is_not_there_is_answered_with_the_nearest() -> None:
    assert explain.family_named("MQT").name == "tasmota"
    with pytest.raises(InputError) as refused:
        explain.family_named("tasmoto")
    assert refused.value.hint == "did you mean `tasmota`?"


@given(st.sampled_from(EXPLANATIONS))
def test_every_row_is_found_under_each_of_its_spellings(row: Explanation) -> None:
    """Nothing lies in the table that nobody can reach."""
    for text in row.spellings:
        assert row in explain.explain(text).rows or row in explain.explain(f"{row.family} {text}").rows, text


@given(st.sampled_from(EXPLANATIONS))
def test_every_code_is_found_in_its_family(row: Explanation) -> None:
    for code in row.codes:
        assert row in explain.explain(f"{row.family} {code}").rows


@given(st.text())
def test_any_text_gets_an_answer(text: str) -> None:
    """A log may hold anything."""
    explain.answer(text)


# --- the table is right -------------------------------------------------------------------------


def rows(family: str) -> tuple[Explanation, ...]:
    return explain.rows_of(FAMILIES[family])


def test_every_row_is_whole() -> None:
    """It has a family, a source and a sentence, and its causes are in the table of causes."""
    known = {cause.name for cause in CAUSES}
    for row in EXPLANATIONS:
        assert row.family in FAMILIES
        assert row.source
        assert row.means.endswith((".", "?")), row.name
        assert set(row.causes) <= known, (row.name, set(row.causes) - known)
        assert len(set(row.causes)) == len(row.causes), row.name
        assert not re.search(r"\{\w+\}", row.means + row.next), row.name
    assert all(rows(name) for name in FAMILIES)
    names = [(row.family, row.name) for row in EXPLANATIONS]
    assert len(set(names)) == len(names)


def test_every_command_to_type_next_exists() -> None:
    """Each word up to the first name in capitals is a command of the program, each option one of its options."""
    for row in EXPLANATIONS:
        for line in re.findall(r"`iotauth ([^`]+)`", row.next):
            assert_typable(line)


def test_paho_says_the_same() -> None:
    """Numbers and names are those of the library that is installed."""
    enums = import_module("paho.mqtt.enums")
    codes = {member.name: int(member) for member in enums.MQTTErrorCode}
    for row in rows("paho"):
        assert row.codes == (codes[row.name],)
    names = import_module("paho.mqtt.reasoncodes").ReasonCode(2).names
    for row in rows("mqtt5"):
        assert row.name in names[row.codes[0]]


def test_the_common_runtime_says_the_same() -> None:
    exceptions = import_module("awscrt.exceptions")
    for row in rows("awscrt"):
        assert exceptions.from_code(row.codes[0]).name == row.name


def test_the_operating_system_says_the_same() -> None:
    for row in rows("system"):
        if row.codes:
            assert errno.errorcode[row.codes[0]] == row.name
            assert os.strerror(row.codes[0]) in row.texts


def said_by_mosquitto(*options: str) -> str:
    """Return what mosquitto_pub says as it fails at a port where nothing listens."""
    command = [require_peer("mosquitto_pub"), "-h", "127.0.0.1", "-p", "1", "-t", "a", "-m", "b", *options]
    return subprocess.run(command, capture_output=True, text=True, timeout=20).stderr.strip()


@pytest.mark.parametrize(
    ("options", "name"),
    [((), "ECONNREFUSED"), (("--cafile", "/nowhere.pem"), "Error: Problem setting TLS options: File not found.")],
    ids=["port", "root"],
)
def test_what_mosquitto_says_is_explained(options: tuple[str, ...], name: str) -> None:
    assert [row.name for row in explain.explain(said_by_mosquitto(*options)).rows] == [name]


SPANS = {
    "in date": (IN_DATE, "unable to get local issuer certificate"),
    "over": (OVER, "certificate has expired"),
    "not yet": (NOT_YET, "certificate is not yet valid"),
}


@pytest.mark.parametrize(("span", "name"), SPANS.values(), ids=SPANS)
def test_what_python_says_of_a_certificate_is_explained(tmp_path: Path, span: Span, name: str) -> None:
    """Of the two rows the line names, the second says why."""
    authority = Authority(tmp_path)
    trusted = Authority(tmp_path, "another CA") if span == IN_DATE else authority
    context = ssl.create_default_context(cafile=str(trusted.file))
    with (
        broker(authority.leaf(span=span)) as peer,
        socket.create_connection(("localhost", peer.port)) as opened,
        pytest.raises(ssl.SSLError) as refused,
    ):
        context.wrap_socket(opened, server_hostname="localhost")
    found = explain.explain(str(refused.value)).rows
    assert {row.name for row in found} == {"CERTIFICATE_VERIFY_FAILED", name}


def test_the_rig_of_pubsubclient_says_the_same() -> None:
    """The double under tests/firmware has the states of the library that it stands for."""
    header = (REPOSITORY / "tests" / "firmware" / "rig" / "pubsubclient" / "src" / "PubSubClient.h").read_text()
    states = {name: int(value) for name, value in re.findall(r"define (MQTT_CONN\w+|MQTT_DISC\w+) \(?(-?\d+)", header)}
    for row in rows("pubsubclient"):
        assert (states[row.name],) == row.codes


def test_every_reason_of_the_function_is_explained() -> None:
    """The table in the kernel's own docstring, and what the handler adds."""
    assert authorize.__doc__ is not None
    listed = set(re.findall(r"^`([a-z-]+)`", authorize.__doc__, re.MULTILINE)) - {"ok"}
    assert listed | {"table-unavailable", "misconfigured"} == set(REASONS)


def test_every_rule_of_an_answer_is_explained() -> None:
    source = (REPOSITORY / "lambda_src" / "iotauth_authorizer" / "event.py").read_text()
    assert event.InvalidAnswer is not None
    rules = set(re.findall(r'InvalidAnswer\(\s*"([a-z-]+)"', source)) | {
        *re.findall(r'_decoded\(\w+, "([a-z-]+)"', source),
        *re.findall(r'_timer\(answer, "\w+", "([a-z-]+)"', source),
    }
    assert rules == set(ANSWERS)


def test_every_error_code_is_explained() -> None:
    def kinds(kind: type[errors.IotauthError]) -> set[type[errors.IotauthError]]:
        below = {each for each in kind.__subclasses__() if each.__module__ == errors.__name__}
        return {kind}.union(*(kinds(each) for each in below))

    assert kinds(errors.IotauthError) == set(ERRORS)
