"""Random messages of a kind, from the types of its fields: each one decodes, and most say nonsense."""

from __future__ import annotations

import dataclasses
import types
from enum import Enum
from functools import cache
from random import Random
from typing import Annotated, Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from btard.protocol.messages import PHASES
from btard.types import Digest, PeerId
from btard.wire import MaxLen, MaxSize, Range, Size
from tests.fuzz.mutation import WORDS

M = TypeVar("M")

NUMBERS = (0.0, -0.0, 1.0, -1.0, 1e-300, 1e300, 1.7976931348623157e308, 3.5e38)


def random_message(random: Random, kind: type[M], known: tuple[bytes, ...] = ()) -> M:
    """A message of `kind`; `known` are bytes that mean something, to be used where they fit."""
    hints = _hints(kind)
    return kind(*(_value(random, hints[each.name], known) for each in dataclasses.fields(kind)))  # type: ignore[arg-type]


@cache
def _hints(kind: type[Any]) -> dict[str, Any]:
    return get_type_hints(kind, include_extras=True)


def _value(random: Random, hint: Any, known: tuple[bytes, ...]) -> Any:
    origin, arguments = get_origin(hint), get_args(hint)
    if hint is PeerId or hint is Digest:
        return _bytes(random, 32, 32, known)
    if origin in (Union, types.UnionType):
        return None if random.random() < 0.3 else _value(random, arguments[0], known)
    if origin is Literal:
        return random.choice(arguments)
    if hint is bool:
        return random.random() < 0.5
    if hint is float:
        return random.choice((*NUMBERS, random.gauss(0.0, 1.0)))
    if isinstance(hint, type) and issubclass(hint, Enum):
        return random.choice(list(hint))
    if dataclasses.is_dataclass(hint):
        return random_message(random, hint, known)
    assert origin is Annotated, hint
    match arguments:
        case (_, Size(exact)):
            return _bytes(random, exact, exact, known)
        case (_, MaxSize(most)):
            return _bytes(random, 0, most, known)
        case (builtin, MaxLen(most)) if builtin is str:
            return random.choice([word for word in (*PHASES, *WORDS[:-10]) if len(word.encode()) <= most])
        case (_, Range(least, most)):
            near = (least, least + 1, least + 2, least + random.randrange(8), most)
            return int(min(most, random.choice(near)))
        case (array, MaxLen(most)):
            count = random.choice((0, 1, 1, 2, 3, 4, 4, 5)) if random.random() < 0.998 else most
            count = min(most, count, 300)
            return tuple(_value(random, get_args(array)[0], known) for _ in range(count))
    raise AssertionError(f"no value for {hint}")


def _bytes(random: Random, least: int, most: int, known: tuple[bytes, ...]) -> bytes:
    fitting = [each for each in known if least <= len(each) <= most]
    if fitting and random.random() < 0.8:
        return random.choice(fitting)
    return random.randbytes(min(most, max(least, random.choice((0, 1, 32, 40)))))
