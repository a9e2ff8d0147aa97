"""Rules by name, as command lines and configuration files write them."""

from __future__ import annotations

import re
from collections.abc import Mapping

from btard.aggregators.bulyan import Bulyan
from btard.aggregators.centered_clip import CenteredClip
from btard.aggregators.composition import Bucketing, Ctma, Nnm
from btard.aggregators.coordinatewise import Meamed, Median, TrimmedMean
from btard.aggregators.geometric_median import GeometricMedian
from btard.aggregators.krum import Krum, MultiKrum
from btard.aggregators.mean import Mean
from btard.aggregators.minimum_diameter import Mda
from btard.aggregators.rule import Rule
from btard.errors import ConfigurationError

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

AROUND: Mapping[str, type[Rule]] = {"nnm": Nnm, "bucketing": Bucketing, "ctma": Ctma}
"""Rules that take the rule after them as `base`."""

_TERM = re.compile(r"\s*([a-z_]+)\s*(?:\(([^()]*)\))?\s*")
_SEPARATOR = re.compile(r"\+(?![^(]*\))")


def parse(text: str, f: int = 0) -> Rule:
    """The rule that `text` names, for `f` faulty rows: "nnm+ctma+median" is Nnm(f, Ctma(f, Median(f=f))).

    Arguments follow a name in parentheses: "bucketing(s=2, seed=7)+centered_clip(tau=10)". Mean ignores f:
    its f is 0. Raises `ConfigurationError` for unknown names and arguments.
    """
    *around, last = _SEPARATOR.split(text)
    rule = _build(last, RULES, "a rule", f, {})
    for term in reversed(around):
        rule = _build(term, AROUND, "one that goes before another rule", f, {"base": rule})
    return rule


def _build(
    term: str, table: Mapping[str, type[Rule]], role: str, f: int, given: Mapping[str, object]
) -> Rule:
    match = _TERM.fullmatch(term)
    if match is None or match[1] not in table:
        raise ConfigurationError(f"{term.strip()!r} is not {role}: choose of {', '.join(table)}")
    kind = table[match[1]]
    arguments = dict(given) | {"f": 0 if kind is Mean else f} | _arguments(match[2] or "")
    try:
        return kind(**arguments)  # type: ignore[arg-type]
    except TypeError:
        known = ", ".join(name for name in kind.__dataclass_fields__ if name != "base")
        raise ConfigurationError(
            f"{term.strip()!r} has an argument that is unknown or of the wrong type: choose of {known}"
        ) from None


def _arguments(text: str) -> dict[str, object]:
    found: dict[str, object] = {}
    for part in filter(None, (part.strip() for part in text.split(","))):
        name, _, value = (piece.strip() for piece in part.partition("="))
        if not name or not value:
            raise ConfigurationError(f"{part!r} is not an argument: write name=value")
        found[name] = _value(value)
    return found


def _value(text: str) -> object:
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text
