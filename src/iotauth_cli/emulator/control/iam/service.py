"""Roles and their policies: kept, handed back and guarded by IAM's rules, but never enforced.

The emulator does not ask what a caller may do. It does hold to what a deployment trips over:
a function's role must exist and trust Lambda, and a role with policies is not deleted.
"""

from __future__ import annotations

import json
import secrets
import string
import time
from collections.abc import Callable, Mapping
from functools import partial
from sqlite3 import Row
from typing import Any
from urllib.parse import quote

from iotauth_cli.emulator.behaviour import Behaviour
from iotauth_cli.emulator.control.arns import partition
from iotauth_cli.emulator.control.iam.documents import check_inline_policy, check_trust_policy, names, trusts
from iotauth_cli.emulator.control.paging import page
from iotauth_cli.emulator.control.service import Context, Handler, Parameters, Result, ServiceError
from iotauth_cli.emulator.control.sts import Trust
from iotauth_cli.emulator.state import State

SCHEMA = """
CREATE TABLE IF NOT EXISTS iam_role (
    name TEXT PRIMARY KEY, arn TEXT NOT NULL, role_id TEXT NOT NULL, path TEXT NOT NULL, created REAL NOT NULL,
    trust_policy TEXT NOT NULL, description TEXT, max_session_s INTEGER NOT NULL, boundary TEXT,
    tags TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS iam_role_policy (
    role TEXT NOT NULL REFERENCES iam_role(name), name TEXT NOT NULL, document TEXT NOT NULL,
    PRIMARY KEY (role, name)
);
CREATE TABLE IF NOT EXISTS iam_role_attachment (
    role TEXT NOT NULL REFERENCES iam_role(name), arn TEXT NOT NULL,
    PRIMARY KEY (role, arn)
);
"""

ID_CHARACTERS = string.ascii_uppercase + string.digits
MAX_SESSION_S = 3600  # seconds; IAM's default
MAX_INLINE_CHARACTERS = 10_240  # of all inline policies of a role together
PAGE = 100  # items; IAM's default
MANAGED_PREFIX = ":iam::aws:policy/"


