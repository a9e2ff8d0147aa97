"""The arena: a grid of rules, attacks and estimators, trained in the laboratory, compared in one report.

    spec = read_spec(Path("examples/arena/smoke.toml"))
    spec.experiments()                                  # every combination, each once
    with Store(path, "cpu") as store: ...               # finished cells are not run again
    make_report(spec, experiments, results, ...)        # tables and curves as a value, for any renderer

`btard arena SPEC.toml` does all of it.
"""

from btard.arena.cell import Result, digest_of, label
from btard.arena.report import Report, make_report
from btard.arena.spec import Spec, parse_spec, read_spec
from btard.arena.store import Store

__all__ = [
    "Report",
    "Result",
    "Spec",
    "Store",
    "digest_of",
    "label",
    "make_report",
    "parse_spec",
    "read_spec",
]
