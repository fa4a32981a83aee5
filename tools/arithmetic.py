"""Evaluate a written arithmetic expression exactly, without eval().

Knows + - * / ^ ** ( ) sqrt and a trailing %, on decimal numbers. Works in fractions; only a
square root that is not a fraction is rounded (50 digits). It has no names, no assignment, no
other functions, and it does not read words: see calculator.
"""

from __future__ import annotations

from decimal import Context, Decimal
from fractions import Fraction
from math import isqrt

from .base import ToolError
from .patterns import compiled

MAX_CHARS = 200
_MAX_DEPTH = 30
_MAX_BITS = 4000  # about 1200 digits on either side of the fraction bar
_TOKEN = (
    r" *(?:((?:[0-9]{1,3}(?:,[0-9]{3}(?![0-9]))+|[0-9]+)(?:\.[0-9]+)?|\.[0-9]+)"
    r"|(\*\*|sqrt|[-+*/^()%]))"
)
_ROOT = Context(prec=50)


def tokens(expression: str) -> list[str]:
    """Numbers (without their commas) and operators; raises ToolError for anything else."""
    if len(expression) > MAX_CHARS:
        raise ToolError(f"the expression is over {MAX_CHARS} characters; split it into parts")
    expression, found, pos = expression.strip(), [], 0
    while pos < len(expression):
        match = compiled(_TOKEN).match(expression, pos)
        if not match:
            raise ToolError(f"cannot read {expression!r}; use only numbers and + - * / ^ ( ) sqrt %")
        found.append(match[1].replace(",", "") if match[1] else match[2].replace("**", "^"))
        pos = match.end()
    return found


def evaluate(expression: str) -> Fraction:
    """Value of the expression; ^ binds tighter than a sign on its left and groups to the right.

    Raises ToolError when it cannot be read, divides by zero, grows beyond 1200 digits, has a
    fractional exponent or a negative number under the root, or adds a percentage to a plain
    number (200 + 10% means 200.1 to some and 220 to others).
    """
    parser = _Parser(tokens(expression))
    if mixes_percent(parser.tokens):
        raise ToolError("adding a percentage is ambiguous; ask for 10% of 200 and then add it")
    value = parser.sum(0)
    if parser.peek():
        raise ToolError(f"cannot read {expression!r} from {parser.peek()!r} on; check the operators")
    return value


def mixes_percent(items: list[str]) -> bool:
    """Whether a sum or difference has a percentage on its right and a plain number on its left."""
    return any(
        items[i] == "%" and items[i - 2] in {"+", "-"} and items[i - 3][-1] in "0123456789)"
        for i in range(3, len(items))
    )


def limited(value: Fraction) -> Fraction:
    """The value itself; raises ToolError when it is too large to be worth writing."""
    if max(value.numerator.bit_length(), value.denominator.bit_length()) > _MAX_BITS:
        raise ToolError("the numbers become too large; use smaller numbers or exponents")
    return value


def divide(left: Fraction, right: Fraction) -> Fraction:
    """left / right; raises ToolError for a zero divisor."""
    if right == 0:
        raise ToolError("division by zero; give a divisor other than 0")
    return left / right


def root(value: Fraction) -> Fraction:
    """Square root, exact where it is a fraction; raises ToolError below zero."""
    if value < 0:
        raise ToolError("no square root of a negative number; give a number from 0 up")
    top, bottom = isqrt(value.numerator), isqrt(value.denominator)
    if Fraction(top, bottom) ** 2 == value:
        return Fraction(top, bottom)
    quotient = _ROOT.divide(Decimal(value.numerator), Decimal(value.denominator))
    return Fraction(_ROOT.sqrt(quotient))


def power(base: Fraction, exponent: Fraction) -> Fraction:
    """base ** exponent for a whole exponent; raises ToolError otherwise."""
    if exponent.denominator != 1:
        raise ToolError("only whole exponents work; use sqrt for a square root")
    size = max(base.numerator.bit_length(), base.denominator.bit_length())
    if abs(exponent) * max(size - 1, 1) > _MAX_BITS and abs(base) != 1 and base != 0:
        raise ToolError("the power becomes too large; use a smaller exponent")
    if base == 0 and exponent < 0:
        raise ToolError("division by zero; give a base other than 0")
    if base in {-1, 0, 1}:  # any exponent is fine here, however large
        exponent = exponent % 2 if base else min(exponent, Fraction(1))
    return base ** int(exponent)


class _Parser:
    def __init__(self, items: list[str]) -> None:
        self.tokens = items
        self.at = 0

    def peek(self) -> str:
        return self.tokens[self.at] if self.at < len(self.tokens) else ""

    def next(self) -> str:
        token = self.peek()
        self.at += 1
        return token

    def sum(self, depth: int) -> Fraction:
        value = self.product(depth)
        while self.peek() in {"+", "-"}:
            sign = 1 if self.next() == "+" else -1
            value = limited(value + sign * self.product(depth))
        return value

    def product(self, depth: int) -> Fraction:
        value = self.signed(depth)
        while self.peek() in {"*", "/"}:
            times = self.next() == "*"
            right = self.signed(depth)
            value = limited(value * right if times else divide(value, right))
        return value

    def signed(self, depth: int) -> Fraction:
        sign = 1
        while self.peek() in {"+", "-"}:
            sign = -sign if self.next() == "-" else sign
        return sign * self.power(depth)

    def power(self, depth: int) -> Fraction:
        base = self.atom(depth)
        if self.peek() != "^":
            return base
        self.next()
        if depth >= _MAX_DEPTH:
            raise ToolError("too many nested powers; split the expression into parts")
        return limited(power(base, self.signed(depth + 1)))

    def atom(self, depth: int) -> Fraction:
        token = self.next()
        if token == "sqrt":
            value = root(self.nested(depth))
        elif token == "(":
            self.at -= 1
            value = self.nested(depth)
        elif token and token[-1].isdigit():
            value = limited(Fraction(token))
        else:
            raise ToolError(f"a number is missing before {token or 'the end'!r}; write it out")
        while self.peek() == "%":
            self.next()
            value /= 100
        return value

    def nested(self, depth: int) -> Fraction:
        """( sum ), or after sqrt also a bare number."""
        if depth >= _MAX_DEPTH:
            raise ToolError("too many nested parentheses; split the expression into parts")
        if self.peek() != "(":
            return self.atom(depth + 1)
        self.next()
        value = self.sum(depth + 1)
        if self.next() != ")":
            raise ToolError("a closing parenthesis is missing; add it")
        return value
