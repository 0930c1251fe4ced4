"""iotauth: user names and passwords for AWS IoT devices."""

# A constant, not importlib.metadata: `--version` must cost no more than Python itself.
__version__ = "0.1.0"
