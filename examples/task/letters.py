"""A model of Hugging Face as a task: BERT finds missing letters in the documentation that Python ships."""

from __future__ import annotations

from pydoc_data.topics import topics

import torch
from torch import Tensor, nn
from transformers import BertConfig, BertForMaskedLM

from btard.crypto import digest
from btard.training import NO_DECAY, AdamW, Recipe, initialise, seed_dropout
from btard.training.optimizers import WarmupLinear
from btard.training.randomness import bernoulli, integers

TEXT = torch.tensor(list("\n".join(topics[key] for key in sorted(topics)).encode()))
LENGTH, HELD_OUT, MASK, IGNORED = 64, 16_384, 256, -100


class Letters:
    name = "letters"

    def fingerprints(self) -> dict[str, str]:
        return {"text": digest("text", TEXT.numpy().tobytes()).hex()}

    def build(self, seed: bytes) -> nn.Module:
        sizes = {"hidden_size": 64, "intermediate_size": 256, "max_position_embeddings": LENGTH}
        layers = {"num_hidden_layers": 2, "num_attention_heads": 4, "attention_probs_dropout_prob": 0.0}
        model: nn.Module = BertForMaskedLM(BertConfig(vocab_size=257, **sizes, **layers))
        initialise(model, seed)
        seed_dropout(model)
        return model

    def loss(self, model: nn.Module, seed: bytes, batch_size: int) -> Tensor:
        starts = HELD_OUT + integers(seed, "batch", len(TEXT) - HELD_OUT - LENGTH, batch_size)
        return missing(model, TEXT[starts[:, None] + torch.arange(LENGTH)], seed)

    def evaluate(self, model: nn.Module) -> dict[str, float]:
        return {"loss": float(missing(model, TEXT[:HELD_OUT].view(-1, LENGTH), bytes(32)))}


def missing(model: nn.Module, rows: Tensor, seed: bytes) -> Tensor:
    hidden = bernoulli(seed, "mask", rows.shape, 0.15)
    given, wanted = rows.masked_fill(hidden, MASK), rows.masked_fill(~hidden, IGNORED)
    device = next(model.parameters()).device
    loss: Tensor = model(given.to(device), labels=wanted.to(device)).loss
    return loss


def letters(steps: int = 100, batch_size: int = 16, learning_rate: float = 0.003) -> Recipe:
    schedule = WarmupLinear(warmup=steps // 10, total=steps)
    adamw = AdamW(learning_rate=learning_rate, weight_decay=0.01, groups=NO_DECAY, schedule=schedule)
    return Recipe(Letters(), batch_size, adamw, micro_batch=8, steps=steps, tau=0.7, delta_max=4.0)
