"""The arena from the command line's side: find the spec, run what is missing, write and show the report."""

from __future__ import annotations

import os
import shlex
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from btard.arena.cell import Crash, varying
from btard.arena.figures import Drawn, draw
from btard.arena.html import html
from btard.arena.markdown import markdown
from btard.arena.possible import impossible, refuse
from btard.arena.progress import display
from btard.arena.report import Report, make_report
from btard.arena.runner import cores, run_cells, unfinished
from btard.arena.shipped import find_spec
from btard.arena.spec import choose, read_spec
from btard.arena.store import Store
from btard.arena.terminal import show_report
from btard.errors import ConfigurationError
from btard.lab import run

RESULTS = "results.sqlite"


def run_arena(
    spec_name: str,
    out: Path | None = None,
    jobs: int | None = None,
    device: str = "cpu",
    only: Sequence[str] = (),
) -> bool:
    """Run a spec and report on it in `out`, runs/arena/NAME where None; whether no cell crashed.

    `jobs` processes, as many as there are cores where None (one on a GPU). Cells that are in `out` already
    are not run again. Raises BtardError on what cannot be, KeyboardInterrupt with all finished cells kept.
    """
    path = find_spec(spec_name)
    spec = read_spec(path)
    experiments = choose(spec.experiments(), only)
    refused = impossible(experiments)
    if spec.impossible == "refuse":
        refuse(experiments, refused)
    possible = [each for each in experiments if each not in refused]
    folder = out or Path("runs") / "arena" / path.stem
    console = Console()
    with Store(folder / RESULTS, device) as store:
        missing = unfinished(possible, store)
        console.print(_opening(spec.title, len(possible), len(missing)), highlight=False, markup=False)
        if missing:
            jobs = min(jobs or (cores() if device == "cpu" else 1), len(missing))
            names = varying(experiments) or ("rule",)
            try:
                with display(console, len(missing), names) as watch:
                    run_cells(missing, store, watch, train=run, device=device, jobs=jobs)
            except KeyboardInterrupt:
                left = len(unfinished(possible, store))
                console.print(
                    f"{len(possible) - left} of {len(possible)} cells are kept in {store.path}:"
                    " the same command goes on with the others",
                    highlight=False,
                    markup=False,
                    soft_wrap=True,
                )
                raise
        results = store.results(experiments)
        command = _command(path.name, device, only)
        report = make_report(spec, experiments, results, refused, command, store.numerics)
    show_report(console, report)
    try:
        drawn = draw(report)
    except ImportError:
        drawn = ()
        console.print("no figures without matplotlib: pip install 'btard[figures]'", markup=False)
    written = write_report(folder, report, drawn)
    console.print(f"\nwrote {', '.join(map(str, written))}", highlight=False, markup=False, soft_wrap=True)
    return not any(isinstance(result, Crash) for result in results.values())


def write_report(folder: Path, report: Report, drawn: Sequence[Drawn]) -> list[Path]:
    """Write report.md, report.html and figures/; the paths to look at. Figures of an earlier report go.

    Raises ConfigurationError where that is impossible.
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
        why = os.strerror(error.errno or 0)
        raise ConfigurationError(f"can't write to {folder} ({why}): choose another --out") from error
    return [*texts, *([figures] if drawn else [])]


def _opening(title: str, cells: int, missing: int) -> str:
    known = f", {cells - missing} of them known" if missing < cells else ""
    return f"{title}: {cells} cells{known}"


def _command(spec: str, device: str, only: Sequence[str]) -> str:
    words = ["btard", "arena", spec]
    words += ["--device", device] if device != "cpu" else []
    words += [word for condition in only for word in ("--only", condition)]
    return shlex.join(words)
