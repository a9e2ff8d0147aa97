"""Who holds which samples."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from btard.errors import ConfigurationError
from btard.lab.partition import Dirichlet, Iid, Indices, Labels, Partition, parse_partition

partitions = st.one_of(
    st.just(Iid()),
    st.builds(Dirichlet, st.floats(1e-6, 1e6)),
    st.builds(Labels, st.integers(1, 3)),
)


def labels_of(counts: list[int], seed: int) -> Indices:
    """That many samples of each label, shuffled."""
    return np.random.default_rng(seed).permutation(np.repeat(np.arange(len(counts)), counts))


@given(
    partitions, st.lists(st.integers(20, 60), min_size=3, max_size=6), st.integers(1, 20), st.integers(0, 99)
)
def test_every_worker_has_a_sample_and_no_sample_has_two_workers(
    partition: Partition, counts: list[int], workers: int, seed: int
) -> None:
    labels = labels_of(counts, seed)
    held = partition.split(labels, workers, seed)
    assert len(held) == workers
    assert all(len(own) >= 1 for own in held)
    together = np.concatenate(held)
    assert len(np.unique(together)) == len(together)
    assert together.min() >= 0
    assert together.max() < len(labels)
    again = partition.split(labels, workers, seed)
    assert all(np.array_equal(a, b) for a, b in zip(held, again, strict=True))


@given(
    st.one_of(st.just(Iid()), st.builds(Dirichlet, st.floats(1e-6, 1e6))),
    st.integers(40, 300),
    st.integers(1, 40),
)
def test_iid_and_dirichlet_shares_are_equal_and_hold_everything(
    partition: Partition, samples: int, workers: int
) -> None:
    labels = np.arange(samples) % 7
    sizes = [len(own) for own in partition.split(labels, workers, 0)]
    assert sum(sizes) == samples
    assert max(sizes) - min(sizes) <= 1


@given(st.integers(1, 10), st.integers(1, 30), st.integers(0, 99))
def test_workers_hold_no_more_labels_than_they_may_and_labels_are_dealt_evenly(
    count: int, workers: int, seed: int
) -> None:
    labels = labels_of([40] * 10, seed)
    held = [set(labels[own].tolist()) for own in Labels(count).split(labels, workers, seed)]
    assert all(len(own) == count for own in held)
    holders = [sum(label in own for own in held) for label in range(10)]
    assert max(holders) - min(holders) <= 1


def test_a_small_alpha_is_far_from_iid_and_a_large_one_near() -> None:
    labels = labels_of([300] * 10, 0)

    def largest_share(alpha: float) -> float:
        held = Dirichlet(alpha).split(labels, 10, 1)
        return float(np.mean([np.bincount(labels[own]).max() / len(own) for own in held]))

    assert largest_share(0.01) > 0.7
    assert largest_share(1e4) < 0.2


def test_another_seed_is_another_partition() -> None:
    labels = labels_of([50] * 10, 0)
    for partition in (Iid(), Dirichlet(0.3), Labels(2)):
        one, other = (partition.split(labels, 8, seed)[0] for seed in (0, 1))
        assert not np.array_equal(one, other)


@pytest.mark.parametrize(
    ("text", "made"),
    [("iid", Iid()), ("dirichlet(alpha=0.1)", Dirichlet(0.1)), ("labels(count=3)", Labels(3))],
)
def test_partitions_are_named_in_text(text: str, made: Partition) -> None:
    assert parse_partition(text) == made


@pytest.mark.parametrize(
    "text", ["dirichlet(alpha=0)", "dirichlet(alpha=-1)", "labels(count=0)", "iid(x=1)", "sorted", "iid+iid"]
)
def test_partitions_that_cannot_be_are_refused(text: str) -> None:
    with pytest.raises(ConfigurationError):
        parse_partition(text)


def test_workers_without_samples_are_refused() -> None:
    with pytest.raises(ConfigurationError, match="too few for 5 workers"):
        Iid().split(np.zeros(4, np.int64), 5, 0)
    with pytest.raises(ConfigurationError, match="leaves a worker without samples"):
        Labels(1).split(np.array([0, 0, 0, 0, 0, 1]), 6, 0)
    with pytest.raises(ConfigurationError, match="there are only 2"):
        Labels(3).split(np.array([0, 0, 0, 1, 1, 1]), 3, 0)
