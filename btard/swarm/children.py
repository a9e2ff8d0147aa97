"""Child processes that run a command of `btard`, forked from one server that has imported what they need.

Importing torch and hivemind takes four seconds of a core. The server does it once, and nothing else, so that
its forks are safe and share that memory. A child ends with its parent, however that ends: it is tied to the
pipe that is its standard input.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import runpy
import signal
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from multiprocessing import forkserver, resource_tracker
from multiprocessing.connection import Connection

STOP_S = 2.0
"""How long a child may take to clean up before it is killed."""

LINE_BYTES_MAX = 1 << 20

PRELOADED = (
    *("btard.node.peer", "btard.node.bootstrap", "hivemind", "rich.progress", "typer"),
    "torch._dynamo",  # imported by every optimizer
    "sklearn.datasets",  # the data of digits
)

_CONTEXT = multiprocessing.get_context("forkserver")


@dataclass(slots=True)
class Child:
    """A running command. `output` is what it writes."""

    output: asyncio.StreamReader
    _errors: asyncio.Future[bytes]
    _process: multiprocessing.process.BaseProcess
    _tie: Connection

    @classmethod
    async def start(cls, arguments: Sequence[str]) -> Child:
        """Run `btard` with these arguments."""
        _start_server()
        their_input, tie = _CONTEXT.Pipe(duplex=False)
        output, their_output = _CONTEXT.Pipe(duplex=False)
        errors, their_errors = _CONTEXT.Pipe(duplex=False)
        theirs = (their_input, their_output, their_errors)
        process = _CONTEXT.Process(target=_run, args=(tuple(arguments), theirs), daemon=True)
        await asyncio.to_thread(process.start)
        for pipe in theirs:
            pipe.close()
        said = asyncio.ensure_future((await _reader(errors)).read())
        return cls(await _reader(output), said, process, tie)

    async def last_words(self) -> str:
        """Wait for its end, and return the last line of its errors, or its status."""
        words = (await self._errors).decode(errors="replace").strip()
        await asyncio.to_thread(self._process.join)
        return words.splitlines()[-1] if words else f"exit status {self._process.exitcode}"

    def ask_to_end(self) -> None:
        """Cut the tie, and send SIGTERM."""
        self._tie.close()
        self._process.terminate()

    async def end(self) -> None:
        """Wait for its end, and kill it if that takes too long."""
        await asyncio.to_thread(self._process.join, STOP_S)
        if self._process.exitcode is None:
            self._process.kill()
            await asyncio.to_thread(self._process.join)


def _start_server() -> None:
    """Start the server, once, with one thread for arithmetic (the peers share this machine's cores) and
    without the SIGINT that a terminal sends to all of a group."""
    _CONTEXT.set_forkserver_preload(list(PRELOADED))
    resource_tracker.ensure_running()
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        forkserver.ensure_running()
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)


async def _reader(pipe: Connection) -> asyncio.StreamReader:
    reader = asyncio.StreamReader(limit=LINE_BYTES_MAX)
    file = os.fdopen(os.dup(pipe.fileno()), "rb", buffering=0)
    pipe.close()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), file)
    return reader


def _run(arguments: Sequence[str], pipes: Sequence[Connection]) -> None:
    """Be the command `btard`, in a session of its own."""
    os.setsid()
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
    for number, pipe in enumerate(pipes):
        os.dup2(pipe.fileno(), number)
        pipe.close()
    sys.stdin = open(0, closefd=False)  # noqa: SIM115  # for as long as the process lives
    sys.argv = ["btard", *arguments]
    runpy.run_module("btard", run_name="__main__")
