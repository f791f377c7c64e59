from __future__ import annotations

import logging
import math
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from bandit import policies, registry
from experiments.definition import parse
from experiments.errors import Conflict, StoreError
from experiments.keeper import keeper as keeping
from experiments.keeper import learner
from experiments.keeper.keeper import Keeper
from experiments.keeper.leader import Leader
from experiments.keeper.publisher import Publisher
from experiments.keeper.relearn import checksum, relearn
from experiments.model import Experiment, State
from experiments.published import load
from experiments.records import DecisionRecord, RewardRecord
from experiments.service.identity import DecisionIds
from experiments.standards import ENOUGH
from experiments.store import PolicyVersion, Step, Store

WINDOW = 10
BODY: dict[str, Any] = {
    "key": "k",
    "unit": "decision",
    "variants": [{"key": "a"}, {"key": "b"}, {"key": "c"}],
    "context": [
        {"name": "device", "type": "category", "values": ["mobile", "desktop"]},
        {"name": "x", "type": "number"},
    ],
    "metrics": [{"key": "m", "window_seconds": WINDOW}],
}


@pytest.fixture
def store(sqlite_url: str, clock) -> Iterator[Store]:
    """An empty SQLite store."""
    opened = Store.open(sqlite_url, clock=clock)
    yield opened
    opened.close()


class World:
    """Visitors who come, are logged and convert, without a server."""

    def __init__(self, store: Store, clock) -> None:
        self.store, self.clock = store, clock
        self.rng = np.random.default_rng(7)
        self.ids, self.offset = DecisionIds(), 0

    def begin(self, **changes: Any) -> Experiment:
        """Create and start an experiment."""
        self.store.create_experiment(parse(BODY | changes), by="t")
        return self.store.set_state("k", State.RUNNING, by="t")

    def change(self, **changes: Any) -> Experiment:
        """Save a change of its definition."""
        now = self.store.experiment("k")
        body = msgspec.to_builtins(now.definition) | changes
        return self.store.save_experiment(parse(body), based_on=now.version, by="t")

    def visit(self, count: int) -> None:
        """Log decisions with their rewards, and let their windows close."""
        experiment = self.store.experiment("k")
        records: list[Any] = []
        for _ in range(count):
            decision = self._decision(experiment)
            records.append(decision)
            if self.rng.random() < {"a": 0.2, "b": 0.4, "c": 0.6, "d": 0.8}[decision.variant]:
                records.append(
                    RewardRecord(
                        experiment=experiment.id, decision=decision.id, metric="m", value=1.0, time=decision.time
                    )
                )
        self.store.ship("world", start=self.offset, end=self.offset + 1, records=records)
        self.offset += 1
        self.clock.sleep(WINDOW + 1)

    def _decision(self, experiment: Experiment) -> DecisionRecord:
        keys = experiment.variant_keys
        p = self.rng.dirichlet(np.ones(len(keys)) * 3)
        chosen = int(self.rng.choice(len(keys), p=p))
        self.clock.sleep(0.001)
        return DecisionRecord(
            id=self.ids.next(self.clock()),
            experiment=experiment.id,
            version=experiment.version,
            phase=experiment.phase,
            time=self.clock(),
            variant=keys[chosen],
            probability=float(p[chosen]),
            distribution=msgspec.Raw(msgspec.json.encode(p.tolist())),
            policy=experiment.definition.policy.name,
            policy_version=1,
            reason="policy",
            context={"device": str(self.rng.choice(["mobile", "desktop"])), "x": float(self.rng.normal())},
        )


@pytest.fixture
def world(store: Store, clock) -> World:
    """The visitors."""
    return World(store, clock)


def leader_of(store: Store, clock) -> Leader:
    """A leader that holds the lease."""
    epoch = store.lease("test", seconds=3600)
    assert epoch is not None
    return Leader(store, epoch=epoch, clock=clock)


def newest(store: Store, experiment: Experiment) -> PolicyVersion:
    """The newest stored policy version."""
    found = store.latest_policy(experiment.id)
    assert found is not None
    return found


@pytest.mark.parametrize("name", registry.names())
def test_relearning_gives_the_same_bytes(world: World, store: Store, clock, name: str) -> None:
    """Every policy is rebuilt bit for bit, over phases, a change of leader and a new, a paused and a gone variant."""
    experiment = world.begin(policy={"name": name})
    leader = leader_of(store, clock)
    leader.work(clock())
    for count in (1, 40):
        world.visit(count)
        leader.work(clock())
    world.change(variants=[{"key": "d"}, {"key": "c", "enabled": False}, {"key": "a"}], exploration=0.3)
    world.visit(30)
    leader.work(clock())
    leader = leader_of(store, clock)
    world.visit(20)
    leader.work(clock())
    version = newest(store, experiment)
    assert (version.phase, version.rows) == (2, 91)
    assert relearn(store, "k").matches


