"""ALBERT as a task: pure functions of public seeds, the paper's model, metrics by name."""

from __future__ import annotations

import math
from dataclasses import replace
from functools import cache

import pytest
import torch
from torch import nn
from torch.nn import functional

from btard.adversary.labels import FlippedLabels
from btard.crypto import digest
from btard.data.text import PYTHON_TOPICS, load_corpus
from btard.errors import ConfigurationError, RunMismatchError
from btard.run.config import RunPlan
from btard.training import BlobStore, Engine, load_recipe
from btard.training.tasks.albert.batch import draw_batch, fixed_batch
from btard.training.tasks.albert.model import Architecture, scores
from btard.training.tasks.albert.pretraining import Pretraining
from btard.training.tasks.albert.recipes import albert_large, albert_tiny
from btard.training.tasks.albert.spans import cut_into_spans
from tests.data.text.texts import VOCABULARY, corpus

SMALL = Architecture(embedding=8, hidden=8, layers=3, heads=2, intermediate=16)


def small(length: int = 24) -> Pretraining:
    return Pretraining("small", cache(corpus), SMALL, length, evaluated=3)


def bytes_of(model: nn.Module) -> bytes:
    return b"".join(p.detach().numpy().astype("<f4").tobytes() for p in model.parameters())


def test_a_batch_is_pairs_with_special_tokens_around_them_filled_with_padding() -> None:
    spans = cut_into_spans(corpus().train, 24)
    batch = draw_batch(spans, VOCABULARY, bytes(32), 5, 24)
    before = batch.tokens.reshape(-1).clone()
    before[batch.positions] = batch.targets
    for row, attention, segments in zip(
        before.view(5, 24), batch.attention_mask, batch.segments, strict=True
    ):
        end = int(attention.sum())
        middle = int((segments == 0)[:end].sum())
        assert row[0] == VOCABULARY.cls
        assert row[middle - 1] == row[end - 1] == VOCABULARY.sep
        assert bool((row[end:] == VOCABULARY.pad).all())
        assert not bool(attention[end:].any() | segments[end:].any())
        words = torch.cat([row[1 : middle - 1], row[middle : end - 1]])
        assert bool((words >= 10).all())
    assert not {0, 1, 2} & set(batch.targets.tolist())
    assert len(set(batch.swapped.tolist())) == 2


def test_the_loss_is_that_of_the_library_s_own_head_on_all_places() -> None:
    task = small()
    model = task.build(bytes(32))
    batch = draw_batch(cut_into_spans(corpus().train, 24), VOCABULARY, bytes(32), 4, 24)
    labels = torch.full((4 * 24,), -100)
    labels[batch.positions] = batch.targets
    theirs = model(
        input_ids=batch.tokens,
        attention_mask=batch.attention_mask,
        token_type_ids=batch.segments,
        labels=labels.view(4, 24),
        sentence_order_label=batch.swapped,
    ).loss
    assert float(task.loss(model, bytes(32), 4).detach()) == pytest.approx(float(theirs.detach()), abs=1e-6)


def test_a_gradient_can_be_recomputed_from_its_seed_and_every_parameter_has_one() -> None:
    recipe = replace(albert_tiny(batch=4), task=small())
    mine, theirs = (Engine(recipe, BlobStore(1 << 24), bytes(32)) for _ in range(2))
    seeds = [digest("test", bytes([index])) for index in range(3)]
    gradients = [mine.compute_gradient(0, seed) for seed in seeds]
    assert [torch.equal(theirs.compute_gradient(0, s), g) for s, g in zip(seeds, gradients, strict=True)] == [
        True
    ] * 3
    assert not torch.equal(gradients[0], gradients[1])
    model = recipe.task.build(bytes(32))
    recipe.task.loss(model, bytes(32), 4).backward()
    assert [name for name, p in model.named_parameters() if p.grad is None or not p.grad.any()] == []


def test_batches_are_drawn_without_torch_s_generators() -> None:
    task = small()
    model = task.build(bytes(32))
    before = torch.get_rng_state()
    losses = [float(task.loss(model, bytes(32), 4).detach())]
    assert torch.equal(torch.get_rng_state(), before)
    torch.manual_seed(1)
    losses.append(float(task.loss(model, bytes(32), 4).detach()))
    assert losses[0] == losses[1]


