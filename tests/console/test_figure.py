"""The figure of a run: which curves share a panel."""

from __future__ import annotations

from btard.console.figure import PANELS_MAX, panels_of
from btard.run.events import AttemptEnded


def record(step: int, training: float | None = None, kind: str = "step", **metrics: float) -> AttemptEnded:
    always = {"index": step, "step": step, "attempt": 0, "kind": kind, "disputed": False, "roster": 4}
    return AttemptEnded.model_validate(
        {**always, "ledger": "aa", "model": "bb", "training_loss": training, "metrics": metrics}
    )


def test_shares_have_one_panel_both_losses_another_and_each_other_metric_its_own() -> None:
    records = [
        record(0, 3.0),
        record(1, 2.0, mlm_accuracy=0.1, loss=2.5, perplexity=12.0, sop_accuracy=0.5),
        record(2, 9.0, kind="abort"),
        record(2, 1.0, mlm_accuracy=0.2, loss=1.5, perplexity=4.0, sop_accuracy=0.6),
    ]
    assert panels_of(records) == [
        {"training loss": [(1, 3.0), (2, 2.0), (3, 1.0)], "loss": [(2, 2.5), (3, 1.5)]},
        {"mlm_accuracy": [(2, 0.1), (3, 0.2)], "sop_accuracy": [(2, 0.5), (3, 0.6)]},
        {"perplexity": [(2, 12.0), (3, 4.0)]},
    ]


def test_a_run_without_numbers_has_an_empty_panel_and_one_with_many_is_cut() -> None:
    assert panels_of([record(0, kind="abort")]) == [{}]
    assert len(panels_of([record(0, **{f"metric {k}": 1.0 for k in range(20)})])) == PANELS_MAX
