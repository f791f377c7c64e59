"""Recounting: the rows bring an analysis back, bit for bit; and the analysis of a log that was imported."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from experiments.analysis.proofs import proved
from experiments.errors import Conflict
from experiments.keeper import counter
from experiments.keeper.relearn import checksum
from experiments.model import Experiment, Micros, Proof
from experiments.store import AnalysisState


class CountStore(counter.RowsStore, Protocol):
    """What recounting needs of the store."""

    def experiment(self, key: str) -> Experiment: ...  # noqa: D102 - see experiments.store
    def analysis_state(self, experiment_id: int) -> AnalysisState | None: ...  # noqa: D102
    def put_analysis(self, state: AnalysisState, proofs: Sequence[Proof] = ()) -> None: ...  # noqa: D102


@dataclass(frozen=True, slots=True)
class RecountResult:
    """What came out: whether the rebuilt bytes are those that were stored, after ``rows`` rows."""

    matches: bool
    rows: int
    checksum: str
    mended: bool = False
    """Whether the rebuilt ones were stored: those of an imported log, which no keeper looks after."""


def recount(store: CountStore, key: str, *, now: Micros) -> RecountResult:
    """Rebuild the analysis of an experiment from its rows, and compare it with the one that is shown.

    Raises
    ------
    NotFound
        There is no such experiment.
    Conflict
        There is nothing to compare with.
    """
    experiment = store.experiment(key)
    stored = store.analysis_state(experiment.id)
    if stored is None and not experiment.imported:
        hint = "The keeper makes it from the first start on: landit serve."
        raise Conflict(f"experiment {key} has no analysis yet.", hint=hint)
    analysis = counter.rebuilt(store, experiment, until=None if stored is None else stored.seq)
    blob = analysis.to_bytes()
    matches = stored is not None and blob == stored.blob
    mended = experiment.imported and not matches
    if mended:
        count_import(store, experiment, now=now)
    return RecountResult(matches, analysis.seq, checksum(blob), mended)


def count_import(store: CountStore, experiment: Experiment, *, now: Micros) -> None:
    """Analyse the rows of an imported log, and keep that with what it proves; a page of rows is in memory at a time."""
    history = counter.History(store, experiment.key)
    analysis = counter.rebuilt(store, experiment)
    proofs = proved(counter.as_of(analysis, experiment.version, history), experiment, time=now)
    store.put_analysis(AnalysisState(experiment.id, analysis.seq, analysis.to_bytes(), now), proofs)
