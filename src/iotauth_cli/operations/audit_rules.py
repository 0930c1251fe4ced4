"""What is wrong, or likely to be, with a client: the rules as a table. Pure.

A rule says only what the row can show. It cannot show two clients that share a
secret, because every hash has a salt and a client id of its own; nor that a client was never used, because
the function notes the first use of a rotated secret and of no other.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Literal, NamedTuple

from iotauth_authorizer.credential import GENERATED, HUMAN, Slot, needs_rehash
from iotauth_authorizer.grants import (
    MAX_CLIENT_ID_BYTES,
    ArnScope,
    Grants,
    compile_policies,
    validate_client_id,
)
from iotauth_authorizer.record import ClientRecord
from iotauth_cli.aws.client_table import BrokenRow
from iotauth_cli.aws.partitions import partition
from iotauth_cli.operations.durations import in_words

Severity = Literal["high", "medium", "low"]
SEVERITIES: tuple[Severity, ...] = ("high", "medium", "low")

DAY_S = 86400
ANY_ACCOUNT = "0" * 12  # limits count characters, and every account has 12
MOST_TOPICS = 2  # named in a sentence
WILD = ("+", "#", "*")  # the last in the topics of older rows
SHARED = re.compile(r"^\$share/[^/]+/")

NOTES = (
    "clients that share a secret cannot be seen: every hash has a salt and the client id in it",
    "whether a client was ever used cannot be seen: only the first use of a rotated secret is noted",
)


@dataclass(frozen=True)
class Limits:
    """What counts as long, in seconds, and what is asked for beyond the default.

    *unseen_s* is how long a new secret may wait for its first use, *disabled_s* how long a row may stay
    disabled. *max_age_s* is how old a secret may become; *must_expire* wants an end for every client. In the
    policies of *region* its name and its partition's stand, and a policy has only so many characters.
    """

    unseen_s: int = 7 * DAY_S
    disabled_s: int = 90 * DAY_S
    max_age_s: int | None = None
    must_expire: bool = False
    region: str = "eu-west-1"

    @property
    def scope(self) -> ArnScope:
        return ArnScope(partition(self.region), self.region, ANY_ACCOUNT)


@dataclass(frozen=True)
class Look:
    """What a rule looks at: a row at a time, and how strict to be."""

    record: ClientRecord
    now: int
    limits: Limits

    @property
    def usable(self) -> dict[str, Slot]:
        """The slots whose secret lets somebody in now."""
        return {name: slot for name, slot in self.record.slots.items() if self.is_usable(slot)}

    def is_usable(self, slot: Slot) -> bool:
        return slot.state != "retired" and (slot.expires_at is None or slot.expires_at > self.now)

    @cached_property
    def why_no_policy(self) -> str | None:
        """Why the function could make no policy of the row, asked once for all rules."""
        return refused(self.record.grants, self.record.client_id, self.limits.scope)

    @property
    def is_over(self) -> bool:
        return self.record.expires_at is not None and self.record.expires_at <= self.now

    @property
    def is_live(self) -> bool:
        """Tell whether the client may connect at all: what is wrong with one that may not is no danger."""
        return self.record.enabled and not self.is_over


@dataclass(frozen=True)
class Rule:
    """*meaning* is for the documentation, *remedy* the words of a command; `{id}` is the client's."""

    id: str
    severity: Severity
    meaning: str
    remedy: str
    find: Callable[[Look], str | None]


class Finding(NamedTuple):
    """What *rule* says about a client, in a sentence, and the words of the command that mends it."""

    client_id: str
    rule: str
    severity: Severity
    sentence: str
    remedy: str


def examine(row: ClientRecord | BrokenRow, now: int, limits: Limits) -> Iterator[Finding]:
    """Yield what the rules find in one row, without looking at any other."""
    if isinstance(row, BrokenRow):
        yield finding(UNREADABLE, row.client_id, f"the function refuses it: {row.reason}")
        return
    look = Look(row, now, limits)
    for rule in RULES:
        sentence = rule.find(look)
        if sentence:
            yield finding(rule, row.client_id, sentence)


def finding(rule: Rule, client_id: str, sentence: str) -> Finding:
    from shlex import quote

    return Finding(client_id, rule.id, rule.severity, sentence, rule.remedy.replace("{id}", quote(client_id)))


def day(epoch_s: int) -> str:
    import time

    return time.strftime("%Y-%m-%d", time.gmtime(epoch_s))


def some(topics: list[str]) -> str:
    """Name the first of *topics*, each once."""
    once = list(dict.fromkeys(topics))
    more = f" and {len(once) - MOST_TOPICS} more" if len(once) > MOST_TOPICS else ""
    return ", ".join(f"`{topic}`" for topic in once[:MOST_TOPICS]) + more


def plain_password(look: Look) -> str | None:
    if look.record.plain_password is None:
        return None
    return "its password lies in the table as text that anybody who reads the table can use"


