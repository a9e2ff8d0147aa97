"""What a single peer, or a bootstrap, says to whoever started it: to a person, or in JSON lines."""

from __future__ import annotations

import json as jsons
import sys
from types import TracebackType

from rich.console import Console

from btard.console.progress import RunProgress
from btard.ledger.header import LedgerHeader
from btard.run.config import RunConfig
from btard.run.report import EndReport, StepReport


def _line(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


class PeerConsole:
    """A context manager around a peer's life."""

    def __init__(self, *, json: bool) -> None:
        self._json = json
        self._console = Console()
        self._progress: RunProgress | None = None

    def __enter__(self) -> PeerConsole:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._progress is not None:
            self._progress.__exit__(kind, error, traceback)
            self._progress = None

    def say(self, text: str) -> None:
        """A sentence before the first step."""
        if self._json:
            _line(jsons.dumps({"say": text}))
        else:
            self._console.print(text, highlight=False, soft_wrap=True)

    def started(self, config: RunConfig, header: LedgerHeader) -> None:
        """The roster is there."""
        if self._json:
            _line(jsons.dumps({"begun": config.digest.hex()}))
            return
        self._console.print(f"{config.peers} peers, {config.steps} steps of {config.task}")
        self._progress = RunProgress(self._console, config.steps, config.peers, {})
        self._progress.__enter__()

    def emit(self, report: StepReport) -> None:
        """A record."""
        if self._json:
            _line(report.to_json())
        elif self._progress is not None:
            self._progress(report)

    def ended(self, end: EndReport) -> None:
        """The run is over for this peer."""
        self.__exit__(None, None, None)
        if self._json:
            _line(end.to_json())
        elif end.finished:
            self._console.print(
                f"finished: model {end.model[:16]}, ledger {end.ledger[:16]}", highlight=False
            )
        else:
            self._console.print(f"[bold red]{end.reason}[/]", highlight=False)


class BootstrapConsole:
    """What a bootstrap says."""

    def __init__(self, config: RunConfig, *, json: bool) -> None:
        self._config = config
        self._json = json
        self._seen = -1
        self._console = Console(soft_wrap=True)

    def ready(self, address: str) -> None:
        """The address is known: print the line to paste."""
        if self._json:
            _line(jsons.dumps({"address": address}))
            return
        config = self._config
        run = f"run {config.digest.hex()[:16]}: {config.task}, {config.steps} steps"
        self._console.print(f"{run}. Join it with", highlight=False)
        self._console.print(f"\n    btard peer --join {address}\n", highlight=False, markup=False)

    def seen(self, peers: int) -> None:
        """So many peers have announced themselves."""
        if self._json or peers == self._seen:
            return
        self._seen = peers
        wanted = self._config.peers
        more = "the run begins; keep me running: peers find each other here" if peers == wanted else "waiting"
        self._console.print(f"{peers} of {wanted} peers are here: {more}", highlight=False)
