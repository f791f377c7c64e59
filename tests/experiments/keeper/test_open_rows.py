"""Open rows: what the leading keeper serves beside what it learned, and that nothing else moves."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from bandit import policies
from bandit.delays import ENOUGH
from bandit.policy import SumPolicy
from experiments.definition import parse
from experiments.keeper import opened as opening
from experiments.keeper.leader import Leader
from experiments.keeper.opened import Opened
from experiments.keeper.publisher import Publisher
from experiments.keeper.relearn import relearn
from experiments.model import Experiment, State
from experiments.published import load
from experiments.records import DecisionRecord, RewardRecord
from experiments.service.identity import DecisionIds
from experiments.store import OpenRow, PolicyVersion, Store

SECOND = 1_000_000
WINDOW = 3600
BODY: dict[str, Any] = {
    "key": "k",
    "unit": "decision",
    "variants": [{"key": "a"}, {"key": "b"}],
    "context": [{"name": "x", "type": "number"}],
    "metrics": [{"key": "m", "window_seconds": WINDOW}],
}

TICKS = 4
AGAIN = opening.STRETCHES // opening.READS + 3
"""Ticks after which every stretch that is old was read again."""


class World:
    """Visitors of whom every second one converts, each ``delay`` seconds after the visit."""

    def __init__(self, store: Store, clock) -> None:
        self.store, self.clock = store, clock
        self.ids, self.offset, self.visits = DecisionIds(), 0, 0

    def begin(self, **changes: Any) -> Experiment:
        """Create and start an experiment."""
        self.store.create_experiment(parse(BODY | changes), by="t")
        return self.store.set_state("k", State.RUNNING, by="t")

    def change(self, **changes: Any) -> Experiment:
        """Save a change of its definition."""
        now = self.store.experiment("k")
        body = msgspec.to_builtins(now.definition) | changes
        return self.store.save_experiment(parse(body), based_on=now.version, by="t")

    def visit(self, count: int, *, seconds: float, delay: float) -> None:
        """Log decisions over so many seconds, with those rewards that have come by their end."""
        experiment = self.store.experiment("k")
        keys = experiment.variant_keys
        begin, end = self.clock(), self.clock() + int(seconds * SECOND)
        records: list[Any] = []
        for time in np.linspace(begin, end, count, endpoint=False).astype(int).tolist():
            self.visits += 1
            variant = keys[self.visits % len(keys)]
            decision = DecisionRecord(
                id=self.ids.next(time),
                experiment=experiment.id,
                version=experiment.version,
                phase=experiment.phase,
                time=time,
                variant=variant,
                probability=1 / len(keys),
                distribution=msgspec.Raw(msgspec.json.encode([1 / len(keys)] * len(keys))),
                policy="thompson",
                policy_version=1,
                reason="policy",
                context={"x": self.visits % 7 / 7},
            )
            records.append(decision)
            paid = time + int(delay * SECOND)
            if self.visits % 4 < 2 and paid <= end:
                records.append(
                    RewardRecord(experiment=experiment.id, decision=decision.id, metric="m", value=1.0, time=paid)
                )
        self.store.ship("world", start=self.offset, end=self.offset + 1, records=records)
        self.offset += 1
        self.clock.now = end


@pytest.fixture
def store(sqlite_url: str, clock) -> Iterator[Store]:
    """An empty SQLite store; what is asked of it is promised by its contract for each kind."""
    opened = Store.open(sqlite_url, clock=clock)
    yield opened
    opened.close()


@pytest.fixture
def world(store: Store, clock) -> World:
    """The visitors."""
    return World(store, clock)


@pytest.fixture
def leader(store: Store, clock) -> Leader:
    """A leader that holds the lease."""
    return leader_of(store, clock)


def leader_of(store: Store, clock) -> Leader:
    """A leader that holds the lease."""
    epoch = store.lease("test", seconds=1e6)
    assert epoch is not None
    return Leader(store, epoch=epoch, clock=clock)


def work(leader: Leader, clock, ticks: int = TICKS) -> None:
    """Tick until every stretch is read and a period has passed."""
    for _ in range(ticks):
        clock.sleep(10)
        leader.work(clock())


def newest(store: Store) -> PolicyVersion:
    """The newest stored policy version."""
    found = store.latest_policy(store.experiment("k").id)
    assert found is not None
    return found


def open_rows(store: Store, now: int) -> list[OpenRow]:
    """All open rows."""
    return store.open_rows(store.experiment("k"), after=0, before=now, watermark=now, limit=10_000)


def test_nothing_is_said_before_delays_are_known(world: World, store: Store, leader: Leader, clock) -> None:
    """Until enough rewarded rows have closed, what is served is what was learned of matured rows."""
    world.begin()
    world.visit(2 * ENOUGH - 4, seconds=60, delay=1)
    world.visit(40, seconds=60, delay=100)
    clock.now += (WINDOW - 130) * SECOND
    for _ in range(3):
        work(leader, clock)
        assert newest(store).served is None
    assert len(open_rows(store, clock())) < 40
    assert newest(store).rows > 0


def test_the_first_window_teaches(world: World, store: Store, leader: Leader, clock) -> None:
    """Once enough rewards came, open rows are served before any row has matured, by the delays that they show."""
    world.begin()
    world.visit(400, seconds=WINDOW / 2, delay=300)
    work(leader, clock)
    version = newest(store)
    served = policies.from_bytes(version.served or b"").state
    assert version.rows == 0
    assert served["total"].sum() == sum(each.row.outcomes["m"] for each in open_rows(store, clock()))
    # Rewards come after five minutes of thirty: the rows that are older count whole, the others hardly.
    assert 320 < served["n"].sum() < 370
    assert relearn(store, "k").matches


def test_a_slower_metric_keeps_nothing_waiting(world: World, store: Store, leader: Leader, clock) -> None:
    """Rows whose objective is known count whole before they mature, which waits for the longest window."""
    slow = {"key": "kept", "role": "guardrail", "window_seconds": 10 * WINDOW}
    world.begin(metrics=[{"key": "m", "window_seconds": 60}, slow])
    world.visit(400, seconds=WINDOW, delay=30)
    clock.now += 60 * SECOND
    work(leader, clock, AGAIN)
    version = newest(store)
    served = policies.from_bytes(version.served or b"").state
    assert version.rows == 0
    assert (served["total"].sum(), served["n"].sum()) == (199, 400)  # of the last visit, nothing came yet
    clock.now += 10 * WINDOW * SECOND
    work(leader, clock)
    learned = policies.from_bytes(newest(store).blob or b"").state
    assert (newest(store).rows, learned["total"].sum(), learned["n"].sum()) == (400, 199, 400)
    assert relearn(store, "k").matches


@pytest.mark.parametrize("name", ["thompson", "linear_thompson"])
def test_open_rows_are_served_and_not_learned(world: World, store: Store, leader: Leader, clock, name: str) -> None:
    """A version holds the learned state, which relearning gives, and beside it the one that knows the open rows."""
    experiment = world.begin(policy={"name": name})
    world.visit(400, seconds=WINDOW, delay=600)
    clock.now += WINDOW * SECOND
    world.visit(100, seconds=WINDOW / 2, delay=600)
    work(leader, clock)
    version = newest(store)
    learned = policies.from_bytes(version.blob or b"")
    served = policies.from_bytes(version.served or b"")
    assert isinstance(learned, SumPolicy)
    assert version.rows == 400
    assert len(open_rows(store, clock())) == 100
    field, matured = ("n", 400.0) if name == "thompson" else ("outer", 400.0)
    counts = [float(policy.state[field].reshape(2, -1)[:, 0].sum()) for policy in (learned, served)]
    assert counts[0] == matured
    # All rewards come after ten minutes: two thirds of the half hour's visits are old enough to have shown theirs.
    assert 66 < counts[1] - matured < 78
    rewards = [
        float(p.state["total" if name == "thompson" else "cross"].reshape(2, -1)[:, 0].sum()) for p in (learned, served)
    ]
    assert rewards[1] - rewards[0] == sum(each.row.outcomes["m"] for each in open_rows(store, clock()))
    assert relearn(store, "k").matches
    before = learned.with_provisional(*_by_hand(store, experiment, clock))
    contexts = experiment.schema.encode([{"x": 0.5}])
    np.testing.assert_allclose(before.distribution(contexts), served.distribution(contexts), atol=0.02)


def _by_hand(store: Store, experiment: Experiment, clock) -> tuple[Any, Any]:
    """The open rows and their fractions, without stretches."""
    found = open_rows(store, clock())
    ages = np.array([each.age for each in found], dtype=np.int64)
    batch = opening.learner.batch_of([each.row for each in found], experiment)
    return batch, store.delays(experiment).seen(ages)


def test_the_served_state_is_published(world: World, store: Store, leader: Leader, clock, tmp_path: Path) -> None:
    """Workers get the state that knows open rows, under the number of the version that holds it; damage stays out."""
    world.begin()
    publisher = Publisher(store, tmp_path)
    world.visit(400, seconds=WINDOW, delay=600)
    clock.now += WINDOW * SECOND
    world.visit(100, seconds=WINDOW / 2, delay=600)
    work(leader, clock)
    publisher.publish()
    catalog, version = load(tmp_path), newest(store)
    assert catalog is not None
    assert catalog.experiments[0].policy == version.served != version.blob
    assert catalog.experiments[0].policy_version == version.version


def test_versions_follow_the_ages(world: World, store: Store, leader: Leader, clock) -> None:
    """Without a new row there is a new version once a period while rows are open, and none once all have matured."""
    world.begin()
    world.visit(400, seconds=WINDOW, delay=600)
    clock.now += WINDOW * SECOND
    world.visit(100, seconds=WINDOW / 2, delay=600)
    work(leader, clock)
    first = newest(store)
    leader.work(clock())
    assert newest(store) == first
    work(leader, clock, AGAIN)
    second = newest(store)
    assert second.version > first.version
    assert (second.blob, second.rows) == (first.blob, first.rows)
    assert second.served != first.served
    clock.now += 2 * WINDOW * SECOND
    work(leader, clock, AGAIN)
    last = newest(store)
    assert (last.rows, last.served, last.in_force) == (500, None, (last.blob, last.checksum))
    work(leader, clock)
    assert newest(store) == last
    assert relearn(store, "k").matches


def test_another_leader_serves_the_same(
    world: World, store: Store, leader: Leader, clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was read is rebuilt by whoever leads next; until it is, the version before stays in force."""
    world.begin()
    world.visit(400, seconds=WINDOW, delay=600)
    clock.now += WINDOW * SECOND
    world.visit(100, seconds=WINDOW / 2, delay=600)
    work(leader, clock)
    before = newest(store)
    monkeypatch.setattr(opening, "BUDGET", 900)
    successor = leader_of(store, clock)
    clock.sleep(20)
    for _ in range(2):
        successor.work(clock())
        assert newest(store) == before
    successor.work(clock())
    after = newest(store)
    assert after.version == before.version + 1
    assert after.blob == before.blob
    found = [policies.from_bytes(version.served or b"").state["n"] for version in (before, after)]
    np.testing.assert_allclose(found[0], found[1], rtol=0.02)


