"""What was rendered is typed as the command says, and the emulator lets the client in."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from iotauth_cli.device.formats import Rendered
from iotauth_cli.operations import device_secrets, secret_files
from iotauth_cli.operations.secret_files import Written
from iotauth_cli.secret import Secret
from support import require_module, require_peer
from support_emulator import running_emulator
from support_world import Place, installed

PASSWORD = "a\"b\\c 'd' $HOME ;#%s !x -P"  # a file takes what a command line would choke on

PROGRAM = """
import os, ssl
from paho.mqtt import publish
e = os.environ
tls = ssl.create_default_context(cadata=e["MQTT_ROOT_CA"])
tls.set_alpn_protocols([e["MQTT_ALPN"]])
login = {"username": e["MQTT_USERNAME"], "password": e["MQTT_PASSWORD"]}
place = {"hostname": e["MQTT_HOST"], "port": int(e["MQTT_PORT"]), "tls": tls}
publish.single(e["MQTT_TOPIC"], "hello", 1, client_id=e["MQTT_CLIENT_ID"], auth=login, **place)
"""


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    directory = tmp_path_factory.mktemp("render")
    with running_emulator(directory) as emulator, installed(emulator, directory) as place:
        yield place


def rendered(place: Place, client_id: str, name: str, folder: Path) -> tuple[Rendered, Written]:
    login = device_secrets.login_for(place.session, place.store, client_id)
    found = device_secrets.rendered(name, login)
    return found, secret_files.write(found, None, cwd=folder, force=False)


def run(command: list[str], folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run *command* as a person would; no argument may hold the password."""
    assert not any(PASSWORD in argument for argument in command)
    return subprocess.run(
        command,
        cwd=folder,
        env={"PATH": os.environ["PATH"], "HOME": str(folder), **environment},
        capture_output=True,
        text=True,
        timeout=30,
    )


@pytest.mark.parametrize("name", ["paho", "awsiotsdk"])
def test_a_python_script_connects_and_hears_its_own_message(name: str, place: Place, tmp_path: Path) -> None:
    """As it is: connected, subscribed, published, received."""
    require_module({"paho": "paho.mqtt", "awsiotsdk": "awsiot"}[name])
    place.add(f"run-{name}", f"run/{name}", password=Secret(PASSWORD))
    _, written = rendered(place, f"run-{name}", name, tmp_path)
    ran = run([sys.executable, str(written.paths[0])], tmp_path)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "connected" in ran.stdout
    assert f"received run/{name}" in ran.stdout


def test_a_script_says_that_it_was_refused(place: Place, tmp_path: Path) -> None:
    """A wrong password ends it with 1, and no stack trace."""
    place.add("run-wrong", "run/wrong")
    _, written = rendered(place, "run-wrong", "paho", tmp_path)
    script = written.paths[0]
    script.write_text(script.read_text().replace("PASSWORD = '", "PASSWORD = 'x"))
    ran = run([sys.executable, str(script)], tmp_path)
    assert ran.returncode == 1
    assert "Traceback" not in ran.stderr
    assert "received" not in ran.stdout


def test_mosquitto_publishes_and_hears_with_a_private_file(place: Place, tmp_path: Path) -> None:
    """The command that is shown, in the version of the tools that this machine has."""
    publish, subscribe = require_peer("mosquitto_pub"), require_peer("mosquitto_sub")
    place.add("run-mosquitto", "run/mosquitto", password=Secret(PASSWORD))
    found, written = rendered(place, "run-mosquitto", "mosquitto", tmp_path)
    folder = str(written.paths[0].parent)
    assert found.command == "XDG_CONFIG_HOME={folder} mosquitto_pub -t run/mosquitto -m hello"
    listen = [subscribe, "-t", "run/mosquitto", "-C", "1", "-W", "5", "-E"]
    ran = run(listen, tmp_path, XDG_CONFIG_HOME=folder)
    assert (ran.returncode, ran.stderr) == (0, "")
    ran = run([publish, "-t", "run/mosquitto", "-m", "hello", "-q", "1"], tmp_path, XDG_CONFIG_HOME=folder)
    assert (ran.returncode, ran.stderr) == (0, "")


def test_curl_publishes_over_https(place: Place, tmp_path: Path) -> None:
    """With the configuration alone; the answer is AWS's."""
    curl = require_peer("curl")
    place.add("run-curl", "run/curl with blank", password=Secret(PASSWORD))
    _, written = rendered(place, "run-curl", "curl", tmp_path)
    ran = run([curl, "--config", str(written.paths[0]), "--data", "hello"], tmp_path)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert json.loads(ran.stdout)["message"] == "OK"


def test_a_shell_connects_with_the_env_file(place: Place, tmp_path: Path) -> None:
    """A program that is started with the variables finds everything in them, the CA too."""
    place.add("run-env", "run/env", password=Secret(PASSWORD))
    _, written = rendered(place, "run-env", "env", tmp_path)
    program = tmp_path / "program.py"
    program.write_text(PROGRAM)
    line = f'set -a; . "{written.paths[0]}"; set +a; exec "{sys.executable}" "{program}"'
    ran = run([require_peer("sh"), "-c", line], tmp_path)
    assert ran.returncode == 0, ran.stderr


def test_a_login_without_a_name_is_that_of_the_only_client(place: Place) -> None:
    """With several kept, one has to be named; what is known of it comes from its credential and the target."""
    place.add("run-facts", "run/facts", retain=True, will=True)
    login = device_secrets.login_for(place.session, place.store, "run-facts")
    credential = place.store.load("run-facts")
    assert credential is not None
    assert device_secrets.built_login(place.session, credential) == login
    assert login.alpn == ("mqtt",)
    assert (login.host, login.port) == (place.target.data_host, place.target.data_port)
    assert login.username == "run-facts?x-amz-customauthorizer-name=doors"
    assert (login.retain, login.will, login.topic) == (True, True, "run/facts")
    assert login.marks
    assert place.target.ca_file is not None
    assert login.ca_pem == place.target.ca_file.read_text()
