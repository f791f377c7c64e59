"""Columns that a linear model needs to be a curved one: products of context columns where they are few, else waves.

With d context columns and room for D columns, the first of these that fits is taken:

- all monomials up to degree 3, C(d + 3, 3) of them (d = 10: 286);
- all monomials up to degree 2, C(d + 2, 2) of them (d = 18: 190);
- random Fourier features: 1, and √2·cos(ω'x), √2·sin(ω'x) for (D - 1)/2 frequencies ω, which make a linear model one
  with a Gaussian kernel. The frequencies are orthogonal in blocks of d, which halves the error of the kernel
  (Yu, Suresh, Choromanski, Holtmann-Rice and Kumar, NIPS 2016; Rahimi and Recht, NIPS 2007).
"""

from __future__ import annotations

import math
from itertools import combinations_with_replacement
from typing import Final

import numpy as np

from bandit.kernels.jit import kernel
from bandit.types import Floats, Ints

REACH: Final = 4.0
"""Products are made of context columns cut off here: cubes of far outliers would drown all the rest."""
HELD: Final = (1.0, 4.0, 8.0, 10.0)
"""Ridge of monomials by degree: the higher, the more of them there are, and the less each is believed."""
HELD_WAVE: Final = 1.5
FEWEST: Final = 24
"""Fewer waves than this resemble no kernel: then there is no curved model."""


def monomials(width: int, room: int) -> Ints:
    """Return (D, 3) positions in (1, x) whose product is each column; no rows where degree 2 needs more than room.

    >>> monomials(1, 10).tolist()
    [[0, 0, 0], [0, 0, 1], [0, 1, 1], [1, 1, 1]]
    """
    if width == 0:
        return np.zeros((0, 3), dtype=np.int64)
    for degree, most in ((3, 300), (2, 200)):
        if math.comb(width + degree, degree) <= min(room, most):
            chosen = [(0,) * (3 - degree) + c for c in combinations_with_replacement(range(width + 1), degree)]
            return np.array(chosen, dtype=np.int64)
    return np.zeros((0, 3), dtype=np.int64)


def frequencies(width: int, room: int, seed: int) -> Floats:
    """Return (H, d) frequencies of unit scale, H = (room - 1)/2: Gaussian lengths, orthogonal within blocks of d."""
    count = (room - 1) // 2
    if width == 0 or room < FEWEST:
        return np.zeros((0, width))
    rng = np.random.default_rng(seed)
    blocks = -(-count // width)
    directions = rng.standard_normal((blocks, width, width))
    lengths = np.sqrt((rng.standard_normal((blocks, width, width)) ** 2).sum(axis=2))
    for block in directions:
        _orthonormalise(block)
    return np.ascontiguousarray((directions * lengths[:, :, None]).reshape(-1, width)[:count])


def ridges(powers: Ints, waves: Floats) -> Floats:
    """Return (D,) the ridge of each column."""
    if len(powers) > 0:
        return np.asarray(np.array(HELD)[(powers > 0).sum(axis=1)])
    held = np.full(1 + 2 * len(waves), HELD_WAVE) if len(waves) > 0 else np.zeros(0)
    held[:1] = 1.0
    return held


@kernel
def _orthonormalise(rows: Floats) -> None:
    """Make the rows orthonormal, in place (modified Gram-Schmidt, no BLAS: the same bytes everywhere)."""
    for i in range(len(rows)):
        for j in range(i):
            along = 0.0
            for m in range(rows.shape[1]):
                along += rows[i, m] * rows[j, m]
            for m in range(rows.shape[1]):
                rows[i, m] -= along * rows[j, m]
        square = 0.0
        for m in range(rows.shape[1]):
            square += rows[i, m] * rows[i, m]
        for m in range(rows.shape[1]):
            rows[i, m] /= math.sqrt(square)


@kernel
def curve(z: Floats, powers: Ints, waves: Floats, centre: Floats, stretch: float, columns: Floats) -> None:
    """Write the columns of z = (1, x); waves are of (x - ``centre``)·``stretch``."""
    if len(powers) > 0:
        cut = np.minimum(np.maximum(z, -REACH), REACH)
        for i in range(len(powers)):
            columns[i] = cut[powers[i, 0]] * cut[powers[i, 1]] * cut[powers[i, 2]]
        return
    columns[0] = 1.0
    for h in range(len(waves)):
        angle = 0.0
        for m in range(len(centre)):
            angle += waves[h, m] * (z[1 + m] - centre[m])
        columns[1 + 2 * h] = math.sqrt(2.0) * math.cos(angle * stretch)
        columns[2 + 2 * h] = math.sqrt(2.0) * math.sin(angle * stretch)
