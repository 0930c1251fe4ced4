"""A row of the table of causes, and the words it is made of."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from iotauth_cli.probe.evidence import Case
from iotauth_cli.probe.stages import StageName, Symptom

Condition = Callable[[Case], bool]
Evidence = Callable[[Case], str | None]

REFUSED = "refused"  # the broker, or TLS, said no
UNKNOWN = "unknown"  # nobody was reached who could have said yes or no

ENTRANCE: tuple[StageName, ...] = ("connect", "upgrade", "request")  # where the authorizer decides
ANY_END = (Symptom.CLOSED, Symptom.REFUSED, Symptom.NOT_MQTT, Symptom.TIMEOUT)  # how a broker may say no


@dataclass(frozen=True)
class Cause:
    """What can be wrong: it fits where *stages* failed with *symptoms* and *when* holds for the evidence.

    *name* is stable; several rows may share it where the remedy differs. *says* and *remedy*
    are sentences with `diagnose.names_of` in braces. *evidence* comes beside what the device
    met, which is always told.
    """

    name: str
    stages: tuple[StageName, ...]
    symptoms: tuple[Symptom, ...]
    says: str
    remedy: str
    reference: str
    when: tuple[Condition, ...] = ()
    evidence: tuple[Evidence, ...] = ()
    answer: str = REFUSED

    def fits(self, case: Case) -> bool:
        failed = case.failed
        here = failed.name in self.stages and failed.symptom in self.symptoms
        return here and all(holds(case) for holds in self.when)
