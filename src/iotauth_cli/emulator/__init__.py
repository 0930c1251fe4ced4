"""AWS IoT custom authentication on loopback: the APIs, MQTT and HTTP, and the function itself."""
