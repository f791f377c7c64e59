"""Forecasts of outcomes, from rows of smaller number only: they make scores less noisy, and never bias them.

A forecast is refitted after 1, 2, 4, ..., 256 rows and after every 256 from then on: by the number of rows, never by
time, so that neither who reads them in what portions nor when anybody looks matters. In between it stays as it is.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, Protocol, Self

import numpy as np
import numpy.typing as npt

from bandit.kernels.jit import long_kernel, plain
from bandit.kernels.ridge import add_rows, factorise
from bandit.types import Floats, Ints
from bandit.validation import require
from experiments.statistics.adaptive.bounded import BoundedSums
from experiments.statistics.adaptive.sums import AdaptiveSums

REFIT: Final = 256
STRENGTH: Final = 20.0
"""Rows of what is shared by all variants that each variant's own forecast begins with."""


class Plugin(Protocol):
    """What forecasts outcomes."""

    def stretch(self) -> int:
        """How many rows it still forecasts as it is."""

    def predict(self, features: Floats) -> Floats:
        """Forecasts (n, C, K) for features (n, d); with lanes, both have them in front."""

    def add(self, chosen: Ints, outcomes: Floats, features: Floats) -> None:
        """Learn (n,) chosen variants, (n, C) outcomes and (n, d) features, in their order."""

    def widened(self, places: Sequence[int | None]) -> Self:
        """The same knowledge over another set of variants, as :meth:`AdaptiveSums.widened` takes it."""

    def to_arrays(self) -> dict[str, npt.NDArray[np.float64]]:
        """The arrays by name, not copied."""


def feed(
    sums: AdaptiveSums,
    plugin: Plugin,
    *,
    chosen: Ints,
    outcomes: Floats,
    p: Floats,
    features: Floats,
    audit: BoundedSums | None = None,
) -> None:
    """Add rows to ``sums`` with the forecasts that ``plugin`` makes before it learns them; portions do not matter.

    ``audit`` gets the same forecasts of the first channel.
    """
    for rows, forecasts in foretold(plugin, chosen=chosen, outcomes=outcomes, features=features):
        places, came, law = chosen[..., rows], outcomes[..., rows, :], p[..., rows, :]
        sums.add(places, came, law, forecasts)
        if audit is not None:
            audit.add(places, came[..., 0], law, forecasts[..., 0, :])


def foretold(plugin: Plugin, *, chosen: Ints, outcomes: Floats, features: Floats) -> Iterator[tuple[slice, Floats]]:
    """Yield stretches of rows with their forecasts (..., n, C, K), each from those before it; then learn them."""
    start, end = 0, chosen.shape[-1]
    while start < end:
        rows = slice(start, min(start + plugin.stretch(), end))
        told = features[..., rows, :]
        yield rows, plugin.predict(told)
        plugin.add(chosen[..., rows], outcomes[..., rows, :], told)
        start = rows.stop


def until_refit(rows: int) -> int:
    """How many more rows there are until the next refit.

    >>> [until_refit(rows) for rows in (0, 1, 2, 3, 200, 256, 300)]
    [1, 1, 2, 1, 56, 256, 212]
    """
    return REFIT - rows % REFIT if rows >= REFIT else (1 << rows.bit_length()) - rows


class _Stored:
    """What plugins share: named arrays, and the number of rows."""

    _names: tuple[str, ...]
    rows: Floats

    def stretch(self) -> int:
        """How many rows it still forecasts as it is."""
        return until_refit(int(self.rows[0]))

    def to_arrays(self) -> dict[str, npt.NDArray[np.float64]]:
        """The arrays by name, not copied."""
        return {name: getattr(self, name) for name in self._names}

    def _restore(self, arrays: Mapping[str, npt.NDArray[np.float64]]) -> None:
        for name in self._names:
            require(name in arrays, f"a plugin must have all its arrays, found no {name}")
            shape = getattr(self, name).shape
            require(arrays[name].shape == shape, f"{name} must have shape {shape}, found {arrays[name].shape}")
            setattr(self, name, np.array(arrays[name], dtype=np.float64, order="C"))


