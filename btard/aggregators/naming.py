"""Rules by name, as command lines and configuration files write them."""

from __future__ import annotations

from collections.abc import Mapping

from btard.aggregators.bulyan import Bulyan
from btard.aggregators.centered_clip import CenteredClip
from btard.aggregators.composition import Around, Bucketing, Ctma, Nnm
from btard.aggregators.coordinatewise import Meamed, Median, TrimmedMean
from btard.aggregators.geometric_median import GeometricMedian
from btard.aggregators.krum import Krum, MultiKrum
from btard.aggregators.mean import Mean
from btard.aggregators.minimum_diameter import Mda
from btard.aggregators.rule import Rule
from btard.terms import make, parse_terms

RULES: Mapping[str, type[Rule]] = {
    "mean": Mean,
    "median": Median,
    "trimmed_mean": TrimmedMean,
    "meamed": Meamed,
    "geometric_median": GeometricMedian,
    "rfa": GeometricMedian,
    "krum": Krum,
    "multi_krum": MultiKrum,
    "mda": Mda,
    "brute": Mda,
    "bulyan": Bulyan,
    "centered_clip": CenteredClip,
}

AROUND: Mapping[str, type[Around]] = {"nnm": Nnm, "bucketing": Bucketing, "ctma": Ctma}
"""Rules that take the rule after them as `base`."""


def parse(text: str, f: int = 0) -> Rule:
    """Return the rule `text` for `f` faulty rows: "nnm+ctma+median" is Nnm(Ctma(Median(f=f), f=f), f=f).

    Arguments follow a name in parentheses: "bucketing(s=2, seed=7)+centered_clip(tau=10)". Mean ignores f:
    its f is 0. Raises `ConfigurationError` for unknown names and arguments.
    """
    *around, last = parse_terms(text)
    rule = make(last, RULES, "a rule", f=0 if last.name == "mean" else f)
    for term in reversed(around):
        rule = make(term, AROUND, "one that goes before another rule", f=f, base=rule)
    return rule