def test_a_new_variant_is_served_with_the_open_rows_of_the_others(
    world: World, store: Store, leader: Leader, clock
) -> None:
    """After a change the open rows are read anew, as rows of the variants that there are now."""
    world.begin()
    world.visit(400, seconds=WINDOW, delay=600)
    clock.now += WINDOW * SECOND
    world.visit(100, seconds=WINDOW / 2, delay=600)
    work(leader, clock)
    world.change(variants=[{"key": "c"}, {"key": "b"}])
    leader.work(clock())
    assert newest(store).phase == 2
    work(leader, clock)
    served = policies.from_bytes(newest(store).served or b"")
    learned = policies.from_bytes(newest(store).blob or b"")
    assert served.arms.keys == ("c", "b")
    gained = served.state["n"] - learned.state["n"]
    assert gained[0] == 0
    assert 35 < gained[1] < 50
    assert relearn(store, "k").matches


@pytest.mark.parametrize(
    "changes",
    [
        {"policy": {"name": "vw_epsilon"}},
        {"policy": {"name": "fixed"}},
        {"metrics": [{"key": "m", "window_seconds": 500}]},
    ],
    ids=["no sums", "nothing learned", "short"],
)
def test_others_serve_what_they_learned(
    world: World, store: Store, leader: Leader, clock, changes: dict[str, Any]
) -> None:
    """A policy whose state is no sum, one that learns nothing, and a short window are served as ever."""
    world.begin(**changes)
    world.visit(300, seconds=WINDOW, delay=1)
    clock.now += WINDOW * SECOND
    world.visit(30, seconds=60, delay=1)
    work(leader, clock)
    assert newest(store).rows == 300
    assert newest(store).served is None


