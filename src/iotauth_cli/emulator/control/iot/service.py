"""The AWS IoT service, put together: authorizers, domain configurations, logging, the endpoint's name, tags."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

from iotauth_cli.emulator.behaviour import Behaviour
from iotauth_cli.emulator.control.iot.authorizers import Authorizers
from iotauth_cli.emulator.control.iot.domain_store import DomainStore
from iotauth_cli.emulator.control.iot.domains import Domains
from iotauth_cli.emulator.control.iot.errors import invalid
from iotauth_cli.emulator.control.iot.logging_options import LoggingOptions, MayBeAssumed
from iotauth_cli.emulator.control.iot.logging_store import LoggingStore
from iotauth_cli.emulator.control.iot.store import AuthorizerStore
from iotauth_cli.emulator.control.iot.test_invoke import InvokeTest
from iotauth_cli.emulator.control.iot.throttle import Throttle
from iotauth_cli.emulator.control.service import (
    Context,
    Handler,
    NotImplementedHere,
    Parameters,
    Result,
    ServiceError,
)
from iotauth_cli.emulator.model import AuthorizerInvoker

# What follows the prefix of an endpoint, by its type. `.localhost` names are this machine (RFC 6761),
# and the development CA may sign for them and for no others.
ENDPOINTS = {"iot:Data": "", "iot:Data-ATS": "-ats"}
UNAVAILABLE_ENDPOINTS = ("iot:CredentialProvider", "iot:Jobs")
DEFAULT_ENDPOINT = "iot:Data"
MAX_TAGS = 50  # for one resource


class IotService:
    """AWS IoT's control plane. *invoker* calls authorizer functions, as the data plane does."""

    name = "iot"

    def __init__(
        self,
        store: AuthorizerStore,
        invoker: AuthorizerInvoker,
        behaviour: Behaviour | None = None,
        clock: Callable[[], float] = time.time,
        *,
        domains: DomainStore,
        logging: LoggingStore,
        may_be_assumed: MayBeAssumed,
    ) -> None:
        self._store = store
        behaviour = behaviour or Behaviour()
        self._domains = Domains(domains, store, behaviour, clock)
        authorizers = Authorizers(store, behaviour, clock)
        limited = {**authorizers.operations, **InvokeTest(authorizers, invoker).operations}
        throttle = Throttle(behaviour.authorizer_calls_per_second)
        self.operations: Mapping[str, Handler] = {
            **{name: throttle.around(name, handler) for name, handler in limited.items()},
            **self._domains.operations,
            **LoggingOptions(logging, may_be_assumed).operations,
            "DescribeEndpoint": self.describe_endpoint,
            "TagResource": self.tag_resource,
            "UntagResource": self.untag_resource,
            "ListTagsForResource": self.list_tags_for_resource,
        }

    def describe_endpoint(self, parameters: Parameters, context: Context) -> Result:
        kind = parameters.get("endpointType", DEFAULT_ENDPOINT)
        if kind in UNAVAILABLE_ENDPOINTS:
            raise NotImplementedHere(f"the endpoint {kind}")
        if kind not in ENDPOINTS:
            raise invalid(f"endpointType {kind} is not known.")
        host = f"{self._store.endpoint_prefix}{ENDPOINTS[kind]}.iot.{context.region}.localhost"
        return {"endpointAddress": host}

    def tag_resource(self, parameters: Parameters, context: Context) -> Result:
        arn = self._tagged(parameters, context)
        tags = {**self._store.tags(context.region, arn)}
        tags.update({tag["Key"]: tag.get("Value", "") for tag in parameters["tags"]})
        if len(tags) > MAX_TAGS:
            raise invalid(f"a resource has at most {MAX_TAGS} tags.")
        self._store.add_tags(context.region, arn, tags)
        return {}

    def untag_resource(self, parameters: Parameters, context: Context) -> Result:
        self._store.remove_tags(context.region, self._tagged(parameters, context), parameters["tagKeys"])
        return {}

    def list_tags_for_resource(self, parameters: Parameters, context: Context) -> Result:
        tags = self._store.tags(context.region, self._tagged(parameters, context))
        return {"tags": [{"Key": key, "Value": value} for key, value in tags.items()]}

    def _tagged(self, parameters: Parameters, context: Context) -> str:
        """Return the ARN to tag. Of what has tags in AWS IoT, the emulator has authorizers and domains."""
        arn: str = parameters["resourceArn"]
        is_authorizer = any(record.authorizer.arn == arn for record in self._store.all(context.region))
        if not is_authorizer and not self._domains.has(arn, context.region):
            raise ServiceError("ResourceNotFoundException", f"Resource {arn} does not exist.", 404)
        return arn
