"""Trackers by name."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from btard.errors import ConfigurationError
from btard.tracking import make_trackers


@pytest.mark.parametrize("text", ["", "mlflow", "tensorboards", "Tensorboard", ":x"])
def test_a_tracker_that_does_not_exist_is_refused_with_those_that_do(text: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"use tensorboard, tensorboard:DIR, wandb or wandb:PROJECT"):
        make_trackers([text], tmp_path)


@pytest.mark.parametrize(
    ("text", "module"), [("tensorboard:x", "torch.utils.tensorboard"), ("wandb", "wandb")]
)
def test_a_missing_package_is_one_sentence_that_names_the_extra(
    text: str, module: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, module, None)  # as Python marks what cannot be imported
    with pytest.raises(ConfigurationError, match=r"pip install 'btard\[tracking\]'"):
        make_trackers([text], tmp_path)


def test_no_tracker_is_none(tmp_path: Path) -> None:
    assert make_trackers([], tmp_path) == ()
