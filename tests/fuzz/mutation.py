"""Mutations of bytes that know their structure: msgpack, JSON, or none.

A mutation of a msgpack or JSON tree gives canonical bytes again, so that it reaches the checks behind the
form. Texts and bytes within a tree may be trees themselves (sealed messages, views) and are entered.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from random import Random
from typing import Any

import msgpack

Mutate = Callable[[Random, bytes, Sequence[bytes]], bytes]
"""(randomness, bytes, other inputs to take pieces from) -> bytes."""

BYTES_MAX = 1 << 16
"""Longer inputs are cut, so that inputs of inputs do not grow for ever."""

DEPTH_MAX = 6

EDGES = tuple(
    edge + near
    for power in (0, 4, 5, 7, 8, 15, 16, 31, 32, 40, 48, 63, 64)
    for edge in (1 << power,)
    for near in (-1, 0, 1)
)
FLOATS = (0.0, -0.0, 1.0, 1e-45, 5e-324, 3.4e38, 3.5e38, 1.7e308, float("nan"), float("inf"), float("-inf"))
WORDS = (
    *(
        "gradient",
        "aggregate",
        "relay",
        "reveal",
        "scalars",
        "accuse",
        "verdict",
        "record",
        "view",
        "endorse",
    ),
    *("step", "abort", "ban", "leave", "miss", "row", "silent", "equivocation", "sealed", "envelope"),
    *("", "\x00", "\x1b[2J", "é" * 9, "\ud800", "[::1]:1", "-1", "1e999", "null", "x" * 300),
)


def mutate_bytes(random: Random, raw: bytes, others: Sequence[bytes]) -> bytes:
    """One to four changes without regard to structure: bits, lengths, slices, pieces of other inputs."""
    for _ in range(1 + int(random.expovariate(1.0))):
        raw = random.choice(_BYTES)(random, raw, others)[:BYTES_MAX]
    return raw


def mutate_packed(random: Random, raw: bytes, others: Sequence[bytes]) -> bytes:
    """Change a msgpack value and pack it again; now and then, change its bytes."""
    if random.random() < 0.2:
        return random.choice((mutate_bytes, _array_headers))(random, raw, others)
    try:
        tree = _unpack(raw)
        donors = [_unpack(random.choice(others))] if others and random.random() < 0.3 else []
    except ValueError:
        return mutate_bytes(random, raw, others)
    for _ in range(1 + int(random.expovariate(1.0))):
        tree = mutate_tree(random, tree, donors)
    return pack(tree)[: 4 * BYTES_MAX]


def mutate_json(random: Random, raw: bytes, others: Sequence[bytes]) -> bytes:
    """Change a JSON value and write it again, in canonical form; now and then, change its bytes."""
    if random.random() < 0.3:
        return mutate_bytes(random, raw, others)
    try:
        tree = json.loads(raw)
        donors = [json.loads(random.choice(others))] if others and random.random() < 0.3 else []
    except (ValueError, RecursionError):
        return mutate_bytes(random, raw, others)
    tree = mutate_tree(random, tree, donors)
    return json.dumps(_without_bytes(tree), sort_keys=True, separators=(",", ":")).encode()[:BYTES_MAX]


def mutate_tree(random: Random, tree: Any, donors: Sequence[Any] = (), depth: int = 0) -> Any:
    """A tree with one node changed. `tree` itself stays as it was."""
    children = _children(tree)
    if children and depth < DEPTH_MAX and random.random() < 0.85:
        place = random.choice(children)
        return _with(tree, place, mutate_tree(random, tree[place], donors, depth + 1))
    if donors and random.random() < 0.5:
        return random.choice(list(_nodes(random.choice(donors))))
    if isinstance(tree, bytes) and len(tree) > 40 and random.random() < 0.7:
        try:
            return pack(mutate_tree(random, _unpack(tree), donors, depth + 1))
        except ValueError:
            pass
    if random.random() < 0.1:
        return other_leaf(random)
    return _variant(random, tree)


def other_leaf(random: Random) -> Any:
    """A value of any type, near some edge."""
    return random.choice(
        (
            lambda: random.choice(EDGES) * random.choice((1, 1, -1)),
            lambda: random.choice(FLOATS),
            lambda: random.choice(WORDS),
            lambda: random.randbytes(random.choice((0, 1, 31, 32, 33, 64, 200))),
            lambda: bytes(random.choice((32, 64))),
            lambda: random.choice((None, True, False)),
            lambda: [],
            lambda: [random.choice(EDGES[:9])] * random.choice((1, 4, 65, 257, 300)),
        )
    )()


def pack(tree: Any) -> bytes:
    """Canonical msgpack of a tree; what msgpack cannot hold becomes nil."""
    try:
        packed: bytes = msgpack.packb(tree)
    except (OverflowError, ValueError, UnicodeEncodeError):
        packed = msgpack.packb(_packable(tree))
    return packed


# ---------------------------------------------------------------- trees


def _unpack(raw: bytes) -> Any:
    """The value in msgpack bytes. Raises ValueError for anything else."""
    try:
        return msgpack.unpackb(raw, strict_map_key=False, max_array_len=len(raw), max_map_len=len(raw))
    except (TypeError, RecursionError, msgpack.UnpackException) as error:
        raise ValueError("no msgpack value") from error


def _children(tree: Any) -> Sequence[Any]:
    if isinstance(tree, dict):
        return list(tree)
    return range(len(tree)) if isinstance(tree, list) else ()


def _with(tree: Any, place: Any, node: Any) -> Any:
    changed = tree.copy()
    changed[place] = node
    return changed


def _nodes(tree: Any) -> Iterator[Any]:
    """Every node of a tree, at most the first few hundred of each container."""
    yield tree
    for place in _children(tree)[:200]:
        yield from _nodes(tree[place])


def _variant(random: Random, node: Any) -> Any:
    """Another value of the same type."""
    match node:
        case bool():
            return not node
        case int():
            return random.choice((node + 1, node - 1, 0, -node, node ^ 1, random.choice(EDGES)))
        case float():
            return random.choice((-node, node * (1 + 1e-7), node * 1e30, random.choice(FLOATS)))
        case str():
            return random.choice((random.choice(WORDS), node + "x", node[:-1], node.upper()))
        case bytes():
            same = random.randbytes(len(node))
            return random.choice(
                (same, mutate_bytes(random, node, ()), bytes(len(node)), node[:-1], node + b"x")
            )
        case list():
            return _other_list(random, node)
        case dict():
            return _other_dict(random, node)
    return other_leaf(random)


def _other_list(random: Random, items: list[Any]) -> list[Any]:
    if not items:
        return [other_leaf(random)]
    place = random.randrange(len(items))
    item = items[place]
    return random.choice(
        (
            lambda: items[:place] + items[place + 1 :],
            lambda: [*items[:place], item, *items[place:]],
            lambda: items[::-1],
            lambda: [*items[:place], other_leaf(random), *items[place:]],
            lambda: items[:place],
            lambda: (
                [item] * min(random.choice((2, 5, 64, 65, 256, 257, 1000)), 2 + BYTES_MAX // len(pack(item)))
            ),
            lambda: [items],
            lambda: sorted(items, key=repr),
        )
    )()


def _other_dict(random: Random, items: dict[Any, Any]) -> dict[Any, Any]:
    changed = dict(items)
    if changed and random.random() < 0.5:
        del changed[random.choice(list(changed))]
    else:
        changed[random.choice((*WORDS, *items))] = other_leaf(random)
    return changed


def _packable(tree: Any) -> Any:
    match tree:
        case list():
            return [_packable(item) for item in tree]
        case dict():
            return {_packable(key): _packable(value) for key, value in tree.items()}
        case int() if not -(2**63) <= tree < 2**64:
            return None
        case str():
            return tree.encode(errors="replace").decode()
    return tree


def _without_bytes(tree: Any) -> Any:
    match tree:
        case list():
            return [_without_bytes(item) for item in tree]
        case dict():
            return {str(key): _without_bytes(value) for key, value in tree.items()}
        case bytes():
            return tree.hex()
    return tree


# ---------------------------------------------------------------- bytes


def _flip(random: Random, raw: bytes, others: Sequence[bytes]) -> bytes:
    changed = bytearray(raw or b"\0")
    changed[random.randrange(len(changed))] ^= 1 << random.randrange(8)
    return bytes(changed)


def _set(random: Random, raw: bytes, others: Sequence[bytes]) -> bytes:
    changed = bytearray(raw or b"\0")
    changed[random.randrange(len(changed))] = random.choice(
        (0, 1, 0x7F, 0x80, 0xC1, 0xDD, 0xFF, *b'"{[,\n\\e9')
    )
    return bytes(changed)


def _length(random: Random, raw: bytes, others: Sequence[bytes]) -> bytes:
    """Write a number where a length may stand."""
    width = random.choice((1, 2, 4, 8))
    number = random.choice((*EDGES, len(raw), len(raw) - 1)) & ((1 << 8 * width) - 1)
    at = random.randrange(len(raw) + 1)
    return raw[:at] + number.to_bytes(width, random.choice(("big", "little"))) + raw[at + width :]


def _cut(random: Random, raw: bytes, others: Sequence[bytes]) -> bytes:
    start, end = sorted((random.randrange(len(raw) + 1), random.randrange(len(raw) + 1)))
    return random.choice((raw[:start], raw[start:], raw[:start] + raw[end:]))


def _repeat(random: Random, raw: bytes, others: Sequence[bytes]) -> bytes:
    start, end = sorted((random.randrange(len(raw) + 1), random.randrange(len(raw) + 1)))
    return raw[:end] + raw[start:end] * random.choice((1, 1, 2, 50)) + raw[end:]


def _insert(random: Random, raw: bytes, others: Sequence[bytes]) -> bytes:
    at = random.randrange(len(raw) + 1)
    return raw[:at] + random.randbytes(random.choice((1, 2, 4, 32))) + raw[at:]


def _splice(random: Random, raw: bytes, others: Sequence[bytes]) -> bytes:
    other = random.choice(others) if others else raw
    return raw[: random.randrange(len(raw) + 1)] + other[random.randrange(len(other) + 1) :]


def _array_headers(random: Random, raw: bytes, others: Sequence[bytes]) -> bytes:
    """Arrays within arrays that claim more items than there are bytes."""
    claimed = random.choice((*EDGES[:27], 257, 65537, 66049)) & 0xFFFFFFFF
    header = random.choice((b"\xdd" + claimed.to_bytes(4, "big"), b"\x91", b"\x81", b"\xdc\xff\xff"))
    at = random.choice((0, random.randrange(len(raw) + 1)))
    return raw[:at] + header * random.choice((1, 2, 100, 600, 2000)) + raw[at:]


_BYTES: tuple[Mutate, ...] = (_flip, _flip, _set, _length, _cut, _repeat, _insert, _splice)
