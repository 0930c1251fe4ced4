"""An import: nothing is written before every row is right, and whatever stops it, the next run completes it.

After each: every secret that was handed out lets its client in, and every row that the run wrote has one.
"""

from __future__ import annotations

import os
import random
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from iotauth_authorizer.credential import CHEAPEST, Slot, verify
from iotauth_authorizer.grants import Grants
from iotauth_authorizer.record import ClientRecord, TokenNote, from_item, to_item
from iotauth_authorizer.username import parse
from iotauth_cli.aws import bulk
from iotauth_cli.errors import ConfigError, InputError
from iotauth_cli.operations.fleet import handout
from iotauth_cli.operations.importing import errand, run
from iotauth_cli.operations.importing.errand import Wish
from iotauth_cli.operations.signing.issue import Signer, TokenWish
from support import REPOSITORY, require_peer
from support_bulk import Table
from support_import import FLEET, NOW, Place, failing_at_every, secrets, standing
from support_table import HANG_UP, error, serving


def assert_complete(place: Place, table: Table, names: list[str]) -> None:
    """Every row has the secret that was handed out for it, once; and there is no other."""
    handed = [handed.client_id for handed in handout.read(place.out)]
    assert sorted(handed) == sorted(names)
    assert sorted(table.items) == sorted(names)
    for name, secret in secrets(place).items():
        assert verify(from_item(table.items[name]).slots["A"].hash, name, secret.encode())


def test_a_fleet_is_imported(tmp_path: Path) -> None:
    """Rows as `client add` writes them, secrets in the hand-out with the user names devices send."""
    table = Table()
    with standing(tmp_path, table) as place:
        assert place.run(place.fleet(*FLEET)).added == len(FLEET)
        assert_complete(place, table, FLEET)
        first = next(handout.read(place.out))
    record = from_item(table.items["thermo-0"])
    assert record._replace(slots={}) == ClientRecord(
        "thermo-0",
        grants=Grants(("sensors/thermo-0/#",), ("sensors/thermo-0/#",)),
        created_at=NOW,
        updated_at=NOW,
        version=1,
    )
    assert first.username == "thermo-0?x-amz-customauthorizer-name=doors"
    assert max(table.batches) == bulk.BATCH_ROWS


def test_the_same_command_again_changes_nothing(tmp_path: Path) -> None:
    """It recognises its own rows by the secrets that it handed out."""
    table = Table()
    with standing(tmp_path, table) as place:
        place.run(place.fleet(*FLEET))
        items, handed = dict(table.items), place.out.read_bytes()
        again = place.run(place.fleet(*FLEET))
        assert (again.added, again.resumed, again.existing) == (0, len(FLEET), 0)
        assert (table.items, place.out.read_bytes()) == (items, handed)


def test_a_fleet_that_grew_gets_what_is_missing(tmp_path: Path) -> None:
    """Rows may be added, removed and put in another order between two runs."""
    table = Table()
    with standing(tmp_path, table) as place:
        place.run(place.fleet(*FLEET[:70]))
        first = secrets(place)
        place.run(place.fleet(*reversed(FLEET[30:])))
        assert_complete(place, table, FLEET)
        assert first.items() <= secrets(place).items()


def test_bad_rows_are_named_and_nothing_is_written(tmp_path: Path) -> None:
    """All of them are found, not only the first; the hand-out is not even made."""
    table = Table()
    with standing(tmp_path, table) as place:
        file = place.fleet("a", "door 7", "b", "x" * 129, "a")
        with pytest.raises(InputError) as refused:
            place.run(file)
    assert refused.value.message == (
        f"{file}, row 3: client id `door 7` contains a space, and 2 more rows are wrong; nothing was imported"
    )
    assert not table.items
    assert not place.out.exists()


def test_client_ids_that_are_there_twice_are_found(tmp_path: Path) -> None:
    """With both rows, however far apart."""
    with standing(tmp_path, Table()) as place:
        wish = Wish(place.fleet(*FLEET, "thermo-77", "thermo-3"), "doors", "aws", NOW, template="x")
        with errand.opened(place.table, place.store, wish) as job:
            assert sum(job.check()) == len(FLEET) + 2
            assert job.checked.problems == [
                (122, "names client `thermo-77`, as row 79 does"),
                (123, "names client `thermo-3`, as row 5 does"),
            ]


THEIRS = to_item(ClientRecord("thermo-3", slots={"A": Slot("$theirs", 1)}, grants=Grants(("x",)), note="mine"))


