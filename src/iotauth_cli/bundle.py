"""What iotauth ships for other machines: the function's zip, the SAM template, the firmware.

In an installed wheel they lie in `_packaged` and beside this package; in a checkout, where
they are edited. The packaged copy is looked for first, so that a wheel never reads somebody's
checkout by accident.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from iotauth_cli.errors import IotauthError

PACKAGED = Path(__file__).parent / "_packaged"
CHECKOUT = Path(__file__).parents[2]
IN_THE_ZIP = (".py", ".pem")
STAMP = (1980, 1, 1, 0, 0, 0)  # the earliest a zip can hold: the same source gives the same bytes
FILE_MODE = 0o100644 << 16  # readable in Lambda, whatever the umask was here


def authorizer_zip() -> bytes:
    """Return the function's deployment package: `iotauth_authorizer`, byte for byte the same each time."""
    package = authorizer_package()
    return folder_zip(package.parent, (path for path in package.rglob("*") if path.suffix in IN_THE_ZIP))


def folder_files(folder: Path) -> list[Path]:
    """Return the files of a function's *folder* that belong into its package: no caches, nothing hidden."""
    return [path for path in sorted(folder.rglob("*")) if path.is_file() and _is_code(path.relative_to(folder))]


def _is_code(path: Path) -> bool:
    return not any(part.startswith(".") or part == "__pycache__" for part in path.parts)


def folder_zip(root: Path, files: Iterable[Path]) -> bytes:
    """Return *files*, which lie below *root*, as a deployment package: the same bytes for the same content."""
    import io
    import zipfile

    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for path in sorted(files):
            entry = zipfile.ZipInfo(path.relative_to(root).as_posix(), STAMP)
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
