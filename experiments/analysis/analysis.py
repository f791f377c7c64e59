"""The analysis of one experiment: sums alone, a fold over its rows and recorded versions.

It begins with the first version that ran, is fitted to each later one before that one's first row, and adds rows in the
order of their numbers. So the same rows and versions give the same bytes, online or from a rescan, wherever steps end.

What is asked of it shares 5%, and no share grows after looking: a variant that was removed, and a secondary metric, is
counted among the questions for good. One that is added makes every share smaller from then on. Limits become wider, and
proofs that were made before stay, each right at the level of its own time: a false one is among them with probability
at most 5% for every number of questions that there was in turn, and hardly more than 5% in all, since mostly the same
limits err. The level of 'best' depends on ``may_change``, and which contrasts there are on the control; both are fixed
at the start. Only where the control is removed, or nobody ever marked one and another variant comes to stand first, are
there contrasts with another one, which have 5% of their own; so has everything where contents are changed in place.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence

import numpy as np

from bandit.types import Floats
from experiments.analysis.columns import Columns, columns_of
from experiments.analysis.frame import Channels, Frame, contents_of, frame_of
from experiments.analysis.ledger import Ledger
from experiments.analysis.metric_sums import MetricSums
from experiments.analysis.recent import Recent
from experiments.analysis.state import State
from experiments.analysis.values import SegmentValue
from experiments.model import Experiment, Micros, Role
from experiments.statistics.propensity import AuditSums
from experiments.store import AnalysisRow

MANY_ARMS = 250
"""Above this many variants, those that were removed are forgotten: a removed one may come back until then."""
SAME = 1e-9
"""Probabilities this close are of one weight vector."""


class Analysis(State):
    """The sums of one experiment; made by :meth:`begun` or :meth:`from_bytes`."""

    __slots__ = ()

    @classmethod
    def begun(cls, experiment: Experiment, *, since: int) -> Analysis:
        """Return the analysis of an experiment without rows, from that version on."""
        frame = frame_of(experiment.definition)
        arms = len(experiment.variant_keys)
        return cls(
            version=experiment.version,
            since=since,
            variants=experiment.variant_keys,
            contents=contents_of(experiment.definition),
            frame=frame,
            counts=np.zeros(arms),
            crossed=np.zeros(arms),
            opened=np.zeros(arms, dtype=np.int64),
            audit=AuditSums(arms),
            recent=Recent.cold(arms),
            metrics={channels.metric: _cold(channels, frame, arms) for channels in frame.metrics},
            balance=_balance(frame, arms),
            begins={},
            secondary=_secondary(experiment),
        )

    def fitted(self, experiment: Experiment) -> Analysis:
        """Return a copy for another version of the experiment.

        New variants and metrics join cold. A metric or segment that is not declared any more goes; a variant stays,
        since rows of decisions that were made before are still to come. Where a variant shows something else than
        before under its key, everything begins anew: that version is then ``since``.
        """
        contents = contents_of(experiment.definition)
        if any(self.contents.get(key, digest) != digest for key, digest in contents.items()):
            anew = Analysis.begun(experiment, since=experiment.version)
            anew.seq = self.seq
            return anew
        other = copy.deepcopy(self)
        other.version = experiment.version
        other.secondary = tuple(dict.fromkeys((*self.secondary, *_secondary(experiment))))
        frame = frame_of(experiment.definition)
        variants = self.variants + tuple(key for key in contents if key not in self.contents)
        if len(variants) > MANY_ARMS:
            variants = tuple(key for key in variants if key in contents)
        if frame != self.frame or variants != self.variants:
            other._rearrange(frame, variants)
            other.contents = {key: contents.get(key) or self.contents[key] for key in variants}
        return other

    def add(self, rows: Sequence[AnalysisRow]) -> None:
        """Add the rows that follow ``seq``, in their order."""
        if not rows:
            return
        self.seq = rows[-1].seq
        places = {key: place for place, key in enumerate(self.variants)}
        kept = [row for row in rows if row.version >= self.since and row.variant in places]
        columns = columns_of(kept, places, self.frame)
        if not len(columns.chosen):
            return
        self.first = int(columns.times[0]) if self.rows == 0 else self.first
        self.last = int(columns.times[-1])
        self.rows += len(columns.chosen)
        np.add.at(self.counts, columns.chosen, 1.0)
        np.add.at(self.crossed, columns.chosen, columns.crossed.astype(np.float64))
        self._date(columns)
        self._watch_law(columns.p)
        self.audit.add(columns.chosen, columns.p)
        self._add_outcomes(columns)

    def ledger(self, metric: str, segment: SegmentValue | None = None) -> Ledger | None:
        """Return the sums of a metric, over all rows or those of a segment value; None where none are kept."""
        sums = self.metrics.get(metric)
        if sums is None or segment not in self.frame.lanes:
            return None
        return _ledger(sums, self.variants, self.frame.lanes.index(segment), segment)

    @property
    def covariate(self) -> Ledger | None:
        """The covariate as if it were a metric (pre-experiment bias); None where none is declared."""
        return None if self.balance is None else _ledger(self.balance, self.variants, 0, None)

    @property
    def weights(self) -> dict[str, float] | None:
        """The one weight vector that drew all rows, by variant; None without rows, and where there were several."""
        return None if self.law is None else dict(zip(self.variants, self.law.tolist(), strict=True))

    @property
    def visitors(self) -> dict[str, int]:
        """Rows of each variant."""
        return {key: int(count) for key, count in zip(self.variants, self.counts, strict=True)}

    @property
    def crossings(self) -> dict[str, int]:
        """Rows of each variant whose unit was served another variant, too."""
        return {key: int(count) for key, count in zip(self.variants, self.crossed, strict=True)}

    @property
    def firsts(self) -> dict[str, Micros]:
        """When the decision of the first row was made that had a chance of each variant; those without one left out."""
        dates = zip(self.variants, self.opened.tolist(), strict=True)
        return {key: date for key, date in dates if date > 0}

    def first_of(self, metric: str, variants: Sequence[str]) -> Micros:
        """Return since when there are rows of a metric and of all of these variants; 0 where there are not."""
        dates = [self.begins.get(metric, 0), *(self.firsts.get(key, 0) for key in variants)]
        return max(dates) if min(dates) > 0 else 0

    def recently(self, variant: str, other: str) -> float | None:
        """Return the difference of the objective over the last seven days: a direction, not a proof."""
        if variant not in self.contents or other not in self.contents:
            return None
        return self.recent.contrast(self.variants.index(variant), self.variants.index(other))

    def _date(self, columns: Columns) -> None:
        """Remember when the first chance of a variant was, for those that had none before."""
        for place in np.flatnonzero(self.opened == 0):
            rows = np.flatnonzero(columns.p[:, place] > 0)
            if len(rows):
                self.opened[place] = columns.times[rows[0]]

    def _watch_law(self, p: Floats) -> None:
        if self.moved:
            return
        law = p[0].copy() if self.law is None else self.law
        self.moved = bool((np.abs(p - law) > SAME).any())
        self.law = None if self.moved else law

    def _add_outcomes(self, columns: Columns) -> None:
        for channels in self.frame.metrics:
            scored = self.metrics[channels.metric].add(columns)
            if len(scored.rows.times):
                self.begins.setdefault(channels.metric, int(scored.rows.times[0]))
            if channels.objective:
                self.recent.add(scored.rows.times, scored.rows.p, scored.scores)
        if self.balance is not None:
            self.balance.add(columns)

    def _rearrange(self, frame: Frame, variants: tuple[str, ...]) -> None:
        """Move all sums to where they belong in another frame and among other variants."""
        before = {key: place for place, key in enumerate(self.variants)}
        places = [before.get(key) for key in variants]
        homes = {lane: place for place, lane in enumerate(self.frame.lanes)}
        lanes = [homes.get(lane) for lane in frame.lanes]
        old = {channels.metric: channels.outcomes for channels in self.frame.metrics}
        width = None if frame.context == self.frame.context else frame.schema.width
        self.metrics = {
            channels.metric: self.metrics[channels.metric].moved(channels, lanes=lanes, places=places, width=width)
            if old.get(channels.metric) == channels.outcomes
            else _cold(channels, frame, len(variants))
            for channels in frame.metrics
        }
        stay = {channels.metric for channels in frame.metrics if old.get(channels.metric) == channels.outcomes}
        self.begins = {metric: date for metric, date in self.begins.items() if metric in stay}
        if frame.balance != self.frame.balance:
            self.balance = _balance(frame, len(variants))
        elif self.balance is not None:
            self.balance = self.balance.moved(self.balance.channels, lanes=[0], places=places, width=None)
        self.counts, self.crossed = _moved(self.counts, places), _moved(self.crossed, places)
        self.opened = np.array([0 if place is None else self.opened[place] for place in places], dtype=np.int64)
        self.law = None if self.law is None else _moved(self.law, places)
        self.audit, self.recent = self.audit.widened(places), self.recent.widened(places)
        self.frame, self.variants = frame, variants


def _secondary(experiment: Experiment) -> tuple[str, ...]:
    return tuple(metric.key for metric in experiment.definition.metrics if metric.role is Role.SECONDARY)


def _cold(channels: Channels, frame: Frame, arms: int) -> MetricSums:
    return MetricSums.cold(channels, lanes=len(frame.lanes), arms=arms, width=frame.schema.width)


def _balance(frame: Frame, arms: int) -> MetricSums | None:
    """No features: the covariate is one of them, and would be forecast without an error."""
    return None if frame.balance is None else MetricSums.cold(frame.balance, lanes=1, arms=arms, width=0)


def _moved(values: Floats, places: Sequence[int | None]) -> Floats:
    return np.array([0.0 if place is None else values[place] for place in places])


def _ledger(sums: MetricSums, variants: tuple[str, ...], lane: int, segment: SegmentValue | None) -> Ledger:
    return Ledger(
        metric=sums.channels.metric,
        segment=segment,
        variants=variants,
        tallies=sums.tallies[lane],
        sums=sums.sums.lane(lane),
        bounded=sums.bounded if lane == 0 else None,
    )
