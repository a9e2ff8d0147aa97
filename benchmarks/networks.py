"""Networks whose gradients are measured on unlike hardware, as tasks on drawn data.

    btard measure-tolerance --task benchmarks.networks:gelu_transformer

protocols/fingerprint.md, 2, has the table. Data and first weights are drawn by exactly rounded operations, so
that every machine computes at the same model.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor, nn
from torch.nn import functional

from btard.crypto import Draw
from btard.training import SGD, Recipe, initialise
from btard.training.sampling import normal

CLASSES = 10
VOCABULARY, LENGTH, WIDTH, LAYERS = 1000, 64, 256, 12
CHANNELS, PIXELS, CONVOLUTIONS = 64, 16, 13
FP16_SCALE = 1024.0
"""Without it gradients of activations vanish in float16. It changes no relative difference."""


class Transformer(nn.Module):
    """12 layers of width 256 on 64 tokens, 9.7 million parameters; guesses each token."""

    def __init__(self, activation: str, dropout: float, width: int = WIDTH, layers: int = LAYERS) -> None:
        super().__init__()
        self.embedding = nn.Embedding(VOCABULARY, width)
        layer = nn.TransformerEncoderLayer(
            width, 4, 4 * width, dropout=dropout, activation=activation, batch_first=True
        )
        self.layers = nn.TransformerEncoder(layer, layers, enable_nested_tensor=False)

    def forward(self, tokens: Tensor) -> Tensor:
        """(B, L) -> (B, L, VOCABULARY)."""
        hidden: Tensor = self.layers(self.embedding(tokens))
        return hidden @ self.embedding.weight.T


def convolutions(activation: type[nn.Module]) -> nn.Module:
    """Return 13 convolutions with GroupNorm on (B, 3, 16, 16), 0.45 million parameters."""
    layers: list[nn.Module] = []
    for index in range(CONVOLUTIONS):
        layers += [nn.Conv2d(CHANNELS if index else 3, CHANNELS, 3, padding=1), nn.GroupNorm(8, CHANNELS)]
        layers.append(activation())
    return nn.Sequential(*layers, nn.AvgPool2d(PIXELS), nn.Flatten(), nn.Linear(CHANNELS, CLASSES))


@dataclass(frozen=True, slots=True)
class Drawn:
    """A network on noise, with drawn labels. `precision` is that of torch's autocast, None for float32."""

    name: str
    model: partial[nn.Module]
    precision: torch.dtype | None = None

    def build(self, seed: bytes) -> nn.Module:
        """Return the network, drawn from the seed."""
        with torch.random.fork_rng(devices=[]):
            model = self.model()
        initialise(model, seed)
        return model

    def loss(self, model: nn.Module, seed: bytes, batch_size: int) -> Tensor:
        """Return the cross-entropy of a batch drawn from the seed."""
        draw, device = Draw(seed, "measured batch"), next(model.parameters()).device
        if isinstance(model, Transformer):
            inputs = torch.tensor([draw.below(VOCABULARY) for _ in range(batch_size * LENGTH)])
            inputs, labels = inputs.view(batch_size, LENGTH), inputs.roll(1)
        else:
            inputs = normal(seed, "measured images", batch_size * 3 * PIXELS**2, 1.0)
            inputs = inputs.view(batch_size, 3, PIXELS, PIXELS)
            labels = torch.tensor([draw.below(CLASSES) for _ in range(batch_size)])
        with torch.autocast(device.type, self.precision, enabled=self.precision is not None):
            logits = model(inputs.to(device))
        loss = functional.cross_entropy(logits.float().flatten(0, -2), labels.to(device))
        return loss * (FP16_SCALE if self.precision is torch.float16 else 1.0)

    def evaluate(self, model: nn.Module) -> dict[str, float]:
        """Return the loss of one batch; there is nothing to learn."""
        return {"loss": float(self.loss(model, bytes(32), 8))}


def _recipe(name: str, model: partial[nn.Module], precision: torch.dtype | None = None) -> Recipe:
    rate = 0.01 / FP16_SCALE if precision is torch.float16 else 0.01
    sgd = SGD(learning_rate=rate, momentum=0.9)
    return Recipe(Drawn(name, model, precision), batch_size=2, optimizer=sgd)


gelu_transformer = _recipe("transformer, GELU", partial(Transformer, "gelu", 0.0))
relu_transformer = _recipe("transformer, ReLU", partial(Transformer, "relu", 0.0))
dropout_transformer = _recipe("transformer, GELU, dropout", partial(Transformer, "gelu", 0.1))
bf16_transformer = _recipe("transformer, bf16", partial(Transformer, "gelu", 0.0), torch.bfloat16)
fp16_transformer = _recipe("transformer, fp16", partial(Transformer, "gelu", 0.0), torch.float16)
gelu_convolutions = _recipe("convolutions, GELU", partial(convolutions, nn.GELU))
relu_convolutions = _recipe("convolutions, ReLU", partial(convolutions, nn.ReLU))
bf16_convolutions = _recipe("convolutions, bf16", partial(convolutions, nn.GELU), torch.bfloat16)
