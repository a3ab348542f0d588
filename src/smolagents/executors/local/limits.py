"""Operations whose result can be far larger than their operands, with their size checked first."""

from __future__ import annotations

import operator
from collections.abc import Callable
from itertools import compress
from typing import Any

from smolagents.executors.errors import ExecutionLimitError, LimitSignal

from . import current

__all__ = [
    "MAX_BYTES",
    "MAX_INTEGER_BITS",
    "MAX_RANGE",
    "MAX_WIDTH",
    "add_guarded",
    "bounded_range",
    "bytes_argument",
    "iadd_guarded",
    "imod_guarded",
    "imul_guarded",
    "ipow_guarded",
    "ilshift_guarded",
    "limit",
    "lshift_guarded",
    "mod_guarded",
    "mul_guarded",
    "pow_guarded",
    "ticked_range",
    "AUGMENTED",
    "check_percent",
    "check_power",
    "check_product",
    "check_shift",
    "check_width",
]

MAX_INTEGER_BITS = 5_000_000
"""Bits of an integer that `**`, `<<` and `*` may make: a product of this size takes some 0.1 s, uninterruptibly."""
MAX_BYTES = 256 * 1024 * 1024
"""Bytes of a sequence that repetition may make (8 per item of a list or tuple)."""
MAX_RANGE = 10_000_000
"""Items of a range that may be made into a list or the like at once; loops over longer ranges are fine."""
MAX_WIDTH = 10_000_000
"""Characters that a formatting width may ask for."""

_SMALL = 1 << 64


def limit(message: str) -> LimitSignal:
    """The signal of a size limit, for the caller to raise."""
    signal = LimitSignal(ExecutionLimitError(message))
    run = current.run()
    if run is not None:
        run.note(signal)
    return signal


def _too_many_bits(operation: str, bits: float) -> LimitSignal:
    return limit(
        f"The result of {operation} would have about {bits:.3g} bits; the limit is {MAX_INTEGER_BITS} bits "
        "(smolagents.executors.local.limits.MAX_INTEGER_BITS). Compute with smaller numbers, with floats, or modulo."
    )


def _check_repeat(sequence: Any, count: int) -> None:
    size = len(sequence) * count * (1 if isinstance(sequence, (str, bytes, bytearray)) else 8)
    if size > MAX_BYTES:
        raise limit(
            f"Repeating a {type(sequence).__name__} would take about {size:.3g} bytes; the limit is {MAX_BYTES} bytes "
            "(smolagents.executors.local.limits.MAX_BYTES). Use a smaller count, or a generator."
        )


_SEQUENCES = (str, list, tuple, bytes, bytearray)


def check_product(left: Any, right: Any) -> None:
    if isinstance(right, int):
        if isinstance(left, int):
            bits = int.bit_length(left) + int.bit_length(right)
            if bits > MAX_INTEGER_BITS:
                raise _too_many_bits("*", bits)
        elif isinstance(left, _SEQUENCES):
            _check_repeat(left, int(right))
    elif isinstance(left, int) and isinstance(right, _SEQUENCES):
        _check_repeat(right, int(left))
    elif isinstance(left, _SEQUENCES) and hasattr(type(right), "__index__"):
        _check_repeat(left, operator.index(right))
    elif isinstance(right, _SEQUENCES) and hasattr(type(left), "__index__"):
        _check_repeat(right, operator.index(left))


def mul_guarded(left: Any, right: Any) -> Any:
    kind = type(left)
    if kind is float or (kind is int and type(right) is int and -_SMALL < left < _SMALL and -_SMALL < right < _SMALL):
        return left * right
    check_product(left, right)
    return left * right


def imul_guarded(left: Any, right: Any) -> Any:
    check_product(left, right)
    left *= right
    return left


def check_power(base: Any, exponent: Any) -> None:
    if isinstance(base, int) and isinstance(exponent, int) and exponent > 1:
        bits = int.bit_length(base) * exponent
        if bits > MAX_INTEGER_BITS and base not in (0, 1, -1):
            raise _too_many_bits("**", bits)
    elif isinstance(exponent, int) and exponent > 1 and type(base).__name__ == "Fraction":
        check_power(base.numerator, exponent)
        check_power(base.denominator, exponent)


def pow_guarded(base: Any, exponent: Any, modulus: Any = None) -> Any:
    if modulus is not None:
        return pow(base, exponent, modulus)
    if type(base) is not float:
        check_power(base, exponent)
    return base**exponent


def ipow_guarded(base: Any, exponent: Any) -> Any:
    check_power(base, exponent)
    base **= exponent
    return base


