"""Each cause, broken for real on an emulator: the device is refused, and the diagnosis says precisely why."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from iotauth_cli.aws.session import Session
from iotauth_cli.errors import InputError, IotauthError
from iotauth_cli.operations import connect
from iotauth_cli.operations.connect import Report, Visit
from iotauth_cli.probe.cause import REFUSED
from iotauth_cli.secret import Secret
from support_emulator import running_emulator
from support_tls import Authority
from support_world import CLIENT, TOPIC, Closed, Place, answering, document, installed

ALLOW_ALL = ("Allow", "iot:*", "*")


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    directory = tmp_path_factory.mktemp("connect")
    with running_emulator(directory) as emulator, installed(emulator, directory) as place:
        yield place


def cause_of(report: Report) -> str:
    assert not report.ok
    assert report.diagnosis is not None
    assert report.was_refused == (report.diagnosis.answer == REFUSED)
    return report.diagnosis.cause


def evidence_of(report: Report) -> str:
    assert report.diagnosis is not None
    return "\n".join(report.diagnosis.evidence)


def test_a_good_client_is_let_in_and_its_message_comes_back(place: Place) -> None:
    """From the stored credential alone: where, as whom and on which topic is looked up."""
    report = place.knock(Visit())
    assert report.ok
    assert report.diagnosis is None
    assert [stage.name for stage in report.stages][-4:] == ["subscribe", "publish", "receive", "end"]
    assert report.knock.errand.publish == TOPIC
    assert report.as_document()["client"] == CLIENT


def test_a_wrong_password(place: Place) -> None:
    """The function's own log line of this very attempt says so."""
    report = place.knock(password=Secret("wrong"))
    assert cause_of(report) == "wrong-password"
    assert "was called for it and refused it: `wrong-password`" in evidence_of(report)


def test_an_unknown_client(place: Place) -> None:
    report = place.knock(Visit("thermo-99", password=Secret("whatever")))
    assert cause_of(report) == "unknown-client"


def test_a_wrong_user_name(place: Place) -> None:
    assert cause_of(place.knock(username="somebody-else")) == "wrong-username"


def test_no_password(place: Place) -> None:
    """An empty password goes out, and the function says what is missing."""
    assert cause_of(place.knock(password=Secret(""))) == "no-password"


ROWS: dict[str, dict[str, Any]] = {
    "disabled": {"allow_connect": {"BOOL": False}},
    "expired": {"Expires": {"N": "1000"}},
    "malformed-record": {"publish_topics": {"S": "not a list"}},
    "secret-retired": {},
}


@pytest.mark.parametrize("cause", ROWS)
def test_a_row_that_lets_nobody_in(place: Place, cause: str) -> None:
    """What a person may do to a row at the console."""
    added = place.add(cause)
    changes = dict(ROWS[cause])
    if cause == "secret-retired":
        hashed = added.record.slots["A"].hash
        changes["Secret_A"] = {"M": {"Hash": {"S": hashed}, "Created": {"N": "1"}, "State": {"S": "retired"}}}
    place.update_row(cause, **changes)
    assert cause_of(place.knock(Visit(cause))) == cause


def test_a_topic_that_is_not_granted_for_publishing(place: Place) -> None:
    """That no statement allows it is shown, with the one that comes nearest."""
    report = place.knock(publish="sensors/thermo-2")
    assert cause_of(report) == "publish-not-granted"
    assert "no statement allows iot:Publish on topic/sensors/thermo-2" in evidence_of(report)
    assert "topic/sensors/thermo-1/* do not match topic/sensors/thermo-2" in evidence_of(report)


def test_a_filter_that_is_not_granted_for_subscribing(place: Place) -> None:
    """A wider filter than the granted one is another text."""
    report = place.knock(subscribe="sensors/+")
    assert cause_of(report) == "subscribe-not-granted"
    assert "no statement allows iot:Subscribe on topicfilter/sensors/+" in evidence_of(report)


def test_without_alpn_the_function_is_not_even_asked(place: Place) -> None:
    """The log, read up to a later call, has none for this attempt."""
    report = place.knock(alpn=())
    assert cause_of(report) == "no-alpn"
    assert report.was_called is False
    assert "was not called for it" in evidence_of(report)


