"""Every choice where AWS's behaviour is not documented, or sources disagree, as data.

Each field of `Behaviour` is one choice: its default is what the emulator does, and its metadata
say what that means and how well it is known. The rooms read the values from an instance, so that
a choice can flip (`emulator.flips`) without a change of code.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

DOCUMENTED = "documented"
OBSERVED = "observed"
INFERRED = "inferred"
OWN = "emulator's own choice"


Value = bool | int | float | str


@dataclass(frozen=True)
class Choice:
    """One choice for people to read; *confidence* is one of the four words above."""

    key: str
    value: Value
    default: Value
    meaning: str
    confidence: str
    source: str


def _choice(value: Any, confidence: str, source: str, meaning: str) -> Any:
    return dataclasses.field(default=value, metadata={"meaning": meaning, "confidence": confidence, "source": source})


@dataclass(frozen=True)
class Behaviour:
    answers_refused_connect: bool = _choice(
        False,
        OBSERVED,
        "aws/aws-iot-device-sdk-js-v2#101, aws/aws-iot-device-sdk-cpp-v2#110",
        "an MQTT 3.1.1 client that is refused gets a CONNACK 5; if not, only the close",
    )
    answers_refused_subscribe: bool = _choice(
        False,
        OBSERVED,
        "aws/aws-iot-device-sdk-js#112, #125, #191",
        "a SUBSCRIBE that the policy denies gets a SUBACK 0x80 before the close (MQTT 3.1.1)",
    )
    answers_denied_publish: bool = _choice(
        True,
        INFERRED,
        "MQTT page: 0x87 is listed for PUBACK and for DISCONNECT",
        "a denied PUBLISH at QoS 1 gets a PUBACK 0x87 and the connection goes on (MQTT 5); if not, DISCONNECT 0x87",
    )
    payload_too_large_code: int = _choice(
        0x97,
        OWN,
        "the code is not documented; 0x97, quota exceeded, is among those that AWS IoT lists",
        "the DISCONNECT code for a payload over max_payload_bytes (MQTT 5)",
    )
    packet_too_large_code: int = _choice(
        0x95,
        OWN,
        "MQTT 5, 3.1.2.11.4; AWS IoT does not list the code",
        "the DISCONNECT code for a packet over max_packet_bytes (MQTT 5)",
    )
    too_many_filters_code: int = _choice(
        0x97, OWN, "the code is not documented", "the DISCONNECT code for a SUBSCRIBE with too many filters (MQTT 5)"
    )
    cut_off_code: int = _choice(
        0x98,
        OWN,
        "the code is not documented; 0x98 is administrative action",
        "the DISCONNECT code when disconnectAfterInSeconds has passed (MQTT 5)",
    )
    lifecycle_event_qos: int = _choice(
        1,
        INFERRED,
        "AWS IoT developer guide, lifecycle events: they may come twice",
        "the QoS of the messages on `$aws/events/…`",
    )
    shared_filter_alone_allows: bool = _choice(
        True,
        OWN,
        "the resource of a shared subscription is not documented",
        "iot:Subscribe on `topicfilter/<filter>` allows `$share/<group>/<filter>` too; if not, only "
        "`topicfilter/$share/<group>/<filter>` does",
    )
    assigns_client_id: bool = _choice(
        True,
        OWN,
        "documented for MQTT 5 alone",
        "an MQTT 3.1.1 client with an empty client id and a clean session is given one, `$GEN/…`",
    )
    refuses_signature_in_upgrade: bool = _choice(
        True,
        OWN,
        "no source; AWS refuses SigV4 there: odelot/aws-mqtt-websockets#17",
        "a WebSocket's upgrade with a wrong token signature is answered 403; if not, CONNECT is refused",
    )
    aws_keys_may_do_anything: bool = _choice(
        True,
        OWN,
        "AWS asks the IAM policies of the keys, and here IAM decides nothing",
        "a WebSocket that is signed with the emulator's own AWS keys may connect, publish, subscribe and receive "
        "whatever it likes; if not, its upgrade is answered 403",
    )
    websocket_lifetime_s: int = _choice(
        86_400, DOCUMENTED, "AWS IoT developer guide, protocols", "a WebSocket is closed when it is this old"
    )
    requires_server_name: bool = _choice(
        False,
        OWN,
        "AWS IoT developer guide, transport security: AWS refuses a client without SNI",
        "a TLS client that sends no server name (SNI) is refused, also on loopback",
    )
    max_packet_bytes: int = _choice(
        146 * 1024,
        DOCUMENTED,
        "quota page: 146 KB; MQTT page: 128 KB",
        "a larger packet ends the connection",
    )
    max_payload_bytes: int = _choice(
        128 * 1024,
        DOCUMENTED,
        "AWS IoT limits, 2019; quota page",
        "a PUBLISH with a larger payload ends the connection",
    )
    min_keep_alive_s: int = _choice(
        30, DOCUMENTED, "AWS IoT limits, 2019", "a smaller keep-alive than this counts as this"
    )
    max_keep_alive_s: int = _choice(
        1200, DOCUMENTED, "AWS IoT limits, 2019", "0 or a larger keep-alive than this counts as this"
    )
    keep_alive_factor: float = _choice(
        1.5, DOCUMENTED, "AWS IoT limits, 2019", "a client is dropped after this many keep-alives of silence"
    )
    connect_timeout_s: int = _choice(30, OWN, "no source", "a connection whose CONNECT has not come by then is closed")
    filters_per_subscribe: int = _choice(
        8, DOCUMENTED, "quota page; the close is our form", "a SUBSCRIBE with more filters ends the connection"
    )
    subscriptions_per_connection: int = _choice(
        50, DOCUMENTED, "AWS IoT limits, 2019", "a further subscription gets SUBACK 0x80, then the close"
    )
    in_flight: int = _choice(100, DOCUMENTED, "quota page", "QoS 1 messages towards a client that may await its PUBACK")
    redelivery_interval_s: int = _choice(
        30, OWN, "no source", "an unacknowledged QoS 1 message is sent again to a connected client after this"
    )
    redelivery_limit_s: int = _choice(
        3600, DOCUMENTED, "quota page", "how long a QoS 1 message is sent again before it is given up"
    )
    session_expiry_s: int = _choice(
        3600, DOCUMENTED, "MQTT page", "how long a persistent session outlives its connection (MQTT 3.1.1)"
    )
    max_session_expiry_s: int = _choice(
        7 * 24 * 3600, DOCUMENTED, "MQTT page", "a longer session expiry than this counts as this (MQTT 5)"
    )
    queued_messages: int = _choice(
        10_000,
        OWN,
        "no source",
        "QoS 1 messages kept for one client; more are dropped while it is away, and end its connection",
    )
    unsent_bytes: int = _choice(
        4 * 1024 * 1024,
        OWN,
        "no source",
        "bytes kept for a client that reads too slowly: beyond it QoS 0 is dropped, at twice it the "
        "connection is closed",
    )
    refresh_checks_connect: bool = _choice(
        True, OWN, "no source", "when a refreshed policy no longer allows iot:Connect, the connection is closed"
    )
    refresh_denied_code: int = _choice(
        0x87,
        OWN,
        "the code is not documented; 0x87 is not authorized",
        "the DISCONNECT code when the function denies at a refresh, or fails (MQTT 5)",
    )
    clamps_timers: bool = _choice(
        False,
        OWN,
        "AWS IoT developer guide: 300 to 86400; what becomes of other numbers is not said",
        "refreshAfterInSeconds and disconnectAfterInSeconds out of range count as the nearest in range; if not, the "
        "answer is refused",
    )
    takes_authenticated_as_text: bool = _choice(
        False, OWN, "no source", 'an answer whose isAuthenticated is the text "true" lets in; if not, it is refused'
    )
    http_forbidden_status: int = _choice(
        403,
        INFERRED,
        "AWS IoT developer guide shows the body, data-plane reports the status",
        "the status of an HTTPS publish that is refused",
    )
    http_needs_connect: bool = _choice(
        False,
        OWN,
        "the developer guide wants iot:Connect for MQTT and is silent of HTTPS",
        "an HTTPS publish needs iot:Connect, on any client, beside iot:Publish",
    )
    creates_authorizers_active: bool = _choice(
        True, OWN, "the status is optional in the model", "CreateAuthorizer without a status makes one that is ACTIVE"
    )
    active_delete_error: str = _choice(
        "DeleteConflictException",
        OWN,
        "the one error of state that the model has for DeleteAuthorizer",
        "the error of DeleteAuthorizer while the authorizer is ACTIVE; DeleteConflictException is a 409, others a 400",
    )
    deletes_default_authorizer: bool = _choice(
        False, OWN, "no source", "DeleteAuthorizer takes the default authorizer too; if not, DeleteConflictException"
    )
    merges_signing_keys: bool = _choice(
        False,
        OWN,
        "no source",
        "UpdateAuthorizer adds the keys it is given to those that are there; if not, they replace them",
    )
    signing_keys_per_authorizer: int = _choice(
        10, OWN, "the model sets no maximum; two are what a rotation needs", "an authorizer with more keys is refused"
    )
    authorizers_per_region: int = _choice(
        10, DOCUMENTED, "AWS IoT limits, 2019", "a further CreateAuthorizer is a LimitExceededException (410)"
    )
    domains_per_region: int = _choice(
        10, OWN, "no source for the figure", "a further CreateDomainConfiguration is a LimitExceededException (410)"
    )
    serves_domains_on_mqtt_port: bool = _choice(
        False,
        OWN,
        "no source",
        "a domain configuration with SECURE_MQTT and custom authentication is also served on the port for "
        "client certificates (--mqtt-port)",
    )
    custom_auth_domains_need_authorizers: bool = _choice(
        False,
        OWN,
        "no source; of authenticationType and applicationProtocol AWS takes certain pairs only: "
        "hashicorp/terraform-provider-aws#42534",
        "UpdateDomainConfiguration with removeAuthorizerConfig is an InvalidRequestException while the type is "
        "CUSTOM_AUTH",
    )
    new_role_unknown_s: int = _choice(
        0,
        OWN,
        "aws/aws-cli#7700, apex/up#189: some 10 s; but a test suite does not wait",
        "for so long after CreateRole Lambda says that a role cannot be assumed",
    )
    time_to_live_change_s: int = _choice(
        0,
        OWN,
        "UpdateTimeToLive: up to an hour; but a test suite does not wait",
        "how long a table's time to live is ENABLING or DISABLING, and a second change a ValidationException",
    )
    managed_domain_deletion_wait_s: int = _choice(
        0,
        OWN,
        "AWS IoT API reference: 7 days; but a test suite cleans up",
        "how long a domain configuration managed by AWS must be DISABLED before it can be deleted",
    )
    authorizer_calls_per_second: int = _choice(
        0,
        OWN,
        "AWS IoT limits, 2019: 10; but a test suite is not an account",
        "more calls of one authorizer operation are a ThrottlingException (400); 0 counts none",
    )
    cloudformation_updates_unsigned_authorizers: bool = _choice(
        False,
        OBSERVED,
        "hashicorp/terraform-provider-awscc#1543: the handler sends signing fields, which AWS IoT refuses",
        "CloudFormation can change an authorizer with signing disabled; if not, such an update fails and is rolled "
        "back",
    )

    def choices(self) -> tuple[Choice, ...]:
        """Return every choice with its value, in the order of the fields."""
        return tuple(
            Choice(field.name, getattr(self, field.name), getattr(Behaviour, field.name), **field.metadata)
            for field in dataclasses.fields(self)
        )
