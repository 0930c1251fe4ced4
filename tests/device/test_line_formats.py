"""Lines for consoles, labels and codes: what stands on them is what a console, a person or an app reads."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given

from iotauth_cli.device.formats import arduino, esp_at, qr, render, tasmota
from iotauth_cli.device.login import DeviceLogin
from iotauth_cli.errors import DeviceError, InputError
from iotauth_cli.secret import Secret
from support import REPOSITORY, require_peer
from support_logins import LOGIN, logins


def text_of(name: str, login: DeviceLogin) -> str:
    return render(name, login).files[0].data(Path()).decode()


def as_tasmota_reads(line: str) -> dict[str, str]:
    """Take a `Backlog` apart as Tasmota does: at each `;`, then at the first blank."""
    assert line.endswith("\n")
    first, *rest = line[:-1].removeprefix("Backlog ").split(";")
    return {name: value for name, _, value in (command.strip().partition(" ") for command in [first, *rest])}


@given(login=logins())
def test_tasmota_reads_what_was_meant_or_it_is_refused(login: DeviceLogin) -> None:
    """A line is taken apart into the same values, or there is none."""
    try:
        line = text_of("tasmota", login)
    except InputError:
        return
    assert as_tasmota_reads(line) == dict(tasmota.commands(login))


def test_a_line_for_tasmota() -> None:
    """TLS and MQTT on, the login, and topics below the one that is granted."""
    found = as_tasmota_reads(text_of("tasmota", replace(LOGIN, wifi_ssid="barn", wifi_password=Secret("horse-01"))))
    assert found == {
        "SSId1": "barn",
        "Password1": "horse-01",
        "SetOption3": "1",
        "SetOption103": "1",
        "MqttHost": LOGIN.host,
        "MqttPort": "443",
        "MqttClient": "thermo-1",
        "MqttUser": LOGIN.username,
        "MqttPassword": LOGIN.password.reveal(),
        "FullTopic": "sensors/thermo-1/%prefix%/",
    }


@pytest.mark.parametrize(
    ("password", "problem"),
    [
        ("a;b", "holds a `;` or white space"),
        ("a b", "holds a `;` or white space"),
        ("a\nb", "holds a `;` or white space"),
        ("a\0b", "holds a `;` or white space"),
        ("0", "Tasmota reads `0` as a command"),
        ("1", "Tasmota reads `1` as a command"),
        ('"', "as a command"),
        ("x" * 400, "bytes, and Tasmota reads 519"),
    ],
    ids=ascii,
)
def test_what_tasmota_cannot_take_is_refused(password: str, problem: str) -> None:
    """In one sentence, before anything is typed into a console that would answer nothing."""
    with pytest.raises(InputError, match=problem):
        render("tasmota", replace(LOGIN, password=Secret(password)))


def test_the_hint_is_about_what_tasmota_cannot_take() -> None:
    """A new password for the client would not mend the network's."""
    for broken, hint in [
        (replace(LOGIN, password=Secret("a b")), f"`iotauth client rotate {LOGIN.client_id}`"),
        (replace(LOGIN, wifi_ssid="barn", wifi_password=Secret("a b")), "leave `--wifi-ssid` out"),
        (replace(LOGIN, topic="a b"), f"`iotauth client update {LOGIN.client_id} --topic TOPIC`"),
    ]:
        with pytest.raises(InputError) as caught:
            render("tasmota", broken)
        assert hint in str(caught.value.hint)


@pytest.mark.parametrize("member", ["client_id", "topic"])
def test_what_tasmota_would_replace_is_refused(member: str) -> None:
    """In a client name and a topic `%` begins something else; in a password it stands for itself."""
    with pytest.raises(InputError, match="Tasmota puts something else where `%` stands"):
        render("tasmota", replace(LOGIN, client_id="%06X") if member == "client_id" else replace(LOGIN, topic="a/%d"))
    assert "MqttPassword 50%d;" in text_of("tasmota", replace(LOGIN, password=Secret("50%d")))


