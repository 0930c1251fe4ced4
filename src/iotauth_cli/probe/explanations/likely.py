"""What several rows share: causes that a symptom has in common with others, and what to do next."""

from __future__ import annotations

# The other side hung up on CONNECT, or said no to it: of the many causes the most frequent.
TURNED_AWAY = (
    "no-alpn",
    "two-question-marks",
    "authorizer-missing",
    "no-permission",
    "signature-wrong",
    "wrong-password",
    "unknown-client",
    "connect-not-granted",
)
UNREACHED = ("no-such-host", "port-closed", "unreachable", "wrong-endpoint")
UNTRUSTED = ("foreign-ca", "wrong-host-name", "expired-certificate", "clock-behind")
OUTSIDE_ITS_POLICY = ("publish-not-granted", "subscribe-not-granted")

CONNECT = "connect from here as the device does: `iotauth test-connect CLIENT`"
FROM_HERE = "see whether this machine gets there: `iotauth test-connect CLIENT`"
PERMITTED = "ask its policy: `iotauth policy can CLIENT publish TOPIC`, and the same with `subscribe`"
CLOCK_AND_ROOT = "set the device's clock first, then its root: `iotauth secrets render CLIENT --format header`"
FUNCTION = "`iotauth authorizer test-invoke AUTHORIZER --client CLIENT`"
SIZE = "`iotauth secrets render CLIENT --format header` tells how long CONNECT is; give the buffer that many bytes"
