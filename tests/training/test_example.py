"""The example runs as its README says."""

from __future__ import annotations

import re
import runpy
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "examples" / "digits" / "train.py"


def test_the_example_learns_despite_three_attackers(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", [str(SCRIPT), "--steps", "50"])
    monkeypatch.setattr("torch.set_num_threads", lambda count: None)
    runpy.run_path(str(SCRIPT), run_name="__main__")
    accuracies = re.findall(r"accuracy ([\d.]+)%", capsys.readouterr().out)
    assert len(accuracies) == 2
    assert float(accuracies[-1]) > 80
