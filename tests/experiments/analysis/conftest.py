"""Experiments and their analysis rows, made from seeds: what the fold over rows is tried on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest

from experiments.definition import parse
from experiments.model import Experiment, State
from experiments.store import AnalysisRow

START = 1_800_000_000_000_000
MINUTE = 60_000_000

CONTEXT = [
    {"name": "device", "type": "category", "values": ["mobile", "desktop"]},
    {"name": "age", "type": "number", "center": 40, "scale": 20},
    {"name": "new", "type": "boolean"},
]
SEGMENTS = [{"attribute": "device"}, {"attribute": "age", "cuts": [30, 50]}, {"attribute": "new"}]
METRICS = [
    {"key": "sale"},
    {"key": "income", "kind": "revenue", "role": "secondary", "cap": 100},
    {"key": "clicks", "kind": "count", "role": "secondary"},
    {"key": "bounce", "kind": "bounce", "role": "guardrail", "margin": 0.2},
    {"key": "value", "kind": "ratio", "role": "secondary", "numerator": "income", "denominator": "clicks"},
]
PLAIN: dict[str, Any] = {"key": "k", "unit": "decision", "metrics": [{"key": "sale"}]}
FULL: dict[str, Any] = PLAIN | {"context": CONTEXT, "segments": SEGMENTS, "metrics": METRICS, "covariate": "age"}


@dataclass
class World:
    """Visitors with known rates, under an experiment whose traffic may move."""

    seed: int = 0
    rng: np.random.Generator = field(init=False)

    def __post_init__(self) -> None:
        self.rng = np.random.default_rng(self.seed)

    def experiment(self, body: dict[str, Any], *, variants: int | Sequence[Any] = 2, version: int = 1) -> Experiment:
        """An experiment as the store would keep it."""
        listed = [{"key": f"v{k}"} for k in range(variants)] if isinstance(variants, int) else list(variants)
        definition = parse(body | {"variants": listed})
        slots = tuple(range(len(listed)))
        return Experiment(1, definition, slots, version=version, phase=version, state=State.RUNNING)

    def context(self) -> dict[str, Any]:
        """Somebody."""
        return {
            "device": ("mobile", "desktop", "tv")[int(3 * self.rng.random())],
            "age": 15.0 + int(65 * self.rng.random()),
            "new": bool(self.rng.random() < 0.5),
        }

    def law(self, arms: int) -> np.ndarray:
        """Probabilities as a bandit moves them."""
        drawn = 0.2 + self.rng.random(arms)
        return drawn / drawn.sum()

    def outcomes(self, chosen: int, rate: float, context: dict[str, Any]) -> dict[str, float]:
        """What comes of a visit, of all metrics of ``FULL``."""
        age = context.get("age", 40.0)
        sale = float(self.rng.random() < rate + (age - 40) / 1000)
        return {
            "sale": sale,
            "income": min(sale * float(self.rng.gamma(2.0, 20.0)), 100.0),
            "clicks": float(self.rng.poisson(1 + sale)),
            "bounce": float(self.rng.random() < 0.5 - rate),
        }

    def rows(
        self,
        experiment: Experiment,
        count: int,
        *,
        rates: Sequence[float] | Callable[[dict[str, Any]], Sequence[float]] = (0.1, 0.1),
        law: Callable[[dict[str, Any]], Sequence[float]] | None = None,
        after: int = 0,
        version: int | None = None,
    ) -> list[AnalysisRow]:
        """Rows after the one numbered ``after``, a minute apart; a uniform split unless there is a law."""
        return [self._row(experiment, after + i + 1, rates, law, version) for i in range(count)]

    def _row(self, experiment: Experiment, seq: int, rates: Any, law: Any, version: int | None) -> AnalysisRow:
        context, keys = self.context(), experiment.variant_keys
        p = np.full(len(keys), 1 / len(keys)) if law is None else np.asarray(law(context), dtype=np.float64)
        chosen = min(int(np.searchsorted(np.cumsum(p), self.rng.random(), side="right")), len(keys) - 1)
        rate = (rates(context) if callable(rates) else rates)[chosen]
        return AnalysisRow(
            seq=seq,
            decision=f"d{seq}",
            unit=None,
            version=experiment.version if version is None else version,
            phase=1,
            time=START + seq * MINUTE,
            variant=keys[chosen],
            variants=keys,
            distribution=p,
            context=context,
            outcomes=self.outcomes(chosen, rate, context),
            step=1,
            crossed=bool(seq % 50 == 0),
        )


@pytest.fixture
def world() -> World:
    """A world whose luck is the same in every run."""
    return World()


@pytest.fixture
def full() -> dict[str, Any]:
    """An experiment with every kind of metric, segments, context and a covariate."""
    return dict(FULL)


@pytest.fixture
def plain() -> dict[str, Any]:
    """An experiment with one conversion, and nothing known of visitors."""
    return dict(PLAIN)


@pytest.fixture(scope="session")
def make_world() -> Callable[[], tuple[World, dict[str, Any]]]:
    """A world, and the body of the full experiment: for fixtures that live longer than a test."""
    return lambda: (World(), dict(FULL))
