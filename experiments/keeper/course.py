"""Where the leading keeper stands with one experiment: what its policy knows, what was kept of it, and what is due."""

from __future__ import annotations

from dataclasses import dataclass

from experiments.keeper.analyst import Analyst
from experiments.keeper.opened import Opened
from experiments.keeper.relearn import checksum
from experiments.model import Experiment, Micros
from experiments.store import PolicyVersion

PUBLISH_EVERY: Micros = 1_000_000
PUBLISH_EVERY_LATER: Micros = 10_000_000
MANY_ROWS = 10_000
"""Rows after which a single second changes little."""


@dataclass(slots=True)
class Course:
    """Where a policy stands: ``blob`` knows the rows up to ``seq``; ``stored`` is the last version that was kept."""

    stored: PolicyVersion
    blob: bytes
    seq: int
    analyst: Analyst
    fits: int = 0
    """The experiment's version that the blob was last fitted to."""
    opened: Opened | None = None
    """What is known of open rows, where they are learned."""
    known: Micros = 0
    """The time of the last row that was learned since this leader leads."""
    looked: Micros = 0
    """When it was last asked what is to be served."""
    judged: tuple[int, int] = (0, 0)
    """The last row, and the experiment's version, at which proofs were asked for."""
    standardized: int = 0
    """The last row at which numbers were looked at that are to be standardized."""

    def next_version(self, experiment: Experiment, blob: bytes, *, seq: int, now: Micros) -> PolicyVersion:
        """Return the version after the last one, with what is to be served where the open rows are known too."""
        # What was read for an older version of the experiment may speak of other variants.
        opened = self.opened if self.fits == experiment.version else None
        served = None if opened is None else opened.served(blob, after=self.known)
        return version_of(experiment, self.stored.version + 1, blob, seq=seq, now=now, served=served)

    def due(self, now: Micros) -> bool:
        """Whether enough time has passed since the last version; a clock that was set back counts as enough.

        While the open rows are being read, after a start or a change, the version before stays in force.
        """
        if self.opened is not None and not self.opened.complete:
            return False
        every = PUBLISH_EVERY if self.seq <= MANY_ROWS else PUBLISH_EVERY_LATER
        return not 0 <= now - self.stored.time < every

    def moved(self, now: Micros) -> bool:
        """Whether the open rows would have something else served than the last version; asked once a period."""
        opened = self.opened
        if opened is None or 0 <= now - max(self.looked, self.stored.time) < opened.period:
            return False
        self.looked = now
        _, expected = self.stored.in_force
        return checksum(opened.served(self.blob, after=self.known) or self.blob) != expected


def version_of(
    experiment: Experiment, number: int, blob: bytes, *, seq: int, now: Micros, served: bytes | None = None
) -> PolicyVersion:
    """Return version ``number`` of an experiment's policy, which knows the rows up to ``seq``."""
    return PolicyVersion(
        experiment_id=experiment.id,
        version=number,
        phase=experiment.phase,
        name=experiment.definition.policy.name,
        blob=blob,
        checksum=checksum(blob),
        rows=seq,
        seq=seq,
        time=now,
        served=served,
        served_checksum=None if served is None else checksum(served),
    )
