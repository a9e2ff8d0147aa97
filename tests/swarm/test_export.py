"""A model of Hugging Face, trained by a swarm, exported, and loaded as anybody loads one."""

from __future__ import annotations

from pathlib import Path

import torch
from safetensors.torch import load_file
from transformers import AlbertForPreTraining, AutoModel

from tests.swarm.commands import btard


def test_a_trained_albert_loads_from_the_exported_folder(tmp_path: Path) -> None:
    shape = ("--task", "albert-tiny", "--peers", "2", "--steps", "2", "--validators", "0", "--in-process")
    trained = btard("swarm", *shape, "--out", "run", cwd=tmp_path)
    assert trained.returncode == 0, trained.stderr
    exported = btard("export", "run", "model", cwd=tmp_path)
    assert exported.returncode == 0, exported.stderr
    final = load_file(tmp_path / "run" / "model.safetensors")
    loaded = AlbertForPreTraining.from_pretrained(tmp_path / "model")
    for name, parameter in loaded.named_parameters():
        assert torch.equal(parameter, final[name]), name
    encoder = AutoModel.from_pretrained(tmp_path / "model")
    assert encoder.config.model_type == "albert"
