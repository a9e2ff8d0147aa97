"""Work beside the event loop: in order, delivered in the loop, and no more once stopped."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
from collections.abc import Callable
from functools import partial

import pytest

from btard.node.worker import InlineWorker, ThreadWorker, Worker

Make = Callable[[], Worker]
workers = pytest.mark.parametrize("make", [InlineWorker, ThreadWorker], ids=["inline", "thread"])


@workers
async def test_results_come_in_the_order_of_the_work_and_in_the_loop(make: Make) -> None:
    worker, done = make(), asyncio.Event()
    came: list[tuple[int, threading.Thread]] = []

    def deliver(result: int) -> None:
        came.append((result, threading.current_thread()))
        if len(came) == 20:
            done.set()

    for number in range(20):
        worker.submit(partial(int, number), deliver)
    assert came == [], "nothing is done while the caller is at it"
    await done.wait()
    worker.stop()
    assert came == [(number, threading.current_thread()) for number in range(20)]


@workers
async def test_what_work_raises_is_reported_in_the_loop(make: Make) -> None:
    worker = make()
    failed: asyncio.Future[BaseException] = asyncio.get_running_loop().create_future()
    worker.failed = failed.set_result
    worker.submit(lambda: int("our bug"), lambda result: None)
    assert isinstance(await failed, ValueError)
    worker.stop()


@workers
async def test_nothing_is_delivered_after_the_stop(make: Make) -> None:
    worker, came = make(), list[int]()
    for number in range(5):
        worker.submit(partial(int, number), came.append)
    worker.stop()
    for _ in range(5):
        await asyncio.sleep(0)
    assert came == []


async def test_the_loop_goes_on_while_a_thread_works() -> None:
    worker, go, done = ThreadWorker(), threading.Event(), asyncio.Event()
    worker.submit(lambda: go.wait(30), lambda result: done.set())
    await asyncio.sleep(0)
    assert not done.is_set()
    go.set()
    await done.wait()
    worker.stop()


def test_process_that_ends_while_a_thread_computes_ends_well() -> None:
    """If the interpreter went away under torch, that would raise SIGABRT ("terminate called without ...")."""
    script = (
        "import asyncio, torch\n"
        "from btard.node.worker import ThreadWorker\n"
        "x = torch.randn(200, 200, requires_grad=True)\n"
        "def work():\n"
        "    for _ in range(50):\n"
        "        torch.autograd.grad((x @ x).relu().sum(), x)\n"
        "async def main():\n"
        "    worker, begun = ThreadWorker(), asyncio.Event()\n"
        "    for _ in range(100):\n"
        "        worker.submit(work, lambda _: begun.set())\n"
        "    await begun.wait()\n"
        "    worker.stop()\n"
        "asyncio.run(main())\n"
    )
    ended = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stderr) == (0, "")
