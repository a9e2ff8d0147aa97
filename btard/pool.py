"""A pool of processes that survives the death of a worker and ends with its parent.

A worker that is killed (out of memory, say) costs its own job and nothing else. Workers are spawned, not
forked, because torch has threads. They end as soon as their parent has ended, in whatever way, and the
SIGINT that a terminal sends to its whole process group reaches the parent alone.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection, wait
from threading import Thread
from typing import Final, Generic, TypeVar, cast

END_S: Final = 3.0
"""Time that a process has to end after SIGTERM, before it is killed."""

_SPAWN = multiprocessing.get_context("spawn")

Job = TypeVar("Job")
Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Failure:
    """A job that ended in an exception, or with the death of its process; `reason` is one line."""

    reason: str


def cores() -> int:
    """Return the number of cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def run_jobs(
    jobs: Iterable[Job], work: Callable[[Job], Result], processes: int
) -> Generator[tuple[Job, Result | Failure | None], None, None]:
    """Yield each job with None when it starts, and with its result or Failure when it ends.

    `work` runs in at most `processes` processes at a time, which import it by its name; jobs and results are
    pickled. No result may be None. Closing the generator ends the processes.
    """
    waiting = deque(jobs)
    workers: list[_Worker[Job, Result]] = []
    try:
        for _ in range(min(processes, len(waiting))):
            workers.append(_Worker(work))
        while waiting or any(worker.busy for worker in workers):
            for index, worker in enumerate(workers):
                if waiting and not worker.busy:
                    if worker.connection.closed:  # its process died
                        workers[index] = worker = _Worker(work)
                    yield worker.give(waiting.popleft()), None
            working = {worker.connection: worker for worker in workers if worker.busy}
            for ready in wait(list(working)):
                yield working[cast("Connection", ready)].take()
    finally:
        for worker in workers:
            worker.terminate()
        for worker in workers:
            worker.join()


class _Worker(Generic[Job, Result]):
    """One process and the job that it works on."""

    def __init__(self, work: Callable[[Job], Result]) -> None:
        self.connection, theirs = _SPAWN.Pipe()
        self._jobs: list[Job] = []  # one at most
        self._process = _SPAWN.Process(target=_serve, args=(theirs, work), daemon=True)
        with _sigint_blocked():
            self._process.start()
        theirs.close()

    @property
    def busy(self) -> bool:
        """Whether it has a job."""
        return bool(self._jobs)

    def give(self, job: Job) -> Job:
        """Start a job and return it."""
        self._jobs.append(job)
        with suppress(OSError):  # the process died; `take` reports it
            self.connection.send(job)
        return job

    def take(self) -> tuple[Job, Result | Failure]:
        """Return the job and its result, which has arrived, or a Failure if the process died."""
        try:
            result = cast("Result | Failure", self.connection.recv())
        except (EOFError, OSError):
            self.connection.close()
            self._process.join()
            code = self._process.exitcode or 0
            how = f"was killed by {signal.Signals(-code).name}" if code < 0 else f"ended with status {code}"
            result = Failure(f"its process {how}")
        return self._jobs.pop(), result

    def terminate(self) -> None:
        """Tell the process to end now."""
        self.connection.close()
        self._process.terminate()

    def join(self) -> None:
        """Wait for the end of the process, and kill it if that takes more than END_S."""
        self._process.join(END_S)
        if self._process.exitcode is None:
            self._process.kill()
            self._process.join()
        self._process.close()


@contextmanager
def _sigint_blocked() -> Iterator[None]:
    """Block SIGINT for processes started here, which inherit the mask; the caller gets it at the end."""
    # The tracker would unblock SIGINT if it were started inside.
    resource_tracker.ensure_running()
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _serve(connection: Connection, work: Callable[[Job], object]) -> None:
    """Do one job after another until the parent closes the connection or ends."""
    Thread(target=_end_with_parent, daemon=True).start()
    with suppress(EOFError, OSError):
        while True:
            job: Job = connection.recv()
            try:
                result = work(job)
            except Exception as error:
                lines = str(error).strip().splitlines() or ["no reason given"]
                result = Failure(f"{type(error).__name__}: {lines[0]}")
            connection.send(result)


def _end_with_parent() -> None:
    """End this process, even in the middle of a job, as soon as its parent has ended."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)
