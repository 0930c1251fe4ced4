"""AWS IoT's data plane as an API: publish, retained messages, connections."""
