"""A stored credential with everything a device needs beside it, and the files that carry it."""

from __future__ import annotations

from dataclasses import replace

from iotauth_cli.aws import iot
from iotauth_cli.aws.session import Session
from iotauth_cli.credentials import Credential, Store
from iotauth_cli.device import formats, roots
from iotauth_cli.device.formats import Rendered
from iotauth_cli.device.login import DeviceLogin
from iotauth_cli.device.roots import Root
from iotauth_cli.errors import InputError
from iotauth_cli.files import read_text
from iotauth_cli.operations.host import check_host
from iotauth_cli.probe.errand import concrete
from iotauth_cli.probe.stages import CUSTOM_AUTH_ALPN
from iotauth_cli.secret import Secret

__all__ = ["ALPN", "DeviceLogin", "Rendered", "Root", "login_for", "rendered", "trusted"]

ALPN = (CUSTOM_AUTH_ALPN,)
LOOPBACK = ("localhost", "127.0.0.1", "::1")
MAX_SSID_BYTES = 32  # IEEE 802.11, 9.4.2.2
PASSPHRASE_CHARACTERS = range(8, 64)  # WPA2; 64 hexadecimal digits are the key itself


def login_for(
    session: Session,
    store: Store,
    client_id: str | None,
    *,
    endpoint: str | None = None,
    port: int | None = None,
    alpn: tuple[str, ...] = ALPN,
    wifi_ssid: str | None = None,
    wifi_password: Secret | None = None,
) -> DeviceLogin:
    """Return what the device of *client_id* needs; without a name, of the only client kept here.

    Raises:
        InputError: nothing is kept of it, or no Wi-Fi network can be called or guarded like that.
        AwsError: AWS IoT did not say where devices connect.
    """
    credential = kept_credential(store, client_id)
    if endpoint is not None:
        check_host(endpoint)
    check_network(wifi_ssid, wifi_password)
    login = built_login(session, credential, endpoint=endpoint, wifi_ssid=wifi_ssid, wifi_password=wifi_password)
    return replace(login, port=port or login.port, alpn=alpn)


def built_login(
    session: Session,
    credential: Credential,
    *,
    endpoint: str | None = None,
    wifi_ssid: str | None = None,
    wifi_password: Secret | None = None,
) -> DeviceLogin:
    """Return *credential* with the endpoint and the roots of the target that it is good for."""
    target = session.target
    return DeviceLogin(
        client_id=credential.client_id,
        username=credential.device_username,
        password=credential.password,
        host=endpoint or target.data_host or iot.data_endpoint(session),
        port=target.data_port,
        alpn=ALPN,
        ca_pem=(read_text(target.ca_file) if target.ca_file else None) or roots.amazon_pem(),
        is_emulator=target.ca_file is not None,
        publish=credential.publish,
        subscribe=credential.subscribe,
        retain=credential.retain,
        will=credential.will,
        topic=first_topic(credential),
        authorizer=credential.authorizer,
        wifi_ssid=wifi_ssid,
        wifi_password=wifi_password,
    )


def first_topic(credential: Credential) -> str:
    """Return a topic that the device may publish to, one that it hears itself if there is one; else nothing.

    Where a filter leaves a level open, a name stands for it.
    """
    heard = [topic for topic in credential.publish if topic in credential.subscribe]
    return next((concrete(topic) for topic in (*heard, *credential.publish)), "")


def kept_credential(store: Store, client_id: str | None) -> Credential:
    """Return the credential of *client_id*, or of the only client there is.

    Raises:
        InputError: there is none; the hint names the ways out.
    """
    if client_id == "":
        raise InputError("the client id is empty", hint="name the client, or leave it out where there is only one")
    if client_id is not None:
        found = store.load(client_id)
        if found is None:
            raise nothing_kept(store, client_id)
        return found
    kept = store.list()
    if not kept:
        raise InputError(
            f"no credential is kept in `{store.folder}`",
            hint="add a client: `iotauth client add thermo-1 --topic sensors/thermo-1`",
        )
    if len(kept) > 1:
        some = ", ".join(f"`{each.client_id}`" for each in kept[:5])
        raise InputError(f"there are {len(kept)} clients here: {some}", hint="name the one that is meant")
    return kept[0]


def nothing_kept(store: Store, client_id: str) -> InputError:
    return InputError(
        f"no credential of client `{client_id}` is kept in `{store.folder}`, and its password cannot be had again",
        hint=f"add it with `iotauth client add {client_id}`, or, if it is in `iotauth client list`, "
        f"give it a new password with `iotauth client rotate {client_id}`",
    )


def check_network(ssid: str | None, password: Secret | None) -> None:
    """Refuse what no access point takes, before a board tries it for an evening.

    Raises:
        InputError: name or passphrase are too long or too short, or there is a passphrase for no network.
    """
    if ssid is not None and not 1 <= len(ssid.encode()) <= MAX_SSID_BYTES:
        raise InputError(f"the network's name `{ssid}` is longer than {MAX_SSID_BYTES} bytes")
    if password is None:
        return
    if ssid is None:
        raise InputError("there is a password and no network", hint="name the network with `--wifi-ssid`")
    text = password.reveal()
    is_key = len(text) == PASSPHRASE_CHARACTERS.stop and not set(text) - set("0123456789abcdefABCDEF")
    if not is_key and len(text.encode()) not in PASSPHRASE_CHARACTERS:
        raise InputError(
            f"the password of network `{ssid}` has {len(text.encode())} characters, and WPA takes 8 to 63",
            hint="leave `--wifi-password-stdin` out for an open network",
        )


def rendered(name: str, login: DeviceLogin) -> Rendered:
    """Return *login* as format *name*.

    Raises:
        InputError: there is no such format, or its target cannot carry this login.
    """
    found = formats.render(name, login)
    return replace(found, notes=(*found.notes, *place_notes(login)))


def place_notes(login: DeviceLogin) -> tuple[str, ...]:
    if login.host in LOOPBACK:
        return (f"`{login.host}` is this machine: programs here reach it, a board does not",)
    return ()


def trusted(login: DeviceLogin) -> tuple[Root, ...]:
    """Return the roots that the device will trust."""
    return roots.described(login.ca_pem)
