"""The whole installation as a checklist.

    scene      what is looked at, each question to AWS asked once
    checks     the table: an id, a group, one small function
    examine    run them side by side, each with a time limit, and yield what they found in order
    carry_out  mend what is safe to, through the same operations that make an installation

A check returns a `Finding` or the fact that is well. What it cannot see it raises, and that is said.
"""

from __future__ import annotations

from iotauth_cli.operations.doctor.checks import CHECKS, GROUPS, choose
from iotauth_cli.operations.doctor.examine import Began, Examination, carry_out, examine
from iotauth_cli.operations.doctor.finding import Check, Finding, Repair, Result
from iotauth_cli.operations.doctor.scene import Premises

__all__ = [
    "CHECKS",
    "GROUPS",
    "Began",
    "Check",
    "Examination",
    "Finding",
    "Premises",
    "Repair",
    "Result",
    "carry_out",
    "choose",
    "examine",
]
