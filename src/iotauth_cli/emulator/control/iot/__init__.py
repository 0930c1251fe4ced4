"""AWS IoT's control plane: the nine authorizer operations, the endpoint's name, tags."""