def test_reading_is_bounded(world: World, store: Store, clock, monkeypatch: pytest.MonkeyPatch) -> None:
    """So many rows a stretch and so many stretches a tick, whatever the traffic; rereading begins with the oldest."""
    experiment = world.begin()
    world.visit(400, seconds=WINDOW, delay=600)
    monkeypatch.setattr(opening, "ROWS", 3)
    asked: list[tuple[int, int]] = []

    class Counting:
        """A store that tells what was read of it."""

        delays = store.delays

        def open_rows(self, experiment: Experiment, **asking: Any) -> list[OpenRow]:
            found = store.open_rows(experiment, **asking)
            asked.append((asking["after"], len(found)))
            return found

    rows = Opened(Counting(), experiment)
    reads = 1
    while rows.read(clock(), budget=60) <= 0:
        assert not rows.complete
        reads += 1
    assert rows.complete
    assert len(asked) == opening.STRETCHES + 1
    assert reads == -(-len(asked) // 3)
    assert {count for _, count in asked} == {0, 3}
    for seconds, expected in ((0, 0), (rows.period / SECOND, 4), (WINDOW / 2, opening.READS + 48)):
        clock.sleep(seconds)
        before = len(asked)
        rows.read(clock())
        assert len(asked) - before <= expected
        assert (len(asked) > before) == (expected > 0)


def test_a_reward_that_the_policy_refuses_is_served_around(
    world: World, store: Store, leader: Leader, clock, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the open rows cannot be learned, what was learned is served, and the log says why."""
    world.begin()
    world.visit(400, seconds=WINDOW, delay=600)
    clock.now += WINDOW * SECOND
    world.visit(100, seconds=WINDOW / 2, delay=600)
    batch_of = opening.learner.batch_of

    def spoiled(rows: Any, experiment: Experiment) -> Any:
        batch = batch_of(rows, experiment)
        if rows and rows[0].seq == 0:
            batch.rewards[:] = 7.0
        return batch

    monkeypatch.setattr(opening.learner, "batch_of", spoiled)
    work(leader, clock)
    assert newest(store).rows == 400
    assert newest(store).served is None
    assert "served without its open rows: rewards of thompson" in caplog.text
