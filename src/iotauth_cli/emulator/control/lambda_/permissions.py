"""Resource policies: who, besides the account itself, may call a function.

This is what decides whether AWS IoT may call an authorizer. A statement is kept in the form
that AWS shows (conformance row 28), and each qualifier has a policy of its own: a grant to the
function does not cover its alias, nor the other way round.
"""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Mapping
from typing import Any

from iotauth_cli.emulator.control import arns
from iotauth_cli.emulator.control.lambda_.names import (
    LATEST,
    FunctionName,
    invalid,
    not_found,
    parse,
    stale_revision,
)
from iotauth_cli.emulator.control.lambda_.store import FunctionStore
from iotauth_cli.emulator.control.service import (
    Context,
    Handler,
    NotImplementedHere,
    Parameters,
    Result,
    ServiceError,
)
from iotauth_cli.emulator.state import State
from iotauth_cli.policy.match import compile_pattern

SCHEMA = """
CREATE TABLE IF NOT EXISTS lambda_statement (
    region TEXT NOT NULL, name TEXT NOT NULL, qualifier TEXT NOT NULL, sid TEXT NOT NULL, statement TEXT NOT NULL,
    PRIMARY KEY (region, name, qualifier, sid),
    FOREIGN KEY (region, name) REFERENCES lambda_function ON DELETE CASCADE
);
CREATE TRIGGER IF NOT EXISTS lambda_statement_of_alias AFTER DELETE ON lambda_alias BEGIN
    DELETE FROM lambda_statement WHERE region = OLD.region AND name = OLD.name AND qualifier = OLD.alias;
END;
CREATE TRIGGER IF NOT EXISTS lambda_statement_of_version AFTER DELETE ON lambda_version BEGIN
    DELETE FROM lambda_statement WHERE region = OLD.region AND name = OLD.name AND qualifier = OLD.version;
END;
"""

Statement = dict[str, Any]

MAX_POLICY = 20_480  # bytes; Lambda's limit
INVOKE = frozenset({"lambda:InvokeFunction", "lambda:*", "*"})
ACCOUNT_ID = re.compile(r"\d{12}")
SERVICE = re.compile(r"[a-z0-9.-]+\.amazonaws\.com(\.cn)?")
REVISIONS = uuid.UUID("6f1c2f5e-30a5-4d0c-9d5c-5b7f0e6f9a11")  # names a policy's revisions by its content


class Permissions:
    def __init__(self, state: State, store: FunctionStore) -> None:
        self._state = state
        self._store = store
        state.create(SCHEMA)
        self.operations: Mapping[str, Handler] = {
            "AddPermission": self.add_permission,
            "RemovePermission": self.remove_permission,
            "GetPolicy": self.get_policy,
        }

    def may_invoke(self, function: FunctionName, principal: str, source_arn: str, source_account: str) -> bool:
        """Tell whether a statement lets the service *principal* call *function* on behalf of the source."""
        facts = {"AWS:SourceArn": source_arn, "AWS:SourceAccount": source_account}
        return any(
            statement["Principal"] in ("*", {"Service": principal})
            and statement["Action"] in INVOKE
            and _conditions_hold(statement.get("Condition", {}), facts)
            for statement in self._statements(function)
        )

    def add_permission(self, parameters: Parameters, context: Context) -> Result:
        function = self._target(parameters, context)
        statements = self._statements(function)
        self._check_revision(parameters, statements)
        sid = parameters["StatementId"]
        if any(statement["Sid"] == sid for statement in statements):
            message = (
                f"The statement id ({sid}) provided already exists. "
                "Please provide a new statement id, or remove the existing statement."
            )
            raise ServiceError("ResourceConflictException", message, 409)
        statement = _statement(parameters, function)
        size = len(_document([*statements, statement]))
        if size > MAX_POLICY:
            message = f"The final policy size ({size}) is bigger than the limit ({MAX_POLICY})."
            raise ServiceError("PolicyLengthExceededException", message)
        self._state.db.execute(
            "INSERT INTO lambda_statement VALUES (?, ?, ?, ?, ?)", (*_key(function), sid, _compact(statement))
        )
        return {"Statement": _compact(statement)}

    def remove_permission(self, parameters: Parameters, context: Context) -> Result:
        function = self._target(parameters, context)
        statements = self._statements(function)
        if not statements:
            raise not_found("No policy is associated with the given resource.")
        self._check_revision(parameters, statements)
        removed = self._state.db.execute(
            "DELETE FROM lambda_statement WHERE region = ? AND name = ? AND qualifier = ? AND sid = ?",
            (*_key(function), parameters["StatementId"]),
        ).rowcount
        if not removed:
            raise not_found(f"Statement {parameters['StatementId']} is not found in resource policy.")
        return {}

    def get_policy(self, parameters: Parameters, context: Context) -> Result:
        statements = self._statements(self._target(parameters, context))
        if not statements:
            raise not_found("The resource you requested does not exist.")
        return {"Policy": _document(statements), "RevisionId": _revision(statements)}

    def _target(self, parameters: Parameters, context: Context) -> FunctionName:
        function = parse(parameters, context)
        self._store.existing(function)
        if function.qualifier == LATEST:
            raise invalid("We currently do not support adding policies for $LATEST.")
        return function

    def _statements(self, function: FunctionName) -> list[Statement]:
        rows = self._state.db.execute(
            "SELECT statement FROM lambda_statement WHERE region = ? AND name = ? AND qualifier = ? ORDER BY rowid",
            _key(function),
        )
        return [json.loads(row["statement"]) for row in rows]

    def _check_revision(self, parameters: Parameters, statements: list[Statement]) -> None:
        wanted = parameters.get("RevisionId")
        if wanted is not None and wanted != _revision(statements):
            raise stale_revision("GetPolicy")


