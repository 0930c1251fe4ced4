"""DynamoDB's numbers: decimals of up to 38 significant digits, written plainly.

A number travels as text. `canonical` gives the one text that stands for its value (no
exponent, no needless zero), so equal numbers are equal texts everywhere above this module.
Source: Amazon DynamoDB developer guide, "Supported data types and naming rules", Numbers.
"""

from __future__ import annotations

import re
from decimal import Context, Decimal

from iotauth_cli.emulator.control.dynamodb.errors import invalid

MAX_DIGITS = 38  # significant
MAX_EXPONENT = 125  # of the first significant digit
MIN_EXPONENT = -130

NUMBER = re.compile(r"[+-]?(?P<digits>\d+\.?\d*|\.\d+)(?:[eE](?P<exponent>[+-]?\d+))?", re.ASCII)
PLAIN_INTEGER = re.compile(r"0|-?[1-9]\d{0,37}", re.ASCII)  # already canonical: the common case

# Wide enough to hold any sum of two numbers exactly: 125 + 130 digits and a carry.
EXACT = Context(prec=300)
# An exponent of more digits cannot be brought back into range by what fits in one request.
HOPELESS_EXPONENT_DIGITS = 7

OVERFLOW = "Number overflow. Attempting to store a number with magnitude larger than supported range"
UNDERFLOW = "Number underflow. Attempting to store a number with magnitude smaller than supported range"
TOO_PRECISE = "Attempting to store more than 38 significant digits in a Number"


def canonical(text: str) -> str:
    """Return the text that stands for the number *text*: ``canonical("+01.50e1") == "15"``.

    Raises:
        ServiceError: *text* is not a number, or outside DynamoDB's range or precision.
    """
    if PLAIN_INTEGER.fullmatch(text):
        return text
    return _plain(_parse(text))


def combine(left: str, operator: str, right: str) -> str:
    """Return *left* plus or minus *right*, all three canonical.

    Raises:
        ServiceError: the result is out of range, or needs more than 38 digits, which AWS calls an overflow, too.
    """
    operands = Decimal(left), Decimal(right)
    result = EXACT.add(*operands) if operator == "+" else EXACT.subtract(*operands)
    if result and (_digits(result) > MAX_DIGITS or result.adjusted() > MAX_EXPONENT):
        raise invalid(OVERFLOW)
    if result and result.adjusted() < MIN_EXPONENT:
        raise invalid(UNDERFLOW)
    return _plain(result)


def byte_size(text: str) -> int:
    """Return what the canonical number *text* adds to the size of its item, in bytes.

    One byte, and one for every two digits begun before and behind the decimal point, and one for
    a minus. Zeros at either end do not count. Source: paritysuite/dynamodb-conformance, measured
    on AWS (the developer guide only approximates).
    """
    integer, _, fraction = text.lstrip("-").partition(".")
    integer = integer.lstrip("0")
    if not fraction:
        integer = integer.rstrip("0")
    if not integer:
        fraction = fraction.lstrip("0")
    return 1 + (len(integer) + 1) // 2 + (len(fraction) + 1) // 2 + text.startswith("-")


def order_key(text: str) -> bytes:
    """Return bytes that sort as the canonical number *text* does, for a sort key in SQLite.

    Sign, then exponent, then digits. A negative number's exponent and digits are complemented,
    and closed by a byte above every digit, so that the shorter of two prefixes sorts last.
    """
    sign, digits, _ = Decimal(text).normalize(EXACT).as_tuple()
    if digits == (0,):
        return b"\x80"
    exponent = Decimal(text).adjusted() - MIN_EXPONENT  # 0..255: fits one byte
    if not sign:
        return bytes((0x81, exponent, *digits))
    return bytes((0x7F, 0xFF - exponent, *(9 - digit for digit in digits), 0xFF))


def _parse(text: str) -> Decimal:
    match = NUMBER.fullmatch(text)
    if match is None:
        raise invalid(f"The parameter cannot be converted to a numeric value: {text}")
    if not match["digits"].strip("0."):
        return Decimal(0)
    exponent = match["exponent"] or ""
    if len(exponent.lstrip("+-").lstrip("0")) > HOPELESS_EXPONENT_DIGITS:
        raise invalid(UNDERFLOW if exponent.startswith("-") else OVERFLOW)
    number = Decimal(text)
    if number.adjusted() > MAX_EXPONENT:
        raise invalid(OVERFLOW)
    if number.adjusted() < MIN_EXPONENT:
        raise invalid(UNDERFLOW)
    if _digits(number) > MAX_DIGITS:
        raise invalid(TOO_PRECISE)
    return number


def _digits(number: Decimal) -> int:
    """Return how many significant digits *number* has, zeros at the end not counted."""
    return len("".join(map(str, number.as_tuple().digits)).rstrip("0"))


def _plain(number: Decimal) -> str:
    if not number:
        return "0"
    text = format(number, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text