def test_tasmota_needs_everything_below_its_topic() -> None:
    """A client that may do less there is told so."""
    assert len(render("tasmota", LOGIN).notes) == 3
    (note,) = render("tasmota", replace(LOGIN, subscribe=("sensors/thermo-1",))).notes[3:]
    assert "grant it with `--topic sensors/thermo-1`" in note


def as_esp_at_reads(line: str) -> list[str]:
    """Return the parameters of an AT command, backslashes taken away."""
    _, _, parameters = line.partition("=")
    parts = re.findall(r'"((?:\\.|[^"\\])*)"|([^,]+)', parameters)
    return [re.sub(r"\\(.)", r"\1", text) if text or not bare else bare for text, bare in parts]


@given(login=logins())
def test_esp_at_reads_what_was_meant_or_it_is_refused(login: DeviceLogin) -> None:
    """Quotes, commas and backslashes come through; a line end cannot."""
    try:
        lines = text_of("esp-at", login).split("\r\n")
    except InputError:
        return
    (user,) = (line for line in lines if line.startswith("AT+MQTTUSERCFG"))
    assert as_esp_at_reads(user)[:5] == ["0", "3", login.client_id, login.username, login.password.reveal()]
    joins = [as_esp_at_reads(line) for line in lines if line.startswith("AT+CWJAP")]
    password = login.wifi_password.reveal() if login.wifi_password else ""
    assert joins == ([[login.wifi_ssid, password]] if login.wifi_ssid else [])


def test_lines_for_esp_at() -> None:
    """TLS with the server's certificate checked, its name, and ALPN."""
    assert text_of("esp-at", LOGIN).split("\r\n") == [
        'AT+MQTTUSERCFG=0,3,"thermo-1","thermo-1?x-amz-customauthorizer-name=iotauth",'
        '"iota_0123456789abcdefghijklmnopqrstuvw",0,0,""',
        f'AT+MQTTSNI=0,"{LOGIN.host}"',
        'AT+MQTTALPN=0,1,"mqtt"',
        f'AT+MQTTCONN=0,"{LOGIN.host}",443,1',
        "",
    ]


@pytest.mark.parametrize(
    ("member", "value", "problem"),
    [
        ("password", "x" * 65, "the password of client `thermo-1` has 65 bytes, and ESP-AT takes 64"),
        ("username", "ž" * 33, "the user name of client `thermo-1` has 66 bytes, and ESP-AT takes 64"),
        ("password", "a\r\nb", "has a line end in it"),
        ("password", "a\0b", "holds a NUL character"),
        ("client_id", "x" * 200, "longer than 256 bytes"),
    ],
    ids=["password", "user name", "line end", "NUL", "line"],
)
def test_what_esp_at_cannot_take_is_refused(member: str, value: str, problem: str) -> None:
    """64 bytes for user name and password, 256 for a command."""
    login = replace(LOGIN, client_id=value) if member == "client_id" else LOGIN
    login = replace(login, username=value) if member == "username" else login
    login = replace(login, password=Secret(value)) if member == "password" else login
    with pytest.raises(InputError, match=problem):
        esp_at.render(login)


def test_a_label_is_what_somebody_types() -> None:
    """Five lines at most, without the CA."""
    assert text_of("label", LOGIN) == (
        "client id  thermo-1\n"
        "user name  thermo-1?x-amz-customauthorizer-name=iotauth\n"
        "password   iota_0123456789abcdefghijklmnopqrstuvw\n"
        f"server     {LOGIN.host}:443\n"
    )


@pytest.mark.parametrize("password", ["a\tb", " a", "a ", "a\u200bb", "a\nb"], ids=ascii)
def test_what_cannot_be_typed_is_on_no_label(password: str) -> None:
    """What cannot be seen cannot be read off."""
    with pytest.raises(InputError, match="the password of client `thermo-1` cannot be read off a label"):
        render("label", replace(LOGIN, password=Secret(password)))


