"""Converters of message fields, compiled once from a field's type.

A converter turns the msgpack form of a field (`take`) into its value and back (`give`); both check types
exactly (a bool is not an int, an int not a float) and bounds. `Refused` never leaves `btard.wire`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from btard.types import FaultKind
from btard.wire.limits import Range

Convert = Callable[[Any], Any]

_HEADER_BYTES = 5


class Refused(Exception):
    """A value that its field does not admit. `where` grows outwards as it passes through containers."""

    def __init__(self, reason: FaultKind, detail: str, where: str = "") -> None:
        super().__init__(reason, detail)
        self.reason = reason
        self.detail = detail
        self.where = where

    def inside(self, outer: str) -> Refused:
        """Return the same refusal, seen from the container."""
        return Refused(self.reason, self.detail, outer + self.where)

    def __str__(self) -> str:
        return f"{self.where.lstrip('.')}: {self.detail}" if self.where else self.detail


@dataclass(frozen=True, slots=True)
class Converter:
    """`bytes_max` is the longest encoding, `items_max` the longest array within that is read at all."""

    take: Convert
    give: Convert
    bytes_max: int
    items_max: int = 0


def wrong_type(expected: str, value: object) -> Refused:
    """Return the refusal of a value of another type. It repeats the name of the type, not the value."""
    return Refused(FaultKind.WRONG_TYPE, f"expected {expected}, got {type(value).__name__}")


def boolean() -> Converter:
    """`bool`, and nothing that is merely truthy."""

    def check(value: Any) -> bool:
        if type(value) is not bool:
            raise wrong_type("bool", value)
        return value

    return Converter(check, check, 1)


def binary(least: int, most: int) -> Converter:
    """`bytes` of a size from `least` to `most`."""

    def check(value: Any) -> bytes:
        if type(value) is not bytes:
            raise wrong_type("bytes", value)
        if not least <= len(value) <= most:
            bound = str(most) if least == most else f"at most {most}"
            raise Refused(FaultKind.OUT_OF_BOUNDS, f"{len(value)} bytes instead of {bound}")
        return value

    return Converter(check, check, most + _HEADER_BYTES)


def text(most: int) -> Converter:
    """`str` of at most `most` bytes in UTF-8."""

    def check(value: Any) -> str:
        if type(value) is not str:
            raise wrong_type("str", value)
        try:
            size = len(value) if value.isascii() else len(value.encode())
        except UnicodeEncodeError:
            raise Refused(FaultKind.OUT_OF_BOUNDS, "text that UTF-8 cannot hold") from None
        if size > most:
            raise Refused(FaultKind.OUT_OF_BOUNDS, f"text of {size} bytes instead of at most {most}")
        return value

    return Converter(check, check, most + _HEADER_BYTES)


def choice(values: Mapping[str, Any]) -> Converter:
    """Convert text that is one of `values` to what it stands for, and back."""
    texts = {value: text for text, value in values.items()}
    kinds = set(map(type, texts))

    def take(value: Any) -> Any:
        if type(value) is not str:
            raise wrong_type("str", value)
        if value not in values:
            raise Refused(FaultKind.OUT_OF_BOUNDS, f"text that is none of {len(values)} choices")
        return values[value]

    def give(value: Any) -> str:
        if type(value) not in kinds or value not in texts:
            raise wrong_type("one of the choices", value)
        return texts[value]

    return Converter(take, give, max(len(text.encode()) for text in values) + _HEADER_BYTES)


def integer(bounds: Range) -> Converter:
    """`int` within bounds."""

    def check(value: Any) -> int:
        if type(value) is not int:
            raise wrong_type("int", value)
        if not bounds.least <= value <= bounds.most:
            detail = f"an integer outside of [{bounds.least}, {bounds.most}]"
            raise Refused(FaultKind.OUT_OF_BOUNDS, detail)
        return value

    return Converter(check, check, 9)


def real() -> Converter:
    """`float`, finite."""

    def check(value: Any) -> float:
        if type(value) is not float:
            raise wrong_type("float", value)
        if not math.isfinite(value):
            raise Refused(FaultKind.OUT_OF_BOUNDS, "a float that is not finite")
        return value

    return Converter(check, check, 9)


def optional(inner: Converter) -> Converter:
    """`T | None`."""

    def unless_none(convert: Convert) -> Convert:
        return lambda value: None if value is None else convert(value)

    take, give = unless_none(inner.take), unless_none(inner.give)
    return Converter(take, give, inner.bytes_max, inner.items_max)


def sequence(inner: Converter, most: int) -> Converter:
    """`tuple[T, ...]` of at most `most` items."""

    def over(container: type[Any], convert: Convert, build: Convert) -> Convert:
        def check(values: Any) -> Any:
            if type(values) is not container:
                raise wrong_type("an array", values)
            if len(values) > most:
                raise Refused(FaultKind.OUT_OF_BOUNDS, f"{len(values)} items instead of at most {most}")
            items: list[Any] = []
            try:
                for value in values:
                    items.append(convert(value))
            except Refused as refused:
                raise refused.inside(f"[{len(items)}]") from None
            return build(items)

        return check

    # One item more than it takes, so that too long an array is told apart from garbage.
    bytes_max, items_max = _HEADER_BYTES + most * inner.bytes_max, max(most + 1, inner.items_max)
    return Converter(over(list, inner.take, tuple), over(tuple, inner.give, list), bytes_max, items_max)
