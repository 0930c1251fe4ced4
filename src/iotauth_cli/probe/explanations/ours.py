"""iotauth's own words: reasons in the function's log, causes, rules of lint and of answers, exit and error codes."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from string import Formatter

from iotauth_cli import errors
from iotauth_cli.policy.rules import RULES
from iotauth_cli.probe.causes import CAUSES
from iotauth_cli.probe.explanation import Explanation, Family
from iotauth_cli.probe.explanations.likely import FUNCTION

FAMILIES = (
    Family("refusal", "reasons that iotauth's function logs"),
    Family("answer-rule", "rules that a function's answer must keep"),
    Family("diagnosis", "causes that `test-connect` names"),
    Family("policy-rule", "rules of `policy lint`", also=("policy lint",)),
    Family("iotauth-error", "error codes of `iotauth --json`"),
    Family("exit-code", "exit codes of iotauth", also=("exit",), before=("exit", "status")),
)

REASONS: dict[str, str] = {
    "signature-required": "The function, or the client's row, wants a signed token, and none was verified.",
    "no-client-id": "There is no client id, or one that AWS IoT would not take.",
    "no-password": "There is no password, or an empty one.",
    "unknown-client": "The table has no row of this client id.",
    "wrong-password": "The password is neither of the client's two.",
    "secret-retired": "The password is one that a rotation has retired.",
    "secret-expired": "The password's time is over.",
    "wrong-username": "The part of the user name before `?` is not this client's.",
    "wrong-token": "The token is signed, and for another client than this.",
    "disabled": "The client's row does not let it connect.",
    "expired": "The client's time is over.",
    "policy-too-large": "The client's topics do not fit into ten policy documents.",
    "malformed-record": "A value in the client's row cannot stand in a policy.",
    "table-unavailable": "The function cannot read the table of clients.",
    "misconfigured": "The function's environment does not name the table.",
}
ANSWERS: dict[str, str] = {
    "answer-not-json": "The answer is no JSON object.",
    "is-authenticated": "`isAuthenticated` must be true or false.",
    "principal-id": "`principalId` must be 1 to 128 letters and digits; a client id with `-` or `_` is none.",
    "policy-documents": "`policyDocuments` must be a list.",
    "too-many-documents": "AWS IoT takes ten policy documents.",
    "document-not-json": "A policy document is neither an object nor the JSON text of one.",
    "document-too-long": "A policy document may have 2,048 characters.",
    "disconnect-after": "`disconnectAfterInSeconds` must be a whole number from 300 to 86,400.",
    "refresh-after": "`refreshAfterInSeconds` must be a whole number from 300 to 86,400.",
}
EXITS: dict[int, str] = {
    0: "Done, or the answer is yes.",
    1: "The answer is no: a device was refused, something is not there, a check found something.",
    2: "Bad input: an argument, a topic, a file.",
    3: "The outside world failed: AWS, the network, the emulator, a board.",
    70: "A bug in iotauth.",
    130: "Interrupted with Ctrl-C.",
}
ERRORS: dict[type[errors.IotauthError], str] = {
    errors.IotauthError: "The answer could not be had.",
    errors.InputError: "What was typed, or stands in a file, cannot be right.",
    errors.ConfigError: "A setting is broken or missing; the message names where it comes from.",
    errors.AwsError: "AWS, or the emulator in its place, could not answer.",
    errors.AccessDenied: "This AWS user may not do that.",
    errors.NotFound: "AWS has nothing of that name there.",
    errors.AlreadyExists: "AWS has something of that name already.",
    errors.Conflict: "Somebody else changed it meanwhile.",
    errors.Throttled: "AWS was asked too often.",
    errors.BadAnswer: "The authorizer's function gave no answer that AWS IoT takes.",
    errors.DeviceError: "A board, its port or the tools that build and flash failed.",
    errors.EmulatorError: "The emulator is not there, or could not start.",
}
NEXT_OF_ERROR: dict[str, str] = {
    "access-denied": "ask for the permission that the message names",
    "emulator": "`iotauth emulator status`",
    "throttled": "try again later",
    "conflict": "run the same command again",
    "bad-answer": FUNCTION,
    "bad-config": "`iotauth config show`",
}

HINT = "the hint that came with it says what to type"

SHOWN = {
    "again": "iotauth test-connect CLIENT",
    "in_mqtt5": "iotauth test-connect CLIENT --mqtt5",
    "step": "this step",
    "where": "",
    "aws": "aws",
    **dict.fromkeys(("met", "fault", "cause", "reason"), "…"),
}


class Placeholders(dict[str, str]):
    """Words in capitals for the user's own names: ``{client}`` becomes CLIENT."""

    def __missing__(self, name: str) -> str:
        return SHOWN.get(name, name.upper())


def in_general(sentence: str) -> str:
    """Return a sentence of `probe.causes` as it holds for everybody."""
    return Formatter().vformat(sentence, (), Placeholders())


def causes() -> Iterator[Explanation]:
    """Yield a row for each cause that is no reason of the function's; rows of one name share it."""
    seen: set[str] = set(REASONS)
    for each in CAUSES:
        if each.name in seen:
            continue
        seen.add(each.name)
        means = in_general(each.says)
        yield Explanation(
            "diagnosis", each.name, means[:1].upper() + means[1:] + ".", in_general(each.remedy), each.reference
        )


def reason(name: str, means: str) -> Explanation:
    remedy = next(in_general(each.remedy) for each in reversed(CAUSES) if each.name == name)
    return Explanation("refusal", name, means, remedy, "iotauth_authorizer.authorize", causes=(name,))


answer = partial(Explanation, "answer-rule", source="iotauth_authorizer.event.parse_answer", causes=("invalid-answer",))

ROWS = (
    *(reason(name, means) for name, means in REASONS.items()),
    *(answer(name, means, FUNCTION) for name, means in ANSWERS.items()),
    *causes(),
    *(
        Explanation("policy-rule", rule.slug, rule.explanation, "`iotauth policy lint`", "iotauth policy rules")
        for rule in RULES.values()
    ),
    *(
        Explanation("iotauth-error", kind.code, means, NEXT_OF_ERROR.get(kind.code, HINT), "iotauth_cli.errors")
        for kind, means in ERRORS.items()
    ),
    *(
        Explanation(
            "exit-code", f"exit code {code}", means, "see docs/reference/exit-codes.md", "iotauth", codes=(code,)
        )
        for code, means in EXITS.items()
    ),
)
