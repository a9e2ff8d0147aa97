"""Messages: frozen dataclasses with bounded fields, and their one canonical encoding.

    @message("commit")
    @dataclass(frozen=True, slots=True)
    class Commit:
        peer: PeerId
        parts: Annotated[tuple[Digest, ...], MaxLen(MAX_PEERS)]
        norm: float

is encoded as the msgpack array ["commit", peer, parts, norm]: fields in the order of declaration, integers
in their shortest form, floats as float64, bytes as bin, text as str, tuples as arrays, None as nil, nested
messages as their own arrays. One value has one encoding and only that one is accepted, so a digest of the
bytes is a digest of the value.

Field types: `bool`; `float` (finite, also with `Range`); `PeerId` and `Digest` (32 bytes);
`Annotated` `bytes` with `Size` or `MaxSize`, `str` with `MaxLen`, `int` with `Range`, `tuple[T, ...]` with
`MaxLen`; `tuple[A, B]`; a `Literal` or an `Enum` of texts; a message, or a union of messages told apart by
tag; and any of them `| None`.
"""

from __future__ import annotations

import dataclasses
import types
from collections.abc import Callable
from enum import Enum
from functools import lru_cache
from typing import Annotated, Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

import msgpack

from btard.errors import ConfigurationError
from btard.types import Digest, FaultKind, PeerId
from btard.wire import fields
from btard.wire.fields import Converter, Refused
from btard.wire.limits import MAX_CONTROL_BYTES, MaxLen, MaxSize, Range, Size
from btard.wire.rejection import Rejection

M = TypeVar("M")

_SCHEMA = "__btard_schema__"
_TAG_BYTES_MAX = 32
_DIGEST_SIZE = Size(32)


@dataclasses.dataclass(frozen=True, slots=True)
class _Schema:
    tag: str
    converter: Converter


def message(tag: str) -> Callable[[type[M]], type[M]]:
    """Make a frozen dataclass a message. The tag is kept on the class alone; there is no registry.

    Raises ConfigurationError, when the class is defined, for a field without a bound.
    """

    def decorate(kind: type[M]) -> type[M]:
        if not tag.isascii() or not 1 <= len(tag) <= _TAG_BYTES_MAX:
            raise ConfigurationError(
                f"a message's tag has 1 to {_TAG_BYTES_MAX} ASCII characters, not {tag!r}"
            )
        if not dataclasses.is_dataclass(kind) or not kind.__dataclass_params__.frozen:  # type: ignore[attr-defined]
            raise ConfigurationError(f"{kind.__name__} must be a frozen dataclass to be a message")
        setattr(kind, _SCHEMA, _Schema(tag, _compile_message(kind, tag)))
        return kind

    return decorate


def encode(value: object) -> bytes:
    """Return the canonical bytes of a message. Raises ConfigurationError for a field outside of its type."""
    try:
        tree = _schema_of(type(value)).converter.give(value)
    except Refused as refused:
        raise ConfigurationError(f"a {type(value).__name__} cannot be sent: {refused}") from None
    return _pack(tree)


def decode(kinds: type[M] | tuple[type[M], ...], raw: bytes) -> M | Rejection:
    """Return the message in hostile bytes, of one of `kinds`, or a Rejection. No `raw` makes it raise.

    In order: the total size (against MAX_CONTROL_BYTES and the longest encoding that the kinds have), strict
    msgpack with array and string lengths bounded before anything is allocated, tag, number of fields, types
    and bounds, and that encoding again gives the same bytes.

    A type converter infers `M` for several kinds from the name it is given to:
    `said: Commit | Reveal | Rejection = decode((Commit, Reveal), raw)`.
    """
    reader = _reader(kinds if isinstance(kinds, tuple) else (kinds,))
    if len(raw) > reader.bytes_max:
        return Rejection(FaultKind.OVERSIZE, f"{len(raw)} bytes instead of at most {reader.bytes_max}")
    try:
        tree = msgpack.unpackb(
            raw,
            raw=False,
            use_list=True,
            strict_map_key=True,
            max_str_len=len(raw),
            max_bin_len=len(raw),
            # The decoder allocates an array as soon as it sees its length, nested up to 1,024 deep: without
            # this bound 5 kB of headers would make it allocate gigabytes.
            max_array_len=reader.items_max,
            max_map_len=0,
            max_ext_len=0,
        )
    except (ValueError, TypeError, RecursionError, msgpack.UnpackException):
        return Rejection(FaultKind.MALFORMED, "not one msgpack value within the limits")
    try:
        value: M = reader.take(tree)
    except Refused as refused:
        return Rejection(refused.reason, str(refused))
    if _pack(tree) != raw:
        return Rejection(FaultKind.NON_CANONICAL, "another encoding of the same value")
    return value


@lru_cache(maxsize=256)
def _reader(kinds: tuple[type[Any], ...]) -> Converter:
    converter = _compile_union(kinds)
    return dataclasses.replace(converter, bytes_max=min(converter.bytes_max, MAX_CONTROL_BYTES))


def _pack(tree: Any) -> bytes:
    packed: bytes = msgpack.packb(tree, use_bin_type=True)
    return packed


def _schema_of(kind: type[Any]) -> _Schema:
    # The class's own dictionary: a subclass of a message has other fields and is not that message.
    schema = kind.__dict__.get(_SCHEMA)
    if not isinstance(schema, _Schema):
        raise ConfigurationError(f"{kind.__name__} is not a message: decorate it with @message(tag)")
    return schema


