"""Events of a machine as bytes: msgpack, in which each dataclass is its name and its fields.

For a peer's own journal alone; what comes from the network is inside, as bytes, and is read as such."""

from __future__ import annotations

from dataclasses import fields, is_dataclass
from typing import Any

import msgpack

from btard import machine
from btard.protocol.agreed import Reported
from btard.protocol.messages import Late
from btard.protocol.pace import Seen
from btard.types import Scalars

_KINDS: dict[str, Any] = {
    kind.__name__: kind
    for kind in (
        *(machine.Received, machine.BlobHeld, machine.Done, machine.Tick, machine.TakenUp),
        *(machine.Abandon, machine.Adopt, machine.Aggregate, machine.ComputeGradient, machine.Fingerprint),
        *(machine.Project, machine.ProjectRows, machine.Recompute, machine.Update),
        *(machine.Aggregated, machine.Recomputed, Scalars, Reported, Seen, Late),
    )
}
_DATACLASS = 1
"""The extension type of a dataclass."""


def pack(tree: Any) -> bytes:
    """Return the bytes of a tree of plain values, sequences and the dataclasses of an event."""
    packed: bytes = msgpack.packb(tree, default=_encode)
    return packed


def unpack(raw: bytes) -> Any:
    """Return what `pack` was given, sequences as tuples. Raises ValueError for anything else."""
    return msgpack.unpackb(raw, ext_hook=_decode, use_list=False, strict_map_key=True)


def _encode(value: Any) -> msgpack.ExtType:
    assert is_dataclass(value), value
    name = type(value).__name__
    assert name in _KINDS, name
    return msgpack.ExtType(_DATACLASS, pack([name, *(getattr(value, each.name) for each in fields(value))]))


def _decode(code: int, raw: bytes) -> Any:
    tree = unpack(raw)
    if code != _DATACLASS or not isinstance(tree, tuple) or not tree or tree[0] not in _KINDS:
        raise ValueError("not of a journal")
    return _KINDS[tree[0]](*tree[1:])
