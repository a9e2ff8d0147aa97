"""The server's view of the workers' rows: the aggregate of a rule, or the sum that a code decodes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TypeAlias

import torch
from torch import Tensor

from btard import aggregators
from btard.aggregators import Rule
from btard.coding import CyclicCode, RepetitionCode, Undecodable
from btard.errors import ConfigurationError
from btard.lab.experiment import Experiment
from btard.lab.seeds import derive, derive_number
from btard.terms import make, parse_terms

Code: TypeAlias = CyclicCode | RepetitionCode


@dataclass(frozen=True, slots=True)
class MeanGradient:
    """The mean gradient (d,) as the server sees it, None if nothing could be decoded.

    `named` are the workers that a code found to be adversarial, None if a rule aggregated.
    """

    vector: Tensor | None
    named: frozenset[int] | None = None


@dataclass(frozen=True, slots=True)
class ByRule:
    """An aggregation rule; a rule that draws at random draws anew every step.

    Up to f rows with NaN or Inf are left out, and f is reduced by their number. More raise NonFiniteRows.
    """

    rule: Rule
    seed: int

    def aggregate(self, step: int, rows_ND: Tensor) -> MeanGradient:
        """Return the aggregate of all workers' rows in `step`."""
        return MeanGradient(self.trial(step, rows_ND))

    def trial(self, step: int, rows_ND: Tensor) -> Tensor:
        """Return the same vector, (d,), for attackers that search for a message."""
        return self.rule.with_seed(derive_number(self.seed, "rule", step))(rows_ND)


@dataclass(frozen=True, slots=True)
class ByCode:
    """The decoder of one of DRACO's codes, on rows as `CodedWorkers` send them; its sum is divided by n."""

    code: Code
    seed: int

    def aggregate(self, step: int, rows: Tensor) -> MeanGradient:
        """Return the decoded mean; the decoder projects on a direction drawn for `step`."""
        try:
            if isinstance(self.code, CyclicCode):
                complex_ND = torch.view_as_complex(rows.view(len(rows), -1, 2))
                decoded = self.code.decode(complex_ND, derive(self.seed, "decode", step))
            else:
                decoded = self.code.decode(rows)
        except Undecodable:
            return MeanGradient(None, frozenset())
        return MeanGradient(decoded.sum / self.code.n, frozenset(decoded.adversarial))

    def trial(self, step: int, rows: Tensor) -> Tensor:
        """Raise ConfigurationError."""
        raise ConfigurationError(
            "the attack searches for the vector that moves a rule most, and a code is exact or fails:"
            " choose another attack"
        )


CODES: Mapping[str, type[Code]] = {"cyclic": CyclicCode, "repetition": RepetitionCode}


def parse_aggregation(experiment: Experiment) -> ByRule | ByCode:
    """Return the code or the rule that the experiment's `rule` names, configured with `assumed_f`.

    Raises ConfigurationError for unknown names and arguments, and for impossible sizes.
    """
    first, *more = parse_terms(experiment.rule)
    if first.name not in CODES:
        rule = aggregators.parse(experiment.rule, experiment.assumed_f)
        return ByRule(replace(rule, non_finite="drop"), experiment.seed)
    if more:
        raise ConfigurationError(f"{experiment.rule!r}: a code takes no rule beside it, give the code alone")
    code = make(first, CODES, "a code", n=experiment.workers, s=experiment.assumed_f)
    return ByCode(code, experiment.seed)