def test_metrics_are_means_over_all_held_out_tokens_and_pairs() -> None:
    task = small()
    model = task.build(bytes(32)).eval()
    with torch.no_grad():
        found = task.evaluate(model)
        spans = cut_into_spans(corpus().held_out, 24)
        batch = fixed_batch(spans, VOCABULARY, bytes(40), range(len(spans)), 24)
        tokens, order = scores(model, batch)
    token_loss = float(functional.cross_entropy(tokens, batch.targets))
    assert found["mlm_loss"] == pytest.approx(token_loss, rel=1e-6)
    assert found["perplexity"] == pytest.approx(math.exp(token_loss), rel=1e-5)
    assert found["loss"] == pytest.approx(token_loss + float(functional.cross_entropy(order, batch.swapped)))
    assert found["mlm_accuracy"] == float((tokens.argmax(1) == batch.targets).double().mean())
    assert found["sop_accuracy"] == float((order.argmax(1) == batch.swapped).double().mean())
    assert next(iter(found)) == "loss"


def test_another_corpus_is_refused_by_the_name_of_the_digest_that_differs(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    plan = RunPlan.create("albert-tiny", steps=3, peers=4)
    real = load_corpus(PYTHON_TOPICS)
    for field, other in (("text", replace(real, text="00")), ("tokens", replace(real, held_out=real.train))):
        monkeypatch.setattr("btard.training.tasks.albert.recipes.load_corpus", lambda _, found=other: found)
        with pytest.raises(RunMismatchError, match=f"data {field} .*here.*there"):
            plan.engine(BlobStore(1 << 24))


def test_the_flipped_labels_are_the_next_token_and_the_other_order() -> None:
    task = small()
    model = task.build(bytes(32))
    batch = draw_batch(cut_into_spans(corpus().train, 24), VOCABULARY, bytes(32), 4, 24)
    tokens, order = scores(model, batch)
    wrong = functional.cross_entropy(tokens, (batch.targets + 1) % 100)
    wrong = wrong + functional.cross_entropy(order, 1 - batch.swapped)
    with FlippedLabels("next") as labels:
        found = task.loss(model, bytes(32), 4)
    assert labels.flipped
    assert float(found.detach()) == pytest.approx(float(wrong.detach()), abs=1e-6)


@pytest.mark.parametrize(
    ("name", "options", "parameters"),
    [("albert-tiny", {}, None), ("albert-large", {"text": PYTHON_TOPICS}, 17_847_474)],
)
def test_a_network_starts_from_its_seed_alone(
    name: str, options: dict[str, str], parameters: int | None
) -> None:
    build = load_recipe(name, options=options).task.build
    torch.manual_seed(1)
    model = build(bytes(32))
    torch.manual_seed(2)
    assert bytes_of(build(bytes(32))) == bytes_of(model)
    if parameters is not None:
        assert sum(p.numel() for p in model.parameters()) == parameters
    assert not any(isinstance(module, nn.Dropout) and module.p for module in model.modules())


def test_a_recipe_warms_up_for_the_paper_s_share_of_the_run() -> None:
    full = albert_large().describe()["optimizer"]
    assert "WarmupLinear(warmup=5000, total=125000)" in full
    assert "WarmupLinear(warmup=12, total=300)" in albert_tiny().describe()["optimizer"]
    assert "WarmupLinear(warmup=0, total=3)" in load_recipe("albert-large", steps=3).describe()["optimizer"]


def test_options_of_the_large_recipe_fit_each_other_or_are_refused() -> None:
    short = load_recipe("albert-large", options={"batch": "1", "precision": "bf16"})
    assert (short.batch_size, short.micro_batch, short.precision, short.tolerance) == (1, 1, "bf16", "bf16")
    assert (albert_large().micro_batch, albert_large().tolerance) == (4, "smooth")
    for options, sentence in (
        ({"batch": "0"}, "batch_size is 0"),
        ({"evaluated": "0"}, "evaluated is 0: use at least 1"),
        ({"micro_batch": "3"}, "micro_batch is 3: use a divisor"),
        ({"precision": "int8"}, "precision is 'int8': use fp32"),
        ({"text": "../secrets"}, "not the name of a text"),
    ):
        with pytest.raises(ConfigurationError, match=sentence):
            load_recipe("albert-large", options=options).task.build(bytes(32))


def test_an_informed_network_guesses_by_the_shares_of_the_tokens() -> None:
    task = replace(small(), informed=True)
    shares = torch.from_numpy(corpus().shares())
    assert float(shares.sum()) == pytest.approx(1)
    model = task.build(bytes(32))
    bias = dict(model.named_parameters())["predictions.bias"].detach().double()
    torch.testing.assert_close(bias.softmax(0), shares, rtol=1e-6, atol=0)
    assert float(bias.min()) == pytest.approx(-float(bias.max()))


def test_embeddings_begin_larger_by_their_factor() -> None:
    plain, larger = (replace(SMALL, embedding_factor=each).build(20, 0, 16, bytes(32)) for each in (1.0, 4.0))
    for (name, one), two in zip(plain.named_parameters(), larger.parameters(), strict=True):
        assert torch.equal(two, one * 4 if "embeddings.weight" in name else one), name
