"""Ways to the authorizer without naming it, or without ALPN: the account's default, and an endpoint of its own.

The default is for devices that name no authorizer. The endpoint is for clients that cannot offer ALPN (ESP8266,
builds of Tasmota, ESPHome, programs with a window): a domain configuration whose authentication type and
protocol say what port and ALPN would.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from iotauth_cli.aws import domains, iot, tags
from iotauth_cli.aws.domains import CUSTOM_AUTH, SECURE_MQTT, DomainConfiguration
from iotauth_cli.errors import Conflict
from iotauth_cli.operations.installation.part import Part, TaggedPart, is_marked


class DefaultAuthorizer(Part[iot.Authorizer]):
    """There is one for each account and region, whoever set it."""

    resource = "default authorizer"
    at_stake = "devices that name no authorizer have none"
    may_be_shared = False

    @property
    def name(self) -> str:
        return self.wish.authorizer

    def look(self) -> iot.Authorizer | None:
        return iot.find_default(self.session)

    def drift(self, found: iot.Authorizer) -> list[str]:
        return [] if found.name == self.name else [f"`{found.name}` is the default"]

    def question(self, found: iot.Authorizer) -> str | None:
        return f"devices that name no authorizer are let in by `{found.name}`: let `{self.name}` decide about them?"

    def create(self) -> None:
        iot.set_default(self.session, self.name)

    def mend(self, found: iot.Authorizer) -> None:
        iot.set_default(self.session, self.name)

    def remove(self, found: iot.Authorizer) -> None:
        """Take it back from this authorizer; another's default is not ours to clear."""
        if found.name == self.name:
            iot.clear_default(self.session)


class AlpnFreeEndpoint(TaggedPart[DomainConfiguration]):
    resource = "domain configuration"
    at_stake = "clients that connect to it have no other"
    may_be_shared = False

    @property
    def name(self) -> str:
        assert self.wish.alpn_free is not None
        return self.wish.alpn_free

    def look(self) -> DomainConfiguration | None:
        return domains.find(self.session, self.name)

    def drift(self, found: DomainConfiguration) -> list[str]:
        checks = {
            "it is disabled": found.is_enabled,
            f"its default authorizer is `{found.authorizer}`": found.authorizer == self.wish.authorizer,
            f"its authentication type is {found.authentication}": found.authentication == CUSTOM_AUTH,
            f"its protocol is {found.protocol}": found.protocol == SECURE_MQTT,
        }
        return [words for words, is_well in checks.items() if not is_well]

    def question(self, found: DomainConfiguration) -> str | None:
        if found.authorizer in (None, self.wish.authorizer):
            return None
        asks = f"clients that connect to domain configuration `{self.name}` are let in by `{found.authorizer}`"
        return f"{asks}: let `{self.wish.authorizer}` decide about them?"

    def refuse(self, found: DomainConfiguration | None) -> None:
        """Refuse to make something else of a domain configuration that somebody else made.

        Raises:
            Conflict: it has the name, is no such endpoint, and has no tag of ours.
        """
        if found is not None and self.drift(found) and not is_marked(tags.of(self.session, found.arn)):
            raise Conflict(
                f"domain configuration `{self.name}` exists and was not made by iotauth",
                hint="choose another name: `--alpn-free-name NAME`",
            )

    def create(self) -> None:
        domains.create_alpn_free(self.session, self.name, self.wish.authorizer, self.first_tags)

    def mend(self, found: DomainConfiguration) -> None:
        domains.make_alpn_free(self.session, self.name, self.wish.authorizer)

    def remove(self, found: DomainConfiguration) -> None:
        """Delete it. AWS wants it to have been disabled for a week, and says so until then."""
        if found.is_enabled or found.authorizer:
            domains.take_out_of_service(self.session, self.name)
        domains.delete(self.session, self.name)

    def read_tags(self, found: DomainConfiguration) -> Mapping[str, str]:
        return tags.of(self.session, found.arn)

    def put_tags(self, found: DomainConfiguration, added: Mapping[str, str]) -> None:
        tags.put(self.session, found.arn, added)

    def take_tags(self, found: DomainConfiguration, keys: Sequence[str]) -> None:
        tags.remove(self.session, found.arn, keys)
