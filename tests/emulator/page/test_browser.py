"""The page in a real Chromium: what a person sees there, at a desk and on a phone, by mouse and by keyboard."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, WebSocketRoute, expect

from iotauth_cli.emulator import ca, remote
from iotauth_cli.emulator.mqtt.codec import Decoder, encode
from iotauth_cli.emulator.mqtt.packets import Connack, Connect, Packet, Publish, Subscribe, Subscription
from iotauth_cli.emulator.page import files
from iotauth_cli.emulator.page.traffic import MAX_WAITING
from support_browser import Fleet, chromium, make_fleet, trusting
from support_emulator import running_emulator

TOPIC = "kilns/1"
WIDTHS = (1280, 400)


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    folder = tmp_path_factory.mktemp("page")
    with running_emulator(folder) as emulator:
        yield make_fleet(emulator, folder, "kiln-1", TOPIC)


@pytest.fixture(scope="module")
def browser(fleet: Fleet) -> Iterator[Browser]:
    with chromium(trusting(fleet.emulator.state_dir / ca.CERTIFICATE_FILE)) as browser:
        yield browser


@pytest.fixture
def page(browser: Browser, fleet: Fleet) -> Iterator[Page]:
    """The emulator's page, open and live; nothing may go wrong in it during the test."""
    with browser.new_context() as context:
        page = context.new_page()
        wrong: list[str] = []
        page.on("console", lambda message: wrong.append(message.text) if message.type in ("error", "warning") else None)
        page.on("pageerror", lambda error: wrong.append(str(error)))
        open_page(page, fleet)
        yield page
        assert [each for each in wrong if not each.startswith(NOTED_BY_CHROMIUM)] == []


# That a request or a connection failed or was refused; the page then says so to the person.
NOTED_BY_CHROMIUM = ("Failed to load resource", "WebSocket connection to")
HURRY = "const wait = setTimeout; window.setTimeout = (work, ms) => wait(work, ms / 10);"


def open_page(page: Page, fleet: Fleet) -> None:
    """Open the emulator's page, in which a second between two looks is a tenth, and wait until it sees messages."""
    page.add_init_script(HURRY)
    page.goto(fleet.url)
    expect(page.locator("#state")).to_have_text("live")
    expect(page.locator("#messages-state")).to_be_empty()


def publish(page: Page, payload: str) -> None:
    """Publish by the page's own form, as a person would."""
    page.get_by_label("Topic", exact=True).fill(TOPIC)
    page.get_by_label("Payload").fill(payload)
    page.get_by_role("button", name="Publish").click()


def test_a_connection_is_shown_with_its_policy_and_timers(page: Page, fleet: Fleet) -> None:
    """As long as it is there; what was opened stays open while the page goes on asking."""
    with fleet.device() as device:
        device.subscribe(f"{TOPIC}/#", 1)
        shown = page.locator("#connections-list li")
        expect(shown).to_contain_text(f"{TOPIC}/# (QoS 1)")
        expect(shown).to_contain_text(re.compile(r"asked again\s*in \d+ (h|min)"))
        shown.get_by_text("Policy").click()
        expect(shown.locator("pre")).to_contain_text("client/kiln-1")
        device.subscribe(TOPIC)
        expect(shown).to_contain_text(f"{TOPIC} (QoS 0)")
        expect(shown.locator("pre")).to_be_visible()
    expect(page.locator("#connections-empty")).to_be_visible()


def test_a_refusal_is_told_with_every_check(page: Page, fleet: Fleet) -> None:
    """The newest decision is first; opened, it shows each check, the last of which said no."""
    with fleet.device(password="wrong"):
        first = page.locator("#decisions-list > li").first
        expect(first.locator("code").last).to_have_text("isAuthenticated: false")
    first.locator("summary").click()
    expect(first).to_contain_text("functioncalled")
    expect(first.locator(".steps li").last).to_have_attribute("data-passed", "false")
    page.get_by_label("Client", exact=True).fill("nobody")
    expect(page.locator("#decisions-empty")).to_be_visible()


