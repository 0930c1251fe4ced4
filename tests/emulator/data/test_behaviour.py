"""The choices where AWS's behaviour is not documented, as data."""

from __future__ import annotations

import dataclasses

from iotauth_cli.emulator.behaviour import DOCUMENTED, INFERRED, OBSERVED, OWN, Behaviour


def test_every_choice_says_what_it_means_and_how_well_it_is_known() -> None:
    """A meaning, a confidence out of four, and a source; each field is one choice."""
    choices = Behaviour().choices()
    assert [choice.key for choice in choices] == [field.name for field in dataclasses.fields(Behaviour)]
    assert all(choice.meaning and choice.source for choice in choices)
    assert {choice.confidence for choice in choices} <= {DOCUMENTED, OBSERVED, INFERRED, OWN}


def test_a_choice_that_is_flipped_shows_its_value() -> None:
    """The data are those in force, not the defaults."""
    flipped = Behaviour(connect_timeout_s=5)
    choice = next(each for each in flipped.choices() if each.key == "connect_timeout_s")
    assert (choice.value, choice.default) == (5, 30)
