"""The task: guess masked tokens, and tell in which order two segments stood."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache

from torch import Tensor, nn
from torch.nn import functional

from btard.data.text import Corpus, TokenisedText
from btard.errors import ConfigurationError
from btard.training.tasks.albert.batch import draw_batch, fixed_batch
from btard.training.tasks.albert.model import Architecture, scores
from btard.training.tasks.albert.spans import Spans, cut_into_spans

EVALUATION_SEED = bytes(32)
"""Public and fixed: every evaluation of a run has the same masks."""

EVALUATED_AT_ONCE = 8


@dataclass(frozen=True, slots=True)
class Pretraining:
    """Masked-language modelling and sentence-order prediction on a corpus (Lan et al. 2020, section 3.1).

    `corpus` is asked each time and should remember its answer. Sequences are of `length` tokens. A model is
    evaluated on the first `evaluated` spans of the text held out. `vocabulary` is the number of tokens that
    the model has; None: that of the corpus. `informed`: the untrained model guesses tokens by their shares in
    the text. A deep and narrow one otherwise learns those first, by making all places alike, and needs long
    to undo it.
    """

    name: str
    corpus: Callable[[], Corpus]
    architecture: Architecture
    length: int
    evaluated: int = 64
    vocabulary: int | None = None
    informed: bool = False

    def __post_init__(self) -> None:
        if self.evaluated < 1:
            raise ConfigurationError(f"evaluated is {self.evaluated}: use at least 1 sequence")

    def build(self, seed: bytes) -> nn.Module:
        """Return the network at its first weights: the same bytes on every platform."""
        corpus = self.corpus()
        known = corpus.vocabulary
        size = known.size if self.vocabulary is None else self.vocabulary
        shares = corpus.shares() if self.informed else None
        return self.architecture.build(size, known.pad, self.length, seed, shares)

    def fingerprints(self) -> dict[str, str]:
        """Return the digests of text, vocabulary and tokens."""
        return self.corpus().fingerprints()

    def loss(self, model: nn.Module, seed: bytes, batch_size: int) -> Tensor:
        """Return the mean loss of masked tokens plus the mean loss of the order of `batch_size` sequences."""
        corpus = self.corpus()
        spans = _spans(corpus.train, self.length)
        batch = draw_batch(spans, corpus.vocabulary, seed, batch_size, self.length)
        batch = batch.to(next(model.parameters()).device)
        tokens, order = scores(model, batch)
        token_loss = functional.cross_entropy(tokens, batch.targets)
        return token_loss + functional.cross_entropy(order, batch.swapped)

    def evaluate(self, model: nn.Module) -> Mapping[str, float]:
        """Return, of the text held out: `loss` (both losses, added), `mlm_loss` (nats a masked token),
        `perplexity` (its exponential), `mlm_accuracy` and `sop_accuracy` in [0, 1]."""
        corpus = self.corpus()
        spans = _spans(corpus.held_out, self.length)
        device = next(model.parameters()).device
        total = dict.fromkeys(("tokens", "token_loss", "guessed", "pairs", "order_loss", "ordered"), 0.0)
        for start in range(0, min(self.evaluated, len(spans)), EVALUATED_AT_ONCE):
            indices = range(start, min(start + EVALUATED_AT_ONCE, self.evaluated, len(spans)))
            seed = EVALUATION_SEED + start.to_bytes(8, "big")
            batch = fixed_batch(spans, corpus.vocabulary, seed, indices, self.length).to(device)
            tokens, order = scores(model, batch)
            total["tokens"] += len(batch.targets)
            total["pairs"] += len(batch.swapped)
            total["token_loss"] += float(functional.cross_entropy(tokens, batch.targets, reduction="sum"))
            total["order_loss"] += float(functional.cross_entropy(order, batch.swapped, reduction="sum"))
            total["guessed"] += int((tokens.argmax(1) == batch.targets).sum())
            total["ordered"] += int((order.argmax(1) == batch.swapped).sum())
        mlm_loss = total["token_loss"] / total["tokens"]
        return {
            "loss": mlm_loss + total["order_loss"] / total["pairs"],
            "mlm_loss": mlm_loss,
            "mlm_accuracy": total["guessed"] / total["tokens"],
            "perplexity": math.exp(min(mlm_loss, 700.0)),
            "sop_accuracy": total["ordered"] / total["pairs"],
        }


@cache
def _spans(text: TokenisedText, length: int) -> Spans:
    return cut_into_spans(text, length)
