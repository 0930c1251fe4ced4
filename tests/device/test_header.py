"""secrets.h, read by the compiler that will read it."""

from __future__ import annotations

import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from iotauth_cli.device.c_string import c_string
from iotauth_cli.device.formats import header, render
from iotauth_cli.device.login import DeviceLogin
from iotauth_cli.errors import InputError
from iotauth_cli.secret import Secret
from support import require_peer
from support_logins import HOSTILE, LOGIN, logins, texts

STANDARDS = ("c++11", "gnu++14", "c++17", "c++20")
MACROS = (
    "WIFI_SSID",
    "WIFI_PASSWORD",
    "MQTT_HOST",
    "MQTT_ALPN",
    "MQTT_CLIENT_ID",
    "MQTT_USERNAME",
    "MQTT_PASSWORD",
    "MQTT_TOPIC",
    "MQTT_SUBSCRIBE",
)
NUMBERS = ("MQTT_PORT", "MQTT_RETAIN", "MQTT_WILL", "IOTAUTH_CONNECT_BYTES")
STRICT = ("-Wall", "-Wextra", "-Werror", "-pedantic", "-Wno-unused-variable")


def compiled(folder: Path, standard: str, source: str, compiler: str = "g++") -> bytes:
    """Compile *source*, run it, return what it prints."""
    path = folder / ("program.c" if compiler == "gcc" else "program.cpp")
    path.write_text(source)
    program = folder / "program"
    made = subprocess.run(
        [require_peer(compiler), f"-std={standard}", *STRICT, "-I", str(folder), "-o", str(program), str(path)],
        capture_output=True,
        text=True,
    )
    assert made.returncode == 0, made.stderr
    return subprocess.run([program], capture_output=True, check=True).stdout


DUMP = """
static void dump(const char *text, unsigned long size) {
  for (unsigned long i = 0; i + 1 < size; i++) std::printf("%02x", (unsigned char)text[i]);
  std::puts("");
}
"""


@pytest.mark.parametrize("standard", STANDARDS)
def test_any_text_reaches_the_program_byte_for_byte(standard: str, tmp_path: Path) -> None:
    """Hundreds of hostile texts in one program: quotes, trigraphs, line ends, octal look-alikes, other scripts."""

    @settings(max_examples=4, database=None, phases=[Phase.generate], deadline=None)
    @given(st.lists(texts, min_size=100, max_size=300))
    def check(drawn: list[str]) -> None:
        found = [*HOSTILE, *drawn]
        lines = "\n".join(f"  dump({c_string(text)}, sizeof({c_string(text)}));" for text in found)
        printed = compiled(tmp_path, standard, f"#include <cstdio>\n{DUMP}\nint main() {{\n{lines}\n}}\n")
        assert printed.decode().splitlines() == [text.encode().hex() for text in found]

    check()


def reading(macros: tuple[str, ...]) -> str:
    texts = "".join(f"  dump({name}, sizeof({name}));\n" for name in macros)
    numbers = "".join(f'  std::printf("%ld\\n", (long)({name}));\n' for name in NUMBERS)
    return f'#include "secrets.h"\n#include "secrets.h"\n#include <cstdio>\n{DUMP}\nint main() {{\n{texts}{numbers}}}\n'


@pytest.mark.parametrize("standard", STANDARDS)
@settings(max_examples=3, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], database=None)
@given(login=logins())
def test_a_program_reads_back_what_was_rendered(standard: str, tmp_path: Path, login: DeviceLogin) -> None:
    """Every macro and the CA, with all warnings on, included twice as real programs do."""
    found = render("header", login)
    assert isinstance(found.files[0].content, str)
    (tmp_path / "secrets.h").write_text(found.files[0].content, encoding="utf-8")
    printed = compiled(tmp_path, standard, reading((*MACROS, "MQTT_ROOT_CA"))).decode().splitlines()
    expected = [
        login.wifi_ssid or "",
        login.wifi_password.reveal() if login.wifi_password else "",
        login.host,
        "mqtt",
        login.client_id,
        login.username,
        login.password.reveal(),
        login.topic,
        login.inbox,
        login.ca_pem,
    ]
    numbers = [login.port, int(login.retain), int(login.will), found.connect_bytes]
    assert printed == [text.encode().hex() for text in expected] + [str(number) for number in numbers]


def test_a_c_program_can_read_it_too(tmp_path: Path) -> None:
    """ESP-IDF and others are C: no raw string, nothing of C++ in it."""
    (tmp_path / "secrets.h").write_text(header.text(LOGIN))
    program = "int main(void) { puts(MQTT_USERNAME); return MQTT_ROOT_CA[0] != '-'; }\n"
    assert (
        compiled(tmp_path, "c11", f'#include "secrets.h"\n#include <stdio.h>\n{program}', "gcc").decode().strip()
        == LOGIN.username
    )


def test_a_header_of_the_emulator_says_so() -> None:
    """A macro that firmware can refuse, and a line that a person sees; AWS's has neither."""
    text = header.text(replace(LOGIN, is_emulator=True))
    assert "#define IOTAUTH_EMULATOR 1\n" in text
    assert "// For the iotauth emulator only" in text.splitlines()[1]
    assert "EMULATOR" not in header.text(LOGIN)


@pytest.mark.parametrize(
    ("subscribe", "inbox"),
    [
        (("sensors/thermo-1", "sensors/thermo-1/#"), "sensors/thermo-1/command"),
        (("alarms/+",), "alarms/+"),
        ((), ""),
    ],
)
def test_a_device_subscribes_to_what_it_is_granted(subscribe: tuple[str, ...], inbox: str) -> None:
    """Commands below its own topic, which do not echo what it publishes; else the first filter, or nothing."""
    assert replace(LOGIN, subscribe=subscribe).inbox == inbox
    assert f'#define MQTT_SUBSCRIBE "{inbox}"\n' in header.text(replace(LOGIN, subscribe=subscribe))


def test_a_header_names_its_roots() -> None:
    """Whose they are, until when, and the fingerprint to compare."""
    assert "// Trusts Amazon Root CA 1, until 2038-01-17, SHA-256 8ecde6884f3d87b1" in header.text(LOGIN)
    assert "// Trusts Amazon Root CA 3, until 2040-05-26, SHA-256 18ce6cfe7bf14e60" in header.text(LOGIN)


def test_what_a_c_string_would_cut_short_is_refused() -> None:
    """NUL ends every C string: half a password is worse than a sentence."""
    with pytest.raises(InputError, match="the password of client `thermo-1` holds a NUL character"):
        render("header", replace(LOGIN, password=Secret("a\0b")))


@pytest.mark.parametrize("name", ["header", "arduino"])
def test_what_no_buffer_of_the_library_can_hold_is_refused(name: str) -> None:
    """MQTT could carry it, PubSubClient's 65,535 bytes cannot; one byte less fits."""
    login = replace(LOGIN, password=Secret("x" * 65_462))
    assert render(name, login).buffer_bytes == 65_535
    with pytest.raises(InputError, match="needs a buffer of 65,536 bytes to connect, and PubSubClient has 65,535"):
        render(name, replace(LOGIN, password=Secret("x" * 65_463)))