def test_an_attempt_that_was_answered_is_not_taken_for_the_next_one(place: Place) -> None:
    """Right behind a connection that the function let in, one without ALPN still counts as not asked."""
    for _ in range(5):
        assert place.knock().ok
        assert place.knock(alpn=()).was_called is False


@pytest.mark.parametrize("offered", ["x-amzn-mqtt-ca", "h2"])
def test_another_alpn(place: Place, offered: str) -> None:
    assert cause_of(place.knock(alpn=(offered,))) == "wrong-alpn"


def test_a_foreign_authority(place: Place, tmp_path: Path) -> None:
    report = place.knock(ca_file=Authority(tmp_path, "another CA").file)
    assert cause_of(report) == "foreign-ca"
    assert "`another CA`" in evidence_of(report)


def test_a_port_that_is_closed(place: Place) -> None:
    """Nobody was reached, so it is no refusal; where devices connect is told."""
    report = place.knock(port=1)
    assert cause_of(report) == "wrong-endpoint"
    assert not report.was_refused
    assert f"localhost:{place.target.data_port}" in evidence_of(report)


def test_two_question_marks(place: Place) -> None:
    """As an SDK sends it that appends its metrics to a user name that has parameters already."""
    report = place.knock(username="thermo-1?x-amz-customauthorizer-name=doors?SDK=Python")
    assert cause_of(report) == "two-question-marks"


def test_no_authorizer_is_named_and_none_is_the_default(place: Place) -> None:
    assert cause_of(place.knock(username="thermo-1?SDK=Python")) == "no-authorizer-named"


def test_a_missing_authorizer(place: Place) -> None:
    report = place.knock(authorizer="windows")
    assert cause_of(report) == "authorizer-missing"
    assert report.diagnosis is not None
    assert "iotauth authorizer create windows" in report.diagnosis.remedy


def test_an_inactive_authorizer_and_its_remedy(place: Place) -> None:
    """The command that is named brings the device in again."""
    iot = place.emulator.client("iot")
    iot.update_authorizer(authorizerName=place.wish.authorizer, status="INACTIVE")
    assert cause_of(place.knock()) == "authorizer-inactive"
    place.install()
    assert place.knock().ok


def test_a_missing_permission_and_its_remedy(place: Place) -> None:
    """Without it AWS IoT never calls, and says nothing."""
    functions = place.emulator.client("lambda")
    policy = json.loads(functions.get_policy(FunctionName=place.wish.function)["Policy"])
    functions.remove_permission(FunctionName=place.wish.function, StatementId=policy["Statement"][0]["Sid"])
    report = place.knock()
    assert cause_of(report) == "no-permission"
    assert "does not name iot.amazonaws.com" in evidence_of(report)
    place.install()
    assert place.knock().ok


@pytest.mark.parametrize(
    ("source", "account", "cause"),
    [
        ("arn:aws:iot:us-east-1:123456789012:authorizer/windows", "123456789012", "permission-for-another-authorizer"),
        ("arn:aws:iot:us-east-1:123456789012:authorizer/doors", "999999999999", "permission-for-another-account"),
    ],
    ids=["another-authorizer", "another-account"],
)
def test_a_permission_that_is_not_for_this(place: Place, source: str, account: str, cause: str) -> None:
    """What the permission is given for stands in the evidence."""
    functions = place.emulator.client("lambda")
    policy = json.loads(functions.get_policy(FunctionName=place.wish.function)["Policy"])
    functions.remove_permission(FunctionName=place.wish.function, StatementId=policy["Statement"][0]["Sid"])
    grant = {
        "FunctionName": place.wish.function,
        "StatementId": "typed-by-hand",
        "Action": "lambda:InvokeFunction",
        "Principal": "iot.amazonaws.com",
    }
    functions.add_permission(**grant, SourceArn=source, SourceAccount=account)
    try:
        assert cause_of(place.knock()) == cause
    finally:
        functions.remove_permission(FunctionName=place.wish.function, StatementId="typed-by-hand")
        place.install()


