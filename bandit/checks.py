"""The door of every policy: arrays are checked here, before anything is computed or changed."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from bandit.types import Batch, Bools, Floats
from bandit.validation import InvalidInput, require

SLACK = 1e-6
"""How far a row of logged probabilities may exceed one: float32 sums of 1,000 arms stay below it."""


def contexts_of(contexts: npt.ArrayLike | None, width: int, *, rows: int, contextual: bool) -> Floats:
    """Return ``contexts`` as a finite (n, width) array; ``rows`` empty ones where there is nothing to know.

    A policy that reads no context takes an (n, 0) array, or none, whatever the width.
    """
    if contexts is None:
        require(not contextual or width == 0, f"contexts must be an (n, {width}) array, found none")
        return np.zeros((rows, 0))
    array = np.asarray(contexts, dtype=np.float64)
    if array.ndim != 2 or (array.shape[1] != width and (contextual or array.shape[1] != 0)):
        raise InvalidInput(f"contexts must have shape (n, {width}), found {array.shape}")
    require_finite("contexts", array)
    return array


def allowed_of(allowed: npt.ArrayLike, rows: int | None, arms: int) -> Bools | None:
    """Return the (n, K) mask of allowed arms, or None where all are allowed everywhere."""
    mask = np.asarray(allowed)
    require(mask.dtype == np.bool_, f"allowed must be boolean, found {mask.dtype}")
    shapes = [(arms,)] if rows is None else [(arms,), (rows, arms)]
    good = mask.shape in shapes or (rows is None and mask.ndim == 2 and mask.shape[1] == arms)
    require(good, f"allowed must have shape ({arms},) or (n, {arms}), found {mask.shape}")
    if mask.all():
        return None
    mask = np.atleast_2d(mask)
    require(bool(mask.any(axis=1).all()), "allowed must leave at least one arm in every row, found a row without")
    return np.broadcast_to(mask, (mask.shape[0] if rows is None else rows, arms))


def batch_of(batch: Batch, *, arms: int, width: int, contextual: bool) -> None:
    """Refuse a batch that no policy may learn from. Messages are made only for what is refused: this is called often.

    Rows of ``distributions`` may sum to less than one: an arm that had a share then may be gone by now.
    """
    n = len(batch)
    _shaped("arms", batch.arms, (n,))
    _shaped("distributions", batch.distributions, (n, arms))
    for name in ("rewards", "weights", "times"):
        _shaped(name, getattr(batch, name), (n,))
    contexts_of(batch.contexts, width, rows=n, contextual=contextual)
    if len(batch.contexts) != n:
        raise InvalidInput(f"contexts must have {n} rows, found {len(batch.contexts)}")
    if batch.arms.dtype.kind not in "iu":
        raise InvalidInput(f"arms must be whole numbers, found {batch.arms.dtype}")
    if n > 0:
        _values(batch, arms)


def _shaped(name: str, array: npt.NDArray[Any], shape: tuple[int, ...]) -> None:
    if array.shape != shape:
        raise InvalidInput(f"{name} must have shape {shape}, found {array.shape}")


def _values(batch: Batch, arms: int) -> None:
    low, high = batch.arms.min(), batch.arms.max()
    if low < 0 or high >= arms:
        raise InvalidInput(f"arms must lie in [0, {arms - 1}], found {low}..{high}")
    require_finite("rewards", batch.rewards)
    require_finite("weights", batch.weights)
    require_finite("distributions", batch.distributions)
    if batch.weights.min() < 0:
        raise InvalidInput(f"weights must not be negative, found {batch.weights.min()}")
    if batch.distributions.min() < 0 or batch.distributions.sum(axis=1).max() > 1 + SLACK:
        raise InvalidInput("rows of distributions must be non-negative and sum to at most one")
    least = batch.propensities.min()
    if least <= 0:
        raise InvalidInput(f"the logged probability of a chosen arm must be positive, found {least}")


def require_finite(name: str, array: npt.NDArray[Any]) -> None:
    """Refuse NaN and infinity. The sum tells at once; only where it overflows does each element have to."""
    if not math.isfinite(np.add.reduce(array, axis=None)):
        bad = ~np.isfinite(array)
        if bad.any():
            raise InvalidInput(f"{name} must be finite, found {array[bad][0]}")
