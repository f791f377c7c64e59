"""What the store promises: several metrics, what variants cost, and units that are served another variant."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import msgspec
import pytest

from experiments.definition import parse
from experiments.errors import Invalid
from experiments.store import Fate
from tests.store.made import imported

METRICS = [
    {"key": "sale", "window_seconds": 60},
    {"key": "income", "kind": "revenue", "role": "secondary", "window_seconds": 120},
    {"key": "left", "kind": "bounce", "role": "guardrail", "window_seconds": 30},
    {"key": "seconds", "kind": "duration", "role": "secondary", "window_seconds": 10, "cap": 500},
    {"key": "spent", "kind": "cost", "role": "secondary", "window_seconds": 60},
    {"key": "return", "kind": "ratio", "role": "secondary", "numerator": "income", "denominator": "spent"},
]
VARIANTS = [{"key": "a", "control": True, "cost": 0.5}, {"key": "b"}]


def measuring(sites: Callable[..., Any], **fields: Any) -> Any:
    """A running experiment that measures one thing of each kind but counts and scores."""
    return sites(metrics=METRICS, variants=VARIANTS, **fields)


def save(site: Any, **fields: Any) -> None:
    """Save a changed definition; decisions are made under it from now on."""
    body = msgspec.to_builtins(site.experiment.definition) | fields
    site.experiment = site.store.save_experiment(parse(body), based_on=site.experiment.version, by="ann")


class MeasuringContract:
    """Several metrics, each with its window."""

    def test_windows(self, sites: Callable[..., Any]) -> None:
        """A row matures when its longest window has closed; each metric counts what came in its own."""
        site = measuring(sites)
        rewards = [("sale", 59, 1), ("income", 70, 20), ("income", 119, 5), ("seconds", 9, 800), ("spent", 1, 2)]
        late = [("sale", 61, 1), ("income", 120, 1), ("seconds", 11, 900)]
        made = [
            site.reward(1, at=at, metric=metric, value=value, key=str(i))
            for i, (metric, at, value) in enumerate(rewards + late)
        ]
        site.ship(site.decision(1, who="x"), site.decision(2, who="y", variant="b", at=1), *made)
        assert site.rows(at=119) == []
        first, second = site.learn(at=121)
        assert first.outcomes == {"sale": 1.0, "income": 25.0, "left": 0.0, "seconds": 500.0, "spent": 2.5}
        assert second.outcomes == {"sale": 0.0, "income": 0.0, "left": 1.0, "seconds": 0.0, "spent": 0.0}
        assert site.store.health(site.experiment.id).late == 3
        fates = [(reward.metric, reward.fate) for reward in site.store.decision(f"{1:032x}").rewards]
        assert fates == [(m, Fate.COUNTED) for m, *_ in rewards] + [(m, Fate.LATE) for m, *_ in late]

    def test_sums_and_log(self, sites: Callable[..., Any]) -> None:
        """Sums are kept of every metric that rows have, and the log shows them; a ratio has neither."""
        site = measuring(sites)
        site.ship(site.decision(1, who="x"), site.decision(2, who="y", variant="b"), site.reward(1, at=5))
        site.ship(site.reward(2, at=5, metric="income", value=7))
        site.learn()
        found = {(s.variant, s.metric): (s.rows, s.total, s.squares, s.nonzero) for s in site.sums()}
        assert found[("a", "spent")] == (1, 0.5, 0.25, 1)
        assert (found[("b", "income")], found[("b", "left")]) == ((1, 7.0, 49.0, 1), (1, 0.0, 0.0, 0))
        keys = ["sale", "income", "left", "seconds", "spent"]
        assert {metric for _, metric in found} == set(keys)
        (batch,) = site.store.log(site.experiment.id)
        assert [list(logged.rewards) for logged in batch] == [keys] * 2
        assert [logged.rewards["spent"] for logged in batch] == [0.5, 0.0]

    def test_delays_are_the_objectives(self, sites: Callable[..., Any]) -> None:
        """How long rewards take is asked of what the policy learns, and of nothing else."""
        site = measuring(sites)
        site.ship(site.decision(1, who="x"), site.reward(1, at=100, metric="income", value=3))
        site.learn()
        assert site.store.delays(site.experiment).counts.sum() == 0
        assert site.store.delays(site.experiment).window == 60_000_000

    def test_a_metric_that_comes_later(self, site: Any) -> None:
        """Decisions made before it have no outcome of it, also those that were still open when it came."""
        site.ship(site.decision(1, who="x"))
        save(site, metrics=[METRICS[0], METRICS[1], METRICS[2]])
        site.ship(site.decision(2, who="y", at=5), site.reward(1, at=6, metric="income", value=9))
        first, second = site.learn()
        assert (first.outcomes, second.outcomes) == ({"sale": 0.0}, {"sale": 0.0, "income": 0.0, "left": 1.0})
        assert [reward.fate for reward in site.store.decision(f"{1:032x}").rewards] == [Fate.UNUSED]
        assert site.store.health(site.experiment.id).late == 0
        assert {(s.metric, s.rows) for s in site.sums()} == {("sale", 2), ("income", 1), ("left", 1)}

    def test_a_metric_that_goes(self, sites: Callable[..., Any]) -> None:
        """Without it rows mature sooner and go on without; it may come back, but only as what it was."""
        site = measuring(sites)
        site.ship(site.decision(1, who="x"))
        save(site, metrics=METRICS[:1])
        assert [row.outcomes for row in site.learn(at=61)] == [{"sale": 0.0}]
        other = {
            "kind": "count",
            "window_seconds": 5,
            "min": 1,
            "default": 1,
            "cap": 50,
            "margin": 0.5,
            "role": "guardrail",
        }
        for name, value in other.items():
            changed = METRICS[1] | {"min": 0, name: value} | ({"min": 0} if name == "default" else {})
            changed |= {"default": 1} if name == "min" else {}
            with pytest.raises(Invalid, match=rf"metrics.income.{name}.*: cannot change after the start"):
                save(site, metrics=[METRICS[0], changed])
        save(site, metrics=METRICS)

    def test_a_draft_may_change_everything(self, sites: Callable[..., Any]) -> None:
        """What a metric is can change until the start; the log knows the last."""
        site = sites()
        draft = site.store.create_experiment(parse({"key": "draft", "variants": VARIANTS, "metrics": METRICS}), by="x")
        swapped = [METRICS[0], {"key": "return", "kind": "count", "role": "secondary"}]
        parsed = parse({"key": "draft", "variants": VARIANTS, "metrics": swapped})
        site.experiment = site.store.save_experiment(parsed, based_on=draft.version, by="x")
        site.ship(site.decision(1), file="draft.log")
        (batch,) = site.store.log(site.experiment.id)
        assert "return" in batch[0].rewards

    def test_a_cost_is_the_decisions(self, sites: Callable[..., Any]) -> None:
        """What showing a variant costs is what it cost when it was shown."""
        site = measuring(sites)
        site.ship(site.decision(1, who="x"))
        save(site, variants=[VARIANTS[0] | {"cost": 2.0}, VARIANTS[1]])
        site.ship(site.decision(2, who="y", at=1))
        assert [row.outcomes["spent"] for row in site.learn()] == [0.5, 2.0]

    def test_every_decision(self, sites: Callable[..., Any]) -> None:
        """The unit's next decision ends every window."""
        site = measuring(sites, unit="decision")
        site.ship(site.decision(1, who="x"), site.decision(2, who="x", at=40, variant="b"))
        site.ship(site.reward(1, at=39, metric="income"), site.reward(1, at=41, metric="income", key="late"))
        rows = site.rows()
        assert [(row.outcomes["income"], row.outcomes["left"], row.late, row.crossed) for row in rows] == [
            (1.0, 1.0, 1, False),
            (0.0, 1.0, 0, False),
        ]

    def test_import(self, store: Any) -> None:
        """An imported row has an outcome of each metric: the log's, or what no reward gives."""
        body = {"key": "old", "unit": "decision", "variants": VARIANTS, "metrics": METRICS}
        made = store.create_experiment(parse(body), by="ann", imported=True)
        (logged,) = next(store_log(store, made, {"sale": 1.0, "spent": 3.0}))
        assert logged.rewards == {"sale": 1.0, "income": 0.0, "left": 1.0, "seconds": 0.0, "spent": 3.0}


