"""`btard arena`: find the spec, run what is missing, write and show the report."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from contextlib import closing
from functools import partial
from pathlib import Path

from rich.console import Console

from btard.arena.cell import varying
from btard.arena.figures import Drawn, draw
from btard.arena.pages import html, markdown
from btard.arena.progress import Display
from btard.arena.report import Report, make_report
from btard.arena.runner import impossible, refuse, run_cells, unfinished
from btard.arena.spec import SPECS, choose, read_spec
from btard.arena.store import Store
from btard.arena.terminal import show_report
from btard.errors import ConfigurationError, cannot_write
from btard.lab import run
from btard.pool import Failure, cores

RESULTS = "results.sqlite"


def run_arena(
    spec_name: str, folder: Path, jobs: int | None = None, device: str = "cpu", only: Sequence[str] = ()
) -> bool:
    """Run a spec and report on it in `folder`. Return whether no cell crashed.

    The cells run in `jobs` processes, by default one for each core, or one on a GPU. Cells that are in the
    folder already are not run again. Raises BtardError on bad input, KeyboardInterrupt with all finished
    cells kept.
    """
    path = SPECS.find(spec_name)
    spec = read_spec(path)
    experiments = choose(spec.experiments(), only)
    refused = impossible(experiments)
    if spec.impossible == "refuse":
        refuse(experiments, refused)
    possible = [each for each in experiments if each not in refused]
    console = Console()
    say = partial(console.print, highlight=False, markup=False, soft_wrap=True)
    with Store(folder / RESULTS, device) as store:
        missing = unfinished(possible, store)
        known = f", {len(possible) - len(missing)} of them known" if len(missing) < len(possible) else ""
        say(f"{spec.title}: {len(possible)} cells{known}")
        if missing:
            jobs = min(jobs or (cores() if device == "cpu" else 1), len(missing))
            names = varying(experiments) or ("rule",)
            cells = run_cells(missing, store, train=run, device=device, jobs=jobs)
            try:
                with closing(cells), Display(console, len(missing), names) as display:
                    for experiment, result in cells:
                        display.show(experiment, result)
            except KeyboardInterrupt:
                done = len(possible) - len(unfinished(possible, store))
                say(f"{done} of {len(possible)} cells are kept in {store.path}: run this again to continue")
                raise
        results = store.results(experiments)
        command = _command(path.name, device, only)
        report = make_report(spec, experiments, results, refused, command, store.numerics)
    show_report(console, report)
    try:
        drawn = draw(report)
    except ImportError:
        drawn = ()
        say("no figures without matplotlib: pip install 'btard[figures]'")
    written = write_report(folder, report, drawn)
    say(f"\nwrote {', '.join(map(str, written))}")
    return not any(isinstance(result, Failure) for result in results.values())


def write_report(folder: Path, report: Report, drawn: Sequence[Drawn]) -> list[Path]:
    """Write report.md, report.html and figures/, without figures of an earlier report. Return their paths.

    Raises ConfigurationError if a file cannot be written.
    """
    figures = folder / "figures"
    try:
        for old in (*figures.glob("*.png"), *figures.glob("*.svg")):
            old.unlink()
        for each in drawn:
            png = folder / each.file
            png.parent.mkdir(parents=True, exist_ok=True)
            png.write_bytes(each.png)
            png.with_suffix(".svg").write_bytes(each.svg)
        texts = {folder / "report.md": markdown(report, drawn), folder / "report.html": html(report, drawn)}
        for path, text in texts.items():
            path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise ConfigurationError(cannot_write(folder, error, "--out")) from error
    return [*texts, *([figures] if drawn else [])]


def _command(spec: str, device: str, only: Sequence[str]) -> str:
    device_words = ["--device", device] if device != "cpu" else []
    only_words = [word for condition in only for word in ("--only", condition)]
    return shlex.join(["btard", "arena", spec, *device_words, *only_words])
