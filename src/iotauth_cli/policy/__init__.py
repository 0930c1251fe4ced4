"""The AWS IoT policy language: documents in, a decision with its reasons out. Pure."""
