"""Aggregation rules: rows in, one row out; pure functions of an (n, d) tensor.

    CenteredClip(tau=10.0)(rows)                      # the aggregate, shape (d,)
    Krum(f=3).select(rows).chosen                     # and where it came from
    parse("nnm+ctma+median", f=3)(rows)               # by name, composed

Every rule is a frozen dataclass (`rule.Rule`): no hidden state, inputs untouched, dtype and device kept,
ties to the lowest index, too few rows and non-finite rows refused with the bound or the rows named.
"""

from btard.aggregators.bulyan import Bulyan
from btard.aggregators.centered_clip import CenteredClip
from btard.aggregators.composition import Around, Bucketing, Ctma, Nnm
from btard.aggregators.coordinatewise import Meamed, Median, TrimmedMean
from btard.aggregators.geometric_median import GeometricMedian
from btard.aggregators.gram import Gram
from btard.aggregators.krum import Krum, MultiKrum
from btard.aggregators.mean import Mean
from btard.aggregators.minimum_diameter import Mda
from btard.aggregators.naming import AROUND, RULES, parse
from btard.aggregators.plan import Columns, Plan, RowView, Weights
from btard.aggregators.rows import NonFiniteRows, Rows
from btard.aggregators.rule import Rule, Selection, TooFewRows

__all__ = [
    "AROUND",
    "RULES",
    "Around",
    "Bucketing",
    "Bulyan",
    "CenteredClip",
    "Columns",
    "Ctma",
    "GeometricMedian",
    "Gram",
    "Krum",
    "Mda",
    "Meamed",
    "Mean",
    "Median",
    "MultiKrum",
    "Nnm",
    "NonFiniteRows",
    "Plan",
    "RowView",
    "Rows",
    "Rule",
    "Selection",
    "TooFewRows",
    "TrimmedMean",
    "Weights",
    "parse",
]
