"""What the store promises: one leader, and what it commits."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from experiments.errors import Conflict, NotFound
from experiments.store import Step, Store
from tests.store.made import policy

HOUR = 3_600_000_000


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
