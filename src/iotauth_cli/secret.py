"""A value that must not be seen: it prints as dots wherever it lands."""

import re

MASK = "••••"

# What AWS repeats of a request in its refusals: the session token, in the canonical string of a signature that does
# not match, and a function's variables, in the answer to too many of them.
REPEATED = re.compile(r"(x-amz-security-token[:=]\s*)[^\s'\"&\\]+|(String measured: ?).*", re.IGNORECASE)


def discreet(text: str) -> str:
    """Return words of AWS's without what they repeat of the request."""
    return REPEATED.sub(lambda found: f"{found[1] or found[2]}{MASK}", text)


class Secret:
    """A password, token or private key. Only `reveal` gives the text.

    It cannot be pickled or formatted into the open, and compares in constant time.
    """

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        return self._text

    def __repr__(self) -> str:
        return f"Secret({MASK})"

    def __str__(self) -> str:
        return MASK

    def __format__(self, spec: str) -> str:
        return format(MASK, spec)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Secret):
            return NotImplemented
        from hmac import compare_digest  # here: it loads OpenSSL, and most commands compare no secrets

        return compare_digest(self._text.encode(), other._text.encode())

    __hash__ = None  # type: ignore[assignment]  # a hash of a secret is a way to guess it

    def __reduce__(self) -> str:
        raise TypeError("a Secret is not serialised")
