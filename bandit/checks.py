"""The door of every policy: arrays are checked here, before anything is computed or changed."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from bandit.kernels.jit import kernel
from bandit.kernels.lanes import LANES, add_product, add_up, fill, load
from bandit.types import Batch, Bools, Floats, Ints
from bandit.validation import InvalidInput, require

SLACK = 1e-6
"""How far a row of logged probabilities may exceed one: float32 sums of 1,000 arms stay below it."""
LARGEST = 1e50
"""Largest context, reward and weight: the squares of their products, a billion times over, are still finite."""


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
    require_bounded("contexts", array)
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
    _shapes(batch, arms)
    if n > 0 and _sound(batch, arms, width):
        return
    contexts_of(batch.contexts, width, rows=n, contextual=contextual)
    if len(batch.contexts) != n:
        raise InvalidInput(f"contexts must have {n} rows, found {len(batch.contexts)}")
    if n > 0:
        _values(batch, arms)


def _sound(batch: Batch, arms: int, width: int) -> bool:
    """Return True where one look finds nothing amiss; else the slow way finds what it is, if anything."""
    numbers = (batch.contexts, batch.rewards, batch.weights, batch.distributions)
    known = batch.arms.dtype == np.int64 and batch.arms.flags.carray and batch.contexts.shape == (len(batch), width)
    if not known or not all(array.dtype == np.float64 and array.flags.carray for array in numbers):
        return False
    return _all_sound(batch.arms, *numbers, arms)


@kernel
def _all_sound(
    chosen: Ints, contexts: Floats, rewards: Floats, weights: Floats, distributions: Floats, arms: int
) -> bool:
    bad = 0
    if not _square(contexts.reshape(-1)) <= LARGEST**2:
        return False
    for row in range(len(chosen)):
        arm, total = chosen[row], 0.0
        if not (0 <= arm < arms and distributions[row, arm] > 0):
            return False
        for share in distributions[row]:
            bad += not share >= 0
            total += share
        bad += not (total <= 1 + SLACK and abs(rewards[row]) <= LARGEST and 0 <= weights[row] <= LARGEST)
    return bad == 0


@kernel
def _square(numbers: Floats) -> float:
    """Return the sum of squares; what is not a number makes it none."""
    whole = len(numbers) // LANES * LANES
    total = fill(0.0)
    for i in range(0, whole, LANES):
        eight = load(numbers, i)
        total = add_product(eight, eight, total)
    square = add_up(total)
    for number in numbers[whole:]:
        square += number * number
    return square


def _shapes(batch: Batch, arms: int) -> None:
    n = len(batch)
    _shaped("arms", batch.arms, (n,))
    _shaped("distributions", batch.distributions, (n, arms))
    for name in ("rewards", "weights", "times"):
        _shaped(name, getattr(batch, name), (n,))
    if batch.arms.dtype.kind not in "iu":
        raise InvalidInput(f"arms must be whole numbers, found {batch.arms.dtype}")


def _shaped(name: str, array: npt.NDArray[Any], shape: tuple[int, ...]) -> None:
    if array.shape != shape:
        raise InvalidInput(f"{name} must have shape {shape}, found {array.shape}")


def _values(batch: Batch, arms: int) -> None:
    low, high = batch.arms.min(), batch.arms.max()
    if low < 0 or high >= arms:
        raise InvalidInput(f"arms must lie in [0, {arms - 1}], found {low}..{high}")
    require_bounded("rewards", batch.rewards)
    require_bounded("weights", batch.weights)
    require_finite("distributions", batch.distributions)
    if batch.weights.min() < 0:
        raise InvalidInput(f"weights must not be negative, found {batch.weights.min()}")
    if batch.distributions.min() < 0 or batch.distributions.sum(axis=1).max() > 1 + SLACK:
        raise InvalidInput("rows of distributions must be non-negative and sum to at most one")
    least = batch.propensities.min()
    if least <= 0:
        raise InvalidInput(f"the logged probability of a chosen arm must be positive, found {least}")


def split_rows(
    batch: Batch, *, arms: int, width: int, contextual: bool, check: Callable[[Floats], None]
) -> tuple[Batch, dict[str, int]]:
    """Return the rows that can be learned, in their order, and how many of the others were refused, by reason.

    A row with several faults counts for the first of them.

    Parameters
    ----------
    arms, width, contextual
        K, ``schema.width`` and whether contexts are read.
    check
        Raises :class:`InvalidInput` for rewards that the policy cannot take.

    Raises
    ------
    InvalidInput
        For arrays whose shapes do not fit: no row of such a batch can be told.
    """
    _shapes(batch, arms)
    if batch.contexts.shape not in ((len(batch), width), (len(batch), 0 if not contextual else width)):
        raise InvalidInput(f"contexts must have shape ({len(batch)}, {width}), found {batch.contexts.shape}")
    left = np.arange(len(batch))
    refused: dict[str, int] = {}
    for reason, bad in _faults(batch, arms).items():
        if bad[left].any():
            refused[reason] = int(np.count_nonzero(bad[left]))
            left = left[~bad[left]]
    taken = _taken(batch.rewards, left, check)
    if len(taken) < len(left):
        refused["reward that the policy cannot take"] = len(left) - len(taken)
    rows = (getattr(batch, name)[taken] for name in Batch.__slots__)
    return Batch(*rows), refused


def _faults(batch: Batch, arms: int) -> dict[str, Bools]:
    """Return which rows have which fault."""
    known = (batch.arms >= 0) & (batch.arms < arms)
    shares = batch.distributions
    with np.errstate(invalid="ignore", over="ignore"):
        sums = np.where(np.isfinite(shares), shares, np.inf).sum(axis=1)
        chosen = shares[np.arange(len(batch)), np.where(known, batch.arms, 0)]
        return {
            "arm unknown": ~known,
            "reward not finite, or too large": ~(np.abs(batch.rewards) <= LARGEST),
            "weight negative, not finite, or too large": ~((batch.weights >= 0) & (batch.weights <= LARGEST)),
            "distribution negative, not finite, or above one": ~((shares >= 0).all(axis=1) & (sums <= 1 + SLACK)),
            "logged probability not positive": ~(chosen > 0),
            "context not finite, or too large": ~(np.abs(batch.contexts) <= LARGEST).all(axis=1),
        }


def _taken(rewards: Floats, rows: Ints, check: Callable[[Floats], None]) -> Ints:
    """Return which of ``rows`` have rewards that pass; what fails is halved until only bad ones are left out."""
    if len(rows) == 0:
        return rows
    try:
        check(rewards[rows])
    except InvalidInput:
        if len(rows) == 1:
            return rows[:0]
        half = len(rows) // 2
        return np.concatenate([_taken(rewards, rows[:half], check), _taken(rewards, rows[half:], check)])
    return rows


def require_bounded(name: str, array: npt.NDArray[Any]) -> None:
    """Refuse NaN, infinity and what lies beyond ±LARGEST. The sum of squares tells at once that all is well."""
    flat = array.reshape(-1)
    with np.errstate(over="ignore", invalid="ignore"):
        # No BLAS: its threads would go on spinning beside whatever comes next.
        known = flat.dtype == np.float64 and flat.flags.carray
        square = _square(flat) if known else np.add.reduce(flat * flat)
    if not square <= LARGEST**2:
        require_finite(name, array)
        most = np.abs(array).max(initial=0.0)
        if most > LARGEST:
            raise InvalidInput(f"{name} must lie within ±{LARGEST:g}, found {most:g}")


def require_finite(name: str, array: npt.NDArray[Any]) -> None:
    """Refuse NaN and infinity. The sum tells at once; only where it overflows does each element have to."""
    if not math.isfinite(np.add.reduce(array, axis=None)):
        bad = ~np.isfinite(array)
        if bad.any():
            raise InvalidInput(f"{name} must be finite, found {array[bad][0]}")
