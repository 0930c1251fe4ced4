"""The light DynamoDB client: its retries against a scripted server, its requests against moto."""

from __future__ import annotations

import binascii
import json
import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing

import pytest

from iotauth_authorizer.aws_credentials import Credentials, NoCredentials
from iotauth_authorizer.dynamodb import Client, ConnectionLost, DynamoDBError
from iotauth_authorizer.event import ANSWER_LIMIT_S
from iotauth_authorizer.handler import READ_BUDGET_S, RECORD_BUDGET_S
from iotauth_authorizer.record import key
from support_table import HANG_UP, answer, error, in_turn, moto_table, serving

FOUND = answer({"Item": {"Client_ID": {"S": "door-7"}}})
BUSY = error("ProvisionedThroughputExceededException")


class Clock:
    """Time that passes by sleeping only. `sleeps` holds every pause."""

    def __init__(self) -> None:
        self.now = 0.0
        self.sleeps: list[float] = []

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.sleeps.append(seconds)
        self.now += seconds


@pytest.fixture
def clock() -> Clock:
    return Clock()


Connect = Callable[..., Client]


@pytest.fixture
def connect(clock: Clock) -> Iterator[Connect]:
    """Make clients on the test's clock, closed when the test is over."""

    def credentials() -> Credentials:
        return Credentials("AKIDEXAMPLE", "secret")

    with ExitStack() as made:

        def connected(url: str, **options: object) -> Client:
            defaults = {"credentials": credentials, "sleep": clock.sleep, "clock": clock}
            client = Client("eu-west-1", endpoint_url=url, **{**defaults, **options})  # type: ignore[arg-type]
            return made.enter_context(closing(client))

        yield connected


def test_a_request_is_signed_json_of_dynamodb_s_dialect(connect: Connect) -> None:
    """One POST, its operation in a header, compact JSON in its body."""
    with serving(in_turn(FOUND)) as server:
        assert connect(server.url).get_item("clients", key("door-7")) == {"Client_ID": {"S": "door-7"}}
    (asked,) = server.asked
    assert asked.line == "POST / HTTP/1.1"
    assert asked.headers["x-amz-target"] == "DynamoDB_20120810.GetItem"
    assert asked.headers["content-type"] == "application/x-amz-json-1.0"
    assert asked.headers["authorization"].startswith("AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/")
    assert asked.body == b'{"TableName":"clients","Key":{"Client_ID":{"S":"door-7"}},"ConsistentRead":true}'


def test_credentials_are_read_at_each_signature(connect: Connect) -> None:
    """Lambda rotates them while the process lives."""
    ids = iter(["AKIDFIRST", "AKIDSECOND"])
    with serving(in_turn(FOUND)) as server:
        client = connect(server.url, credentials=lambda: Credentials(next(ids), "secret"))
        client.get_item("clients", key("door-7"))
        client.get_item("clients", key("door-7"))
    signers = [asked.headers["authorization"].partition("Credential=")[2].partition("/")[0] for asked in server.asked]
    assert signers == ["AKIDFIRST", "AKIDSECOND"]


def test_without_credentials_nothing_is_sent(connect: Connect) -> None:
    """The caller hears why."""

    def none() -> Credentials:
        raise NoCredentials("nowhere")

    with serving(in_turn(FOUND)) as server, pytest.raises(NoCredentials):
        connect(server.url, credentials=none).get_item("clients", key("door-7"))
    assert server.asked == []


def test_connecting_early_saves_the_first_call_its_handshake(connect: Connect) -> None:
    """As the function does while Lambda loads it."""
    with serving(in_turn(FOUND)) as server:
        client = connect(server.url)
        client.connect()
        assert server.asked == []
        client.get_item("clients", key("door-7"))
    assert server.connections == 1


def test_connecting_early_in_vain_is_told(connect: Connect) -> None:
    """The handler shrugs; the next call tries again."""
    with pytest.raises(ConnectionLost):
        connect("http://127.0.0.1:1").connect()


