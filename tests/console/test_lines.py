"""The lines of a run's progress, and its pace."""

from __future__ import annotations

import pytest

from btard.console.lines import delay_line, duration, norms_line, phase_line, rate
from btard.console.metrics import metrics_line, number
from btard.console.pace import STEPS, Pace
from btard.run.events import AttemptEnded, InPhase, Norms

COLUMNS = 80
NORMS = Norms(gradient=0.58, aggregate=0.3, distance=0.269, median_distance=0.2, tau=0.2, clipped=0.12)


def in_phase(
    *missing: str, work: str | None = None, share: float | None = None, dispute: bool = False
) -> InPhase:
    return InPhase(
        step=3, attempt=0, phase="aggregate", in_dispute=dispute, waited_s=12.3, work=work, share=share,
        missing=missing,
    )  # fmt: skip


def ended(**fields: object) -> AttemptEnded:
    always = {"index": 1, "step": 1, "attempt": 0, "kind": "step", "disputed": False, "roster": 4}
    return AttemptEnded.model_validate({**always, "ledger": "aa", "model": "bb", **fields})


@pytest.mark.parametrize(
    ("event", "line"),
    [
        (in_phase(), ""),
        (in_phase("a", "b"), "  waiting for peer-a, peer-b"),
        (in_phase(*"abcde", work="gradient", share=0.634), "  computing 63%  waiting for 5 of 16"),
        (in_phase("a", work="recompute"), "  recomputing  waiting for peer-a"),
        (in_phase("a", dispute=True), "  in dispute"),
        (in_phase(work="something new"), "  at work"),
    ],
)
def test_a_phase_says_what_is_computed_and_who_is_waited_for(event: InPhase, line: str) -> None:
    assert phase_line(event, lambda peer: f"peer-{peer}", 16) == f"aggregate 12 s{line}"


def test_a_step_says_its_loss_and_its_norms_beside_tau() -> None:
    line = norms_line(ended(training_loss=2.1, norms=NORMS))
    assert line == "training loss 2.100  |g| 0.580  |g-v| 0.269  tau 0.200  12% clipped"
    assert len(line) <= COLUMNS
    assert norms_line(ended()) == ""
    absent = NORMS.model_copy(update={"gradient": None, "distance": None})
    assert norms_line(ended(norms=absent)) == "tau 0.200  12% clipped"


def test_deadlines_and_disputes_are_told_also_if_the_record_has_no_word_of_them() -> None:
    assert delay_line(ended()) == ""
    late = ended(deadlines=("gradient", "gradient", "aggregate"), disputes=3, dispute_s=27.4)
    assert delay_line(late) == "deadline passed in gradient and aggregate, 3 disputes of 27 s"
    assert delay_line(ended(disputes=1)) == "1 dispute"


def test_numbers_of_any_size_take_few_columns() -> None:
    values = (0.0, 0.5, 12.3456, 1234.56, 1e7, 1e-7, -0.25, float("inf"))
    assert [number(value) for value in values] == [
        "0.000", "0.500", "12.346", "1234.6", "1e+07", "1e-07", "-0.250", "inf",
    ]  # fmt: skip
    assert metrics_line({"mlm_accuracy": 0.256, "loss": 2.0}) == "mlm_accuracy 25.6%  loss 2.000"


def test_times_are_read_at_a_glance() -> None:
    assert [duration(s) for s in (0, 59.6, 3_725, 200_000)] == ["0:00:00", "0:01:00", "1:02:05", "2 d 7 h"]
    assert [rate(s) for s in (0.2, 1.0, 134.04)] == ["5.0 steps/s", "1.0 s/step", "134.0 s/step"]


def test_the_pace_is_of_the_last_steps_and_counts_the_step_under_way() -> None:
    pace = Pace()
    assert (pace.step_s, pace.left_s(10, 0.0)) == (None, None)
    pace.begin(100, 0.0)
    assert pace.step_s is None
    pace.made(101, 60.0)
    pace.made(101, 70.0)  # another record of the same step
    assert pace.step_s == 60.0
    assert [pace.left_s(103, now) for now in (60.0, 90.0, 500.0)] == [120.0, 90.0, 60.0]
    for step in range(STEPS):
        pace.made(102 + step, 60.0 + (step + 1))
    assert pace.step_s == 1.0
