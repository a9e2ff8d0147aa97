"""What the server makes of the workers' rows: a rule's aggregate, or what a code decodes."""

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
class Aggregate:
    """The mean gradient (d,) as the server sees it, None where nothing could be decoded.

    `named` are the workers that a code found to be adversarial, None where a rule aggregated.
    """

    vector: Tensor | None
    named: frozenset[int] | None = None


@dataclass(frozen=True, slots=True)
class ByRule:
    """An aggregation rule, which draws anew every step where it draws at all.

    Up to f rows with NaN or Inf are left out, and the rule goes on with as many fewer faulty rows; it
    raises NonFiniteRows for more.
    """

    rule: Rule
    seed: int

    def aggregate(self, step: int, rows_ND: Tensor) -> Aggregate:
        """What the rule gives for all workers' rows in `step`."""
        return Aggregate(self.trial(step, rows_ND))

    def trial(self, step: int, rows_ND: Tensor) -> Tensor:
        """The same vector, (d,), for attackers who try what they might send."""
        return self.rule.with_seed(derive_number(self.seed, "rule", step))(rows_ND)


@dataclass(frozen=True, slots=True)
class ByCode:
    """The decoder of one of DRACO's codes, on rows as `CodedWorkers` send them; the sum divided by n."""

    code: Code
    seed: int

    def aggregate(self, step: int, rows: Tensor) -> Aggregate:
        """What the code decodes, projecting on a direction that `step` draws."""
        try:
            if isinstance(self.code, CyclicCode):
                complex_ND = torch.view_as_complex(rows.view(len(rows), -1, 2))
                decoded = self.code.decode(complex_ND, derive(self.seed, "decode", step))
            else:
                decoded = self.code.decode(rows)
        except Undecodable:
            return Aggregate(None, frozenset())
        return Aggregate(decoded.sum / self.code.n, frozenset(decoded.adversarial))

    def trial(self, step: int, rows: Tensor) -> Tensor:
        """Refuses: raises ConfigurationError."""
        raise ConfigurationError(
            "an attack that searches for what moves a rule most finds nothing to search in a code, which is"
            " exact or fails: choose another attack"
        )


CODES: Mapping[str, type[Code]] = {"cyclic": CyclicCode, "repetition": RepetitionCode}


def parse_aggregation(experiment: Experiment) -> ByRule | ByCode:
    """What the experiment's `rule` names: one of CODES for `told` adversaries, or a rule.

    Raises ConfigurationError for names, arguments and sizes that cannot be.
    """
    first, *more = parse_terms(experiment.rule)
    if first.name not in CODES:
        rule = aggregators.parse(experiment.rule, experiment.told)
        return ByRule(replace(rule, non_finite="drop"), experiment.seed)
    if more:
        raise ConfigurationError(f"{experiment.rule!r}: a code takes no rule beside it, give its name alone")
    given: dict[str, object] = {"n": experiment.workers, "s": experiment.told}
    if first.name == "cyclic":
        given |= {"dtype": torch.float32, "rows_dtype": torch.complex128}
    return ByCode(make(first, CODES, "a code", **given), experiment.seed)