FUNCTIONS = {
    "function-error": "def handler(event, context):\n    return event['password']\n",
    "invalid-answer": answering([document(ALLOW_ALL)], principalId="some_body"),
    "refused": "def handler(event, context):\n    return {'isAuthenticated': False}\n",
    "connect-not-granted": answering([document(("Allow", "iot:Publish", "*"))]),
    "connect-denied": answering([document(ALLOW_ALL, ("Deny", "iot:Connect", "*"))]),
    "receive-not-granted": answering(
        [document(("Allow", "iot:Connect", "*"), ("Allow", "iot:Publish", "*"), ("Allow", "iot:Subscribe", "*"))]
    ),
    "publish-denied": answering([document(ALLOW_ALL, ("Deny", "iot:Publish", "*"))]),
}


@pytest.mark.parametrize("cause", FUNCTIONS)
def test_a_function_of_somebody_elses(place: Place, cause: str) -> None:
    """One that throws, answers what AWS IoT does not take, refuses without a word, or grants too little."""
    with place.deployed(cause, FUNCTIONS[cause]):
        report = place.knock(authorizer=cause, timeout_s=1 if cause.startswith("receive") else 8)
    assert cause_of(report) == cause


def test_what_a_function_says_in_its_error_is_shown_without_the_password(place: Place) -> None:
    """Somebody else's exception may quote what the device sent; here it is masked."""
    with place.deployed("talkative", "def handler(event, context):\n    raise ValueError(str(event))\n"):
        report = place.knock(authorizer="talkative", password=Secret("canary-7-in-the-mine"))
    assert cause_of(report) == "function-error"
    assert "ValueError" in evidence_of(report)
    assert "canary-7" not in repr(report)
    assert "Y2FuYXJ5LTct" not in repr(report), "nor in base64, as the event carries it"


def test_a_function_that_takes_too_long(place: Place) -> None:
    """The function's own limit ends it here; AWS IoT's five seconds would do the same."""
    with place.deployed("slow", "import time\ndef handler(event, context):\n    time.sleep(30)\n", timeout_s=2):
        report = place.knock(authorizer="slow")
    assert cause_of(report) == "function-timeout"
    assert "Task timed out after 2.00 seconds" in evidence_of(report)


def test_a_function_that_is_gone(place: Place) -> None:
    with place.deployed("gone", answering([])):
        place.emulator.client("lambda").delete_function(FunctionName="gone")
        assert cause_of(place.knock(authorizer="gone")) == "function-missing"


def test_an_alias_that_is_gone(place: Place) -> None:
    """The function is there, and what the authorizer asks is not."""
    with place.deployed("aliased", answering([])):
        iot = place.emulator.client("iot")
        arn = iot.describe_authorizer(authorizerName="aliased")["authorizerDescription"]["authorizerFunctionArn"]
        iot.update_authorizer(authorizerName="aliased", authorizerFunctionArn=f"{arn}:prod")
        assert cause_of(place.knock(authorizer="aliased")) == "function-missing"


def test_a_table_that_is_gone(tmp_path: Path) -> None:
    """The function runs and cannot read; its log names the kind of failure."""
    with running_emulator(tmp_path) as emulator, installed(emulator, tmp_path) as place:
        dynamodb = emulator.client("dynamodb")
        dynamodb.update_table(TableName=place.wish.table, DeletionProtectionEnabled=False)
        dynamodb.delete_table(TableName=place.wish.table)
        report = place.knock()
    assert cause_of(report) == "table-unavailable"
    assert "ResourceNotFoundException" in evidence_of(report)


LOOKS = [
    "iot:describe_authorizer",
    "lambda:get_function_configuration",
    "lambda:get_policy",
    "iot:test_invoke_authorizer",
]


@pytest.mark.parametrize("closed", [*LOOKS[1:3], LOOKS[3]])
def test_a_closed_door_hides_nothing_that_another_one_shows(place: Place, closed: str) -> None:
    """The function's log alone still tells a wrong password; what could not be seen is said."""
    session = Closed(place.target, closed=frozenset({closed}))
    report = place.knock(session=session, password=Secret("wrong"))
    assert cause_of(report) == "wrong-password"
    assert f"may not call `{closed}`" in evidence_of(report)


