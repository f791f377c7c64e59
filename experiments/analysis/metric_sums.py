"""The sums of one metric as they are kept: one lane over all rows, one a segment value, and forecasts for all of them.

Constant memory, whatever the number of rows. Everything is added in the order of rows, one after another, so that
where a stream is cut into calls changes no bit. Forecasts are fitted on all rows of the metric, and read by the lanes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from bandit.kernels.jit import plain
from bandit.types import Floats, Ints
from experiments.analysis.columns import Columns
from experiments.analysis.forecasts import follow, forecasts, forecasts_from
from experiments.analysis.frame import BALANCE, Channels
from experiments.analysis.kernel import tally
from experiments.statistics.adaptive.bounded import BoundedSums
from experiments.statistics.adaptive.plugins import Plugin
from experiments.statistics.adaptive.sums import AdaptiveSums

TALLIES = 7
"""Per variant: n, Σy, Σy², how many y are not 0, Σx, Σx², Σxy; x is the covariate or the denominator."""

Arrays = dict[str, npt.NDArray[Any]]


@dataclass(frozen=True, slots=True)
class Scored:
    """What was added: the rows that carry the metric, and the score of each variant on them (m, K)."""

    rows: Columns
    scores: Floats


@dataclass(slots=True, eq=False)
class MetricSums:
    """The sums of one metric over L lanes and K variants.

    Parameters
    ----------
    channels
        Which outcomes it is made of.
    tallies
        (L, 7, K).
    sums
        The doubly robust sums, with L lanes.
    plugin
        Forecasts, fitted on the rows of the first lane.
    bounded
        The audit line's sums over all rows; None where the metric has none.
    """

    channels: Channels
    tallies: Floats
    sums: AdaptiveSums
    plugin: Plugin
    bounded: BoundedSums | None

    @classmethod
    def cold(cls, channels: Channels, *, lanes: int, arms: int, width: int) -> MetricSums:
        """Sums without a row."""
        return cls(
            channels,
            np.zeros((lanes, TALLIES, arms)),
            AdaptiveSums.cold(arms, len(channels.outcomes), lanes=(lanes,), default=channels.defaults),
            forecasts(channels, arms=arms, width=width),
            _audit_line(channels, arms),
        )

    def add(self, columns: Columns) -> Scored:
        """Add the rows that have an outcome of every channel."""
        every = np.column_stack([columns.outcomes[name] for name in self.channels.outcomes])
        kept = np.asarray(np.isfinite(every).all(axis=1))
        rows, outcomes = columns.only(kept), every[kept]
        predictions = follow(self.plugin, chosen=rows.chosen, outcomes=outcomes, features=rows.features)
        self._tally(rows, outcomes)
        self.sums.lane(0).add(rows.chosen, outcomes, rows.p, predictions)
        for lane, own in rows.by_lane if len(self.tallies) > 1 else ():
            self.sums.lane(lane).add(rows.chosen[own], outcomes[own], rows.p[own], predictions[own])
        if self.bounded is not None:
            rewards = np.clip(outcomes[:, 0], *self.bounded.bounds)
            self.bounded.add(rows.chosen, rewards, rows.p, predictions[:, 0])
        return Scored(rows, _scores(rows.chosen, outcomes[:, 0], rows.p, predictions[:, 0]))

    def between(self, first: int, last: int) -> AdaptiveSums:
        """Return a view of the lanes from ``first`` up to, and without, ``last``."""
        return AdaptiveSums(**{name: array[first:last] for name, array in self.sums.to_arrays().items()})

    def _tally(self, rows: Columns, outcomes: Floats) -> None:
        lanes = np.zeros((len(outcomes), 1 if len(self.tallies) == 1 else 1 + rows.lanes.shape[1]), dtype=np.int64)
        lanes[:, 1:] = rows.lanes[:, : lanes.shape[1] - 1]
        x = outcomes[:, 1] if outcomes.shape[1] > 1 else np.nan_to_num(rows.outcomes[BALANCE])
        tally(lanes, plain(rows.chosen, np.int64), plain(outcomes[:, 0]), plain(x), self.tallies)

    def moved(
        self,
        channels: Channels,
        *,
        lanes: Sequence[int | None],
        places: Sequence[int | None],
        width: int | None,
    ) -> MetricSums:
        """Return a copy over other lanes and variants, each with its place here or None where it is new.

        With a ``width``, forecasts begin anew, over so many other features.
        """
        known = [(new, old) for new, old in enumerate(places) if old is not None]
        to, of = [new for new, _ in known], [old for _, old in known]
        wide = np.zeros((len(self.tallies), TALLIES, len(places)))
        wide[:, :, to] = self.tallies[:, :, of]
        sums = self.sums.widened(places)
        cold = AdaptiveSums.cold(len(places), sums.channels, lanes=(1,), default=channels.defaults)
        taken = _taken(sums.to_arrays(), cold.to_arrays(), lanes)
        return MetricSums(
            channels,
            _taken({"tallies": wide}, {"tallies": np.zeros_like(wide[:1])}, lanes)["tallies"],
            AdaptiveSums.from_arrays(taken),
            forecasts(channels, arms=len(places), width=width) if width is not None else self.plugin.widened(places),
            None if self.bounded is None else self.bounded.widened(places),
        )

    def to_arrays(self) -> Arrays:
        """The state as arrays, not copied; ``channels`` is kept elsewhere."""
        parts: dict[str, Mapping[str, npt.NDArray[Any]]] = {
            "sums": self.sums.to_arrays(),
            "plugin": self.plugin.to_arrays(),
            "bounded": {} if self.bounded is None else self.bounded.to_arrays(),
        }
        named = {f"{part}.{name}": array for part, arrays in parts.items() for name, array in arrays.items()}
        return {"tallies": self.tallies} | named

    @classmethod
    def from_arrays(cls, channels: Channels, arrays: Mapping[str, npt.NDArray[Any]]) -> MetricSums:
        """The sums that :meth:`to_arrays` gave away."""
        bounded = within(arrays, "bounded.")
        return cls(
            channels,
            arrays["tallies"],
            AdaptiveSums.from_arrays(within(arrays, "sums.")),
            forecasts_from(within(arrays, "plugin.")),
            BoundedSums.from_arrays(bounded) if bounded else None,
        )


def within(arrays: Mapping[str, npt.NDArray[Any]], prefix: str) -> Arrays:
    """Return the arrays whose names begin so, without that beginning.

    >>> list(within({"a.x": np.zeros(1), "b.x": np.zeros(1)}, "a."))
    ['x']
    """
    return {name.removeprefix(prefix): array for name, array in arrays.items() if name.startswith(prefix)}


def _audit_line(channels: Channels, arms: int) -> BoundedSums | None:
    """Kept of the objective, where its outcomes are bounded."""
    bounds = channels.bounds if channels.objective else None
    return None if bounds is None else BoundedSums.cold(arms, low=bounds[0], high=bounds[1])


def _scores(chosen: Ints, outcomes: Floats, p: Floats, predictions: Floats) -> Floats:
    """Return (n, K) m_k + 1{A=k}/π_k (r - m_k): what each variant would have brought, right on average."""
    every = np.arange(len(chosen))
    scores = predictions.copy()
    scores[every, chosen] += (outcomes - predictions[every, chosen]) / p[every, chosen]
    return scores


def _taken(arrays: Arrays, cold: Arrays, lanes: Sequence[int | None]) -> Arrays:
    """Return the lanes by their old places, cold ones where there is none."""
    return {
        name: np.stack([cold[name][0] if lane is None else array[lane] for lane in lanes])
        for name, array in arrays.items()
    }