def _statement(parameters: Parameters, function: FunctionName) -> Statement:
    """Write the statement as AWS stores it."""
    if parameters.get("FunctionUrlAuthType") or parameters.get("InvokedViaFunctionUrl"):
        raise NotImplementedHere("function URLs")
    equals = {
        "AWS:SourceAccount": parameters.get("SourceAccount"),
        "aws:PrincipalOrgID": parameters.get("PrincipalOrgID"),
        "lambda:EventSourceToken": parameters.get("EventSourceToken"),
    }
    source = parameters.get("SourceArn")
    conditions = {
        "StringEquals": {key: value for key, value in equals.items() if value is not None},
        "ArnLike": {"AWS:SourceArn": source} if source is not None else {},
    }
    statement = {
        "Sid": parameters["StatementId"],
        "Effect": "Allow",
        "Principal": _principal(parameters["Principal"], function.region),
        "Action": parameters["Action"],
        "Resource": function.arn,
        "Condition": {operator: values for operator, values in conditions.items() if values},
    }
    return {name: value for name, value in statement.items() if value}


def _principal(text: str, region: str) -> str | dict[str, str]:
    if text == "*":
        return text
    if SERVICE.fullmatch(text):
        return {"Service": text}
    if ACCOUNT_ID.fullmatch(text):
        return {"AWS": f"arn:{arns.partition(region)}:iam::{text}:root"}
    if text.startswith("arn:"):
        return {"AWS": text}
    raise invalid("The provided principal was invalid. Please check the principal and try again.")


def _conditions_hold(conditions: Mapping[str, Mapping[str, str]], facts: Mapping[str, str]) -> bool:
    """Tell whether every condition holds; one whose key AWS IoT does not set never does."""
    comparisons = {"StringEquals": str.__eq__, "ArnLike": _is_like}
    return all(
        key in facts and comparisons[operator](wanted, facts[key])
        for operator, keys in conditions.items()
        for key, wanted in keys.items()
    )


def _is_like(pattern: str, arn: str) -> bool:
    """Compare two ARNs part by part, so that a wildcard does not reach over a colon of the first five."""
    patterns, parts = pattern.split(":", 5), arn.split(":", 5)
    return len(patterns) == len(parts) and all(
        compile_pattern([wanted]).matches(part) for wanted, part in zip(patterns, parts, strict=True)
    )


def _key(function: FunctionName) -> tuple[str, str, str]:
    return function.region, function.name, function.qualifier or ""


def _compact(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"))


def _document(statements: list[Statement]) -> str:
    return _compact({"Version": "2012-10-17", "Id": "default", "Statement": statements})


def _revision(statements: list[Statement]) -> str:
    return str(uuid.uuid5(REVISIONS, _document(statements)))
