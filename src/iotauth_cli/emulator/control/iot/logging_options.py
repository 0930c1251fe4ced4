"""AWS IoT's log, as its owner turns it on and off: the V2 logging operations.

The levels of things' groups are kept and listed, without effect: the emulator has no things.
Where AWS's behaviour is not documented the emulator's choice is marked UNCONFIRMED.
Source: the iot service model; AWS IoT developer guide, "Configure AWS IoT logging".
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from iotauth_cli.emulator.control.iot.errors import invalid, not_configured
from iotauth_cli.emulator.control.iot.logging_store import LoggingStore
from iotauth_cli.emulator.control.paging import page
from iotauth_cli.emulator.control.service import Context, Handler, Parameters, Result
from iotauth_cli.emulator.log_levels import LogLevels, Target

PAGE = 25  # items; UNCONFIRMED, the model gives the maximum of 250 only
SERVICE = "iot.amazonaws.com"
DEFAULT = "DEFAULT"

MayBeAssumed = Callable[[str, str], bool]


class LoggingOptions:
    """*may_be_assumed* tells whether a role exists and trusts a service."""

    def __init__(self, store: LoggingStore, may_be_assumed: MayBeAssumed) -> None:
        self._store = store
        self._may_be_assumed = may_be_assumed
        self.operations: Mapping[str, Handler] = {
            "SetV2LoggingOptions": self.set_v2_logging_options,
            "GetV2LoggingOptions": self.get_v2_logging_options,
            "SetV2LoggingLevel": self.set_v2_logging_level,
            "ListV2LoggingLevels": self.list_v2_logging_levels,
            "DeleteV2LoggingLevel": self.delete_v2_logging_level,
        }

    def set_v2_logging_options(self, parameters: Parameters, context: Context) -> Result:
        """Change what is named. UNCONFIRMED: role and level that are not named stay as they are."""
        found = self._store.find(context.region)
        role_arn = parameters.get("roleArn", found.role_arn)
        if role_arn is None:
            raise invalid("roleArn must be given.")
        if "roleArn" in parameters and not self._may_be_assumed(role_arn, SERVICE):
            raise invalid(
                f"AWS IoT ({SERVICE}) is unable to assume role (sts:AssumeRole) on resource: {role_arn}. "
                "If the role was just created or updated, please try again in a few seconds."
            )
        events = {each["eventType"]: each.get("logLevel", found.default) for each in _events(parameters)}
        changed = replace(
            found,
            role_arn=role_arn,
            default=parameters.get("defaultLogLevel", found.default),
            is_disabled=parameters.get("disableAllLogs", False),
            events={**found.events, **events},
        )
        self._store.save(context.region, changed)
        return {}

    def get_v2_logging_options(self, parameters: Parameters, context: Context) -> Result:
        found = self._configured(context)
        result: Result = {
            "roleArn": found.role_arn,
            "defaultLogLevel": found.default,
            "disableAllLogs": found.is_disabled,
        }
        if parameters.get("verbose"):
            events = [{"eventType": event, "logLevel": level} for event, level in sorted(found.events.items())]
            result["eventConfigurations"] = events
        return result

    def set_v2_logging_level(self, parameters: Parameters, context: Context) -> Result:
        found, level = self._configured(context), parameters["logLevel"]
        kind, name = _target(parameters["logTarget"])
        if kind == DEFAULT:
            self._store.save(context.region, replace(found, default=level))
        else:
            self._store.save(context.region, replace(found, targets={**found.targets, (kind, name): level}))
        return {}

    def list_v2_logging_levels(self, parameters: Parameters, context: Context) -> Result:
        found, wanted = self._configured(context), parameters.get("targetType")
        everything = {(DEFAULT, ""): found.default, **found.targets}
        fitting = {target: level for target, level in everything.items() if wanted in (None, target[0])}
        limit, marker = parameters.get("maxResults", PAGE), parameters.get("nextToken")
        shown, token = page("iot", fitting.items(), lambda pair: "/".join(pair[0]), marker, limit)
        return {"logTargetConfigurations": [_shown(*pair) for pair in shown], "nextToken": token}

    def delete_v2_logging_level(self, parameters: Parameters, context: Context) -> Result:
        """Forget a target's level. UNCONFIRMED: one that has none is no error."""
        found, gone = self._store.find(context.region), _target(parameters)
        kept = {target: level for target, level in found.targets.items() if target != gone}
        if kept != found.targets:
            self._store.save(context.region, replace(found, targets=kept))
        return {}

    def _configured(self, context: Context) -> LogLevels:
        found = self._store.find(context.region)
        if found.role_arn is None:
            raise not_configured()
        return found


def _events(parameters: Parameters) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = parameters.get("eventConfigurations", [])
    return found


def _target(given: Mapping[str, Any]) -> Target:
    kind, name = given["targetType"], given.get("targetName", "")
    if not name and kind != DEFAULT:
        raise invalid(f"A target of type {kind} must have a targetName.")
    return kind, name


def _shown(target: Target, level: str) -> dict[str, Any]:
    kind, name = target
    return {"logTarget": {"targetType": kind, **({"targetName": name} if name else {})}, "logLevel": level}