@pytest.mark.parametrize("existing", ["fail", "skip"])
def test_a_row_of_somebody_else_is_left_alone(tmp_path: Path, existing: str) -> None:
    """And the secret that was ready for it is taken out of the hand-out: it would let nobody in."""
    table = Table()
    table.items["thermo-3"] = THEIRS
    with standing(tmp_path, table) as place:
        counts = place.run(place.fleet(*FLEET), existing=existing)
        assert (counts.added, counts.existing, counts.named) == (len(FLEET) - 1, 1, ["thermo-3"])
        assert table.items["thermo-3"] == THEIRS
        assert "thermo-3" not in secrets(place)


def test_an_update_changes_what_the_file_says_and_never_the_secret(tmp_path: Path) -> None:
    """Columns that the file does not have stay; the devices out there go on with their password."""
    with tables(tmp_path) as (place, items):
        items["thermo-3"] = {**THEIRS, "Version": {"N": "4"}}
        file = place.fleet("thermo-3,site:berlin", "thermo-4,", header="client_id,tags")
        counts = place.run(file, existing="update")
        assert (counts.added, counts.updated) == (1, 1)
        found = from_item(items["thermo-3"])
        assert (found.tags, found.note, found.version) == ({"site": "berlin"}, "mine", 5)
        assert found.grants.publish == ("sensors/thermo-3/#",)
        assert found.slots["A"].hash == "$theirs"
        assert list(secrets(place)) == ["thermo-4"]
        assert place.run(file, existing="update").updated == 0