def test_another_policy_learns_everything_again(world: World, store: Store, clock) -> None:
    """A change of policy relearns from the first row, and relearning follows it through the change."""
    experiment = world.begin(policy={"name": "thompson"})
    leader = leader_of(store, clock)
    leader.work(clock())
    world.visit(50)
    leader.work(clock())
    world.change(policy={"name": "linear_thompson"})
    leader.work(clock())
    changed = newest(store, experiment)
    assert (changed.name, changed.rows) == ("linear_thompson", 50)
    cold = checksum(learner.cold(store.experiment("k")))
    assert changed.checksum != cold
    world.visit(50)
    leader.work(clock())
    assert relearn(store, "k").matches


def test_numbers_are_standardized_once(world: World, store: Store, clock) -> None:
    """After enough rows the center and scale are a version of their own; all is learned with them, and again so."""
    number = {"name": "x", "type": "number", "standardize": True, "scale": 4}
    experiment = world.begin(policy={"name": "linear_thompson"}, context=[BODY["context"][0], number])
    leader = leader_of(store, clock)
    for count in (ENOUGH - 1, 0, 1):
        assert store.experiment("k").standards == {}
        world.visit(count)
        leader.work(clock())
    learned = store.experiment("k")
    seen = np.array([row.context["x"] for row in store.analysis_rows(experiment.id)])
    assert learned.standards["x"] == pytest.approx((seen.mean(), seen.std()), rel=1e-9)
    assert [(v.version, v.phase, v.by) for v in store.versions("k")][2:] == [(3, 2, "learning")]
    policy = policies.from_bytes(newest(store, experiment).blob or b"")
    assert policy.schema == learned.schema
    assert policy.schema.encode_one({"x": seen.mean()})[4] == pytest.approx(0.0, abs=1e-9)
    world.visit(3 * ENOUGH)
    leader.work(clock())
    leader = leader_of(store, clock)
    leader.work(clock())
    assert store.experiment("k").standards == learned.standards, "what was learned stays"
    assert newest(store, experiment).rows == 4 * ENOUGH
    assert relearn(store, "k").matches
    assert world.change(context=[BODY["context"][0], number | {"scale": 5}]).standards == {}
    leader.work(clock())
    assert store.experiment("k").phase == 4, "declared otherwise, it is learned once more"
    assert relearn(store, "k").matches


def test_the_first_version_is_cold(world: World, store: Store, clock) -> None:
    """A started experiment has policy version 1 at once, before any row."""
    experiment = world.begin()
    leader_of(store, clock).work(clock())
    first = newest(store, experiment)
    assert (first.version, first.rows, first.blob) == (1, 0, learner.cold(experiment))


def test_versions_are_a_second_apart(world: World, store: Store, clock) -> None:
    """Rows that mature within the second are learned at once and stored with the next version, by any leader."""
    experiment = world.begin()
    leader = leader_of(store, clock)
    leader.work(clock())
    world.visit(10)
    leader.work(clock())
    version = newest(store, experiment)
    world.visit(10)
    clock.now = version.time + 500_000
    leader.work(clock() + WINDOW * 2_000_000)
    assert newest(store, experiment).version == version.version
    assert len(store.analysis_rows(experiment.id)) == 20
    successor = leader_of(store, clock)
    clock.now = version.time + 1_000_000
    successor.work(clock())
    assert newest(store, experiment).rows == 20
    assert relearn(store, "k").matches


def test_relearning_notices_a_difference(world: World, store: Store, clock) -> None:
    """A stored state that the rows do not give is not said to match."""
    experiment = world.begin()
    leader = leader_of(store, clock)
    leader.work(clock())
    blob = policies.create("thompson", schema=experiment.schema, arms=experiment.arms, exploration=0.9).to_bytes()
    forged = replace(newest(store, experiment), version=2, blob=blob, checksum=checksum(blob))
    store.commit_step(Step(experiment.id, [], forged), epoch=leader.epoch)
    assert not relearn(store, "k").matches


def test_nothing_to_relearn(store: Store) -> None:
    """An experiment that was never started is refused with what to do."""
    store.create_experiment(parse(BODY), by="t")
    with pytest.raises(Conflict, match="start"):
        relearn(store, "k")


