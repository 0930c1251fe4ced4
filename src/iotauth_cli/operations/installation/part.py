"""One part of an installation: looked at, compared with what is wanted, brought there, taken away."""

from __future__ import annotations

import contextlib
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import ClassVar, Generic, Literal, TypeVar

from iotauth_cli.aws.polling import pauses
from iotauth_cli.aws.session import Session
from iotauth_cli.errors import AlreadyExists, AwsError, Conflict
from iotauth_cli.operations.signing.keyring import Keyring

MADE_BY = "made by iotauth"
MADE_BY_TAG = ("made-by", "iotauth")
AS_IT_SHOULD_BE = "it is as it should be"
MAX_TAGS = 50  # of one resource, in each of the services that carry tags

Action = Literal["create", "update", "keep", "delete", "deactivate", "disable", "clear"]
State = TypeVar("State")


def is_marked(tags: Mapping[str, str]) -> bool:
    """Tell by its tags whether iotauth made something."""
    return MADE_BY_TAG in tags.items()


@dataclass(frozen=True)
class Step:
    """What is to happen to one part, and why.

    *asks* is a question that has to be answered first: the step changes what somebody else set.
    """

    action: Action
    resource: str
    name: str
    reason: str
    asks: str | None = None


@dataclass(frozen=True)
class SigningWish:
    """Whether the authorizer is to want signed tokens, and if so whose key signs them.

    *key_name* names the key that is made in *keyring*, or *public_key* if the private one is kept elsewhere.
    Devices send their token as *token_key_name*; None means as they do, or the usual name.
    """

    is_wanted: bool
    keyring: Keyring
    key_name: str
    token_key_name: str | None = None
    public_key: str | None = None


@dataclass(frozen=True)
class FunctionSettings:
    """What is a matter of choice about our function. None was not said: what is found stays, a new one gets the usual.

    *reserved_concurrency* is how many calls may run at once, kept for it and its limit; a new one has none.
    The timers are what the function answers to AWS IoT, in seconds; a new one leaves them to the function itself.
    """

    memory_mb: int | None = None
    architecture: Literal["arm64", "x86_64"] | None = None
    reserved_concurrency: int | None = None
    retention_days: int | None = None
    refresh_after_s: int | None = None
    disconnect_after_s: int | None = None


@dataclass(frozen=True)
class Wish:
    """What an authorizer is to consist of.

    *function_arn* names a function that is not ours: then there is only the authorizer and
    its permission to call; *table* and *function* are left alone. Without *signing* an authorizer
    that exists may want signed tokens or not, and a new one does not.

    What is None was not said and stays as it is found; only *is_active* of an authorizer is put right then.
    *tags* are put on every part that can have them, beside those that are there. *is_default* makes it
    the one of devices that name none; *alpn_free* names a domain configuration of it for clients without ALPN.
    """

    authorizer: str
    table: str
    function: str
    function_arn: str | None = None
    signing: SigningWish | None = None
    settings: FunctionSettings = FunctionSettings()
    tags: Mapping[str, str] = field(default_factory=dict)
    caching_for_http: bool | None = None
    is_active: bool | None = None
    is_default: bool | None = None
    alpn_free: str | None = None