@given(login=logins())
def test_a_code_holds_the_login(login: DeviceLogin) -> None:
    """JSON in ASCII, short names, no CA; the picture is SVG."""
    found = json.loads(qr.content(login))
    assert qr.content(login).isascii()
    assert found["password"] == login.password.reveal()
    assert found["username"] == login.username
    assert found.get("wifi_ssid") == login.wifi_ssid
    assert "emulator" not in found


def test_a_code_is_a_picture_and_a_secret(tmp_path: Path) -> None:
    """Whoever photographs it has the password, so the file is as private as the others."""
    (file,) = render("qr", LOGIN).files
    assert file.is_secret
    assert b"<svg" in file.data(tmp_path)
    picture = file.data(tmp_path)
    assert LOGIN.password.reveal().encode() not in picture  # drawn, not written


def test_what_no_code_can_hold_is_refused() -> None:
    """The largest has 2,331 bytes at this error correction; the refusal does not repeat what was to go in."""
    with pytest.raises(InputError, match="is too long for a QR code") as refusal:
        render("qr", replace(LOGIN, password=Secret("x" * 2500)))
    assert refusal.value.__cause__ is None
    assert refusal.value.__suppress_context__


@pytest.mark.parametrize(
    ("client_id", "name"),
    [("thermo-1", "thermo_1"), ("7", "7"), ("é", "device"), ("a.b:c", "a_b_c"), ("x" * 80, "x" * 63)],
)
def test_a_sketch_is_called_as_the_ide_allows(client_id: str, name: str) -> None:
    """Letters, digits and `_`; the folder and its first file share the name."""
    found = render("arduino", replace(LOGIN, client_id=client_id))
    assert arduino.sketch_name(replace(LOGIN, client_id=client_id)) == name
    assert found.files[0].name == f"{name}/{name}.ino"


def test_a_sketch_is_whole(tmp_path: Path) -> None:
    """Each header that a source includes lies beside it, and only the credential is a secret."""
    found = render("arduino", LOGIN)
    for file in found.files:
        path = tmp_path / file.name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(file.data(path.parent))
    folder = tmp_path / "thermo_1"
    assert [file.name for file in found.files if file.is_secret] == ["thermo_1/secrets.h"]
    for source in folder.iterdir():
        for name in re.findall(r'^#include "(.+)"', source.read_text(), re.MULTILINE):
            assert (folder / name).is_file(), f"{source.name} includes {name}"
    assert (folder / "main.cpp").is_file()


@pytest.mark.parametrize("chip", ["ESP32", "ESP8266"])
def test_a_sketch_compiles(chip: str, tmp_path: Path) -> None:
    """All files in one folder, as the IDE compiles them, against this repository's stand-in for the core."""
    folder = tmp_path / "thermo_1"
    folder.mkdir()
    for file in render("arduino", LOGIN).files:
        (tmp_path / file.name).write_bytes(file.data(folder))
    rig = REPOSITORY / "tests" / "firmware" / "rig"
    core = ["-I", str(rig / "shim"), "-I", str(rig / "pubsubclient" / "src"), f"-D{chip}", "-DARDUINO=10819"]
    sources = [*sorted(map(str, folder.glob("*.cpp"))), str(folder / "thermo_1.ino")]
    made = subprocess.run(
        [require_peer("g++"), "-std=gnu++11", "-Wall", "-Werror", "-fsyntax-only", *core, "-x", "c++", *sources],
        capture_output=True,
        text=True,
    )
    assert made.returncode == 0, made.stderr


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """QR codes are an extra: without it the sentence says how to get it."""
    monkeypatch.setitem(sys.modules, "segno", None)
    with pytest.raises(DeviceError, match="what draws QR codes is not installed") as refusal:
        render("qr", LOGIN)
    assert refusal.value.hint == "install it with `pip install 'iotauth[qr]'`"
