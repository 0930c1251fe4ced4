"""The SAM template says what `authorizer create` does."""

from __future__ import annotations

import subprocess

from support import REPOSITORY, require_peer

TEMPLATE = REPOSITORY / "lambda_src" / "template.yaml"


def test_cfn_lint_finds_nothing() -> None:
    """The linter of CloudFormation's own authors passes the template."""
    ran = subprocess.run([require_peer("cfn-lint"), TEMPLATE], capture_output=True, text=True)
    assert ran.returncode == 0, ran.stdout
