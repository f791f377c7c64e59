"""Experiments: what is in force, what was, and the legal ways from one to the other."""

from __future__ import annotations

from experiments.model import Definition, Experiment, State
from experiments.store.engine import Room
from experiments.store.values import ExperimentVersion


class Experiments(Room):
    """Create, save, start, stop and read experiments."""

    def create_experiment(self, definition: Definition, *, by: str, imported: bool = False) -> Experiment:
        """Keep a new experiment as version 1, a draft (``imported``: stopped at once)."""
        raise NotImplementedError

    def save_experiment(self, definition: Definition, *, based_on: int, by: str) -> Experiment:
        """Keep a changed definition as the next version."""
        raise NotImplementedError

    def set_state(
        self, key: str, state: State, *, by: str, winner: str | None = None, based_on: int | None = None
    ) -> Experiment:
        """Start, pause, stop or archive."""
        raise NotImplementedError

    def experiment(self, key: str) -> Experiment:
        """Read an experiment by its key."""
        raise NotImplementedError

    def experiment_by_id(self, experiment_id: int) -> Experiment:
        """Read an experiment by the store's number."""
        raise NotImplementedError

    def experiments(self) -> list[Experiment]:
        """Read all experiments, the newest first."""
        raise NotImplementedError

    def versions(self, key: str) -> list[ExperimentVersion]:
        """What was in force when, the oldest first."""
        raise NotImplementedError
