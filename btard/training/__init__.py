"""Training: the interface of tasks, and the engine that computes, checks and applies its gradients.

Vectors live as blobs in a `BlobStore`; the protocol above names them by digest and never sees one.
"""

from btard.training.checkpoints import Checkpoint, load_checkpoint, save_checkpoint, save_model
from btard.training.device import check_device
from btard.training.dropout import SeededDropout, seed_dropout
from btard.training.engine import Engine
from btard.training.initialisation import initialise
from btard.training.optimizers import LAMB, NO_DECAY, SGD, AdamW, RestartedSGD
from btard.training.recipe import Recipe
from btard.training.registry import TASKS, known_tasks, load_recipe, register, trust
from btard.training.store import BlobStore
from btard.training.task import Task

__all__ = [
    "LAMB",
    "NO_DECAY",
    "SGD",
    "TASKS",
    "AdamW",
    "BlobStore",
    "Checkpoint",
    "Engine",
    "Recipe",
    "RestartedSGD",
    "SeededDropout",
    "Task",
    "check_device",
    "initialise",
    "known_tasks",
    "load_checkpoint",
    "load_recipe",
    "register",
    "save_checkpoint",
    "save_model",
    "seed_dropout",
    "trust",
]
