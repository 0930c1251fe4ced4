"""Logins for tests of what carries them: a plain one, and any that MQTT allows."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import strategies as st

from iotauth_cli.device import roots
from iotauth_cli.device.login import DeviceLogin
from iotauth_cli.secret import Secret

LOGIN = DeviceLogin(
    client_id="thermo-1",
    username="thermo-1?x-amz-customauthorizer-name=iotauth",
    password=Secret("iota_0123456789abcdefghijklmnopqrstuvw"),
    host="a1b2c3-ats.iot.eu-west-1.amazonaws.com",
    port=443,
    alpn=("mqtt",),
    ca_pem=roots.amazon_pem(),
    is_emulator=False,
    publish=("sensors/thermo-1", "sensors/thermo-1/#"),
    subscribe=("sensors/thermo-1", "sensors/thermo-1/#"),
    retain=False,
    will=False,
    topic="sensors/thermo-1",
    authorizer="iotauth",
)

# What breaks quoting somewhere: of shells, C before C++17, YAML, TOML, printf, dotenv, Tasmota, CSV.
HOSTILE = (
    'a"b\\c', "it's", "??/", "???/", "?" * 5 + "/n", "??=define",
    "%s%n%20", "$HOME `id` $(id)", ";|&<>", "//*", "\\\n", "tab\tnew\nline\r\n",
    "žluťoučký 🔑", "\x01" + "7", 'R"(x)"', " leading", "trailing ", "#hash", "null", "yes", "1e3", "'", '"', "\\",
    "a: b", "- x", "!tag", "&anchor", "*alias", "{x}", "[x]", "a,b", "=1+1", "\x7f", "\u0085", "\u2028", "\ufeffx",
    "-P", "--", "", "!history!", "~", "\\x41\\u0041\\101", "${HOME}", "{{x}}", "%HOME%", "@file", "<b>",
)  # fmt: skip

texts = st.sampled_from(HOSTILE) | st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))
filled = texts.filter(bool)


@st.composite
def logins(draw: st.DrawFn) -> DeviceLogin:
    """A login of hostile texts: quotes, line ends, control characters, other scripts; never NUL."""
    return replace(
        LOGIN,
        client_id=draw(filled),
        username=draw(texts),
        password=Secret(draw(filled)),
        topic=draw(texts),
        wifi_ssid=draw(st.none() | filled),
        wifi_password=draw(st.none() | filled.map(Secret)),
        retain=draw(st.booleans()),
        will=draw(st.booleans()),
    )
