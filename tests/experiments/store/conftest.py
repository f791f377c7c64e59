"""A journal in miniature: decisions and rewards of one experiment, shipped as a keeper would."""

from __future__ import annotations

import functools
import itertools
import json
from collections.abc import Callable, Sequence
from typing import Any

import msgspec
import pytest

from experiments.definition import parse
from experiments.model import Experiment, State
from experiments.records import DecisionRecord, Record, RewardRecord
from experiments.store import AnalysisRow, Step, Store, TrafficBucket, VariantSums

SECOND = 1_000_000
WINDOW = 60
START = 1_800_000_000_000_000
_KEYS = (f"experiment-{i}" for i in itertools.count())


def unit(name: object) -> str:
    """A pseudonym for a visitor."""
    return str(name).encode().hex().rjust(32, "0")[-32:]


class Site:
    """One experiment in a store, with short ways to write and ship its records."""

    start = START

    def __init__(self, store: Store, **fields: Any) -> None:
        body = {
            "key": next(_KEYS),
            "variants": [{"key": "a", "control": True}, {"key": "b"}],
            "metrics": [{"key": "sale", "window_seconds": WINDOW}],
        }
        self.store = store
        self.experiment: Experiment = store.create_experiment(parse(body | fields), by="test")
        self.experiment = store.set_state(self.experiment.key, State.RUNNING, by="test")
        self._ends: dict[str, int] = {}

    def decision(self, number: int, *, at: float = 0, who: object = None, **fields: Any) -> DecisionRecord:
        """The decision of that number, ``at`` seconds after the start, of variant a at 3/4."""
        facts: dict[str, Any] = {
            "id": f"{number:032x}",
            "experiment": self.experiment.id,
            "version": self.experiment.version,
            "phase": self.experiment.phase,
            "unit": None if who is None else unit(who),
            "time": START + int(at * SECOND),
            "variant": "a",
            "distribution": [0.75, 0.25],
            "policy": "thompson",
            "policy_version": 1,
            "reason": "policy",
        } | fields
        vector = facts.pop("distribution")
        facts.setdefault("probability", 0.5)
        if "probability" not in fields and isinstance(vector, list):
            facts["probability"] = vector[self.experiment.variant_keys.index(facts["variant"])]
        return DecisionRecord(**facts, distribution=msgspec.Raw(json.dumps(vector).encode()))

    def reward(self, number: int | None = None, *, at: float, value: float = 1.0, key: str = "", **fields: Any) -> Any:
        """A reward for the decision of that number, or for the unit ``who``."""
        who = fields.pop("who", None)
        return RewardRecord(
            experiment=fields.pop("experiment", self.experiment.id),
            decision=None if number is None else f"{number:032x}",
            unit=None if who is None else unit(who),
            metric=fields.pop("metric", "sale"),
            value=value,
            key=key,
            time=START + int(at * SECOND),
            **fields,
        )

    def ship(self, *records: Record, file: str | None = None) -> None:
        """Ship records as the next bytes of a file."""
        name = file or f"{self.experiment.key}.log"
        start = self._ends.get(name, 0)
        self.store.ship(name, start=start, end=start + 1, records=records)
        self._ends[name] = start + 1

    def rows(self, *, at: float = 10_000, limit: int = 1000) -> list[AnalysisRow]:
        """The rows that have matured ``at`` seconds after the start."""
        return self.store.next_rows(self.experiment, watermark=START + int(at * SECOND), limit=limit)

    def commit(self, rows: Sequence[AnalysisRow]) -> None:
        """Commit rows as the leader."""
        epoch = self.store.lease("test", seconds=10)
        assert epoch is not None
        self.store.commit_step(Step(self.experiment.id, list(rows)), epoch=epoch)

    def learn(self, *, at: float = 10_000, limit: int = 1000) -> list[AnalysisRow]:
        """Mature and commit until nothing is left; all rows from the first on."""
        while rows := self.rows(at=at, limit=limit):
            self.commit(rows)
        return self.store.analysis_rows(self.experiment.id)

    def sums(self) -> list[VariantSums]:
        """The running sums."""
        return self.store.sums(self.experiment.id)

    def traffic(self) -> list[TrafficBucket]:
        """The traffic by minute."""
        return self.store.traffic(self.experiment.id)

    def outcome(self, **fields: Any) -> float:
        """The outcome of the only row."""
        (row,) = self.learn(**fields)
        return row.outcomes["sale"]


@pytest.fixture
def site_type() -> type[Site]:
    """The class itself, for a store that a test opens."""
    return Site


@pytest.fixture
def sites(store: Store) -> Callable[..., Site]:
    """A function that starts an experiment of the given fields, on each kind of database."""
    return functools.partial(Site, store)


@pytest.fixture
def site(sites: Callable[..., Site]) -> Site:
    """A running experiment that assigns visitors, on each kind of database."""
    return sites()
