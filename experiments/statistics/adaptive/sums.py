r"""The sums behind all inference under adaptive traffic: constant memory, rows in order, no row kept.

Targets are the K variants, then UNIFORM (evenly over the variants with p > 0 on that row) and SERVED (the logged
distribution): T = K + 2. With e_i the probabilities of target i, m the forecasts from earlier rows, r the outcome (C
channels: 1, or the numerator and denominator of a ratio) and A the chosen variant, the score

.. math:: G_t^i = \sum_a e_i(a)\,m_a + \frac{e_i(A)}{\pi_A}\,(r - m_A)

has the target's true mean given the past, whatever moved the traffic (Robins, Rotnitzky and Zhao, JASA 89, 1994). A row
enters a target's sums where the target is eligible (a variant: p > 0), and a pair's where both are.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import numpy.typing as npt

from bandit.kernels.jit import plain
from bandit.types import Floats
from bandit.validation import require
from experiments.statistics.adaptive.checks import check_rows, check_shape
from experiments.statistics.adaptive.kernel import add_rows


@dataclass(frozen=True, slots=True, eq=False)
class AdaptiveSums:
    """The sums of one metric; every array may have leading lanes, one a simulated experiment.

    Parameters
    ----------
    rows
        (T, T) rows on which both targets were eligible.
    total
        (C, T, T) Σ G_i over the rows of pair i, j.
    square, cross
        (C, C, T, T) Σ G_i G_i' and Σ G_i G_j' over the same rows.
    inverse
        (W, K, T) Σ w/π_i over the rows of variant i and target j; w is 1, then the entries of v: W = 1 + C². v is the
        mean of (r - m)(r - m)' over the rows before, of half-life 1,000.
    mixed
        (W, 2, K + 1, T) Σ w e(a)²/π_a, e uniform or served, over the rows of target j. Place K: variants since removed.
    overlap
        (W, 3, K + 1) Σ w e_i(a) e_j(a)/π_a: of a variant with uniform, with served, and of uniform with served.
    residual
        (1 + C + C², K + 1) count, sum and products of r - m by chosen variant.
    recent
        (W,) the discounted count and products of r - m.
    rewarded, default
        (C,) how many outcomes were not the default, and the default.
    scale, size
        (C, C) pooled covariance of r - m and (1,) K when both were frozen, at the first row with 100 rows and 20
        outcomes that are not the default; 0 before.

    Examples
    --------
    >>> sums = AdaptiveSums.cold(2)
    >>> sums.add(np.array([0, 1]), np.array([[1.0], [0.0]]), np.full((2, 2), 0.5), np.zeros((2, 1, 2)))
    >>> sums.total[0].diagonal().tolist()
    [2.0, 0.0, 1.0, 1.0]
    """

    rows: Floats
    total: Floats
    square: Floats
    cross: Floats
    inverse: Floats
    mixed: Floats
    overlap: Floats
    residual: Floats
    recent: Floats
    rewarded: Floats
    default: Floats
    scale: Floats
    size: Floats

    @classmethod
    def cold(
        cls, arms: int, channels: int = 1, *, lanes: tuple[int, ...] = (), default: Sequence[float] | None = None
    ) -> AdaptiveSums:
        """Sums without a row; ``default`` is the outcome of a row without a reward, by channel (0 when left out)."""
        require(arms >= 1, f"arms must be at least 1, found {arms}")
        require(channels in (1, 2), f"channels must be 1 or 2, found {channels}")
        outcome = np.zeros(channels) if default is None else np.array(default, dtype=np.float64)
        require(outcome.shape == (channels,), f"default must be {channels} numbers, found {default}")
        arrays = {name: np.zeros(lanes + shape) for name, shape in _shapes(arms, channels).items()}
        arrays["default"] += outcome
        return cls(**arrays)

    @classmethod
    def stack(cls, several: Sequence[AdaptiveSums]) -> AdaptiveSums:
        """A copy of several sums of the same shape, one a lane."""
        require(len(several) > 0, "several must not be empty")
        return cls(**{name: np.stack([getattr(sums, name) for sums in several]) for name in NAMES})

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, npt.NDArray[np.float64]]) -> AdaptiveSums:
        """The sums that :meth:`to_arrays` gave away.

        Raises
        ------
        InvalidInput
            If an array is missing or of another shape than the others say.
        """
        missing = [name for name in NAMES if name not in arrays]
        require(not missing, f"sums must have all their arrays, found none of {missing}")
        sums = cls(**{name: np.array(arrays[name], dtype=np.float64, order="C") for name in NAMES})
        for name, shape in _shapes(sums.arms, sums.channels).items():
            check_shape(name, getattr(sums, name).shape, sums.lanes + shape)
        return sums

    def to_arrays(self) -> dict[str, npt.NDArray[np.float64]]:
        """The arrays by name, not copied."""
        return {name: getattr(self, name) for name in NAMES}

    @property
    def arms(self) -> int:
        """K."""
        return int(self.rows.shape[-1]) - 2

    @property
    def channels(self) -> int:
        """C."""
        return int(self.default.shape[-1])

    @property
    def lanes(self) -> tuple[int, ...]:
        """The shape of the lanes, () for one experiment."""
        return self.default.shape[:-1]

    def lane(self, place: int) -> AdaptiveSums:
        """A view of one lane: what is added to it is added here."""
        return AdaptiveSums(**{name: getattr(self, name)[place] for name in NAMES})

    def add(self, chosen: npt.ArrayLike, outcomes: npt.ArrayLike, p: npt.ArrayLike, predictions: npt.ArrayLike) -> None:
        """Add n rows in their order, in place; where a stream is cut into calls does not matter, to the bit.

        Parameters
        ----------
        chosen
            (n,) places of the chosen variants. With lanes, every argument has them before n.
        outcomes
            (n, C) what came of it.
        p
            (n, K) logged probability of every variant; each row sums to one.
        predictions
            (n, C, K) forecasts made from rows before this one only.

        Raises
        ------
        InvalidInput
            If shapes disagree, a number is not finite, or a chosen variant had no probability. Nothing is added then.
        """
        arms, channels = self.arms, self.channels
        laws = np.asarray(p, dtype=np.float64)
        shape = laws.shape[:-1]
        require(laws.shape[-1:] == (arms,) and shape[:-1] == self.lanes, f"p must end in {arms}, found {laws.shape}")
        places = np.asarray(chosen, dtype=np.int64)
        results, forecasts = np.asarray(outcomes, dtype=np.float64), np.asarray(predictions, dtype=np.float64)
        check_shape("chosen", places.shape, shape)
        check_shape("outcomes", results.shape, (*shape, channels))
        check_shape("predictions", forecasts.shape, (*shape, channels, arms))
        flat, depth = math.prod(self.lanes), len(self.lanes)
        rows = (
            plain(places.reshape(flat, *shape[depth:]), np.int64),
            plain(results.reshape(flat, *results.shape[depth:])),
            plain(laws.reshape(flat, *laws.shape[depth:])),
            plain(forecasts.reshape(flat, *forecasts.shape[depth:])),
        )
        check_rows(*rows)
        add_rows(*rows, *[self._lanes(name) for name in NAMES])

    def _lanes(self, name: str) -> Floats:
        """A view of an array with exactly one axis of lanes, as kernels take it."""
        array: Floats = getattr(self, name)
        depth = len(self.lanes)
        return array[None] if depth == 0 else array.reshape(-1, *array.shape[depth:])

    def widened(self, places: Sequence[int | None]) -> AdaptiveSums:
        """These sums over another set of variants: ``places[k]`` is where the new k-th was, None where it is new.

        Nothing that is known of the others, of pairs of them, of UNIFORM and of SERVED changes.
        """
        known = [place for place in places if place is not None]
        require(len(places) > 0, "places must not be empty")
        require(len(set(known)) == len(known), f"places must be distinct, found {list(places)}")
        require(all(0 <= place < self.arms for place in known), f"places must be below {self.arms}, found {known}")
        result = AdaptiveSums.cold(len(places), self.channels, lanes=self.lanes)
        kept = [k for k, place in enumerate(places) if place is not None]
        gone = [k for k in range(self.arms + 1) if k not in known]
        here, there = [*kept, len(places), len(places) + 1], [*known, self.arms, self.arms + 1]
        for name in ("rows", "total", "square", "cross"):
            getattr(result, name)[_grid(here, here)] = getattr(self, name)[_grid(there, there)]
        result.inverse[_grid(kept, here)] = self.inverse[_grid(known, there)]
        result.mixed[_grid(kept, here)] = self.mixed[_grid(known, there)]
        result.mixed[..., -1, here] = self.mixed[..., gone, :].sum(axis=-2)[..., there]
        for name in ("overlap", "residual"):
            getattr(result, name)[..., kept] = getattr(self, name)[..., known]
            getattr(result, name)[..., -1] = getattr(self, name)[..., gone].sum(axis=-1)
        for name in ("recent", "rewarded", "default", "scale", "size"):
            getattr(result, name)[...] = getattr(self, name)
        return result


NAMES = tuple(field.name for field in fields(AdaptiveSums))


def _shapes(arms: int, channels: int) -> dict[str, tuple[int, ...]]:
    targets, weights = arms + 2, 1 + channels**2
    return {
        "rows": (targets, targets),
        "total": (channels, targets, targets),
        "square": (channels, channels, targets, targets),
        "cross": (channels, channels, targets, targets),
        "inverse": (weights, arms, targets),
        "mixed": (weights, 2, arms + 1, targets),
        "overlap": (weights, 3, arms + 1),
        "residual": (weights + channels, arms + 1),
        "recent": (weights,),
        "rewarded": (channels,),
        "default": (channels,),
        "scale": (channels, channels),
        "size": (1,),
    }


def _grid(rows: Sequence[int], columns: Sequence[int]) -> tuple[Any, ...]:
    """The index of some of the last two axes."""
    return (..., np.array(rows, dtype=np.int64)[:, None], np.array(columns, dtype=np.int64))