def test_what_a_client_calls_itself_is_text_and_not_markup(page: Page, fleet: Fleet) -> None:
    """A client id is chosen by strangers. It is shown, and nothing else happens."""
    evil = "<img src=x onerror=alert(1)>"
    with fleet.device(client_id=evil):
        expect(page.locator("#decisions-list")).to_contain_text(evil)
    assert page.locator("#decisions-list img").count() == 0


def test_messages_pass_and_the_page_is_a_client_itself(page: Page, fleet: Fleet) -> None:
    """It sees what a device publishes, and a device gets what it publishes."""
    received: list[bytes] = []
    with fleet.device() as device:
        device.on_message = lambda _client, _data, message: received.append(bytes(message.payload))
        device.subscribe(TOPIC)
        expect(page.locator("#connections-list")).to_contain_text(TOPIC)
        device.publish(f"{TOPIC}/state", b'{"celsius": 640}')
        expect(page.locator("#messages-list")).to_contain_text('{"celsius": 640}')
        publish(page, "grün")
        expect(page.locator("#publish-answer")).to_have_text(f"published 5 bytes on {TOPIC}")
        expect(page.locator("#messages-list > li").first).to_contain_text("grün")
    assert received == ["grün".encode()]


def test_what_passed_too_quickly_is_counted(page: Page) -> None:
    """A burst is shown from its end, and after it how many messages it had before."""
    message = {"at": 0, "topic": TOPIC, "qos": 0, "retain": False, "client_id": None, "size": 0, "text": ""}
    burst = {"messages": [{**message, "topic": f"{TOPIC}/{number}"} for number in range(MAX_WAITING)], "dropped": 7}

    def tell(route: WebSocketRoute) -> None:
        route.connect_to_server()
        route.send(json.dumps(burst))

    page.route_web_socket("**/_emulator/messages", tell)
    page.reload()
    rows = page.locator("#messages-list > li")
    expect(rows.first).to_contain_text(f"{TOPIC}/{MAX_WAITING - 1}")
    expect(rows.last).to_have_text("7 more passed too quickly to be shown")


def test_one_subscribes_to_what_one_wants_to_see(page: Page, fleet: Fleet) -> None:
    """A filter that AWS IoT would refuse is refused with its sentence; others come and go."""
    topic_filter = page.get_by_label("Topic filter", exact=True)
    topic_filter.fill("a/#/b")
    topic_filter.press("Enter")
    expect(page.locator("#subscribe-answer")).to_contain_text("# must be the last level")
    topic_filter.fill(f"{TOPIC}/+")
    topic_filter.press("Enter")
    page.get_by_role("button", name="Unsubscribe from #").click()
    expect(page.locator("#filters li")).to_have_text([f"{TOPIC}/+ ×"])
    with fleet.device() as device:
        for topic, payload in ((TOPIC, b"other"), (f"{TOPIC}/state", b"wanted")):
            device.publish(topic, payload)
        expect(page.locator("#messages-list")).to_contain_text("wanted")
    expect(page.locator("#messages-list")).not_to_contain_text("other")


def test_faults_by_order_are_shown_and_ended(page: Page, fleet: Fleet) -> None:
    """A bad day that somebody ordered is the first thing on the page."""
    expect(page.locator("#faults")).to_be_hidden()
    remote.tell(fleet.emulator.state_dir, "inject", kind="connack-delay", client_id="kiln-1", count=2)
    expect(page.locator("#faults-list")).to_have_text("connack-delay for client kiln-1, by 10 s, 2 times")
    page.get_by_role("button", name="Let nothing more go wrong").click()
    expect(page.locator("#faults")).to_be_hidden()
    assert remote.ask(fleet.emulator.state_dir, "inject") == {"injections": []}


def test_no_secret_reaches_the_page(page: Page, fleet: Fleet) -> None:
    """Clients and authorizers are there; neither password nor hash is in what the browser was sent."""
    expect(page.locator("#clients-list")).to_contain_text("kiln-1")
    expect(page.locator("#authorizers-list")).to_contain_text("iotauth")
    content = page.content() + json.dumps(remote.ask(fleet.emulator.state_dir, "page/clients"))
    assert fleet.password not in content
    assert "$iota-hmac" not in content


