"""What symptoms mean: codes and messages of libraries, of AWS and of iotauth itself, as a table.

Each row names its source; a code that no source could be found for is left out. The causes of a
symptom are named, not told: `probe.causes` is the one place that knows them.
"""

from __future__ import annotations

from iotauth_cli.probe.explanation import Explanation, Family
from iotauth_cli.probe.explanations import (
    amazon,
    arduino,
    awscrt,
    bearssl,
    computers,
    espressif,
    function,
    mqtt,
    ours,
    tasmota,
)

ROOMS = (arduino, tasmota, bearssl, espressif, mqtt, awscrt, computers, amazon, function, ours)

FAMILIES: dict[str, Family] = {family.name: family for room in ROOMS for family in room.FAMILIES}
EXPLANATIONS: tuple[Explanation, ...] = tuple(row for room in ROOMS for row in room.ROWS)
