"""What rows must be, before any is added."""

from __future__ import annotations

import math
from typing import Final

from bandit.kernels.jit import long_kernel
from bandit.types import Floats, Ints
from bandit.validation import require

_WRONG: Final = (
    "",
    "chosen must be places below {arms}",
    "p must be finite and not negative, and above 0 for every chosen variant",
    "outcomes must be finite numbers",
    "predictions must be finite numbers",
)


def check_shape(name: str, found: tuple[int, ...], shape: tuple[int, ...]) -> None:
    """Raise InvalidInput unless an array has the shape that the others have."""
    require(found == shape, f"{name} must have shape {shape}, found {found}")


def check_rows(chosen: Ints, outcomes: Floats, p: Floats, predictions: Floats) -> None:
    """Raise InvalidInput unless choices are possible under ``p``, and all numbers finite.

    Parameters
    ----------
    chosen, outcomes, p, predictions
        (R, n), (R, n, C), (R, n, K) and (R, n, C, K), as the kernels take them.
    """
    fault = _fault(chosen, outcomes, p, predictions)
    require(fault == 0, _WRONG[fault].format(arms=p.shape[-1]))


@long_kernel
def _fault(chosen: Ints, outcomes: Floats, p: Floats, predictions: Floats) -> int:
    lanes, rows, arms = p.shape
    for lane in range(lanes):
        for t in range(rows):
            k = chosen[lane, t]
            if k < 0 or k >= arms:
                return 1
            if not (_finite(p[lane, t]) and p[lane, t].min() >= 0 and p[lane, t, k] > 0):
                return 2
            if not _finite(outcomes[lane, t]):
                return 3
            for c in range(predictions.shape[2]):
                if not _finite(predictions[lane, t, c]):
                    return 4
    return 0


@long_kernel
def _finite(numbers: Floats) -> bool:
    sound = True
    for number in numbers:
        sound = sound and math.isfinite(number)
    return sound
