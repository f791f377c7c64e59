"""What the benchmark serves and asks: two experiments of ten variants whose policies have learned, and requests."""

from __future__ import annotations

import json
from hashlib import sha256
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from bandit import policies
from bandit.features import Schema
from bandit.policy import Policy
from bandit.types import Arms, Batch
from experiments.access import APIKey, Scope
from experiments.clock import system_clock
from experiments.definition import parse
from experiments.model import Definition, State
from experiments.published import Catalog, PublishedExperiment, publish
from experiments.store import Store, migrate

VARIANTS = 10
COLUMNS = 20
KEY = "bench-key-that-opens-nothing"
HEADERS = {"Authorization": f"Bearer {KEY}", "Content-Type": "application/json"}


class Poster(Protocol):
    """A server that answers requests."""

    def post(self, path: str, body: bytes) -> dict[str, Any]:
        """The decoded answer."""


def prepare(data: Path) -> Store:
    """Make a store with both experiments running, and publish them."""
    url = f"sqlite:///{data / 'landit.db'}"
    migrate(url)
    store = Store.open(url, clock=system_clock)
    rng = np.random.default_rng(7)
    found = tuple(_published(store, definition, rng) for definition in (_plain(), _contextual()))
    key = APIKey("bench", Scope.SITE, sha256(KEY.encode()).hexdigest(), origins=(), created=0)
    publish(data / "published", Catalog(found, (key,), generation=1))
    return store


def _plain() -> Definition:
    return parse(_shared("plain") | {"policy": {"name": "thompson"}})


def _contextual() -> Definition:
    context = [{"name": f"x{i}", "type": "number", "always_known": True} for i in range(COLUMNS)]  # d = 20 columns
    return parse(_shared("contextual") | {"policy": {"name": "linear_thompson"}, "context": context})


def _shared(key: str) -> dict[str, Any]:
    variants = [{"key": f"v{i}", "content": {"headline": f"Headline {i}"}} for i in range(VARIANTS)]
    return {"key": key, "variants": variants, "metrics": [{"key": "purchase"}]}


def _published(store: Store, definition: Definition, rng: np.random.Generator) -> PublishedExperiment:
    store.create_experiment(definition, by="bench")
    experiment = store.set_state(definition.key, State.RUNNING, by="bench")
    policy = _learned(definition.policy.name, experiment.arms, experiment.schema, rng)
    return PublishedExperiment(experiment, policy.to_bytes(), 17)


def _learned(name: str, arms: Arms, schema: Schema, rng: np.random.Generator, *, rows: int = 2_000) -> Policy:
    policy = policies.create(name, arms=arms, schema=schema, exploration=0.2)
    chosen = rng.integers(0, len(arms), rows)
    policy.learn(
        Batch(
            contexts=rng.normal(size=(rows, schema.width)),
            arms=chosen,
            rewards=(rng.random(rows) < 0.05 + 0.005 * chosen).astype(np.float64),
            distributions=np.full((rows, len(arms)), 1 / len(arms)),
            times=np.arange(rows),
            weights=np.ones(rows),
        )
    )
    return policy


def bodies(experiment: str, *, count: int = 512) -> list[bytes]:
    """Bodies of ``/choose``, each of another visitor."""
    rng = np.random.default_rng(11)
    contextual = experiment == "contextual"
    return [
        json.dumps(
            {
                "experiment": experiment,
                "unit": f"visitor-{i}",
                "context": {f"x{j}": round(float(x), 3) for j, x in enumerate(rng.normal(size=COLUMNS))}
                if contextual
                else {"device": "mobile", "hour": i % 24, "returning": i % 2 == 0, "country": "FR", "tags": ["sale"]},
            }
        ).encode()
        for i in range(count)
    ]


def rewards(worker: Poster) -> list[bytes]:
    """Bodies of ``/reward`` for decisions that ``worker`` made just now."""
    tokens = [worker.post("/choose", body)["decision"] for body in bodies("plain", count=64)]
    return [json.dumps({"decision": token, "metric": "purchase"}).encode() for token in tokens]
