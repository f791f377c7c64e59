"""Reports from a store: what was analysed row by row, and what a rescan of the rows gives."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from experiments.analysis import proved
from experiments.definition import parse
from experiments.keeper import counter
from experiments.keeper.recount import count_import
from experiments.model import Experiment, ProofKind, Reason
from experiments.report import Method, build_report
from experiments.report.facts import NOT_ANALYSED
from experiments.store import AnalysisState, LoggedDecision, Store, migrate

START = 1_800_000_000_000_000
HOUR = 3_600_000_000
ROWS = 900
BODY: dict[str, Any] = {
    "key": "spring",
    "variants": [{"key": "a", "control": True}, {"key": "b"}],
    "context": [{"name": "device", "type": "category", "values": ["mobile", "desktop"]}],
    "metrics": [{"key": "sale", "max": 1}, {"key": "income", "kind": "revenue", "role": "secondary", "cap": 50}],
    "segments": [{"attribute": "device"}],
    "policy": {"name": "thompson"},
}


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """An empty store."""
    url = f"sqlite:///{tmp_path / 'landit.db'}"
    migrate(url)
    store = Store.open(url, clock=lambda: START)
    yield store
    store.close()


@pytest.fixture
def experiment(store: Store) -> Experiment:
    """Decisions of a bandit, with their rewards, and no analysis yet."""
    made = store.create_experiment(parse(BODY), by="test", imported=True)
    rng = np.random.default_rng(0)
    store.import_log(made, [[decision(made, number, rng) for number in range(ROWS)]])
    return made


def decision(experiment: Experiment, number: int, rng: np.random.Generator) -> LoggedDecision:
    """One decision, an hour after the one before; b sells three times as often."""
    p = np.array([0.5, 0.5]) if number % 2 else np.array([0.3, 0.7])
    place = int(rng.random() < p[1])
    sale = float(rng.random() < (0.15, 0.45)[place])
    return LoggedDecision(
        decision=f"{number:032x}",
        version=experiment.version,
        phase=experiment.phase,
        unit=None,
        time=START + number * HOUR,
        variant="ab"[place],
        probability=float(p[place]),
        variants=("a", "b"),
        distribution=p,
        policy="thompson",
        policy_version=1,
        reason=Reason.POLICY.value,
        analysis=True,
        seq=None,
        context={"device": "mobile" if rng.random() < 0.5 else "desktop"},
        rewards={"sale": sale, "income": sale * float(rng.integers(1, 50))},
    )


def test_before_an_analysis_the_sums_are_shown(store: Store, experiment: Experiment) -> None:
    """An older store has counts, rates and beliefs, and says why there are no limits."""
    report = build_report(store, experiment, now=START + ROWS * HOUR)
    assert (report.rows, report.analysed, report.method) == (ROWS, 0, None)
    assert report.missing == NOT_ANALYSED
    assert report.variants[0].interval == "not shown: traffic was moved by a bandit"
    assert report.variants[0].rate is not None
    assert [check.level for check in report.checks if check.name == "analysis"] == ["info"]


def test_a_rescan_of_the_log_gives_the_report_of_the_online_sums(store: Store, experiment: Experiment) -> None:
    """Steps of any size with restarts between, and all rows at once: one report, as object and as JSON."""
    now = START + ROWS * HOUR
    history = counter.History(store, experiment.key)
    online = counter.begun(history)
    for start in range(0, ROWS, 37):
        rows = store.analysis_rows(experiment.id, after=start, limit=37)
        online = type(online).from_bytes(counter.counted(online, rows, history).to_bytes())
    proofs = proved(online, experiment, time=now)
    store.put_analysis(AnalysisState(experiment.id, online.seq, online.to_bytes(), now), proofs)
    before = build_report(store, experiment, now=now)
    store.put_analysis(AnalysisState(experiment.id, 0, b"", now))
    count_import(store, experiment, now=now)
    after = build_report(store, experiment, now=now)
    assert before == after
    assert before.method is Method.ADAPTIVE
    assert {proof.kind for proof in before.proofs} >= {ProofKind.BEST, ProofKind.BETTER}
    assert json.dumps(before.to_json(), allow_nan=False) == json.dumps(after.to_json())
