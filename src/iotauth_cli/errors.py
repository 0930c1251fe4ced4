"""Everything iotauth can refuse or fail to find out, as one tree.

    IotauthError                    message, hint, code, exit_code
    ├── InputError            (2)   what the user typed or wrote in a file cannot be right
    │   └── ConfigError       (2)   a setting is broken or missing; the source is named
    ├── AwsError              (3)   AWS, or the emulator in its place, could not answer
    │   ├── AccessDenied
    │   ├── NotFound
    │   ├── AlreadyExists
    │   ├── Conflict
    │   ├── Throttled
    │   └── BadAnswer           an authorizer's function gave no answer that AWS IoT takes
    ├── DeviceError           (3)   a board, its port or the tools that build and flash failed
    └── EmulatorError         (3)   the emulator is not there or could not start

An error means that the answer could not be had. "No" is an answer: a result with
``ok = False`` and exit code 1, never an exception.
"""

from collections.abc import Iterable, Mapping
from typing import Any


class IotauthError(Exception):
    """A failure that is told to the user in one sentence, with a hint that can be typed.

    *message* names what is wrong with the user's own names in it, lower case, no full stop.
    *code* is stable and appears in ``--json`` output; *exit_code* is what the process returns.
    *request_id* is what the service that answered calls the request.
    """

    code = "error"
    exit_code = 3

    def __init__(self, message: str, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.request_id: str | None = None


class InputError(IotauthError):
    code = "bad-input"
    exit_code = 2


class ConfigError(InputError):
    code = "bad-config"


class AwsError(IotauthError):
    """*aws_code* is what the service called it, where a service answered, and *said* its own words."""

    code = "aws"
    aws_code: str | None = None  # `ThrottlingException`
    said: str = ""


class AccessDenied(AwsError):
    """*action* is what was denied, as a policy would name it: `iam:GetRole`.

    *statement* is what would allow it, as a policy has it; None where no Allow would help.
    """

    code = "access-denied"
    action: str | None = None
    statement: Mapping[str, Any] | None = None


class NotFound(AwsError):
    code = "not-found"


class AlreadyExists(AwsError):
    code = "already-exists"


class Conflict(AwsError):
    code = "conflict"


class Throttled(AwsError):
    code = "throttled"


class BadAnswer(AwsError):
    code = "bad-answer"


class DeviceError(IotauthError):
    code = "device"


class EmulatorError(IotauthError):
    code = "emulator"


def did_you_mean(name: str, known: Iterable[str], otherwise: str) -> str:
    """Return the hint for a *name* that is none of *known*: the one that was meant, else *otherwise*."""
    from difflib import get_close_matches

    near = get_close_matches(name, list(known), n=1)
    return f"did you mean `{near[0]}`?" if near else otherwise
