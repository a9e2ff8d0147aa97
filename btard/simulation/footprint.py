"""How much a machine remembers, counted from outside."""

from __future__ import annotations

from typing import Any


def footprint(root: object) -> int:
    """The number of objects that are reachable from `root` through attributes and containers, each once."""
    seen: set[int] = set()
    waiting: list[Any] = [root]
    while waiting:
        item = waiting.pop()
        if id(item) in seen or item is None or isinstance(item, (type, bool)) or callable(item):
            continue
        seen.add(id(item))
        if isinstance(item, dict):
            waiting += item.keys()
            waiting += item.values()
        elif isinstance(item, (list, tuple, set, frozenset)):
            waiting += item
        elif not isinstance(item, (bytes, str, int, float)):
            waiting += vars(item).values() if hasattr(item, "__dict__") else ()
            for kind in type(item).__mro__:
                slots = getattr(kind, "__slots__", ())
                names = (slots,) if isinstance(slots, str) else slots
                waiting += (getattr(item, name, None) for name in names)
    return len(seen)
