"""What holds for every format."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from iotauth_cli.cli import secrets as command
from iotauth_cli.device.formats import FORMATS, NO_NETWORK, WIFI_NEEDED, WIFI_NONE, render
from iotauth_cli.errors import InputError
from iotauth_cli.secret import Secret
from support_logins import LOGIN

EVERY = list(FORMATS)
SIZELESS = ("nvs-csv", "nvs-bin", "mfg", "tasmota", "esp-at", "label", "qr")  # no comment can be written there
DRAWN = ("qr",)
COMMANDS = ("tasmota", "esp-at")  # a console obeys them, and a remark is no command; the host says `localhost`


def everything(name: str, **changes: object) -> bytes:
    files = render(name, replace(LOGIN, **changes)).files  # type: ignore[arg-type]
    return b"".join(file.data(Path("/nowhere")) for file in files)


@pytest.mark.parametrize("name", EVERY)
def test_the_secret_lies_in_secret_files_only(name: str) -> None:
    """A file that git may see holds no password, and at least one that it may not see does."""
    password = LOGIN.password.reveal().encode()
    holders = [file for file in render(name, LOGIN).files if password in file.data(Path("/nowhere"))]
    assert all(file.is_secret for file in holders)
    assert holders or name in DRAWN


@pytest.mark.parametrize("name", EVERY)
def test_every_format_states_the_packet_and_its_buffer(name: str) -> None:
    """With the result, and in the file itself where it has room for a remark."""
    found = render(name, LOGIN)
    assert (found.connect_bytes, found.buffer_bytes) == (108, 111)
    if name not in SIZELESS:
        assert b"108" in everything(name)


@pytest.mark.parametrize("name", [name for name in EVERY if name not in COMMANDS])
def test_a_credential_of_the_emulator_is_marked(name: str) -> None:
    """The result is told apart from one for AWS, in every format that a program or a person reads on."""
    assert everything(name, is_emulator=True) != everything(name)
    if name not in (*DRAWN, "nvs-bin"):
        assert b"emulator" in everything(name, is_emulator=True).lower()


@pytest.mark.parametrize("name", [name for name in EVERY if name not in ("json", "qr")])
def test_a_nul_is_refused(name: str) -> None:
    """Nothing but JSON can carry one."""
    with pytest.raises(InputError):
        render(name, replace(LOGIN, password=Secret("a\0b")))


@pytest.mark.parametrize("name", EVERY)
def test_what_mqtt_cannot_carry_is_refused_everywhere(name: str) -> None:
    """65,536 bytes are too long for a CONNECT, whatever would carry them to the device."""
    with pytest.raises(InputError):
        render(name, replace(LOGIN, password=Secret("x" * 65_536)))


@pytest.mark.parametrize("name", EVERY)
def test_a_refusal_keeps_the_secret(name: str) -> None:
    """Neither the sentence nor the hint repeats what was refused."""
    hostile = replace(LOGIN, password=Secret("Canary;\n$ \0" + "Canary" * 11_000))
    with pytest.raises(InputError) as refusal:
        render(name, hostile)
    assert "Canary" not in refusal.value.message + (refusal.value.hint or "")


def test_a_format_that_does_not_exist_is_answered_with_one_that_does() -> None:
    """A typing error is recognised; otherwise all are listed."""
    with pytest.raises(InputError, match="there is no format `esphom`") as near:
        render("esphom", LOGIN)
    assert near.value.hint == "did you mean `esphome`?"
    with pytest.raises(InputError) as far:
        render("xyz", LOGIN)
    assert far.value.hint is not None
    assert all(name in far.value.hint for name in FORMATS)


def test_the_help_names_every_format() -> None:
    """A format that the help leaves out does not exist for anybody."""
    for name in FORMATS:
        assert f"\n    {name} " in (command.render.__doc__ or ""), name


@pytest.mark.parametrize("name", [name for name, found in FORMATS.items() if found.wifi == WIFI_NONE])
def test_a_tool_on_this_machine_has_no_use_for_a_network(name: str) -> None:
    """A network that was named would be forgotten in silence."""
    with pytest.raises(InputError, match=f"format `{name}` has no place for a Wi-Fi network"):
        render(name, replace(LOGIN, wifi_ssid="barn"))


@pytest.mark.parametrize("name", [name for name, found in FORMATS.items() if found.wifi != WIFI_NONE])
def test_a_network_is_written_down_or_missed(name: str) -> None:
    """Where it is named it stands in the result; where it is needed and was not named, that is said."""
    assert (NO_NETWORK in render(name, LOGIN).notes) == (FORMATS[name].wifi == WIFI_NEEDED)
    named = replace(LOGIN, wifi_ssid="barn-net", wifi_password=Secret("correct-horse"))
    assert NO_NETWORK not in render(name, named).notes
    if name not in DRAWN:
        found = b"".join(file.data(Path()) for file in render(name, named).files)
        assert b"barn-net" in found
        assert b"correct-horse" in found
