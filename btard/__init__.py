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
    RunPlan, RunConfig, plan_run, events        a run's plan, a run, and what happens in it
    PeerOptions, run_peer                       a peer
    BootstrapOptions, run_bootstrap             the announcement of a run
    SwarmSpec, run_in_process, run_processes    a whole swarm on this machine
    audit, RunDirectory                         what a run leaves
"""

from __future__ import annotations

import importlib
from typing import Any

__version__ = "0.1.0"

_HOMES = {
    "ledger.audit": ("audit",),
    "ledger.directory": ("RunDirectory",),
    "node": ("BootstrapOptions", "PeerOptions", "run_bootstrap", "run_peer"),
    "run.config": ("RunConfig", "RunPlan"),
    "run.plan": ("plan_run",),
    "swarm.in_process": ("run_in_process",),
    "swarm.processes": ("run_processes",),
    "swarm.spec": ("SwarmSpec",),
    "training.recipe": ("Recipe",),
    "training.task": ("Task",),
    "training.tasks.classifier": ("Classifier",),
}
_MODULES = {name: name for name in ("aggregators", "attacks", "coding", "estimators", "lab")}
_MODULES["events"] = "run.events"


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used."""
    if name in _MODULES:
        return importlib.import_module(f"btard.{_MODULES[name]}")
    for home, names in _HOMES.items():
        if name in names:
            return getattr(importlib.import_module(f"btard.{home}"), name)
    raise AttributeError(f"btard has no {name!r}: dir(btard) lists what there is")


def __dir__() -> list[str]:
    return sorted({*globals(), *_MODULES, *(name for names in _HOMES.values() for name in names)})
