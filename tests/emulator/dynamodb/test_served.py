"""The table of what is served, held against botocore's model."""

from __future__ import annotations

import botocore.session
import pytest
from botocore.model import StructureShape

from iotauth_cli.emulator.control.dynamodb.served import REPLACED_BY, SERVED
from support_dynamodb import Database

MODEL = botocore.session.get_session().get_service_model("dynamodb")


def input_of(operation: str) -> StructureShape:
    shape = MODEL.operation_model(operation).input_shape
    assert shape is not None
    return shape


def test_every_operation_says_what_it_serves(database: Database) -> None:
    """The operations that are answered are those whose parameters are listed."""
    assert database.dynamodb.operations.keys() == SERVED.keys()
    assert database.dynamodb.name == "dynamodb"


@pytest.mark.parametrize("operation", SERVED)
def test_what_is_served_exists_on_aws(operation: str) -> None:
    """Every parameter that is served is in the model, and every required one is served."""
    shape = input_of(operation)
    assert SERVED[operation] <= shape.members.keys()
    assert set(shape.required_members) <= SERVED[operation]


@pytest.mark.parametrize("operation", SERVED)
def test_what_is_not_served_is_refused_by_name(database: Database, operation: str) -> None:
    """Each parameter of the model that is not served is refused, and says which one it is."""
    for name in input_of(operation).members.keys() - SERVED[operation]:
        error = database.refusal(operation, **{name: None})
        hint = f"; use {REPLACED_BY[name]}" if name in REPLACED_BY else ""
        assert error.message == f"the local emulator does not support {name} in dynamodb:{operation}{hint}"