class ArmMeans(_Stored):
    r"""Each variant's mean, drawn to that of all by :data:`STRENGTH` rows of it: (S_k + 20 m)/(n_k + 20).

    Parameters
    ----------
    arms, channels
        K and C.
    lanes
        The shape of lanes, as of :class:`AdaptiveSums`.
    default
        (C,) what is forecast before there is a row.

    Examples
    --------
    >>> means = ArmMeans(2)
    >>> means.add(np.array([0, 0]), np.array([[1.0], [0.0]]), np.empty((2, 0)))
    >>> means.predict(np.empty((1, 0))).tolist()
    [[[0.5, 0.5]]]
    """

    _names = ("rows", "count", "total", "fitted")

    def __init__(
        self, arms: int, channels: int = 1, *, lanes: tuple[int, ...] = (), default: Sequence[float] | None = None
    ) -> None:
        self.rows = np.zeros(1)
        self.count: Floats = np.zeros((*lanes, 1, arms + 1))  # the last place: variants since removed
        self.total: Floats = np.zeros((*lanes, channels, arms + 1))
        cold = np.zeros(channels) if default is None else np.asarray(default, dtype=np.float64)
        self.fitted: Floats = np.zeros((*lanes, channels, arms)) + cold[:, None]

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, npt.NDArray[np.float64]]) -> ArmMeans:
        """The plugin that :meth:`to_arrays` gave away."""
        require("fitted" in arrays, "a plugin must have all its arrays, found no fitted")
        *lanes, channels, arms = arrays["fitted"].shape
        plugin = cls(arms, channels, lanes=tuple(lanes))
        plugin._restore(arrays)
        return plugin

    def predict(self, features: Floats) -> Floats:
        """Forecasts (..., n, C, K), the same for all rows."""
        fitted = self.fitted[..., None, :, :]
        return np.broadcast_to(fitted, (*features.shape[:-1], *fitted.shape[-2:]))

    def add(self, chosen: Ints, outcomes: Floats, features: Floats) -> None:  # noqa: ARG002 - a protocol
        """Learn rows in their order; features are not looked at."""
        start = 0
        while start < chosen.shape[-1]:
            stop = min(start + self.stretch(), chosen.shape[-1])
            self._add(chosen[..., start:stop], outcomes[..., start:stop, :])
            start = stop

    def widened(self, places: Sequence[int | None]) -> ArmMeans:
        """The same knowledge over another set of variants; a new one is forecast as all are together."""
        channels = self.total.shape[-2]
        result = ArmMeans(len(places), channels, lanes=self.fitted.shape[:-2])
        result.rows = self.rows.copy()
        _move(self.count, result.count, places)
        _move(self.total, result.total, places)
        pooled = self._pooled()
        for k, place in enumerate(places):
            result.fitted[..., k] = pooled if place is None else self.fitted[..., place]
        return result

    def _pooled(self) -> Floats:
        """(..., C) the mean of all rows; what is forecast anyway, without any."""
        count = self.count.sum(axis=-1)
        return np.asarray(
            np.where(count > 0, self.total.sum(axis=-1) / np.maximum(count, 1.0), self.fitted.mean(axis=-1))
        )

    def _add(self, chosen: Ints, outcomes: Floats) -> None:
        lanes = tuple(axis[..., None] for axis in np.ogrid[tuple(slice(n) for n in chosen.shape[:-1])])
        np.add.at(self.count[..., 0, :], (*lanes, chosen), 1.0)
        for c in range(outcomes.shape[-1]):
            np.add.at(self.total[..., c, :], (*lanes, chosen), outcomes[..., c])
        self.rows += chosen.shape[-1]
        if until_refit(int(self.rows[0]) - 1) == 1:
            pooled = self._pooled()[..., None]
            self.fitted = (self.total[..., :-1] + STRENGTH * pooled) / (self.count[..., :-1] + STRENGTH)


