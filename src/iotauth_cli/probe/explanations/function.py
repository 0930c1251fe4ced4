"""Lines that Lambda and the runtime write into the function's log, and exceptions of the tables it asks."""

from __future__ import annotations

from functools import partial

from iotauth_cli.probe.explanation import Explanation, Family
from iotauth_cli.probe.explanations.likely import CONNECT, FUNCTION

FAMILIES = (Family("lambda", "the function's log in CloudWatch", also=("cloudwatch",)),)

line = partial(Explanation, "lambda", source='AWS Lambda developer guide, "Troubleshoot invocation issues"')
table = partial(Explanation, "lambda", source='Amazon DynamoDB developer guide, "Error handling"')

CREATE = "`iotauth authorizer create` brings table, role and function in order"
DEPLOY = "`iotauth authorizer create` puts iotauth's own code there; a handler of your own is yours to mend"

ROWS = (
    line(
        "Task timed out",
        "The function did not end within its time limit. AWS IoT waits for 5 s at most, whatever that limit is.",
        FUNCTION,
        texts=("Task timed out after",),
        causes=("function-timeout",),
    ),
    line(
        "Runtime.ImportModuleError",
        "The function cannot be loaded: the module named in its handler, or one that it imports, is not in the zip.",
        DEPLOY,
        texts=("Unable to import module",),
        causes=("function-error",),
    ),
    line(
        "Runtime.HandlerNotFound",
        "The module has no function of the handler's name.",
        DEPLOY,
        causes=("function-error",),
    ),
    line(
        "Runtime.UserCodeSyntaxError",
        "The function's code is no Python.",
        DEPLOY,
        causes=("function-error",),
    ),
    line(
        "Runtime exited",
        "The function's process ended in the middle: out of memory, or it ended itself.",
        FUNCTION,
        texts=("Runtime.ExitError", "Error: Runtime exited"),
        causes=("function-error",),
    ),
    line(
        "KeyError: 'password'",
        "The handler takes for granted that a device sends a password; test calls and some devices send none.",
        FUNCTION,
        texts=("KeyError: 'username'", "KeyError: 'protocolData'", "KeyError: 'mqtt'", "[ERROR] KeyError"),
        causes=("function-error",),
    ),
    line(
        "AccessDeniedException on dynamodb:GetItem",
        "The function's role may not read the table of clients.",
        CREATE,
        texts=(
            "is not authorized to perform: dynamodb:GetItem",
            "AccessDeniedException GetItem",
            "AccessDeniedException",
        ),
        causes=("table-unavailable",),
    ),
    table(
        "ResourceNotFoundException",
        "The table that the function asks is not there, or is in another region.",
        CREATE,
        texts=("Requested resource not found",),
        causes=("table-unavailable",),
    ),
    table(
        "ProvisionedThroughputExceededException",
        "More clients connect at once than the table's reads allow.",
        "have the table bill by request, as iotauth makes it",
        texts=("ThrottlingException",),
        causes=("table-unavailable",),
    ),
    line(
        "TooManyRequestsException",
        "More calls of the function ran at once than its concurrency allows.",
        "raise the function's reserved concurrency, and have devices wait longer before they connect again",
        texts=("Rate Exceeded", "ReservedFunctionConcurrentInvocationLimitExceeded"),
    ),
    line(
        "Policy document is Malformed",
        "AWS IoT cannot read the policy that the function returns: often a document that was made text twice.",
        FUNCTION,
        texts=("MalformedPolicyException",),
        causes=("invalid-answer",),
    ),
    line(
        "REPORT RequestId",
        "A call of the function ended; `Duration` over 5,000 ms means that AWS IoT had already gone.",
        CONNECT,
        causes=("function-timeout",),
    ),
)
