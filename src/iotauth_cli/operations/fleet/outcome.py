"""What became of one client of many."""

from __future__ import annotations

from typing import Literal, NamedTuple

from iotauth_cli.errors import IotauthError

Kind = Literal["rotated", "confirmed", "done", "skipped", "dropped", "failed"]
Why = Literal["unseen", "crowded", "disabled", "expired", "unreadable", "superseded", "gone"]


class Outcome(NamedTuple):
    """*done*: an earlier run had finished it; *dropped*: its secret was taken out of the hand-out file again.

    *since* is when what keeps a client back began, in epoch seconds.
    """

    client_id: str
    kind: Kind
    why: Why | None = None
    since: int | None = None
    error: IotauthError | None = None
