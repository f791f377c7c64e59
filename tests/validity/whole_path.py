"""Experiments that live through the whole path: service, journal, shipper, store, leader, published folder and report.

Visitors of a known world are served by :class:`Service` from what the keeper published, and convert; the keeper ships,
matures, learns and publishes between batches, on a clock that stands still in between. In the end the report that a
page shows is held against the sums of the same rows, computed side by side as the simulations do.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from bandit.types import Floats, Ints
from experiments.access import Scope
from experiments.definition import parse
from experiments.journal import Journal
from experiments.keeper.keeper import Keeper
from experiments.model import State
from experiments.published import Watcher
from experiments.report import ExperimentReport, build_report
from experiments.secret import Secret
from experiments.service.requests import ChooseRequest, RewardRequest
from experiments.service.service import Service
from experiments.store import Store, migrate
from tests.validity.worlds import World

KEY = "validity"
SECRET = Secret(b"a secret of more than thirty-two characters")
WINDOW = 10


class Clock:
    """Microseconds since 1970 UTC, moved by hand."""

    def __init__(self) -> None:
        self.now = 1_800_000_000_000_000

    def __call__(self) -> int:
        """Read the time."""
        return self.now

    def sleep(self, seconds: float) -> None:
        """Let time pass."""
        self.now += int(seconds * 1_000_000)


@dataclass(frozen=True, slots=True, eq=False)
class Lived:
    """What an experiment came to: its report, and its rows: (n,) chosen places, (n,) outcomes, (n, K) probabilities."""

    report: ExperimentReport
    chosen: Ints
    outcomes: Floats
    p: Floats


def live(folder: Path, world: World, *, exploration: float, batches: int, batch: int, seed: int) -> Lived:
    """Serve ``batches`` of visitors of a world under Thompson sampling."""
    url, clock = f"sqlite:///{folder}/landit.db", Clock()
    migrate(url)
    store = Store.open(url, clock=clock)
    store.create_experiment(_definition(world.arms, exploration), by="test")
    store.set_state(KEY, State.RUNNING, by="test")
    keeper = Keeper(url, folder, clock=clock)
    journal = Journal(folder / "journal", clock, timer=False)
    service = Service(SECRET, journal, clock=clock)
    watcher = Watcher(folder / "published", service.swap)
    rng = np.random.default_rng(seed)
    for start in range(0, batches * batch, batch):
        _turn(keeper, watcher)
        for place in range(start, start + batch):
            _visit(service, world, rng, place, batches * batch)
            clock.sleep(0.01)
        clock.sleep(WINDOW + 1)
        journal.tick()
    _turn(keeper, watcher)
    clock.sleep(WINDOW + 1)
    journal.tick()
    _turn(keeper, watcher)
    experiment = store.experiment(KEY)
    rows = store.analysis_rows(experiment.id, limit=batches * batch)
    lived = Lived(
        build_report(store, experiment, now=clock()),
        np.array([row.variants.index(row.variant) for row in rows]),
        np.array([row.outcomes["sale"] for row in rows]),
        np.array([row.distribution for row in rows]),
    )
    journal.close()
    keeper.close()
    store.close()
    return lived


def _definition(arms: int, exploration: float) -> Any:
    return parse(
        {
            "key": KEY,
            "variants": [{"key": f"v{k}", "control": k == 0} for k in range(arms)],
            "metrics": [{"key": "sale", "window_seconds": WINDOW}],
            "policy": {"name": "thompson"},
            "exploration": exploration,
        }
    )


def _turn(keeper: Keeper, watcher: Watcher) -> None:
    """Let the keeper do all that is due, and the worker notice."""
    while keeper.tick():
        pass
    watcher.check()


def _visit(service: Service, world: World, rng: np.random.Generator, place: int, rows: int) -> None:
    answer = service.choose(ChooseRequest(experiment=KEY, unit=f"unit-{place}"), scope=Scope.SITE)
    told = msgspec.json.decode(answer)
    rates = world.rates(np.array([(place + 1) / rows]), np.array([0]))[0]
    if rng.random() < rates[int(told["variant"][1:])]:
        service.reward(RewardRequest(decision=told["decision"], metric="sale"), scope=Scope.SITE)
