"""The analyst of one experiment: keeps its analysis level with the rows, and says what is proved by it.

Statistics are never what learning waits for. Whatever goes wrong in here is logged and leaves the experiment without a
newer analysis; after a while all is tried anew from what is stored, or else from the rows. Only where the store itself
is away, or another leader was first, does the leader hear of it.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import TypeVar

from bandit.validation import require
from experiments.analysis import proofs as proving
from experiments.analysis.analysis import Analysis
from experiments.errors import Conflict, NotFound, StoreError, Unavailable
from experiments.keeper.counter import PAGE, History, as_of, begun, counted, pages
from experiments.model import Experiment, Micros, Proof, ProofKind, Role
from experiments.proven import Identity
from experiments.store import AnalysisRow, AnalysisState, Store

T = TypeVar("T")
U = TypeVar("U")

BUDGET = 4 * PAGE
"""Rows that are read in one tick, of all experiments."""
REST: Micros = 60_000_000
"""After a failure, before all is tried anew."""
KEEP_EVERY: Micros = 10_000_000
"""While many rows are being read."""

_log = logging.getLogger(__name__)


class Analyst:
    """Counts what the leader commits, reads what was not counted, and knows what was proved.

    Parameters
    ----------
    store
        Read, never written.
    experiment
        In any version.
    clock
        The time in µs since 1970 UTC.
    """

    def __init__(self, store: Store, experiment: Experiment, *, clock: Callable[[], Micros]) -> None:
        self._store, self._id, self._key = store, experiment.id, experiment.key
        self._clock = clock
        self._history = History(store, experiment.key)
        self._analysis: Analysis | None = None
        self._proofs: dict[Identity, Proof] = {}
        self._kept, self._kept_at = -1, 0
        self._asked: tuple[int, int] | None = None
        self._failed_at = -REST

    def add(self, rows: Sequence[AnalysisRow]) -> None:
        """Count rows that are being committed; nothing while some before them are missing: all are read later."""
        analysis = self._analysis
        if rows and analysis is not None and analysis.seq == rows[0].seq - 1:
            self._count(lambda: counted(analysis, rows, self._history))

    def read(self, until: int, *, budget: int = BUDGET) -> int:
        """Read the rows that are missing up to ``until``; returns what is left of the budget."""
        if self.level(until) or self._resting:
            return budget
        if self._analysis is None:
            self._count(lambda: self._resumed(until))
        analysis = self._analysis
        if analysis is None:
            return budget
        before = analysis.seq
        self._count(lambda: self._followed(analysis, min(until, before + budget)))
        return budget if self._analysis is None else budget - (self._analysis.seq - before)

    def level(self, seq: int) -> bool:
        """Whether all rows up to ``seq`` are counted, and no others."""
        return self._analysis is not None and self._analysis.seq == seq

    def kept(self, seq: int, version: int) -> bool:
        """Whether all rows up to ``seq`` are counted, and that is stored with what it proves in that version."""
        return self._kept == seq and self._asked == (seq, version)

    def owes(self, seq: int, version: int) -> bool:
        """Whether the policy is stored as of ``seq``, and its analysis is not, although it is there or well begun.

        Also where that version of the experiment was not asked what is proved: after a failure, a restart or an edit.
        """
        if self._analysis is None or self._resting:
            return False
        if self.level(seq):
            return not self.kept(seq, version)
        return self._kept < min(seq, self._analysis.seq) and not 0 <= self._clock() - self._kept_at < KEEP_EVERY

    def keep(self, experiment: Experiment, *, seq: int) -> tuple[AnalysisState | None, tuple[Proof, ...]]:
        """Return what to store now: the analysis, and what it proves for the first time.

        Nothing is proved while rows up to ``seq`` are missing. Where asking fails the sums are stored all the same, and
        the proofs are owed.
        """
        found: tuple[Proof, ...] | None = ()
        state = self._ask(self._state, None)
        if self.level(seq):
            found = self._ask(lambda analysis: self._newly_proved(analysis, experiment), None)
            self._asked = self._asked if found is None else (seq, experiment.version)
        return state, found or ()

    def beaten(self, experiment: Experiment) -> frozenset[str] | None:
        """Return the enabled variants that another one is proved to beat; None where that is not known now."""
        return self._ask(lambda analysis: proving.beaten(self._as_of(analysis, experiment), experiment), None)

    def harmed(self, experiment: Experiment) -> list[Proof]:
        """Return the proofs by which the experiment is to pause itself, of what it shows now against its control.

        None any more is one that was there when somebody let it go on.
        """
        definition, analysis = experiment.definition, self._analysis
        guards = {metric.key for metric in definition.metrics if metric.role is Role.GUARDRAIL and metric.pauses}
        harms = [proof for proof in self._proofs.values() if proof.kind is ProofKind.HARMED and proof.metric in guards]
        if analysis is None or not harms:
            return []
        since = self._as_of(analysis, experiment).since
        served = {variant.key for variant in definition.variants if variant.enabled} - set(experiment.beaten)
        running = self._history.running_since(experiment.version)
        return [
            proof
            for proof in harms
            if proof.variant in served
            and (proof.other, proof.since) == (experiment.control.key, since)
            and proof.time > running
        ]

    @property
    def _resting(self) -> bool:
        return 0 <= self._clock() - self._failed_at < REST

    def _count(self, work: Callable[[], Analysis]) -> None:
        """Do what changes the sums: after a failure they are not to be trusted, and resumed from what is stored."""
        self._analysis = self._try(work, None)

    def _ask(self, question: Callable[[Analysis], T], otherwise: U) -> T | U:
        """Ask what the sums say; after a failure, not again at once."""
        analysis = self._analysis
        return otherwise if analysis is None or self._resting else self._try(lambda: question(analysis), otherwise)

    def _try(self, work: Callable[[], T], otherwise: U) -> T | U:
        try:
            return work()
        except (Unavailable, StoreError, Conflict, NotFound):
            raise  # no fault of the analysis
        except Exception:  # whatever it is: statistics are never what learning waits for
            _log.exception("%s: its analysis failed, and is tried again in a minute", self._key)
            self._failed_at = self._clock()
            return otherwise

    def _followed(self, analysis: Analysis, until: int) -> Analysis:
        for rows in pages(self._store, self._id, after=analysis.seq, until=until):
            analysis = counted(analysis, rows, self._history)
        return analysis

    def _resumed(self, until: int) -> Analysis:
        """Go on from the stored analysis; from nothing where there is none, or one that cannot be this one's."""
        self._proofs = {proof.identity: proof for proof in self._store.proofs(self._id)}
        self._kept = -1
        stored = self._store.analysis_state(self._id)
        if stored is None:
            return begun(self._history)
        try:
            analysis = Analysis.from_bytes(stored.blob)
            require(analysis.seq == stored.seq <= until, f"it knows {analysis.seq} rows, of {stored.seq} and {until}")
            require(self._history.knows(analysis), f"it is of version {analysis.version} of something else")
        except (ValueError, LookupError, TypeError) as error:
            _log.error("%s: its analysis is damaged, and is counted anew from the rows: %s", self._key, error)
            return begun(self._history)
        self._kept = stored.seq
        return analysis

    def _state(self, analysis: Analysis) -> AnalysisState | None:
        if analysis.seq == self._kept:
            return None
        state = AnalysisState(self._id, analysis.seq, analysis.to_bytes(), self._clock())
        self._kept, self._kept_at = state.seq, state.time
        return state

    def _newly_proved(self, analysis: Analysis, experiment: Experiment) -> tuple[Proof, ...]:
        found = proving.proved(self._as_of(analysis, experiment), experiment, time=self._clock())
        new = tuple(proof for proof in found if proof.identity not in self._proofs)
        self._proofs |= {proof.identity: proof for proof in new}
        for proof in new:
            _log.info("%s: proved: %s", self._key, proof)
        return new

    def _as_of(self, analysis: Analysis, experiment: Experiment) -> Analysis:
        return as_of(analysis, experiment.version, self._history)