class IamService:
    name = "iam"

    def __init__(
        self, state: State, clock: Callable[[], float] = time.time, behaviour: Behaviour | None = None
    ) -> None:
        self._state = state
        self._clock = clock
        self._behaviour = behaviour or Behaviour()
        state.create(SCHEMA)
        self.operations: Mapping[str, Handler] = {
            "CreateRole": self.create_role,
            "GetRole": self.get_role,
            "DeleteRole": self.delete_role,
            "ListRoles": self.list_roles,
            "UpdateAssumeRolePolicy": self.update_assume_role_policy,
            "TagRole": self.tag_role,
            "UntagRole": self.untag_role,
            "ListRoleTags": self.list_role_tags,
            "PutRolePolicy": self.put_role_policy,
            "GetRolePolicy": self.get_role_policy,
            "DeleteRolePolicy": self.delete_role_policy,
            "ListRolePolicies": self.list_role_policies,
            "AttachRolePolicy": self.attach_role_policy,
            "DetachRolePolicy": self.detach_role_policy,
            "ListAttachedRolePolicies": self.list_attached_role_policies,
        }

    def may_be_assumed(self, role_arn: str, service: str) -> bool:
        """Tell whether the role exists, trusts *service* (``lambda.amazonaws.com``), and is known to it by now."""
        row = self._state.db.execute("SELECT trust_policy, created FROM iam_role WHERE arn = ?", (role_arn,)).fetchone()
        if row is None or self._clock() < row["created"] + self._behaviour.new_role_unknown_s:
            return False
        return trusts(row["trust_policy"], service)

    def trust_of(self, role_arn: str) -> Trust | None:
        """Return what STS has to know of a role; None if there is none of this ARN."""
        row = self._state.db.execute("SELECT * FROM iam_role WHERE arn = ?", (role_arn,)).fetchone()
        if row is None:
            return None
        return Trust(row["role_id"], row["max_session_s"], partial(names, row["trust_policy"]))

    def create_role(self, parameters: Parameters, context: Context) -> Result:
        name, path = parameters["RoleName"], parameters.get("Path", "/")
        check_trust_policy(parameters["AssumeRolePolicyDocument"])
        if self._find(name) is not None:
            raise ServiceError("EntityAlreadyExists", f"Role with name {name} already exists.", 409)
        self._state.db.execute(
            "INSERT INTO iam_role VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                name,
                f"arn:{partition(context.region)}:iam::{context.account}:role{path}{name}",
                _new_id("AROA"),
                path,
                self._clock(),
                parameters["AssumeRolePolicyDocument"],
                parameters.get("Description"),
                parameters.get("MaxSessionDuration", MAX_SESSION_S),
                parameters.get("PermissionsBoundary"),
                json.dumps(_tags_as_map(parameters)),
            ),
        )
        return {"Role": _role(self._existing(name))}

    def get_role(self, parameters: Parameters, context: Context) -> Result:
        row = self._existing(parameters["RoleName"])
        return {"Role": {**_role(row), "Tags": _tags_as_list(row), "RoleLastUsed": {}}}

    def list_roles(self, parameters: Parameters, context: Context) -> Result:
        prefix = parameters.get("PathPrefix", "/")
        rows = [row for row in self._state.db.execute("SELECT * FROM iam_role") if row["path"].startswith(prefix)]
        return self._listing("Roles", rows, "name", _role, parameters)

    def delete_role(self, parameters: Parameters, context: Context) -> Result:
        name = self._existing(parameters["RoleName"])["name"]
        if self._holds("iam_role_attachment", name):
            raise ServiceError("DeleteConflict", "Cannot delete entity, must detach all policies first.", 409)
        if self._holds("iam_role_policy", name):
            raise ServiceError("DeleteConflict", "Cannot delete entity, must delete policies first.", 409)
        self._state.db.execute("DELETE FROM iam_role WHERE name = ?", (name,))
        return {}

    def update_assume_role_policy(self, parameters: Parameters, context: Context) -> Result:
        name = self._existing(parameters["RoleName"])["name"]
        check_trust_policy(parameters["PolicyDocument"])
        self._state.db.execute(
            "UPDATE iam_role SET trust_policy = ? WHERE name = ?", (parameters["PolicyDocument"], name)
        )
        return {}

    def tag_role(self, parameters: Parameters, context: Context) -> Result:
        row = self._existing(parameters["RoleName"])
        self._save_tags(row["name"], {**json.loads(row["tags"]), **_tags_as_map(parameters)})
        return {}

    def untag_role(self, parameters: Parameters, context: Context) -> Result:
        row = self._existing(parameters["RoleName"])
        tags = json.loads(row["tags"])
        self._save_tags(row["name"], {k: v for k, v in tags.items() if k not in parameters["TagKeys"]})
        return {}

    def list_role_tags(self, parameters: Parameters, context: Context) -> Result:
        return {"Tags": _tags_as_list(self._existing(parameters["RoleName"])), "IsTruncated": False}

    def put_role_policy(self, parameters: Parameters, context: Context) -> Result:
        role, name = self._existing(parameters["RoleName"])["name"], parameters["PolicyName"]
        document = parameters["PolicyDocument"]
        check_inline_policy(document)
        others = self._state.db.execute(
            "SELECT coalesce(sum(length(document)), 0) FROM iam_role_policy WHERE role = ? AND name <> ?",
            (role, name),
        ).fetchone()[0]
        if others + len(document) > MAX_INLINE_CHARACTERS:
            message = f"Maximum policy size of {MAX_INLINE_CHARACTERS} bytes exceeded for role {role}"
            raise ServiceError("LimitExceeded", message, 409)
        self._state.db.execute("INSERT OR REPLACE INTO iam_role_policy VALUES (?, ?, ?)", (role, name, document))
        return {}

    def get_role_policy(self, parameters: Parameters, context: Context) -> Result:
        row = self._existing_policy(parameters)
        return {"RoleName": row["role"], "PolicyName": row["name"], "PolicyDocument": quote(row["document"])}

    def delete_role_policy(self, parameters: Parameters, context: Context) -> Result:
        row = self._existing_policy(parameters)
        self._state.db.execute("DELETE FROM iam_role_policy WHERE role = ? AND name = ?", (row["role"], row["name"]))
        return {}

    def list_role_policies(self, parameters: Parameters, context: Context) -> Result:
        rows = self._rows_of("iam_role_policy", parameters)
        return self._listing("PolicyNames", rows, "name", lambda row: row["name"], parameters)

    def attach_role_policy(self, parameters: Parameters, context: Context) -> Result:
        """Attach one of AWS's managed policies; the account's own are not kept here, so there are none."""
        role, arn = self._existing(parameters["RoleName"])["name"], parameters["PolicyArn"]
        if MANAGED_PREFIX not in arn:
            raise ServiceError("NoSuchEntity", f"Policy {arn} does not exist or is not attachable.", 404)
        self._state.db.execute("INSERT OR IGNORE INTO iam_role_attachment VALUES (?, ?)", (role, arn))
        return {}

    def detach_role_policy(self, parameters: Parameters, context: Context) -> Result:
        role, arn = self._existing(parameters["RoleName"])["name"], parameters["PolicyArn"]
        deleted = self._state.db.execute(
            "DELETE FROM iam_role_attachment WHERE role = ? AND arn = ?", (role, arn)
        ).rowcount
        if not deleted:
            raise ServiceError("NoSuchEntity", f"Policy {arn} was not found.", 404)
        return {}

    def list_attached_role_policies(self, parameters: Parameters, context: Context) -> Result:
        rows = self._rows_of("iam_role_attachment", parameters)
        return self._listing("AttachedPolicies", rows, "arn", _attached, parameters)

    def _find(self, name: str) -> Row | None:
        row: Row | None = self._state.db.execute("SELECT * FROM iam_role WHERE name = ?", (name,)).fetchone()
        return row

    def _existing(self, name: str) -> Row:
        row = self._find(name)
        if row is None:
            raise ServiceError("NoSuchEntity", f"The role with name {name} cannot be found.", 404)
        return row

    def _existing_policy(self, parameters: Parameters) -> Row:
        role, name = self._existing(parameters["RoleName"])["name"], parameters["PolicyName"]
        row: Row | None = self._state.db.execute(
            "SELECT * FROM iam_role_policy WHERE role = ? AND name = ?", (role, name)
        ).fetchone()
        if row is None:
            raise ServiceError("NoSuchEntity", f"The role policy with name {name} cannot be found.", 404)
        return row

    def _rows_of(self, table: str, parameters: Parameters) -> list[Row]:
        role = self._existing(parameters["RoleName"])["name"]
        return self._state.db.execute(f"SELECT * FROM {table} WHERE role = ?", (role,)).fetchall()

    def _holds(self, table: str, role: str) -> bool:
        return self._state.db.execute(f"SELECT 1 FROM {table} WHERE role = ?", (role,)).fetchone() is not None

    def _save_tags(self, name: str, tags: Mapping[str, str]) -> None:
        self._state.db.execute("UPDATE iam_role SET tags = ? WHERE name = ?", (json.dumps(tags), name))

    def _listing(
        self,
        member: str,
        rows: list[Row],
        name_column: str,
        show: Callable[[Row], Any],
        parameters: Parameters,
    ) -> Result:
        limit = parameters.get("MaxItems", PAGE)
        found, marker = page(self.name, rows, lambda row: row[name_column], parameters.get("Marker"), limit)
        return {member: [show(row) for row in found], "IsTruncated": marker is not None, "Marker": marker}


