"""Causes of an HTTP answer that is neither a yes nor a "forbidden", or of none at all."""

from __future__ import annotations

from functools import partial

from iotauth_cli.probe import clues, told
from iotauth_cli.probe.cause import UNKNOWN, Cause
from iotauth_cli.probe.causes.references import CONNECTING, PROTOCOLS
from iotauth_cli.probe.stages import Symptom as S

over_http = partial(Cause, stages=("upgrade", "request"), reference=PROTOCOLS)

CAUSES = (
    over_http(
        "alpn-for-mqtt",
        symptoms=(S.CLOSED, S.NOT_HTTP, S.TIMEOUT),
        when=(clues.offers_mqtt_to_http, clues.may_not_have_been_called),
        says="the device offers ALPN `mqtt`, so the port expects MQTT of it and not HTTP",
        evidence=(told.alpn, told.calls),
        remedy="have the device offer no ALPN for HTTPS and WebSocket; here, leave out `--alpn`",
    ),
    over_http(
        "not-http",
        symptoms=(S.NOT_HTTP,),
        says="what listens on `{endpoint}` does not speak HTTP as AWS IoT does: {met}",
        evidence=(told.data_endpoint,),
        remedy="connect where devices do, with no proxy between: leave out `--endpoint` and `--port`",
        reference=CONNECTING,
        answer=UNKNOWN,
    ),
    over_http(
        "no-mqtt-in-websocket",
        symptoms=(S.NOT_MQTT,),
        says="`{endpoint}` opens a WebSocket, but has no MQTT in it: {met}",
        evidence=(told.data_endpoint,),
        remedy="connect where devices do, with no proxy between: leave out `--endpoint` and `--port`",
        reference=CONNECTING,
    ),
    over_http(
        "throttled",
        symptoms=(S.REJECTED,),
        when=(clues.status_is(429),),
        says="AWS IoT takes no more requests from this account for the moment",
        remedy="wait a little and run the same command again",
        answer=UNKNOWN,
    ),
    over_http(
        "server-failed",
        symptoms=(S.REJECTED,),
        when=(clues.server_failed,),
        says="`{endpoint}` failed, or a proxy before it did: {met}",
        evidence=(told.data_endpoint,),
        remedy="wait a little and run the same command again",
        answer=UNKNOWN,
    ),
    over_http(
        "request-rejected",
        symptoms=(S.REJECTED,),
        says="`{endpoint}` does not take such a request: {met}",
        evidence=(told.data_endpoint,),
        remedy="connect where devices do: leave out `--endpoint` and `--port`",
        reference=CONNECTING,
    ),
)
