"""The contract of the store: every rule of SEMANTICS §2-7 that the store keeps, as named checks.

``tests/experiments/store/test_contract.py`` runs each on SQLite and on PostgreSQL; another kind of store joins by
giving the fixtures ``store``, ``clock`` and ``sites``.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from experiments.access import Scope, UserRole
from experiments.definition import parse
from experiments.errors import Conflict, Invalid, NotFound, StoreError
from experiments.model import State
from experiments.records import MarkRecord, RepeatRecord
from experiments.store import Fate, LoggedDecision, PolicyVersion, Step, Store

BODY = {
    "key": "spring",
    "variants": [{"key": "a"}, {"key": "b"}],
    "metrics": [{"key": "sale", "window_seconds": 60}],
    "context": [{"name": "device", "type": "category", "values": ["mobile"]}],
}
HOUR = 3_600_000_000


class ExperimentsContract:
    """Experiments, versions, phases and states (SEMANTICS §2)."""

    def test_create(self, store: Store) -> None:
        """A new experiment is a draft at version 1 and phase 1, its slots counted from 0."""
        made = store.create_experiment(parse(BODY), by="ann")
        assert (made.version, made.phase, made.state, made.slots) == (1, 1, State.DRAFT, (0, 1))
        assert store.experiment("spring") == store.experiment_by_id(made.id) == made == store.experiments()[0]
        with pytest.raises(Conflict, match="'spring' exists"):
            store.create_experiment(parse(BODY), by="ann")
        with pytest.raises(NotFound, match="'autumn'"):
            store.experiment("autumn")

    def test_beaten(self, store: Store) -> None:
        """Who is proved beaten is a version and a phase, stays over saves while the proof stands, and is bounded."""
        body = BODY | {"goal": "prove", "context": []}
        store.create_experiment(parse(body), by="ann")
        made = store.set_beaten("spring", ("b",), based_on=1, by="proof")
        assert (made.version, made.phase, made.beaten) == (2, 2, ("b",))
        assert store.experiment("spring") == made
        saved = store.save_experiment(parse(body | {"name": "One"}), based_on=2, by="ann")
        assert (saved.phase, saved.beaten) == (2, ("b",))
        started = store.set_state("spring", State.RUNNING, by="ann")
        assert (started.phase, started.beaten) == (2, ("b",))
        with pytest.raises(Conflict, match="version 4"):
            store.set_beaten("spring", (), based_on=3, by="proof")
        with pytest.raises(Invalid, match=r"must be variants of 'spring', found \['z'\]"):
            store.set_beaten("spring", ("z",), based_on=4, by="proof")
        with pytest.raises(Invalid, match="must leave an enabled variant"):
            store.set_beaten("spring", ("a", "b"), based_on=4, by="proof")
        back = store.save_experiment(parse(body | {"goal": "earn"}), based_on=4, by="ann")
        assert (back.phase, back.beaten) == (3, ())
        assert [version.experiment.beaten for version in store.versions("spring")] == [(), ("b",), ("b",), ("b",), ()]

    def test_standards(self, store: Store) -> None:
        """Learned centers and scales are a version and a phase, and stay while their numbers are declared alike."""
        age = {"name": "age", "type": "number", "standardize": True}
        body = BODY | {"context": [*BODY["context"], age]}
        store.create_experiment(parse(body), by="ann")
        made = store.set_standards("spring", {"age": (40.5, 0.1)}, based_on=1, by="learning")
        assert (made.version, made.phase, made.standards) == (2, 2, {"age": (40.5, 0.1)})
        assert store.experiment("spring") == made
        assert made.schema.standards == made.standards
        with pytest.raises(Conflict, match="version 2"):
            store.set_standards("spring", {}, based_on=1, by="learning")
        with pytest.raises(Invalid, match=r"standards: .*found \['device'\]"):
            store.set_standards("spring", {"device": (0.0, 1.0)}, based_on=2, by="learning")
        started = store.set_state("spring", State.RUNNING, by="ann")
        saved = store.save_experiment(parse(body | {"name": "One"}), based_on=3, by="ann")
        assert started.standards == saved.standards == made.standards
        other = body | {"context": [age | {"center": 1}, {"name": "new", "type": "boolean"}]}
        assert store.save_experiment(parse(other), based_on=4, by="ann").standards == {}

    def test_save_names_its_base(self, store: Store) -> None:
        """A save that is based on an old version is refused, and changes nothing."""
        store.create_experiment(parse(BODY), by="ann")
        saved = store.save_experiment(parse(BODY | {"name": "One"}), based_on=1, by="ben")
        assert (saved.version, saved.phase, saved.definition.name) == (2, 1, "One")
        with pytest.raises(Conflict, match="version 2"):
            store.save_experiment(parse(BODY | {"name": "Two"}), based_on=1, by="eve")
        assert store.experiment("spring") == saved

    @pytest.mark.parametrize(
        ("change", "phases"),
        [
            ({"name": "x", "hypothesis": "y", "tags": ["z"]}, 0),
            ({"variants": [{"key": "a", "name": "A", "content": {"x": 1}}, {"key": "b"}]}, 0),
            ({"variants": [{"key": "b"}, {"key": "a"}]}, 0),
            ({"variants": [{"key": "a"}, {"key": "b", "enabled": False}]}, 1),
            ({"variants": [{"key": "a"}, {"key": "b", "weight": 2}]}, 1),
            ({"variants": [{"key": "a"}, {"key": "b"}, {"key": "c"}]}, 1),
            ({"audience": {"device": "mobile"}}, 1),
            ({"traffic": 0.5}, 1),
            ({"exploration": 0.1}, 1),
            ({"policy": {"name": "fixed"}}, 1),
        ],
    )
    def test_phase(self, store: Store, change: dict[str, Any], phases: int) -> None:
        """What moves traffic begins a phase; names, contents and the order of variants do not."""
        store.create_experiment(parse(BODY), by="ann")
        saved = store.save_experiment(parse(BODY | change), based_on=1, by="ann")
        assert (saved.version, saved.phase) == (2, 1 + phases)

    @pytest.mark.parametrize(
        ("change", "field"),
        [
            ({"unit": "decision"}, "unit"),
            ({"metrics": [{"key": "sale", "window_seconds": 61}]}, "objective"),
            ({"metrics": [{"key": "other", "window_seconds": 60}]}, "objective"),
            ({"context": [{"name": "device", "type": "boolean"}]}, "context.device.type"),
        ],
    )
    def test_frozen_after_start(self, store: Store, change: dict[str, Any], field: str) -> None:
        """What rows mean cannot change after the start; a draft may change it."""
        store.create_experiment(parse(BODY), by="ann")
        store.save_experiment(parse(BODY | change), based_on=1, by="ann")
        store.save_experiment(parse(BODY), based_on=2, by="ann")
        store.set_state("spring", State.RUNNING, by="ann")
        with pytest.raises(Invalid, match=field):
            store.save_experiment(parse(BODY | change), based_on=4, by="ann")

    def test_slots_are_never_reused(self, store: Store) -> None:
        """A new variant gets a number that no other ever had; one that comes back has its own again."""
        store.create_experiment(parse(BODY), by="ann")
        without = store.save_experiment(parse(BODY | {"variants": [{"key": "b"}, {"key": "c"}]}), based_on=1, by="x")
        assert without.slots == (1, 2)
        every = [{"key": key} for key in "dba"]
        assert store.save_experiment(parse(BODY | {"variants": every}), based_on=2, by="x").slots == (3, 1, 0)

    def test_states(self, store: Store) -> None:
        """Draft → running ⇄ paused → stopped → archived, and no other way."""
        store.create_experiment(parse(BODY), by="ann")
        steps = [State.RUNNING, State.PAUSED, State.RUNNING, State.STOPPED, State.ARCHIVED]
        for state in steps:
            legal = {
                State.DRAFT: {State.RUNNING},
                State.RUNNING: {State.PAUSED, State.STOPPED},
                State.PAUSED: {State.RUNNING, State.STOPPED},
                State.STOPPED: {State.ARCHIVED},
            }[store.experiment("spring").state]
            for other in set(State) - legal:
                with pytest.raises(Conflict, match="cannot become"):
                    store.set_state("spring", other, by="ann")
            assert store.set_state("spring", state, by="ann").state is state
        versions = store.versions("spring")
        assert [version.state for version in versions] == [State.DRAFT, *steps]
        assert [version.version for version in versions] == list(range(1, 7))
        assert [entry.action for entry in store.audit_log(10)] == [
            *[state.value for state in reversed(steps)],
            "create",
        ]

    def test_winner(self, store: Store) -> None:
        """Only a stopped experiment has a winner; it may be chosen later, and stays when archived."""
        store.create_experiment(parse(BODY), by="ann")
        with pytest.raises(Invalid, match="winner"):
            store.set_state("spring", State.RUNNING, by="ann", winner="a")
        store.set_state("spring", State.RUNNING, by="ann")
        with pytest.raises(Invalid, match="must be one of a, b"):
            store.set_state("spring", State.STOPPED, by="ann", winner="z")
        assert store.set_state("spring", State.STOPPED, by="ann").winner is None
        assert store.set_state("spring", State.STOPPED, by="ann", winner="b", based_on=3).winner == "b"
        with pytest.raises(Conflict, match="version 4"):
            store.set_state("spring", State.ARCHIVED, by="ann", based_on=3)
        assert store.set_state("spring", State.ARCHIVED, by="ann").winner == "b"


class ShippingContract:
    """Records come in exactly once (SEMANTICS §3, §4, §7)."""

    def test_offset_moves_with_the_rows(self, site: Any) -> None:
        """A batch that does not begin where the file ended is refused, so none comes in twice."""
        store, record = site.store, site.decision(1)
        store.ship("f.log", start=0, end=100, records=[record])
        for start in (0, 50, 101):
            with pytest.raises(Conflict, match="up to 100"):
                store.ship("f.log", start=start, end=200, records=[site.decision(2)])
        assert (store.offset("f.log"), store.offset("other.log")) == (100, 0)
        assert store.health(site.experiment.id).decisions == 1
        store.forget_journal("f.log")
        assert store.offset("f.log") == 0

    @pytest.mark.parametrize(
        "fields",
        [
            {"distribution": [0.5, 0.25, 0.25]},
            {"distribution": [0.75, 0.35]},
            {"distribution": [0.75, -0.25]},
            {"distribution": [0.0, 1.0]},
            {"distribution": "x"},
            {"probability": 0.7},
            {"variant": "b", "probability": 0.75},
            {"version": 99},
            {"experiment": 99},
            {"reason": "sticky"},
            {"id": "1"},
            {"id": "A" * 32},
            {"unit": "visitor-1"},
        ],
    )
    def test_bad_decision(self, site: Any, fields: dict[str, Any]) -> None:
        """A record that its experiment does not allow raises, and the batch leaves nothing behind."""
        with pytest.raises(Invalid):
            site.ship(site.decision(1), site.decision(2, **fields))
        assert site.store.offset(f"{site.experiment.key}.log") == 0
        assert list(site.store.log(site.experiment.id)) == []

    @pytest.mark.parametrize("fields", [{"metric": "other"}, {"value": float("nan")}, {"experiment": 99}])
    def test_bad_reward(self, site: Any, fields: dict[str, Any]) -> None:
        """A reward for an unknown metric or experiment, or of no number, raises."""
        with pytest.raises(Invalid):
            site.ship(site.decision(1), site.reward(1, at=1, **fields))
        assert site.store.health(site.experiment.id).decisions == 0

    def test_quarantine(self, site: Any) -> None:
        """A bad record is put aside with the offset, and what follows it can be shipped."""
        site.store.quarantine("f.log", start=0, end=10, line=b"\x00bad", reason="no such variant")
        site.store.ship("f.log", start=10, end=20, records=[site.decision(1)])
        assert site.store.health(site.experiment.id).quarantined == 1

    def test_distribution_is_kept_bit_for_bit(self, sites: Callable[..., Any]) -> None:
        """The whole vector comes back with the bits that were drawn from."""
        rng = np.random.default_rng(7)
        keys = [f"v{i}" for i in range(200)]
        site = sites(variants=[{"key": key} for key in keys])
        vectors = rng.dirichlet(np.full(200, 0.1), size=20)
        vectors[:, 5] += 1e-300
        for i, vector in enumerate(vectors):
            chosen = keys[int(vector.argmax())]
            site.ship(site.decision(i, variant=chosen, distribution=vector.tolist()))
        (logged,) = site.store.log(site.experiment.id)
        assert [row.distribution.tobytes() for row in logged] == [vector.tobytes() for vector in vectors]
        assert [row.probability for row in logged] == vectors.max(axis=1).tolist()
        assert [row.distribution.tobytes() for row in site.learn()] == [vector.tobytes() for vector in vectors]

    def test_request_counts_once(self, site: Any) -> None:
        """The first shipped under a request counts; a later one is a repeat, and its rewards are the first one's."""
        site.ship(site.decision(2, who="x", request_id="r"), site.decision(3, who="x", request_id="r", at=1))
        site.ship(site.decision(1, who="x", request_id="r", at=-1), site.reward(1, at=5))
        site.ship(site.decision(4, who="y", request_id="s", at=2))
        health = site.store.health(site.experiment.id)
        assert (health.decisions, health.repeats) == (2, 2)
        assert [(row.decision[-1], row.outcomes["sale"]) for row in site.learn()] == [("2", 1.0), ("4", 0.0)]
        detail = site.store.decision(f"{1:032x}")
        assert detail.repeat_of == f"{2:032x}"

    def test_racing_hosts(self, site: Any) -> None:
        """Hosts that ship the same requests at the same time agree on which were first, and none is refused."""
        failures: list[Exception] = []

        def ship(host: int) -> None:
            try:
                for i in range(5):
                    site.ship(site.decision(100 * host + i, who=host, request_id=str(i)), file=f"{host}.log")
            except Exception as error:
                failures.append(error)

        threads = [threading.Thread(target=ship, args=(host,)) for host in (1, 2, 3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert failures == []
        health = site.store.health(site.experiment.id)
        assert (health.decisions, health.repeats) == (5, 10)

    def test_same_decision_twice(self, site: Any) -> None:
        """A decision that comes again, in this batch or a later one, changes nothing."""
        site.ship(site.decision(1), site.decision(1))
        before = site.store.traffic(site.experiment.id)
        site.ship(site.decision(1))
        assert site.store.health(site.experiment.id).decisions == 1
        assert site.store.traffic(site.experiment.id) == before

    def test_reward_identity(self, site: Any) -> None:
        """The same reward again is a duplicate; another value under its name is kept as conflicting."""
        site.ship(site.decision(1), site.reward(1, at=1, key="k"), site.reward(1, at=2, key="k"))
        site.ship(site.reward(1, at=3, key="k"), site.reward(1, at=4, key="k", value=0.5), site.reward(1, at=5))
        health = site.store.health(site.experiment.id)
        assert (health.rewards, health.duplicates, health.conflicting) == (2, 2, 1)
        fates = [(r.key, r.value, r.fate, r.duplicates) for r in site.store.decision(f"{1:032x}").rewards]
        assert fates == [("k", 1.0, Fate.OPEN, 2), ("", 1.0, Fate.OPEN, 0), ("k", 0.5, Fate.CONFLICTING, 0)]

    def test_reward_before_its_decision(self, site: Any) -> None:
        """A reward may be shipped first; until its decision comes it counts as unmatched."""
        site.ship(site.reward(1, at=5), site.reward(who="y", at=5))
        assert site.store.health(site.experiment.id).unmatched == 2
        site.ship(site.decision(1, who="x"), site.decision(2, who="y"), file="other.log")
        assert site.store.health(site.experiment.id).unmatched == 0
        assert [row.outcomes["sale"] for row in site.learn()] == [1.0, 1.0]

    def test_sticky_is_counted(self, site: Any) -> None:
        """A sticky answer raises a counter and is no decision."""
        record = site.decision(1)
        site.ship(record, RepeatRecord(decision=record.id, time=record.time + 1))
        site.ship(RepeatRecord(decision=record.id, time=record.time + 2))
        health = site.store.health(site.experiment.id)
        assert (health.decisions, health.sticky) == (1, 2)

    def test_traffic(self, site: Any) -> None:
        """A bucket holds decisions by variant and the sum of every variant's probability."""
        site.ship(site.decision(1), site.decision(2, variant="b"), site.decision(3, reason="preview"))
        site.ship(site.decision(4, at=61), site.decision(5, distribution=[0.25, 0.75]))
        found = [(b.time - site.start, b.variant, b.decisions, b.propensity_sum) for b in site.traffic()]
        minute = 60_000_000
        assert found == [(0, "a", 2, 1.75), (0, "b", 1, 1.25), (minute, "a", 1, 0.75), (minute, "b", 0, 0.25)]

    def test_traffic_in_steps(self, site: Any) -> None:
        """Buckets grow with the experiment, and add up to whatever step is asked for."""
        second = 1_000_000
        assert site.store.traffic_span(site.experiment.id) is None
        for number, at in enumerate((0, 11, 3_600 + 59, 3_600 + 61)):
            site.ship(site.decision(number, at=at))
        starts = [site.start + at * second for at in (0, 10, 3_600, 3_660)]
        assert [b.time for b in site.traffic() if b.variant == "a"] == starts
        assert site.store.traffic_span(site.experiment.id) == (starts[0], starts[-1])
        hourly = site.store.traffic(site.experiment.id, step=3_600 * second)
        assert [(b.decisions, b.propensity_sum) for b in hourly] == [(2, 1.5), (0, 0.5)] * 2
        late = site.store.traffic(site.experiment.id, since=starts[2])
        assert [b.time for b in late if b.variant == "a"] == starts[2:]

    def test_watermark(self, store: Store, clock: Any) -> None:
        """The least promise of the journals that are heard of; what was silent for too long is left out."""
        assert store.watermark(clock(), ship_grace=60) == clock()
        store.set_watermark("a.log", clock() - 5)
        store.ship("b.log", start=0, end=1, records=[MarkRecord(time=clock() - 9)])
        assert store.watermark(clock(), ship_grace=60) == clock() - 9
        store.set_watermark("b.log", clock() - 20)
        assert store.watermark(clock(), ship_grace=60) == clock() - 9
        clock.sleep(50)
        store.set_watermark("a.log", clock())
        clock.sleep(20)
        assert store.watermark(clock(), ship_grace=60) == clock() - 20_000_000
        store.forget_journal("a.log")
        assert store.watermark(clock(), ship_grace=60) == clock()


class RowsContract:
    """Which decisions become rows, when, and what their rewards come to (SEMANTICS §4, §5)."""

    def test_first_decision_of_a_unit(self, site: Any) -> None:
        """A unit enters once, by its first decision in time, whatever the order of shipping and the phases."""
        site.ship(site.decision(5, who="x", at=20), site.decision(1, who="y", at=30), site.decision(2, at=5))
        site.ship(
            site.decision(6, who="x", at=10, variant="b"), site.decision(3, who="y", at=31), site.decision(4, at=5)
        )
        assert [(r.seq, int(r.decision, 16), r.variant) for r in site.learn()] == [
            (1, 2, "a"),
            (2, 4, "a"),
            (3, 6, "b"),
            (4, 1, "a"),
        ]
        site.ship(site.decision(7, who="x", at=500), site.decision(8, who="x", at=1, reason="degraded"))
        assert len(site.learn()) == 4

    def test_previews_are_no_rows(self, site: Any) -> None:
        """A preview teaches nothing, and does not stand in the way of the unit's first real decision."""
        site.ship(site.decision(1, who="x", reason="preview"), site.reward(1, at=2))
        site.ship(site.decision(2, who="x", at=1, reason="degraded"))
        assert site.outcome() == 0.0
        assert site.store.decision(f"{1:032x}").rewards[0].fate is Fate.UNUSED

    def test_maturity(self, site: Any) -> None:
        """A row matures when the longest window has closed before the watermark."""
        site.ship(site.decision(1, at=10))
        assert site.rows(at=69.999999) == []
        assert [row.seq for row in site.rows(at=70)] == [1]

    def test_window_is_half_open(self, site: Any) -> None:
        """A reward accepted at the window's end is late; one accepted just before counts."""
        site.ship(site.decision(1), site.decision(2, at=1), site.reward(1, at=60), site.reward(2, at=60.999999))
        assert [(row.outcomes["sale"], row.late) for row in site.rows()] == [(0.0, 1), (1.0, 0)]
        site.learn()
        assert site.store.health(site.experiment.id).late == 1
        assert [site.store.decision(f"{i:032x}").rewards[0].fate for i in (1, 2)] == [Fate.LATE, Fate.COUNTED]

    def test_reward_after_maturing(self, site: Any) -> None:
        """What is shipped after its row was numbered is kept and marked late, and the row stays frozen."""
        site.ship(site.decision(1, who="x"), site.decision(2, who="x", at=3))
        assert site.outcome() == 0.0
        site.ship(site.reward(1, at=5), site.reward(2, at=6), site.reward(who="x", at=7))
        assert site.outcome() == 0.0
        assert site.store.health(site.experiment.id).late == 3
        assert {r.fate for r in site.store.decision(f"{1:032x}").rewards} == {Fate.LATE}

    def test_rewards_of_later_decisions(self, site: Any) -> None:
        """With visitors, rewards of the unit's later decisions inside the row's window belong to the row."""
        site.ship(site.decision(1, who="x"), site.decision(2, who="x", at=50), site.reward(2, at=55))
        site.ship(site.decision(3, who="y"), site.decision(4, who="y", at=50), site.reward(4, at=65))
        assert [row.outcomes["sale"] for row in site.learn()] == [1.0, 0.0]

    def test_rewards_by_unit(self, site: Any) -> None:
        """With visitors, a unit's reward goes to its row; one before the first decision does not."""
        site.ship(site.decision(1, who="x", at=10), site.reward(who="x", at=69))
        site.ship(site.decision(2, who="y", at=10), site.reward(who="y", at=9))
        assert [row.outcomes["sale"] for row in site.learn()] == [1.0, 0.0]

    def test_every_decision(self, sites: Callable[..., Any]) -> None:
        """With decisions, each is a row, and the unit's next decision ends the window."""
        site = sites(unit="decision", metrics=[{"key": "sale", "kind": "count", "window_seconds": 60}])
        site.ship(site.decision(1, who="x"), site.decision(2, who="x", at=30), site.decision(3))
        site.ship(site.reward(1, at=29, key="i"), site.reward(1, at=31, key="j"), site.reward(3, at=59))
        site.ship(site.reward(who="x", at=20), site.reward(who="x", at=40), site.reward(who="x", at=91, key="z"))
        rows = site.rows()
        assert [(int(row.decision, 16), row.outcomes["sale"], row.late) for row in rows] == [
            (1, 2.0, 1),
            (3, 1.0, 0),
            (2, 1.0, 1),
        ]

    @pytest.mark.parametrize(
        ("metric", "values", "outcome"),
        [
            ({"kind": "conversion"}, [1, 1], 1.0),
            ({"kind": "conversion", "default": 1}, [0], 0.0),
            ({"kind": "conversion", "default": 0.5}, [], 0.5),
            ({"kind": "count"}, [1, 2], 3.0),
            ({"kind": "revenue"}, [0.5, 0.25, 59.25], 60.0),
            ({"kind": "revenue", "cap": 50}, [30, 30], 50.0),
            ({"kind": "revenue", "default": 2}, [], 2.0),
            ({"kind": "score", "max": 9}, [5, 3], 3.0),
        ],
    )
    def test_fold(self, sites: Callable[..., Any], metric: dict[str, Any], values: list[float], outcome: float) -> None:
        """Conversion is any, count and revenue the sum up to the cap, score the last; else the default."""
        site = sites(metrics=[{"key": "sale", "window_seconds": 60} | metric])
        rewards = [site.reward(1, at=i, value=value, key=str(i)) for i, value in enumerate(values, start=1)]
        site.ship(site.decision(1), *reversed(rewards))
        assert site.outcome() == outcome

    def test_steps(self, site: Any) -> None:
        """Rows are gapless over steps of any size, in the order of (time, id) within one."""
        site.ship(*(site.decision(i, at=-i % 7, who=i) for i in range(20)))
        rows = site.learn(limit=6)
        assert [row.seq for row in rows] == list(range(1, 21))
        assert [row.step for row in rows] == [1] * 6 + [2] * 6 + [3] * 6 + [4] * 2
        assert [(row.time, row.decision) for row in rows] == sorted((row.time, row.decision) for row in rows)
        assert [row.seq for row in site.store.analysis_rows(site.experiment.id, after=18)] == [19, 20]

    def test_sums(self, site: Any) -> None:
        """The sums are those of the rows, added in their order."""
        site.ship(*(site.decision(i, who=i, variant="ab"[i % 2]) for i in range(9)), site.reward(3, at=1))
        site.learn(limit=4)
        found = [(s.phase, s.variant, s.metric, s.rows, s.total, s.squares, s.nonzero) for s in site.sums()]
        assert found == [(1, "a", "sale", 5, 0.0, 0.0, 0), (1, "b", "sale", 4, 1.0, 1.0, 1)]

    def test_log(self, site: Any) -> None:
        """The log streams every decision in the order of ids, with outcomes where they are known."""
        site.ship(*(site.decision(i, who=i, context={"device": "mobile"}) for i in (3, 1, 2)), site.reward(1, at=1))
        site.learn()
        site.ship(site.decision(4, at=9_990, request_id="r"), site.decision(5, who=1, at=30))
        batches = list(site.store.log(site.experiment.id, batch=2))
        assert [len(batch) for batch in batches] == [2, 2, 1]
        found = [(int(row.decision, 16), row.seq, row.rewards["sale"]) for batch in batches for row in batch]
        assert found == [(1, 1, 1.0), (2, 2, 0.0), (3, 3, 0.0), (4, None, None), (5, None, None)]
        assert batches[0][0].context == {"device": "mobile"}
        assert batches[1][1].request_id == "r"
        with pytest.raises(NotFound):
            site.store.decision("0" * 32)

    def test_import(self, store: Store) -> None:
        """An imported log is rows and sums at once, and only an imported experiment takes one."""
        definition = parse(BODY | {"unit": "decision"})
        served = store.create_experiment(parse(BODY | {"key": "served"}), by="ann")
        made = store.create_experiment(definition, by="ann", imported=True)
        batch = [imported(i, value) for i, value in enumerate([1.0, None, 0.0])]
        assert store.import_log(made, [batch[:2], batch[2:]]) == 3
        rows = store.analysis_rows(made.id)
        assert [(row.seq, row.step, row.outcomes) for row in rows] == [
            (1, 1, {"sale": 1.0}),
            (2, 1, {"sale": 0.0}),
            (3, 2, {"sale": 0.0}),
        ]
        assert [(s.rows, s.total) for s in store.sums(made.id)] == [(3, 1.0)]
        assert (made.state, store.health(made.id).decisions) == (State.STOPPED, 3)
        with pytest.raises(Conflict):
            store.import_log(served, [batch])
        with pytest.raises(Conflict):
            store.import_log(made, [batch])


class LeadershipContract:
    """One leader, and what it commits (SEMANTICS §5, §6)."""

    def test_one_leader(self, store: Store) -> None:
        """A lease is one holder's until it ends or is given up; the epoch rises when it passes on."""
        assert store.lease("a", seconds=60) == 1
        assert store.lease("b", seconds=60) is None
        assert store.lease("a", seconds=60) == 1
        store.release("b")
        assert store.lease("b", seconds=60) is None
        store.release("a")
        assert store.lease("b", seconds=-1) == 2
        assert store.lease("a", seconds=60) == 3

    def test_stale_epoch(self, site: Any) -> None:
        """A leader of the past commits nothing."""
        site.ship(site.decision(1))
        rows = site.rows()
        epoch = site.store.lease("old", seconds=-1)
        assert site.store.lease("new", seconds=60) == epoch + 1
        with pytest.raises(Conflict, match="passed on"):
            site.store.commit_step(Step(site.experiment.id, rows), epoch=epoch)
        assert site.store.analysis_rows(site.experiment.id) == []
        assert site.sums() == []
        site.store.commit_step(Step(site.experiment.id, rows), epoch=epoch + 1)
        with pytest.raises(Conflict, match="do not follow"):
            site.store.commit_step(Step(site.experiment.id, rows), epoch=epoch + 1)

    def test_step_is_whole(self, site: Any) -> None:
        """A policy version that exists takes rows and sums down with it."""
        site.ship(site.decision(1))
        epoch = site.store.lease("k", seconds=60)
        site.store.commit_step(Step(site.experiment.id, [], policy(site, 1)), epoch=epoch)
        with pytest.raises(Conflict):
            site.store.commit_step(Step(site.experiment.id, site.rows(), policy(site, 1)), epoch=epoch)
        assert site.sums() == []
        site.store.commit_step(Step(site.experiment.id, site.rows(), policy(site, 2)), epoch=epoch)
        latest = site.store.latest_policy(site.experiment.id)
        assert latest == policy(site, 2)
        assert site.store.policy_version(site.experiment.id, 1).blob == b"1"
        with pytest.raises(NotFound):
            site.store.policy_version(site.experiment.id, 3)

    def test_blobs_are_thinned(self, site: Any, clock: Any) -> None:
        """States stay for the last 20 versions, one an hour for a day, one a day after; versions for ever."""
        epoch = site.store.lease("k", seconds=1e9)
        clock.now -= clock.now % (24 * HOUR)
        for version in range(1, 131):
            site.store.commit_step(Step(site.experiment.id, [], policy(site, version, clock.now)), epoch=epoch)
            clock.sleep(1200)
        kept = [v for v in range(1, 131) if site.store.policy_version(site.experiment.id, v).blob is not None]
        assert kept == [1, *range(61, 110, 3), *range(111, 131)]

    def test_racing_leaders(self, site: Any) -> None:
        """Of two threads that commit the same rows under one epoch, one wins, and nothing is counted twice."""
        site.ship(*(site.decision(i, who=i) for i in range(50)))
        epoch, rows = site.store.lease("k", seconds=60), site.rows()
        outcomes: list[str] = []

        def commit() -> None:
            try:
                site.store.commit_step(Step(site.experiment.id, rows), epoch=epoch)
                outcomes.append("done")
            except Conflict:
                outcomes.append("conflict")

        threads = [threading.Thread(target=commit) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(outcomes) == ["conflict"] * 3 + ["done"]
        assert [s.rows for s in site.sums()] == [50]


class AccessContract:
    """Users, links, keys, the trail and the secret (SEMANTICS §1, §8)."""

    def test_users(self, store: Store) -> None:
        """A user is added once, gets a password, and can be signed out everywhere."""
        made = store.add_user("ann@example.com", role=UserRole.EDITOR)
        assert (made.role, made.password, made.sessions) == (UserRole.EDITOR, None, 0)
        with pytest.raises(Conflict):
            store.add_user("ann@example.com", role=UserRole.VIEWER)
        store.set_password("ann@example.com", "$argon2id$...")
        store.end_sessions("ann@example.com")
        ann = store.user("ann@example.com")
        assert (ann.password, ann.sessions) == ("$argon2id$...", 2)
        assert store.users() == [ann]
        assert "argon2" not in repr(ann)
        with pytest.raises(NotFound):
            store.user("eve@example.com")

    def test_links_work_once(self, store: Store) -> None:
        """A link signs its user in once, and not after its time."""
        store.add_user("ann@example.com", role=UserRole.ADMIN)
        store.create_login_link("ann@example.com", b"1" * 32, expires=100)
        store.create_login_link("ann@example.com", b"2" * 32, expires=100)
        assert store.redeem_link(b"1" * 32, 99).email == "ann@example.com"
        for token, now in ((b"1", 99), (b"2", 100), (b"3", 1)):
            with pytest.raises(NotFound):
                store.redeem_link(token * 32, now)

    def test_a_new_password_ends_open_links(self, store: Store) -> None:
        """Whoever else holds a link cannot take the account over with it; other people's links stay."""
        for name, token in (("ann", b"1"), ("ben", b"2")):
            store.add_user(f"{name}@example.com", role=UserRole.ADMIN)
            store.create_login_link(f"{name}@example.com", token * 32, expires=100)
        store.set_password("ann@example.com", "hash")
        with pytest.raises(NotFound):
            store.redeem_link(b"1" * 32, 99)
        assert store.redeem_link(b"2" * 32, 99).email == "ben@example.com"

    def test_keys(self, store: Store, clock: Any) -> None:
        """A key is known by its hash, with its origins, until it is revoked."""
        store.add_key("site", scope=Scope.SITE, sha256=b"k" * 32, origins=["https://example.com"])
        with pytest.raises(Conflict):
            store.add_key("site", scope=Scope.ADMIN, sha256=b"l" * 32)
        with pytest.raises(Conflict):
            store.add_key("other", scope=Scope.ADMIN, sha256=b"k" * 32)
        store.revoke_key("site")
        when = clock()
        clock.sleep(1)
        store.revoke_key("site")
        (key,) = store.keys()
        assert (key.sha256, key.origins, key.revoked) == ((b"k" * 32).hex(), ("https://example.com",), when)
        with pytest.raises(NotFound):
            store.revoke_key("other")

    def test_audit(self, store: Store, clock: Any) -> None:
        """Entries come back newest first, whole."""
        store.audit("ann", "sign_in", "ann@example.com", {"ip": "::1"})
        store.audit("ben", "export", "spring", {})
        newest, older = store.audit_log(2)
        assert (newest.by, older.action, older.detail, older.time) == ("ben", "sign_in", {"ip": "::1"}, clock())

    def test_secret(self, store: Store) -> None:
        """The first host's secret is the store's; another is refused."""
        store.claim_secret("f" * 64)
        store.claim_secret("f" * 64)
        with pytest.raises(StoreError, match="belongs to the secret"):
            store.claim_secret("0" * 64)


def imported(number: int, value: float | None) -> LoggedDecision:
    """A decision of a log that comes from outside."""
    return LoggedDecision(
        decision=f"{number:032x}",
        version=1,
        phase=1,
        unit=None,
        time=number,
        variant="a",
        probability=0.5,
        variants=("a", "b"),
        distribution=np.array([0.5, 0.5]),
        policy="uniform",
        policy_version=0,
        reason="policy",
        analysis=True,
        seq=None,
        context={"device": "mobile"},
        rewards={"sale": value},
    )


def policy(site: Any, version: int, time: int = 0) -> PolicyVersion:
    """A policy version whose state is its number."""
    return PolicyVersion(site.experiment.id, version, 1, "thompson", str(version).encode(), "0" * 64, 0, 0, time)
