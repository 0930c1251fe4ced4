"""How connections end: for each reason what the client is told, what the log says, what its socket does."""

from __future__ import annotations

from iotauth_cli.emulator.behaviour import Behaviour
from iotauth_cli.emulator.mqtt.reasons import Reason
from iotauth_cli.emulator.mqtt.session import DisconnectReason

# The client, the network or the emulator's own end: nothing was decided, so the log has no line for it.
SILENT = (
    DisconnectReason.CLIENT_INITIATED_DISCONNECT,
    DisconnectReason.CONNECTION_LOST,
    DisconnectReason.SERVER_INITIATED_DISCONNECT,
)
# These clients do not read: waiting for their socket to drain would keep it for ever.
ABORTED = (DisconnectReason.MQTT_KEEP_ALIVE_TIMEOUT, DisconnectReason.THROTTLED)

OUT_OF_TIME = (DisconnectReason.CUSTOMAUTH_TTL_EXPIRATION, DisconnectReason.WEBSOCKET_TTL_EXPIRATION)
CODES = {
    DisconnectReason.AUTH_ERROR: Reason.NOT_AUTHORIZED,
    DisconnectReason.CLIENT_ERROR: Reason.PROTOCOL_ERROR,
    DisconnectReason.DUPLICATE_CLIENTID: Reason.SESSION_TAKEN_OVER,
    DisconnectReason.MQTT_KEEP_ALIVE_TIMEOUT: Reason.KEEP_ALIVE_TIMEOUT,
    DisconnectReason.SERVER_ERROR: Reason.UNSPECIFIED,
    DisconnectReason.SERVER_INITIATED_DISCONNECT: Reason.SERVER_SHUTTING_DOWN,
    DisconnectReason.API_INITIATED_DISCONNECT: Reason.ADMINISTRATIVE_ACTION,
    DisconnectReason.THROTTLED: Reason.QUOTA_EXCEEDED,
}


def code_of(reason: DisconnectReason, behaviour: Behaviour) -> int | None:
    """Return what a client of MQTT 5 is told in its DISCONNECT, or None: then it is told nothing.

    A broken rule has a code of its own, which the session has told already.
    """
    return behaviour.cut_off_code if reason in OUT_OF_TIME else CODES.get(reason)
