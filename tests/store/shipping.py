"""What the store promises: records that come in exactly once."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from experiments.errors import Conflict, Invalid
from experiments.records import MarkRecord, RepeatRecord
from experiments.store import Fate, Store


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
