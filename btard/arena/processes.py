"""Processes that train one cell after another, and the loop that keeps them busy.

Spawned, not forked: torch has threads. A worker that dies (out of memory, killed) costs its cell, not the
grid; workers end when their parent is gone, however it went; the keyboard interrupts the parent alone.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import contextmanager, suppress
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection, wait
from typing import Final, Protocol, TypeAlias, cast

from btard.arena.cell import Crash, Result
from btard.lab import Experiment, Outcome

END_S: Final = 3.0
"""How long a process has to end when it is told to, before it is killed."""

_SPAWN = multiprocessing.get_context("spawn")


class Train(Protocol):
    """What a worker runs: `btard.lab.run`, or anything else that another process can import by its name."""

    def __call__(
        self, experiment: Experiment, device: str, on_step: Callable[[int], None] | None
    ) -> Outcome: ...


Event: TypeAlias = tuple[Experiment, Result | None]
"""A cell that starts (None), or what came of it."""


def train_all(
    experiments: Iterable[Experiment], train: Train, device: str, jobs: int
) -> Generator[Event, None, None]:
    """Trains every cell, `jobs` at a time, and tells of each when it starts and when it ends.

    Closing the generator, or an exception in the one who iterates, ends the processes.
    """
    waiting = deque(experiments)
    workers: list[_Worker] = []
    try:
        for _ in range(min(jobs, len(waiting))):
            workers.append(_Worker(train, device))
        while waiting or any(worker.experiment for worker in workers):
            for index, worker in enumerate(workers):
                if worker.experiment is None and waiting:
                    if not worker.alive:
                        workers[index] = worker = _Worker(train, device)
                    yield worker.give(waiting.popleft()), None
            for worker in _ready(workers):
                yield worker.take()
    finally:
        _end(workers)


class _Worker:
    """One process and the cell that it trains, None between cells."""

    def __init__(self, train: Train, device: str) -> None:
        self.experiment: Experiment | None = None
        ours, theirs = _SPAWN.Pipe()
        self.connection = ours
        self._process = _SPAWN.Process(target=_work, args=(theirs, train, device), daemon=True)
        with _without_keyboard():
            self._process.start()
        theirs.close()

    @property
    def alive(self) -> bool:
        """Whether it can be given a cell."""
        return not self.connection.closed

    def give(self, experiment: Experiment) -> Experiment:
        """Starts a cell."""
        self.experiment = experiment
        with suppress(OSError):  # it died; `take` will say so
            self.connection.send(experiment)
        return experiment

    def take(self) -> Event:
        """The cell's result, which is there; a crash where the process died."""
        experiment, self.experiment = self.experiment, None
        assert experiment is not None
        try:
            result = cast("Result", self.connection.recv())
        except (EOFError, OSError):
            result = self._post_mortem()
        return experiment, result

    def ask_to_end(self) -> None:
        """Tells the process to end now."""
        self.connection.close()
        self._process.terminate()

    def end(self) -> None:
        """Waits for its end, and kills it where that takes too long."""
        self._process.join(END_S)
        if self._process.exitcode is None:
            self._process.kill()
            self._process.join()
        self._process.close()

    def _post_mortem(self) -> Crash:
        self.connection.close()
        self._process.join()
        code = self._process.exitcode or 0
        how = f"was killed by {signal.Signals(-code).name}" if code < 0 else f"ended with status {code}"
        return Crash(f"its process {how}")


def _ready(workers: Iterable[_Worker]) -> list[_Worker]:
    busy = {worker.connection: worker for worker in workers if worker.experiment is not None}
    return [busy[cast("Connection", ready)] for ready in wait(list(busy))]


def _end(workers: Iterable[_Worker]) -> None:
    every = list(workers)
    for worker in every:
        worker.ask_to_end()
    for worker in every:
        worker.end()


@contextmanager
def _without_keyboard() -> Iterator[None]:
    """Processes started here never see the SIGINT that a terminal sends to all of a group.

    They inherit the mask. An interrupt that comes meanwhile reaches this process at the end.
    """
    # It would unblock SIGINT, were it started within.
    resource_tracker.ensure_running()
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _work(connection: Connection, train: Train, device: str) -> None:
    """A worker's life."""
    import torch

    torch.set_num_threads(1)  # as many processes as cores; and sums don't depend on the machine
    parent = os.getppid()

    def end_with_parent(_step: int) -> None:
        if os.getppid() != parent:
            os._exit(1)

    while True:
        try:
            experiment = connection.recv()
        except EOFError:
            return
        try:
            result: Result = train(experiment, device, end_with_parent)
        except Exception as error:
            result = Crash(_one_line(error))
        try:
            connection.send(result)
        except OSError:
            return


def _one_line(error: Exception) -> str:
    lines = str(error).strip().splitlines() or ["no reason given"]
    return f"{type(error).__name__}: {lines[0]}"
