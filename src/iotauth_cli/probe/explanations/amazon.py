"""What AWS IoT says itself: lifecycle events, its log, and the answers of its HTTP interface."""

from __future__ import annotations

from functools import partial

from iotauth_cli.probe.explanation import Explanation, Family
from iotauth_cli.probe.explanations.likely import CONNECT, PERMITTED

FAMILIES = (
    Family("lifecycle", "AWS IoT lifecycle events", also=("disconnectreason", "connectfailurereason", "presence")),
    Family("iot-log", "AWS IoT's own log", also=("awsiotlogsv2",)),
    Family(
        "http", "answers of HTTPS publishing", also=("https", "curl"), before=("http", "status", "http/1.1", "http/2")
    ),
)

ended = partial(Explanation, "lifecycle", source='AWS IoT developer guide, "Lifecycle events"')
logged = partial(Explanation, "iot-log", source='AWS IoT developer guide, "CloudWatch Logs log entries"')
http = partial(
    Explanation, "http", source="service model of iot-data; AWS IoT developer guide, custom authentication tutorial"
)

OWN_ID = "give each device a client id of its own: `iotauth client add CLIENT --topic TOPIC`"

ROWS = (
    ended(
        "AUTHORIZATION_FAILED",
        "`connect_failed`: AWS IoT refused CONNECT. The function said no, or its policy does not let this client "
        "connect, or leave that last will.",
        CONNECT,
        texts=("connect_failed", "connectFailureReason AUTHORIZATION_FAILED"),
        causes=("wrong-password", "unknown-client", "disabled", "connect-not-granted", "will-not-granted"),
    ),
    ended(
        "AUTH_ERROR",
        "The client could not be authenticated or may not do what it did.",
        PERMITTED,
        causes=("publish-not-granted", "subscribe-not-granted", "connect-not-granted"),
    ),
    ended("CLIENT_INITIATED_DISCONNECT", "The client said goodbye with DISCONNECT: nothing is wrong.", "nothing to do"),
    ended(
        "CLIENT_ERROR",
        "The client did what MQTT, or AWS IoT, does not allow: a packet that cannot be, more than 128 KB, QoS 2, "
        "a second CONNECT.",
        CONNECT,
        causes=("payload-too-large", "qos-2", "topic-too-deep", "topic-too-long"),
    ),
    ended("CONNECTION_LOST", "The network connection broke without DISCONNECT.", "look at the device's network"),
    ended(
        "DUPLICATE_CLIENTID",
        "The same client id connected again and took over. Two devices with one id throw each other out for ever.",
        OWN_ID,
        causes=("session-taken-over",),
    ),
    ended(
        "FORBIDDEN_ACCESS",
        "It published or subscribed where its policy does not let it.",
        PERMITTED,
        causes=("publish-not-granted", "subscribe-not-granted", "retain-not-granted"),
    ),
    ended(
        "MQTT_KEEP_ALIVE_TIMEOUT",
        "Nothing came from the client for one and a half times its keep-alive; under 30 s counts as 30.",
        "call the client's loop more often, or raise the keep-alive",
    ),
    ended("SERVER_ERROR", "Something failed on AWS IoT's side.", "connect again, waiting longer each time"),
    ended("SERVER_INITIATED_DISCONNECT", "AWS IoT ended the connection for reasons of its own.", "connect again"),
    ended(
        "API_INITIATED_DISCONNECT",
        "Somebody ended the connection with DeleteConnection, as `iotauth client disable` does.",
        "`iotauth client show CLIENT`",
        causes=("disabled",),
    ),
    ended("THROTTLED", "The client went over a limit of AWS IoT.", "send less, and connect less often"),
    ended("WEBSOCKET_TTL_EXPIRATION", "A WebSocket lives for 24 hours at most.", "connect again"),
    ended(
        "CUSTOMAUTH_TTL_EXPIRATION",
        "The time that the function gave the connection, `disconnectAfterInSeconds`, was over; it connects again.",
        "have the device reconnect; the function's setting is IOTAUTH_DISCONNECT_AFTER_S",
    ),
    logged(
        "AUTHORIZATION_FAILURE",
        "The function refused, or its policy does not allow this step.",
        CONNECT,
        texts=("AUTHORIZATION_ERROR", "Authorization Failure"),
        causes=("wrong-password", "connect-not-granted", "publish-not-granted", "subscribe-not-granted"),
    ),
    http(
        "403 Forbidden",
        "The authorizer was not found, the signature is wrong, the function refused, or its policy does not allow "
        "publishing to this topic.",
        PERMITTED,
        codes=(403,),
        texts=("ForbiddenException", '{"message":"Forbidden"'),
        causes=(
            "authorizer-missing",
            "signature-wrong",
            "signature-not-encoded",
            "no-permission",
            "wrong-password",
            "publish-not-granted",
        ),
    ),
    http(
        "400 InvalidRequest",
        "The topic or a parameter cannot be.",
        "mend the address: `/topics/TOPIC?qos=1`",
        codes=(400,),
        texts=("InvalidRequestException",),
    ),
    http(
        "401 Unauthorized",
        "No credentials were found in the request.",
        "name the authorizer in a header or in the address",
        codes=(401,),
        texts=("UnauthorizedException",),
        causes=("no-authorizer-named",),
    ),
    http(
        "405 MethodNotAllowed",
        "HTTPS takes POST, and only to publish.",
        "use POST",
        codes=(405,),
        texts=("MethodNotAllowedException",),
    ),
    http(
        "413 payload too large",
        "More than 128 KB in one message.",
        "send less at once",
        codes=(413,),
        causes=("payload-too-large",),
        texts=("RequestEntityTooLargeException",),
    ),
    http("429 Throttling", "Too many requests a second.", "go slower", codes=(429,), causes=("throttled",)),
    http(
        "500 InternalFailure",
        "Something failed on AWS IoT's side.",
        "try again later",
        codes=(500,),
        texts=("InternalFailureException",),
    ),
)