def no_secret(look: Look) -> str | None:
    if not look.is_live or look.record.plain_password is not None or look.record.slots:
        return None
    return "it is enabled and has no secret, so it can never connect"


def no_usable_secret(look: Look) -> str | None:
    slots = look.record.slots
    if not look.is_live or look.record.plain_password is not None or not slots or look.usable:
        return None
    ends = [slot.expires_at for slot in slots.values() if slot.expires_at is not None]
    return f"the time of its last secret was over on {day(max(ends))}" if ends else "every secret of it is retired"


def unconfirmed(look: Look) -> str | None:
    slots = look.record.slots
    is_over = any(slot.state == "pending" and slot.first_used_at is not None for slot in look.usable.values())
    left = [name for name in slots if name not in look.usable]
    if not is_over or not left:
        return None
    return f"secret {' and '.join(left)} no longer counts, and its hash is still in the row"


def outdated_hash(look: Look) -> str | None:
    slots = look.record.slots.items()
    old = [name for name, slot in slots if needs_rehash(slot.hash, GENERATED) and needs_rehash(slot.hash, HUMAN)]
    return f"secret {' and '.join(old)} is not hashed as iotauth hashes today" if old else None


def never_seen(look: Look) -> str | None:
    for name, slot in look.record.slots.items():
        is_waiting = slot.state == "pending" and slot.first_used_at is None
        if is_waiting and look.is_live and look.now - slot.created_at > look.limits.unseen_s:
            return f"its new secret {name} of {day(slot.created_at)} was never seen in use"
    return None


def token_unseen(look: Look) -> str | None:
    token = look.record.token
    if token is None or token.issued_at is None or not look.is_live or token.issued_at <= (token.seen_at or 0):
        return None
    is_long_ago = look.now - token.issued_at > look.limits.unseen_s
    return f"its newest token, of {day(token.issued_at)}, was never seen in use" if is_long_ago else None


def token_missing(look: Look) -> str | None:
    token = look.record.token
    if token is None or not token.is_required or token.issued_at is not None or not look.is_live:
        return None
    return "it is refused without a signed token, and was never given one"


def two_secrets(look: Look) -> str | None:
    if not look.is_live or len(look.usable) < 2:
        return None
    newest = max(look.usable.values(), key=lambda slot: slot.created_at)
    if newest.first_used_at is None or look.now - newest.first_used_at <= look.limits.unseen_s:
        return None
    return f"two secrets of it count, though the new one has been in use since {day(newest.first_used_at)}"


def expired(look: Look) -> str | None:
    end = look.record.expires_at
    return f"its time was over on {day(end)}, and its row is still there" if end is not None and look.is_over else None


def long_disabled(look: Look) -> str | None:
    record = look.record
    changed_at = record.updated_at or record.created_at
    if record.enabled or changed_at is None or look.now - changed_at <= look.limits.disabled_s:
        return None
    return f"it is disabled, and its row was not changed since {day(changed_at)}"


def old_secret(look: Look) -> str | None:
    limit = look.limits.max_age_s
    old = [name for name, slot in look.usable.items() if limit is not None and look.now - slot.created_at > limit]
    if limit is None or not old or not look.is_live:
        return None
    made = min(look.record.slots[name].created_at for name in old)
    return f"secret {' and '.join(old)} is of {day(made)}, older than {in_words(limit)}"


def no_expiry(look: Look) -> str | None:
    ends = [look.record.expires_at, *(slot.expires_at for slot in look.usable.values())]
    if not look.limits.must_expire or not look.is_live or any(end is not None for end in ends):
        return None
    return "neither it nor its secret ever expires"


def impossible_client_id(look: Look) -> str | None:
    name = look.record.client_id
    if name[0] == "$":
        return "AWS IoT lets in no client id that begins with `$`"
    if len(name.encode(errors="surrogatepass")) > MAX_CLIENT_ID_BYTES:
        return f"AWS IoT lets in no client id of more than {MAX_CLIENT_ID_BYTES} bytes"
    return refused(Grants(), name, look.limits.scope) if look.why_no_policy else None


def impossible_grants(look: Look) -> str | None:
    return look.why_no_policy if look.why_no_policy and not impossible_client_id(look) else None


def refused(grants: Grants, client_id: str, scope: ArnScope) -> str | None:
    try:
        compile_policies(grants, client_id, scope)
    except ValueError as problem:
        return f"no policy can be written for it: {problem}"
    return None


def odd_client_id(look: Look) -> str | None:
    try:
        validate_client_id(look.record.client_id)
    except ValueError as problem:
        sentence = f"{problem}, which AWS lets in and lifecycle topics or other tools may not"
        return None if impossible_client_id(look) else sentence
    return None


def no_grants(look: Look) -> str | None:
    if not look.is_live or any(filter(None, look.record.grants)):
        return None
    return "it would be let in and could do nothing"


def grants_everything(look: Look) -> str | None:
    everything = [topic for topic in filters(look.record.grants) if SHARED.sub("", topic) in WILD]
    return f"it is granted {some(everything)}: every topic of the account" if everything else None


