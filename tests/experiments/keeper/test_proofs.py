"""A proof takes a variant out: recorded as a version, served exactly, and relearned to the same bytes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec
import numpy as np
import pytest

from bandit import policies
from experiments.analysis import proofs as proving
from experiments.analysis.analysis import Analysis
from experiments.contenders import may_drop
from experiments.definition import parse
from experiments.keeper.recount import recount
from experiments.keeper.relearn import relearn
from experiments.model import Experiment, ProofKind, State
from experiments.published import PublishedExperiment
from experiments.records import DecisionRecord, RewardRecord
from experiments.store import PolicyVersion, Store
from tests.experiments.keeper.led import Led

WINDOW = 10
RATES = {"a": 0.8, "b": 0.2, "c": 0.4, "d": 0.3}
BODY: dict[str, Any] = {
    "key": "k",
    "unit": "decision",
    "goal": "prove",
    "variants": [{"key": key} for key in RATES],
    "metrics": [{"key": "m", "window_seconds": WINDOW}],
}
SCRIPT = {100: {"b"}, 150: {"b", "d"}, 200: {"b", "c", "d"}}
"""Who is proved beaten from which row on."""


def scripted(analysis: Analysis, experiment: Experiment) -> frozenset[str]:
    """A source of proofs that knows the world."""
    assert may_drop(experiment.definition)
    return frozenset().union(*(keys for row, keys in SCRIPT.items() if row <= analysis.seq))


class World(Led):
    """Visitors who get what the stored policy draws."""

    def begin(self, **changes: Any) -> None:
        """Create and start the experiment."""
        self.store.create_experiment(parse(BODY | changes), by="ann")
        self.store.set_state("k", State.RUNNING, by="ann")
        self.leader.work(self.clock())

    @property
    def experiment(self) -> Experiment:
        """As it is in force."""
        return self.store.experiment("k")

    @property
    def newest(self) -> PolicyVersion:
        """The newest policy version."""
        version = self.store.latest_policy(self.experiment.id)
        assert version is not None
        return version

    @property
    def served(self) -> np.ndarray:
        """The vector that is drawn from now."""
        assert self.newest.blob is not None
        return policies.from_bytes(self.newest.blob).distribution()[0]

    def visit(self, count: int) -> None:
        """Let visitors come, their windows close, and the leader work."""
        experiment, p, version = self.experiment, self.served, self.newest.version
        records: list[Any] = []
        for _ in range(count):
            chosen = int(self.rng.choice(len(p), p=p))
            key = experiment.variant_keys[chosen]
            self.clock.sleep(0.001)
            decision = DecisionRecord(
                id=self.ids.next(self.clock()),
                experiment=experiment.id,
                version=experiment.version,
                phase=experiment.phase,
                time=self.clock(),
                variant=key,
                probability=float(p[chosen]),
                distribution=msgspec.Raw(msgspec.json.encode(p.tolist())),
                policy="thompson",
                policy_version=version,
                reason="policy",
            )
            records.append(decision)
            if self.rng.random() < RATES[key]:
                records.append(
                    RewardRecord(
                        experiment=experiment.id, decision=decision.id, metric="m", value=1.0, time=self.clock()
                    )
                )
        self.store.ship("world", start=self.offset, end=self.offset + 1, records=records)
        self.offset += 1
        self.clock.sleep(WINDOW + 1)
        self.leader.work(self.clock())


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever asks is told what the script says."""
    monkeypatch.setattr(proving, "beaten", scripted)


@pytest.fixture
def world(sqlite_url: str, clock) -> Iterator[World]:
    """The visitors, over an empty store."""
    store = Store.open(sqlite_url, clock=clock)
    yield World(store, clock)
    store.close()


@pytest.mark.usefixtures("script")
def test_the_beaten_lose_their_share_one_after_another(world: World) -> None:
    """Each drop is a version and a phase with its time; what is served has exactly nothing for the beaten."""
    world.begin()
    np.testing.assert_allclose(world.served, 0.25)
    for beaten, share in (((), 0.4), (("b",), 0.4), (("b", "d"), 0.4), (("b", "c", "d"), 0.02)):
        world.visit(50)
        assert (world.experiment.beaten, world.experiment.exploration) == (beaten, share)
        assert world.newest.phase == world.experiment.phase
        gone = np.isin(world.experiment.variant_keys, beaten)
        assert (world.served[gone] == 0).all()
        assert world.served[~gone].min() >= share / (4 - len(beaten)) - 1e-12
        assert relearn(world.store, "k").matches
    np.testing.assert_array_equal(world.served, [1.0, 0.0, 0.0, 0.0])
    history = [(v.phase, v.by, v.experiment.beaten) for v in world.store.versions("k")]
    assert history[2:] == [(2, "proof", ("b",)), (3, "proof", ("b", "d")), (4, "proof", ("b", "c", "d"))]
    world.visit(30)
    assert world.newest.seq == 230
    assert relearn(world.store, "k").matches


