"""The network: Hugging Face's ALBERT with both heads, from a configuration in code."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from btard.errors import ConfigurationError
from btard.training.initialisation import initialise
from btard.training.optimizers.arithmetic import Doubles
from btard.training.sampling import logarithm
from btard.training.tasks.albert.batch import Batch

if TYPE_CHECKING:
    from transformers import AlbertForPreTraining


@dataclass(frozen=True, slots=True)
class Architecture:
    """The sizes of an ALBERT, `layers` times the one layer, and the law of its first weights.

    No dropout, as in ALBERT's second version. Weights are of a truncated normal law of `deviation`, 0.02 as
    in Lan et al. 2020, those of embeddings times `embedding_factor`, a power of two.
    """

    embedding: int
    hidden: int
    layers: int
    heads: int
    intermediate: int
    deviation: float = 0.02
    embedding_factor: float = 1.0

    def build(
        self, vocabulary: int, pad: int, length: int, seed: bytes, shares: Doubles | None = None
    ) -> nn.Module:
        """Return the network at its first weights, which come from `seed` by `initialise`.

        With `shares` (V,) of the tokens in the text, each above 0, the scores' bias begins at their
        logarithms, moved to lie around 0: the untrained network guesses by them. Raises ConfigurationError if
        `transformers` is missing."""
        try:
            from transformers import AlbertConfig, AlbertForPreTraining
        except ImportError as error:
            raise ConfigurationError("albert needs transformers: pip install 'btard[albert]'") from error
        config = AlbertConfig(
            vocab_size=vocabulary,
            pad_token_id=pad,
            embedding_size=self.embedding,
            hidden_size=self.hidden,
            num_hidden_layers=self.layers,
            num_attention_heads=self.heads,
            intermediate_size=self.intermediate,
            max_position_embeddings=length,
            # The same function as "gelu_new", computed by one kernel: less memory, and less time.
            hidden_act="gelu_pytorch_tanh",
            hidden_dropout_prob=0.0,
            attention_probs_dropout_prob=0.0,
            classifier_dropout_prob=0.0,
        )
        model = AlbertForPreTraining(config)
        initialise(model, seed, std=self.deviation, truncated=True)
        with torch.no_grad():
            for module in model.modules():
                if isinstance(module, nn.Embedding):
                    module.weight.mul_(self.embedding_factor)
            if shares is not None:
                logarithms = torch.from_numpy(logarithm(shares))
                # Scores are compared with each other, so their mean says nothing; LAMB's steps grow with it.
                middle = (logarithms.min() + logarithms.max()) / 2
                model.predictions.bias.copy_(logarithms - middle)
        return model


def scores(model: nn.Module, batch: Batch) -> tuple[Tensor, Tensor]:
    """Return the scores of the masked tokens (M, V) and of the order of segments (B, 2).

    The head's products are taken at masked places only: an eighth of the memory and work of all places."""
    albert: AlbertForPreTraining | Any = model
    output = albert.albert(batch.tokens, attention_mask=batch.attention_mask, token_type_ids=batch.segments)
    hidden = output.last_hidden_state.flatten(0, 1)
    guessed: Tensor = albert.predictions(torch.index_select(hidden, 0, batch.positions))
    order: Tensor = albert.sop_classifier(output.pooler_output)
    return guessed, order
