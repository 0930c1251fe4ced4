"""AWS IoT's control plane: authorizers, domain configurations, the endpoint's name, tags."""
