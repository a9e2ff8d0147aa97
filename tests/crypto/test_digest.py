"""Digests: what is hashed, and that no two inputs are hashed alike."""

from __future__ import annotations

import hashlib
import struct

import torch
from hypothesis import given
from hypothesis import strategies as st

from btard.crypto import DIGEST_BYTES, digest

INPUTS = st.tuples(st.text(max_size=4), st.lists(st.binary(max_size=4), max_size=4))


def by_definition(domain: str, *parts: bytes) -> bytes:
    strings = [b"btard/1/" + domain.encode(), *parts]
    return hashlib.blake2b(b"".join(struct.pack("<Q", len(s)) + s for s in strings), digest_size=32).digest()


@given(INPUTS)
def test_digest_is_blake2b_of_length_prefixed_parts(given_input: tuple[str, list[bytes]]) -> None:
    domain, parts = given_input
    assert digest(domain, *parts) == by_definition(domain, *parts)
    assert len(digest(domain, *parts)) == DIGEST_BYTES


@given(INPUTS, INPUTS)
def test_different_domains_or_parts_never_share_a_digest(
    one: tuple[str, list[bytes]], other: tuple[str, list[bytes]]
) -> None:
    assert (digest(one[0], *one[1]) == digest(other[0], *other[1])) == (one == other)


def test_a_tensor_is_hashed_in_place_by_its_bytes() -> None:
    values = torch.arange(1000, dtype=torch.float32)
    assert digest("blob", memoryview(values.numpy())) == digest("blob", values.numpy().tobytes())
    assert digest("blob", bytearray(b"ab")) == digest("blob", b"ab")
