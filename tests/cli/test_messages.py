"""listen and publish at the emulator: what goes in comes out, a refusal is explained, what is cut comes back."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Generator, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from iotauth_cli.cli import render_messages as render
from iotauth_cli.cli.context import Context
from iotauth_cli.errors import AwsError
from iotauth_cli.operations import messages
from iotauth_cli.operations.messages import Connected, Cut, Message, Participant, Published, Refused, Sending, Wanted
from iotauth_cli.probe import messaging
from iotauth_cli.probe.conversation import Conversation
from support import require_peer
from support_desk import Desk
from support_emulator import RunningEmulator
from support_scenarios import in_process

LARGE = bytes(range(256)) * 512  # AWS IoT's limit, and as binary as can be
WAYS = {
    "mqtt": Wanted("bell-1"),
    "mqtt5": Wanted("bell-1", is_mqtt5=True),
    "websocket": Wanted("bell-1", is_websocket=True),
    "websocket-mqtt5": Wanted("bell-1", is_websocket=True, is_mqtt5=True),
    "operator": Wanted(as_operator=True),
    "operator-mqtt5": Wanted(as_operator=True, is_mqtt5=True),
}


@pytest.fixture(scope="module")
def project(emulator: RunningEmulator, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with client `bell-1`, who may do what it likes below `bells/1`, and publish retained there."""
    folder = tmp_path_factory.mktemp("bells")
    with pytest.MonkeyPatch.context() as patch:
        settle_in(patch, folder, emulator)
        assert in_process(["authorizer", "create", "--quiet", "--json"], b"")[-1] == "}"
        in_process(["client", "add", "bell-1", "--topic", "bells/1", "--retain", "--quiet"], b"")
    return folder


@pytest.fixture
def bells(project: Path, emulator: RunningEmulator, monkeypatch: pytest.MonkeyPatch) -> Desk:
    settle_in(monkeypatch, project, emulator)
    return Desk(project)


def settle_in(patch: pytest.MonkeyPatch, folder: Path, emulator: RunningEmulator) -> None:
    patch.chdir(folder)
    patch.setenv("IOTAUTH_EMULATOR", "1")
    patch.setenv("IOTAUTH_STATE_DIR", str(emulator.state_dir))


def participant(wanted: Wanted) -> Participant:
    context = Context.from_flags({})
    return messages.take_part(context.session, context.store, wanted)


@contextlib.contextmanager
def listening(
    wanted: Wanted, *filters: str, qos: int = 1
) -> Iterator[Generator[Connected | Message | Cut | Refused, None, None]]:
    """Yield the events from the one behind `Connected` on."""
    events = messages.listen(participant(wanted), filters, qos=qos)
    try:
        assert next(events) == Connected()
        yield events
    finally:
        events.close()


def send(topic: str, payload: bytes, wanted: Wanted, **how: Any) -> list[Published | Refused]:
    context = Context.from_flags({})
    who = messages.take_part(context.session, context.store, wanted)
    return list(messages.publish(context.session, who, topic, payload, Sending(**how)))


