"""A value that must not be seen: it prints as dots wherever it lands."""

MASK = "••••"


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
