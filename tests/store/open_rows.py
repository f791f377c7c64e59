"""What the store promises: rows whose windows are open."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from bandit.delays import BUCKETS, edges
from experiments.store import OpenRow, PolicyVersion, Step

SECOND = 1_000_000
WINDOW = 60


def opened(site: Any, *, at: float, after: float = -1, before: float | None = None, limit: int = 100) -> list[OpenRow]:
    """The open rows of decisions between two seconds, as known ``at`` a third."""
    moment = site.start + int(at * SECOND)
    end = moment if before is None else site.start + int(before * SECOND)
    found: list[OpenRow] = site.store.open_rows(
        site.experiment, after=site.start + int(after * SECOND), before=end, watermark=moment, limit=limit
    )
    return found


class OpenRowsContract:
    """Open rows are what rows would be if nothing more came."""

    def test_what_came_so_far(self, site: Any) -> None:
        """A reward counts from when it was accepted on; nothing is numbered, and nothing changes."""
        site.ship(site.decision(1, who="x", at=1, context={"device": "tv"}), site.decision(2, who="y", at=5))
        site.ship(site.reward(1, at=20))
        early, late = opened(site, at=10), opened(site, at=30)
        assert [(each.row.outcomes, each.age) for each in early] == [({"sale": 0.0}, 9e6), ({"sale": 0.0}, 5e6)]
        assert [(each.row.outcomes, each.age) for each in late] == [({"sale": 1.0}, 29e6), ({"sale": 0.0}, 25e6)]
        first = late[0].row
        assert (first.seq, first.variant, first.context) == (0, "a", {"device": "tv"})
        np.testing.assert_array_equal(first.distribution, [0.75, 0.25])
        assert [each.row.delays for each in late] == [((int((edges(WINDOW) <= 19).sum()) - 1, 1.0),), ()]
        assert [row.outcomes["sale"] for row in site.learn()] == [1.0, 0.0]
        assert opened(site, at=30) == []

    def test_a_stretch_of_time(self, site: Any) -> None:
        """Decisions after one time and not after another, the first so many, in the order of their times."""
        site.ship(*(site.decision(i, who=i, at=i) for i in range(10)))
        found = opened(site, at=20, after=2, before=8, limit=4)
        assert [each.row.decision[-1] for each in found] == ["3", "4", "5", "6"]

    def test_only_what_will_be_a_row(self, site: Any) -> None:
        """No preview, no second visit, no unit that is in already; a second visit's reward counts for the first."""
        site.ship(site.decision(1, who="x", at=0))
        site.learn(at=100)
        site.ship(site.decision(2, who="x", at=101), site.decision(3, who="y", at=102))
        site.ship(site.decision(4, who="y", at=103), site.decision(5, who="z", at=104, reason="preview"))
        site.ship(site.reward(4, at=105))
        assert [(each.row.decision[-1], each.row.outcomes["sale"]) for each in opened(site, at=110)] == [("3", 1.0)]

    def test_a_window_that_has_ended(self, sites: Callable[..., Any]) -> None:
        """The next decision of the unit, or the window's end before the row is numbered, leaves nothing to await."""
        site = sites(unit="decision")
        site.ship(site.decision(1, who="x", at=0), site.decision(2, who="x", at=30), site.reward(1, at=40))
        assert [(each.row.outcomes["sale"], each.age) for each in opened(site, at=45)] == [(0.0, None), (0.0, 15e6)]
        site = sites()
        site.ship(site.decision(1, who="x", at=0))
        assert [each.age for each in opened(site, at=WINDOW - 1)] == [(WINDOW - 1) * SECOND]
        assert [each.age for each in opened(site, at=WINDOW)] == [None]

    def test_delays(self, site: Any) -> None:
        """Each rewarded row counts once, in the bucket in which its first reward came; the others do not."""
        site.ship(*(site.decision(i, who=i, at=0) for i in range(4)))
        site.ship(site.reward(0, at=0), site.reward(1, at=30, key="1"), site.reward(1, at=50, key="2"))
        site.ship(site.reward(2, at=59.9), site.reward(3, at=61))
        assert site.store.delays(site.experiment).counts.sum() == 0
        site.learn(limit=2)
        at = edges(WINDOW * SECOND)
        expected = np.zeros(BUCKETS)
        expected[[0, int((at <= 30 * SECOND).sum()) - 1, BUCKETS - 1]] = 1
        law = site.store.delays(site.experiment)
        np.testing.assert_array_equal(law.counts[:, -1], expected)
        assert law.counts.sum() == 3
        assert law.window == WINDOW * SECOND

    def test_delays_of_sums_and_scores(self, sites: Callable[..., Any]) -> None:
        """What is summed comes in parts; a score counts by its best share so far; a default is no reward."""
        metric = {"key": "sale", "window_seconds": WINDOW, "min": -10}
        site = sites(metrics=[metric | {"kind": "revenue", "cap": 8}])
        site.ship(site.decision(1, at=0), *(site.reward(1, at=at, value=v, key=str(at)) for at, v in ((0, 2), (59, 9))))
        site.learn()
        counts = site.store.delays(site.experiment).counts[:, -1]
        assert (counts[0], counts[-1], counts.sum()) == (0.25, 0.75, 1.0)
        site = sites(metrics=[metric | {"kind": "score", "default": 4}])
        site.ship(site.decision(1, at=0), *(site.reward(1, at=at, value=v, key=str(at)) for at, v in ((0, 9), (59, 5))))
        site.ship(site.decision(2, at=0), site.reward(2, at=1, value=4))
        site.learn()
        counts = site.store.delays(site.experiment).counts[:, -1]
        assert (counts[0], counts.sum()) == (1.0, 1.0)

    def test_delays_leave_out_windows_that_ended_early(self, sites: Callable[..., Any]) -> None:
        """A unit's next decision ends the window, so that no late reward of it can be seen."""
        site = sites(unit="decision")
        site.ship(site.decision(1, who="x", at=0), site.decision(2, who="x", at=30), site.reward(1, at=1))
        site.ship(site.reward(2, at=31))
        site.learn()
        assert site.store.delays(site.experiment).counts.sum() == 1

    def test_what_is_served_is_kept_beside_what_was_learned(self, site: Any) -> None:
        """A version holds both states with their checksums; without a second one the learned one is in force."""
        epoch = site.store.lease("k", seconds=60)
        learned = PolicyVersion(site.experiment.id, 1, 1, "thompson", b"learned", "0" * 64, 0, 0, 0)
        served = replace(learned, version=2, served=b"served", served_checksum="1" * 64)
        for version in (learned, served):
            site.store.commit_step(Step(site.experiment.id, [], version), epoch=epoch)
        assert site.store.latest_policy(site.experiment.id) == served
        assert served.in_force == (b"served", "1" * 64)
        assert site.store.policy_version(site.experiment.id, 1).in_force == (b"learned", "0" * 64)

    @pytest.mark.parametrize("count", [0, 3])
    def test_no_rewards_at_all(self, site: Any, count: int) -> None:
        """Rows without reward say nothing of delays."""
        site.ship(*(site.decision(i, at=0) for i in range(count)))
        assert len(site.learn()) == count
        assert site.store.delays(site.experiment).counts.sum() == 0
