"""Every decoder against a small batch of hostile bytes, and against all inputs that broke one before."""

from __future__ import annotations

import pytest

from tests.fuzz.corpus import FOLDER, corpus
from tests.fuzz.target import Report, Target, fuzz
from tests.fuzz.targets import DECODERS, TARGETS

INPUTS = 300
BY_NAME = {target.name: target for target in DECODERS}


@pytest.mark.parametrize("name", BY_NAME)
def test_hostile_bytes_become_a_value_or_a_refusal_within_memory(name: str) -> None:
    report = fuzz(BY_NAME[name], INPUTS, seed=1, corpus=corpus(name))
    assert report.failures == []
    assert report.inputs >= INPUTS


def test_every_corpus_belongs_to_a_target() -> None:
    folders = {folder.name for folder in FOLDER.iterdir()}
    assert folders <= {target.name.replace(" ", "-") for target in TARGETS}


def _wasteful(raw: bytes) -> bytes:
    return bytes(1000 * len(raw) + (2 << 20))


def _fragile(raw: bytes) -> int:
    return raw.index(b"\x00" if len(raw) > 3 else raw)


def failures(read: object, seed: int = 1) -> Report:
    return fuzz(Target("planted", lambda: [b"\x00abcd"], read), 2000, seed)  # type: ignore[arg-type]


def test_a_decoder_that_raises_something_else_is_found() -> None:
    assert [what for what, _ in failures(_fragile).failures] == ["! ValueError: subsection not found"]


def test_a_decoder_that_allocates_too_much_is_found() -> None:
    assert "MiB of memory" in failures(_wasteful).failures[0][0]


def test_the_same_seed_makes_the_same_inputs() -> None:
    first, again, other = (failures(_fragile, seed).failures for seed in (1, 1, 2))
    assert first == again
    assert first != other
