"""Commitments: what opens them, and what does not."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from btard.crypto import SALT_BYTES, commit, opens
from btard.errors import ConfigurationError


@pytest.mark.parametrize("size", [0, 1, SALT_BYTES - 1, SALT_BYTES + 1])
def test_a_salt_of_a_wrong_size_is_refused_with_the_right_one_named(size: int) -> None:
    with pytest.raises(ConfigurationError, match="32 bytes"):
        commit("coin", b"value", bytes(size))


@given(st.binary(max_size=64), st.binary(min_size=32, max_size=32))
def test_a_commitment_opens_with_its_value_and_salt_alone(value: bytes, salt: bytes) -> None:
    commitment = commit("coin", value, salt)
    flipped = bytes([salt[0] ^ 1]) + salt[1:]
    assert opens("coin", commitment, value, salt)
    assert not opens("coin", commitment, value + b"\0", salt)
    assert not opens("coin", commitment, value, flipped)
    assert not opens("other", commitment, value, salt)
    assert not opens("coin", commitment[:-1], value, salt)
    assert not opens("coin", commitment, value, salt[:-1])