def _role(row: Row) -> dict[str, Any]:
    boundary = row["boundary"]
    return {
        "Path": row["path"],
        "RoleName": row["name"],
        "RoleId": row["role_id"],
        "Arn": row["arn"],
        "CreateDate": row["created"],
        "AssumeRolePolicyDocument": quote(row["trust_policy"]),  # IAM percent-encodes; botocore decodes
        "Description": row["description"],
        "MaxSessionDuration": row["max_session_s"],
        "PermissionsBoundary": _boundary(boundary) if boundary else None,
    }


def _boundary(arn: str) -> dict[str, str]:
    return {"PermissionsBoundaryType": "Policy", "PermissionsBoundaryArn": arn}


def _attached(row: Row) -> dict[str, str]:
    return {"PolicyName": row["arn"].rpartition("/")[2], "PolicyArn": row["arn"]}


def _tags_as_map(parameters: Parameters) -> dict[str, str]:
    return {tag["Key"]: tag["Value"] for tag in parameters.get("Tags", ())}


def _tags_as_list(row: Row) -> list[dict[str, str]]:
    return [{"Key": key, "Value": value} for key, value in json.loads(row["tags"]).items()]


def _new_id(prefix: str) -> str:
    return prefix + "".join(secrets.choice(ID_CHARACTERS) for _ in range(17))
