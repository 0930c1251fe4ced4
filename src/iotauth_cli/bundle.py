"""What iotauth ships for other machines: the function's zip, the SAM template, the firmware.

In an installed wheel they lie in `_packaged` and beside this package; in a checkout, where
they are edited. The packaged copy is looked for first, so that a wheel never reads somebody's
checkout by accident.
"""

from __future__ import annotations

from pathlib import Path

from iotauth_cli.errors import IotauthError

PACKAGED = Path(__file__).parent / "_packaged"
CHECKOUT = Path(__file__).parents[2]
IN_THE_ZIP = (".py", ".pem")
STAMP = (1980, 1, 1, 0, 0, 0)  # the earliest a zip can hold: the same source gives the same bytes
FILE_MODE = 0o100644 << 16  # readable in Lambda, whatever the umask was here


def authorizer_zip() -> bytes:
    """Return the function's deployment package: `iotauth_authorizer`, byte for byte the same each time."""
    import io
    import zipfile

    package = authorizer_package()
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for path in sorted(path for path in package.rglob("*") if path.suffix in IN_THE_ZIP):
            entry = zipfile.ZipInfo(f"{package.name}/{path.relative_to(package).as_posix()}", STAMP)
            entry.external_attr = FILE_MODE
            entry.create_system = 3  # Unix, also when built on Windows
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, path.read_bytes())
    return buffer.getvalue()


def code_sha256(package: bytes) -> str:
    """Return what Lambda calls the package's CodeSha256: base64 of its SHA-256."""
    import base64
    import hashlib

    return base64.b64encode(hashlib.sha256(package).digest()).decode()


def authorizer_package() -> Path:
    import iotauth_authorizer

    return Path(iotauth_authorizer.__path__[0])


def template_text() -> str:
    """Return the SAM template."""
    return shipped("template.yaml", "lambda_src/template.yaml").read_text(encoding="utf-8")


def firmware_template() -> Path:
    """Return the folder of the PlatformIO project that devices start from."""
    return shipped("firmware_template", "firmware_template")


def shipped(packaged: str, in_checkout: str) -> Path:
    for path in (PACKAGED / packaged, CHECKOUT / in_checkout):
        if path.exists():
            return path
    raise IotauthError(f"this installation lacks `{packaged}`", hint="install iotauth again")
