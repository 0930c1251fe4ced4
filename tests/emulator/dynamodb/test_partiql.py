"""Inserts in PartiQL: batched, and yet each fails alone where its key exists."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError
from hypothesis import given
from hypothesis import strategies as st

from iotauth_cli.emulator.control.dynamodb import DynamoDb, partiql
from iotauth_cli.emulator.control.service import ServiceError
from iotauth_cli.emulator.model import ACCOUNT
from iotauth_cli.emulator.state import State
from support_control import ACCESS_KEY, REGION, SECRET_KEY, ControlServer
from support_dynamodb import Clock, Database, typed

INSERT = "INSERT INTO \"clients\" VALUE {'id': ?, 'n': ?}"
DUPLICATE = "Duplicate primary key exists in table"


@pytest.fixture
def clients(database: Database) -> Database:
    database.create()
    database.put(id="old", n=1)
    return database


def statement(text: str = INSERT, **values: Any) -> dict[str, Any]:
    return {"Statement": text, "Parameters": list(typed(values).values())}


def test_each_statement_of_a_batch_stands_alone(clients: Database) -> None:
    """What can be inserted is; what exists, has no table or is not valid is told in its place."""
    statements = [
        statement(id="a", n=1),
        statement(id="old", n=2),
        statement(INSERT.replace("clients", "nowhere"), id="a", n=1),
        statement(id="b"),
        statement(id="a", n=3),
        statement(id="c", n=4),
    ]
    responses = clients.call("BatchExecuteStatement", Statements=statements)["Responses"]
    assert [response.get("Error", {}).get("Code") for response in responses] == [
        *(None, "DuplicateItem", "ResourceNotFound", "ValidationError", "DuplicateItem", None)
    ]
    assert responses[1] == {"Error": {"Code": "DuplicateItem", "Message": DUPLICATE}, "TableName": "clients"}
    assert [clients.get(id=name) for name in ("a", "old", "b", "c")] == [
        *({"id": "a", "n": 1}, {"id": "old", "n": 1}, None, {"id": "c", "n": 4})
    ]


def test_a_statement_of_its_own_is_refused_as_an_operation(clients: Database) -> None:
    """ExecuteStatement has the same outcomes, as errors of the call."""
    assert clients.call("ExecuteStatement", **statement(id="a", n=1)) == {"Items": []}
    refused = clients.refusal("ExecuteStatement", **statement(id="a", n=2))
    assert (refused.code, refused.message) == ("DuplicateItemException", DUPLICATE)


def test_literals_and_parameters_mix(clients: Database) -> None:
    """Texts double their quotes; what stands in quotation marks keeps its letters' case."""
    text = "insert into \"clients\" value { 'id':'it''s', 'A': -1.50, 'b': true, 'c': false, 'd': null, 'e': ? }"
    clients.call("ExecuteStatement", Statement=text, Parameters=[{"L": [{"S": "x"}]}])
    assert clients.call("GetItem", TableName="clients", Key=typed({"id": "it's"}))["Item"] == {
        "id": {"S": "it's"},
        "A": {"N": "-1.5"},
        "b": {"BOOL": True},
        "c": {"BOOL": False},
        "d": {"NULL": True},
        "e": {"L": [{"S": "x"}]},
    }


