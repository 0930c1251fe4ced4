"""The iot-data API on the data port, as boto3 asks for it over TLS: messages and connections (row 77)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, TypeVar

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from iotauth_cli.emulator.ca import Certificates
from iotauth_cli.emulator.model import HttpRequest
from iotauth_cli.emulator.mqtt.packets import Connack, Will
from support_control import ACCESS_KEY, SECRET_KEY, code_of, message_of, signed
from support_data import CONNECT_ONLY, START, Plane, answer, in_loop, listening, policy, settle

T = TypeVar("T")


class Api:
    """boto3's client, called from a thread beside the loop that serves it."""

    def __init__(self, port: int, certificates: Certificates) -> None:
        self.client: Any = boto3.client(
            "iot-data",
            endpoint_url=f"https://localhost:{port}",
            verify=str(certificates.ca_file),
            region_name="eu-west-1",
            aws_access_key_id=ACCESS_KEY,
            aws_secret_access_key=SECRET_KEY,
            config=Config(retries={"total_max_attempts": 1}),
        )

    async def __call__(self, operation: str, **parameters: Any) -> Any:
        work: Callable[[], Any] = lambda: getattr(self.client, operation)(**parameters)  # noqa: E731
        result = await asyncio.get_running_loop().run_in_executor(None, work)
        await settle()
        return result


@asynccontextmanager
async def serving(plane: Plane, certificates: Certificates) -> AsyncIterator[Api]:
    async with listening(plane, certificates) as listener:
        api = Api(listener.port, certificates)
        try:
            yield api
        finally:
            api.client.close()


@in_loop
async def test_a_publish_reaches_subscribers(plane: Plane, certificates: Certificates) -> None:
    """No authorizer is asked, and no policy of one binds the caller."""
    device = await plane.connected()
    await device.subscribe("a/+", qos=1)
    calls = len(plane.runner.events)
    async with serving(plane, certificates) as api:
        await api("publish", topic="a/b", qos=1, payload=b"21.5")
        await api("publish", topic="a/tür 1", payload="text")
    assert device.messages == [("a/b", b"21.5"), ("a/tür 1", b"text")]
    assert device.received[0].qos == 1  # type: ignore[union-attr]
    assert len(plane.runner.events) == calls


@pytest.mark.parametrize(
    ("parameters", "code", "sentence"),
    [
        ({"topic": "a", "qos": 2}, ("InvalidRequestException", 400), "'qos' failed to satisfy constraint"),
        ({"topic": "a/#"}, ("InvalidRequestException", 400), "has a wildcard"),
        ({"topic": "a", "payload": b"x" * 131_073}, ("RequestEntityTooLargeException", 413), "the limit is 131072"),
    ],
    ids=["qos-2", "wildcard", "too-large"],
)
@in_loop
async def test_a_publish_that_aws_iot_does_not_take(
    plane: Plane, certificates: Certificates, parameters: dict[str, Any], code: tuple[str, int], sentence: str
) -> None:
    """The error is the model's, the sentence says what is wrong."""
    async with serving(plane, certificates) as api:
        with pytest.raises(ClientError) as caught:
            await api("publish", **parameters)
    assert code_of(caught) == code
    assert sentence in message_of(caught)


@in_loop
async def test_retained_messages(plane: Plane, certificates: Certificates) -> None:
    """Kept, found, listed in pages, and deleted by an empty payload; times are milliseconds."""
    async with serving(plane, certificates) as api:
        for number, topic in enumerate(("b", "a/1", "c")):
            plane.clock.now = START + number
            await api("publish", topic=topic, payload=b"x" * number + b"1", qos=1, retain=True)
        found = await api("get_retained_message", topic="a/1")
        found.pop("ResponseMetadata")
        assert found == {"topic": "a/1", "payload": b"x1", "qos": 1, "lastModifiedTime": int(START + 1) * 1000}
        first = await api("list_retained_messages", maxResults=2)
        assert first["retainedTopics"] == [
            {"topic": "a/1", "payloadSize": 2, "qos": 1, "lastModifiedTime": int(START + 1) * 1000},
            {"topic": "b", "payloadSize": 1, "qos": 1, "lastModifiedTime": int(START) * 1000},
        ]
        rest = await api("list_retained_messages", nextToken=first["nextToken"])
        assert [each["topic"] for each in rest["retainedTopics"]] == ["c"]
        assert "nextToken" not in rest
        await api("publish", topic="b", retain=True)
        with pytest.raises(ClientError) as caught:
            await api("get_retained_message", topic="b")
        assert code_of(caught) == ("ResourceNotFoundException", 404)


@in_loop
async def test_user_properties_of_a_retained_message(plane: Plane, certificates: Certificates) -> None:
    """They go in as a list or as its JSON, which boto3 wraps in JSON once more, and come out as JSON."""
    async with serving(plane, certificates) as api:
        for given in ([{"a": "b"}, {"a": "c"}], '[{"a": "b"}, {"a": "c"}]'):
            await api("publish", topic="t", payload=b"1", retain=True, userProperties=given)
            found = await api("get_retained_message", topic="t")
            assert found["userProperties"] == b'[{"a":"b"},{"a":"c"}]'
            await api("publish", topic="t", retain=True)
        await api("publish", topic="t", payload=b"1", retain=True, contentType="text/plain")
        assert "userProperties" not in await api("get_retained_message", topic="t")


