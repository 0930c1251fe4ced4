"""What a policy may ask about a connection: the values of its variables and condition keys."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

CONNECT = "iot:Connect"
PERSISTENT_CONNECT = "PersistentConnect"  # a CONNECT with clean session 0
LAST_WILL = "LastWill"  # a CONNECT with a will

BASIC_VARIABLES = ("iot:ClientId", "aws:SourceIp", "iot:DomainName")
CONNECT_KEYS = ("iot:ConnectAttributes", "iot:LastWillTopic")
MULTI_VALUED = frozenset({"iot:connectattributes"})
OF_THE_CONNECTION = frozenset({"aws:sourceip", "iot:domainname"})  # only who sees it connect can tell
CONDITION_KEYS = frozenset(key.lower() for key in BASIC_VARIABLES + CONNECT_KEYS)


@dataclass(frozen=True)
class Context:
    """One connection, or one HTTP request, as policies see it.

    *client_id* is None over HTTP, where no client id exists. *last_will_topic* is the full ARN
    of the will's topic. *connect_attributes* holds `PERSISTENT_CONNECT` and `LAST_WILL` as they
    apply; both it and the will's topic have a value for `CONNECT` only (inferred: they describe
    the CONNECT packet). *unknown* names variables that the connection has and whoever asks does
    not know, in lower case: a condition about one cannot be told.
    """

    client_id: str | None = None
    source_ip: str | None = None
    domain_name: str | None = None
    connect_attributes: tuple[str, ...] = ()
    last_will_topic: str | None = None
    unknown: frozenset[str] = frozenset()

    @property
    def variables(self) -> Mapping[str, str]:
        """The variables that have a value, by name in lower case."""
        values = (self.client_id, self.source_ip, self.domain_name)
        pairs = zip(BASIC_VARIABLES, values, strict=True)
        return {name.lower(): value for name, value in pairs if value is not None}

    def values(self, key: str, action: str) -> tuple[str, ...]:
        """Return the values of condition key *key* for *action*; empty when it has none."""
        key = key.lower()
        if key in self.variables:
            return (self.variables[key],)
        if action.lower() != CONNECT.lower():
            return ()
        if key == "iot:connectattributes":
            return self.connect_attributes
        if key == "iot:lastwilltopic" and self.last_will_topic is not None:
            return (self.last_will_topic,)
        return ()
