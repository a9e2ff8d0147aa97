"""Attackers in the laboratory: every attack, when it takes place, and what attackers are given to know."""

from __future__ import annotations

from dataclasses import dataclass, replace

import pytest
import torch
from torch import Tensor

from btard.attacks import ATTACKS, Attack, AttackContext, DelayedGradient, Mimic, SignFlip, parse
from btard.errors import ConfigurationError
from btard.lab import Experiment, prepare, run
from btard.lab.attackers import Attackers
from btard.lab.gradients import FlatModel
from btard.lab.partition import Iid
from btard.lab.sampling import Batches
from btard.lab.stopwatch import Stopwatch
from btard.lab.workers import EstimatingWorkers

SMALL = Experiment(workers=8, byzantine=2, rule="nnm+trimmed_mean", steps=6, batch_size=8, evaluate_every=3)


def mean_of_step(_: int, rows_ND: Tensor) -> Tensor:
    return rows_ND.mean(0)


@pytest.mark.parametrize("attack", ATTACKS)
def test_a_robust_rule_survives_every_attack(attack: str) -> None:
    outcome = run(replace(SMALL, attack=attack, steps=8, batch_size=32, learning_rate=0.5))
    assert outcome.diverged is None
    assert outcome.final.accuracy > 0.4
    assert outcome.final.loss < outcome.measurements[0].loss


def test_as_many_rows_with_nan_are_left_out_as_the_rule_is_told_of() -> None:
    attacked = replace(SMALL, attack="nan", rule="mean", f=0)
    assert run(attacked).diverged == 0
    assert run(replace(attacked, rule="median", f=1)).diverged == 0
    assert run(replace(attacked, rule="median", f=2)).diverged is None


def test_attacks_start_when_and_recur_as_often_as_told() -> None:
    """A sender of NaN ends a run of the mean in the first attacked step."""
    mean = replace(SMALL, rule="mean", f=0, attack="nan")
    assert run(replace(mean, attack_start=4)).diverged == 4
    assert run(replace(mean, attack_start=6)).diverged is None
    recurring = replace(mean, attack_start=2, attack_period=3)
    assert [step for step in range(10) if recurring.attacks_in(step)] == [2, 5, 8]


def test_attackers_who_never_attack_are_honest() -> None:
    honest = run(replace(SMALL, byzantine=0, f=2))
    for idle in ({"attack": "none"}, {"attack": "sign_flip", "attack_start": 99}):
        assert replace(run(replace(SMALL, **idle)), seconds=honest.seconds) == honest


def test_attackers_between_attacks_are_honest() -> None:
    """With a period longer than the run only the first step differs: the second model is one step behind."""
    attacked = replace(SMALL, rule="median", attack="sign_flip", evaluate_every=1)
    once, always = (run(replace(attacked, attack_period=period)) for period in (99, 1))
    assert once.measurements[:2] == always.measurements[:2]
    assert once.measurements[2] != always.measurements[2]


FIVE = Experiment(workers=5, byzantine=2, attack="sign_flip")


def test_only_the_last_rows_are_forged_and_the_honest_ones_are_left_untouched() -> None:
    rows_ND = torch.randn(5, 3)
    before = rows_ND.clone()
    attackers = Attackers(replace(FIVE, attack_start=1), SignFlip(10.0), mean_of_step)
    assert attackers.send(0, rows_ND) is rows_ND
    assert attackers.tampering(0, rows_ND, rows_ND) == frozenset()
    sent_ND = attackers.send(1, rows_ND)
    assert torch.equal(rows_ND, before)
    assert torch.equal(sent_ND[:3], rows_ND[:3])
    torch.testing.assert_close(sent_ND[3:], -10.0 * rows_ND[3:])
    assert attackers.tampering(1, rows_ND, sent_ND) == {3, 4}


@pytest.mark.parametrize(("start", "expected"), [(0, [0, 0, 0, 1, 2, 3]), (4, [0, 1, 2, 3, 2, 3])])
def test_the_past_goes_back_as_far_as_the_attack_looks_attacked_or_not(
    start: int, expected: list[int]
) -> None:
    attackers = Attackers(replace(FIVE, attack_start=start), DelayedGradient(delay=2), mean_of_step)
    sent = [float(attackers.send(step, torch.full((5, 2), float(step)))[-1, 0]) for step in range(6)]
    assert sent == expected


@dataclass(frozen=True, slots=True)
class Curious(Attack):
    """Sends what the server would make of its message, and checks what it is told on the way."""

    def __call__(self, context: AttackContext, /) -> Tensor:
        assert (context.step, context.peers, context.byzantine) == (7, 5, 2)
        assert context.seed
        assert context.honest().shape == (3, 4)
        assert torch.equal(context.past(0), context.own)
        return context.aggregate(torch.zeros_like(context.own))


def test_attackers_may_try_what_the_server_would_make_of_a_vector_that_all_of_them_send() -> None:
    rows_ND = torch.randn(5, 4)
    sent_ND = Attackers(FIVE, Curious(), mean_of_step).send(7, rows_ND)
    for row in sent_ND[3:]:
        torch.testing.assert_close(row, rows_ND[:3].sum(0) / 5)


def test_a_common_vector_is_computed_once() -> None:
    asked: list[int] = []

    def counting(step: int, rows_ND: Tensor) -> Tensor:
        asked.append(step)
        return rows_ND.mean(0)

    sent_ND = Attackers(FIVE, parse("optimised_ipm(evaluations=9)"), counting).send(0, torch.randn(5, 4))
    assert 0 < len(asked) <= 9
    assert torch.equal(sent_ND[3], sent_ND[4])


def test_wrong_labels_are_put_in_for_the_last_workers_only() -> None:
    task = prepare(SMALL).task
    data, model = task.data, FlatModel(task.build(bytes(32)))
    held = Iid().split(data.train_labels.numpy(), 4, 0)

    def rows(liars: int) -> Tensor:
        cpu = torch.device("cpu")
        batches = Batches(data, held, 8, torch.Generator().manual_seed(0), cpu)
        estimating = EstimatingWorkers(model, batches, prepare(SMALL).estimator)
        return estimating.rows(0, model.parameters(), liars, Stopwatch(lambda: 0.0, cpu))

    honest_ND, mixed_ND, wrong_ND = rows(0), rows(1), rows(4)
    assert torch.equal(mixed_ND[:3], honest_ND[:3])
    assert torch.equal(mixed_ND[3], wrong_ND[3])
    batches = Batches(data, held, 8, torch.Generator().manual_seed(0), torch.device("cpu"))
    images, labels_NB = batches.draw()
    expected = model.gradients(model.parameters(), images, 9 - labels_NB)
    torch.testing.assert_close(wrong_ND, expected)


def test_an_attack_on_an_honest_worker_that_is_not_there_is_refused_before_training() -> None:
    assert Mimic(row=5)
    with pytest.raises(ConfigurationError):
        prepare(replace(SMALL, attack="mimic(row=6)"))
