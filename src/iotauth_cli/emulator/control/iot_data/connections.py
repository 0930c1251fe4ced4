"""Connections as the iot-data API shows and ends them.

A client is known while it is connected, while its session is kept, and for half an hour after it
was disconnected. Of a socket the emulator tells the client's address and no ports.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from iotauth_cli.emulator.broker import Broker
from iotauth_cli.emulator.client import Client, Link
from iotauth_cli.emulator.control.iot_data.answers import milliseconds, not_found
from iotauth_cli.emulator.control.iot_data.departures import Departure, Departures
from iotauth_cli.emulator.control.iot_data.publishing import SERVICE
from iotauth_cli.emulator.control.paging import page
from iotauth_cli.emulator.control.service import Context, Handler, Parameters, Result

PAGE = 200  # items; UNCONFIRMED, it is the model's maximum


class Connections:
    def __init__(self, broker: Broker, clock: Callable[[], float]) -> None:
        self._broker = broker
        self._departures = Departures(clock)
        broker.observe_events(self._departures.note)
        self.operations: Mapping[str, Handler] = {
            "GetConnection": self.get_connection,
            "ListSubscriptions": self.list_subscriptions,
            "DeleteConnection": self.delete_connection,
        }

    def get_connection(self, parameters: Parameters, context: Context) -> Result:
        client_id = parameters["clientId"]
        client = self._broker.clients.get(client_id)
        if client is not None and client.link is not None:
            return _connected(client, client.link, parameters.get("includeSocketInformation", False))
        departure = self._departures.find(client_id)
        if client is None and departure is None:
            raise not_found(f"Client {client_id} is not known.")
        return {"clientId": client_id, "connected": False, **_session(client), **_departed(departure)}

    def list_subscriptions(self, parameters: Parameters, context: Context) -> Result:
        """List what a client is subscribed to, also one that is away and whose session is kept."""
        client = self._broker.clients.get(parameters["clientId"])
        if client is None:
            raise not_found(f"Client {parameters['clientId']} has no session.")
        listing, token = page(
            SERVICE,
            client.subscriptions.values(),
            lambda subscription: subscription.topic_filter,
            parameters.get("nextToken"),
            parameters.get("maxResults", PAGE),
        )
        found = [{"topicFilter": each.topic_filter, "qos": each.qos} for each in listing]
        return {"subscriptions": found, "nextToken": token}

    def delete_connection(self, parameters: Parameters, context: Context) -> Result:
        """End a client's connection; nothing keeps the client from coming back, and it is then decided on anew."""
        client_id = parameters["clientId"]
        is_ended = self._broker.disconnect(
            client_id,
            clean_session=parameters.get("cleanSession", False),
            prevent_will=parameters.get("preventWillMessage", False),
        )
        if not is_ended:
            raise not_found(f"Client {client_id} is not connected.")
        return {}


def _connected(client: Client, link: Link, with_socket: bool) -> Result:
    shown = {
        "clientId": client.client_id,
        "connected": True,
        **_session(client),
        "keepAliveDuration": link.admission.connect.keep_alive_s,
        "connectedSince": milliseconds(link.connected_at),
    }
    return {**shown, "sourceIp": link.admission.arrival.peer} if with_socket else shown


def _session(client: Client | None) -> Result:
    expiry_s = client.session_expiry_s if client is not None else 0
    return {"cleanSession": expiry_s == 0, "sessionExpiry": expiry_s}


def _departed(departure: Departure | None) -> Result:
    if departure is None:
        return {}
    return {"disconnectedSince": milliseconds(departure.at), "disconnectReason": departure.reason}
