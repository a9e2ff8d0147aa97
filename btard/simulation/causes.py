"""Which ban each kind of adversary can bring upon itself."""

from __future__ import annotations

CAUSES: dict[str, frozenset[str]] = {}
"""Kind -> reasons. A kind that isn't listed may be banned for anything."""


def may_cause(kind: str, reason: str) -> bool:
    """Whether what this kind of adversary does can end in a ban with this reason."""
    return kind not in CAUSES or reason in CAUSES[kind]
