"""How long a report takes: ``landit bench report``."""

from __future__ import annotations

import json
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from experiments.analysis import Analysis, survey
from experiments.definition import parse
from experiments.keeper.recount import count_import
from experiments.model import Experiment, Reason, State
from experiments.report.build import build_report, report_of
from experiments.report.facts import gather
from experiments.store import LoggedDecision, Store, migrate

VARIANTS = 10
ROWS = 5_000
BATCH = 1_000
REPEATS = 15
SECOND = 1_000_000
START = 1_800_000_000 * SECOND


def bench_report() -> dict[str, Any]:
    """Measure the report of 10 variants, 5 metrics and 3 segment values, under a split and under a bandit, one thread.

    The rows are made by a seed, and kept in an SQLite store with their analysis; how many there are does not matter.

    Returns
    -------
    dict
        ``rows``: each with ``what``, ``milliseconds`` (median of fifteen, on the clock), ``cpu`` (the same of this
        process alone) and ``load``, the machine's over the last minute.
    """
    with tempfile.TemporaryDirectory() as folder:
        url = f"sqlite:///{Path(folder) / 'bench.db'}"
        migrate(url)
        store = Store.open(url, clock=lambda: START)
        try:
            return {"rows": [row for policy in ("fixed", "thompson") for row in _rows(store, policy)]}
        finally:
            store.close()


def _rows(store: Store, policy: str) -> list[dict[str, Any]]:
    experiment = _filled(store, policy)
    facts = gather(store, experiment, now=START + 30 * 86_400 * SECOND)
    state = store.analysis_state(experiment.id)
    if facts.analysis is None or state is None:
        raise RuntimeError("the import left no analysis")
    analysis, blob = facts.analysis, state.blob
    parts: dict[str, Callable[[], object]] = {
        "read the analysis": lambda: Analysis.from_bytes(blob),
        "survey, segments of the objective": lambda: survey(
            analysis, experiment, segments_of={experiment.objective.key}
        ),
        "report from sums": lambda: report_of(replace(facts, analysis=Analysis.from_bytes(blob))),
        "report from the store, as JSON": lambda: json.dumps(
            build_report(store, experiment, now=facts.now).to_json(), allow_nan=False
        ),
    }
    return [_measure(f"{policy}: {what}", run) for what, run in parts.items()]


def _measure(what: str, run: Callable[[], object]) -> dict[str, Any]:
    run()  # compiles, and fills the caches
    clock, own = [], []
    for _ in range(REPEATS):
        began, worked = time.perf_counter(), time.process_time()
        run()
        clock.append(time.perf_counter() - began)
        own.append(time.process_time() - worked)
    return {
        "what": what,
        "milliseconds": round(1000 * median(clock), 1),
        "cpu": round(1000 * median(own), 1),
        "load": round(os.getloadavg()[0], 1),
    }


def _filled(store: Store, policy: str) -> Experiment:
    """Return an experiment with rows and their analysis, as if it ran."""
    definition = parse(
        {
            "key": policy.replace("_", "-"),
            "variants": [{"key": f"v{k}", "control": k == 0} for k in range(VARIANTS)],
            "context": [{"name": "device", "type": "category", "values": ["mobile", "desktop"]}],
            "metrics": [
                {"key": "sale", "max": 1},
                {"key": "income", "kind": "revenue", "role": "secondary", "cap": 100},
                {"key": "clicks", "kind": "count", "role": "secondary", "cap": 50},
                {"key": "value", "kind": "ratio", "role": "secondary", "numerator": "income", "denominator": "clicks"},
                {"key": "bounce", "kind": "bounce", "role": "guardrail", "margin": 0.1},
            ],
            "segments": [{"attribute": "device"}],
            "policy": {"name": policy},
        }
    )
    experiment = store.create_experiment(definition, by="bench", imported=True)
    store.import_log(experiment, _batches(experiment, np.random.default_rng(0)))
    count_import(store, experiment, now=START)
    return replace(experiment, state=State.RUNNING, imported=False)


def _batches(experiment: Experiment, rng: np.random.Generator) -> Iterator[list[LoggedDecision]]:
    moving = experiment.definition.policy.name != "fixed"
    for first in range(0, ROWS, BATCH):
        yield [_decision(experiment, rng, number, moving=moving) for number in range(first, first + BATCH)]


def _decision(experiment: Experiment, rng: np.random.Generator, number: int, *, moving: bool) -> LoggedDecision:
    keys = experiment.variant_keys
    law = np.full(len(keys), 1 / len(keys))
    if moving:
        law = 0.3 * law + 0.7 * rng.dirichlet(np.full(len(keys), 5.0))
        law /= law.sum()
    place = int(rng.choice(len(keys), p=law))
    sale = float(rng.random() < 0.1 + 0.01 * place)
    return LoggedDecision(
        decision=f"{experiment.id:016x}{number:016x}",
        version=experiment.version,
        phase=experiment.phase,
        unit=None,
        time=START + number * 400 * SECOND,
        variant=keys[place],
        probability=float(law[place]),
        variants=keys,
        distribution=law,
        policy=experiment.definition.policy.name,
        policy_version=1,
        reason=Reason.POLICY.value,
        analysis=True,
        seq=None,
        context={"device": ("mobile", "desktop", "tv")[int(rng.integers(3))]},
        rewards={
            "sale": sale,
            "income": min(sale * float(rng.gamma(2.0, 20.0)), 100.0),
            "clicks": float(1 + rng.poisson(1.0)),
            "bounce": float(rng.random() < 0.5),
        },
    )
