"""What AWS IoT is to write into its log: a level for everything, and others for some clients or events. Pure.

Source: the iot service model; AWS IoT developer guide, "Configure AWS IoT logging".
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

DISABLED, ERROR, INFO = "DISABLED", "ERROR", "INFO"
VERBOSITY = {name: number for number, name in enumerate((DISABLED, ERROR, "WARN", INFO, "DEBUG"))}
CLIENT_ID, SOURCE_IP, PRINCIPAL_ID = "CLIENT_ID", "SOURCE_IP", "PRINCIPAL_ID"
Target = tuple[str, str]  # its kind and its name: `("CLIENT_ID", "thermo-1")`


@dataclass(frozen=True)
class LogLevels:
    """The logging options of a region. Without *role_arn* they were never set, and nothing is written."""

    role_arn: str | None = None
    default: str = DISABLED
    is_disabled: bool = False  # `disableAllLogs`, whatever the levels say
    targets: Mapping[Target, str] = field(default_factory=dict, hash=False)
    events: Mapping[str, str] = field(default_factory=dict, hash=False)  # by event type: `Connect`

    @property
    def is_on(self) -> bool:
        """Whether anything at all can be written."""
        levels = (self.default, *self.targets.values(), *self.events.values())
        return self.role_arn is not None and not self.is_disabled and any(level != DISABLED for level in levels)

    def takes(self, level: str, event_type: str, who: Mapping[str, str | None]) -> bool:
        """Tell whether an entry of *level* is written; *who* names the client by the targets' kinds.

        A target's level counts before an event's, and that before the default. UNCONFIRMED: of several targets
        that fit, the most verbose decides, as the developer guide says of thing groups.
        """
        if not self.is_on:
            return False
        found = [self.targets[kind, name] for kind, name in who.items() if name and (kind, name) in self.targets]
        chosen = max(found, key=VERBOSITY.__getitem__) if found else self.events.get(event_type, self.default)
        return VERBOSITY[level] <= VERBOSITY[chosen]
