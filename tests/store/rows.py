"""What the store promises: the one sequence of analysis rows."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from experiments.definition import parse
from experiments.errors import Conflict, NotFound
from experiments.model import State
from experiments.store import Fate, Store
from tests.store.made import BODY, imported


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