def wide_publish(look: Look) -> str | None:
    grants, own = look.record.grants, look.record.client_id
    older = [grants.older_write] if grants.older_write else []
    wide = []
    for topic in (*grants.publish, *grants.retain, *grants.will, *older):
        first, *rest = levels(topic)
        if rest and first not in (own, "$aws") and not first.startswith(WILD) and rest[0].startswith(WILD):
            wide.append(topic)
    return f"it may publish to {some(wide)} and so speak for others" if wide else None


def first_level(look: Look) -> str | None:
    topics = filters(look.record.grants)
    wide = [topic for topic in topics if len(parts := levels(topic)) > 1 and parts[0].startswith(WILD)]
    return f"it is granted {some(wide)}: under any first level" if wide else None


def reserved_topics(look: Look) -> str | None:
    wide = [
        topic
        for topic in filters(look.record.grants)
        if topic.startswith("$aws/") and any(level.startswith(WILD) for level in levels(topic)[1:3])
    ]
    return f"it is granted {some(wide)}: shadows, jobs or events of other things" if wide else None


def filters(grants: Grants) -> list[str]:
    older = [topic for topic in (grants.older_read, grants.older_write) if topic]
    return [*grants.publish, *grants.subscribe, *grants.retain, *grants.will, *older]


def levels(topic: str) -> list[str]:
    """Return the levels of a filter; a shared subscription's are those behind its group."""
    return SHARED.sub("", topic).split("/")


UNREADABLE = Rule(
    "unreadable-row", "high", "the row cannot be read, so the function refuses its client", "client remove {id}",
    lambda look: None,
)  # fmt: skip
FOREIGN = Rule(
    "foreign-name", "low", "a level of its topics is the id of another client of the table", "client show {id}",
    lambda look: None,
)  # fmt: skip

RULES = (
    Rule("plain-password", "high", "an older row holds the password itself", "client migrate", plain_password),
    Rule(
        "grants-everything", "high", "it is granted `#`, `+` or `*` alone: every topic there is", "client show {id}",
        grants_everything,
    ),
    Rule(
        "impossible-client-id", "high",
        "AWS IoT lets no such client id in, or no policy can hold it: `$`, `*`, `?`, over 128 bytes",
        "client remove {id}", impossible_client_id,
    ),
    Rule(
        "impossible-grants", "high",
        "its grants cannot be written as policies, so it is refused at every connect", "client show {id}",
        impossible_grants,
    ),
    Rule("no-secret", "medium", "it is enabled and has no secret at all", "client rotate {id}", no_secret),
    Rule(
        "no-usable-secret", "medium", "it is enabled and every secret of it has expired or is retired",
        "client rotate {id}", no_usable_secret,
    ),
    Rule(
        "never-seen", "medium", "a rotation's new secret was not seen in use for longer than `--unseen-after`",
        "client rotate {id} --replace", never_seen,
    ),
    Rule(
        "token-unseen", "medium", "its newest signed token was not seen in use for longer than `--unseen-after`",
        "client show {id}", token_unseen,
    ),
    Rule(
        "token-missing", "medium", "it must show a signed token and was never given one", "client show {id}",
        token_missing,
    ),
    Rule(
        "first-level", "medium", "it is granted topics under any first level: `+/state`", "client show {id}",
        first_level,
    ),
    Rule(
        "reserved-topics", "medium", "it is granted topics under `$aws/` that are not of one thing",
        "client show {id}", reserved_topics,
    ),
    Rule(
        "old-secret", "medium", "a secret that counts is older than `--max-age`", "client rotate {id}", old_secret,
    ),
    Rule(
        "no-expiry", "medium", "neither client nor secret ever expires; only with `--must-expire`",
        "client update {id} --ttl 365d", no_expiry,
    ),
    Rule(
        "two-secrets", "low", "the old secret still counts longer than `--unseen-after` after the new one's first use",
        "client confirm {id}", two_secrets,
    ),
    Rule(
        "outdated-hash", "low", "a secret is hashed otherwise than iotauth hashes today", "client rotate {id}",
        outdated_hash,
    ),
    Rule(
        "unconfirmed", "low", "a rotation is over, and the hash of the old secret still in the row",
        "client confirm {id}", unconfirmed,
    ),
    Rule("expired", "low", "its time is over and its row still there", "client remove {id}", expired),
    Rule(
        "long-disabled", "low", "it is disabled and unchanged for longer than `--disabled-after`",
        "client remove {id}", long_disabled,
    ),
    Rule(
        "wide-publish", "low", "it may publish to everything below one level that is not its own: `sensors/#`",
        "client show {id}", wide_publish,
    ),
    Rule("no-grants", "low", "it would be let in and could do nothing", "client show {id}", no_grants),
    Rule(
        "odd-client-id", "low", "its client id holds a character that iotauth would not add: a space, `/`, `+`, `#`",
        "client show {id}", odd_client_id,
    ),
)  # fmt: skip

ALL_RULES = (UNREADABLE, *RULES, FOREIGN)
