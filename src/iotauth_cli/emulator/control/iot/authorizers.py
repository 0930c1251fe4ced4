"""Authorizers: created, described, changed, deleted, listed, and one of them the default.

Where AWS's behaviour is not documented the emulator's choice is marked UNCONFIRMED; the fact
behind every other rule is a row of the conformance table, and a test named after it (``test_row_…``).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from iotauth_cli.emulator.behaviour import Behaviour
from iotauth_cli.emulator.control import arns
from iotauth_cli.emulator.control.iot.errors import (
    already_exists,
    authorizer_not_found,
    delete_conflict,
    invalid,
    limit_exceeded,
    no_default,
)
from iotauth_cli.emulator.control.iot.signing import check_signing
from iotauth_cli.emulator.control.iot.store import AuthorizerRecord, AuthorizerStore
from iotauth_cli.emulator.control.lambda_.names import parse_arn
from iotauth_cli.emulator.control.paging import page
from iotauth_cli.emulator.control.service import Context, Handler, Parameters, Result
from iotauth_cli.emulator.model import Authorizer

PAGE = 25  # items; UNCONFIRMED, the model gives the maximum of 250 only
SIGNING_FIELDS = ("tokenKeyName", "tokenSigningPublicKeys")


class Authorizers:
    def __init__(self, store: AuthorizerStore, behaviour: Behaviour, clock: Callable[[], float] = time.time) -> None:
        self._store = store
        self._behaviour = behaviour
        self._clock = clock
        self.operations: Mapping[str, Handler] = {
            "CreateAuthorizer": self.create_authorizer,
            "DescribeAuthorizer": self.describe_authorizer,
            "UpdateAuthorizer": self.update_authorizer,
            "DeleteAuthorizer": self.delete_authorizer,
            "ListAuthorizers": self.list_authorizers,
            "SetDefaultAuthorizer": self.set_default_authorizer,
            "DescribeDefaultAuthorizer": self.describe_default_authorizer,
            "ClearDefaultAuthorizer": self.clear_default_authorizer,
        }

    def existing(self, name: str, context: Context) -> AuthorizerRecord:
        """Return the authorizer of that *name*.

        Raises:
            ServiceError: ResourceNotFoundException, 404.
        """
        record = self._store.find(context.region, name)
        if record is None:
            raise authorizer_not_found(name)
        return record

    def create_authorizer(self, parameters: Parameters, context: Context) -> Result:
        name = parameters["authorizerName"]
        arn = arns.build("iot", context.region, context.account, f"authorizer/{name}")
        authorizer = Authorizer(
            name=name,
            arn=arn,
            function_arn=_checked_function(parameters["authorizerFunctionArn"]),
            is_active=parameters.get("status", self._default_status) == "ACTIVE",
            signing_disabled=parameters.get("signingDisabled", False),
            token_key_name=parameters.get("tokenKeyName"),
            token_signing_public_keys=parameters.get("tokenSigningPublicKeys", {}),
            enable_caching_for_http=parameters.get("enableCachingForHttp", False),
        )
        check_signing(authorizer, self._behaviour.signing_keys_per_authorizer)
        if self._store.find(context.region, name) is not None:
            raise already_exists(f"Authorizer {name} already exists.", name, arn)
        limit = self._behaviour.authorizers_per_region
        if len(self._store.all(context.region)) >= limit:
            raise limit_exceeded(f"The maximum of {limit} authorizers is reached.")
        now = self._clock()
        self._store.save(context.region, AuthorizerRecord(authorizer, now, now))
        tags = {tag["Key"]: tag.get("Value", "") for tag in parameters.get("tags", ())}
        self._store.add_tags(context.region, arn, tags)
        return _named(authorizer)

    def describe_authorizer(self, parameters: Parameters, context: Context) -> Result:
        return {"authorizerDescription": _described(self.existing(parameters["authorizerName"], context))}

    def update_authorizer(self, parameters: Parameters, context: Context) -> Result:
        """Change what the request names; whether keys replace the map or are added to it is a choice."""
        record = self.existing(parameters["authorizerName"], context)
        before = record.authorizer
        if before.signing_disabled and any(name in parameters for name in SIGNING_FIELDS):
            raise invalid(f"Token signing is disabled for authorizer {before.name}; its fields cannot be updated.")
        function_arn = parameters.get("authorizerFunctionArn", before.function_arn)
        authorizer = replace(
            before,
            function_arn=_checked_function(function_arn),
            is_active=parameters["status"] == "ACTIVE" if "status" in parameters else before.is_active,
            token_key_name=parameters.get("tokenKeyName", before.token_key_name),
            token_signing_public_keys=self._keys_after(before, parameters.get("tokenSigningPublicKeys")),
            enable_caching_for_http=parameters.get("enableCachingForHttp", before.enable_caching_for_http),
        )
        check_signing(authorizer, self._behaviour.signing_keys_per_authorizer)
        self._store.save(context.region, AuthorizerRecord(authorizer, record.created, self._clock()))
        return _named(authorizer)

    def delete_authorizer(self, parameters: Parameters, context: Context) -> Result:
        """Delete an inactive authorizer; what AWS has for an active or the default one is a choice."""
        name = parameters["authorizerName"]
        record = self.existing(name, context)
        if record.authorizer.is_active:
            message = f"Authorizer {name} is ACTIVE; set its status to INACTIVE before deleting it."
            raise delete_conflict(message, self._behaviour.active_delete_error)
        if self._store.default_name(context.region) == name:
            if not self._behaviour.deletes_default_authorizer:
                raise delete_conflict(f"Authorizer {name} is the default authorizer; clear the default first.")
            self._store.clear_default(context.region)
        self._store.remove(context.region, record)
        return {}

    def list_authorizers(self, parameters: Parameters, context: Context) -> Result:
        records = self._store.all(context.region)
        status = parameters.get("status")
        found = [r.authorizer for r in records if status is None or r.authorizer.is_active == (status == "ACTIVE")]
        listing, marker = page(
            "iot",
            found,
            lambda authorizer: authorizer.name,
            parameters.get("marker"),
            parameters.get("pageSize", PAGE),
            descending=not parameters.get("ascendingOrder", True),  # UNCONFIRMED default
        )
        return {"authorizers": [_named(authorizer) for authorizer in listing], "nextMarker": marker}

    def set_default_authorizer(self, parameters: Parameters, context: Context) -> Result:
        """Make an authorizer the default; UNCONFIRMED: another default must be cleared first."""
        authorizer = self.existing(parameters["authorizerName"], context).authorizer
        current = self._store.default_name(context.region)
        if current not in (None, authorizer.name):
            arn = arns.build("iot", context.region, context.account, f"authorizer/{current}")
            raise already_exists(f"Authorizer {current} is the default already.", str(current), arn)
        self._store.set_default(context.region, authorizer.name)
        return _named(authorizer)

    def describe_default_authorizer(self, parameters: Parameters, context: Context) -> Result:
        return {"authorizerDescription": _described(self._default(context))}

    def clear_default_authorizer(self, parameters: Parameters, context: Context) -> Result:
        self._default(context)
        self._store.clear_default(context.region)
        return {}

    @property
    def _default_status(self) -> str:
        return "ACTIVE" if self._behaviour.creates_authorizers_active else "INACTIVE"

    def _keys_after(self, before: Authorizer, given: Mapping[str, str] | None) -> Mapping[str, str]:
        """Return the keys that *before* has after an update that was *given* some, or None."""
        if given is None:
            return before.token_signing_public_keys
        return {**before.token_signing_public_keys, **given} if self._behaviour.merges_signing_keys else given

    def _default(self, context: Context) -> AuthorizerRecord:
        name = self._store.default_name(context.region)
        if name is None:
            raise no_default()
        return self.existing(name, context)


def _checked_function(arn: str) -> str:
    """Hold the ARN to its form; whether the function exists is not asked (UNCONFIRMED: AWS may)."""
    if parse_arn(arn) is None:
        raise invalid(f"authorizerFunctionArn {arn} is not the ARN of a Lambda function.")
    return arn


def _named(authorizer: Authorizer) -> dict[str, str]:
    return {"authorizerName": authorizer.name, "authorizerArn": authorizer.arn}


def _described(record: AuthorizerRecord) -> dict[str, Any]:
    authorizer = record.authorizer
    return {
        **_named(authorizer),
        "authorizerFunctionArn": authorizer.function_arn,
        "tokenKeyName": authorizer.token_key_name,
        "tokenSigningPublicKeys": dict(authorizer.token_signing_public_keys) or None,
        "status": "ACTIVE" if authorizer.is_active else "INACTIVE",
        "creationDate": record.created,
        "lastModifiedDate": record.modified,
        "signingDisabled": authorizer.signing_disabled,
        "enableCachingForHttp": authorizer.enable_caching_for_http,
    }