def test_connection_close_is_honoured(connect: Connect, clock: Clock) -> None:
    """moto closes after every answer; waiting for it to speak again would hang."""
    with serving(in_turn(answer({}, connection="close"))) as server:
        client = connect(server.url)
        for _ in range(3):
            assert client.get_item("clients", key("door-7")) is None
    assert server.connections == 3
    assert clock.sleeps == []


def test_a_connection_gone_stale_is_replaced_at_once(connect: Connect, clock: Clock) -> None:
    """Lambda freezes the process for minutes, and the server gives up; no time is lost on it."""
    with serving(in_turn(FOUND)) as server:
        client = connect(server.url)
        client.get_item("clients", key("door-7"))
        server.drop_connections()
        assert client.get_item("clients", key("door-7")) is not None
    assert server.connections == 2
    assert clock.sleeps == [0.0]


@pytest.mark.parametrize(
    "failure",
    [
        pytest.param(BUSY, id="throughput"),
        pytest.param(error("ThrottlingException"), id="throttling"),
        pytest.param(error("RequestLimitExceeded"), id="request limit"),
        pytest.param(error("InternalServerError", 500), id="500"),
        pytest.param(error("ServiceUnavailable", 503), id="503"),
        pytest.param(b"HTTP/1.1 502 Bad Gateway\r\ncontent-length: 5\r\n\r\n<html", id="502 from a proxy"),
        pytest.param(HANG_UP, id="hangs up"),
        pytest.param(answer({}, x_amz_crc32="1"), id="damaged"),
    ],
)
def test_what_passes_is_tried_again_after_a_pause(failure: bytes, connect: Connect, clock: Clock) -> None:
    """Twice here, each pause at random up to a limit that doubles."""
    with serving(in_turn(failure, failure, FOUND)) as server:
        assert connect(server.url).get_item("clients", key("door-7")) is not None
    assert len(server.asked) == 3
    first_s, second_s = (pause for pause in clock.sleeps if pause)
    assert 0 < first_s <= 0.05
    assert 0 < second_s <= 0.1


@pytest.mark.parametrize(
    "code", ["ResourceNotFoundException", "AccessDeniedException", "ValidationException", "LimitExceededException"]
)
def test_what_does_not_pass_is_told_at_once(code: str, connect: Connect) -> None:
    """Asking again would only cost time."""
    with serving(in_turn(error(code))) as server, pytest.raises(DynamoDBError) as caught:
        connect(server.url).get_item("clients", key("door-7"))
    assert (caught.value.code, caught.value.message, caught.value.status) == (code, "no", 400)
    assert len(server.asked) == 1


@pytest.mark.parametrize(("failure", "told"), [(BUSY, DynamoDBError), (HANG_UP, ConnectionLost)])
def test_retries_end_with_the_budget(failure: bytes, told: type[Exception], connect: Connect, clock: Clock) -> None:
    """However long DynamoDB is busy, the caller is not kept past its time."""
    with serving(in_turn(failure)) as server, pytest.raises(told):
        connect(server.url, budget_s=2.0).get_item("clients", key("door-7"))
    assert 4 < len(server.asked) < 200
    assert 1.0 < clock.now < 2.0


def test_an_address_that_nobody_answers_at_is_given_up_early(connect: Connect, clock: Clock) -> None:
    """A wrong region or a dead network does not mend itself: two pauses, whatever the budget."""
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    with pytest.raises(ConnectionLost, match="cannot be reached"):
        connect(f"http://127.0.0.1:{port}", budget_s=3600.0).get_item("clients", key("door-7"))
    assert len(clock.sleeps) == 2


def test_one_call_may_have_a_budget_of_its_own(connect: Connect, clock: Clock) -> None:
    """Noting a first use may not take as long as reading the row."""
    with serving(in_turn(BUSY)) as server, pytest.raises(DynamoDBError):
        connect(server.url).update_item("clients", key("door-7"), "SET x = y", budget_s=0.2)
    assert clock.now < 0.2


