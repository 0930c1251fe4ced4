"""Knock as a device would, and tell what happened at each step."""
