"""What became of one client of many."""

from __future__ import annotations

from typing import Literal, NamedTuple

from iotauth_cli.errors import IotauthError

Kind = Literal["rotated", "confirmed", "switched", "done", "skipped", "dropped", "open", "failed"]
Why = Literal["unseen", "crowded", "disabled", "expired", "unreadable", "superseded", "gone"]


class Outcome(NamedTuple):
    """*switched*: disabled or enabled; *done*: that was so before, or an earlier run had finished it;
    *dropped*: its secret was taken out of the hand-out file again; *open*: its session could not be ended.

    *since* is when what keeps a client back began, in epoch seconds.
    """

    client_id: str
    kind: Kind
    why: Why | None = None
    since: int | None = None
    error: IotauthError | None = None
