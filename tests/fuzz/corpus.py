"""Inputs that once broke a decoder, kept as files: `corpus/TARGET/DIGEST`."""

from __future__ import annotations

import hashlib
from pathlib import Path

FOLDER = Path(__file__).parent / "corpus"


def corpus(target: str) -> list[bytes]:
    """The kept inputs of a target."""
    return [path.read_bytes() for path in sorted((FOLDER / target.replace(" ", "-")).glob("*"))]


def keep(target: str, raw: bytes) -> Path:
    """Keep an input; returns its file."""
    folder = FOLDER / target.replace(" ", "-")
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / hashlib.sha256(raw).hexdigest()[:16]
    path.write_bytes(raw)
    return path
