"""Causes that lie in the function: what it refuses, and how it fails to answer."""

from __future__ import annotations

from functools import partial

from iotauth_cli.probe import clues, told
from iotauth_cli.probe.cause import ANY_END, ENTRANCE, Cause
from iotauth_cli.probe.causes.references import FUNCTION, REASONS, TROUBLESHOOTING
from iotauth_cli.probe.causes.remedies import CREATE, FUNCTION_LOG, REPLACE, ROW

refused = partial(Cause, stages=ENTRANCE, symptoms=ANY_END)

IN_ORDER = f"bring table, role and function in order: {CREATE}"


def logged(reason: str, says: str, remedy: str) -> Cause:
    """Return the row for a refusal that iotauth's own handler logs as *reason*."""
    return refused(
        reason,
        when=(clues.logged(reason),),
        says=says,
        evidence=(told.calls,),
        remedy=remedy,
        reference=REASONS,
    )


CAUSES = (
    refused(
        "password-in-base64",
        when=(clues.credentials_are_refused, clues.password_is_in_base64),
        says="the device sends its password in base64, and the function gets it so",
        evidence=(told.calls, told.test_outcome),
        remedy="have the device send the password itself; only TestInvokeAuthorizer wants it in base64",
        reference=FUNCTION,
    ),
    refused(
        "wrong-password",
        when=(clues.logged("wrong-password"), clues.typed("password")),
        says="the password given for client `{client}` is wrong",
        evidence=(told.calls, told.spelling),
        remedy="use the stored one: leave out `--password-stdin`",
        reference=REASONS,
    ),
    logged("wrong-password", "the stored password of client `{client}` is not the one in table `{table}`", REPLACE),
    logged(
        "unknown-client",
        "there is no client `{client}` in table `{table}`",
        "add it: `iotauth client add {client}{where}` with its topics",
    ),
    logged(
        "wrong-username",
        "the user name of client `{client}` is not `{user}`",
        "see it with `iotauth client show {client}{where}`, and give it with `--username`",
    ),
    logged("disabled", "client `{client}` is disabled", "let it in again: `iotauth client enable {client}{where}`"),
    logged(
        "expired",
        "client `{client}` has expired",
        "prolong it: `iotauth client update {client} --ttl 30d{where}`, or `--no-expiry` for good",
    ),
    logged("secret-retired", "the password of client `{client}` was retired by a rotation", REPLACE),
    logged("secret-expired", "the password of client `{client}` has expired", REPLACE),
    logged("no-password", "the device sends no password", "give one with `--password-stdin`"),
    logged(
        "no-client-id", "the device sends no client id that can be one", "name it: `iotauth test-connect CLIENT{where}`"
    ),
    logged(
        "signature-required",
        "client `{client}` or function `{function}` wants a signed token, and authorizer `{authorizer}` checks none",
        "name the signed authorizer: `{again} --authorizer NAME{where}`; or, if no client has "
        "one, set IOTAUTH_REQUIRE_SIGNATURE to 0 in the environment of function `{function}`",
    ),
    logged(
        "wrong-token",
        "the token of client `{client}` is signed, and for another client or in another form",
        "sign its own: `iotauth keys sign --for-client {client} --authorizer {authorizer}{where}`",
    ),
    logged(
        "policy-too-large",
        "the topics of client `{client}` do not fit into ten policy documents",
        "grant fewer and wider ones: `iotauth client update {client}{where}` with its topics",
    ),
    logged(
        "malformed-record",
        f"{ROW} holds a value that the function cannot use",
        "find it with `iotauth client show {client}{where}`, and mend the row",
    ),
    logged("table-unavailable", "function `{function}` cannot read table `{table}`: {cause}", IN_ORDER),
    logged("misconfigured", "function `{function}` is not told its table in IOTAUTH_TABLE", IN_ORDER),
    refused(
        "refused-by-function",
        when=(clues.logged_a_refusal,),
        says="function `{function}` refuses client `{client}`: `{reason}`",
        evidence=(told.calls,),
        remedy=f"see its log: {FUNCTION_LOG}",
        reference=REASONS,
    ),
    refused(
        "function-timeout",
        when=(clues.timed_out,),
        says="function `{function}` does not answer in time; AWS IoT waits for 5 s at most",
        evidence=(told.calls, told.call_error, told.test_outcome),
        remedy=f"see what it waits for: {FUNCTION_LOG}",
        reference=TROUBLESHOOTING,
    ),
    refused(
        "function-error",
        when=(clues.failed_with_an_error,),
        says="function `{function}` fails instead of answering",
        evidence=(told.calls, told.call_error, told.test_outcome, told.fault),
        remedy=f"see the whole error: {FUNCTION_LOG}",
        reference=TROUBLESHOOTING,
    ),
    refused(
        "invalid-answer",
        when=(clues.answer_is_invalid,),
        says="AWS IoT does not take the answer of function `{function}`: {fault}",
        evidence=(told.calls, told.test_outcome),
        remedy="mend the answer, and try it: `iotauth authorizer test-invoke {authorizer} --client {client}{where}`",
        reference=FUNCTION,
    ),
    refused(
        "no-valid-answer",
        when=(clues.test_call("no-answer"),),
        says="AWS IoT gets no answer that it takes from function `{function}`",
        evidence=(told.calls, told.test_outcome),
        remedy=f"see in its log whether it was asked at all: {FUNCTION_LOG}",
        reference=FUNCTION,
    ),
    refused(
        "refused",
        when=(clues.test_call("refused"),),
        says="function `{function}` refuses this login: client id, user name or password is wrong, or the client is "
        "disabled or expired",
        evidence=(told.calls, told.test_outcome),
        remedy=f"its log tells which: {FUNCTION_LOG}",
        reference=FUNCTION,
    ),
)
