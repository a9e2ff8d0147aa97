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
    norm: Annotated[float, Range(0.0, 1e30)]


@message("silence")
@dataclass(frozen=True, slots=True)
class Silence:
    pass


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
    note: Annotated[str | None, MaxLen(8)]
    rows: Annotated[tuple[Scalars, ...], MaxLen(4)]
    votes: Annotated[tuple[tuple[PeerId, bool], ...], MaxLen(4)]
    said: Scalars | Silence | None


KEYS = st.binary(min_size=32, max_size=32)
FLOATS = st.floats(allow_nan=False, allow_infinity=False)
SCALARS = st.builds(Scalars, st.lists(FLOATS, max_size=8).map(tuple), st.floats(min_value=0, max_value=1e30))
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
    votes=st.lists(st.tuples(KEYS, st.booleans()), max_size=4).map(tuple),
    said=st.none() | SCALARS | st.just(Silence()),
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


def test_a_message_without_fields_is_its_tag() -> None:
    assert encode(Silence()) == b"\x91\xa7silence"
    assert decode(Silence, encode(Silence())) == Silence()


def test_zero_keeps_its_sign() -> None:
    assert encode(Scalars((0.0,), 1.0)) != encode(Scalars((-0.0,), 1.0))
    decoded = decode(Scalars, encode(Scalars((-0.0,), 1.0)))
    assert str(decoded) == str(Scalars((-0.0,), 1.0))


def report(**changes: Any) -> Report:
    plain = Report(bytes(32), bytes(4), b"", "", 0, False, 0.0, None, None, (), (), None)  # type: ignore[arg-type]
    return replace(plain, **changes)


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
        ({"rows": (Scalars((), 1.0), Scalars((float("nan"),), 1.0))}, r"rows\[1\].projections\[0\]: a float"),
        ({"rows": (Scalars((), -1.0),)}, r"rows\[0\].norm: a float outside of"),
        ({"votes": ((bytes(32), True, True),)}, r"votes\[0\]: 3 items instead of 2"),
        ({"votes": ((bytes(32), None),)}, r"votes\[0\]\[1\]: expected bool, got NoneType"),
        ({"said": report}, "said: expected a message"),
    ],
)
def test_our_own_mistake_is_named_by_its_field_before_it_is_sent(changes: dict[str, Any], where: str) -> None:
    with pytest.raises(ConfigurationError, match=f"a Report cannot be sent: {where}"):
        encode(report(**changes))


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_infinities_and_nan_are_not_sent(value: float) -> None:
    with pytest.raises(ConfigurationError, match="finite"):
        encode(Scalars((), value))


@pytest.mark.parametrize(
    "hint",
    [
        bytes,
        str,
        int,
        list[int],
        dict[str, int],
        tuple[float, ...],
        Annotated[bytes, MaxLen(3)],
        Annotated[int, Range(0, 2**64)],
        Annotated[bool, Range(0, 1)],
        Annotated[tuple[int, ...], MaxLen(3)],
        Scalars | int,
        Any,
    ],
)
def test_a_field_without_a_bound_does_not_compile(hint: Any) -> None:
    kind = dataclass(frozen=True)(
        type("Loose", (), {"__annotations__": {"field": hint}, "__module__": __name__})
    )
    with pytest.raises(ConfigurationError):
        message("loose")(kind)


def test_only_frozen_dataclasses_with_a_short_tag_are_messages() -> None:
    with pytest.raises(ConfigurationError, match="frozen"):
        message("loose")(dataclass(type("Loose", (), {})))
    with pytest.raises(ConfigurationError, match="tag"):
        message("")(Silence)
    with pytest.raises(ConfigurationError, match="tag"):
        message("x" * 33)(Silence)


def test_a_subclass_of_a_message_is_not_that_message() -> None:
    @dataclass(frozen=True)
    class Louder(Scalars):
        volume: int = 11

    with pytest.raises(ConfigurationError, match="is not a message"):
        encode(Louder((), 1.0))
    with pytest.raises(ConfigurationError, match="is not a message"):
        decode(Louder, b"")


def test_kinds_read_together_need_different_tags() -> None:
    @message("scalars")
    @dataclass(frozen=True)
    class Impostor:
        pass

    with pytest.raises(ConfigurationError, match="different tags"):
        decode((Scalars, Impostor), b"")


def test_the_size_limit_of_a_message_follows_from_its_fields() -> None:
    largest = encode(Scalars((1e300,) * 8, 1.0))
    rejection = decode(Scalars, largest + bytes(64))
    assert isinstance(decode(Scalars, largest), Scalars)
    assert isinstance(rejection, Rejection)
    assert rejection.reason is FaultKind.OVERSIZE


class Colour(str, Enum):
    RED = "red"
    BLUE = "blue"


@message("paint")
@dataclass(frozen=True, slots=True)
class Paint:
    colour: Colour
    coat: Literal["first", "second"]


def test_a_choice_is_its_text_on_the_wire_and_no_other_text_is_taken() -> None:
    paint = Paint(Colour.RED, "second")
    raw = encode(paint)
    assert raw == msgpack.packb(["paint", "red", "second"])
    assert decode(Paint, raw) == paint
    for other in (["paint", "green", "first"], ["paint", "red", "third"]):
        refused = decode(Paint, msgpack.packb(other))
        assert isinstance(refused, Rejection)
        assert refused.reason is FaultKind.OUT_OF_BOUNDS
    refused = decode(Paint, msgpack.packb(["paint", 1, "first"]))
    assert isinstance(refused, Rejection)
    assert refused.reason is FaultKind.WRONG_TYPE


@pytest.mark.parametrize("colour", ["red", None, 1])
def test_a_choice_that_is_none_cannot_be_sent(colour: Any) -> None:
    with pytest.raises(ConfigurationError, match="one of the choices"):
        encode(Paint(colour, "first"))