@in_loop
async def test_row_077_delete_connection(plane: Plane, certificates: Certificates) -> None:
    """The session is closed at once, the will published; coming back is a new decision."""
    ear = await plane.connected("ear")
    await ear.subscribe("gone")
    device = await plane.connected("door/7", will=Will("gone", b"!"))
    async with serving(plane, certificates) as api:
        await api("delete_connection", clientId="door/7")
        assert device.is_closed
        assert ear.messages == [("gone", b"!")]
        assert plane.last.decided_by == "API_INITIATED_DISCONNECT"
        calls = len(plane.runner.events)
        plane.runner.reply = answer(isAuthenticated=False)
        again = plane.device()
        await again.connect("door/7")
        assert again.is_closed
        assert len(plane.runner.events) == calls + 1
        with pytest.raises(ClientError) as caught:
            await api("delete_connection", clientId="door/7")
        assert code_of(caught) == ("ResourceNotFoundException", 404)


@pytest.mark.parametrize("clean", [False, True])
@in_loop
async def test_row_077_session_and_will(plane: Plane, certificates: Certificates, clean: bool) -> None:
    """The session stays unless cleanSession is true; preventWillMessage keeps the will back."""
    ear = await plane.connected("ear")
    await ear.subscribe("gone")
    await plane.connected("thermo-1", clean=False, will=Will("gone", b"!"))
    async with serving(plane, certificates) as api:
        await api("delete_connection", clientId="thermo-1", cleanSession=clean, preventWillMessage=True)
    assert ear.messages == []
    device = plane.device()
    await device.connect("thermo-1", clean=False)
    assert isinstance(device.received[0], Connack)
    assert device.received[0].session_present is not clean


@in_loop
async def test_a_connection_is_shown(plane: Plane, certificates: Certificates) -> None:
    """What the client asked for, and since when it is there; its address only when that is wanted."""
    device = plane.device()
    await device.connect("door/7", keep_alive_s=5, clean=False)
    async with serving(plane, certificates) as api:
        plane.clock.now += 5
        found = await api("get_connection", clientId="door/7", includeSocketInformation=True)
        assert "sourceIp" not in await api("get_connection", clientId="door/7")
    found.pop("ResponseMetadata")
    assert found == {
        "clientId": "door/7",
        "connected": True,
        "cleanSession": False,
        "sessionExpiry": 3600,
        "keepAliveDuration": 5,
        "connectedSince": int(START) * 1000,
        "sourceIp": "127.0.0.1",
    }


@in_loop
async def test_a_client_that_left_is_remembered_for_half_an_hour(plane: Plane, certificates: Certificates) -> None:
    """With the time and the reason; a client that nobody saw is not found."""
    device = await plane.connected()
    async with serving(plane, certificates) as api:
        plane.clock.now += 60
        await api("delete_connection", clientId="thermo-1")
        assert device.is_closed
        found = await api("get_connection", clientId="thermo-1")
        found.pop("ResponseMetadata")
        assert found == {
            "clientId": "thermo-1",
            "connected": False,
            "cleanSession": True,
            "sessionExpiry": 0,
            "disconnectedSince": int(START + 60) * 1000,
            "disconnectReason": "API_INITIATED_DISCONNECT",
        }
        plane.clock.now += 30 * 60
        for client_id in ("thermo-1", "nobody"):
            with pytest.raises(ClientError) as caught:
                await api("get_connection", clientId=client_id)
            assert code_of(caught) == ("ResourceNotFoundException", 404)


@in_loop
async def test_subscriptions_are_listed_in_pages(plane: Plane, certificates: Certificates) -> None:
    """Of a client that is connected, and of one that is away and whose session is kept."""
    device = await plane.connected("away", clean=False)
    await device.subscribe("b/#", "a", qos=1)
    await device.subscribe("c/+")
    await device.vanish()
    async with serving(plane, certificates) as api:
        first = await api("list_subscriptions", clientId="away", maxResults=2)
        assert first["subscriptions"] == [{"topicFilter": "a", "qos": 1}, {"topicFilter": "b/#", "qos": 1}]
        rest = await api("list_subscriptions", clientId="away", nextToken=first["nextToken"])
        assert rest["subscriptions"] == [{"topicFilter": "c/+", "qos": 0}]
        assert "nextToken" not in rest
        with pytest.raises(ClientError) as caught:
            await api("list_subscriptions", clientId="nobody")
        assert code_of(caught) == ("ResourceNotFoundException", 404)


@in_loop
async def test_a_client_id_of_aws_iots_own(plane: Plane, certificates: Certificates) -> None:
    """One that begins with `$` breaks the model's pattern."""
    async with serving(plane, certificates) as api:
        with pytest.raises(ClientError) as caught:
            await api("delete_connection", clientId="$GEN/1")
    assert code_of(caught) == ("InvalidRequestException", 400)


@in_loop
async def test_the_api_answers_to_any_name_of_the_data_port(plane: Plane) -> None:
    """AWS's own names lead there through the proxy; which names there are, TLS has checked before."""
    headers = {"host": "a1b2-ats.iot.eu-west-1.amazonaws.com", "authorization": signed("iotdata")["Authorization"]}
    response = await plane.data_http.handle(HttpRequest("GET", "/retainedMessage", tuple(headers.items())))
    assert response.status == 200


@in_loop
async def test_the_data_port_has_no_other_api(plane: Plane) -> None:
    """Who may not reach the control port does not reach it through this one."""
    plane.runner.reply = answer(policy(CONNECT_ONLY))
    headers = tuple((name.lower(), value) for name, value in signed("lambda").items())
    request = HttpRequest("GET", "/2015-03-31/functions", (("host", "localhost"), *headers))
    response = await plane.data_http.handle(request)
    assert response.status == 501