def check_shift(value: Any, shift: Any) -> None:
    if isinstance(value, int) and isinstance(shift, int) and value:
        bits = int.bit_length(value) + shift
        if bits > MAX_INTEGER_BITS:
            raise _too_many_bits("<<", bits)


def lshift_guarded(value: Any, shift: Any) -> Any:
    check_shift(value, shift)
    return value << shift


def ilshift_guarded(value: Any, shift: Any) -> Any:
    check_shift(value, shift)
    value <<= shift
    return value


def check_width(width: int) -> None:
    """Refuse a formatting width, precision or padding beyond `MAX_WIDTH`.

    Raises:
        LimitSignal: The width is too large.
    """
    if width > MAX_WIDTH or width < -MAX_WIDTH:
        raise limit(
            f"Formatting to {width} characters; the limit is {MAX_WIDTH} "
            "(smolagents.executors.local.limits.MAX_WIDTH). Use a smaller width."
        )


def check_percent(template: Any, values: Any) -> None:
    text = template if isinstance(template, str) else bytes(template).decode("latin-1")
    position = 0
    stars = False
    while (position := str.find(text, "%", position)) >= 0:
        position += 1
        digits = ""
        while position < len(text) and text[position] in "0123456789.*#-+ ":
            if text[position].isdigit():
                digits += text[position]
            else:
                if len(digits) > 6:
                    check_width(int(digits[:18]))
                digits = ""
                stars = stars or text[position] == "*"
            position += 1
        if len(digits) > 6:
            check_width(int(digits[:18]))
        position += 1
    if stars:
        for value in values if isinstance(values, tuple) else (values,):
            if isinstance(value, int):
                check_width(int(value))


def mod_guarded(left: Any, right: Any) -> Any:
    if type(left) is not int and isinstance(left, (str, bytes, bytearray)):
        check_percent(left, right)
    return left % right


def imod_guarded(left: Any, right: Any) -> Any:
    if isinstance(left, (str, bytes, bytearray)):
        check_percent(left, right)
    left %= right
    return left


def _check_sum(left: Any, right: Any) -> None:
    if isinstance(left, _SEQUENCES) and isinstance(right, _SEQUENCES):
        size = (len(left) + len(right)) * (1 if isinstance(left, (str, bytes, bytearray)) else 8)
        if size > MAX_BYTES:
            raise limit(
                f"Joining two sequences would take about {size:.3g} bytes; the limit is {MAX_BYTES} bytes "
                "(smolagents.executors.local.limits.MAX_BYTES)."
            )


def add_guarded(left: Any, right: Any) -> Any:
    _check_sum(left, right)
    return left + right


def iadd_guarded(left: Any, right: Any) -> Any:
    _check_sum(left, right)
    left += right
    return left


def bounded_range(values: Any) -> Any:
    """`values` itself, for a function that takes all its items at once, unless it is a range that is too long."""
    if type(values) is range and values:
        size = abs((values[-1] - values[0]) // values.step) + 1
        if size > MAX_RANGE:
            raise limit(
                f"A range of {size} items would be held in memory at once; the limit is {MAX_RANGE} "
                "(smolagents.executors.local.limits.MAX_RANGE). Loop over the range instead."
            )
    return values


def ticked_range(values: Any) -> Any:
    """`values` itself, or, for a range that is long, an iterator over it that counts operations."""
    if type(values) is range and values and abs((values[-1] - values[0]) // values.step) >= MAX_RANGE:
        return compress(values, current.ticks())
    return values


def bytes_argument(value: Any) -> Any:
    """`value` itself, for `bytes` and `bytearray`, unless it asks for more than `MAX_BYTES`."""
    if isinstance(value, int) and value > MAX_BYTES:
        raise limit(
            f"{value} bytes at once; the limit is {MAX_BYTES} bytes (smolagents.executors.local.limits.MAX_BYTES)."
        )
    return bounded_range(value)


AUGMENTED: dict[str, Callable[[Any, Any], Any]] = {
    "Add": iadd_guarded,
    "Sub": operator.isub,
    "Mult": imul_guarded,
    "Div": operator.itruediv,
    "FloorDiv": operator.ifloordiv,
    "Mod": imod_guarded,
    "Pow": ipow_guarded,
    "LShift": ilshift_guarded,
    "RShift": operator.irshift,
    "BitOr": operator.ior,
    "BitXor": operator.ixor,
    "BitAnd": operator.iand,
    "MatMult": operator.imatmul,
}
"""In-place operations by the name of their syntax node."""
