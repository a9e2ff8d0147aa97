"""The two recipes: one to try out here, and the run of the paper."""

from __future__ import annotations

from functools import partial
from typing import cast

from btard.data.text import PYTHON_TOPICS, WIKITEXT, load_corpus
from btard.training.optimizers import LAMB, NO_DECAY, WarmupLinear
from btard.training.recipe import Precision, Recipe
from btard.training.tasks.albert.model import Architecture
from btard.training.tasks.albert.pretraining import Pretraining

STEPS = 125_000
WARM_UP = 5_000
"""Of STEPS updates; a shorter run warms up for the same share of its own."""

SEATS = 16
GLOBAL_BATCH = 4096
"""Sequences of a step of SEATS peers (Gorbunov et al. 2022, section 4.2)."""

LARGE = Architecture(embedding=128, hidden=1024, layers=24, heads=16, intermediate=4096)
LARGE_VOCABULARY = 30_000

TINY = Architecture(embedding=64, hidden=64, layers=24, heads=2, intermediate=128, embedding_factor=4.0)

TAU = 0.5
"""Of the whole gradient: 0.125 of each of 16 parts, as in the paper."""

DELTA_MAX = 40.0

TOLERANCES = {"bf16": "bf16", "fp16": "fp16"}
"""Precision -> the profile that it needs; float32 is smooth, because GELU is."""


def albert_large(
    *,
    steps: int = STEPS,
    length: int = 512,
    batch: int = GLOBAL_BATCH // SEATS,
    micro_batch: int = 4,
    precision: str = "fp32",
    text: str = WIKITEXT,
    evaluated: int = 64,
) -> Recipe:
    """Return the recipe of `--task albert-large`: ALBERT-large from scratch, 17.8 million parameters.

    As Gorbunov et al. 2022, section 4.2, train it: WikiText-103, sequences of `length` tokens, LAMB, 4,096
    sequences a step of 16 peers, the aggregate clipped to norm 1. `batch` is a peer's share, computed
    `micro_batch` sequences at a time (all at once if the batch is smaller). `precision` is the recipe's, and
    brings its tolerance. `text` is one that `btard prepare-data` left, or "python-topics".
    `evaluated` sequences are evaluated on: a peer that does it computes nothing else meanwhile.
    """
    task = Pretraining(
        "albert-large",
        partial(load_corpus, text),
        LARGE,
        length,
        evaluated=evaluated,
        vocabulary=LARGE_VOCABULARY,
    )
    return Recipe(
        task,
        batch,
        _lamb(0.00176, steps),
        micro_batch=min(micro_batch, batch),
        precision=cast(Precision, precision),
        tolerance=TOLERANCES.get(precision, "smooth"),
        steps=steps,
        tau=TAU,
        delta_max=DELTA_MAX,
    )


def albert_tiny(*, steps: int = 300, length: int = 64, batch: int = 4) -> Recipe:
    """Return the recipe of `--task albert-tiny`: 24 shared layers of small width, on Python's own text."""
    corpus = partial(load_corpus, PYTHON_TOPICS)
    task = Pretraining("albert-tiny", corpus, TINY, length, informed=True)
    return Recipe(task, batch, _lamb(0.01, steps), steps=steps, tau=TAU, delta_max=DELTA_MAX)


def _lamb(learning_rate: float, steps: int) -> LAMB:
    """Return LAMB with the constants of both recipes. The paper's code clamps a tensor's norm at 10,000."""
    return LAMB(
        learning_rate=learning_rate,
        schedule=WarmupLinear(WARM_UP * steps // STEPS, steps),
        weight_decay=0.01,
        groups=NO_DECAY,
        beta1=0.9,
        beta2=0.999,
        eps=1e-6,
        norm_max=10_000.0,
        max_norm=1.0,
    )
