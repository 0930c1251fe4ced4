"""MQTT, server side, without sockets: bytes in, events and bytes out."""
