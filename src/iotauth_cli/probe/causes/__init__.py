"""What can be wrong between a device and the message that comes back, as a table.

Rows stand in the order in which a connection meets them, and within a stage the certain before
the likely. A row that rests on how AWS IoT works names the page of the developer guide.
"""

from __future__ import annotations

from iotauth_cli.probe.cause import Cause
from iotauth_cli.probe.causes import authorizer, encryption, function, http, message, policy, reaching, remaining

CAUSES: tuple[Cause, ...] = (
    *reaching.CAUSES,
    *encryption.CAUSES,
    *message.CAUSES,
    *authorizer.CAUSES,
    *function.CAUSES,
    *policy.CAUSES,
    *http.CAUSES,
    *remaining.CAUSES,
)
