"""The iot-data API on the control port: the AWS CLI, which AWS_ENDPOINT_URL leads there."""

from __future__ import annotations

import json
from pathlib import Path

from support_control import Control


def test_the_aws_cli_publishes_and_reads_back(control: Control, tmp_path: Path) -> None:
    """A retained message goes in and comes out; an unknown client is named in the error."""
    payload = tmp_path / "payload"
    payload.write_bytes(b"open")  # CLI 1 sends a text as it is, CLI 2 takes it for base64; a file is a file to both
    message = ("--topic", "doors/door 7/state", "--qos", "1", "--retain", "--payload", f"fileb://{payload}")
    published = control.server.aws("iot-data", "publish", *message)
    assert published.returncode == 0, published.stderr
    listed = control.server.aws("iot-data", "list-retained-messages")
    assert [each["topic"] for each in json.loads(listed.stdout)["retainedTopics"]] == ["doors/door 7/state"]
    kept = control.client("iot-data").get_retained_message(topic="doors/door 7/state")
    assert (kept["payload"], kept["qos"]) == (b"open", 1)
    gone = control.server.aws("iot-data", "delete-connection", "--client-id", "door-7")
    assert "(ResourceNotFoundException)" in gone.stderr
    assert "Client door-7 is not connected." in gone.stderr
