"""The stored numbers of protocols/vectors/gradient.json follow from protocols/gradient.md, step by step."""

from __future__ import annotations

import itertools
import json
import math
from typing import Any

from btard.crypto import Draw, digest, keystream
from protocols.vectors import make_gradient

FILE: dict[str, Any] = json.loads(make_gradient.FILE.read_text())
SEED = bytes.fromhex(FILE["seed"])


def words(domain: str, count: int, size: int) -> list[int]:
    stream = keystream(SEED, domain, count * size)
    return [int.from_bytes(stream[at : at + size], "little") for at in range(0, len(stream), size)]


def mask(domain: str, count: int, probability: float) -> list[int]:
    return [int(word < math.floor(2**32 * probability)) for word in words(domain, count, 4)]


def test_the_file_is_what_its_command_makes() -> None:
    assert make_gradient.FILE.read_text(encoding="utf-8") == make_gradient.text()


def test_micro_batches_have_the_stored_seeds() -> None:
    assert FILE["micro-batches"]["seeds"] == [
        digest("micro-batch", SEED, index.to_bytes(8, "little")).hex() for index in range(3)
    ]


def test_draws_are_the_stored_ones() -> None:
    for case in FILE["integers"]:
        draw = Draw(SEED, case["domain"])
        assert case["numbers"] == [draw.below(case["bound"]) for _ in range(8)]
    for case in FILE["bernoulli"]:
        rows, columns = case["shape"]
        assert [*itertools.chain(*case["mask"])] == mask(case["domain"], rows * columns, case["probability"])
    for case in FILE["permutation"]:
        drawn = words(case["domain"], case["count"], 8)
        assert case["order"] == sorted(range(case["count"]), key=lambda index: (drawn[index], index))


def test_dropout_is_the_stored_one() -> None:
    dropout = FILE["dropout"]
    for module, calls in zip(dropout["modules"], dropout["calls"], strict=True):
        for number, call in enumerate(calls):
            kept = mask(f"dropout {module['path']} {number}", dropout["size"], 1 - module["p"])
            assert call == [each / (1 - module["p"]) for each in kept]
