"""What the store promises: one state of analysis an experiment, and every proof once."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from experiments.errors import Conflict
from experiments.model import Proof, ProofKind
from experiments.store import AnalysisState, Step

BETTER = Proof(
    kind=ProofKind.BETTER,
    metric="sale",
    variant="b",
    other="a",
    segment=None,
    seq=200,
    time=20,
    since=1,
    estimate=0.1 + 0.2,
    low=1e-300,
    high=None,
    alpha=0.05 / 3,
)


def commit(site: Any, *proofs: Proof, state: AnalysisState | None = None) -> None:
    """Commit what a leader found, without rows."""
    epoch = site.store.lease("k", seconds=60)
    site.store.commit_step(Step(site.experiment.id, [], analysis=state, proofs=proofs), epoch=epoch)


class AnalysingContract:
    """The state that statistics go on from, and what was proved."""

    def test_state(self, site: Any, sites: Any) -> None:
        """There is one state an experiment, the last that was committed, bit for bit."""
        assert site.store.analysis_state(site.experiment.id) is None
        first = AnalysisState(site.experiment.id, 10, bytes(range(256)), 5)
        commit(site, state=first)
        assert site.store.analysis_state(site.experiment.id) == first
        commit(site)
        assert site.store.analysis_state(site.experiment.id) == first
        second = replace(first, seq=20, blob=b"", time=6)
        commit(site, state=second)
        assert site.store.analysis_state(site.experiment.id) == second
        site.store.put_analysis(first)
        assert site.store.analysis_state(site.experiment.id) == first
        assert site.store.analysis_state(sites().experiment.id) is None

    def test_without_a_leader(self, site: Any) -> None:
        """An import keeps a state and proofs by itself; the first proof stays here, too."""
        state = AnalysisState(site.experiment.id, 10, b"x", 5)
        site.store.put_analysis(state, (BETTER,))
        site.store.put_analysis(replace(state, seq=20), (replace(BETTER, time=30), replace(BETTER, since=2)))
        found = site.store.analysis_state(site.experiment.id)
        assert found is not None
        assert (found.seq, site.store.proofs(site.experiment.id)) == (20, [BETTER, replace(BETTER, since=2)])

    def test_state_falls_with_its_step(self, site: Any) -> None:
        """A step that is refused leaves neither a state nor a proof behind."""
        site.ship(site.decision(1))
        epoch, rows = site.store.lease("k", seconds=60), site.rows()
        state = AnalysisState(site.experiment.id, 1, b"x", 5)
        step = Step(site.experiment.id, [replace(rows[0], seq=7)], analysis=state, proofs=(BETTER,))
        with pytest.raises(Conflict, match="do not follow"):
            site.store.commit_step(step, epoch=epoch)
        with pytest.raises(Conflict, match="passed on"):
            site.store.commit_step(replace(step, rows=rows), epoch=epoch + 1)
        assert (site.store.analysis_state(site.experiment.id), site.store.proofs(site.experiment.id)) == (None, [])
        site.store.commit_step(replace(step, rows=rows), epoch=epoch)
        assert site.store.analysis_state(site.experiment.id) == state
        assert site.store.proofs(site.experiment.id) == [BETTER]

    def test_the_first_proof_stays(self, site: Any, sites: Any) -> None:
        """What says the same again, in this step or a later one, changes nothing; what says anything else is new."""
        again = replace(BETTER, seq=300, time=30, estimate=9.0, low=None, high=2.0, alpha=0.01, margin=0.1, first=3)
        commit(site, BETTER, again)
        commit(site, again)
        assert site.store.proofs(site.experiment.id) == [BETTER]
        others = [
            replace(again, kind=ProofKind.WORSE),
            replace(again, metric="second"),
            replace(again, variant="c"),
            replace(again, other=None),
            replace(again, segment="device=" + "x" * 5_000),
            replace(again, since=2),
            replace(again, kind=ProofKind.BEST, other=None, rivals=("a", "c"), first=15),
            replace(again, kind=ProofKind.BEST, other=None, rivals=("a", "c", "d"), first=25),
            replace(again, kind=ProofKind.NOT_WORSE, margin=0.05),
            replace(BETTER, kind=ProofKind.BEST, other=None, time=10),
        ]
        commit(site, *others, *others)
        commit(site, *others)
        assert site.store.proofs(site.experiment.id) == [others[-1], BETTER, *others[:-1]]
        assert site.store.proofs(sites().experiment.id) == []