@contextlib.contextmanager
def process(*arguments: str) -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen(
        [sys.executable, "-m", "iotauth_cli", *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as running:
        try:
            yield running
        finally:
            running.kill()


def await_listening(running: subprocess.Popen[bytes]) -> None:
    assert running.stderr is not None
    assert running.stderr.readline().startswith(b"listening ")


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("qos", [0, 1])
def test_what_goes_in_comes_out(bells: Desk, way: str, qos: int) -> None:
    """Every way to listen and every way to publish carry the same bytes, small, large and none."""
    with listening(Wanted(as_operator=True), "bells/1/#", qos=qos) as events:
        for payload in (b"ding", LARGE, b""):
            (sent,) = send("bells/1/x", payload, WAYS[way], qos=qos)
            assert isinstance(sent, Published)
            heard = next(events)
            assert isinstance(heard, Message)
            assert (heard.topic, heard.payload, heard.qos, heard.retain) == ("bells/1/x", payload, qos, False)


@pytest.mark.parametrize("way", WAYS)
def test_a_client_hears_what_it_may(bells: Desk, way: str) -> None:
    """Each way to listen gets a message, and goes on when a minute has nothing."""
    with listening(WAYS[way], "bells/1") as events:
        send("bells/1", b"dong", Wanted(as_operator=True))
        heard = next(events)
        assert isinstance(heard, Message)
        assert heard.payload == b"dong"


@pytest.mark.parametrize("who", [Wanted("bell-1"), Wanted(as_operator=True)], ids=["client", "operator"])
def test_one_https_request_publishes_too(bells: Desk, who: Wanted) -> None:
    """As a device without MQTT does, and as AWS IoT's API does with AWS keys."""
    with listening(Wanted(as_operator=True), "bells/#") as events:
        (sent,) = send("bells/1/ä b", LARGE, who, is_http=True)
        assert isinstance(sent, Published)
        heard = next(events)
        assert isinstance(heard, Message)
        assert (heard.topic, heard.payload) == ("bells/1/ä b", LARGE)


def test_a_refused_request_is_explained(bells: Desk) -> None:
    """Over HTTPS there is a 403, and still no reason."""
    told = bells("publish", "bells/2", "x", "--http")
    assert told.code == 1
    assert told.lines[0] == "! refused to publish to `bells/2`: answered with 403 Forbidden, `Forbidden`"
    assert "! because    no statement allows iot:Publish on topic/bells/2" in told.lines


def test_mqtt_5_tells_a_messages_properties(bells: Desk) -> None:
    """The content type that publish gave comes with the message."""
    with listening(Wanted(as_operator=True, is_mqtt5=True), "#") as events:
        assert bells("publish", "bells/1", "{}", "--content-type", "application/json").code == 0
        heard = next(events)
        assert isinstance(heard, Message)
        assert heard.properties == {"content_type": "application/json"}


def test_several_are_published_over_one_connection(bells: Desk) -> None:
    """`--count` messages, the pauses between them kept alive."""
    with listening(Wanted(as_operator=True), "bells/#", "$aws/events/presence/connected/bell-1") as events:
        assert len(send("bells/1", b"x", Wanted("bell-1"), count=3, every_s=0.01)) == 3
        topics = [event.topic for event in (next(events) for _ in range(4)) if isinstance(event, Message)]
        assert topics == ["$aws/events/presence/connected/bell-1", "bells/1", "bells/1", "bells/1"]


def test_a_retained_message_waits_and_is_taken_back(bells: Desk) -> None:
    """Whoever comes later gets it, marked as retained; an empty one removes it."""
    assert bells("publish", "bells/1/state", "on", "--retain").code == 0
    heard = bells("listen", "bells/1/state", "--count", "1", "--for", "5s", "--json")
    line = json.loads(heard.lines[1])
    assert (line["payload"], line["retain"], line["encoding"]) == ("on", True, "text")
    assert bells("publish", "bells/1/state", "", "--retain").code == 0
    none = bells("listen", "bells/1/state", "--count", "1", "--for", "1s")
    assert none.lines[1:] == ["! 0 of 1 messages came within 1s", "[exit 1]"]


@pytest.mark.parametrize("mqtt5", [(), ("--mqtt5",)], ids=["3.1.1", "5"])
@pytest.mark.parametrize("qos", ["0", "1"])
def test_a_refused_publish_is_explained(bells: Desk, mqtt5: tuple[str, ...], qos: str) -> None:
    """AWS IoT hangs up without a word; the policy has the reason, and the exit code is 1."""
    told = bells("publish", "bells/2", "x", "--qos", qos, *mqtt5)
    assert told.code == 1
    how = {
        ("0", ()): "the connection was closed before an answer to a ping",
        ("1", ()): "the connection was closed before PUBACK",
        ("0", ("--mqtt5",)): "answered with DISCONNECT 0x87 not authorized",
        ("1", ("--mqtt5",)): "answered with PUBACK 0x87 not authorized",
    }[qos, mqtt5]
    assert told.lines[0] == f"! refused to publish to `bells/2`: {how}"
    assert "! no: client `bell-1` may not publish to `bells/2`" in told.lines
    assert "! because    no statement allows iot:Publish on topic/bells/2" in told.lines


@pytest.mark.parametrize("mqtt5", [(), ("--mqtt5",)], ids=["3.1.1", "5"])
def test_a_refused_subscription_says_which_one(bells: Desk, mqtt5: tuple[str, ...]) -> None:
    """Each filter is asked for alone, so the one that was refused is known."""
    told = bells("listen", "bells/1", "bells/+", *mqtt5)
    assert told.code == 1
    assert told.lines[0].startswith("! refused to subscribe to `bells/+`: ")
    document = bells("listen", "bells/1", "bells/+", "--json").document
    assert document["refused"]["policy"]["granted"] == ["topicfilter/bells/1", "topicfilter/bells/1/*"]


def test_a_row_that_cannot_be_seen_is_said(bells: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """No reason is invented where the table does not answer."""
    monkeypatch.setenv("IOTAUTH_TABLE", "elsewhere")
    told = bells("publish", "bells/2", "x")
    assert told.code == 1
    assert any(line.startswith("! why: the client's row was not seen: ") for line in told.lines)


def test_a_cut_connection_comes_back(bells: Desk, emulator: RunningEmulator) -> None:
    """Ended by somebody, it is opened anew, subscribed again, and says so."""
    line = participant(Wanted("bell-1")).line
    events = messaging.listen(line, ["bells/1"], qos=1, end=time.monotonic() + 60, pause=lambda _s: None)
    assert next(events) == Connected()
    emulator.client("iot-data").delete_connection(clientId="bell-1")
    assert next(events) == Cut("closed", 1.0, 1)
    assert next(events) == Connected(again=True)
    emulator.client("iot-data").delete_connection(clientId="bell-1")
    assert next(events) == Cut("closed", 2.0, 2)
    assert next(events) == Connected(again=True)
    send("bells/1", b"again", Wanted(as_operator=True))
    heard = next(events)
    assert isinstance(heard, Message)
    assert heard.payload == b"again"
    events.close()


def test_one_that_is_refused_when_it_comes_back_is_told_to_ask(bells: Desk, emulator: RunningEmulator) -> None:
    """Locked out meanwhile: after three attempts the command that has the reason, and none that has another."""
    who = participant(Wanted("bell-1"))
    events = messaging.listen(who.line, ["bells/1"], qos=1, end=time.monotonic() + 60, pause=lambda _s: None)
    assert next(events) == Connected()
    bells("client", "disable", "bell-1", "--yes")
    cuts = [next(events) for _ in range(4)]
    events.close()
    bells("client", "enable", "bell-1")
    assert cuts[0] == Cut("closed", 1.0, 1)
    assert cuts[2] == Cut("closed before CONNACK", 4.0, 3, was_refused=True)
    said = [render.cut(each, who, lambda words: words) for each in cuts if isinstance(each, Cut)]
    assert [len(lines) for lines in said] == [1, 1, 2, 1]
    assert said[2][1] == "ask why: test-connect bell-1"
    assert "perhaps a device is connected as `bell-1`" in render.cut(Cut("closed", 4, 3), who, str)[1]


@pytest.mark.parametrize("mqtt5", [False, True], ids=["3.1.1", "5"])
def test_one_that_is_thrown_out_says_so_as_far_as_it_knows(bells: Desk, mqtt5: bool) -> None:
    """MQTT 5 has a word for it."""
    with listening(Wanted("bell-1", is_mqtt5=mqtt5), "bells/1") as events:
        send("bells/1", b"x", Wanted("bell-1"))
        reason = "DISCONNECT 0x8e session taken over, `the same client id connected again`" if mqtt5 else "closed"
        assert next(events) == Cut(reason, 1.0, 1)


def test_silence_is_no_refusal(bells: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """An acknowledgement that does not come leaves open what happened: exit code 3, and what to do."""
    monkeypatch.setattr(Conversation, "_attend", without_acknowledgements(Conversation._attend))
    told = bells("publish", "bells/1", "x", "--timeout", "0.2")
    assert told.code == 3
    assert "no PUBACK within 0.2 s" in told.text


def without_acknowledgements(attend: Any) -> Any:
    def deaf(self: Conversation, client: Any) -> None:
        attend(self, client)
        client.on_publish = None

    return deaf


def test_a_use_of_a_new_secret_is_said_to_be_one(bells: Desk) -> None:
    """In a rotation the old secret's grace begins with the new one's first use, whoever makes it."""
    bells("client", "add", "spare-1", "--topic", "bells/7", "--quiet")
    bells("client", "rotate", "spare-1", "--quiet")
    told = bells("publish", "bells/7", "x", "--as", "spare-1")
    bells("client", "remove", "spare-1", "--yes")
    assert "this counts as a use of the new secret" in told.text


def test_a_wrong_password_is_not_let_in(bells: Desk) -> None:
    """The way to the reason is named; the password is not."""
    path = next(Path(".iotauth/credentials/emulator").glob("bell-1*.json"))
    kept = json.loads(path.read_text())
    path.write_text(json.dumps({**kept, "password": "Canary-wrong"}))
    told = bells("listen", "--for", "5s", "--emulator")
    path.write_text(json.dumps(kept))
    assert told.code == 3
    assert "client `bell-1` was not let in by localhost:" in told.text
    assert "hint: ask why: `iotauth test-connect bell-1 --emulator`" in told.text
    assert "Canary" not in told.text


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # paho leaves its socket to Python
def test_keys_that_are_refused_are_said_to_be(bells: Desk) -> None:
    """A signature that the other side does not take."""
    who = participant(Wanted(as_operator=True))
    wrong = replace(who, line=replace(who.line, path=lambda: "/mqtt?X-Amz-Algorithm=x"))
    with pytest.raises(AwsError, match=r"not let in by localhost:.*: the WebSocket was answered with status 403"):
        next(messages.listen(wrong, ["#"]))


def test_a_secret_in_a_message_is_not_shown(bells: Desk) -> None:
    """A device that publishes its own credential does not put it on the operator's screen, nor does --raw or --json."""
    kept = json.loads(next(Path(".iotauth/credentials/emulator").glob("bell-1*.json")).read_text())
    content = json.dumps({"password": kept["password"]})
    published = bells("publish", "bells/1/me", content, "--retain", "--debug")
    heard = [
        bells("listen", "bells/1/me", "--count", "1", *more)
        for more in ((), ("--json",), ("--raw",), ("--mqtt5",), ("--operator",))
    ]
    bells("publish", "bells/1/me", "", "--retain")
    assert "••••" in heard[0].text
    for told in (published, *heard):
        assert told.code == 0
        assert kept["password"] not in told.text


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("publish", "a/+", "x"), "nothing can be published to `a/+`, which has a wildcard"),
        (("publish", "", "x"), "an empty text is no topic"),
        (("publish", "a"), "there is no message to publish"),
        (("publish", "a", "x", "--file", "y"), "a message and `--file` exclude each other"),
        (("publish", "a", "--file", "nowhere"), "the file `nowhere` cannot be read: no such file or directory"),
        (("publish", "a", "x", "--http", "--websocket"), "`--http` and `--websocket` exclude each other"),
        (("publish", "a", "x" * 131_073), "the message has more than the 131,072 bytes that AWS IoT carries"),
        (("publish", "x" * 257, "x"), "a topic of 257 bytes, and AWS IoT takes 256"),
        (("publish", "a/b/c/d/e/f/g/h/i", "x"), "`a/b/c/d/e/f/g/h/i` has 8 slashes, and AWS IoT takes 7"),
        (("publish", "\udcff", "x", "--http"), "`\\udcff` is not UTF-8 text"),
        (("listen", "a/b/c/d/e/f/g/h/#"), "`a/b/c/d/e/f/g/h/#` has 8 slashes, and AWS IoT takes 7"),
        (("listen", *map(str, range(51))), "51 topics, and AWS IoT takes 50 subscriptions on a connection"),
        (("publish", "a", "x", "--as", "nobody"), "no credential of client `nobody` is kept in"),
        (("listen", "a/#/b"), "`a/#/b` is no topic filter"),
        (("listen", "$share/g/a/#/b"), "`$share/g/a/#/b` is no topic filter"),
        (("listen", ""), "an empty text is no topic filter"),
        (("listen", "--for", "soon"), "`--for soon` is no duration"),
        (("listen", "--for", "0"), "`--for` wants a time that is more than nothing"),
        (("listen", "a", "--lifecycle"), "topics and `--lifecycle` exclude each other"),
        (("listen", "a", "--raw", "--json"), "`--raw` and `--json` exclude each other"),
        (("listen", "--as", "bell-1", "--operator"), "`--as` and `--operator` exclude each other"),
    ],
    ids=lambda value: ascii(value)[:60],
)
def test_what_cannot_be_meant_is_refused(bells: Desk, arguments: tuple[str, ...], sentence: str) -> None:
    """Exit code 2 and a sentence, before anybody is asked."""
    told = bells(*arguments)
    assert told.code == 2
    assert sentence in told.text


def test_without_a_client_the_operator_listens(at_emulator: Desk) -> None:
    """Where no credential is kept, your own AWS keys are what there is."""
    told = at_emulator("listen", "--for", "1s")
    assert told.lines[0].startswith("! listening with your AWS keys at localhost:")
    assert told.code == 0


def test_lifecycle_tells_who_comes_and_goes(bells: Desk) -> None:
    """As sentences, each at once."""
    with process("listen", "--lifecycle", "--count", "2", "--for", "30s") as running:
        await_listening(running)
        bells("publish", "bells/1", "x")
        out, _ = running.communicate(timeout=20)
    sentences = [line.partition("  ")[2] for line in out.decode().splitlines()]
    assert sentences == [
        "`bell-1` connected from 127.0.0.1",
        "`bell-1` left: CLIENT_INITIATED_DISCONNECT, it said goodbye",
    ]


def test_mosquitto_and_we_understand_each_other(bells: Desk, emulator: RunningEmulator) -> None:
    """mosquitto_pub is heard by listen, publish is heard by mosquitto_sub."""
    kept = json.loads(next(Path(".iotauth/credentials/emulator").glob("bell-1*.json")).read_text())
    place = ["-h", "localhost", "-p", str(emulator.ready.data_endpoint.port), "--tls-alpn", "mqtt"]
    place += ["--cafile", str(emulator.ready.ca_file), "-i", "bell-1", "-P", kept["password"]]
    place += ["-u", "bell-1?x-amz-customauthorizer-name=iotauth"]
    with listening(Wanted(as_operator=True), "bells/#", "$aws/events/subscriptions/subscribed/bell-1") as events:
        subprocess.run([require_peer("mosquitto_pub"), *place, "-t", "bells/1", "-m", "hi", "-q", "1"], check=True)
        heard = next(events)
        assert isinstance(heard, Message)
        assert heard.payload == b"hi"
        subscriber = subprocess.Popen(
            [require_peer("mosquitto_sub"), *place, "-t", "bells/1", "-C", "1", "-q", "1"], stdout=subprocess.PIPE
        )
        next(events)  # it is subscribed
        send("bells/1", b"ho", Wanted(as_operator=True))
        assert subscriber.communicate(timeout=10)[0] == b"ho\n"


@pytest.mark.skipif(os.name != "posix", reason="sends a signal")
def test_ctrl_c_ends_it(bells: Desk) -> None:
    """While it waits for a message: exit code 130, one word, and a goodbye to the broker."""
    with listening(Wanted(as_operator=True), "$aws/events/presence/disconnected/bell-1") as events:
        with process("listen", "--as", "bell-1") as running:
            await_listening(running)
            running.send_signal(signal.SIGINT)
            _, err = running.communicate(timeout=10)
        assert (running.returncode, err) == (130, b"interrupted\n")
        left = next(events)
        assert isinstance(left, Message)
        assert json.loads(left.payload)["disconnectReason"] == "CLIENT_INITIATED_DISCONNECT"


@pytest.mark.skipif(os.name != "posix", reason="closes a pipe")
def test_a_reader_that_leaves_ends_it(bells: Desk) -> None:
    """`listen | head -1`: no traceback, no waiting for the end of time."""
    with process("listen", "bells/1", "--raw") as running:
        await_listening(running)
        assert running.stdout is not None
        send("bells/1", b"first", Wanted(as_operator=True))
        assert running.stdout.readline() == b"first\n"
        running.stdout.close()
        send("bells/1", b"second", Wanted(as_operator=True))
        running.wait(timeout=10)
        assert running.stderr is not None
        assert b"Traceback" not in running.stderr.read()
        assert running.returncode == 3


def test_one_raw_message_is_its_bytes(bells: Desk) -> None:
    """With `--count 1` a file comes out as it went in."""
    send("bells/1/file", LARGE, Wanted("bell-1"), retain=True)
    with process("listen", "bells/1/file", "--raw", "--count", "1") as running:
        out, _ = running.communicate(timeout=20)
    send("bells/1/file", b"", Wanted("bell-1"), retain=True)
    assert out == LARGE


def test_stdin_and_files_are_published_as_they_are(bells: Desk) -> None:
    """Bytes that are no text too."""
    Path("image.bin").write_bytes(LARGE)
    with listening(Wanted(as_operator=True), "bells/1") as events:
        assert bells("publish", "bells/1", "--file", "image.bin").code == 0
        assert bells("publish", "bells/1", "-", stdin="from a pipe\n").code == 0
        heard = [event.payload for event in (next(events), next(events)) if isinstance(event, Message)]
    assert heard == [LARGE, b"from a pipe\n"]


def test_a_pipe_or_a_device_without_end_is_not_read_to_its_end(bells: Desk) -> None:
    """One byte more than AWS IoT carries is enough to say so."""
    said = bells("publish", "bells/1", "--file", "/dev/zero")
    assert "the message has more than the 131,072 bytes that AWS IoT carries" in said.text
    command = [sys.executable, "-m", "iotauth_cli", "publish", "bells/1", "-"]
    with Path("/dev/zero").open("rb") as endless:
        done = subprocess.run(command, stdin=endless, capture_output=True, check=False, timeout=20)
    assert (done.returncode, done.stderr.count(b"more than the 131,072 bytes")) == (2, 1)
