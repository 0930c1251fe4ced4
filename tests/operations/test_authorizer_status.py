"""An authorizer is switched off and on, and one of them is the default."""

from __future__ import annotations

from dataclasses import replace

import pytest

from iotauth_cli.aws import iot
from iotauth_cli.errors import InputError
from iotauth_cli.operations import authorizer_status, authorizers
from iotauth_cli.operations.authorizer_status import Default
from iotauth_cli.operations.authorizers import Wish
from support_installation import WISH, Account


def make(account: Account, wish: Wish = WISH) -> None:
    session = account.session()
    list(authorizers.apply(session, authorizers.plan(session, wish)))


def test_an_authorizer_is_switched_off_and_on(account: Account) -> None:
    """Each call says whether it changed something."""
    make(account)
    switch = [
        authorizer_status.set_active(account.session(), "doors", is_active=on) for on in (True, False, False, True)
    ]
    assert switch == [False, True, False, True]
    assert authorizer_status.look(account.session(), "doors") == authorizer_status.Found(
        is_active=True, is_default=False
    )


def test_the_default_is_set_replaced_and_cleared(account: Account) -> None:
    """AWS refuses a second default while there is a first: that one is cleared on the way."""
    make(account)
    make(account, replace(WISH, authorizer="gates"))
    for name, before in (("doors", None), ("gates", "doors"), ("gates", "gates"), (None, "gates"), (None, None)):
        planned = authorizer_status.plan_default(account.session(), name)
        assert planned == Default(before, name)
        authorizer_status.apply_default(account.session(), planned)
        found = iot.find_default(account.session())
        assert (found and found.name) == name


def test_an_inactive_authorizer_is_not_made_the_default(account: Account) -> None:
    """It would refuse every device that names none."""
    make(account)
    authorizer_status.set_active(account.session(), "doors", is_active=False)
    with pytest.raises(InputError, match="is inactive") as caught:
        authorizer_status.plan_default(account.session(), "doors")
    assert "authorizer enable doors" in str(caught.value.hint)
