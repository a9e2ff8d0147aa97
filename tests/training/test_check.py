"""A task is checked before a swarm sees it: each defect is one sentence, and a good task has none."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from btard import cli
from btard.errors import ConfigurationError, RunMismatchError
from btard.run.config import RunPlan
from btard.training import TASKS, BlobStore
from btard.training.check import check_task
from btard.training.check_report import CheckReport

SOUND = """
import os
import random
from functools import partial
import torch
from torch import nn
from torch.nn import functional
from btard.errors import ConfigurationError
from btard.training import AdamW, Recipe, SeededDropout, initialise
from btard.training.randomness import integers, bernoulli

POINTS = torch.linspace(-1, 1, 80).view(20, 4)
COUNT = [0]

class Sound:
    name = "sound"
    def fingerprints(self):
        return {"points": "00"}
    def build(self, seed):
        model = nn.Sequential(nn.Linear(4, 30), nn.GELU(), SeededDropout(0.1), nn.Linear(30, 3))
        initialise(model, seed)
        return model
    def loss(self, model, seed, batch_size):
        rows = integers(seed, "batch", len(POINTS), batch_size)
        points = POINTS[rows].to(next(model.parameters()).device)
        return functional.cross_entropy(model(points), (rows % 3).to(points.device))
    def evaluate(self, model):
        return {"loss": float(functional.cross_entropy(model(POINTS), torch.arange(20) % 3))}

def recipe(steps: int = 10, batch_size: int = 8) -> Recipe:
    return Recipe(Sound(), batch_size, AdamW(learning_rate=0.01), micro_batch=4, steps=steps)
"""


@pytest.fixture
def check(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> Callable[..., CheckReport]:
    """Checks the sound task with some of its lines changed, in a module of its own."""
    monkeypatch.setattr("btard.training.registry.TASKS", dict(TASKS))
    monkeypatch.setattr("sys.path", list(sys.path))
    monkeypatch.chdir(tmp_path)
    module = f"checked_{abs(hash(request.node.name))}"

    def run(
        *changes: tuple[str, str], epsilon: float | None = None, device: str = "cpu", **options: str
    ) -> CheckReport:
        source = SOUND
        for old, new in changes:
            assert old in source
            source = source.replace(old, new)
        (tmp_path / f"{module}.py").write_text(source)
        return check_task(f"{module}:recipe", options, epsilon=epsilon, device=device)

    return run


def test_a_sound_task_has_no_fault_and_its_differences_are_measured(
    check: Callable[..., CheckReport],
) -> None:
    report = check(batch_size="16")
    assert (report.faults, report.notes) == ([], [])
    assert report.measured["the same seed again"] == 0
    assert report.measured["ATEN_CPU_CAPABILITY=default"] < 1e-6
    assert {"1 thread", "2 threads"} & set(report.measured)


ROWS = 'rows = integers(seed, "batch", len(POINTS), batch_size)'
LOSS = "return functional.cross_entropy(model(points), (rows % 3).to(points.device))"
QUALITY = 'return {"loss": float(functional.cross_entropy(model(POINTS), torch.arange(20) % 3))}'
WEIGHTS = "initialise(model, seed)"
FAULTS = {
    "chance": (
        (ROWS, "rows = torch.tensor([random.randrange(20) for _ in range(batch_size)])"),
        "two gradients of one seed differ by .* of their norm: draw everything from the seed",
    ),
    "state between calls": (
        (ROWS, "COUNT[0] += 1; rows = (torch.arange(batch_size) + COUNT[0]) % 20"),
        "two gradients of one seed differ by",
    ),
    "something of the process": (
        (LOSS, f"{LOSS} * (1 + os.getpid() / 1000)"),
        "with ATEN_CPU_CAPABILITY=default a gradient differs by .*, more than the run's tolerance of 0.0001",
    ),
    "no seed": (
        (LOSS, "return sum(each.square().sum() for each in model.parameters())"),
        "two seeds have the same gradient: draw the batch",
    ),
    "no slope": ((LOSS, f"{LOSS} * 0"), "the gradient is zero"),
    "not a number": ((LOSS, LOSS.replace("model(points)", "model(points).log()")), "the loss is nan"),
    "a derivative that is not a number": (
        (LOSS, "return (model(points) * 0).square().sqrt().mean()"),
        "the gradient of 0.weight, 0.bias, 3.weight and 1 more is not finite",
    ),
    "an unused parameter": (
        (WEIGHTS, f"{WEIGHTS}; model.register_parameter('spare', nn.Parameter(torch.zeros(2)))"),
        "the loss does not depend on spare: use the parameter, or set its requires_grad",
    ),
    "running statistics": (
        ("nn.GELU()", "nn.BatchNorm1d(30)"),
        "changes the buffer 1.running_mean, 1.running_var, 1.num_batches_tracked, which every peer puts back",
    ),
    "a loss for each sample": (
        (LOSS, LOSS.replace("device))", "device), reduction='none')")),
        r"the loss is a tensor of shape \[4\]: return a tensor of one number",
    ),
    "a loss that is a number": ((LOSS, "return 0.5"), "the loss is float"),
    "no derivative": ((LOSS, f"{LOSS}.detach()"), "the loss depends on no parameter"),
    "an error in the loss": (
        (ROWS, "rows = {}['rows']"),
        r"the loss cannot be computed: KeyError: 'rows' \(checked_\w+.py, line \d+\)",
    ),
    "an error in build": ((WEIGHTS, "1 / 0"), "the model cannot be built: ZeroDivisionError"),
    "a lambda": (
        ("AdamW(learning_rate=0.01)", "lambda named: torch.optim.SGD(named, lr=0.1)"),
        "cannot be described to other peers",
    ),
    "weights of chance": (
        (WEIGHTS, f"{WEIGHTS}; model[0].bias.data.fill_(random.random())"),
        "built twice, the initial model is another",
    ),
    "a tolerance that is too tight": (
        ("micro_batch=4", "precision='bf16'"),
        'the tolerance smooth is too tight for gradients in bf16: let the recipe have tolerance="bf16"',
    ),
    "no data": (
        ('return {"points": "00"}', "raise ConfigurationError('points.txt is missing: fetch it')"),
        "points.txt is missing: fetch it",
    ),
    "an evaluation that is no number": (
        (QUALITY, 'return {"loss": float("nan")}'),
        "the evaluation's loss is nan: return finite numbers",
    ),
    "an evaluation without names": ((QUALITY, "return 0.5"), "numbers by name"),
}


@pytest.mark.parametrize(("change", "sentence"), FAULTS.values(), ids=FAULTS)
def test_a_defect_is_named_in_one_sentence(
    change: tuple[str, str], sentence: str, check: Callable[..., CheckReport]
) -> None:
    report = check(change)
    assert len(report.faults) == 1, report.faults
    assert re.search(sentence, report.faults[0])
    assert "\n" not in report.faults[0]


def test_short_floats_are_compared_within_their_own_tolerance(check: Callable[..., CheckReport]) -> None:
    report = check(("micro_batch=4", "precision='bf16', tolerance='bf16'"))
    assert report.faults == []
    assert report.measured["ATEN_CPU_CAPABILITY=default"] < 5e-2


def test_float16_is_checked_on_the_device_that_has_it(check: Callable[..., CheckReport]) -> None:
    with pytest.raises(ConfigurationError, match="precision is fp16 on cpu: use a CUDA device, or bf16"):
        check(("micro_batch=4", "precision='fp16', tolerance='fp16'"))


def test_a_difference_above_the_tolerance_is_a_fault(check: Callable[..., CheckReport]) -> None:
    (fault,) = check(epsilon=1e-12).faults
    assert fault.startswith("with ")
    assert "more than the run's tolerance of 1e-12" in fault


def test_what_some_swarms_can_live_with_is_a_note(check: Callable[..., CheckReport]) -> None:
    report = check(
        ("SeededDropout(0.1)", "nn.Dropout(0.1)"),
        ("AdamW(learning_rate=0.01)", "partial(torch.optim.SGD, lr=0.1)"),
        ("def fingerprints(self):", "def marks(self):"),
        (WEIGHTS, "[nn.init.normal_(each) for each in model.parameters()]"),
    )
    assert report.faults == []
    notes = ("for peers on like hardware alone", "no fingerprints", "draws from torch's generator")
    assert [note in each for note, each in zip(notes, report.notes, strict=False)] == [True] * 3
    assert all("the initial model is another" in each for each in report.notes[3:])


def test_a_task_that_cannot_be_made_is_refused_at_once(check: Callable[..., CheckReport]) -> None:
    with pytest.raises(ConfigurationError, match="micro_batch is 4: use a divisor"):
        check(batch_size="6")
    with pytest.raises(ConfigurationError, match="there is no task"):
        check_task("dogs", {})
    with pytest.raises(ConfigurationError, match="use cpu, cuda or cuda:N"):
        check_task("digits", {}, device="banana")


def test_a_device_on_which_it_cannot_be_computed_is_a_fault(
    check: Callable[..., CheckReport], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The device `meta` has no numbers: it stands for one that fails."""
    monkeypatch.setattr("btard.training.check.check_device", str)
    (fault,) = check(device="meta").faults
    assert fault.startswith("a gradient cannot be computed on meta: ")