MALFORMED = "Statement wasn't well formed, can't be processed: Unexpected token"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("SELECT * FROM clients", "does not support SELECT"),
        ("UPDATE clients SET n = 1", "does not support UPDATE"),
        ("DELETE FROM clients", "does not support DELETE"),
        ("INSERT INTO clients VALUE {'id': {'a': 1}}", "does not support a map as a literal"),
        ("INSERT INTO clients VALUE {'id': ['a']}", "does not support a list or set as a literal"),
        ("INSERT INTO clients VALUE {'id': <<'a'>>}", "does not support a list or set as a literal"),
        ("INSERT INTO clients VALUE {'id': 'a'} RETURNING ALL OLD *", "does not support ON CONFLICT or RETURNING"),
        ("INSERT INTO clients VALUE {'id': 'a', 'id': 'b'}", "Duplicate attribute name id"),
        ("INSERT INTO clients VALUE {}", MALFORMED),
        ("INSERT INTO clients VALUE {'id': 'a'", MALFORMED),
        ("INSERT INTO clients VALUE {'id': 'a'}}", MALFORMED),
        ("INSERT INTO clients VALUE {'id': 'a',}", MALFORMED),
        ("INSERT INTO clients VALUE {id: 'a'}", MALFORMED),
        ("INSERT INTO clients VALUE {'id': }", MALFORMED),
        ("INSERT INTO clients VALUE {'id': maybe}", MALFORMED),
        ("INSERT INTO clients VALUES ('a')", MALFORMED),
        ("INSERT INTO \"\" VALUE {'id': 1}", MALFORMED),
        ("INSERT clients", MALFORMED),
        ("'", MALFORMED),
        ("", MALFORMED),
    ],
)
def test_what_is_not_served_is_named(clients: Database, text: str, said: str) -> None:
    """Nothing is guessed: a statement is an insert as documented, or refused."""
    assert said in clients.refusal("ExecuteStatement", Statement=text).message


@given(
    st.one_of(st.text(), st.text("INSERT INTO VALUE {}':,?\"a1[<-").map(lambda rest: f"INSERT INTO t VALUE {{{rest}"))
)
def test_any_text_is_read_or_refused(text: str) -> None:
    """A statement never ends in anything but a service's own error."""
    with contextlib.suppress(ServiceError):
        partiql.parse(text)


@pytest.fixture
def boto(control_server: ControlServer, tmp_path: Path, clock: Clock) -> Iterator[Any]:
    """Return boto3's client, with a fresh emulator behind it."""
    state = control_server.call(lambda: State.open(tmp_path / "state"))
    control_server.serve(lambda: [DynamoDb(state, account=ACCOUNT, clock=clock)])
    config = Config(retries={"total_max_attempts": 1})
    client = boto3.client(
        "dynamodb",
        endpoint_url=control_server.url,
        region_name=REGION,
        aws_access_key_id=ACCESS_KEY,
        aws_secret_access_key=SECRET_KEY,
        config=config,
    )
    yield client
    client.close()
    control_server.call(state.close)


def test_boto3_knows_the_answers(boto: Any) -> None:
    """The duplicate is an exception that the service's model has; in a batch, a code that it lists.

    moto 5.2 is no peer here: it overwrites what exists.
    """
    create(boto)
    boto.execute_statement(**statement(id="a", n=1))
    with pytest.raises(boto.exceptions.DuplicateItemException):
        boto.execute_statement(**statement(id="a", n=1))
    batch = boto.batch_execute_statement(Statements=[statement(id="a", n=1), statement(id="b", n=2)])
    duplicate = {"Error": {"Code": "DuplicateItem", "Message": DUPLICATE}, "TableName": "clients"}
    assert batch["Responses"] == [duplicate, {"TableName": "clients"}]
    assert boto.get_item(TableName="clients", Key=typed({"id": "b"}))["Item"] == typed({"id": "b", "n": 2})


def test_the_codes_are_the_models(boto: Any) -> None:
    """Every code that a statement of a batch can fail with is one of BatchStatementErrorCodeEnum."""
    listed = boto.meta.service_model.shape_for("BatchStatementErrorCodeEnum").enum
    assert set(partiql.BATCH_CODES.values()) <= set(listed)


def create(client: Any) -> None:
    client.create_table(
        TableName="clients",
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )


def test_more_statements_than_a_batch_has_are_refused(boto: Any) -> None:
    """25, as the service's model says."""
    create(boto)
    with pytest.raises(ClientError, match=r"Member must have length less than or equal to 25"):
        boto.batch_execute_statement(Statements=[statement(id=str(number), n=1) for number in range(26)])