def test_an_emulator_that_comes_back_is_live_again(page: Page, fleet: Fleet) -> None:
    """The page says that it is gone, and goes on when there is one on the same port, seeing what it saw before."""
    emulator = fleet.emulator
    port = int(emulator.ready.control_endpoint.rpartition(":")[2])
    emulator.stop()
    expect(page.locator("#state")).to_contain_text("does not answer")
    expect(page.locator("#messages-state")).to_contain_text("Not live")
    publish(page, "kept")
    expect(page.locator("#publish-answer")).to_contain_text("not live")
    expect(page.get_by_label("Payload")).to_have_value("kept")
    emulator.start(control_port=port)
    expect(page.locator("#state")).to_have_text("live")
    expect(page.locator("#messages-state")).to_be_empty()
    publish(page, "back again")
    expect(page.locator("#messages-list > li").first).to_contain_text("back again")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", WIDTHS)
def test_the_page_fits_and_can_be_read(browser: Browser, fleet: Fleet, width: int, scheme: Any, tmp_path: Path) -> None:
    """Nothing sticks out at 1280 and at 400 pixels; the picture is drawn, in the colours that are wanted."""
    with browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme) as context:
        page = context.new_page()
        open_page(page, fleet)
        expect(page.locator("#clients-list li")).to_have_count(1)
        assert page.evaluate("document.documentElement.scrollWidth") == width
        ground = page.evaluate("getComputedStyle(document.body).backgroundColor")
        assert (max(map(int, re.findall(r"\d+", ground))) < 64) == (scheme == "dark")
        assert page.screenshot(path=tmp_path / "page.png", full_page=True).startswith(b"\x89PNG")


def test_the_page_is_walked_by_keyboard_and_named_for_those_who_listen(page: Page) -> None:
    """The first stop leads past the navigation; landmarks and every control have a name."""
    page.keyboard.press("Tab")
    expect(page.locator(":focus")).to_have_text("Skip to the connections")
    page.keyboard.press("Enter")
    expect(page.locator("main")).to_be_focused()
    assert page.get_by_role("banner").count() == page.get_by_role("main").count() == 1
    for region in ("Live connections", "Last decisions", "Messages", "Authorizers", "Clients"):
        expect(page.get_by_role("region", name=region, exact=True)).to_be_visible()
    for control in page.locator("input, select, textarea, button:visible").all():
        assert control.evaluate("each => each.labels?.length || each.textContent.trim()"), control


TRY_FOREIGN_THINGS = """async () => {
    const refused = [];
    document.addEventListener("securitypolicyviolation", (event) => refused.push(event.effectiveDirective));
    try { document.body.innerHTML += "<b>x</b>"; } catch { refused.push("markup"); }
    const image = document.createElement("img");
    image.src = "https://example.com/x.png";
    document.body.append(image);
    await fetch("http://127.0.0.1:9/").catch(() => refused.push("fetch"));
    await new Promise((resolve) => setTimeout(resolve, 50));
    return refused;
}"""


def test_nothing_foreign_gets_into_the_page(browser: Browser, fleet: Fleet) -> None:
    """No text becomes markup, and nothing is loaded from or sent to another origin."""
    with browser.new_context() as context:
        page = context.new_page()
        open_page(page, fleet)
        assert {"markup", "img-src", "connect-src", "fetch"} <= set(page.evaluate(TRY_FOREIGN_THINGS))


ASK_FROM_ELSEWHERE = """async (url) => {
    const results = [];
    for (const headers of [{}, { "x-iotauth-emulator": "1" }]) {
        for (const [path, method] of [["page", "GET"], ["inject/clear", "POST"]]) {
            const asked = fetch(`${url}/_emulator/${path}`, { method, headers });
            results.push(await asked.then(() => "read", () => "failed"));
        }
    }
    const socket = new WebSocket(`${url.replace("http", "ws")}/_emulator/messages`, "iotauth.messages.v1");
    results.push(await new Promise((resolve) => {
        socket.onopen = () => resolve("opened");
        socket.onclose = () => resolve("failed");
    }));
    return results;
}"""


