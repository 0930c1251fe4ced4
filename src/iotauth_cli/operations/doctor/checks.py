"""The checklist as a table, in the order in which it is read: what is near first, what depends on it after."""

from __future__ import annotations

from difflib import get_close_matches

from iotauth_cli.errors import InputError
from iotauth_cli.operations.doctor import (
    authorizer,
    credentials,
    emulator,
    endpoint,
    function,
    machine,
    project,
    rows,
    storage,
    surroundings,
)
from iotauth_cli.operations.doctor.finding import Check

CHECKS = (
    Check("python", "machine", "Python", machine.python),
    Check("packages", "machine", "the packages that iotauth needs", machine.packages),
    Check("clock", "machine", "the clock", machine.clock_right),
    Check("project", "machine", "whether the project can be written", machine.writable),
    Check("store-modes", "machine", "who can read the private files", project.modes),
    Check("gitignore", "machine", "whether git passes the private files over", project.ignored),
    Check("git-history", "machine", "whether git has versions of the private files", project.tracked),
    Check("stored-credentials", "machine", "the stored credentials", project.readable),
    Check("unfinished-secrets", "machine", "secrets that were begun with", project.begun),
    Check("unfinished-writes", "machine", "private files that were cut off", project.torn),
    Check("unfinished-flash", "machine", "what a killed flash has left", project.flashing),
    Check("unfinished-rotation", "machine", "unfinished rotations", project.rotating),
    Check("emulator", "emulator", "whether the emulator runs", emulator.running),
    Check("emulator-version", "emulator", "the emulator's version", emulator.version),
    Check("emulator-modes", "emulator", "who can read the emulator's state", emulator.modes),
    Check("region", "credentials", "the region", credentials.region),
    Check("identity", "credentials", "whose keys these are", credentials.identity),
    Check("account", "credentials", "the account", credentials.account),
    Check("endpoint-name", "endpoint", "the endpoint's name", endpoint.name),
    Check("endpoint-port", "endpoint", "the endpoint's port", endpoint.port),
    Check("endpoint-certificate", "endpoint", "the endpoint's certificate", endpoint.certificate),
    Check("endpoint-alpn", "endpoint", "ALPN", endpoint.alpn),
    Check("authorizer", "authorizer", "the authorizer", authorizer.exists),
    Check("authorizer-status", "authorizer", "the authorizer's status", authorizer.active),
    Check("authorizer-function", "authorizer", "the function that it calls", authorizer.function),
    Check("signing-keys", "authorizer", "the keys that sign tokens", authorizer.signing_keys),
    Check("token-key-name", "authorizer", "the name of the token", authorizer.token_key_name),
    Check("roll-over", "authorizer", "whether a change of keys is under way", authorizer.roll_over),
    Check("permission", "authorizer", "AWS IoT's permission", authorizer.permission),
    Check("permission-bound", "authorizer", "what the permission is bound to", authorizer.bound),
    Check("default-authorizer", "authorizer", "the default authorizer", surroundings.default_authorizer),
    Check("domains", "authorizer", "domain configurations", surroundings.domains),
    Check("iot-logging", "authorizer", "AWS IoT's log", surroundings.logging),
    Check("function", "function", "the function", function.state),
    Check("function-code", "function", "the function's code", function.code),
    Check("function-runtime", "function", "the function's runtime", function.runtime),
    Check("function-timeout", "function", "the function's time limit", function.timeout),
    Check("function-memory", "function", "the function's memory", function.memory),
    Check("function-table", "function", "the table that the function reads", function.environment),
    Check("function-reserved", "function", "the calls that are kept for the function", function.reserved),
    Check("concurrency", "function", "how many calls may run at once", function.concurrency),
    Check("log-group", "function", "the function's log group", function.log_group),
    Check("role", "function", "the function's role", storage.role),
    Check("role-policy", "function", "what the role may do", storage.policy),
    Check("table", "table", "the table", storage.state),
    Check("table-billing", "table", "how the table is paid for", storage.billing),
    Check("table-protection", "table", "whether the table can be deleted", storage.protection),
    Check("table-recovery", "table", "whether the table can be restored", storage.recovery),
    Check("table-expiry", "table", "whether DynamoDB deletes clients", storage.expiry),
    Check("plain-passwords", "table", "passwords in the table", rows.plain_passwords),
    Check("rotations", "table", "rotations that wait", rows.rotations),
    Check("refused-rows", "table", "rows that cannot be used", rows.refused),
    Check("permissions", "operator", "what you may not call", credentials.operator, is_last=True),
)
GROUPS = {
    "machine": "this machine",
    "emulator": "emulator",
    "credentials": "credentials",
    "endpoint": "endpoint",
    "authorizer": "authorizer",
    "function": "function",
    "table": "table",
    "operator": "operator",
}


def choose(names: tuple[str, ...]) -> tuple[Check, ...]:
    """Return the checks that *names* mean, by id or by group; all of them for none.

    Raises:
        InputError: a name is neither.
    """
    known = [*(check.id for check in CHECKS), *GROUPS]
    for name in names:
        if name not in known:
            near = get_close_matches(name, known, n=1)
            hint = f"did you mean `{near[0]}`?" if near else f"the groups are {', '.join(GROUPS)}"
            raise InputError(f"there is no check `{name}`", hint=hint)
    return tuple(check for check in CHECKS if not names or check.id in names or check.group in names)
