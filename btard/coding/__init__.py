"""DRACO's codes: redundant gradients, from which the exact sum is recovered in spite of s adversaries.

    code = CyclicCode(n=15, s=3)                                  # every worker computes 2s + 1 gradients
    row = code.encode(i, gradients[code.assignment[i]])           # what worker i sends
    code.decode(rows, seed=fresh_bytes)                           # Decoded(sum, adversarial)

Source: Chen, Wang, Charles, Papailiopoulos, "DRACO: Byzantine-resilient Distributed Training via Redundant
Gradients", ICML 2018. An aggregation rule bounds the harm of s adversaries; a code removes it, for
2s + 1 times the computation, which they prove to be the least that can do it.
"""

from btard.coding.cyclic import CyclicCode
from btard.coding.decoded import Decoded, Undecodable
from btard.coding.repetition import RepetitionCode

__all__ = ["CyclicCode", "Decoded", "RepetitionCode", "Undecodable"]
