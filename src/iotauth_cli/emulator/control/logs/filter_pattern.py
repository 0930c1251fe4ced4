"""CloudWatch Logs' filter patterns, as far as they are made of terms.

``ERROR timeout`` wants both, ``-healthy`` must be absent, ``?a ?b`` wants one of them, and quotes
hold a phrase together. Case counts.
Source: CloudWatch Logs user guide, "Filter pattern syntax".
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from iotauth_cli.emulator.control.service import NotImplementedHere

TERM = re.compile(r'([-?]?)(?:"((?:[^"\\]|\\.)*)"|(\S+))')
STRUCTURED = ("{", "[", "%")  # JSON selectors, columns, regular expressions


@dataclass(frozen=True)
class Filter:
    wanted: tuple[str, ...] = ()
    unwanted: tuple[str, ...] = ()
    alternatives: tuple[str, ...] = ()

    def matches(self, message: str) -> bool:
        if any(term in message for term in self.unwanted):
            return False
        if self.wanted:  # AWS ignores `?` terms beside others
            return all(term in message for term in self.wanted)
        return not self.alternatives or any(term in message for term in self.alternatives)


def parse(pattern: str) -> Filter:
    """Read a filter pattern.

    Raises:
        ServiceError: 501 for JSON selectors, columns and regular expressions.
    """
    if pattern.lstrip().startswith(STRUCTURED):
        raise NotImplementedHere(f"filter patterns that begin with `{pattern.lstrip()[0]}`; terms work")
    found: dict[str, list[str]] = {"": [], "-": [], "?": []}
    for sign, phrase, word in TERM.findall(pattern):
        found[sign].append(re.sub(r"\\(.)", r"\1", phrase) or word)
    return Filter(tuple(found[""]), tuple(found["-"]), tuple(found["?"]))
