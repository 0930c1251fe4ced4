"""A clean environment for every test: nobody's AWS account, settings or proxies leak in."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

# How long an example takes is the machine's business; a busy one must not fail a property.
settings.register_profile("iotauth", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("iotauth")

# A runner that puts its jobs into the background, or `nohup`, has them ignore these, and every program that a
# test starts would inherit that and not hear its Ctrl-C.
for name in ("SIGINT", "SIGHUP"):
    number = getattr(signal, name, None)  # Windows has no SIGHUP
    if number is not None and signal.getsignal(number) is signal.SIG_IGN:
        signal.signal(number, signal.default_int_handler if name == "SIGINT" else signal.SIG_DFL)


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("parity", "tests/parity, on the emulator or on AWS (docs/guides/parity.md)")
    group.addoption("--aws", action="store_true", help="run tests/parity against the account AWS's tools find")
    group.addoption("--profile", metavar="NAME", help="the profile of AWS's tools; else as they find it")
    group.addoption("--region", metavar="NAME", help="the region; else as AWS's tools find it")
    group.addoption("--aws-yes", action="store_true", help="do not ask before the first thing is created")
    group.addoption("--aws-slow", action="store_true", help="also the tests that wait for real minutes")
    group.addoption("--aws-account-wide", action="store_true", help="also those that set the default authorizer")
    group.addoption("--aws-sweep", metavar="HOURS", type=float, help="first remove what earlier runs left behind")
    group.addoption("--parity-report", metavar="FILE", help="write what was observed; on AWS else to report.json")
    group.addoption("--parity-usage", action="store_true", help="measure what each test uses, for the estimate")


PROXIES = ("http_proxy", "https_proxy", "all_proxy", "no_proxy")
COLOURS = ("no_color", "force_color", "columns")
KEPT = ("IOTAUTH_REQUIRE_PEERS",)


def leaks(name: str) -> bool:
    if name in KEPT:
        return False
    return name.startswith(("AWS_", "IOTAUTH_", "PLATFORMIO_")) or name.lower() in PROXIES + COLOURS


@pytest.fixture(autouse=True)
def clean_environment(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    if request.config.getoption("--aws") and "parity" in request.path.parts:
        return  # credentials that expire are renewed from the real home
    home: Path = tmp_path_factory.mktemp("home")
    for name in filter(leaks, list(os.environ)):
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(home / ".config"))
    monkeypatch.setenv("XDG_STATE_HOME", str(home / ".local" / "state"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
