"""Where proofs come from: what tells the leading keeper that some variant of an experiment is beaten.

A source is asked again after every stored policy version, and answers from the frozen analysis rows up to that one. It
must be valid at every look and under traffic that a policy moves. What the leader does with the answer is recorded as a
version of the experiment (``by="proof"``), so that relearning drops the same variants at the same rows without asking.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Protocol, TypeAlias

import numpy as np

from experiments.model import Definition, Experiment
from experiments.statistics.contrasts import Contrasts
from experiments.store import AnalysisRow, ExperimentVersion

Proofs: TypeAlias = Callable[[Experiment, int], frozenset[str]]
"""From an experiment and the number of its last row to the keys of variants that a contender is proved to beat."""

PAGE = 5_000
PAGES = 4
"""How many pages of rows are read at one asking: who begins to lead reads them all, a part at a time."""


def nothing_proved(experiment: Experiment, seq: int) -> frozenset[str]:  # noqa: ARG001 - a source like any other
    """Return no variant."""
    return frozenset()


class RowsStore(Protocol):
    """What proofs read of the store."""

    def versions(self, key: str) -> list[ExperimentVersion]: ...  # noqa: D102 - see experiments.store
    def analysis_rows(self, experiment_id: int, *, after: int = 0, limit: int = PAGE) -> list[AnalysisRow]: ...  # noqa: D102


@dataclass(slots=True)
class _Reading:
    """The sums of one experiment, what they are about, and how far its rows were read."""

    subject: tuple[object, ...]
    since: int
    """The experiment's version from which decisions count."""
    places: dict[str, int]
    sums: Contrasts
    seq: int = 0


class RowProofs:
    """Proofs by the pairwise sequences of :mod:`experiments.statistics.contrasts`, over the rows of the objective.

    Rows count from the version on in which the contents were last changed in place: what visitors saw before under the
    same key was something else. A source that has just been made reads all those rows, some at every asking; until it
    is through, it answers for those that it has read, which is a look like any other.

    Parameters
    ----------
    store
        Read, never written.
    """

    def __init__(self, store: RowsStore) -> None:
        self._store = store
        self._readings: dict[int, _Reading] = {}

    def __call__(self, experiment: Experiment, seq: int) -> frozenset[str]:
        """Return the enabled variants that another enabled one is proved to beat."""
        reading = self._reading(experiment)
        until = min(seq, reading.seq + PAGES * PAGE)
        while reading.seq < until:
            rows = self._store.analysis_rows(experiment.id, after=reading.seq, limit=min(PAGE, until - reading.seq))
            if not rows:
                break
            _add(reading, rows, experiment.objective.key)
        enabled = np.zeros(len(reading.places), dtype=np.bool_)
        for variant in experiment.definition.variants:
            enabled[reading.places[variant.key]] = variant.enabled
        out = reading.sums.beaten(enabled)
        return frozenset(key for key, place in reading.places.items() if out[place])

    def _reading(self, experiment: Experiment) -> _Reading:
        """Go on with the sums that there are, or begin anew where they are about something else."""
        definition = experiment.definition
        subject = (frozenset(experiment.variant_keys), _contents(definition), definition.may_change)
        reading = self._readings.get(experiment.id)
        if reading is None or reading.subject != subject:
            sums = Contrasts(
                len(experiment.variant_keys), default=experiment.objective.default, may_change=definition.may_change
            )
            places = {key: place for place, key in enumerate(experiment.variant_keys)}
            since = _since(self._store.versions(experiment.key))
            reading = _Reading(subject, since, places, sums)
            self._readings[experiment.id] = reading
        return reading


def _add(reading: _Reading, rows: Sequence[AnalysisRow], metric: str) -> None:
    """Add rows to the sums; those of variants that are gone, or from before, only move on."""
    reading.seq = rows[-1].seq
    kept = [row for row in rows if row.version >= reading.since and row.variant in reading.places]
    p = np.zeros((len(kept), len(reading.places)))
    moves: dict[tuple[str, ...], tuple[list[int], list[int]]] = {}
    for index, row in enumerate(kept):
        if row.variants not in moves:
            known = [(i, reading.places[key]) for i, key in enumerate(row.variants) if key in reading.places]
            moves[row.variants] = [i for i, _ in known], [place for _, place in known]
        source, target = moves[row.variants]
        p[index, target] = row.distribution[source]
    chosen = np.array([reading.places[row.variant] for row in kept], dtype=np.int64)
    reading.sums.add(chosen, np.array([row.outcomes[metric] for row in kept]), p)


def _contents(definition: Definition) -> tuple[tuple[str, object], ...]:
    return tuple(sorted((variant.key, repr(variant.content)) for variant in definition.variants))


def _since(versions: Sequence[ExperimentVersion]) -> int:
    """Return the version in which a variant's content was last changed under its key."""
    since = 1
    for before, after in pairwise(versions):
        old = {variant.key: variant.content for variant in before.experiment.definition.variants}
        changed = any(
            variant.key in old and old[variant.key] != variant.content
            for variant in after.experiment.definition.variants
        )
        since = after.version if changed else since
    return since