class Ridge(_Stored):
    r"""A ridge regression per variant on features, drawn to that of all variants.

    With z = (1, x), G_k = Σ z z' and h_k = Σ z r over the rows of variant k, λ = :data:`STRENGTH`,

        θ = m·(1, 0) + (λI + Σ G_k)⁻¹ (Σ h_k - m Σ G_k (1, 0)),      θ_k = θ + (λI + G_k)⁻¹ (h_k - G_k θ),

    m the mean of all rows: where nothing is known of a variant it is forecast as all are together. Forecasts are cut
    to the outcomes seen so far. Features should be of the order of 1; where they are not, λ draws too little or much.

    Parameters
    ----------
    arms, width, channels
        K, d and C.
    default
        (C,) what is forecast before there is a row.

    Examples
    --------
    >>> ridge = Ridge(1, 1)
    >>> x = np.linspace(-1, 1, 256)[:, None]
    >>> ridge.add(np.zeros(256, int), 3 * x, x)
    >>> ridge.predict(np.array([[0.5], [9.0]])).round(1).tolist()
    [[[1.4]], [[3.0]]]
    """

    _names = ("rows", "outer", "cross", "seen", "cut", "theta")

    def __init__(self, arms: int, width: int, channels: int = 1, *, default: Sequence[float] | None = None) -> None:
        size = width + 1
        cold = np.zeros(channels) if default is None else np.asarray(default, dtype=np.float64)
        self.rows = np.zeros(1)
        self.outer: Floats = np.zeros((arms + 1, size, size))  # the last place: variants since removed
        self.cross: Floats = np.zeros((channels, arms + 1, size))
        self.seen: Floats = np.stack([cold, cold])  # the least and the largest outcome
        self.cut: Floats = self.seen.copy()  # the same at the last refit
        self.theta: Floats = np.zeros((channels, arms, size))
        self.theta[:, :, 0] = cold[:, None]

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, npt.NDArray[np.float64]]) -> Ridge:
        """The plugin that :meth:`to_arrays` gave away."""
        require("theta" in arrays, "a plugin must have all its arrays, found no theta")
        channels, arms, size = arrays["theta"].shape
        plugin = cls(arms, size - 1, channels)
        plugin._restore(arrays)
        return plugin

    def predict(self, features: Floats) -> Floats:
        """Forecasts (n, C, K) for (n, d) features."""
        found = np.empty((len(features), *self.theta.shape[:2]))
        _forecast(plain(features), self.theta, self.cut, found)
        return found

    def add(self, chosen: Ints, outcomes: Floats, features: Floats) -> None:
        """Learn rows in their order."""
        start = 0
        while start < len(chosen):
            stop = min(start + self.stretch(), len(chosen))
            self._add(chosen[start:stop], outcomes[start:stop], features[start:stop])
            start = stop

    def widened(self, places: Sequence[int | None]) -> Ridge:
        """The same knowledge over another set of variants; a new one is forecast as all are together."""
        result = Ridge(len(places), self.outer.shape[1] - 1, len(self.cross))
        result.rows, result.seen, result.cut = self.rows.copy(), self.seen.copy(), self.cut.copy()
        _move(np.moveaxis(self.outer, 0, -1), np.moveaxis(result.outer, 0, -1), places)
        _move(np.swapaxes(self.cross, 1, 2), np.swapaxes(result.cross, 1, 2), places)
        shared = self._shared() if self.rows[0] > 0 else self.theta[:, 0]
        for k, place in enumerate(places):
            result.theta[:, k] = shared if place is None else self.theta[:, place]
        return result

    def _add(self, chosen: Ints, outcomes: Floats, features: Floats) -> None:
        arms, contexts, ones = plain(chosen, np.int64), plain(features), np.ones(len(chosen))
        for c in range(outcomes.shape[1]):
            outer = self.outer if c == 0 else np.zeros_like(self.outer)
            add_rows(contexts, arms, plain(outcomes[:, c].copy()), ones, outer, self.cross[c])
        known = outcomes if self.rows[0] == 0 else np.vstack([outcomes, self.seen])
        self.seen = np.stack([known.min(axis=0), known.max(axis=0)])
        self.rows += len(chosen)
        if until_refit(int(self.rows[0]) - 1) == 1:
            self._refit()

    def _shared(self) -> Floats:
        """θ (C, D) of all variants together."""
        outer = self.outer.sum(axis=0, keepdims=True)
        result = np.zeros((len(self.cross), outer.shape[1]))
        for c, cross in enumerate(self.cross.sum(axis=1)):
            start = np.zeros_like(cross)
            start[0] = cross[0] / outer[0, 0, 0]
            result[c] = start + _solved(outer, (cross - outer[0, :, 0] * start[0])[None])[0]
        return result

    def _refit(self) -> None:
        shared, outer, self.cut = self._shared(), self.outer[:-1], self.seen
        for c, theta in enumerate(shared):
            self.theta[c] = theta + _solved(outer, self.cross[c, :-1] - (outer * theta).sum(axis=2))


@long_kernel
def _forecast(features: Floats, theta: Floats, cut: Floats, found: Floats) -> None:
    """Write (n, C, K) forecasts; every sum in one order, whatever the portion, as BLAS would not have it."""
    for t in range(len(features)):
        for c in range(theta.shape[0]):
            for k in range(theta.shape[1]):
                total = theta[c, k, 0]
                for j in range(features.shape[1]):
                    total += features[t, j] * theta[c, k, j + 1]
                found[t, c, k] = min(max(total, cut[0, c]), cut[1, c])


def _solved(outer: Floats, cross: Floats) -> Floats:
    """(K, D) solutions of (λI + outer) δ = cross."""
    factor, delta = np.zeros_like(outer), np.zeros_like(cross)
    factorise(np.ones(len(outer), dtype=np.bool_), plain(outer), plain(cross), STRENGTH, factor, delta)
    return delta


def _move(old: npt.NDArray[Any], new: npt.NDArray[Any], places: Sequence[int | None]) -> None:
    """Copy the last axis by place; what has none any more is added up in the last."""
    for k, place in enumerate(places):
        if place is not None:
            new[..., k] = old[..., place]
    gone = [k for k in range(old.shape[-1]) if k not in places]
    new[..., -1] = old[..., gone].sum(axis=-1)
