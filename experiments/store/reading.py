"""Reading: sums, traffic, health, single decisions, and the whole log as a stream."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from experiments.model import Experiment
from experiments.store.engine import Room
from experiments.store.values import DecisionDetail, Health, LoggedDecision, TrafficBucket, VariantSums


class Reading(Room):
    """What reports, exports and replays read."""

    def sums(self, experiment_id: int) -> list[VariantSums]:
        """Read the running sums of every phase, variant and metric."""
        raise NotImplementedError

    def traffic(self, experiment_id: int) -> list[TrafficBucket]:
        """Read how the traffic was split, minute by minute."""
        raise NotImplementedError

    def health(self, experiment_id: int) -> Health:
        """Read what became of everything that was shipped."""
        raise NotImplementedError

    def log(self, experiment_id: int, *, batch: int = 8192) -> Iterator[list[LoggedDecision]]:
        """Stream every decision in the order of ids, with its rewards folded."""
        raise NotImplementedError

    def decision(self, decision: str) -> DecisionDetail:
        """Read a decision and what became of each of its rewards."""
        raise NotImplementedError

    def import_log(self, experiment: Experiment, rows: Iterable[list[LoggedDecision]]) -> int:
        """Fill an imported experiment: its rows are analysis rows at once, and its sums are kept."""
        raise NotImplementedError
