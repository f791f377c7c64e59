"""Relearning: a policy state is a fold over the frozen rows, so the log brings any of them back, bit for bit.

A policy version names the phase it was made in and the last row it knows. Within a phase, steps follow one another;
where the phase changes, the policy was first fitted to the new definition, or learned again from the first row.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import groupby, islice, pairwise
from typing import Protocol

from experiments.errors import Conflict
from experiments.keeper import learner
from experiments.model import Experiment
from experiments.store import AnalysisRow, ExperimentVersion, PolicyVersion

PAGE = 5_000


class RowsStore(Protocol):
    """What relearning reads of the store."""

    def experiment(self, key: str) -> Experiment: ...  # noqa: D102 - see experiments.store
    def versions(self, key: str) -> list[ExperimentVersion]: ...  # noqa: D102
    def latest_policy(self, experiment_id: int) -> PolicyVersion | None: ...  # noqa: D102
    def policy_version(self, experiment_id: int, version: int) -> PolicyVersion: ...  # noqa: D102
    def analysis_rows(self, experiment_id: int, *, after: int = 0, limit: int = PAGE) -> list[AnalysisRow]: ...  # noqa: D102


@dataclass(frozen=True, slots=True)
class RelearnResult:
    """What came out: whether the rebuilt bytes are those of the stored ``version``, after ``rows`` rows."""

    matches: bool
    rows: int
    version: int
    checksum: str


def relearn(store: RowsStore, key: str) -> RelearnResult:
    """Rebuild the newest policy version of an experiment from its rows and compare.

    Raises
    ------
    NotFound
        There is no such experiment.
    Conflict
        It was never started, so there is nothing to compare with.
    """
    experiment = store.experiment(key)
    newest = store.latest_policy(experiment.id)
    if newest is None:
        raise Conflict(f"experiment {key} has no policy version yet.", hint="Start it: landit experiment start.")
    rebuilt = checksum(replay(store, experiment, until=newest))
    return RelearnResult(rebuilt == newest.checksum, newest.rows, newest.version, rebuilt)


def replay(store: RowsStore, experiment: Experiment, *, until: PolicyVersion) -> bytes:
    """Return the blob of a policy version, from nothing but rows and definitions."""
    definitions = in_force(store, experiment.key)
    versions = _turns(store, experiment.id, until)
    blob = learner.cold(definitions[versions[0].phase])
    for before, after in pairwise(versions):
        for rows in steps(store, experiment.id, after=before.seq, until=after.seq):
            blob = learner.step(blob, definitions[before.phase], rows)
        if after.phase != before.phase:
            blob = fitted(store, blob, definitions[after.phase], seq=after.seq)
    return blob


def fitted(store: RowsStore, blob: bytes, experiment: Experiment, *, seq: int) -> bytes:
    """Return a policy for the experiment as it is now: the same one fitted, or all rows up to ``seq`` learned again."""
    if learner.knows(blob, experiment):
        return learner.step(blob, experiment, [])
    return learner.rebuild(experiment, steps(store, experiment.id, after=0, until=seq))


def steps(store: RowsStore, experiment_id: int, *, after: int, until: int | None = None) -> Iterator[list[AnalysisRow]]:
    """Rows from ``after`` (excluded) to ``until`` (included), a list a step, in the steps in which they matured."""
    rows = islice(_rows(store, experiment_id, after), None if until is None else until - after)
    for _, step in groupby(rows, key=lambda row: row.step):
        yield list(step)


def in_force(store: RowsStore, key: str) -> Mapping[int, Experiment]:
    """The experiment as it was in each phase."""
    return {version.phase: version.experiment for version in store.versions(key)}


def checksum(blob: bytes) -> str:
    """SHA-256, 64 hex digits: what the store keeps beside a blob."""
    return hashlib.sha256(blob).hexdigest()


def _rows(store: RowsStore, experiment_id: int, after: int) -> Iterator[AnalysisRow]:
    while page := store.analysis_rows(experiment_id, after=after, limit=PAGE):
        yield from page
        after = page[-1].seq


def _turns(store: RowsStore, experiment_id: int, until: PolicyVersion) -> list[PolicyVersion]:
    """The first policy version, the first one of every later phase, and ``until``: between them nothing but steps."""
    turns = [store.policy_version(experiment_id, 1)]
    for number in range(2, until.version):
        version = store.policy_version(experiment_id, number)
        if version.phase != turns[-1].phase:
            turns.append(version)
    return turns if until.version == 1 else [*turns, until]
