"""Messages: what may be declared, and that what is sent is what arrives."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum
from typing import Annotated, Any, Literal

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from btard.errors import ConfigurationError
from btard.types import Digest, FaultKind, PeerId
from btard.wire import MaxLen, MaxSize, Range, Rejection, Size, decode, encode, message


@message("scalars")
@dataclass(frozen=True, slots=True)
class Scalars:
    projections: Annotated[tuple[float, ...], MaxLen(8)]
    norm: float


@message("silence")
@dataclass(frozen=True, slots=True)
class Silence:
    pass


class Colour(str, Enum):
    RED = "red"
    BLUE = "blue"


@message("paint")
@dataclass(frozen=True, slots=True)
class Paint:
    colour: Colour
    coat: Literal["first", "second"]


@message("report")
@dataclass(frozen=True, slots=True)
class Report:
    peer: PeerId
    salt: Annotated[bytes, Size(4)]
    blob: Annotated[bytes, MaxSize(300)]
    name: Annotated[str, MaxLen(40)]
    step: Annotated[int, Range(-(2**63), 2**64 - 1)]
    final: bool
    ratio: float
    parent: Digest | None
    note: Annotated[str, MaxLen(8)] | None
    rows: Annotated[tuple[Scalars, ...], MaxLen(4)]
    said: Scalars | None
    paint: Paint | None


def reason(refused: object) -> FaultKind:
    assert isinstance(refused, Rejection)
    return refused.reason


KEYS = st.binary(min_size=32, max_size=32)
FLOATS = st.floats(allow_nan=False, allow_infinity=False)
SCALARS = st.builds(Scalars, st.lists(FLOATS, max_size=8).map(tuple), FLOATS)
REPORTS = st.builds(
    Report,
    peer=KEYS,
    salt=st.binary(min_size=4, max_size=4),
    blob=st.binary(max_size=300),
    name=st.text(max_size=10),
    step=st.integers(-(2**63), 2**64 - 1),
    final=st.booleans(),
    ratio=FLOATS,
    parent=st.none() | KEYS,
    note=st.none() | st.text(max_size=2),
    rows=st.lists(SCALARS, max_size=4).map(tuple),
    said=st.none() | SCALARS,
    paint=st.none() | st.builds(Paint, st.sampled_from(Colour), st.sampled_from(["first", "second"])),
)


@given(REPORTS)
def test_every_message_arrives_as_it_was_sent(report: Report) -> None:
    raw = encode(report)
    decoded = decode(Report, raw)
    assert decoded == report
    assert encode(decoded) == raw
    assert decode((Scalars, Report), raw) == report


@given(SCALARS)
def test_the_encoding_is_a_msgpack_array_of_tag_and_fields_in_order(scalars: Scalars) -> None:
    assert encode(scalars) == msgpack.packb(["scalars", list(scalars.projections), scalars.norm])
    assert encode(Silence()) == b"\x91\xa7silence"


def test_zero_keeps_its_sign() -> None:
    decoded = decode(Scalars, encode(Scalars((-0.0,), 1.0)))
    assert str(decoded) == str(Scalars((-0.0,), 1.0))


REPORT = Report(PeerId(bytes(32)), bytes(4), b"", "", 0, False, 0.0, None, None, (), None, None)


@pytest.mark.parametrize(
    ("changes", "where"),
    [
        ({"peer": bytes(31)}, "peer: 31 bytes instead of 32"),
        ({"peer": bytearray(32)}, "peer: expected bytes, got bytearray"),
        ({"blob": bytes(301)}, "blob: 301 bytes instead of at most 300"),
        ({"name": "é" * 21}, "name: text of 42 bytes instead of at most 40"),
        ({"name": "\ud800"}, "name: text that UTF-8 cannot hold"),
        ({"step": 2**64}, "step: an integer outside of"),
        ({"step": True}, "step: expected int, got bool"),
        ({"final": 1}, "final: expected bool, got int"),
        ({"ratio": 1}, "ratio: expected float, got int"),
        ({"rows": []}, "rows: expected an array, got list"),
        ({"ratio": float("nan")}, "ratio: a float that is not finite"),
        ({"ratio": float("inf")}, "ratio: a float that is not finite"),
        (
            {"rows": (Scalars((), 1.0), Scalars((float("-inf"),), 1.0))},
            r"rows\[1\].projections\[0\]: a float",
        ),
        ({"rows": (Scalars((), 1.0),) * 5}, "rows: 5 items instead of at most 4"),
        ({"said": Silence()}, "said: expected a message"),
        ({"paint": Paint("red", "first")}, "paint.colour: expected one of the choices"),  # type: ignore[arg-type]
        ({"paint": Paint(Colour.RED, "third")}, "paint.coat: expected one of the choices"),  # type: ignore[arg-type]
    ],
)
def test_our_own_mistake_is_named_by_its_field_before_it_is_sent(changes: dict[str, Any], where: str) -> None:
    with pytest.raises(ConfigurationError, match=f"a Report cannot be sent: {where}"):
        encode(replace(REPORT, **changes))


@pytest.mark.parametrize(
    "hint",
    [
        *(bytes, str, int, Any, list[int], dict[str, int], tuple[float, ...], tuple[float, float]),
        *(Annotated[bytes, MaxLen(3)], Annotated[int, Range(0, 2**64)], Annotated[bool, Range(0, 1)]),
        *(Annotated[tuple[int, ...], MaxLen(3)], Annotated[tuple[float, float], MaxLen(3)], Scalars | int),
    ],
)
def test_a_field_without_a_bound_does_not_compile(hint: Any) -> None:
    loose = type("Loose", (), {"__annotations__": {"field": hint}, "__module__": __name__})
    with pytest.raises(ConfigurationError, match="has no bounded encoding"):
        message("loose")(dataclass(frozen=True)(loose))


def test_only_frozen_dataclasses_with_a_short_tag_are_messages() -> None:
    with pytest.raises(ConfigurationError, match="frozen"):
        message("loose")(dataclass(type("Loose", (), {})))
    for tag in ("", "x" * 33):
        with pytest.raises(ConfigurationError, match="tag"):
            message(tag)(Silence)


def test_a_subclass_of_a_message_is_not_that_message() -> None:
    @dataclass(frozen=True)
    class Louder(Scalars):
        volume: int = 11

    with pytest.raises(ConfigurationError, match="is not a message"):
        encode(Louder((), 1.0))
    with pytest.raises(ConfigurationError, match="is not a message"):
        decode(Louder, b"")


def test_kinds_read_together_need_different_tags() -> None:
    impostor = message("scalars")(dataclass(frozen=True)(type("Impostor", (), {})))
    with pytest.raises(ConfigurationError, match="different tags"):
        decode((Scalars, impostor), b"")


def test_the_size_limit_of_a_message_follows_from_its_fields() -> None:
    largest = encode(Scalars((1e300,) * 8, 1.0))
    assert isinstance(decode(Scalars, largest), Scalars)
    assert reason(decode(Scalars, largest + bytes(64))) is FaultKind.OVERSIZE


@pytest.mark.parametrize(
    ("sent", "expected"),
    [
        (["paint", "green", "first"], FaultKind.OUT_OF_BOUNDS),
        (["paint", "red", "third"], FaultKind.OUT_OF_BOUNDS),
        (["paint", 1, "first"], FaultKind.WRONG_TYPE),
    ],
)
def test_a_choice_is_its_text_on_the_wire_and_no_other_text_is_taken(sent: Any, expected: FaultKind) -> None:
    assert encode(Paint(Colour.RED, "second")) == msgpack.packb(["paint", "red", "second"])
    assert reason(decode(Paint, msgpack.packb(sent))) is expected