def test_data_that_differ_by_one_byte_are_refused_at_joining(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("btard.training.registry.TASKS", dict(TASKS))
    monkeypatch.setattr("sys.path", list(sys.path))
    monkeypatch.chdir(tmp_path)
    read = "return {'points': digest('points', Path('points.bin').read_bytes()).hex()}"
    source = SOUND.replace('return {"points": "00"}', read)
    (tmp_path / "checked_with_a_file.py").write_text(
        f"from pathlib import Path\nfrom btard.crypto import digest\n{source}"
    )
    points = tmp_path / "points.bin"
    points.write_bytes(bytes(1000))
    plan = RunPlan.create("checked_with_a_file:recipe", steps=3, peers=2)
    plan.engine(BlobStore(1))
    points.write_bytes(bytes(999) + b"\1")
    with pytest.raises(
        RunMismatchError, match=r"starts from something else: data points .* here, .* there"
    ) as no:
        plan.engine(BlobStore(1))
    assert "\n" not in str(no.value)


def test_the_command_says_what_it_measured_and_ends_with_status_3_after_a_fault(
    check: Callable[..., CheckReport], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    check(FAULTS["an unused parameter"][0])
    (name,) = (path.stem for path in Path().glob("checked_*.py"))

    def run(*arguments: str) -> tuple[int | str | None, str, str]:
        monkeypatch.setattr(sys, "argv", ["btard", "check-task", *arguments])
        with pytest.raises(SystemExit) as stop:
            cli.main()
        return (stop.value.code, *capsys.readouterr())

    arguments = (f"{name}:recipe", "--steps", "5", "--option", "batch_size=4")
    status, out, err = run(*arguments)
    assert (status, err.count("\n"), "fit for" in out) == (3, 1, False)
    assert err.startswith("btard: the loss does not depend on spare")
    status, out, err = run(*arguments, "--json")
    assert (status, json.loads(out)["holds"]) == (3, False)
    Path("checked_sound.py").write_text(SOUND)
    status, out, err = run("checked_sound:recipe")
    assert (status, err, "checked_sound:recipe is fit for a swarm" in out) == (0, "", True)
    assert run("digits", "--option", "depth=1")[0] == 1
