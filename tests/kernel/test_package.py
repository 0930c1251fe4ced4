"""The package as Lambda gets it: a small zip that runs on the standard library alone."""

from __future__ import annotations

import hashlib
import json
import os
import re
import ssl
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from iotauth_authorizer.credential import Slot, hash_secret
from iotauth_authorizer.event import ConnectRequest, build_event
from iotauth_authorizer.grants import Grants
from iotauth_authorizer.record import ClientRecord, to_item
from iotauth_cli.bundle import authorizer_zip
from support import REPOSITORY, require_peer
from support_table import answer, in_turn, serving, tls_context
from support_tls import Authority

PACKAGE = REPOSITORY / "lambda_src" / "iotauth_authorizer"
EVENT = build_event(ConnectRequest(protocols=("mqtt",), client_id="door-7", password=b"iota_sesame"))

CALL = """
import json, sys
sys.path.insert(0, sys.argv[1])
from iotauth_authorizer.handler import handler
class Context:
    invoked_function_arn = "arn:aws:lambda:eu-west-1:123456789012:function:iotauth"
print(json.dumps(handler(json.loads(sys.argv[2]), Context())))
"""


def interpreters() -> Iterator[str]:
    """Find one interpreter per supported minor version: on the path, or under pyenv."""
    candidates = [sys.executable, *(f"python3.{minor}" for minor in range(10, 20))]
    if root := os.environ.get("PYENV_ROOT"):
        candidates += map(str, sorted(Path(root).glob("versions/3.*/bin/python")))
    seen = set()
    for candidate in candidates:
        version = version_of(candidate)
        if version and version >= (3, 10) and version not in seen:
            seen.add(version)
            yield candidate


def version_of(interpreter: str) -> tuple[int, ...] | None:
    """Ask an interpreter for its version; a pyenv shim without one behind it has none."""
    try:
        asked = [interpreter, "-c", "import sys; print(*sys.version_info[:2])"]
        said = subprocess.run(asked, capture_output=True, text=True, check=True, timeout=10).stdout
    except (OSError, subprocess.SubprocessError):
        return None
    return tuple(map(int, said.split()))


EVERY_INTERPRETER = pytest.mark.parametrize(
    "interpreter", list(interpreters()), ids=lambda path: ".".join(map(str, version_of(path) or ()))
)


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The very zip that is deployed."""
    path = tmp_path_factory.mktemp("zip") / "function.zip"
    path.write_bytes(authorizer_zip())
    return path


def call(interpreter: str, archive: Path, **environ: str) -> list[dict[str, object]]:
    """Run the function in a bare interpreter with warnings as errors; return its log line and its answer."""
    warnings = ("-W", "error", "-W", "ignore::ResourceWarning")  # it never closes its connection
    ran = subprocess.run(
        [interpreter, "-I", "-S", *warnings, "-c", CALL, str(archive), json.dumps(EVENT)],
        env=environ,
        capture_output=True,
        text=True,
        timeout=30,
    )
    assert ran.stderr == ""
    return [json.loads(line) for line in ran.stdout.splitlines()]


def test_the_zip_is_small(archive: Path) -> None:
    """It can be read in the console, and is a ten-thousandth of a packed boto3."""
    assert archive.stat().st_size < 40_000


@EVERY_INTERPRETER
def test_the_zip_runs_on_the_standard_library_alone(interpreter: str, archive: Path) -> None:
    """No site directory, no environment: it is imported from inside the zip, and refuses."""
    line, refusal = call(interpreter, archive)
    assert line["reason"] == "misconfigured"
    assert refusal["isAuthenticated"] is False


@EVERY_INTERPRETER
def test_the_zip_lets_a_client_in_over_tls(interpreter: str, archive: Path, tmp_path: Path) -> None:
    """With a row, a right secret and a server that only the system's roots vouch for."""
    authority = Authority(tmp_path)
    slot = Slot(hash_secret(b"iota_sesame", "door-7"), 1)
    row = to_item(ClientRecord("door-7", slots={"A": slot}, grants=Grants.for_topic("doors/7")))
    with serving(in_turn(answer({"Item": row})), tls_context(authority.leaf())) as server:
        line, accepted = call(
            interpreter,
            archive,
            IOTAUTH_TABLE="clients",
            AWS_REGION="eu-west-1",
            AWS_ACCESS_KEY_ID="AKIDEXAMPLE",
            AWS_SECRET_ACCESS_KEY="secret",
            AWS_ENDPOINT_URL_DYNAMODB=server.url,
            SSL_CERT_FILE=str(authority.file),
        )
    assert (line["reason"], line["slot"]) == ("ok", "A")
    assert accepted["isAuthenticated"] is True


def test_the_function_loads_nothing_heavy() -> None:
    """Each of these is milliseconds of every cold start."""
    heavy = {"dataclasses", "inspect", "email", "http", "urllib.request", "logging", "asyncio", "decimal"}
    script = f"import sys; sys.path.insert(0, {str(PACKAGE.parent)!r}); import iotauth_authorizer.handler; "
    ran = subprocess.run(
        [sys.executable, "-I", "-S", "-c", script + "print(*sys.modules)"],
        env={},
        capture_output=True,
        text=True,
        check=True,
    )
    assert not heavy & set(ran.stdout.split())


# As AWS publishes them: https://www.amazontrust.com/repository/
FINGERPRINTS = {
    "Amazon Root CA 1": "8ecde6884f3d87b1125ba31ac3fcb13d7016de7f57cc904fe1cb97c6ae98196e",
    "Amazon Root CA 2": "1ba5b2aa8c65401a82960118f80bec4f62304d83cec4713a19c39c011ea46db4",
    "Amazon Root CA 3": "18ce6cfe7bf14e60b2e347b8dfe868cb31d02ebb3ada271569f50343b46db3a4",
    "Amazon Root CA 4": "e35d28419ed02025cfa69038cd623962458da5c695fbdea3c22b0bfb25897092",
    "Starfield Services Root Certificate Authority - G2": (
        "568d6905a2c88708a4b3025190edcfedb1974a606a13c6e5290fcb2ae63edab5"
    ),
}


def test_the_shipped_roots_are_amazon_s() -> None:
    """Those five and no other, by the fingerprints that AWS publishes."""
    described = re.findall(r"# (.+), until .+\n# .+\n(-----BEGIN[^#]+)", (PACKAGE / "roots.pem").read_text())
    found = {name: hashlib.sha256(ssl.PEM_cert_to_DER_cert(pem)).hexdigest() for name, pem in described}
    assert found == FINGERPRINTS


def test_openssl_reads_the_shipped_roots_too() -> None:
    """A second pair of eyes on the first of them, comments in the file included."""
    openssl = require_peer("openssl")
    asked = [openssl, "x509", "-in", str(PACKAGE / "roots.pem"), "-noout", "-fingerprint", "-sha256"]
    said = subprocess.run(asked, capture_output=True, text=True, check=True).stdout
    assert said.partition("=")[2].strip().replace(":", "").lower() == FINGERPRINTS["Amazon Root CA 1"]