@pytest.mark.usefixtures("script")
def test_another_leader_goes_on_alike(world: World) -> None:
    """Who leads next reads from the record who is beaten, and comes to the same bytes without asking."""
    world.begin()
    for _ in range(3):
        world.visit(50)
    assert world.experiment.beaten == ("b", "d")
    before, blob = world.experiment, world.newest.blob
    world.leader = world.new_leader()
    world.leader.work(world.clock())
    assert (world.experiment, world.newest.blob) == (before, blob)
    world.visit(10)
    assert world.served[1] == world.served[3] == 0
    assert relearn(world.store, "k").matches


@pytest.mark.usefixtures("script")
def test_things_may_change(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """The beaten keep a hundredth each, and come back when no proof speaks against them any more."""
    world.begin(may_change=True)
    for _ in range(3):
        world.visit(50)
    assert world.experiment.beaten == ("b", "d")
    np.testing.assert_array_equal(world.served[[1, 3]], 0.01)
    monkeypatch.setitem(SCRIPT, 150, {"d"})
    monkeypatch.setitem(SCRIPT, 100, set())
    world.visit(10)
    assert world.experiment.beaten == ("d",)
    assert world.served[1] >= 0.4 / 3 * 0.99
    assert relearn(world.store, "k").matches


@pytest.mark.usefixtures("script")
def test_what_a_person_saves_counts(world: World) -> None:
    """A new name leaves the beaten out; switching the best one off lets them all come back until proved again."""
    world.begin()
    for _ in range(3):
        world.visit(50)
    body = msgspec.to_builtins(world.experiment.definition)
    world.store.save_experiment(parse(body | {"name": "new"}), based_on=world.experiment.version, by="ann")
    world.leader.work(world.clock())
    assert (world.experiment.beaten, world.experiment.phase) == (("b", "d"), 3)
    body["variants"][0]["enabled"] = False
    world.store.save_experiment(parse(body), based_on=world.experiment.version, by="ann")
    assert (world.experiment.beaten, world.experiment.exploration) == ((), 0.4)
    world.leader.work(world.clock())
    assert world.newest.phase == 4
    assert world.served.min() > 0  # the policy knows nothing of switched-off variants: the service masks them
    assert relearn(world.store, "k").matches


@pytest.mark.usefixtures("script")
def test_nothing_is_proved_of_other_goals(world: World) -> None:
    """Who earns is not asked for proofs."""
    world.begin(goal="earn")
    for _ in range(3):
        world.visit(50)
    assert (world.experiment.beaten, world.experiment.phase, world.experiment.exploration) == ((), 1, 0.05)


@pytest.mark.usefixtures("script")
def test_a_published_experiment_says_who_is_beaten(world: World) -> None:
    """Workers read the experiment as it is in force, and the exact vector from the policy beside it."""
    world.begin()
    for _ in range(2):
        world.visit(50)
    written = msgspec.json.encode(PublishedExperiment(world.experiment).experiment)
    assert msgspec.json.decode(written, type=Experiment).beaten == ("b",)
    assert world.experiment.to_json()["beaten"] == ["b"]


def test_rows_prove_the_best(world: World) -> None:
    """The worse ones go one by one, the best stays, and what was proved is kept with its date."""
    world.begin()
    gone: list[int] = []
    while world.experiment.exploration > 0.02 and world.newest.seq < 3000:
        world.visit(100)
        gone.append(len(world.experiment.beaten))
    assert world.experiment.beaten == ("b", "c", "d")
    assert gone == sorted(gone)
    np.testing.assert_array_equal(world.served, [1.0, 0.0, 0.0, 0.0])
    assert relearn(world.store, "k").matches
    assert recount(world.store, "k", now=1).matches
    proofs = world.store.proofs(world.experiment.id)
    (best,) = [proof for proof in proofs if proof.kind is ProofKind.BEST]
    assert (best.variant, best.segment, best.since) == ("a", None, 2)
    assert best.seq <= world.newest.seq
    assert len({proof.identity for proof in proofs}) == len(proofs)
    world.visit(100)
    assert world.store.proofs(world.experiment.id)[: len(proofs)] == proofs


def test_another_content_is_another_variant(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """What visitors saw before under the same key counts no more; a variant that is switched off beats nobody."""
    found: list[frozenset[str]] = []
    beaten = proving.beaten

    def watched(analysis: Analysis, experiment: Experiment) -> frozenset[str]:
        found.append(beaten(analysis, experiment))
        return frozenset()

    monkeypatch.setattr(proving, "beaten", watched)
    world.begin()
    for _ in range(8):
        world.visit(100)
    assert found[-1] == {"b", "c", "d"}
    body = msgspec.to_builtins(world.experiment.definition)
    body["variants"][0]["enabled"] = False
    world.store.save_experiment(parse(body), based_on=world.experiment.version, by="ann")
    for _ in range(2):
        world.visit(1)
    assert "a" not in found[-1]
    assert len(found[-1]) < 3
    body["variants"][0].update({"enabled": True, "content": {"headline": "new"}})
    world.store.save_experiment(parse(body), based_on=world.experiment.version, by="ann")
    for _ in range(2):
        world.visit(1)
    assert found[-1] == frozenset()
    for _ in range(8):
        world.visit(100)
    assert found[-1] == {"b", "c", "d"}
