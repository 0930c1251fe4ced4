"""CloudWatch Logs: where functions print, and where people look for what they printed."""