class CrossingContract:
    """Units that are served another variant before their row is closed."""

    def test_crossed(self, site: Any) -> None:
        """Another variant within the window is; the same one, a preview, a later day and another unit are not."""
        site.ship(*(site.decision(i, who=i) for i in range(6)))
        site.ship(
            site.decision(10, who=0, at=30, variant="b"),
            site.decision(11, who=1, at=30),
            site.decision(12, who=2, at=30, variant="b", reason="preview"),
            site.decision(13, who=3, at=60, variant="b"),
            site.decision(14, who=4, at=10),
            site.decision(15, who=4, at=59.999999, variant="b"),
        )
        assert [row.crossed for row in site.rows()] == [True, False, False, False, True, False]
        assert [row.crossed for row in site.learn()] == [True, False, False, False, True, False]

    def test_the_longest_window(self, sites: Callable[..., Any]) -> None:
        """As long as any metric waits, another variant may change it."""
        site = measuring(sites)
        site.ship(site.decision(1, who="x"), site.decision(2, who="x", at=100, variant="b"))
        site.ship(site.decision(3, who="y"), site.decision(4, who="y", at=120, variant="b"))
        assert [row.crossed for row in site.learn()] == [True, False]

    def test_open_rows_have_not_crossed_yet(self, site: Any) -> None:
        """It is looked for once, when a row is numbered."""
        site.ship(site.decision(1, who="x"), site.decision(2, who="x", at=1, variant="b"))
        moment = site.start + 30_000_000
        (opened,) = site.store.open_rows(
            site.experiment, after=site.start - 1, before=moment, watermark=moment, limit=9
        )
        assert not opened.row.crossed
        assert [row.crossed for row in site.learn()] == [True]


def store_log(store: Any, experiment: Any, rewards: dict[str, float | None]) -> Any:
    """Import one decision of variant b with these rewards, and read the log."""
    store.import_log(experiment, [[replace(imported(0, None), variant="b", rewards=rewards)]])
    return store.log(experiment.id)
