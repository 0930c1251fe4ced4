"""`.env`, curl's configuration and mosquitto's options, read by those who read them."""

from __future__ import annotations

import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, given, settings

from iotauth_cli.device.formats import curl, env, mosquitto, render
from iotauth_cli.device.login import DeviceLogin
from iotauth_cli.errors import InputError
from iotauth_cli.secret import Secret
from support import require_peer
from support_logins import HOSTILE, LOGIN, logins


def sourced(shell: str, text: str, names: list[str]) -> list[bytes]:
    """Source *text* in *shell* and return what each variable then holds in a child's environment."""
    read = 'set -a; . "$1"; set +a; shift; for name; do printenv "$name" | od -An -v -tx1 | tr -d " \\n"; echo; done'
    path = Path(text)
    ran = subprocess.run([require_peer(shell), "-c", read, "sh", str(path), *names], capture_output=True, check=True)
    assert ran.stderr == b""
    return [bytes.fromhex(line.decode())[:-1] for line in ran.stdout.splitlines()]  # printenv ends with a line end


@pytest.mark.parametrize("shell", ["sh", "dash", "bash"])
@settings(
    max_examples=12, deadline=None, phases=[Phase.generate], suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(login=logins())
def test_a_shell_reads_an_env_file_back(shell: str, tmp_path: Path, login: DeviceLogin) -> None:
    """Every variable, byte for byte, with nothing executed on the way."""
    path = tmp_path / "x.env"
    path.write_bytes(render("env", login).files[0].data(tmp_path))
    variables = env.variables(login)
    assert sourced(shell, str(path), [name for name, _ in variables]) == [text.encode() for _, text in variables]


def test_an_env_file_steers_a_program_and_not_iotauth() -> None:
    """`IOTAUTH_…` are settings of the command line, which must not follow what a shell has sourced."""
    names = [name for name, _ in env.variables(replace(LOGIN, is_emulator=True))]
    assert "MQTT_EMULATOR" in names
    assert not [name for name in names if name.startswith(("IOTAUTH_", "AWS_"))]


def test_a_plain_value_needs_no_quotes() -> None:
    """Readers of `.env` that know no quoting, such as Docker's, get what is meant."""
    text = render("env", LOGIN).files[0].data(Path()).decode()
    assert "\nMQTT_PASSWORD=iota_0123456789abcdefghijklmnopqrstuvw\n" in text
    assert "\nMQTT_CLIENT_ID=thermo-1\n" in text


@pytest.mark.parametrize("value", [text for text in HOSTILE if not {"\n", "\r"} & set(text)], ids=ascii)
def test_a_value_of_curls_configuration_comes_back(value: str, tmp_path: Path) -> None:
    """curl reads what was quoted: it says so itself through `--write-out`. A line end fits into no header."""
    config = tmp_path / "x.curl"
    written = curl.quoted(f"<{value.replace('%', '%%')}>")
    config.write_text(f"write-out = {written}\n")
    command = [require_peer("curl"), "--silent", "--config", str(config), "file:///dev/null"]
    assert subprocess.run(command, capture_output=True).stdout.decode() == f"<{value}>"


@pytest.mark.parametrize("password", ["žluťoučký", "tab\tbed", " blank", "line\nend"], ids=ascii)
def test_what_no_header_can_hold_is_refused(password: str) -> None:
    """HTTP has no room for other scripts, control characters or blanks at an end."""
    with pytest.raises(InputError, match="the header `x-iotauth-password` of client `thermo-1` cannot hold its value"):
        render("curl", replace(LOGIN, password=Secret(password)))


def test_a_client_that_may_publish_nothing_has_no_use_for_curl() -> None:
    """Over HTTPS nothing can be heard."""
    with pytest.raises(InputError, match="client `thermo-1` may publish nothing"):
        render("curl", replace(LOGIN, topic=""))


def test_a_signed_token_goes_into_headers_of_its_own() -> None:
    """What rides in the user name over MQTT stands decoded in headers over HTTPS."""
    name = "thermo-1?x-amz-customauthorizer-name=a&token=t.1&x-amz-customauthorizer-signature=a%2B%3D"
    signed = replace(LOGIN, username=name)
    assert ("x-amz-customauthorizer-signature", "a+=") in curl.headers(signed)
    assert ("token", "t.1") in curl.headers(signed)
    assert ("x-iotauth-username", "thermo-1") in curl.headers(signed)


@pytest.mark.parametrize(
    ("password", "problem"),
    [
        ("a\nb", "has a line end in it"),
        ("a\rb", "has a line end in it"),
        ("", "is empty"),
        ("x" * 1020, "is too long: mosquitto reads 1,022 bytes"),
    ],
    ids=["LF", "CR", "empty", "long"],
)
def test_what_mosquittos_file_cannot_hold_is_refused(password: str, problem: str) -> None:
    """An option is a line of a kilobyte; what does not fit would be cut off in silence."""
    with pytest.raises(InputError, match=f"the password of client `thermo-1` {problem}"):
        render("mosquitto", replace(LOGIN, password=Secret(password)))


def test_mosquittos_options_name_the_ca_by_its_whole_path(tmp_path: Path) -> None:
    """The command works in any folder; the longest line is one that mosquitto still reads."""
    found = render("mosquitto", replace(LOGIN, password=Secret("x" * 1019)))
    assert [file.name for file in found.files] == [
        "thermo-1.mosquitto/mosquitto_pub",
        "thermo-1.mosquitto/mosquitto_sub",
        "thermo-1.mosquitto/ca.pem",
    ]
    lines = found.files[0].data(tmp_path).decode().splitlines()
    assert f"--cafile {tmp_path}/ca.pem" in lines
    assert max(len(line) for line in lines if not line.startswith("#")) == mosquitto.MAX_LINE
