"""Our runtime client against the answers of AWS's own, recorded and, where it is installed, live."""

from __future__ import annotations

import asyncio
import importlib.util
import json
from pathlib import Path
from typing import Any

import pytest

from support import REPOSITORY, missing
from support_runtime import AWS_CLIENT, OUR_CLIENT, Said, ask

VECTORS = json.loads((REPOSITORY / "tests/vectors/lambda_runtime/awslambdaric.json").read_text(encoding="utf-8"))
CASES = [pytest.param(case, id=case["name"]) for case in VECTORS["cases"]]


def directory_of(case: dict[str, Any], tmp_path: Path) -> Path:
    for folder in (tmp_path, tmp_path / "package"):
        folder.mkdir(exist_ok=True)
        (folder / "app.py").write_text(case["source"], encoding="utf-8")
    return tmp_path


def recorded(case: dict[str, Any]) -> Said:
    return Said(case["answer"], case["is_error"], case["log"])


@pytest.mark.parametrize("case", CASES)
def test_our_client_says_what_awslambdaric_says(case: dict[str, Any], tmp_path: Path) -> None:
    """Answers, error members, stack traces and log events equal those of AWS's runtime, word for word."""
    directory = directory_of(case, tmp_path)
    assert asyncio.run(ask(OUR_CLIENT, directory, case["handler"], case["event"])) == recorded(case)


def test_awslambdaric_still_says_so_through_our_runtime_api(tmp_path: Path) -> None:
    """The record is true, and AWS's runtime client finds in our Runtime API what it needs."""
    if importlib.util.find_spec("awslambdaric") is None:
        missing("awslambdaric is not installed")
    for case in VECTORS["cases"]:
        directory = directory_of(case, tmp_path)
        said = asyncio.run(ask((*AWS_CLIENT, case["handler"]), directory, case["handler"], case["event"]))
        assert (case["name"], said) == (case["name"], recorded(case))
