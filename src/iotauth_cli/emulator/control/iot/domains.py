"""Domain configurations: further names of the data endpoint, each with rules of its own.

    managed by AWS     without a name: the emulator gives one, as AWS does
    managed by you     your own name and the ARN of its certificate; here it ends in `.localhost`, because
                       the development CA signs for this machine only, and no ACM holds your certificate

Where AWS's behaviour is not documented the emulator's choice is marked UNCONFIRMED.
Source: the iot service model; AWS IoT developer guide, "Configurable endpoints".
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from iotauth_cli.emulator.behaviour import Behaviour
from iotauth_cli.emulator.control import arns
from iotauth_cli.emulator.control.iot.domain_store import DomainRecord, DomainStore
from iotauth_cli.emulator.control.iot.errors import already_exists, domain_not_found, invalid, limit_exceeded
from iotauth_cli.emulator.control.iot.store import AuthorizerStore, random_label
from iotauth_cli.emulator.control.paging import page
from iotauth_cli.emulator.control.service import Context, Handler, NotImplementedHere, Parameters, Result
from iotauth_cli.emulator.model import DEFAULT_PROTOCOL

PAGE = 25  # items; UNCONFIRMED, the model gives the maximum of 250 only
DATA = "DATA"
DEFAULT = "DEFAULT"
CUSTOM_AUTH = "CUSTOM_AUTH"
RESERVED = "iot:"
DEFAULT_ENDPOINT = "iot:Data-ATS"  # the account's own endpoint, listed among the others
SECURITY_POLICY = "IoTSecurityPolicy_TLS13_1_2_2022_10"  # AWS IoT's default
LABEL = re.compile(r"(?!-)[a-z0-9-]{1,63}(?<!-)")


class Domains:
    def __init__(
        self,
        store: DomainStore,
        authorizers: AuthorizerStore,
        behaviour: Behaviour,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._store = store
        self._authorizers = authorizers
        self._behaviour = behaviour
        self._clock = clock
        self.operations: Mapping[str, Handler] = {
            "CreateDomainConfiguration": self.create_domain_configuration,
            "DescribeDomainConfiguration": self.describe_domain_configuration,
            "UpdateDomainConfiguration": self.update_domain_configuration,
            "DeleteDomainConfiguration": self.delete_domain_configuration,
            "ListDomainConfigurations": self.list_domain_configurations,
        }

    def create_domain_configuration(self, parameters: Parameters, context: Context) -> Result:
        name = parameters["domainConfigurationName"]
        refuse_unserved(parameters)
        if (found := self._store.find(context.region, name)) is not None:
            raise already_exists(f"Domain configuration {name} already exists.", name, found.arn)
        limit = self._behaviour.domains_per_region
        if len(self._store.all(context.region)) >= limit:
            raise limit_exceeded(f"The maximum of {limit} domain configurations is reached.")
        default_authorizer, allows_override = self._authorizer_config(parameters, context)
        record = DomainRecord(
            name=name,
            arn=_arn(f"{name}/{random_label(5)}", context),
            domain_name=self._domain_name(parameters, context),
            is_managed="domainName" not in parameters,
            certificate_arns=tuple(parameters.get("serverCertificateArns", ())),
            default_authorizer=default_authorizer,
            allows_override=allows_override,
            is_enabled=True,
            status_changed=self._clock(),
            security_policy=parameters.get("tlsConfig", {}).get("securityPolicy"),
            authentication_type=parameters.get("authenticationType", DEFAULT),
            application_protocol=parameters.get("applicationProtocol", DEFAULT_PROTOCOL),
        )
        self._store.save(context.region, record)
        tags = {tag["Key"]: tag.get("Value", "") for tag in parameters.get("tags", ())}
        self._authorizers.add_tags(context.region, record.arn, tags)
        return _named(record)

    def describe_domain_configuration(self, parameters: Parameters, context: Context) -> Result:
        name = parameters["domainConfigurationName"]
        if name == DEFAULT_ENDPOINT:
            return self._default_endpoint(context)
        return _described(self._existing(name, context))

    def update_domain_configuration(self, parameters: Parameters, context: Context) -> Result:
        """Change what the request names; an authorizer configuration is replaced as a whole, or removed."""
        name = parameters["domainConfigurationName"]
        if name.startswith(RESERVED):
            raise invalid(f"{name} is AWS's own; configurations of default endpoints cannot be updated.")
        record = self._existing(name, context)
        refuse_unserved(parameters)
        default_authorizer, allows_override = record.default_authorizer, record.allows_override
        if parameters.get("removeAuthorizerConfig"):
            if "authorizerConfig" in parameters:
                raise invalid("authorizerConfig cannot be given and removed at once.")
            kind = parameters.get("authenticationType", record.authentication_type)
            if kind == CUSTOM_AUTH and self._behaviour.custom_auth_domains_need_authorizers:
                raise invalid(f"Domain configuration {name} is for {CUSTOM_AUTH}, which needs an authorizer.")
            default_authorizer, allows_override = None, True
        elif "authorizerConfig" in parameters:
            default_authorizer, allows_override = self._authorizer_config(parameters, context)
        is_enabled = parameters.get("domainConfigurationStatus", _status(record)) == "ENABLED"
        changed = replace(
            record,
            default_authorizer=default_authorizer,
            allows_override=allows_override,
            is_enabled=is_enabled,
            status_changed=self._clock() if is_enabled != record.is_enabled else record.status_changed,
            security_policy=parameters.get("tlsConfig", {}).get("securityPolicy", record.security_policy),
            authentication_type=parameters.get("authenticationType", record.authentication_type),
            application_protocol=parameters.get("applicationProtocol", record.application_protocol),
        )
        self._store.save(context.region, changed)
        return _named(changed)

    def delete_domain_configuration(self, parameters: Parameters, context: Context) -> Result:
        """Delete a disabled configuration.

        AWS keeps a managed one disabled for seven days before that. UNCONFIRMED: which error AWS has;
        InvalidRequest is the only one in the operation's list that can be meant.
        """
        name = parameters["domainConfigurationName"]
        record = self._existing(name, context)
        if record.is_enabled:
            raise invalid(f"Domain configuration {name} is ENABLED; set its status to DISABLED before deleting it.")
        wait_s = self._behaviour.managed_domain_deletion_wait_s if record.is_managed else 0
        if self._clock() < record.status_changed + wait_s:
            raise invalid(f"Domain configuration {name} must be DISABLED for {wait_s} s before it can be deleted.")
        self._store.remove(context.region, record)
        return {}

    def list_domain_configurations(self, parameters: Parameters, context: Context) -> Result:
        own = {"domainConfigurationName": DEFAULT_ENDPOINT, "domainConfigurationArn": _arn(DEFAULT_ENDPOINT, context)}
        found = [own, *map(_named, self._store.all(context.region))]
        is_wanted = parameters.get("serviceType", DATA) == DATA
        listing, marker = page(
            "iot",
            found if is_wanted else [],
            lambda each: each["domainConfigurationName"],
            parameters.get("marker"),
            parameters.get("pageSize", PAGE),
        )
        return {"domainConfigurations": [{**each, "serviceType": DATA} for each in listing], "nextMarker": marker}

    def has(self, arn: str, region: str) -> bool:
        return any(record.arn == arn for record in self._store.all(region))

    def _existing(self, name: str, context: Context) -> DomainRecord:
        record = self._store.find(context.region, name)
        if record is None:
            raise domain_not_found(name)
        return record

    def _default_endpoint(self, context: Context) -> Result:
        return {
            "domainConfigurationName": DEFAULT_ENDPOINT,
            "domainConfigurationArn": _arn(DEFAULT_ENDPOINT, context),
            "domainName": f"{self._authorizers.endpoint_prefix}-ats.iot.{context.region}.localhost",
            "serverCertificates": [],
            "domainConfigurationStatus": "ENABLED",
            "serviceType": DATA,
            "domainType": "ENDPOINT",
            "tlsConfig": {"securityPolicy": SECURITY_POLICY},
            "authenticationType": DEFAULT,
            "applicationProtocol": DEFAULT_PROTOCOL,
        }

    def _authorizer_config(self, parameters: Parameters, context: Context) -> tuple[str | None, bool]:
        """Return the default authorizer and whether a device may name another.

        UNCONFIRMED: AWS checks that the authorizer exists.
        """
        wanted: dict[str, Any] = parameters.get("authorizerConfig", {})
        if not wanted:
            return None, True
        if wanted.keys() != {"defaultAuthorizerName", "allowAuthorizerOverride"}:
            raise invalid("authorizerConfig needs both defaultAuthorizerName and allowAuthorizerOverride.")
        name = wanted["defaultAuthorizerName"]
        if self._authorizers.find(context.region, name) is None:
            raise invalid(f"Authorizer {name} does not exist.")
        return name, wanted["allowAuthorizerOverride"]

    def _domain_name(self, parameters: Parameters, context: Context) -> str:
        certificates = parameters.get("serverCertificateArns", ())
        if "domainName" not in parameters:
            if certificates:
                raise invalid("serverCertificateArns are for a domainName of your own.")
            return f"d{random_label(20)}-ats.iot.{context.region}.localhost"
        name: str = parameters["domainName"].lower()
        if not certificates:
            raise invalid(f"domainName {name} needs the ARN of its certificate in serverCertificateArns.")
        if not all(LABEL.fullmatch(label) for label in name.split(".")):
            raise invalid(f"domainName {name} is not the name of a host.")
        if not name.endswith(".localhost"):
            raise invalid(f"domainName {name} must end in .localhost: the emulator's CA signs for this machine only.")
        if self._store.of_domain(name) is not None or self._is_the_endpoints(name):
            raise already_exists(f"Domain name {name} is taken.", name, _arn(name, context))
        return name

    def _is_the_endpoints(self, name: str) -> bool:
        return name.startswith((f"{self._authorizers.endpoint_prefix}.", f"{self._authorizers.endpoint_prefix}-ats."))


def refuse_unserved(parameters: Parameters) -> None:
    """Raise for what the emulator cannot do, rather than take it and not do it."""
    if parameters.get("serviceType", DATA) != DATA:
        raise invalid(f"serviceType {parameters['serviceType']} is not supported; AWS IoT has DATA only.")
    kind = parameters.get("authenticationType", DEFAULT)
    if kind not in (CUSTOM_AUTH, DEFAULT):
        raise NotImplementedHere(f"authenticationType {kind}")
    if parameters.get("serverCertificateConfig", {}).get("enableOCSPCheck"):
        raise NotImplementedHere("enableOCSPCheck")
    if parameters.get("clientCertificateConfig", {}).get("clientCertificateCallbackArn"):
        raise NotImplementedHere("clientCertificateCallbackArn")


def _arn(name: str, context: Context) -> str:
    return arns.build("iot", context.region, context.account, f"domainconfiguration/{name}")


def _status(record: DomainRecord) -> str:
    return "ENABLED" if record.is_enabled else "DISABLED"


def _named(record: DomainRecord) -> dict[str, str]:
    return {"domainConfigurationName": record.name, "domainConfigurationArn": record.arn}


def _described(record: DomainRecord) -> dict[str, Any]:
    config = {
        "defaultAuthorizerName": record.default_authorizer,
        "allowAuthorizerOverride": record.allows_override,
    }
    return {
        **_named(record),
        "domainName": record.domain_name,
        "serverCertificates": [
            {"serverCertificateArn": arn, "serverCertificateStatus": "VALID"} for arn in record.certificate_arns
        ],
        "authorizerConfig": config if record.default_authorizer else None,
        "domainConfigurationStatus": _status(record),
        "serviceType": DATA,
        "domainType": "AWS_MANAGED" if record.is_managed else "CUSTOMER_MANAGED",
        "lastStatusChangeDate": record.status_changed,
        "tlsConfig": {"securityPolicy": record.security_policy or SECURITY_POLICY},
        "authenticationType": record.authentication_type,
        "applicationProtocol": record.application_protocol,
    }
