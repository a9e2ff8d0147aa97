"""The pool of processes: a job that fails costs itself and nothing else."""

from __future__ import annotations

import os
import signal
from contextlib import closing

from btard.pool import Failure, run_jobs


def work(job: str) -> str:
    """An exception of two lines, or a kill as by a machine without memory, or a result."""
    if job == "raise":
        raise ZeroDivisionError("no\nquotient")
    if job == "die":
        os.kill(os.getpid(), signal.SIGKILL)
    if job == "exit":
        os._exit(3)
    return job.upper()


def test_job_that_raises_or_dies_fails_with_its_reason_and_the_rest_goes_on() -> None:
    assert list(run_jobs(("raise", "die", "exit", "end"), work, 1)) == [
        ("raise", None),
        ("raise", Failure("ZeroDivisionError: no")),
        ("die", None),
        ("die", Failure("its process was killed by SIGKILL")),
        ("exit", None),
        ("exit", Failure("its process ended with status 3")),
        ("end", None),
        ("end", "END"),
    ]


def test_closing_the_generator_ends_the_processes() -> None:
    with closing(run_jobs(("one", "two"), work, 1)) as events:
        assert next(events) == ("one", None)
    assert list(events) == []


def test_no_jobs_start_no_process() -> None:
    assert list(run_jobs((), work, 2)) == []
