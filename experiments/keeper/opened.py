"""Serving before rows mature: what the leading keeper knows of open rows, and the policy that has learned them.

The learned state is made of matured rows alone and goes on from step to step as if nothing here existed. Beside it, in
a version that is published, stands the state that workers serve: a copy that knows the open rows as well, each by the
share of its reward that is seen by its age (:mod:`bandit.delays`). It is made anew for every version.

What is read is bounded whatever the traffic. The open rows lie in stretches of a 96th of the window, by the time of
their decisions. Of each the first 500 are read, and read again after every period, a few stretches a tick. Each counts
as one row: where more came they are a sample, from which less is learned, and nothing wrong.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from bandit import policies
from bandit.delays import Delays, LearnsOpenRows, edges
from bandit.types import Batch, Ints
from bandit.validation import InvalidInput
from experiments.keeper import learner
from experiments.model import Experiment, Micros
from experiments.store import OpenRow

STRETCHES = 96
ROWS = 500
READS = 4
"""Stretches a tick that are read again."""
FIRST_READS = 16
"""Stretches a tick that were never read: after a start and after a change, the sooner the better."""
PERIODS = 1440
SHORTEST: Micros = 10_000_000
LONGEST: Micros = 600_000_000
_NOTHING = -1

_log = logging.getLogger(__name__)


class OpenStore(Protocol):
    """What is read of the store."""

    def delays(self, experiment: Experiment) -> Delays: ...  # noqa: D102 - see experiments.store
    def open_rows(  # noqa: D102
        self, experiment: Experiment, *, after: Micros, before: Micros, watermark: Micros, limit: int
    ) -> list[OpenRow]: ...


@dataclass(frozen=True, slots=True)
class _Stretch:
    """Open rows as a policy reads them, and how old each was when they were read."""

    batch: Batch
    ages: Ints
    """(n,) µs; -1 where the window has ended."""
    law: Delays
    """How long the rewards that came took."""
    read: Micros


class Opened:
    """The open rows of an experiment, as one version of it sees them.

    Parameters
    ----------
    store
        Read, never written.
    experiment
        Its objective has a window for which :func:`experiments.delayed.learns_open_rows` holds.
    """

    def __init__(self, store: OpenStore, experiment: Experiment) -> None:
        self._store = store
        self._experiment = experiment
        self._window = experiment.objective.window
        self._width = -(-self._window // STRETCHES)
        self._stretches: dict[int, _Stretch] = {}
        self.version = experiment.version
        self.period = min(max(self._window // PERIODS, SHORTEST), LONGEST)
        """How long what was read stays good, in µs."""
        self.complete = False
        """Whether every stretch was read at least once."""

    def read(self, watermark: Micros) -> None:
        """Read some of the stretches in which rows are open, those first that were never read."""
        low = watermark - self._window
        asked = range(low // self._width, watermark // self._width + 1)
        self._stretches = {key: stretch for key, stretch in self._stretches.items() if key in asked}
        unread = [key for key in asked if key not in self._stretches]
        again = sorted(
            (stretch.read, key) for key, stretch in self._stretches.items() if watermark - stretch.read >= self.period
        )
        for key in [*unread[:FIRST_READS], *(key for _, key in again[:READS])]:
            self._stretches[key] = self._stretch(key, watermark)
        self.complete = len(unread) <= FIRST_READS

    def served(self, blob: bytes, *, after: Micros) -> bytes | None:
        """Return the policy that knows the open rows as well; None where there is nothing to add.

        Parameters
        ----------
        blob
            What was learned of matured rows.
        after
            Rows up to this time are in it.
        """
        law = sum((each.law for each in self._stretches.values()), self._store.delays(self._experiment))
        if not law.known or not self._stretches:
            return None
        batch, ages = _joined([self._stretches[key] for key in sorted(self._stretches)], after=after)
        if len(batch) == 0:
            return None
        fractions = np.where(ages == _NOTHING, 1.0, law.seen(ages))
        policy = policies.from_bytes(blob)
        try:
            if not isinstance(policy, LearnsOpenRows):
                return None
            served = policy.with_provisional(batch, fractions, default=self._experiment.objective.default)
            return served.to_bytes() if learner.answers(served) else None
        except InvalidInput as error:
            _log.warning("%s: served without its open rows: %s", self._experiment.key, error)
            return None

    def _stretch(self, key: int, watermark: Micros) -> _Stretch:
        begin = key * self._width
        end = min(begin + self._width - 1, watermark)
        found = self._store.open_rows(self._experiment, after=begin - 1, before=end, watermark=watermark, limit=ROWS)
        kept = [each for each in found if each.row.variant in self._experiment.variant_keys]
        ages = [_NOTHING if each.age is None else each.age for each in kept]
        batch = learner.batch_of([each.row for each in kept], self._experiment)
        return _Stretch(batch, np.array(ages, dtype=np.int64), _law(found, self._window), watermark)


def _law(rows: Sequence[OpenRow], window: Micros) -> Delays:
    """Return how long the rewards of open rows took."""
    came = [(bucket, share, each.age) for each in rows if each.age is not None for bucket, share in each.row.delays]
    buckets, shares, ages = (np.array(column) for column in zip(*came, strict=True)) if came else (np.zeros(0),) * 3
    return Delays.none(window).add(edges(window)[buckets.astype(np.int64)], shares.astype(np.float64), ages)


def _joined(stretches: Sequence[_Stretch], *, after: Micros) -> tuple[Batch, Ints]:
    """Return all open rows of decisions made after a time, and their ages."""
    columns = [np.concatenate([getattr(each.batch, name) for each in stretches]) for name in Batch.__slots__]
    ages = np.concatenate([each.ages for each in stretches])
    batch = Batch(*columns)
    still = batch.times > after
    return Batch(*(column[still] for column in columns)), ages[still]