def test_a_damaged_version_is_relearned_and_not_published(
    world: World, store: Store, clock, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Bytes that do not fit their checksum reach no worker: the version before stays, and the next one is whole."""
    experiment = world.begin()
    leader = leader_of(store, clock)
    leader.work(clock())
    publisher = Publisher(store, tmp_path)
    publisher.publish()
    good = newest(store, experiment)
    damaged = replace(good, version=2, blob=b"LANDITP1 nonsense")
    store.commit_step(Step(experiment.id, [], damaged), epoch=leader.epoch)
    for fresh in (publisher, Publisher(store, tmp_path)):
        fresh.publish()
        catalog = load(tmp_path)
        assert catalog is not None
        assert catalog.experiments[0].policy == good.blob
    damaged = replace(damaged, version=3, checksum=checksum(damaged.blob or b""))
    store.commit_step(Step(experiment.id, [], damaged), epoch=leader.epoch)
    publisher.publish()
    assert "version 3 is not published" in caplog.text


def test_the_schedule_starts_and_stops(world: World, store: Store, clock) -> None:
    """A draft starts when its time has come and stops when it is over."""
    store.create_experiment(
        parse(BODY | {"starts_at": "2027-01-15T07:59:00Z", "ends_at": "2027-01-15T09:00:00Z"}), by="t"
    )
    leader = leader_of(store, clock)
    leader.work(clock())
    assert store.experiment("k").state is State.RUNNING
    clock.sleep(2 * 3600)
    leader.work(clock())
    assert store.experiment("k").state is State.STOPPED
    assert store.versions("k")[-1].by == "schedule"


def test_a_deposed_leader_commits_nothing(world: World, store: Store, clock) -> None:
    """A leader whose lease another took leaves no row behind, and the other goes on."""
    experiment = world.begin()
    old = leader_of(store, clock)
    old.work(clock())
    world.visit(5)
    store.release("test")
    epoch = store.lease("other", seconds=3600)
    assert epoch is not None
    old.work(clock())
    assert not store.analysis_rows(experiment.id)
    Leader(store, epoch=epoch, clock=clock).work(clock())
    assert len(store.analysis_rows(experiment.id)) == 5


def test_a_mistake_in_one_experiment_stops_no_other(
    world: World, store: Store, clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What no check foresaw is logged; the experiments around it learn, and its rows wait."""
    wrong = world.begin()
    store.create_experiment(parse(BODY | {"key": "other"}), by="t")
    right = store.set_state("other", State.RUNNING, by="t")
    leader = leader_of(store, clock)
    leader.work(clock())
    world.visit(3)
    monkeypatch.setattr(learner, "step", lambda *_: math.fsum([1e308, 1e308]))
    store.create_experiment(parse(BODY | {"key": "newest"}), by="t")
    newest = store.set_state("newest", State.RUNNING, by="t")
    leader.work(clock())
    assert store.latest_policy(newest.id) is not None
    assert store.latest_policy(right.id) is not None
    assert not store.analysis_rows(wrong.id)
    monkeypatch.undo()
    leader.work(clock())
    assert len(store.analysis_rows(wrong.id)) == 3


def test_a_step_that_would_break_the_policy_is_not_taken(world: World, store: Store, clock) -> None:
    """A row that the policy refuses is left out, and the rows around it are learned."""
    experiment = world.begin()
    leader = leader_of(store, clock)
    leader.work(clock())
    world.visit(3)
    rows = store.next_rows(experiment, watermark=clock(), limit=10)
    blob = learner.cold(experiment)
    poisoned = [rows[0], replace(rows[1], outcomes={"m": 7.0}), rows[2]]
    assert learner.step(blob, experiment, poisoned) == learner.step(
        learner.step(blob, experiment, [rows[0]]), experiment, [rows[2]]
    )


def test_a_tick_does_it_all(world: World, store: Store, sqlite_url: str, clock, tmp_path: Path) -> None:
    """One tick ships, leads, learns and publishes; the next has nothing to do."""
    (tmp_path / "journal").mkdir()
    experiment = world.begin()
    keeper = Keeper(sqlite_url, tmp_path, clock=clock)
    assert keeper.tick() is False
    catalog = load(tmp_path / "published")
    assert catalog is not None
    assert catalog.experiments[0].experiment == store.experiment("k")
    assert catalog.experiments[0].policy == newest(store, experiment).blob
    keeper.close()


def test_a_keeper_waits_for_its_store(
    tmp_path: Path, sqlite_url: str, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While the database is away there is one line in the log; when it comes, work goes on."""
    monkeypatch.setattr(keeping, "RETRY_SECONDS", (0.01,))
    caplog.set_level(logging.INFO)
    attempts, stop = [], threading.Event()
    open_store = Store.open

    def away_at_first(url: str, **kwargs: Any) -> Store:
        attempts.append(url)
        if len(attempts) < 4:
            raise StoreError("the database is down")
        stop.set()
        return open_store(url, **kwargs)

    monkeypatch.setattr(Store, "open", away_at_first)
    keeper = Keeper(sqlite_url, tmp_path)
    keeper.run(stop)
    keeper.close()
    messages = [record.getMessage() for record in caplog.records if record.name == "experiments.keeper.keeper"]
    assert (
        [message.split(",")[0] for message in messages]
        == [
            record.getMessage().split(",")[0] for record in caplog.records if record.name == "experiments.keeper.keeper"
        ]
        == [
            "the keeper waits for the store",
            "the keeper works again",
        ]
    )


def test_another_secrets_store_is_refused(tmp_path: Path, sqlite_url: str, store: Store) -> None:
    """A keeper never ships into a store that belongs to another secret."""
    store.claim_secret("ours")
    with pytest.raises(StoreError):
        Keeper(sqlite_url, tmp_path, fingerprint="theirs").tick()
