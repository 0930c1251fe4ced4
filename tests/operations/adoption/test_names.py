"""Three names in iotauth.yaml: changed where they stand, put back, and nothing else touched."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from iotauth_cli.errors import InputError
from iotauth_cli.operations import project
from iotauth_cli.operations.adoption import names

WANTED = {"authorizer": "Doors", "table": "Door_Clients", "function": "iotauth-authorizer"}


@pytest.mark.parametrize(
    ("before", "after"),
    [
        pytest.param("", "authorizer: Doors\ntable: Door_Clients\nfunction: iotauth-authorizer\n", id="empty"),
        pytest.param(
            "# mine\ntable:   x   # why\nregion: eu-west-1",
            "# mine\ntable: Door_Clients   # why\nregion: eu-west-1\nauthorizer: Doors\nfunction: iotauth-authorizer\n",
            id="in place, and at the end",
        ),
        pytest.param(
            "authorizer: \"a # b\" # c\ntable: 'it''s'\nfunction:\n",
            "authorizer: Doors # c\ntable: Door_Clients\nfunction: iotauth-authorizer\n",
            id="quoted, and empty",
        ),
    ],
)
def test_names_are_changed_where_they_stand(before: str, after: str) -> None:
    """Comments, order and everything else stay."""
    assert names.written(before, WANTED, Path("iotauth.yaml")) == after


@given(st.text("ab01=,@-_", min_size=1, max_size=12), st.sampled_from(["yes", "on", "1e3", "0x1f", "null", "~", "1_0"]))
def test_any_name_is_read_back_as_it_is(name: str, word: str) -> None:
    """Also one that YAML would take for a number or a truth."""
    for each in (name, word):
        text = names.written(project.text(), {"authorizer": each}, Path("iotauth.yaml"))
        assert yaml.safe_load(text)["authorizer"] == each


def test_a_file_that_cannot_be_changed_line_by_line_is_left(tmp_path: Path) -> None:
    """What to write into it is said."""
    path = tmp_path / "iotauth.yaml"
    path.write_text("{authorizer: x, table: y}\n")
    with pytest.raises(InputError, match=r"`iotauth.yaml` cannot be changed line by line") as told:
        names.planned(path, WANTED, emulator=False, region=None, profile=None)
    assert "`table: Door_Clients`" in str(told.value.hint)


@pytest.mark.parametrize("before", [None, "# mine\ntable: x\n", "authorizer: a\ntable: b\nfunction: c\n"])
@pytest.mark.parametrize("added", ["", "region: eu-west-1\n"])
def test_what_stood_there_is_put_back(tmp_path: Path, before: str | None, added: str) -> None:
    """As it was; in a file that somebody went on editing the three names alone."""
    path = tmp_path / "iotauth.yaml"
    if before is not None:
        path.write_text(before)
    found, after = names.planned(path, WANTED, emulator=True, region=None, profile=None)
    assert found == before
    assert names.write(path, after)
    assert not names.write(path, after)
    path.write_text(after + added)
    assert names.put_back(path, before, after)
    if not added:
        assert (path.read_text() if path.exists() else None) == before
        return
    said = yaml.safe_load(path.read_text())
    old = yaml.safe_load(before or project.text())
    assert said["region"] == "eu-west-1"
    assert {key: said[key] for key in names.NAMES if key in old} == {key: old[key] for key in names.NAMES if key in old}