def test_an_update_replaces_a_secret_that_the_file_gives(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The one case in which it does; the plain password of an older tool goes with it."""
    monkeypatch.setattr(run, "profile_for", lambda secret: CHEAPEST)
    with tables(tmp_path) as (place, items):
        items["thermo-3"] = {**THEIRS, "Password": {"S": "plain"}}
        file = place.fleet("thermo-3,open sesame", header="client_id,password")
        assert place.run(file, existing="update").updated == 1
        found = from_item(items["thermo-3"])
        assert verify(found.slots["A"].hash, "thermo-3", b"open sesame")
        assert found.plain_password is None
        assert place.run(file, existing="update").resumed == 1


@contextmanager
def tables(directory: Path) -> Iterator[tuple[Place, Any]]:
    """Yield a place whose table is the emulator's DynamoDB, and a view of its items."""
    from support_control import ControlServer

    server = ControlServer()
    try:
        yield from dynamodb(server, directory)
    finally:
        server.close()


def dynamodb(server: Any, directory: Path) -> Iterator[tuple[Place, Any]]:
    from iotauth_cli.emulator.control.dynamodb import DynamoDb
    from iotauth_cli.emulator.model import ACCOUNT
    from iotauth_cli.emulator.state import State

    state = server.call(lambda: State.open(directory / "state"))
    server.serve(lambda: [DynamoDb(state, account=ACCOUNT, clock=time.time)])
    place = Place(directory, server)
    place.table.client.call(
        "CreateTable",
        {
            "TableName": "clients",
            "KeySchema": [{"AttributeName": "Client_ID", "KeyType": "HASH"}],
            "AttributeDefinitions": [{"AttributeName": "Client_ID", "AttributeType": "S"}],
            "BillingMode": "PAY_PER_REQUEST",
        },
    )
    yield place, Items(place)
    place.table.close()
    server.call(state.close)


class Items:
    """The rows of a table as a mapping."""

    def __init__(self, place: Place) -> None:
        self.client = place.table.client

    def __getitem__(self, name: str) -> Any:
        return self.client.get_item("clients", {"Client_ID": {"S": name}})

    def __setitem__(self, name: str, item: Any) -> None:
        self.client.put_item("clients", item)


def test_a_password_that_a_person_chose_is_hashed_slowly(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is in no hand-out; and when the run is repeated the row is known by it."""
    monkeypatch.setattr(run, "profile_for", lambda secret: CHEAPEST)
    table = Table()
    with standing(tmp_path, table) as place:
        file = place.fleet("a,correct horse", "b,", header="client_id,password")
        assert place.run(file).added == 2
        digest = from_item(table.items["a"]).slots["A"].hash
        assert digest.startswith("$scrypt$")
        assert verify(digest, "a", b"correct horse")
        assert list(secrets(place)) == ["b"]
        assert place.run(file).resumed == 2
        assert place.run(place.fleet("a,correct horse", header="client_id,password")).resumed == 1
        other = place.fleet("a,another", "b,", header="client_id,password")
        assert (place.run(other).existing, from_item(table.items["a"]).slots["A"].hash) == (1, digest)


def test_hashes_of_mosquitto_come_over(tmp_path: Path) -> None:
    """The function lets the same password in; without `--hashed` a hash is not taken for one."""
    line = "$7$101$c2FsdHNhbHRzYWx0$" + "A" * 86 + "=="
    table = Table()
    with standing(tmp_path, table) as place:
        counts = place.run(place.fleet(f"a,{line}", header="client_id,hash"), hashed=True)
        assert counts.added == 1
        assert from_item(table.items["a"]).slots["A"].hash.startswith("$pbkdf2-sha512$i=101$")
        assert place.run(place.fleet(f"a,{line}", header="client_id,hash"), hashed=True, now=NOW + 1).resumed == 1


def test_a_few_secrets_go_to_the_private_store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each as `client add` keeps it; many need a file."""
    table = Table()
    with standing(tmp_path, table) as place:
        table.items["thermo-3"] = THEIRS
        place.run(place.fleet(*FLEET[:5]), secrets_out=None)
        kept = {credential.client_id: credential for credential in place.store.list()}
        assert sorted(kept) == ["thermo-0", "thermo-1", "thermo-2", "thermo-4"]
        for name, credential in kept.items():
            assert verify(from_item(table.items[name]).slots["A"].hash, name, credential.password.reveal().encode())
        assert place.run(place.fleet(*FLEET[:5]), secrets_out=None).resumed == 4
        monkeypatch.setattr(errand, "STORE_LIMIT", 4)
        with pytest.raises(InputError, match="private store takes 4 at a time") as refused:
            place.run(place.fleet(*FLEET[:5]), secrets_out=None)
        assert "--secrets-out" in str(refused.value.hint)


def test_a_file_that_changes_under_the_run_is_noticed(tmp_path: Path) -> None:
    """What was checked is not what would be written."""
    with standing(tmp_path, Table()) as place:
        wish = Wish(place.fleet(*FLEET), "doors", "aws", NOW, template="x", secrets_out=place.out)
        with errand.opened(place.table, place.store, wish) as job:
            list(job.check())
            place.fleet("other")
            with pytest.raises(InputError, match="was changed while it was read"):
                list(job.write())


def test_the_fleet_file_is_not_the_hand_out(tmp_path: Path) -> None:
    """Nor by another path to it."""
    with standing(tmp_path, Table()) as place:
        file = place.fleet("a")
        with pytest.raises(InputError, match="is the file that is imported"):
            place.run(file, secrets_out=tmp_path / ".." / tmp_path.name / "fleet.csv")


EXPIRED = error("ExpiredTokenException")


@pytest.mark.parametrize("step", [2, 3, 5])
@pytest.mark.parametrize(
    "fault",
    [HANG_UP, error("ThrottlingException"), error("InternalServerError", 500)],
    ids=["lost", "throttled", "500"],
)
def test_what_passes_is_waited_for(tmp_path: Path, step: int, fault: bytes) -> None:
    """A call that was done and whose answer got lost is not taken for somebody else's."""
    table = Table()
    with standing(tmp_path, failing_at_every(step, fault, table)) as place:
        assert place.run(place.fleet(*FLEET)).existing == 0
        assert_complete(place, table, FLEET)


@pytest.mark.parametrize("step", [1, 2, 3, 4])
def test_a_session_that_expires_is_resumed_after_the_next_login(tmp_path: Path, step: int) -> None:
    """However often it happens, at whichever call: rows were written, and the answer said no."""
    table = Table()
    answerer = failing_at_every(step, EXPIRED, table)
    with standing(tmp_path, answerer) as place:
        with pytest.raises(ConfigError, match="expired"):
            place.run(place.fleet(*FLEET))
        first = secrets(place)
    with standing(tmp_path, table) as place:
        assert place.run(place.fleet(*FLEET)).existing == 0
        assert_complete(place, table, FLEET)
        assert first.items() <= secrets(place).items()


def test_a_full_disk_stops_before_the_rows_whose_secrets_it_cannot_hold(tmp_path: Path) -> None:
    """And the run goes on when there is room."""
    table = Table()
    limit, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    with standing(tmp_path, table) as place:
        file = place.fleet(*FLEET)
        try:
            resource.setrlimit(resource.RLIMIT_FSIZE, (4096, hard))
            with pytest.raises(InputError, match=r"cannot write `.*secrets\.csv`"):
                place.run(file)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (limit, hard))
            signal.signal(signal.SIGXFSZ, ignored)
        assert_complete(place, table, list(secrets(place)))
        assert 0 < len(table.items) < len(FLEET)
        place.run(file)
        assert_complete(place, table, FLEET)


def test_a_run_that_is_killed_at_any_moment_is_completed_by_the_next(tmp_path: Path) -> None:
    """kill -9, again and again; whatever was handed out stays, and in the end nothing is missing."""
    table, luck = Table(), random.Random(7)
    names = [f"thermo-{number}" for number in range(3000)]
    with serving(table) as server:
        place = Place(tmp_path, server)
        command = [
            *(sys.executable, "-m", "iotauth_cli", "client", "import", place.fleet(*names), "--quiet"),
            *("--template", "sensors/{client_id}/#", "--secrets-out", str(place.out)),
        ]
        keys = {"AWS_ACCESS_KEY_ID": "AKIDEXAMPLE", "AWS_SECRET_ACCESS_KEY": "x", "AWS_REGION": "eu-west-1"}
        environ = {**os.environ, **keys, "AWS_ENDPOINT_URL_DYNAMODB": server.url, "HOME": str(tmp_path)}
        environ |= {"PYTHONPATH": f"{REPOSITORY / 'src'}:{REPOSITORY / 'lambda_src'}"}
        (tmp_path / "iotauth.yaml").write_text("table: clients\n")
        handed: dict[str, str] = {}
        kills = 0
        for _ in range(6):
            process = subprocess.Popen(command, cwd=tmp_path, env=environ, stderr=subprocess.PIPE)
            asked = len(server.asked)
            while len(server.asked) == asked and process.poll() is None:
                time.sleep(0.002)
            time.sleep(luck.uniform(0, 0.05))
            process.kill()
            kills += process.wait() == -signal.SIGKILL
            assert process.stderr is not None
            process.stderr.close()
            with suppress(InputError):
                assert handed.items() <= secrets(place).items()
                handed = secrets(place)
        assert kills
        subprocess.run(command, cwd=tmp_path, env=environ, check=True)
        assert handed.items() <= secrets(place).items()
        assert_complete(place, table, names)


def test_leaving_in_the_middle_is_completed_by_the_next_run(tmp_path: Path) -> None:
    """Ctrl-C between two requests: calls under way end, and nothing is written behind the prompt's back."""
    table = Table()
    with standing(tmp_path, table) as place:
        wish = Wish(place.fleet(*FLEET), "doors", "aws", NOW, template="x", secrets_out=place.out)
        with errand.opened(place.table, place.store, wish) as job:
            list(job.check())
            writing = job.write()
            next(writing)
            writing.close()  # type: ignore[attr-defined]
        written = len(table.items)
        time.sleep(0.05)
        assert len(table.items) == written
        place.run(place.fleet(*FLEET), template="x")
        assert_complete(place, table, FLEET)


def test_secrets_stay_out_of_what_is_shown(tmp_path: Path) -> None:
    """A secret prints as dots wherever it lands, in a prepared row too."""
    with standing(tmp_path, Table()) as place:
        wish = Wish(place.fleet("a,canary", header="client_id,password"), "doors", "aws", NOW, template="x")
        with errand.opened(place.table, place.store, wish) as job:
            raw = next(iter(job.source.rows()))
            assert "canary" not in repr(job.parser.parse(raw.cells)._replace(cells={}))


def test_clients_of_a_signed_authorizer_are_handed_their_tokens(tmp_path: Path) -> None:
    """Each for its own client id, and as of the moment that its row says, in a repeated run too: of the same key."""
    from cryptography.hazmat.primitives.asymmetric import rsa

    signer, another = (Signer(rsa.generate_private_key(65537, 2048), "tok") for _ in range(2))
    table = Table()
    with standing(tmp_path, table) as place:
        place.run(place.fleet("a", "b"), token=TokenWish(signer))
        place.run(place.fleet("a", "b", "c"), token=TokenWish(signer), now=NOW + 60)
        for handed in handout.read(place.out):
            username = parse(handed.username)
            assert username.get("tok") == f"{handed.client_id}.{NOW}"
            assert username.get("x-amz-customauthorizer-signature")
            noted = from_item(table.items[handed.client_id]).token
            assert noted == TokenNote(NOW, is_required=True, key=signer.fingerprint)
        place.run(place.fleet("a", "b", "c", "d"), token=TokenWish(another), now=NOW + 90)
        noted = from_item(table.items["d"]).token
        assert noted == TokenNote(NOW + 90, is_required=True, key=another.fingerprint)
        with pytest.raises(InputError, match="`doors` wants signed tokens"):
            place.run(place.fleet("d,secret", header="client_id,password"), token=TokenWish(signer))


@pytest.mark.parametrize("is_tracked", [False, True])
def test_git_does_not_get_the_hand_out(tmp_path: Path, is_tracked: bool) -> None:
    """A file that git does not know is ignored before a secret lies there; one that it keeps is refused."""
    table = Table()
    out = tmp_path / "secrets.csv"
    for words in (["init", "--quiet"], ["add", "--force", out.name] if is_tracked else ["status", "--short"]):
        out.touch()
        subprocess.run([require_peer("git"), "-C", str(tmp_path), *words], check=True, capture_output=True)
    out.unlink()
    with standing(tmp_path, table) as place:
        if is_tracked:
            with pytest.raises(InputError, match=r"git tracks `.*secrets.csv`"):
                place.run(place.fleet("thermo-1"))
            assert not out.exists()
            assert not table.items
        else:
            place.run(place.fleet("thermo-1"))
            assert (tmp_path / ".gitignore").read_text() == "/secrets.csv\n"
