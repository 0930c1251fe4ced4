"""A parity report, read as something that strangers wrote, and laid beside the emulator's choices."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from iotauth_cli.emulator import flips
from iotauth_cli.emulator.behaviour import DOCUMENTED, Behaviour
from iotauth_cli.errors import InputError
from iotauth_cli.operations.parity_report import DIFFERENT, FORMAT, NOT_OBSERVED, SAME, Report, compare, read

CHOICES = Behaviour().choices()


def report(*observations: dict[str, Any], **members: Any) -> str:
    document = {"format": FORMAT, "world": "aws", "when": "", "region": "eu-west-1", "observations": observations}
    return json.dumps({**document, **members})


def written(directory: Path, text: str) -> Report:
    path = directory / "report.json"
    path.write_text(text, encoding="utf-8")
    return read(path)


def verdict(directory: Path, key: str, observed: Any, **members: Any) -> tuple[str, str]:
    found = compare(CHOICES, written(directory, report({"key": key, "observed": observed, **members})))
    line = next(each for each in found if each.key == key)
    return line.verdict, line.flag


@pytest.mark.parametrize(
    ("key", "observed", "wanted"),
    [
        ("answers_refused_connect", False, (SAME, "")),
        ("answers_refused_connect", True, (DIFFERENT, "--behaviour answers_refused_connect=true")),
        ("lifecycle_event_qos", 0, (DIFFERENT, "--behaviour lifecycle_event_qos=0")),
        ("lifecycle_event_qos", True, (DIFFERENT, "")),
        ("answers_refused_connect", 0, (DIFFERENT, "")),
        ("cut_off_code", 135, (DIFFERENT, "--behaviour cut_off_code=135")),
        ("cut_off_code", 135.5, (DIFFERENT, "")),
        ("cut_off_code", -1, (DIFFERENT, "")),
        ("active_delete_error", "Other", (DIFFERENT, "--behaviour active_delete_error=Other")),
        ("active_delete_error", "x; rm -r .", (DIFFERENT, "")),
        ("cut_off_code", None, (NOT_OBSERVED, "")),
    ],
)
def test_a_choice_and_what_was_observed(tmp_path: Path, key: str, observed: Any, wanted: tuple[str, str]) -> None:
    """Same, different or not observed; a flag only where the value can be typed for that choice."""
    assert verdict(tmp_path, key, observed) == wanted


def test_what_was_measured_in_time_has_a_tolerance(tmp_path: Path) -> None:
    """30.6 s are 30 s, to 2 s."""
    assert verdict(tmp_path, "connect_timeout_s", 30.6, tolerance=2) == (SAME, "")
    assert verdict(tmp_path, "connect_timeout_s", 33, tolerance=2) == (DIFFERENT, "--behaviour connect_timeout_s=33")


def test_what_the_emulator_has_no_choice_for_is_laid_beside_what_was_expected(tmp_path: Path) -> None:
    """It comes last, without a flag."""
    seen = {"key": "event_protocols", "observed": "mqtt, tls", "expected": "tls, mqtt"}
    line = compare(CHOICES, written(tmp_path, report(seen)))[-1]
    assert (line.key, line.choice, line.verdict, line.flag) == ("event_protocols", "tls, mqtt", DIFFERENT, "")


def test_a_row_that_came_out_otherwise_is_a_difference(tmp_path: Path) -> None:
    """Without a flag: no choice decides it. A row that is as the table says is not shown."""
    rows = [
        {"row": 66, "observed": "accepted", "expected": "refused", "same": False},
        {"row": 67, "observed": "refused", "expected": "refused", "same": True},
    ]
    found = compare(CHOICES, written(tmp_path, report(rows=rows)))
    assert [each.key for each in found if each.key.startswith("row")] == ["row_066"]
    line = found[-1]
    assert (line.choice, line.observed, line.verdict, line.flag) == ("refused", "accepted", DIFFERENT, "")


def test_every_choice_that_is_not_documented_is_there(tmp_path: Path) -> None:
    """Whether it was observed or not; what is documented only if it was."""
    found = compare(CHOICES, written(tmp_path, report({"key": "in_flight", "observed": 100})))
    wanted = {each.key for each in CHOICES if each.confidence != DOCUMENTED} | {"in_flight"}
    assert {each.key for each in found} == wanted


KINDS: dict[type, st.SearchStrategy[Any]] = {
    bool: st.booleans(),
    int: st.integers(0, 10**9),
    float: st.floats(0, 1e6),
    str: st.text("abcXYZ019_.:-", min_size=1, max_size=20),
}


@given(st.data())
def test_every_flag_starts_the_emulator_with_what_was_observed(data: st.DataObject) -> None:
    """Flipped so, the same report says that all is the same."""
    field = data.draw(st.sampled_from(dataclasses.fields(Behaviour)))
    observed = data.draw(KINDS[type(field.default)])
    found = Report("aws", "", "", read_observations(report({"key": field.name, "observed": observed})))
    (line,) = (each for each in compare(CHOICES, found) if each.key == field.name)
    if line.verdict == DIFFERENT:
        flipped = flips.laid_over_defaults(flips.parse([line.flag.removeprefix("--behaviour ")]))
        assert next(each for each in compare(flipped.choices(), found) if each.key == field.name).verdict == SAME


def read_observations(text: str) -> Any:
    from iotauth_cli.operations import parity_report

    return parity_report._report(json.loads(text)).observations


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "it is not JSON"),
        ("[" * 100_000, "it is not JSON"),
        ("[]", "it is no JSON object"),
        ("{}", "it names no format"),
        (report(format="iotauth-parity/2"), f"its format is not `{FORMAT}`"),
        (report(observations={}), "it has no list of observations"),
        (report(observations=[3]), "observation 1 is no JSON object"),
        (report({"key": "A B"}), "observation 1 has no key"),
        (report({"key": "a", "observed": [1]}), "what is `observed` of `a` is no plain value"),
        (report({"key": "a", "observed": "\x1b[2J"}), "what is `observed` of `a` is no plain value"),
        (report({"key": "a", "observed": float("nan")}), "what is `observed` of `a` is no plain value"),
        (report({"key": "a", "tolerance": "x"}), "the tolerance of `a` is no number"),
        (report({"key": "a"}, {"key": "a"}), "it has two observations of one key"),
        (report(region="\x1b[2J"), "its `region` is no plain text"),
        (report(rows=3), "it has no list of rows"),
        (report(rows=[{"row": True}]), "one of its rows has no number"),
        (
            report(rows=[{"row": 3, "same": False, "observed": [1]}]),
            "what is `observed` of `row_003` is no plain value",
        ),
    ],
)
def test_a_broken_report_is_one_sentence(tmp_path: Path, text: str, problem: str) -> None:
    """With the file's name, what is wrong, and how one gets a report."""
    with pytest.raises(InputError) as error:
        written(tmp_path, text)
    assert error.value.message.endswith(f"report.json` is not a parity report: {problem}")
    assert error.value.hint is not None


def test_a_report_that_is_not_there(tmp_path: Path) -> None:
    """Is said so, and how one gets one."""
    with pytest.raises(InputError, match="there is no report"):
        read(tmp_path / "report.json")
