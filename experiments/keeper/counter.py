"""The analysis as a fold over frozen rows and recorded versions: the same bytes, whoever counts, and in what portions.

It begins with the version in which the experiment was started. Just before the first row of a newer version than any
row before, it is fitted to every version up to that one, in turn. So nothing depends on how soon after a change anyone
looked.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import accumulate, groupby, islice, pairwise
from operator import itemgetter
from typing import Protocol

from experiments.analysis.analysis import Analysis
from experiments.analysis.frame import frame_of
from experiments.model import Experiment, Micros, State
from experiments.store import AnalysisRow, ExperimentVersion

PAGE = 5_000


class RowsStore(Protocol):
    """What counting reads of the store."""

    def versions(self, key: str) -> list[ExperimentVersion]: ...  # noqa: D102 - see experiments.store
    def analysis_rows(self, experiment_id: int, *, after: int = 0, limit: int = PAGE) -> list[AnalysisRow]: ...  # noqa: D102


class History:
    """What an experiment was in each of its versions; the record is read again where a newer one is asked for."""

    def __init__(self, store: RowsStore, key: str) -> None:
        self._store, self._key = store, key
        self._versions: list[ExperimentVersion] = []

    def __getitem__(self, version: int) -> Experiment:
        """The experiment as it was in that version."""
        return self._until(version)[version - 1].experiment

    def knows(self, analysis: Analysis) -> bool:
        """Whether an analysis can be this experiment's: of a version that there was, counting what that one asks."""
        if not 1 <= analysis.version <= len(self._until(analysis.version)):
            return False
        experiment = self[analysis.version]
        return analysis.frame == frame_of(experiment.definition) and set(experiment.variant_keys) <= set(
            analysis.variants
        )

    def started(self) -> Experiment:
        """The first version that was no draft: no row is older."""
        self._versions = self._store.versions(self._key)
        return next(found.experiment for found in self._versions if found.state is not State.DRAFT)

    def running_since(self, version: int) -> Micros:
        """When it was last started, or went on after a pause, as of that version."""
        found = self._until(version)[:version]
        begun = [now.time for before, now in pairwise(found) if now.state is State.RUNNING is not before.state]
        return max(begun, default=0)

    def _until(self, version: int) -> list[ExperimentVersion]:
        if len(self._versions) < version:
            self._versions = self._store.versions(self._key)
        return self._versions


def begun(history: History) -> Analysis:
    """Return the analysis of an experiment that has no rows."""
    first = history.started()
    return Analysis.begun(first, since=first.version)


def counted(analysis: Analysis, rows: Sequence[AnalysisRow], history: History) -> Analysis:
    """Return the analysis that knows these rows as well, which follow on its last one; it may be the same object."""
    newest = islice(accumulate((row.version for row in rows), max, initial=analysis.version), 1, None)
    for version, part in groupby(zip(newest, rows, strict=True), key=itemgetter(0)):
        analysis = as_of(analysis, version, history)
        analysis.add([row for _, row in part])
    return analysis


def as_of(analysis: Analysis, version: int, history: History) -> Analysis:
    """Return the analysis as that version of the experiment is to be read: one that was changed has no rows yet."""
    for number in range(analysis.version + 1, version + 1):
        analysis = analysis.fitted(history[number])
    return analysis


def rebuilt(store: RowsStore, experiment: Experiment, *, until: int | None = None) -> Analysis:
    """Return what the rows come to, all of them or those up to ``until``; a page of them is in memory at a time."""
    history = History(store, experiment.key)
    analysis = begun(history)
    for rows in pages(store, experiment.id, after=0, until=until):
        analysis = counted(analysis, rows, history)
    return analysis


def pages(store: RowsStore, experiment_id: int, *, after: int, until: int | None = None) -> Iterator[list[AnalysisRow]]:
    """Rows from ``after`` (excluded) to ``until`` (included), some at a time."""
    while until is None or after < until:
        limit = PAGE if until is None else min(PAGE, until - after)
        rows = store.analysis_rows(experiment_id, after=after, limit=limit)
        if not rows:
            return
        yield rows
        after = rows[-1].seq
