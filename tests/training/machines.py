"""Unlike hardware on one machine: settings that make libraries use other instructions.

`ATEN_CPU_CAPABILITY` chooses torch's kernels, `NPY_DISABLE_CPU_FEATURES` numpy's, the others those of MKL and
oneDNN.
"""

from __future__ import annotations

import numpy as np
import torch


def numpy_features() -> str:
    """What numpy can use here beyond its baseline, as it wants to hear it."""
    found: list[str] = np.show_config(mode="dicts")["SIMD Extensions"]["found"]  # type: ignore[index, call-overload]
    return " ".join(found)


def machines() -> list[tuple[int, dict[str, str]]]:
    """As many kinds of processors as this one can pretend to be."""
    plain = {
        "ATEN_CPU_CAPABILITY": "default",
        "ONEDNN_MAX_CPU_ISA": "SSE41",
        "MKL_ENABLE_INSTRUCTIONS": "SSE4_2",
        "MKL_CBWR": "COMPATIBLE",
    }
    below = {"AVX512": ["avx2"], "AVX2": []}.get(torch.backends.cpu.get_cpu_capability(), [])
    return [
        (2, {}),
        (1, plain | {"NPY_DISABLE_CPU_FEATURES": numpy_features()}),
        (2, plain),
        *((1, {"ATEN_CPU_CAPABILITY": each, "ONEDNN_MAX_CPU_ISA": each.upper()}) for each in below),
    ]
