"""Serving before rows mature: what the leading keeper knows of open rows, and the policy that has learned them.

The learned state is made of matured rows alone and goes on from step to step as if nothing here existed. Beside it, in
a version that is published, stands the state that workers serve: a copy that knows the open rows as well, each by the
share of its reward that is seen by its age (:mod:`bandit.delays`). It is made anew for every version.

What is read is bounded whatever the traffic. The open rows lie in stretches of a 96th of the longest window, by the
time of their decisions. Of each the first 500 are read, and again whenever they are a sixteenth older: what changes is
soon seen where much changes. Each counts as one row: where more came they are a sample, from which less is learned, and
nothing wrong. To read 48,000 rows once takes 6 s of a core, and a day with a window of a day 10 minutes.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from bandit import policies
from bandit.delays import Delays, LearnsOpenRows, edges
from bandit.types import Batch, Floats, Ints
from bandit.validation import InvalidInput
from experiments.keeper import learner
from experiments.model import Experiment, Micros
from experiments.store import OpenRow

STRETCHES = 96
ROWS = 500
OLDER = 16
READS = 4
"""Stretches of an experiment that are read again in one tick."""
BUDGET = 8_000
"""Rows that are read in one tick, of all experiments: a second of a core."""
LOOK = 20
"""What looking costs where there is nothing, in rows."""
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
    came: Floats
    """(m, 4) rewards that came: their row's time, their delay, their row's age, and the share of the outcome."""
    read: Micros


class Opened:
    """The open rows of an experiment, as one version of it sees them.

    Parameters
    ----------
    store
        Read, never written.
    experiment
        Its rows are open for so long that :func:`experiments.delayed.learns_open_rows` holds.
    """

    def __init__(self, store: OpenStore, experiment: Experiment) -> None:
        self._store = store
        self._experiment = experiment
        self._window = experiment.definition.window
        self._width = -(-self._window // STRETCHES)
        self._stretches: dict[int, _Stretch] = {}
        self.version = experiment.version
        self.period = min(max(experiment.objective.window // PERIODS, SHORTEST), LONGEST)
        """How long what is served stays good, in µs."""
        self.complete = False
        """Whether every stretch was read at least once."""

    def read(self, watermark: Micros, *, budget: int = BUDGET) -> int:
        """Read stretches in which rows are open, those first that were never read; returns what is left to read."""
        low = watermark - self._window
        asked = range(low // self._width, watermark // self._width + 1)
        self._stretches = {key: stretch for key, stretch in self._stretches.items() if key in asked}
        unread = [key for key in asked if key not in self._stretches]
        again = sorted((each.read, key) for key, each in self._stretches.items() if self._old(key, each, watermark))
        for key in [*unread, *(key for _, key in again[:READS])]:
            if budget <= 0:
                break
            self._stretches[key] = self._stretch(key, watermark)
            budget -= max(len(self._stretches[key].batch), LOOK)
        self.complete = all(key in self._stretches for key in unread)
        return budget

    def _old(self, key: int, stretch: _Stretch, watermark: Micros) -> bool:
        """Whether the rows of a stretch have become so much older that they may show more."""
        return watermark - stretch.read >= max(self.period, (stretch.read - key * self._width) // OLDER)

    def served(self, blob: bytes, *, after: Micros) -> bytes | None:
        """Return the policy that knows the open rows as well; None where there is nothing to add.

        Parameters
        ----------
        blob
            What was learned of matured rows.
        after
            Rows up to this time are in it.
        """
        stretches = [self._stretches[key] for key in sorted(self._stretches)]
        if not any(len(stretch.batch) for stretch in stretches):
            return None
        came = np.concatenate([stretch.came for stretch in stretches])
        _, delays, old, shares = came[came[:, 0] > after].T  # what has matured is in the store's sums
        law = self._store.delays(self._experiment).add(delays, shares, old)
        batch, ages = _joined(stretches, after=after)
        if not law.known or len(batch) == 0:
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
        came = _came(found, self._experiment.objective.window)
        return _Stretch(batch, np.array(ages, dtype=np.int64), came, watermark)


def _came(rows: Sequence[OpenRow], window: Micros) -> Floats:
    """Return the rewards of open rows, as :attr:`_Stretch.came` has them; all are known where the window has closed."""
    begin = edges(window)
    came = [
        (each.row.time, begin[bucket], window if each.age is None else each.age, share)
        for each in rows
        for bucket, share in each.row.delays
    ]
    return np.array(came, dtype=np.float64).reshape(len(came), 4)


def _joined(stretches: Sequence[_Stretch], *, after: Micros) -> tuple[Batch, Ints]:
    """Return all open rows of decisions made after a time, and their ages."""
    columns = [np.concatenate([getattr(each.batch, name) for each in stretches]) for name in Batch.__slots__]
    ages = np.concatenate([each.ages for each in stretches])
    batch = Batch(*columns)
    still = batch.times > after
    return Batch(*(column[still] for column in columns)), ages[still]
