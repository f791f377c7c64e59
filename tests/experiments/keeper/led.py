"""What a test of the leading keeper begins with: a store whose lease is held, and a leader that remembers nothing."""

from __future__ import annotations

from typing import Any

import numpy as np

from experiments.keeper.leader import Leader
from experiments.service.identity import DecisionIds
from experiments.store import Store


class Led:
    """A store and its leader; visitors are the test's."""

    def __init__(self, store: Store, clock: Any) -> None:
        self.store, self.clock = store, clock
        self.rng, self.ids, self.offset = np.random.default_rng(7), DecisionIds(), 0
        epoch = store.lease("test", seconds=3600)
        assert epoch is not None
        self.epoch = epoch
        self.leader = self.new_leader()

    def new_leader(self) -> Leader:
        """A leader that remembers nothing."""
        return Leader(self.store, epoch=self.epoch, clock=self.clock)
