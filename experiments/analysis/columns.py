"""Analysis rows as arrays: what is read of each row, once for all metrics and segments."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from bandit.types import Bools, Context, Floats, Ints
from experiments.analysis.frame import BALANCE, Frame
from experiments.analysis.segments import numbers_of
from experiments.store import AnalysisRow


@dataclass(frozen=True, eq=False)
class Columns:
    """n rows in their order, over the K variants that an analysis knows.

    Parameters
    ----------
    chosen, p
        (n,) places of the chosen variants and (n, K) logged probabilities, which sum to one.
    lanes
        (n, S) where a row is counted besides the first lane: one lane a split.
    features
        (n, d) what forecasts may read.
    times
        (n,) when the decisions were made, µs since 1970.
    crossed
        (n,) whether the unit was served another variant before the row matured.
    outcomes
        (n,) of each metric, and the covariate less its center; NaN where a row has none.
    """

    chosen: Ints
    p: Floats
    lanes: Ints
    features: Floats
    times: Ints
    crossed: Bools
    outcomes: dict[str, Floats]

    @cached_property
    def by_lane(self) -> tuple[tuple[int, Ints], ...]:
        """Every lane of a segment value that has rows, with their places in their order."""
        found: list[tuple[int, Ints]] = []
        for column in self.lanes.T:
            order = np.argsort(column, kind="stable")
            lanes, starts = np.unique(column[order], return_index=True)
            found += zip(lanes.tolist(), np.split(order, starts[1:]), strict=False)
        return tuple(found)

    def only(self, kept: Bools) -> Columns:
        """Return the rows of the (n,) ones that are kept."""
        if kept.all():
            return self
        arrays = {name: getattr(self, name)[kept] for name in _ARRAYS}
        return Columns(**arrays, outcomes={name: values[kept] for name, values in self.outcomes.items()})


_ARRAYS = ("chosen", "p", "lanes", "features", "times", "crossed")


def columns_of(rows: Sequence[AnalysisRow], places: Mapping[str, int], frame: Frame) -> Columns:
    """Read rows, each of a variant in ``places``, without those whose variant could not have been drawn."""
    p = _probabilities(rows, places)
    chosen = np.array([places[row.variant] for row in rows], dtype=np.int64)
    possible = p[np.arange(len(rows)), chosen] > 0
    if not possible.all():
        rows = [row for row, drawn in zip(rows, possible.tolist(), strict=True) if drawn]
        p, chosen = p[possible], chosen[possible]
    contexts = [row.context for row in rows]
    names = dict.fromkeys(name for channels in frame.metrics for name in channels.outcomes)
    return Columns(
        chosen=chosen,
        p=p,
        lanes=_lanes(contexts, frame),
        features=frame.schema.encode(contexts),
        times=np.array([row.time for row in rows], dtype=np.int64),
        crossed=np.array([row.crossed for row in rows], dtype=np.bool_),
        outcomes={name: _outcomes(rows, name) for name in names} | {BALANCE: _covariate(contexts, frame)},
    )


def _probabilities(rows: Sequence[AnalysisRow], places: Mapping[str, int]) -> Floats:
    """Logged probabilities by place, those of variants that are not known any more shared among the others."""
    shapes: dict[tuple[str, ...], list[int]] = {}
    for index, row in enumerate(rows):
        shapes.setdefault(row.variants, []).append(index)
    p = np.zeros((len(rows), len(places)))
    for variants, indices in shapes.items():
        known = [(i, places[key]) for i, key in enumerate(variants) if key in places]
        source, target = [i for i, _ in known], [place for _, place in known]
        law = np.array([rows[index].distribution for index in indices], dtype=np.float64)[:, source]
        if len(source) < len(variants):
            whole = law.sum(axis=1, keepdims=True)
            law /= np.where(whole > 0, whole, 1.0)
        p[np.ix_(indices, target)] = law
    return p


def _lanes(contexts: Sequence[Context], frame: Frame) -> Ints:
    lanes = np.empty((len(contexts), len(frame.splits)), dtype=np.int64)
    first = 1
    for column, split in enumerate(frame.splits):
        lanes[:, column] = first + split.places(contexts)
        first += len(split.labels)
    return lanes


def _covariate(contexts: Sequence[Context], frame: Frame) -> Floats:
    if frame.covariate is None:
        return np.full(len(contexts), np.nan)
    known = numbers_of([context.get(frame.covariate) for context in contexts]) - frame.center
    return np.clip(known, -frame.reach, frame.reach)


def _outcomes(rows: Sequence[AnalysisRow], name: str) -> Floats:
    values = np.array([row.outcomes.get(name, np.nan) for row in rows], dtype=np.float64)
    values[~np.isfinite(values)] = np.nan
    return values