def test_another_origin_gets_nothing_from_the_api(browser: Browser, fleet: Fleet) -> None:
    """A page of somebody else in the same browser can neither read nor publish, and opens no WebSocket.

    It cannot send our header, and what it sends as its origin is not ours.
    """
    with browser.new_context() as context:
        assert context.new_page().evaluate(ASK_FROM_ELSEWHERE, fleet.url) == ["failed"] * 5


SPEAK_MQTT = """async ({ url, protocol, frames, until }) => {
    const socket = new WebSocket(url, protocol);
    socket.binaryType = "arraybuffer";
    const received = [];
    return await new Promise((resolve) => {
        const end = () => resolve({ protocol: socket.protocol, received });
        const bytes = (text) => Uint8Array.from(atob(text), (each) => each.charCodeAt(0));
        socket.onopen = () => frames.forEach((each) => socket.send(bytes(each)));
        socket.onclose = end;
        socket.onmessage = (event) => {
            received.push(btoa(String.fromCharCode(...new Uint8Array(event.data))));
            if (received.map(atob).join("").includes(until)) end();
        };
    });
}"""


def spoken(page: Page, fleet: Fleet, password: str) -> tuple[str, list[Packet]]:
    """Speak MQTT over a WebSocket of the browser; return the subprotocol, and what the emulator said."""
    frames: list[Packet] = [
        Connect(fleet.client_id, username=fleet.username, password=password.encode()),
        Subscribe(1, (Subscription(TOPIC, 0),)),
        Publish(TOPIC, b"from the browser"),
    ]
    answer = page.evaluate(
        SPEAK_MQTT,
        {
            "url": f"wss://localhost:{fleet.emulator.ready.data_endpoint.port}/mqtt",
            "protocol": "mqtt",
            "frames": [base64.b64encode(encode(each)).decode() for each in frames],
            "until": "from the browser",
        },
    )
    decoder = Decoder()
    decoder.feed(b"".join(base64.b64decode(each) for each in answer["received"]))
    return answer["protocol"], list(decoder.packets())


def test_a_browser_speaks_mqtt_over_websocket(browser: Browser, fleet: Fleet) -> None:
    """Its own TLS and WebSocket lead through the authorizer; its message comes back to it."""
    with browser.new_context() as context:
        protocol, packets = spoken(context.new_page(), fleet, fleet.password)
    assert protocol == "mqtt"
    assert isinstance(packets[0], Connack)
    assert (packets[-1].topic, packets[-1].payload) == (TOPIC, b"from the browser")  # type: ignore[union-attr]


def test_a_browser_with_a_wrong_password_is_turned_away(browser: Browser, fleet: Fleet) -> None:
    """The WebSocket stands, since credentials come in CONNECT; then it is closed without a CONNACK."""
    with browser.new_context() as context:
        assert spoken(context.new_page(), fleet, "wrong") == ("mqtt", [])


def colours() -> list[Any]:
    """Return (theme, text, ground) for what stands on what in the style sheet."""
    style = (files.HERE / "page.css").read_text(encoding="utf-8")
    themes = {
        name: dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6})", block))
        for name, block in zip(("light", "dark"), re.findall(r":root \{(.*?)\}", style, re.DOTALL), strict=True)
    }
    grounds = {
        "ink": ("ground", "card", "sunk", "line", "warn-ground"),
        "soft": ("ground", "card", "sunk"),
        "accent": ("card",),
        "on-accent": ("accent",),
        **{kind: (f"{kind}-ground",) for kind in ("good", "bad", "warn")},
    }
    return [
        pytest.param(theme[text], theme[ground], id=f"{name}: {text} on {ground}")
        for name, theme in themes.items()
        for text, under in grounds.items()
        for ground in under
    ]


@pytest.mark.parametrize(("text", "ground"), colours())
def test_text_stands_out_from_its_ground(text: str, ground: str) -> None:
    """A contrast of 4.5 at least, as WCAG 2.2 wants for text of any size (1.4.3)."""
    lighter, darker = sorted((luminance(text), luminance(ground)), reverse=True)
    assert (lighter + 0.05) / (darker + 0.05) >= 4.5


def luminance(colour: str) -> float:
    """Relative luminance, by WCAG's definition."""
    parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
