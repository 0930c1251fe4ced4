"""Why somebody is refused does not show in the work that it takes: counted, where a clock would only guess."""

from __future__ import annotations

from collections import Counter
from contextlib import closing

import pytest

from iotauth_authorizer import authorize, handler
from iotauth_authorizer.credential import Slot, hash_secret, new_secret
from iotauth_authorizer.event import REFUSAL, ConnectRequest, build_answer, build_event
from iotauth_authorizer.grants import Grants
from iotauth_authorizer.handler import Function
from iotauth_authorizer.record import ClientRecord, to_item
from support_table import answer, in_turn, serving

SECRET = new_secret().encode()
HASH = hash_secret(SECRET, "door-7")
OTHER = new_secret().encode()
ROW = ClientRecord("door-7", slots={"A": Slot(HASH, 1)}, grants=Grants.for_topic("doors/7"))
PENDING = {"A": Slot(HASH, 1, "retiring", grace_s=60), "B": Slot(hash_secret(OTHER, "door-7"), 1, "pending")}

# reason: the row, if there is one, and the password that is given
REFUSALS: dict[str, tuple[ClientRecord | None, bytes]] = {
    "unknown-client": (None, SECRET),
    "wrong-password": (ROW, OTHER),
    "wrong-password, without a slot": (ROW._replace(slots={}), SECRET),
    "wrong-password, two slots": (ROW._replace(slots=PENDING), b"x"),
    "wrong-password, older row": (ROW._replace(slots={}, plain_password="plain"), SECRET),
    "wrong-username": (ROW._replace(username="somebody"), SECRET),
    "disabled": (ROW._replace(enabled=False), SECRET),
    "expired": (ROW._replace(expires_at=2), SECRET),
    "secret-expired": (ROW._replace(slots={"A": Slot(HASH, 1, expires_at=2)}), SECRET),
    "secret-retired": (ROW._replace(slots={"A": Slot(HASH, 1, "retired")}), SECRET),
    "disabled, a first use": (ROW._replace(slots=PENDING, enabled=False), OTHER),
}


@pytest.mark.parametrize("case", REFUSALS)
def test_every_refusal_takes_the_same_work(
    case: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """One row is read, be it nobody's; two hashes are checked, nothing is written, no policy made; one answer."""
    work: Counter[str] = Counter()
    for module, name in ((authorize, "verify"), (authorize, "compile_policies"), (handler, "from_item")):
        original = getattr(module, name)

        def counted(*arguments: object, name: str = name, original: object = original) -> object:
            work[name] += 1
            return original(*arguments)  # type: ignore[operator]

        monkeypatch.setattr(module, name, counted)
    row, password = REFUSALS[case]
    reply = answer({"Item": to_item(row)} if row else {})
    with serving(in_turn(reply)) as server, closing(Function(environ(server.url))) as function:
        request = ConnectRequest(("tls", "mqtt"), "x", client_id="door-7", username="door-7", password=password)
        assert function(build_event(request), Context()) == build_answer(REFUSAL)
        assert [asked.operation for asked in server.asked] == ["GetItem"]
    assert work == {"verify": 2, "from_item": 1}
    assert f'"reason":"{case.partition(",")[0]}"' in capsys.readouterr().out


class Context:
    invoked_function_arn = "arn:aws:lambda:eu-west-1:123456789012:function:iotauth"


def environ(url: str) -> dict[str, str]:
    keys = {"AWS_ACCESS_KEY_ID": "AKIDEXAMPLE", "AWS_SECRET_ACCESS_KEY": "wJalrXUtnFEMI"}
    return {"IOTAUTH_TABLE": "clients", "AWS_REGION": "eu-west-1", "AWS_ENDPOINT_URL": url, **keys}
