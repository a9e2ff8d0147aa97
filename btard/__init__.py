"""Train a PyTorch model together with strangers.

Peers run Byzantine-Tolerant All-Reduce for real: every gradient part is committed before it is
sent, every aggregate can be checked, validators drawn by a joint coin recompute the gradients of
others, false work and false accusations cost the seat, and the run is a signed ledger that anyone
can audit. Source: Gorbunov, Borzunov, Diskin, Ryabinin, "Secure Distributed Training at Scale",
ICML 2022 (https://arxiv.org/abs/2106.11257).

Importing the package itself costs nothing: each name below is imported when it is first used.

    aggregators, attacks, coding, estimators    the field's mathematics, as pure functions of tensors
    lab                                         training under attack on one device
    Task, Recipe, Classifier                    what to train
    RunConfig, plan_run, events                 a run's description, and what happens in it
    PeerOptions, run_peer                       a peer
    BootstrapOptions, run_bootstrap             the announcement of a run
    SwarmSpec, run_in_process, run_processes    a whole swarm on this machine
    audit, RunDirectory                         what a run leaves
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from btard import aggregators as aggregators
    from btard import attacks as attacks
    from btard import coding as coding
    from btard import estimators as estimators
    from btard import lab as lab
    from btard.ledger.audit import audit as audit
    from btard.ledger.directory import RunDirectory as RunDirectory
    from btard.node import BootstrapOptions as BootstrapOptions
    from btard.node import PeerOptions as PeerOptions
    from btard.node import run_bootstrap as run_bootstrap
    from btard.node import run_peer as run_peer
    from btard.run import events as events
    from btard.run.config import RunConfig as RunConfig
    from btard.run.plan import plan_run as plan_run
    from btard.swarm.in_process import run_in_process as run_in_process
    from btard.swarm.processes import run_processes as run_processes
    from btard.swarm.spec import SwarmSpec as SwarmSpec
    from btard.training.recipe import Recipe as Recipe
    from btard.training.task import Task as Task
    from btard.training.tasks.classifier import Classifier as Classifier

__version__ = "0.1.0"

_MODULES = {
    "aggregators": "aggregators",
    "attacks": "attacks",
    "coding": "coding",
    "estimators": "estimators",
    "events": "run.events",
    "lab": "lab",
}
_HOMES = {
    "BootstrapOptions": "node",
    "Classifier": "training.tasks.classifier",
    "PeerOptions": "node",
    "Recipe": "training.recipe",
    "RunConfig": "run.config",
    "RunDirectory": "ledger.directory",
    "SwarmSpec": "swarm.spec",
    "Task": "training.task",
    "audit": "ledger.audit",
    "plan_run": "run.plan",
    "run_bootstrap": "node",
    "run_in_process": "swarm.in_process",
    "run_peer": "node",
    "run_processes": "swarm.processes",
}


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used."""
    if name in _MODULES:
        return importlib.import_module(f"btard.{_MODULES[name]}")
    if name not in _HOMES:
        raise AttributeError(f"btard has no {name!r}: dir(btard) lists what there is")
    return getattr(importlib.import_module(f"btard.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *_MODULES, *_HOMES})