def test_the_function_s_budgets_fit_into_aws_iot_s_patience() -> None:
    """Reading the row and noting a first use, at their longest, leave a second for the rest."""
    assert READ_BUDGET_S + RECORD_BUDGET_S + 1.0 <= ANSWER_LIMIT_S


def test_a_right_checksum_is_right(connect: Connect) -> None:
    """DynamoDB sends the CRC32 of what it means."""
    body = json.dumps({"Item": {}}).encode()
    with serving(in_turn(answer({"Item": {}}, x_amz_crc32=str(binascii.crc32(body))))) as server:
        assert connect(server.url).get_item("clients", key("door-7")) == {}


@pytest.mark.parametrize("body", ["text", [], None])
def test_an_answer_that_is_no_object_is_unreadable(body: object, connect: Connect) -> None:
    """It is an error, not an absent row."""
    reply = b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nnull" if body is None else answer(body)
    with serving(in_turn(reply)) as server, pytest.raises(DynamoDBError, match="UnreadableAnswer"):
        connect(server.url).get_item("clients", key("door-7"))


@pytest.mark.parametrize(
    ("region", "host"),
    [
        ("eu-west-1", "dynamodb.eu-west-1.amazonaws.com"),
        ("cn-north-1", "dynamodb.cn-north-1.amazonaws.com.cn"),
        ("us-gov-west-1", "dynamodb.us-gov-west-1.amazonaws.com"),
    ],
)
def test_without_an_endpoint_the_region_s_own_is_asked(region: str, host: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Over TLS, in China under its own suffix."""
    asked: list[tuple[str, int]] = []

    def create_connection(address: tuple[str, int], timeout_s: float) -> None:
        asked.append(address)
        raise ConnectionRefusedError

    monkeypatch.setattr("socket.create_connection", create_connection)
    with pytest.raises(ConnectionLost):
        Client(region, credentials=lambda: Credentials("a", "b")).connect()
    assert asked == [(host, 443)]


def test_rows_as_moto_sees_them(connect: Connect) -> None:
    """Put, get, update, delete and scan do what DynamoDB's words say, conditions and pages included."""
    with moto_table() as server:
        client = connect(server.url)
        door = {**key("door-7"), "Note": {"S": "tür"}, "Expires": {"N": "1800000000"}}
        assert client.get_item("clients", key("door-7")) is None
        client.put_item("clients", door, condition="attribute_not_exists(Client_ID)")
        assert client.get_item("clients", key("door-7")) == door
        assert client.get_item("clients", key("door-7"), projection="Note") == {"Note": {"S": "tür"}}

        with pytest.raises(DynamoDBError) as caught:
            client.put_item("clients", door, condition="attribute_not_exists(Client_ID)")
        assert caught.value.is_condition_failed
        assert not caught.value.is_transient

        updated = client.update_item(
            "clients",
            key("door-7"),
            "SET #n = :n",
            condition="#n = :old",
            names={"#n": "Note"},
            values={":n": {"S": "new"}, ":old": {"S": "tür"}},
            returning="ALL_NEW",
        )
        assert updated == {**door, "Note": {"S": "new"}}
        assert client.update_item("clients", key("door-7"), "REMOVE Note") == {}

        for number in range(5):
            client.put_item("clients", key(f"thermo-{number}"))
        pages = list(client.scan("clients", Limit=4, projection="Client_ID"))
        assert [len(page) for page in pages] == [4, 2]
        assert {item["Client_ID"]["S"] for page in pages for item in page} == {
            "door-7",
            *(f"thermo-{number}" for number in range(5)),
        }

        assert client.delete_item("clients", key("door-7")) == {**key("door-7"), "Expires": {"N": "1800000000"}}
        assert client.delete_item("clients", key("door-7")) is None
        with pytest.raises(DynamoDBError, match="ResourceNotFoundException"):
            client.get_item("lost", key("door-7"))
