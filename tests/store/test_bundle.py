"""What iotauth ships: the function's zip, the template, the firmware."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import os
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import pytest

from iotauth_cli import bundle
from iotauth_cli.errors import IotauthError


def entries(package: bytes) -> list[zipfile.ZipInfo]:
    return zipfile.ZipFile(io.BytesIO(package)).infolist()


def test_the_zip_is_the_same_each_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Other file times, another time zone, another umask, another place: the same bytes."""
    first = bundle.authorizer_zip()
    copy = tmp_path / "iotauth_authorizer"
    copy.mkdir()
    for path in sorted(bundle.authorizer_package().glob("*"), reverse=True):
        if path.is_file():
            (copy / path.name).write_bytes(path.read_bytes())
            os.chmod(copy / path.name, 0o600)
            os.utime(copy / path.name, (1, 1))
    monkeypatch.setattr(bundle, "authorizer_package", lambda: copy)
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    assert bundle.authorizer_zip() == first
    assert time.gmtime()  # the zone was changed for this test only


def test_the_zip_holds_the_package_and_nothing_else() -> None:
    """Sources and roots under their package's name, readable by all, no bytecode."""
    found = entries(bundle.authorizer_zip())
    names = [entry.filename for entry in found]
    assert "iotauth_authorizer/handler.py" in names
    assert "iotauth_authorizer/roots.pem" in names
    assert all(name.startswith("iotauth_authorizer/") and name.endswith((".py", ".pem")) for name in names)
    assert names == sorted(names)
    assert {entry.external_attr >> 16 for entry in found} == {0o100644}


def test_the_zip_stays_small() -> None:
    """Under 40 kB: it is downloaded at each cold start."""
    assert len(bundle.authorizer_zip()) < 40_000


def test_the_zip_runs_with_the_standard_library_alone(tmp_path: Path) -> None:
    """As it is, from inside the zip, `python -I -S`: an event without credentials is refused."""
    package = tmp_path / "function.zip"
    package.write_bytes(bundle.authorizer_zip())
    script = (
        "import sys, json; sys.path.insert(0, sys.argv[1]); "
        "from iotauth_authorizer.handler import handler; "
        "sys.stdout = sys.stderr; answer = handler({'protocols': ['mqtt']}, None); "
        "sys.__stdout__.write(json.dumps(answer))"
    )
    ran = subprocess.run(
        [sys.executable, "-I", "-S", "-c", script, str(package)], capture_output=True, text=True, check=True
    )
    assert json.loads(ran.stdout)["isAuthenticated"] is False


def test_the_hash_is_the_one_lambda_shows() -> None:
    """CodeSha256 is base64 of SHA-256, so that a plan can tell old code from new without a download."""
    package = bundle.authorizer_zip()
    assert bundle.code_sha256(package) == base64.b64encode(hashlib.sha256(package).digest()).decode()


def test_the_template_and_the_firmware_are_there() -> None:
    """Both come from the checkout here and from the wheel when installed."""
    assert "AWSTemplateFormatVersion" in bundle.template_text()
    assert bundle.firmware_template().is_dir()


def test_the_packaged_copy_is_looked_for_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An installed wheel never reads a checkout that happens to be near."""
    (tmp_path / "template.yaml").write_text("packaged")
    monkeypatch.setattr(bundle, "PACKAGED", tmp_path)
    assert bundle.template_text() == "packaged"
    monkeypatch.setattr(bundle, "CHECKOUT", tmp_path)
    with pytest.raises(IotauthError, match="lacks `firmware_template`"):
        bundle.firmware_template()
