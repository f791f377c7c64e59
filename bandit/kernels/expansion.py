"""Non-linear features of a context that are fixed from the start, so that what is linear in them stays sums.

After the d columns x of the context themselves come, as long as all of a kind fit, the products of two, then of three
of them, as Hermite polynomials (He₂(x) = (x² - 1)/√2, He₃(x) = (x³ - 3x)/√6), which are uncorrelated for standard
normal columns; and in what room is left random Fourier features cos(ω'x), sin(ω'x), ω ~ N(0, I/ℓ²), orthogonal in
blocks of d, half of them with ℓ = √d and half with ℓ = √d/2: the scale of standardised columns, which needs no data.

Columns are scaled so that with independent coefficients of variance 1 the products of two contribute a variance of 2
to a score, those of three 1, the Fourier features 2: what is simple is believed first. Within products and Fourier
features a column counts as ±4 beyond ±4, so that one wild value cannot carry a cube. References: Rahimi and Recht,
NIPS 2007; Yu et al., NIPS 2016 (orthogonal blocks).
"""

from __future__ import annotations

import math
from functools import lru_cache
from itertools import combinations_with_replacement
from typing import Final

import numpy as np

from bandit.kernels.jit import kernel
from bandit.types import Floats, Ints

_LARGEST: Final = 300
_ROOM: Final = 1_000_000
"""Columns at most, and the largest K·D²: the posteriors of all arms stay below 10 MB."""
_PER_COLUMN: Final = 32
"""Fourier features for each column of the context: one number needs fewer than sixty."""
_VARIANCES: Final = (2.0, 1.0)
_FOURIER_VARIANCE: Final = 2.0
_LENGTHS: Final = (1.0, 0.5)
_CLIP: Final = 4.0


def room_for(width: int, arms: int) -> int:
    """Return how many columns fit beside ``width`` and the intercept for so many arms; at least one.

    >>> room_for(10, 10), room_for(64, 10), room_for(3, 1000)
    (289, 235, 27)
    """
    return max(min(_LARGEST, math.isqrt(_ROOM // arms)) - 1 - width, 1)


class Expansion:
    """The features of contexts of ``width`` columns: these, and at most ``extra`` more; frequencies follow ``seed``.

    >>> Expansion(2, 12, 0).expand(np.array([[1.0, 2.0]])).round(3).tolist()[0][:5]
    [1.0, 2.0, 0.0, 1.633, 1.732]
    """

    def __init__(self, width: int, extra: int, seed: int) -> None:
        self._places, self._scales, rest = _products(width, extra)
        self._frequencies = _frequencies(width, min(rest, _PER_COLUMN * width) // 2, seed)
        self.width: int = width + len(self._places) + 2 * self._frequencies.shape[1]

    def expand(self, contexts: Floats) -> Floats:
        """Return the (n, width) features of (n, d) contexts, which are contiguous float64."""
        rows = np.empty((len(contexts), self.width))
        _expand(contexts, self._places, self._scales, self._frequencies, rows)
        return rows


@lru_cache(maxsize=64)
def expansion(width: int, extra: int, seed: int) -> Expansion:
    """Return the :class:`Expansion`, made once."""
    return Expansion(width, extra, seed)


def _products(width: int, extra: int) -> tuple[Ints, Floats, int]:
    """Return (P, 3) places in the table of polynomials, (P,) scales, and how many columns are left.

    The place of He_k of column c is 4c + k; places of k = 0 hold 1.
    """
    places: list[list[int]] = []
    scales: list[float] = []
    for degree, variance in zip((2, 3), _VARIANCES, strict=True):
        count = math.comb(width + degree - 1, degree)
        if not 0 < count <= extra - len(places):
            break
        for columns in combinations_with_replacement(range(width), degree):
            factors = [4 * c + columns.count(c) for c in sorted(set(columns))]
            places.append(factors + [0] * (3 - len(factors)))
        scales += [math.sqrt(variance / count)] * count
    return np.array(places, dtype=np.int64).reshape(-1, 3), np.array(scales), extra - len(places)


def _frequencies(width: int, count: int, seed: int) -> Floats:
    """Return (d, count) frequencies ω, a column each."""
    rng = np.random.default_rng(seed)
    found = np.empty((count + width, width))
    for start in range(0, count, max(width, 1)):
        block = rng.normal(size=(width, width))
        lengths = np.sqrt((rng.normal(size=(width, width)) ** 2).sum(axis=1))
        _orthogonalise(block)
        found[start : start + width] = block * lengths[:, None]
    scale = np.array(_LENGTHS)[np.arange(count) % len(_LENGTHS)] * math.sqrt(max(width, 1))
    return np.ascontiguousarray((found[:count] / scale[:, None]).T)


@kernel
def _orthogonalise(rows: Floats) -> None:
    """Make rows orthonormal, one after another (Gram and Schmidt, twice for the sake of rounding)."""
    for i in range(len(rows)):
        for _ in range(2):
            for j in range(i):
                along = (rows[i] * rows[j]).sum()
                for c in range(rows.shape[1]):
                    rows[i, c] -= along * rows[j, c]
        rows[i] /= math.sqrt((rows[i] * rows[i]).sum())


@kernel
def _expand(contexts: Floats, places: Ints, scales: Floats, frequencies: Floats, out: Floats) -> None:
    width, count = frequencies.shape
    table, phase = np.ones(4 * max(width, 1)), np.empty(count)
    amplitude = math.sqrt(_FOURIER_VARIANCE / max(count, 1))
    for row in range(len(contexts)):
        out[row, :width] = contexts[row]
        phase[:] = 0.0
        for c in range(width):
            x = min(max(contexts[row, c], -_CLIP), _CLIP)
            table[4 * c + 1] = x
            table[4 * c + 2] = (x * x - 1) / math.sqrt(2)
            table[4 * c + 3] = (x * x * x - 3 * x) / math.sqrt(6)
            for j in range(count):
                phase[j] += x * frequencies[c, j]
        at = width
        for p in range(len(places)):
            out[row, at] = scales[p] * table[places[p, 0]] * table[places[p, 1]] * table[places[p, 2]]
            at += 1
        for j in range(count):
            out[row, at] = amplitude * math.cos(phase[j])
            out[row, at + 1] = amplitude * math.sin(phase[j])
            at += 2
