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

Field types: `bool`; `float` (finite); `PeerId` and `Digest` (32 bytes); `Annotated` `bytes` with `Size` or
`MaxSize`, `str` with `MaxLen`, `int` with `Range`, `tuple[T, ...]` with `MaxLen`; a `Literal` or an `Enum` of
texts; a message; and any of them `| None`.
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
        # The decoder allocates an array as soon as it sees its length, nested up to 1,024 deep, and 5 kB of
        # headers can claim gigabytes. `skip` allocates nothing, and fails unless every item is there.
        whole = msgpack.Unpacker(max_buffer_size=max(1, len(raw)))  # 0 is no bound: it takes a MiB
        whole.feed(raw)
        whole.skip()
        tree = msgpack.unpackb(
            raw,
            raw=False,
            max_str_len=len(raw),
            max_bin_len=len(raw),
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


def prefix_of(kind: type[Any]) -> bytes:
    """Return the first bytes of every message of this kind: its number of fields and its tag."""
    header: bytes = msgpack.Packer().pack_array_header(1 + len(dataclasses.fields(kind)))
    return header + _pack(_schema_of(kind).tag)


@lru_cache(maxsize=256)
def _reader(kinds: tuple[type[Any], ...]) -> Converter:
    converter = _compile_union(kinds)
    return dataclasses.replace(converter, bytes_max=min(converter.bytes_max, MAX_CONTROL_BYTES))


def _pack(tree: Any) -> bytes:
    packed: bytes = msgpack.packb(tree)
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
    count = len(names) + 1

    def take(tree: Any) -> Any:
        # Only reached through `_compile_union`: tree is a list that begins with this tag.
        if len(tree) != count:
            reason = FaultKind.MISSING_FIELD if len(tree) < count else FaultKind.EXTRA_FIELD
            raise Refused(reason, f"{tag} with {len(tree) - 1} fields instead of {count - 1}")
        values: list[Any] = []
        try:
            for converter, field in zip(converters, tree[1:], strict=True):
                values.append(converter.take(field))
        except Refused as refused:
            raise refused.inside(f".{names[len(values)]}") from None
        return kind(*values)

    def give(value: Any) -> Any:
        tree: list[Any] = [tag]
        try:
            for name, converter in zip(names, converters, strict=True):
                tree.append(converter.give(getattr(value, name)))
        except Refused as refused:
            raise refused.inside(f".{names[len(tree) - 1]}") from None
        return tree

    bytes_max = 2 * 5 + len(tag) + sum(converter.bytes_max for converter in converters)
    # One more than it has, so that an extra field is told apart from garbage.
    items_max = max([count + 1, *(converter.items_max for converter in converters)])
    return Converter(take, give, bytes_max, items_max)


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
    bytes_max, items_max = (
        max(getattr(each, of) for each in converters) for of in ("bytes_max", "items_max")
    )
    return Converter(take, give, bytes_max, items_max)


def _compile(hint: Any) -> Converter:
    """The converter of a field's type."""
    origin, arguments = get_origin(hint), get_args(hint)
    if hint is PeerId or hint is Digest:
        return fields.binary(32, 32)
    if origin in (Union, types.UnionType) and len(arguments) == 2 and arguments[1] is type(None):
        return fields.optional(_compile(arguments[0]))
    if origin is Literal:
        return fields.choice({text: text for text in arguments})
    if origin is None and isinstance(hint, type) and issubclass(hint, Enum):
        return fields.choice({member.value: member for member in hint})
    if isinstance(hint, type) and _SCHEMA in hint.__dict__:
        return _compile_union((hint,))
    if hint is bool:
        return fields.boolean()
    if hint is float:
        return fields.real()
    match arguments if origin is Annotated else ():
        case (builtin, Size(exact)) if builtin is bytes:
            return fields.binary(exact, exact)
        case (builtin, MaxSize(most)) if builtin is bytes:
            return fields.binary(0, most)
        case (builtin, MaxLen(most)) if builtin is str:
            return fields.text(most)
        case (builtin, Range(least, most) as bounds) if builtin is int and -(2**63) <= least <= most < 2**64:
            return fields.integer(bounds)
        case (array, MaxLen(most)) if get_origin(array) is tuple and get_args(array)[1:] == (Ellipsis,):
            return fields.sequence(_compile(get_args(array)[0]), most)
    raise ConfigurationError(f"a field of type {hint} has no bounded encoding: see btard.wire.schema")
