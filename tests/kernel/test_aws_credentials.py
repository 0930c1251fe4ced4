"""Where the credentials for a signature come from."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from iotauth_authorizer.aws_credentials import Credentials, NoCredentials, environment_credentials
from support_table import answer, in_turn, serving

VARIABLES = {"AWS_ACCESS_KEY_ID": "AKIDEXAMPLE", "AWS_SECRET_ACCESS_KEY": "secret", "AWS_SESSION_TOKEN": "token"}
NOW = 1_795_000_000  # 2026-11-18T11:06:40Z
IN_AN_HOUR = "2026-11-18T12:06:40Z"


def handed_out(number: int, expiration: str = IN_AN_HOUR) -> bytes:
    return answer({"AccessKeyId": f"AKID{number}", "SecretAccessKey": "s", "Token": "t", "Expiration": expiration})


def test_the_variables_come_first_and_are_read_each_time() -> None:
    """Lambda may change them while the process lives."""
    environ = dict(VARIABLES)
    current = environment_credentials(environ)
    assert current() == Credentials("AKIDEXAMPLE", "secret", "token")
    environ["AWS_ACCESS_KEY_ID"] = "AKIDLATER"
    del environ["AWS_SESSION_TOKEN"]
    assert current() == Credentials("AKIDLATER", "secret", None)


def test_without_variables_the_container_is_asked_once_until_they_expire() -> None:
    """As under SnapStart; renewed five minutes before the end."""
    now = NOW
    with serving(in_turn(handed_out(1), handed_out(2))) as server:
        environ = {
            "AWS_CONTAINER_CREDENTIALS_FULL_URI": f"{server.url}/creds?id=1",
            "AWS_CONTAINER_AUTHORIZATION_TOKEN": "Bearer abc",
        }
        current = environment_credentials(environ, clock=lambda: now)
        assert current() == Credentials("AKID1", "s", "t")
        now += 3299
        assert current().access_key == "AKID1"
        now += 1
        assert current().access_key == "AKID2"
    assert [asked.line for asked in server.asked] == ["GET /creds?id=1 HTTP/1.1"] * 2
    assert server.asked[0].headers["authorization"] == "Bearer abc"


def test_the_token_file_is_read_at_each_renewal(tmp_path: Path) -> None:
    """Its content is replaced while the process lives."""
    file = tmp_path / "token"
    with serving(in_turn(handed_out(1, "2000-01-01T00:00:00Z"))) as server:
        current = environment_credentials(
            {
                "AWS_CONTAINER_CREDENTIALS_FULL_URI": server.url,
                "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE": str(file),
            }
        )
        for token in ("first", "second"):
            file.write_text(f"{token}\n")
            current()
    assert [asked.headers["authorization"] for asked in server.asked] == ["first", "second"]


@pytest.mark.parametrize(
    "environ",
    [
        pytest.param({}, id="nothing at all"),
        pytest.param({"AWS_ACCESS_KEY_ID": "AKIDEXAMPLE"}, id="half of it"),
        pytest.param({"AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://example.com/creds"}, id="elsewhere without TLS"),
        pytest.param({"AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://127.0.0.1:1/"}, id="nobody answers"),
        pytest.param(
            {
                "AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://127.0.0.1:1/",
                "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE": "/nowhere",
            },
            id="no token file",
        ),
    ],
)
def test_what_cannot_be_had_is_said(environ: dict[str, str]) -> None:
    """One error, whatever is missing."""
    with pytest.raises(NoCredentials):
        environment_credentials(environ)()


@pytest.mark.parametrize(
    "reply",
    [
        pytest.param(answer({}, 404), id="not found"),
        pytest.param(answer([]), id="a list"),
        pytest.param(answer({"AccessKeyId": "a"}), id="half of it"),
        pytest.param(handed_out(1, "soon"), id="a date in words"),
        pytest.param(b"HTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\n{", id="broken JSON"),
    ],
)
def test_an_endpoint_that_answers_something_else_is_no_source(reply: bytes) -> None:
    """A half-read answer never becomes a signature."""
    with serving(in_turn(reply)) as server:
        current = environment_credentials({"AWS_CONTAINER_CREDENTIALS_FULL_URI": server.url})
        with pytest.raises(NoCredentials):
            current()


def test_the_relative_address_is_ecs_s_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """`AWS_CONTAINER_CREDENTIALS_RELATIVE_URI` is a path on 169.254.170.2."""
    addresses: list[str] = []

    def fetch(address: str, token: str | None) -> dict[str, Any]:
        addresses.append(address)
        return {"AccessKeyId": "a", "SecretAccessKey": "s", "Expiration": IN_AN_HOUR}

    monkeypatch.setattr("iotauth_authorizer.aws_credentials._fetch", fetch)
    assert environment_credentials({"AWS_CONTAINER_CREDENTIALS_RELATIVE_URI": "/v2/x"})() == Credentials("a", "s")
    assert addresses == ["http://169.254.170.2/v2/x"]


def test_credentials_print_without_their_secrets() -> None:
    """The key id may be seen, the key and the token may not."""
    printed = repr(Credentials("AKIDEXAMPLE", "wJalrXUtnFEMI", "FwoGZXIvYXdzE"))
    assert "AKIDEXAMPLE" in printed
    assert "wJal" not in printed
    assert "FwoG" not in printed
