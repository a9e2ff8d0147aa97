"""Aggregation rules: rows in, one row out; pure functions of an (n, d) tensor."""

from btard.aggregators.centered_clip import CenteredClip
from btard.aggregators.gram import Gram
from btard.aggregators.rule import NonFiniteRows, Rows, Rule, Selection, TooFewRows

__all__ = ["CenteredClip", "Gram", "NonFiniteRows", "Rows", "Rule", "Selection", "TooFewRows"]
