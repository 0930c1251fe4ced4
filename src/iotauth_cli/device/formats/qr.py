"""The login as a QR code, for an app that sets a device up. It holds the password, as plain as the text does."""

from __future__ import annotations

import io
import json

from iotauth_cli.device.connect_size import measured
from iotauth_cli.device.formats import Rendered, RenderedFile, file_stem
from iotauth_cli.device.login import DeviceLogin
from iotauth_cli.errors import DeviceError, InputError

SCALE = 4  # pixels for a square
CONTENT = "it holds host, port, client id, user name and password as JSON, and no CA: the app brings its own"


def render(login: DeviceLogin) -> Rendered:
    """Return an SVG.

    Raises:
        DeviceError: segno is not installed.
        InputError: no QR code is large enough.
    """
    try:
        import segno
    except ImportError:
        raise DeviceError(
            "what draws QR codes is not installed", hint="install it with `pip install 'iotauth[qr]'`"
        ) from None
    try:
        code = segno.make_qr(content(login), error="m", boost_error=False)
    except segno.DataOverflowError:
        raise InputError(
            f"the login of client `{login.client_id}` is too long for a QR code, which holds 2,331 bytes"
        ) from None  # the cause quotes the content
    picture = io.BytesIO()
    code.save(picture, kind="svg", scale=SCALE)
    return Rendered(
        (RenderedFile(f"{file_stem(login)}.qr.svg", picture.getvalue()),), *measured(login), notes=(CONTENT,)
    )


def content(login: DeviceLogin) -> str:
    """Return the text in the code, in ASCII: readers disagree about everything else."""
    wifi_password = login.wifi_password.reveal() if login.wifi_password else None
    members = {
        "host": login.host,
        "port": login.port,
        "client_id": login.client_id,
        "username": login.username,
        "password": login.password.reveal(),
        "wifi_ssid": login.wifi_ssid,
        "wifi_password": wifi_password,
        "emulator": login.is_emulator or None,
    }
    return json.dumps({name: value for name, value in members.items() if value is not None}, separators=(",", ":"))