def test_without_the_log_the_refusal_is_told_as_far_as_it_can_be(place: Place) -> None:
    """The test call says no, and nobody says why: that is what the diagnosis says too."""
    session = Closed(place.target, closed=frozenset({"logs:filter_log_events"}))
    assert cause_of(place.knock(session=session, password=Secret("wrong"))) == "refused"


def test_somebody_who_may_see_nothing_still_learns_what_the_device_saw(place: Place) -> None:
    """No claim is made about what nobody could look at."""
    session = Closed(place.target, closed=frozenset({"*"}))
    assert cause_of(place.knock(session=session, password=Secret("wrong"))) == "connect-refused"
    assert cause_of(place.knock(session=session, alpn=())) == "no-alpn"


# --- what is meant ------------------------------------------------------------------------------


def test_the_only_stored_client_is_meant_and_of_several_none(place: Place, tmp_path: Path) -> None:
    """With no name given: the only one, and of several each is named in the refusal."""
    other = replace(place, project=tmp_path)
    with pytest.raises(InputError, match="no credential is kept"):
        connect.prepare(other.session, other.store, other.wish, Visit())
    kept = place.store.load(CLIENT)
    assert kept is not None
    other.store.save(kept)
    assert connect.prepare(other.session, other.store, other.wish, Visit()).login.client_id == CLIENT
    other.store.save(replace(kept, client_id="thermo-2"))
    with pytest.raises(InputError, match="`thermo-1`, `thermo-2`"):
        connect.prepare(other.session, other.store, other.wish, Visit())


def test_a_client_without_a_credential_needs_its_password(place: Place) -> None:
    """The refusal names both ways on; with a password the client id is the user name."""
    with pytest.raises(InputError, match="no credential of client `door-7`") as refused:
        connect.prepare(place.session, place.store, place.wish, Visit("door-7"))
    assert "--password-stdin" in str(refused.value.hint)
    prepared = connect.prepare(place.session, place.store, place.wish, Visit("door-7", password=Secret("x")))
    assert prepared.login.username == "door-7?x-amz-customauthorizer-name=doors"
    assert (prepared.errand.publish, prepared.errand.subscribe) == (None, None)


def test_everything_that_is_typed_wins(place: Place, tmp_path: Path) -> None:
    """And is remembered as typed, for the remedy."""
    visit = Visit(
        CLIENT, "example.com", 8883, tmp_path, ("h2",), "user", Secret("password"), "windows", "a", "b", timeout_s=3
    )
    prepared = connect.prepare(place.session, place.store, place.wish, visit)
    assert (prepared.endpoint.host, prepared.endpoint.port, prepared.endpoint.alpn) == ("example.com", 8883, ("h2",))
    assert prepared.login.username == "user?x-amz-customauthorizer-name=windows"
    assert (prepared.errand.publish, prepared.errand.subscribe, prepared.timeout_s) == ("a", "b", 3)
    assert prepared.typed == {
        "endpoint",
        "port",
        "ca",
        "username",
        "password",
        "authorizer",
        "publish",
        "subscribe",
    }


def test_a_report_holds_no_secret(place: Place) -> None:
    """Neither its repr nor its document, whether let in or refused."""
    kept = place.store.load(CLIENT)
    assert kept is not None
    for report in (place.knock(), place.knock(publish="x"), place.knock(authorizer="windows")):
        assert kept.password.reveal() not in repr(report) + json.dumps(report.as_document())


def test_every_error_of_the_other_side_is_noted_and_passed_over(place: Place) -> None:
    """Whatever goes wrong while asking, there is a diagnosis."""

    @dataclass(frozen=True)
    class Broken(Session):
        def call(self, service: str, operation: str, **parameters: Any) -> dict[str, Any]:
            raise IotauthError(f"{service} is out of order")

        def pages(self, service: str, operation: str, **parameters: Any) -> Iterator[dict[str, Any]]:
            raise IotauthError(f"{service} is out of order")

    report = place.knock(session=Broken(place.target), password=Secret("wrong"))
    assert cause_of(report) == "connect-refused"
    assert "not seen: the authorizer: iot is out of order" in evidence_of(report)