def _compile_message(kind: type[Any], tag: str) -> Converter:
    hints = get_type_hints(kind, include_extras=True)
    names = [field.name for field in dataclasses.fields(kind)]
    try:
        converters = [_compile(hints[name]) for name in names]
    except ConfigurationError as error:
        raise ConfigurationError(f"{kind.__name__}: {error}") from None
    takes = [converter.take for converter in converters]
    gives = [(name, converter.give) for name, converter in zip(names, converters, strict=True)]
    count = len(names) + 1

    def take(tree: Any) -> Any:
        # Only reached through `_compile_union`: tree is a list that begins with this tag.
        if len(tree) != count:
            reason = FaultKind.MISSING_FIELD if len(tree) < count else FaultKind.EXTRA_FIELD
            raise Refused(reason, f"{tag} with {len(tree) - 1} fields instead of {count - 1}")
        values: list[Any] = []
        try:
            for index, convert in enumerate(takes, 1):
                values.append(convert(tree[index]))
        except Refused as refused:
            raise refused.inside(f".{names[len(values)]}") from None
        return kind(*values)

    def give(value: Any) -> Any:
        tree: list[Any] = [tag]
        try:
            for name, convert in gives:
                tree.append(convert(getattr(value, name)))
        except Refused as refused:
            raise refused.inside(f".{names[len(tree) - 1]}") from None
        return tree

    bytes_max = 2 * 5 + len(tag) + sum(converter.bytes_max for converter in converters)
    # One more than it has, so that an extra field is told apart from garbage.
    return Converter(
        take, give, bytes_max, max([count + 1, *(converter.items_max for converter in converters)])
    )


def _compile_union(kinds: tuple[type[Any], ...]) -> Converter:
    schemas = {kind: _schema_of(kind) for kind in kinds}
    by_tag = {schema.tag: schema.converter.take for schema in schemas.values()}
    by_kind = {kind: schema.converter.give for kind, schema in schemas.items()}
    if len(by_tag) != len(kinds):
        raise ConfigurationError(f"messages that are read together need different tags, not {sorted(by_tag)}")
    expected = " or ".join(by_tag)

    def take(tree: Any) -> Any:
        if type(tree) is not list or not tree or type(tree[0]) is not str:
            raise fields.wrong_type(f"a message ({expected})", tree)
        convert = by_tag.get(tree[0])
        if convert is None:
            raise Refused(FaultKind.UNKNOWN_TAG, f"expected {expected}, got another tag")
        return convert(tree)

    def give(value: Any) -> Any:
        convert = by_kind.get(type(value))
        if convert is None:
            raise fields.wrong_type(f"a message ({expected})", value)
        return convert(value)

    converters = [schema.converter for schema in schemas.values()]
    return Converter(
        take, give, max(each.bytes_max for each in converters), max(each.items_max for each in converters)
    )


def _compile(hint: Any) -> Converter:
    """The converter of a field's type."""
    if get_origin(hint) is Annotated:
        inner, *markers = get_args(hint)
        return _compile_marked(inner, tuple(markers))
    return _compile_marked(hint, ())


def _compile_marked(hint: Any, markers: tuple[Any, ...]) -> Converter:
    if hint is PeerId or hint is Digest:
        hint, markers = bytes, (_DIGEST_SIZE,)
    while hasattr(hint, "__supertype__"):
        hint = hint.__supertype__
    origin = get_origin(hint)
    if origin is Union or origin is types.UnionType:
        return _compile_alternatives(get_args(hint), markers)
    if origin is tuple:
        return _compile_tuple(get_args(hint), markers)
    if origin is Literal and not markers:
        return fields.choice({text: text for text in get_args(hint)})
    if isinstance(hint, type) and issubclass(hint, Enum) and not markers:
        return fields.choice({member.value: member for member in hint})
    if isinstance(hint, type) and _SCHEMA in hint.__dict__:
        return _compile_union((hint,))
    return _compile_scalar(hint, markers)


def _compile_alternatives(alternatives: tuple[Any, ...], markers: tuple[Any, ...]) -> Converter:
    present = [each for each in alternatives if each is not type(None)]
    if len(present) == 1:
        # `Annotated[T | None, marker]` bounds the T, as `Annotated[T, marker] | None` does.
        inner = _compile_marked(present[0], markers) if markers else _compile(present[0])
    else:
        inner = _compile_union(tuple(present))
    return inner if len(present) == len(alternatives) else fields.optional(inner)


def _compile_tuple(arguments: tuple[Any, ...], markers: tuple[Any, ...]) -> Converter:
    match arguments, markers:
        case ((item, last), (MaxLen(most),)) if last is Ellipsis:
            return fields.sequence(_compile(item), most)
        case (_, ()) if Ellipsis not in arguments:
            return fields.row(tuple(_compile(each) for each in arguments))
    raise ConfigurationError("tuple[T, ...] needs a bound: Annotated[tuple[T, ...], MaxLen(n)]")


def _compile_scalar(hint: Any, markers: tuple[Any, ...]) -> Converter:
    match hint, markers:
        case (builtin, ()) if builtin is bool:
            return fields.boolean()
        case (builtin, (Size(exact),)) if builtin is bytes:
            return fields.binary(exact, exact)
        case (builtin, (MaxSize(most),)) if builtin is bytes:
            return fields.binary(0, most)
        case (builtin, (MaxLen(most),)) if builtin is str:
            return fields.text(most)
        case (builtin, (Range() as bounds,)) if builtin is int and _fits(bounds):
            return fields.integer(bounds)
        case (builtin, ((Range(),) | ()) as bounds) if builtin is float:
            return fields.real(*bounds)
    raise ConfigurationError(
        f"a field of type {hint} with {markers} has no bounded encoding: see btard.wire.schema"
    )


def _fits(bounds: Range) -> bool:
    return bounds.least >= -(2**63) and bounds.most <= 2**64 - 1