@dataclass(frozen=True)
class Part(ABC, Generic[State]):
    """*resource* is the kind in words; *at_stake* says what goes with it when it is deleted.

    *may_be_shared* is true of what can serve several authorizers.
    """

    session: Session
    wish: Wish
    resource: ClassVar[str]
    at_stake: ClassVar[str] = "nothing else needs it"
    may_be_shared: ClassVar[bool] = True

    @property
    @abstractmethod
    def name(self) -> str: ...

    @abstractmethod
    def look(self) -> State | None:
        """Return the part as AWS has it, or None."""

    @abstractmethod
    def drift(self, found: State) -> list[str]:
        """Say in words how *found* differs from what is wanted."""

    @abstractmethod
    def create(self) -> None:
        """Make it, as far as one call goes; `mend` does the rest."""

    @abstractmethod
    def mend(self, found: State) -> None:
        """Change what differs."""

    @abstractmethod
    def remove(self, found: State) -> None: ...

    def question(self, found: State) -> str | None:
        """Return what has to be asked before the part is changed; None if it is ours to change."""
        return None

    def description_of(self, found: State) -> str | None:
        """Return where the part says who made it; None if this kind cannot say."""
        return None

    def is_foreign(self, found: State) -> bool:
        description = self.description_of(found)
        return description is not None and MADE_BY not in description

    def plan(self) -> Step:
        """Compare AWS with what is wanted.

        Raises:
            Conflict: somebody else made this part, or it cannot be changed into what is wanted.
        """
        found = self.look()
        self.refuse(found)
        if found is None:
            return self.step("create", "there is none")
        self.refuse_foreign(found)
        drift = self.all_drift(found)
        if drift:
            return self.step("update", "; ".join(drift), self.question(found))
        return self.step("keep", self.remark(found) or AS_IT_SHOULD_BE)

    def all_drift(self, found: State) -> list[str]:
        """Return `drift`, and what other kinds of parts have beside."""
        return self.drift(found)

    def refuse(self, found: State | None) -> None:
        """Raise for what AWS would refuse to make, or to make of *found*."""

    def remark(self, found: State) -> str | None:
        """Return what is to be said of a part that is kept, beside that."""
        return None

    def bring(self) -> State:
        """Make the part what is wanted, whatever is there now, whoever is at it. Return what was found, or made."""
        found = self.look()
        if found is None:
            found = self.come_about()
        if self.drift(found):
            self.mend(found)
        return found

    def come_about(self) -> State:
        """Create the part, or find that somebody else has in the meantime."""
        with contextlib.suppress(AlreadyExists, Conflict):
            self.create()
            return self.appear()
        found = self.appear()
        self.refuse_foreign(found)
        return found

    def appear(self) -> State:
        """Look until the part is there: AWS may show a new one a little later than it makes it."""
        for pause in pauses():
            found = self.look()
            if found is not None:
                return found
            self.session.sleep(pause)
        raise AwsError(f"{self.resource} `{self.name}` was made and does not appear", hint="run the same command again")

    def plan_removal(self) -> Step | None:
        """Return what deleting means here; None if there is nothing left to delete."""
        found = self.look()
        if found is None:
            return None
        if self.is_foreign(found):
            return self.step("keep", "it was not made by iotauth")
        return self.step("delete", self.at_stake)

    def take_away(self) -> None:
        found = self.look()
        if found is not None:
            self.remove(found)

    def step(self, action: Action, reason: str, asks: str | None = None) -> Step:
        return Step(action, self.resource, self.name, reason, asks)

    def refuse_foreign(self, found: State) -> None:
        if self.is_foreign(found):
            raise Conflict(
                f"{self.resource} `{self.name}` exists and was not made by iotauth",
                hint="call a function of your own with `--function ARN`, or set another name: `IOTAUTH_FUNCTION=…`",
            )


@dataclass(frozen=True)
class TaggedPart(Part[State]):
    """A part that AWS keeps tags of; `create` gives it `first_tags`."""

    @abstractmethod
    def read_tags(self, found: State) -> Mapping[str, str]:
        """Return the tags that the part has."""

    @abstractmethod
    def put_tags(self, found: State, added: Mapping[str, str]) -> None:
        """Put tags on the part, beside those that it has."""

    @abstractmethod
    def take_tags(self, found: State, keys: Sequence[str]) -> None:
        """Take tags away from the part; that one is not there is no error."""

    @property
    def first_tags(self) -> dict[str, str]:
        """The tags that a new part gets."""
        return {MADE_BY_TAG[0]: MADE_BY_TAG[1], **self.wish.tags}

    def missing_tags(self, found: State) -> dict[str, str]:
        """Return those of the wanted tags that *found* has not, or not so. Without any nothing is asked."""
        if not self.wish.tags:
            return {}
        there = self.read_tags(found)
        missing = {key: value for key, value in self.wish.tags.items() if there.get(key) != value}
        if len({**there, **missing}) > MAX_TAGS:
            raise Conflict(
                f"{self.resource} `{self.name}` has {len(there)} tags, and AWS takes {MAX_TAGS} at most",
                hint="take some away, or give fewer `--tag`",
            )
        return missing

    def all_drift(self, found: State) -> list[str]:
        return [
            *self.drift(found),
            *(f"tag `{key}` is not `{value}`" for key, value in self.missing_tags(found).items()),
        ]

    def bring(self) -> State:
        found = super().bring()
        missing = self.missing_tags(found)
        if missing:
            self.put_tags(found, missing)
        return found
