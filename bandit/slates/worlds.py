"""Visitors of a page whose truth is known: what they take of what stands there."""

from __future__ import annotations

import numpy as np

from bandit.types import Floats, Ints


def cascade_clicks(attraction: Floats, arms: Ints, uniforms: Floats) -> Floats:
    """Return (n, S) clicks of visitors who read from the top and take the first thing that attracts them.

    Parameters
    ----------
    attraction
        (n, K) or (K,) probability that an arm attracts who looks at it.
    arms
        (n, S) arm at each place.
    uniforms
        (n, S) numbers in [0, 1): place s attracts where its number lies below the attraction of its arm.

    >>> cascade_clicks(np.array([0.5, 0.5]), np.array([[0, 1]]), np.array([[0.9, 0.1]])).tolist()
    [[0.0, 1.0]]
    """
    attracted = np.asarray(uniforms < _at(attraction, arms))
    return np.asarray(attracted & (np.cumsum(attracted, axis=1) == 1), dtype=np.float64)


def cascade_value(attraction: Floats, arms: Ints) -> Floats:
    """Return (n,) the probability that anything is taken: 1 - Π_s (1 - attraction of the arm at s)."""
    return np.asarray(1 - np.prod(1 - _at(attraction, arms), axis=1))


def position_clicks(attraction: Floats, examination: Floats, arms: Ints, uniforms: Floats) -> Floats:
    """Return (n, S) clicks of visitors who look at each place with its own probability, ``examination`` (S,).

    >>> position_clicks(np.array([0.5]), np.array([0.5]), np.array([[0]]), np.array([[0.2]])).tolist()
    [[1.0]]
    """
    return np.asarray(uniforms < examination * _at(attraction, arms), dtype=np.float64)


def _at(attraction: Floats, arms: Ints) -> Floats:
    """(n, S) attraction of the arms where they stand."""
    every = np.broadcast_to(attraction, (len(arms), attraction.shape[-1]))
    return np.take_along_axis(every, arms, axis=1)
