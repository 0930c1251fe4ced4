"""AWS IoT's domain configurations: further names of the data endpoint, each with rules of its own."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from iotauth_cli.aws import iot
from iotauth_cli.aws.session import Session
from iotauth_cli.errors import AwsError, NotFound

AWSS_OWN = "iot:"  # begins the names of the account's default endpoints
MANAGED = "AWS_MANAGED"
CUSTOM_AUTH, SECURE_MQTT, DEFAULT = "CUSTOM_AUTH", "SECURE_MQTT", "DEFAULT"


@dataclass(frozen=True)
class DomainConfiguration:
    """*authorizer* is its default. *changed* is when it was enabled or disabled, in epoch seconds.

    *is_managed*: AWS gave it its domain name and certificate. *authentication* (`CUSTOM_AUTH`, `CUSTOM_AUTH_X509`,
    `AWS_X509` …) and *protocol* decide in the place of port and ALPN, unless they are `DEFAULT`. *allows_override*:
    a client may name another authorizer. *certificates* are their ARNs.
    """

    name: str
    arn: str
    domain_name: str
    authorizer: str | None
    is_enabled: bool
    is_managed: bool
    changed: float
    authentication: str = DEFAULT
    protocol: str = DEFAULT
    allows_override: bool = False
    certificates: tuple[str, ...] = ()


def every(session: Session, *, with_awss_own: bool = False) -> Iterator[DomainConfiguration]:
    """Yield the domain configurations of the region; the list names them and no more, so each is asked for."""
    for page in session.pages("iot", "list_domain_configurations", serviceType="DATA"):
        for entry in page["domainConfigurations"]:
            name = entry["domainConfigurationName"]
            found = find(session, name) if with_awss_own or not name.startswith(AWSS_OWN) else None
            if found is not None:
                yield found


def find(session: Session, name: str) -> DomainConfiguration | None:
    try:
        return read(session.call("iot", "describe_domain_configuration", domainConfigurationName=name))
    except NotFound:
        return None


def read(found: Mapping[str, Any]) -> DomainConfiguration:
    return DomainConfiguration(
        name=found["domainConfigurationName"],
        arn=found["domainConfigurationArn"],
        domain_name=found.get("domainName", ""),
        authorizer=found.get("authorizerConfig", {}).get("defaultAuthorizerName"),
        is_enabled=found.get("domainConfigurationStatus") == "ENABLED",
        is_managed=found.get("domainType") == MANAGED,
        changed=found["lastStatusChangeDate"].timestamp() if "lastStatusChangeDate" in found else 0.0,
        authentication=found.get("authenticationType", DEFAULT),
        protocol=found.get("applicationProtocol", DEFAULT),
        allows_override=found.get("authorizerConfig", {}).get("allowAuthorizerOverride", False),
        certificates=tuple(each["serverCertificateArn"] for each in found.get("serverCertificates", ())),
    )


def create_alpn_free(session: Session, name: str, authorizer: str, tags: Mapping[str, str]) -> None:
    """Create one under a host name that AWS gives, for MQTT with *authorizer*; its clients need no ALPN.

    Source: AWS IoT developer guide, "Configurable endpoints".
    """
    added = {"tags": iot.listed(tags)} if tags else {}
    session.call(
        "iot",
        "create_domain_configuration",
        domainConfigurationName=name,
        serviceType="DATA",
        **alpn_free(authorizer),
        **added,
    )


def make_alpn_free(session: Session, name: str, authorizer: str) -> None:
    """Make of a domain configuration what `create_alpn_free` makes."""
    session.call(
        "iot",
        "update_domain_configuration",
        domainConfigurationName=name,
        domainConfigurationStatus="ENABLED",
        **alpn_free(authorizer),
    )


def alpn_free(authorizer: str) -> dict[str, Any]:
    # A client that names another authorizer of the account gets that one, as on the account's own endpoint.
    config = {"defaultAuthorizerName": authorizer, "allowAuthorizerOverride": True}
    return {"authorizerConfig": config, "authenticationType": CUSTOM_AUTH, "applicationProtocol": SECURE_MQTT}


def take_out_of_service(session: Session, name: str) -> None:
    """Disable it, and let go of its authorizer, which else might be kept by it.

    Whether one for custom authentication may be without an authorizer is not documented. Where it may not, it is off
    first, and then let go of as one of no type; where even that is refused, being off is what counts.
    """

    if not is_taken(session, name, domainConfigurationStatus="DISABLED", removeAuthorizerConfig=True):
        session.call(
            "iot", "update_domain_configuration", domainConfigurationName=name, domainConfigurationStatus="DISABLED"
        )
        no_type = {"authenticationType": DEFAULT, "applicationProtocol": DEFAULT}
        is_taken(session, name, removeAuthorizerConfig=True, **no_type)


def is_taken(session: Session, name: str, **changes: Any) -> bool:
    """Change what is given; return whether AWS takes it, or has it for an invalid request."""
    try:
        session.call("iot", "update_domain_configuration", domainConfigurationName=name, **changes)
    except AwsError as problem:
        if problem.aws_code != "InvalidRequestException":
            raise
        return False
    return True


def delete(session: Session, name: str) -> None:
    """Delete a disabled one; AWS wants one that it manages to have been disabled for seven days."""
    session.call("iot", "delete_domain_configuration", domainConfigurationName=name)
