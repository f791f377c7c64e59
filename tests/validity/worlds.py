"""Worlds in which the truth is known: expected outcomes by time and by the visitor's segment."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from bandit.types import Floats, Ints


@dataclass(frozen=True, slots=True)
class World:
    """Conversion rates.

    Parameters
    ----------
    name
        As the table calls it.
    base
        (S, K) rates by segment; a visitor is of each segment with the same chance.
    tide
        From time in (0, 1], (n,), to what rates are multiplied by, (n, K) or (n, 1).
    """

    name: str
    base: Floats
    tide: Callable[[Floats], Floats]

    @property
    def arms(self) -> int:
        """K."""
        return self.base.shape[1]

    @property
    def segments(self) -> int:
        """S."""
        return self.base.shape[0]

    def rates(self, time: Floats, segment: Ints) -> Floats:
        """(..., n, K) expected outcomes of visitors at (n,) ``time``, of (..., n) ``segment``."""
        return np.asarray(self.base[segment] * self.tide(time))


def _steady(time: Floats) -> Floats:
    return np.ones((len(time), 1))


def _drift(time: Floats) -> Floats:
    """Half as much at first, half as much again in the end."""
    return 0.5 + time[:, None]


def _shock(time: Floats) -> Floats:
    """Three times as much for a tenth of the time."""
    return np.where((time > 0.5) & (time <= 0.6), 3.0, 1.0)[:, None]


def _weekly(time: Floats) -> Floats:
    """Seven and a half weeks, in which the first variant's good days are the others' bad ones."""
    wave = 0.3 * np.sin(2 * np.pi * 7.5 * time)[:, None]
    return np.hstack([1 - wave, 1 + wave, 1 + wave, 1 + wave])


def _crossing(time: Floats) -> Floats:
    """The first falls while the last rises."""
    slope = 0.6 * (time[:, None] - 0.5)
    return np.hstack([1 - slope, np.ones((len(time), 2)), 1 + slope])


def _alike(rate: float, arms: int = 4) -> Floats:
    return np.full((1, arms), rate)


_GAP = np.array([[0.1, 0.1, 0.1, 0.13]])
WORLDS = (
    World("equal", _alike(0.1), _steady),
    World("gap", _GAP, _steady),
    World("drift", _alike(0.1), _drift),
    World("drift and gap", _GAP, _drift),
    World("context", np.array([[0.16, 0.04, 0.1, 0.1], [0.04, 0.16, 0.1, 0.1]]), _steady),
    World("shock", _alike(0.1), _shock),
    World("crossing", _alike(0.1), _crossing),
    World("weekly", _alike(0.1), _weekly),
    World("2% base rate", _alike(0.02), _steady),
    World("ten variants", np.array([[0.1] * 9 + [0.13]]), _steady),
)
BY_NAME = {world.name: world for world in WORLDS}
